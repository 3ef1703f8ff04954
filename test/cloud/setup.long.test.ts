// Given a setup, then the account begins with what it says; when it is wrong, then file, line, path and expectation are told; and
// whatever happened, a reset brings it back.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { type Cloud, type CloudOptions, startCloud } from "../../hosts/cloud/cloud.js";
import { readSetup } from "../../hosts/cloud/setup/read.js";
import { connect, exchange, type PemCredentials, type Rig, subscribeToReplies, topics } from "./rig.js";

const own = { accountId: "123456789012", region: "eu-west-1" };

function folderWith(t: Test, files: Readonly<Record<string, string | object>>): string {
	const folder = mkdtempSync(join(tmpdir(), "fleet-setup-"));
	t.teardown(() => rmSync(folder, { recursive: true, force: true }));
	for (const [name, contents] of Object.entries(files))
		writeFileSync(join(folder, name), typeof contents === "string" ? contents : JSON.stringify(contents));
	return folder;
}

let authority: Cloud["authority"] | undefined;

async function started(t: Test, options: CloudOptions): Promise<Cloud> {
	const cloud = await startCloud({ ...(authority && { authority }), ...options });
	authority ??= cloud.authority;
	t.teardown(() => cloud.close());
	return cloud;
}

/** A cloud as the helpers of the rig take it. */
const asRig = (cloud: Cloud) => ({ cloud, events: [] }) as unknown as Rig;

const documents = {
	"claim.json": claimPolicy(own, "fleet", { clientId: "claim-*" }),
	"device.json": devicePolicy(own),
	"template.json": provisioningTemplate("device"),
};

const yaml = `
# yaml-language-server: $schema=./setup.schema.json
account: "123456789012"
region: eu-west-1
settings:
  connection: { connectsPerClientId: 0 }
  keyPairs: { ahead: 0 }
policies:
  claim: claim.json
  device: device.json
  nothing: { Version: "2012-10-17", Statement: [{ Effect: Deny, Action: "iot:*", Resource: "*" }] }
thingTypes:
  lamp: { description: A lamp, searchableAttributes: [colour] }
billingGroups:
  house: {}
thingGroups:
  all: { description: Everything }
  lamps: { parent: all, policies: [nothing] }
templates:
  fleet:
    body: template.json
    description: The fleet
    hook: { command: "node hook.js" }
    tags: { team: devices }
claims:
  - { certificate: made/claim.pem, key: made/claim.key, keyKind: ec, policies: [claim] }
things:
  lamp-1: { type: lamp, attributes: { colour: red }, groups: [lamps], billingGroup: house }
users:
  reader:
    accessKeyId: AKIAREADER
    secretAccessKey: only-for-tests
    policies: [{ Version: "2012-10-17", Statement: { Effect: Allow, Action: "iot:List*", Resource: "*" } }]
`;
const hook = `
let text = "";
process.stdin.on("data", (part) => { text += part; });
process.stdin.on("end", () => {
	const { parameters } = JSON.parse(text);
	console.log(JSON.stringify({ allowProvisioning: !parameters.SerialNumber.startsWith("stolen") }));
});
`;

/** Asks for a certificate and registers it, as a device does. */
async function provision(cloud: Cloud, claim: PemCredentials, serial: string) {
	const client = await connect(asRig(cloud), claim, `claim-${serial}`);
	await subscribeToReplies(client, topics.create("json"), topics.register("json", "fleet"));
	const { payload } = await exchange(client, topics.create("json"), "{}");
	const { certificateOwnershipToken } = JSON.parse(payload.toString());
	const reply = await exchange(
		client,
		topics.register("json", "fleet"),
		JSON.stringify({ certificateOwnershipToken, parameters: { SerialNumber: serial } }),
	);
	return { client, reply };
}

t.test("a YAML file with everything, and a reset after everything was used", async (t) => {
	const folder = folderWith(t, { ...documents, "fleet.yaml": yaml, "hook.js": hook });
	const cloud = await started(t, { setup: join(folder, "fleet.yaml"), controlPlane: {} });
	const { registry } = cloud;
	t.match(registry.state.account, own);
	t.equal(cloud.settings.connection.connectsPerClientId, 0);
	t.match(registry.templates.describeProvisioningTemplate({ templateName: "fleet" }), {
		enabled: true,
		description: "The fleet",
		preProvisioningHook: { targetArn: "arn:aws:lambda:eu-west-1:123456789012:function:fleet-hook" },
	});
	t.match(registry.things.describeThing({ thingName: "lamp-1" }), {
		thingTypeName: "lamp",
		attributes: { colour: "red" },
		billingGroupName: "house",
	});
	t.same(registry.thingGroups.groupsOf("lamp-1"), ["lamps"]);
	t.equal(cloud.controlPlane!.signatures, "checked", "there is a user, so signatures are checked");
	const key = join(folder, "made", "claim.key");
	t.match(readFileSync(key, "utf8"), /^-----BEGIN EC PRIVATE KEY-----/);
	t.equal(statSync(key).mode & 0o777, 0o600);

	const claim = {
		certificatePem: readFileSync(join(folder, "made", "claim.pem"), "utf8"),
		privateKeyPem: readFileSync(key, "utf8"),
	};
	const before = JSON.stringify([...registry.state.snapshot()].map(([name, rows]) => [name, [...rows]]));
	for (const round of [1, 2]) {
		const refused = await provision(cloud, claim, "stolen-1");
		t.notOk(refused.reply.accepted, "the hook ran in the folder of the setup");
		const { client, reply } = await provision(cloud, claim, "board-7");
		t.ok(reply.accepted, `provisioned in round ${round}`);
		t.ok(registry.things.get("board-7"));
		cloud.changeSettings({ token: { lifetime: 1 }, faults: [{ operation: "RegisterThing", action: "drop" }] });
		registry.state.transaction(() =>
			registry.state.retained.put("a", { topic: "a", payload: new Uint8Array(1), qos: 0 }),
		);
		const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
		await cloud.reset();
		await closed;
		t.equal(cloud.connections(), 0);
		t.equal(registry.things.get("board-7"), undefined);
		t.equal(JSON.stringify([...registry.state.snapshot()].map(([name, rows]) => [name, [...rows]])), before);
		t.match(cloud.settings, { token: { lifetime: 3_600_000 }, faults: [] });
		t.match(cloud.events.since(), [{ event: "reset" }], "and earlier events are forgotten");
		t.same(cloud.metrics.list(), []);
	}
});

t.test("a directory: what the file names is changed at the next start, what it does not name stays", async (t) => {
	const folder = folderWith(t, { ...documents });
	const directory = join(folder, "state");
	const setup = { policies: { device: "device.json" }, templates: { fleet: { body: "template.json" } } };
	const path = join(folder, "fleet.json");
	writeFileSync(path, JSON.stringify({ account: own.accountId, ...setup }, undefined, "\t"));
	const first = await startCloud({ directory, setup: path, ...(authority && { authority }) });
	first.registry.things.createThing({ thingName: "mine" });
	await first.close();
	for (let version = 2; version <= 7; version++) {
		writeFileSync(join(folder, "device.json"), JSON.stringify({ ...documents["device.json"], Id: `${version}` }));
		writeFileSync(
			path,
			JSON.stringify({
				...setup,
				templates: { fleet: { body: provisioningTemplate("device", `v${version}-`), enabled: version % 2 === 0 } },
			}),
		);
		const again = await startCloud({ directory, setup: path });
		t.match(again.registry.policies.document("device"), `"Id":"${version}"`);
		t.match(again.registry.templates.body("fleet"), `v${version}-`);
		t.equal(again.registry.templates.get("fleet")?.enabled, version % 2 === 0);
		t.ok(again.registry.things.get("mine"));
		await again.close();
	}
	await t.rejects(startCloud({ directory, setup: { account: "210987654321" } }), { name: "OtherAccountError" });
});

t.test(
	"a claim of one's own is registered, a missing one without a key is told, and no key is overwritten",
	async (t) => {
		const folder = folderWith(t, documents);
		const made = join(folder, "claim.pem");
		const write = (claims: object[]) => {
			const path = join(folder, "fleet.json");
			writeFileSync(path, JSON.stringify({ policies: { claim: "claim.json" }, claims }, undefined, "  "));
			return { setup: path, ...own, ...(authority && { authority }) };
		};
		const whole = { certificate: "claim.pem", key: "claim.key", keyKind: "ec", policies: ["claim"] };
		const first = await started(t, write([whole]));
		const [certificate] = first.registry.certificates.listCertificates().certificates;
		const second = await started(t, write([{ ...whole, key: undefined, status: "INACTIVE" }]));
		t.match(second.registry.certificates.listCertificates().certificates, [
			{ certificateId: certificate!.certificateId, status: "INACTIVE" },
		]);
		rmSync(made);
		await t.rejects(
			startCloud(write([whole])),
			/fleet\.json:8: claims\[0\]\.key: claim\.key is there without claim\.pem/,
		);
		await t.rejects(
			startCloud(write([{ certificate: "claim.pem" }])),
			/claims\[0\]\.certificate: there is no file claim\.pem/,
		);
		t.notOk(existsSync(made));
		writeFileSync(made, "mine");
		await t.rejects(startCloud(write([whole])), /claim\.pem is not a certificate in PEM/);
		t.equal(readFileSync(made, "utf8"), "mine");
		rmSync(made);
		rmSync(join(folder, "claim.key"));
		await t.rejects(
			startCloud(write([{ ...whole, policies: ["other"] }])),
			/claims\[0\]: Policy not found \(name=other\)/,
		);
	},
);

t.test("whatever is wrong is told with file, line, path and what was expected", async (t) => {
	const folder = folderWith(t, { "bad.json": "{", "list.json": "[]" });
	mkdirSync(join(folder, "empty"));
	const path = join(folder, "fleet.yaml");
	const said = (text: string) => {
		writeFileSync(path, text);
		try {
			readSetup(path);
		} catch (error) {
			return (error as Error).message.replace(path, "fleet.yaml");
		}
		return "nothing";
	};
	for (const [text, message] of [
		[
			"account: 123456789012",
			'fleet.yaml:1: account must be the 12 digits of an account\'s id as text, in quotes: "123456789012"',
		],
		["region: us-gov-west-1", /^fleet\.yaml:1: region must be a region outside China/],
		["\npolices: {}", /^fleet\.yaml:1?2?: The setup has no member polices: it may have .*policies/],
		[
			"templates:\n  fleet:\n    enabled: true",
			/^fleet\.yaml:3: templates\.fleet lacks body: it must be an object with body/,
		],
		[
			"templates:\n  fleet:\n    body: {}\n    enabled: yes please",
			"fleet.yaml:4: templates.fleet.enabled must be true or false",
		],
		[
			"templates:\n  fleet:\n    body: {}\n    hook: { url: a, command: b }",
			/^fleet\.yaml:4: templates\.fleet\.hook\.url must be an http or https URL/,
		],
		[
			"templates:\n  fleet:\n    body: {}\n    hook: {}",
			"fleet.yaml:4: templates.fleet.hook must be an object with either url or command",
		],
		["templates:\n  a b: { body: {} }", /^fleet\.yaml:\d: templates has a member with a name that is not allowed: a b/],
		["settings:\n  token:\n    lifetime: long", "fleet.yaml:3: settings.token.lifetime must be a number of at least 0"],
		[
			"settings:\n  token:\n    lifetme: 1",
			/^fleet\.yaml:3: settings\.token has no member lifetme: it may have .*lifetime/,
		],
		["settings:\n  hook:\n    fault: never", "fleet.yaml:3: settings.hook.fault must be one of deny, error, hang"],
		[
			"settings:\n  throttle:\n    RegisterThing: { rate: 0, burst: 1 }",
			"fleet.yaml:3: settings.throttle.RegisterThing.rate must be a number above 0",
		],
		["claims:\n  - certificate: a\n    keyKind: dsa", "fleet.yaml:3: claims[0].keyKind must be one of rsa, ec"],
		[
			"users:\n  ci: { accessKeyId: A-B, secretAccessKey: s3cr3t }",
			"fleet.yaml:2: users.ci.accessKeyId must be 4 to 128 letters and digits",
		],
		["policies: [", /^fleet\.yaml:1: this is neither JSON nor YAML: /],
		["policies:\n  a: 1\n  a: 2", /^fleet\.yaml:3: this is neither JSON nor YAML: Map keys must be unique/],
		["- a", "fleet.yaml:1: The setup must be an object"],
	] as const) {
		const message_ = said(text);
		if (typeof message === "string") t.equal(message_, message);
		else t.match(message_, message);
		t.notMatch(message_, "s3cr3t");
	}
	t.throws(() => readSetup(join(folder, "none.yaml")), /none\.yaml cannot be read \(ENOENT\)/);
	t.throws(() => readSetup({ claims: {} } as never), { message: "claims must be a list of claims" });
	for (const [setup, message] of [
		[{ policies: { a: "none.json" } }, /:\d+: policies\.a: none\.json cannot be read \(ENOENT\)/],
		[{ policies: { a: "bad.json" } }, /:\d+: policies\.a: .*the document is not JSON/],
		[{ templates: { a: { body: "list.json" } } }, /:\d+: templates\.a: /],
		[{ things: { a: { type: "lamp" } } }, /:\d+: things\.a: Thing type lamp not found/],
		[
			{ users: { ci: { accessKeyId: "AKIA", secretAccessKey: "s", policies: ["list.json"] } } },
			/:\d+: users\.ci: policies\[0\]: the document must be an object/,
		],
	] as const) {
		writeFileSync(path, JSON.stringify(setup));
		await t.rejects(startCloud({ setup: path, ...own, ...(authority && { authority }) }), { message });
	}
});

t.test("a hook by URL; the options of startCloud win over the setup; an object is a setup, too", async (t) => {
	const asked: string[] = [];
	const server = createServer((request, response) => {
		asked.push(request.url!);
		response.end(JSON.stringify({ allowProvisioning: true }));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	t.teardown(() => server.close());
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
	const cloud = await started(t, {
		region: "us-east-1",
		settings: { token: { lifetime: 5 } },
		setup: {
			region: "eu-west-1",
			settings: { token: { lifetime: 10 }, reply: { delay: 1 }, keyPairs: { ahead: 0 } },
			policies: { device: devicePolicy(own) as never },
			templates: { fleet: { body: provisioningTemplate("device") as never, hook: { url } } },
		},
	});
	t.equal(cloud.registry.state.account.region, "us-east-1");
	t.match(cloud.settings, { token: { lifetime: 5 }, reply: { delay: 1 } });
	cloud.changeSettings({ token: { lifetime: 60_000 } });
	const ask = async (operation: "CreateKeysAndCertificate" | "RegisterThing", payload: object) => {
		const reply = await cloud.provisioning.handle({
			operation,
			encoding: "json",
			templateName: "fleet",
			payload: Buffer.from(JSON.stringify(payload)),
			claimCertificateId: "c",
			clientId: "d",
			connectionId: "e",
		});
		return JSON.parse(Buffer.from(reply.payload).toString());
	};
	const { certificateOwnershipToken } = await ask("CreateKeysAndCertificate", {});
	const { thingName } = await ask("RegisterThing", { certificateOwnershipToken, parameters: { SerialNumber: "one" } });
	t.equal(thingName, "one");
	t.same(asked, ["/hook"]);
});

t.test(
	"a reset is quick with thousands of things, and work that it finds unfinished leaves nothing behind",
	async (t) => {
		const cloud = await started(t, { setup: { settings: { keyPairs: { ahead: 0 } } } });
		const { registry } = cloud;
		const make = (prefix: string) =>
			registry.state.transaction(() => {
				for (let i = 0; i < 5_000; i++) registry.things.createThing({ thingName: `${prefix}-${i}` });
			});
		make("kept");
		cloud.checkpoint();
		make("gone");
		registry.things.deleteThing({ thingName: "kept-7" });
		const unfinished = registry.certificates.createKeysAndCertificate();
		await Promise.all([cloud.reset(), cloud.reset()]);
		await t.rejects(unfinished, { name: "ServiceUnavailableException" });
		t.equal(registry.state.things.size, 5_000);
		t.ok(registry.things.get("kept-7"));
		t.equal(registry.state.certificates.size, 0);
		const event = cloud.events.since().find(({ event }) => event === "reset");
		t.comment(`the last of two resets took ${event?.event === "reset" && event.milliseconds} ms`);
	},
);
