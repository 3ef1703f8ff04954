// `fleet failures` shows the device program's whole catalogue.

import t from "tap";
import { failureWords } from "../../hosts/cli/failure-words.js";
import { catalogue, type FailureCode } from "../../src/base/failure.js";
import { fleet, saysInOneLine } from "./fleet.js";

const codes = Object.keys(catalogue);

t.test("the list names every failure with its number and what to do", async (t) => {
	const { code, stdout } = await fleet("failures");
	t.equal(code, 0);
	const words = stdout.replace(/\s+/g, " ");
	for (const [name, { number }] of Object.entries(catalogue)) {
		t.match(stdout, new RegExp(`${number} +${name} `));
		const { meaning, advice } = failureWords[name as FailureCode];
		t.ok(words.includes(`${meaning} → ${advice}`), `${name}: ${meaning}; ${advice}`);
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

t.test("as JSON it is the catalogue, with the words", async (t) => {
	const { stdout } = await fleet("failures", "--json");
	const merged = codes.map((code) => {
		const { step, class: cls, number } = catalogue[code as FailureCode];
		return [code, { number, step, class: cls, ...failureWords[code as FailureCode] }];
	});
	t.strictSame(JSON.parse(stdout), Object.fromEntries(merged));
});

t.test("a number that an LED blinked is explained, and so is a code in any case", async (t) => {
	for (const wanted of ["81", "IDENTITY_REFUSED", "identity_refused"]) {
		const { code, stdout } = await fleet("failures", wanted);
		t.equal(code, 0);
		t.match(stdout, /^IDENTITY_REFUSED, number 81\n/);
		t.match(stdout.replace(/\s+/g, " "), failureWords.IDENTITY_REFUSED.advice);
		t.notMatch(stdout, "STORE_FULL", "no other failure is explained");
	}
	const { stdout } = await fleet("failures", "81", "--json");
	t.match(JSON.parse(stdout), { IDENTITY_REFUSED: { number: 81, step: "prove", class: "operator" } });
	t.equal(Object.keys(JSON.parse(stdout)).length, 1);
});

t.test("a number or code that no failure has is a usage error", async (t) => {
	saysInOneLine(t, await fleet("failures", "99"), 2, /no failure has the number 99/);
	saysInOneLine(t, await fleet("failures", "IDENTITY_REFUSD"), 2, /did you mean IDENTITY_REFUSED\?/);
});
