// `fleet failures` shows the device program's own catalogue, whole.

import t from "tap";
import { catalogue } from "../../src/provisioning/failure.js";
import { fleet } from "./fleet.js";

const codes = Object.keys(catalogue);

t.test("the list names every failure with its number and what to do", async (t) => {
	const { code, stdout } = await fleet("failures");
	t.equal(code, 0);
	for (const [name, { number, advice }] of Object.entries(catalogue)) {
		t.match(stdout, new RegExp(`${number} +${name} `));
		t.ok(stdout.includes(advice), `${name}: ${advice}`);
	}
});

t.test("as Markdown it is one table with a row for each", async (t) => {
	const { stdout } = await fleet("failures", "--markdown");
	const rows = stdout.trimEnd().split("\n");
	t.equal(rows.length, codes.length + 2);
	t.ok(
		rows.every((row) => row.split(/(?<!\\)\|/).length === 7),
		"five cells in each row",
	);
});

t.test("as JSON it is the catalogue", async (t) => {
	const { stdout } = await fleet("failures", "--json");
	t.strictSame(JSON.parse(stdout), catalogue);
});
