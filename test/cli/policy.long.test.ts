// `fleet policy check` on files, such as people keep with the code of their infrastructure.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { fleet, saysInOneLine, temporaryFolder } from "./fleet.js";

t.test("policies and a template from files", async (t) => {
	const folder = temporaryFolder(t);
	const file = (name: string, contents: object) => {
		writeFileSync(join(folder, name), JSON.stringify(contents));
		return join(folder, name);
	};
	const account = { accountId: "123456789012", region: "eu-west-1" };
	const claim = claimPolicy(account, "fleet", { creation: ["create"], clientId: "claim-*" });
	const narrow = file("claim.json", claim);
	const wide = file("wide.json", claimPolicy(account, "fleet"));
	const rest = [
		...["--device-policy", file("device.json", devicePolicy(account))],
		...["--template-body", file("template.json", provisioningTemplate("device"))],
	];
	const check = (claimPath: string, ...args: string[]) =>
		fleet("policy", "check", "--keys", "--claim-policy", claimPath, ...rest, ...args);

	await t.test("that fit: devices can provision, and the claim can do nothing else", async (t) => {
		const { code, stdout } = await check(narrow, "--template", "fleet", "--parameter", "SerialNumber=board-7");
		t.equal(code, 0);
		t.match(stdout, /^Devices can provision: this one would be thing board-7\.\n/);
		t.match(stdout, "client/claim-board-7");
		t.match(stdout, "claim policy, statement 2 (PublishReceive)");
		t.notMatch(stdout, "What else the claim");
	});

	await t.test("without a hook: it warns that the holder of the claim can become any thing", async (t) => {
		const args = ["--template", "fleet", "--parameter", "SerialNumber=board-7"];
		const { code, stdout } = await check(narrow, ...args);
		t.equal(code, 0);
		t.match(
			stdout,
			/anybody who has the claim.*\n.*can become any thing that exists.*board-7.*pre-provisioning hook can/,
		);
		const hooked = await check(narrow, ...args, "--hook");
		t.equal(hooked.code, 0);
		t.notMatch(hooked.stdout, "can become any thing");
		t.match(hooked.stdout, "The hook is taken to refuse a thing that exists");
	});

	await t.test("for another template: devices cannot provision, and it says why", async (t) => {
		const { code, stdout } = await check(narrow, "--template", "gateways");
		t.equal(code, 1);
		t.match(stdout, "Devices cannot provision");
		t.match(stdout, /NO {2}claim {3}iot:Subscribe .*gateways.*\n.*add that to its Resource/);
	});

	await t.test("that allow too much: it says what", async (t) => {
		const { code, stdout } = await check(wide, "--template", "fleet", "--json");
		t.equal(code, 0);
		const report = JSON.parse(stdout);
		t.ok(report.succeeded);
		t.match(report.excess, [{ action: "iot:Connect" }, { resource: /create-from-csr/ }]);
	});

	await t.test("for devices that make their own keys, unless told otherwise", async (t) => {
		const own = file("own.json", claimPolicy(account, "fleet", { creation: ["create-from-csr"], clientId: "claim-*" }));
		const ask = (path: string) => fleet("policy", "check", "--claim-policy", path, ...rest, "--template", "fleet");
		t.equal((await ask(own)).code, 0);
		const other = await ask(narrow);
		t.equal(other.code, 1);
		t.match(other.stdout, /NO {2}claim {3}iot:Subscribe .*create-from-csr/);
	});

	await t.test("that are none are told in one line", async (t) => {
		const template = join(folder, "template.json");
		saysInOneLine(t, await check(template, "--template", "fleet"), 1, /template\.json: /);
		saysInOneLine(t, await check(join(folder, "none.json"), "--template", "fleet"), 1, /there is no file/);
		saysInOneLine(t, await check(narrow), 2, /--template NAME is missing/);
		const swapped = ["--template", "fleet", "--template-body", narrow];
		saysInOneLine(t, await check(narrow, ...swapped), 1, /claim\.json: /);
	});
});
