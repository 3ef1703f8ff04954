// Tokens and certificates over time, what OverrideSettings do to things that exist, and pre-provisioning hooks.

import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { defaultSettings, type SettingsPatch } from "../../hosts/cloud/base/settings.js";
import { askHook, type HookInput } from "../../hosts/cloud/provisioning/hook.js";
import { startCore } from "./core.js";

const hour = 3_600_000;

t.test("A token lasts an hour; then an unused certificate is deleted", async (t) => {
	const core = await startCore();
	const early = await core.create();
	core.pass(hour - 1);
	const { certificateOwnershipToken } = early;
	t.ok((await core.ask("RegisterThing", { certificateOwnershipToken, parameters: { SerialNumber: "A" } })).accepted);
	const late = await core.create();
	const attached = await core.create();
	core.registry.policies.attachPolicy({
		policyName: "device",
		target: core.registry.certificates.arn(attached.certificateId),
	});
	core.pass(hour);
	const reply = await core.ask("RegisterThing", {
		certificateOwnershipToken: late.certificateOwnershipToken,
		parameters: { SerialNumber: "B" },
	});
	t.match(reply, { accepted: false, statusCode: 400, errorCode: "InvalidCertificateOwnershipToken" });
	t.equal(core.registry.certificates.get(late.certificateId), undefined, "deleted");
	t.ok(core.registry.certificates.get(attached.certificateId), "kept, since a policy hangs on it");
	t.equal(core.registry.certificates.get(early.certificateId)?.status, "ACTIVE", "kept, since it was activated");
	t.equal(core.registry.state.tokens.size, 0);
});

t.test("A certificate whose token is used up without activating it goes at the token's deadline", async (t) => {
	const attempted = await startCore(undefined, { token: { singleUse: "attempt" } });
	const { certificateOwnershipToken, certificateId } = await attempted.create();
	t.notOk((await attempted.ask("RegisterThing", { certificateOwnershipToken, parameters: {} })).accepted);
	const bare = await startCore({
		Resources: { thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: "T1" } } },
	});
	t.ok((await bare.register({})).accepted);
	for (const core of [attempted, bare]) {
		t.equal(core.registry.state.certificates.size, 1);
		core.pass(hour);
		core.provisioning.sweep();
		t.equal(core.registry.state.certificates.size, 0);
		t.equal(core.registry.state.tokens.size, 0);
	}
	t.match(attempted.events.at(-1), { event: "certificate.expired", certificateId });
});

t.test("A delayed activation outlives the process that has promised it", async (t) => {
	const core = await startCore(undefined, { certificate: { activationDelay: 5_000 } });
	t.ok((await core.register()).accepted);
	const status = () => [...core.registry.state.certificates.values()].map((certificate) => certificate.status);
	core.provisioning.sweep();
	t.same(status(), ["PENDING_ACTIVATION"]);
	// The clock alone: no timer fires.
	core.clock.now += 5_000;
	core.provisioning.sweep();
	t.same(status(), ["ACTIVE"]);
	t.equal(core.registry.state.tokens.size, 0);
});

t.test("No token brings back a certificate that the operator has revoked or deactivated", async (t) => {
	const core = await startCore(undefined, { token: { singleUse: "never" } });
	for (const newStatus of ["REVOKED", "INACTIVE"] as const) {
		const { certificateOwnershipToken, certificateId } = await core.create();
		const ask = () => core.ask("RegisterThing", { certificateOwnershipToken, parameters: { SerialNumber: "S" } });
		t.ok((await ask()).accepted);
		core.registry.certificates.updateCertificate({ certificateId, newStatus });
		t.match(await ask(), { errorCode: "InvalidCertificateOwnershipToken" });
		t.equal(core.registry.certificates.get(certificateId)?.status, newStatus);
	}
});

t.test("When a token is used up, and whose it is, are settings", async (t) => {
	const core = await startCore();
	const twice = async (singleUse: "success" | "attempt" | "never") => {
		core.settings.token.singleUse = singleUse;
		core.clock.now += 10_000;
		const { certificateOwnershipToken } = await core.create();
		const ask = (parameters: object) => core.ask("RegisterThing", { certificateOwnershipToken, parameters });
		const replies = [await ask({}), await ask({ SerialNumber: "S" }), await ask({ SerialNumber: "S" })];
		return replies.map((reply) => reply.errorCode ?? "accepted");
	};
	t.same(await twice("success"), ["InvalidParameters", "accepted", "InvalidCertificateOwnershipToken"]);
	t.same(
		await twice("attempt"),
		Array.from(["InvalidParameters"]).concat(Array(2).fill("InvalidCertificateOwnershipToken")),
	);
	t.same(await twice("never"), ["InvalidParameters", "accepted", "accepted"]);

	core.settings.token.singleUse = "success";
	for (const [bound, other] of [
		["claimCertificate", { claimCertificateId: "d".repeat(64) }],
		["clientId", { clientId: "other" }],
		["connection", { connectionId: "other" }],
	] as const) {
		core.clock.now += 10_000;
		const { certificateOwnershipToken } = await core.create();
		const payload = { certificateOwnershipToken, parameters: { SerialNumber: "S" } };
		core.settings.token.boundTo = [bound];
		t.match(await core.ask("RegisterThing", payload, other), { errorCode: "InvalidCertificateOwnershipToken" });
		core.settings.token.boundTo = [];
		t.ok((await core.ask("RegisterThing", payload, other)).accepted, `not bound to the ${bound} by default`);
	}
});

t.test("Two registrations with one token at once make one of them", async (t) => {
	const core = await startCore();
	const { certificateOwnershipToken } = await core.create();
	const replies = await Promise.all(
		["A", "B"].map((SerialNumber) =>
			core.ask("RegisterThing", { certificateOwnershipToken, parameters: { SerialNumber } }),
		),
	);
	t.same(replies.map(({ accepted }) => accepted).sort(), [false, true]);
	t.equal(core.registry.state.things.size, 1);
});

t.test("A certificate may take its time to become active", async (t) => {
	const core = await startCore(undefined, { certificate: { activationDelay: 5_000 } });
	const { certificateOwnershipToken, certificateId } = await core.create();
	t.ok((await core.ask("RegisterThing", { certificateOwnershipToken, parameters: { SerialNumber: "A" } })).accepted);
	t.equal(core.registry.certificates.get(certificateId)?.status, "PENDING_ACTIVATION");
	core.pass(5_000);
	t.equal(core.registry.certificates.get(certificateId)?.status, "ACTIVE");
});

t.test("A thing that exists: OverrideSettings", async (t) => {
	const outcome = async (override: Record<string, string> | undefined, patch: SettingsPatch = {}) => {
		const body = {
			Parameters: { SerialNumber: { Type: "String" } },
			Resources: {
				thing: {
					Type: "AWS::IoT::Thing",
					Properties: {
						ThingName: "T1",
						AttributePayload: { b: "new", c: "new" },
						ThingTypeName: "type2",
						ThingGroups: ["group2"],
						BillingGroup: "billing2",
					},
					...(override && { OverrideSettings: override }),
				},
				certificate: {
					Type: "AWS::IoT::Certificate",
					Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" } },
				},
			},
		};
		const { registry, register } = await startCore(body, patch);
		const { things, thingPrincipals, thingGroups, thingTypes, billingGroups } = registry;
		for (const number of ["1", "2"]) {
			thingTypes.createThingType({ thingTypeName: `type${number}` });
			thingGroups.createThingGroup({ thingGroupName: `group${number}` });
			billingGroups.createBillingGroup({ billingGroupName: `billing${number}` });
		}
		const attributePayload = { attributes: { a: "old", b: "old" } };
		things.createThing({ thingName: "T1", attributePayload, thingTypeName: "type1", billingGroupName: "billing1" });
		thingGroups.addThingToThingGroup({ thingName: "T1", thingGroupName: "group1" });
		const { accepted, statusCode, errorCode } = await register();
		const { attributes, thingTypeName, billingGroupName } = things.describeThing({ thingName: "T1" });
		const certificates = thingPrincipals.listThingPrincipals({ thingName: "T1" }).principals.length;
		const what = [attributes, thingTypeName, thingGroups.groupsOf("T1").sort(), billingGroupName, certificates];
		return accepted ? what : [statusCode, errorCode, ...what];
	};
	const old = { a: "old", b: "old" };
	t.same(await outcome(undefined), [old, "type1", ["group1"], "billing1", 1], "by default nothing but the certificate");
	t.same(
		await outcome(undefined, { template: { overrideDefault: "FAIL" } }),
		[409, "ResourceConflicts", old, "type1", ["group1"], "billing1", 0],
		"the default is a setting",
	);
	const all = (setting: string) => ({ AttributePayload: setting, ThingTypeName: setting, ThingGroups: setting });
	t.same(await outcome(all("DO_NOTHING")), [old, "type1", ["group1"], "billing1", 1]);
	t.same(await outcome(all("REPLACE")), [{ b: "new", c: "new" }, "type2", ["group2"], "billing1", 1]);
	t.same(await outcome({ AttributePayload: "MERGE", ThingGroups: "MERGE", BillingGroup: "REPLACE" }), [
		{ a: "old", b: "new", c: "new" },
		"type1",
		["group1", "group2"],
		"billing2",
		1,
	]);
	for (const property of ["AttributePayload", "ThingTypeName", "ThingGroups"]) {
		t.same(
			await outcome({ ...all("REPLACE"), [property]: "FAIL" }),
			[409, "ResourceConflicts", old, "type1", ["group1"], "billing1", 0],
			`${property} FAIL leaves everything as it was`,
		);
	}
});

t.test("What a template needs must exist; nothing is made by halves", async (t) => {
	const body = provisioningTemplate("missing") as { Resources: { thing: { Properties: object } } };
	const core = await startCore(body);
	t.match(await core.register(), { accepted: false, errorCode: "InvalidParameters", errorMessage: /Policy not found/ });
	t.equal(core.registry.state.things.size, 0, "the thing that came before the policy is gone again");
});

t.test("A policy document makes a policy named by its hash, once", async (t) => {
	const body = provisioningTemplate("x") as { Resources: { policy: { Properties: object } } };
	body.Resources.policy.Properties = {
		PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }] },
	};
	const core = await startCore(body);
	t.ok((await core.register({ SerialNumber: "A" })).accepted);
	t.ok((await core.register({ SerialNumber: "B" })).accepted);
	const { policies } = core.registry.policies.listPolicies();
	t.equal(policies.length, 2, "the policy 'device' of the rig and this one");
});

t.test("A template without a thing gives no thing name; DeviceConfiguration reaches the device", async (t) => {
	const core = await startCore({
		Resources: {
			certificate: {
				Type: "AWS::IoT::Certificate",
				Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "inactive" },
			},
		},
		DeviceConfiguration: { url: "https://example.com", n: 5 },
	});
	t.same(await core.register(), { accepted: true, deviceConfiguration: { url: "https://example.com", n: "5" } });
	t.match(
		core.events.find(({ event }) => event === "warning"),
		{ message: /no thing/ },
	);
	t.equal([...core.registry.state.certificates.values()][0]?.status, "INACTIVE");
});

t.test("A hook decides, and adds parameters", async (t) => {
	const inputs: HookInput[] = [];
	let answer: unknown;
	const core = await startCore(undefined, { template: { undeclaredParameters: "ignore" } }, async (target, input) => {
		t.same(target, { url: "http://hook.example/" });
		inputs.push(JSON.parse(input));
		return typeof answer === "string" ? answer : JSON.stringify(answer);
	});
	core.registry.templates.updateProvisioningTemplate({
		templateName: "T",
		preProvisioningHook: { targetArn: "http://hook.example/", payloadVersion: "2020-04-01" },
	});
	answer = { allowProvisioning: true, parameterOverrides: { SerialNumber: "overridden" } };
	t.match(await core.register({ SerialNumber: "S", Undeclared: "u" }), { accepted: true, thingName: "overridden" });
	const [input] = inputs;
	t.match(input, {
		claimCertificateId: "c".repeat(64),
		certificateId: /^[0-9a-f]{64}$/,
		certificatePem: /^certificate/,
		templateArn: core.registry.templates.arn("T"),
		clientId: "claim-1",
		parameters: { SerialNumber: "S", Undeclared: "u" },
	});
	answer = { allowProvisioning: "true" };
	t.ok((await core.register()).accepted, 'AWS\'s guide writes true and "true"');
	core.settings.hook.acceptText = false;
	const denied = { accepted: false, statusCode: 403, errorCode: "AccessDenied" };
	t.match(await core.register(), denied);
	for (const refusal of [
		{ allowProvisioning: false },
		{},
		"nonsense",
		null,
		{ allowProvisioning: true, parameterOverrides: { a: 1 } },
	]) {
		answer = refusal;
		core.pass(1_000);
		t.match(await core.register(), denied);
	}
	answer = { allowProvisioning: true };
	for (const fault of ["deny", "error"] as const) {
		core.settings.hook.fault = fault;
		t.match(await core.register(), denied);
	}
});

t.test("A hook is called over HTTP or as a command, and has its time", async (t) => {
	const server = createServer((request, response) => {
		if (request.url === "/hang") return;
		if (request.url === "/error") response.statusCode = 500;
		request.pipe(response);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	t.teardown(() => {
		server.closeAllConnections();
		server.close();
	});
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	// What answers may be as slow as a busy machine makes it; what never answers is waited for only so long.
	const settings = { ...defaultSettings().hook, timeout: 600_000 };
	const impatient = { ...settings, timeout: 200 };
	const input = { allowProvisioning: true, parameterOverrides: { echo: "é" } } as unknown as HookInput;
	const ask = (targetArn: string, commands = {}, how = settings) => askHook({ targetArn }, commands, input, how);
	t.same(await ask(`${url}/`), { allowed: true, overrides: new Map([["echo", "é"]]) });
	t.match(await ask(`${url}/error`), { allowed: false, explanation: /status 500/ });
	t.match(await ask(`${url}/hang`, {}, impatient), { allowed: false, explanation: /did not answer within 200 ms/ });
	const lambda = "arn:aws:lambda:us-east-1:123456789012:function:hook";
	t.match(await ask(lambda), { allowed: false, explanation: /hook.targets/ });
	settings.targets = { [lambda]: `${url}/` };
	t.match(await ask(lambda), { allowed: true });
	t.match(await ask(lambda, { [lambda]: "cat" }), { allowed: true });
	t.match(await ask(lambda, { [lambda]: "cat; exit 3" }), { allowed: false, explanation: /status 3/ });
	t.match(await ask(lambda, { [lambda]: "kill -KILL $$" }), {
		allowed: false,
		explanation: /it was killed by SIGKILL/,
	});
	t.match(await ask(lambda, { [lambda]: "sleep 30" }, impatient), { allowed: false, explanation: /within 200 ms/ });
	t.same(await ask(lambda, { [lambda]: "echo secret" }), {
		allowed: false,
		explanation: "The hook's answer is not JSON.",
	});
	t.match(await ask(lambda, { [lambda]: "yes" }), { allowed: false, explanation: /too long/ });
});

t.test("A command that cannot be started is a refusal, not the end of the cloud", async (t) => {
	const child = fileURLToPath(new URL("hook-child.ts", import.meta.url));
	const limited = ["-c", 'ulimit -n 100; exec "$0" --import tsx "$1"', process.execPath, child];
	const { stdout } = await promisify(execFile)("sh", limited);
	t.match(JSON.parse(stdout), { allowed: false, explanation: /EMFILE/ });
});

t.test("A certificate is attached as ThingPrincipalType says: an exclusive one to no second thing", async (t) => {
	const body = provisioningTemplate("device") as {
		Resources: { certificate: { Properties: object }; thing: { Properties: object } };
	};
	Object.assign(body.Resources.certificate.Properties, { ThingPrincipalType: "EXCLUSIVE_THING" });
	Object.assign(body.Resources.thing.Properties, { PackageVersions: { firmware: "1.2.3" } });
	const { registry, events, ...core } = await startCore(body);
	t.match(await core.register({ SerialNumber: "T1" }), { accepted: true, thingName: "T1" });
	const { thingPrincipalObjects } = registry.thingPrincipals.listThingPrincipalsV2({ thingName: "T1" });
	t.match(thingPrincipalObjects, [{ thingPrincipalType: "EXCLUSIVE_THING" }]);
	registry.things.createThing({ thingName: "T2" });
	const { principal } = thingPrincipalObjects[0]!;
	t.throws(() => registry.thingPrincipals.attachThingPrincipal({ thingName: "T2", principal }), /exclusive/);
	t.ok(
		events.some((event) => event.event === "warning" && /PackageVersions.*are not kept/.test(event.message)),
		"what this cloud cannot keep is said",
	);
});
