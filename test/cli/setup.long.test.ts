// `fleet cloud --setup`, `--account`, `--log json` and the token of /_local/, as a pipeline uses them.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { cloudLines, deviceArguments, fleet, fleetWith, saysInOneLine, startCloud, temporaryFolder } from "./fleet.js";

t.setTimeout(300_000);
const account = { accountId: "123456789012", region: "eu-west-1" };
const free = ["--port", "0", "--alpn-port", "0", "--http-port", "0"];

/** A setup with a claim that is made, in a new folder. */
function setup(folder: string): string {
	const path = join(folder, "fleet.json");
	writeFileSync(
		path,
		JSON.stringify({
			account: account.accountId,
			region: account.region,
			settings: { connection: { connectsPerClientId: 0 } },
			policies: {
				"my-claim": claimPolicy(account, "mine", { clientId: "claim-*" }),
				"my-device": devicePolicy(account),
			},
			templates: { mine: { body: provisioningTemplate("my-device") } },
			claims: [{ certificate: "claim.pem", key: "claim.key", policies: ["my-claim"] }],
		}),
	);
	return path;
}

t.test("a device provisions itself with a team's own template, twice, with a reset between", async (t) => {
	const folder = temporaryFolder(t);
	const cloud = await startCloud(t, join(folder, "cloud"), "--setup", setup(folder));
	t.match(cloud.facts, account);
	t.notOk("template" in cloud.facts || "claimKey" in cloud.facts, "no sample was made");
	const things = async () => (await (await fetch(`${cloud.facts.url}/things`)).json()) as { things: unknown[] };
	for (const round of ["one", "two"]) {
		const device = await fleet(
			...["device", "--endpoint", "localhost", "--port", String(cloud.facts.port), "--template", "mine", "--once"],
			...["--root-ca", cloud.facts.rootCertificate!, "--flash", join(folder, `${round}.flash`), "--serial", "board-7"],
			...["--claim", join(folder, "claim.pem"), "--claim-key", join(folder, "claim.key")],
		);
		t.equal(device.code, 0, device.stderr);
		t.equal((await things()).things.length, 1);
		const reset = await fetch(`${cloud.facts.url}/_local/reset`, { method: "POST" });
		t.equal(reset.status, 200);
		t.same((await things()).things, []);
	}
	t.equal(await cloud.stop(), 0);
});

t.test("without a setup the sample template and its claim outlive a reset", async (t) => {
	const folder = temporaryFolder(t);
	const cloud = await startCloud(t, join(folder, "cloud"));
	await fetch(`${cloud.facts.url}/_local/reset`, { method: "POST" });
	const device = await fleet(...deviceArguments(cloud, join(folder, "one.flash")), "--once");
	t.equal(device.code, 0, device.stderr);
});

t.test("what is wrong is one line: with the setup, with the account, with the options", async (t) => {
	const folder = temporaryFolder(t);
	const directory = ["--directory", join(folder, "cloud")];
	const path = join(folder, "fleet.yaml");
	writeFileSync(path, "templates:\n  fleet:\n    enabled: sometimes\n    body: {}\n");
	const wrong = await fleet("cloud", ...directory, ...free, "--setup", path);
	saysInOneLine(t, wrong, 1, /fleet\.yaml:3: templates\.fleet\.enabled must be true or false/);
	const cloud = await startCloud(t, join(folder, "cloud"), "--account", "123456789012", "--region", "eu-west-1");
	await cloud.stop();
	const other = await fleet("cloud", ...directory, ...free, "--account", "210987654321");
	saysInOneLine(t, other, 1, /made for account 123456789012 in eu-west-1, not for account 210987654321/);
	saysInOneLine(t, await fleet("cloud", "--account", "12"), 2, /--account must be the 12 digits/);
	saysInOneLine(t, await fleet("cloud", "--json", "--log", "json"), 2, /--json and --log json cannot be used together/);
});

t.test("--log json: each line has time, level, message and event, and /_local/ asks for the token", async (t) => {
	const folder = temporaryFolder(t);
	const token = "a-token-of-this-test";
	const cloud = await cloudLines(t, { FLEET_LOCAL_TOKEN: token }, join(folder, "cloud"), "--log", "json");
	const started = await cloud.line((line) => line.includes('"event":"started"'));
	const { url } = (JSON.parse(started) as { event: { url: string } }).event;
	t.equal((await fetch(`${url}/_local/reset`, { method: "POST" })).status, 403);
	const headers = { authorization: `Bearer ${token}` };
	t.equal((await fetch(`${url}/_local/reset`, { method: "POST", headers })).status, 200);
	await cloud.line((line) => line.includes('"event":"reset"'));
	const lines = cloud.lines().map((line) => JSON.parse(line));
	const [documented] = [
		/### fleet cloud --log json\n([\s\S]*?)\n#/.exec(
			readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8"),
		)![1]!,
	];
	const members = [...documented.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!);
	for (const line of lines) {
		t.same(Object.keys(line), members, "the members that docs/cli.md promises");
		t.match(line.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
		t.ok(["debug", "info", "warn"].includes(line.level), line.level);
		t.type(line.message, "string");
		t.type(line.event.event, "string");
	}
	t.ok(lines.some(({ level, event }) => level === "warn" && event.event === "warning"));
	t.notMatch(cloud.lines().join(""), token);
	const shown = await fleetWith({}, "help", "cloud");
	t.match(shown.stdout, "FLEET_LOCAL_TOKEN");
});
