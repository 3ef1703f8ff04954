// `fleet samples` writes documents that work: in `fleet policy check` (json.test.ts) and at a local cloud by AWS's own command line.

import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { awsPath } from "../support/aws-path.js";
import { fleet, saysInOneLine, startCloud, temporaryFolder } from "./fleet.js";

t.setTimeout(300_000);

const execute = promisify(execFile);

/** Whether AWS's command line is on this machine. */
function hasAws(): boolean {
	try {
		execFileSync("aws", ["--version"], { stdio: "ignore" });
	} catch {
		return false;
	}
	return true;
}

const skip = hasAws() ? false : "the AWS command line is not installed";
const samples = (out: string, account: string, region: string, ...args: string[]) =>
	fleet("samples", "--account", account, "--region", region, "--template", "line-1", "--out", out, ...args);

t.test("it says what it wrote, and replaces files only with --force", async (t) => {
	const out = join(temporaryFolder(t), "new folder");
	const first = await samples(out, "123456789012", "eu-west-1");
	t.equal(first.code, 0);
	t.match(first.stdout, /policy check .*--claim-policy '.*new folder\/claim-policy\.json'/, "the call can be pasted");
	const policy = join(out, "claim-policy.json");
	const [, connect] = /"(arn:aws:iot:[^"]*:client\/[^"]*)"/.exec(readFileSync(policy, "utf8"))!;
	t.equal(connect, "arn:aws:iot:eu-west-1:123456789012:client/claim-*");
	writeFileSync(policy, "mine");
	saysInOneLine(
		t,
		await samples(out, "123456789012", "eu-west-1"),
		1,
		/exist already: --force replaces existing files/,
	);
	t.equal(readFileSync(policy, "utf8"), "mine");
	t.equal((await samples(out, "123456789012", "eu-west-1", "--force")).code, 0);
	t.match(JSON.parse(readFileSync(policy, "utf8")), { Version: "2012-10-17" });
});

t.test("the text beside them says for every statement what it grants", async (t) => {
	const out = temporaryFolder(t);
	await samples(out, "123456789012", "eu-west-1");
	const text = readFileSync(join(out, "what-they-grant.md"), "utf8");
	t.notMatch(text, "undefined");
	for (const file of ["claim-policy.json", "device-policy.json"])
		for (const { Sid, Resource } of JSON.parse(readFileSync(join(out, file), "utf8")).Statement) {
			t.match(text, `**${Sid}**`);
			for (const resource of [Resource].flat()) t.ok(text.includes(`\`${resource}\``), resource);
		}
	t.match(text, "create-from-csr/*");
	await samples(out, "123456789012", "eu-west-1", "--keys", "--force");
	const keys = readFileSync(join(out, "claim-policy.json"), "utf8");
	t.match(keys, "certificates/create/*");
	t.notMatch(keys, "create-from-csr");
});

t.test(
	"the AWS command line creates them in a local cloud as the explanation says, and a device can provision",
	{ skip },
	async (t) => {
		const folder = temporaryFolder(t);
		const cloud = await startCloud(t, join(folder, "cloud"), "--account", "123456789012", "--region", "eu-west-1");
		await samples(folder, "123456789012", "eu-west-1");
		const [, script] = /```sh\n([\s\S]*?)```/.exec(readFileSync(join(folder, "what-they-grant.md"), "utf8"))!;
		t.equal(script!.match(/aws (?:iam|iot) /g)?.length, 7, "seven calls, as they are written");
		await execute("sh", ["-e", "-c", script!], {
			cwd: folder,
			env: {
				...process.env,
				PATH: awsPath(folder),
				AWS_ENDPOINT_URL: cloud.facts.url,
				AWS_PAGER: "",
				AWS_ACCESS_KEY_ID: "any",
				AWS_SECRET_ACCESS_KEY: "any",
			},
		});
		const device = await fleet(
			"device",
			...["--endpoint", "localhost", "--port", String(cloud.facts.port), "--template", "line-1", "--once"],
			...["--root-ca", cloud.facts.rootCertificate!, "--flash", join(folder, "one.flash"), "--serial", "board-7"],
			...["--claim", join(folder, "claim.pem"), "--claim-key", join(folder, "claim.key")],
		);
		t.equal(device.code, 0, device.stderr);
		t.match(device.stdout, "is thing board-7 with");
	},
);
