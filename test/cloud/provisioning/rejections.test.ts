// What provisioning refuses, and with which status and code: the table of the fact sheet, section 1.5, as data in the settings.

import { encode } from "cborg";
import t from "tap";
import { startCore } from "../core.js";

t.test("Each case is rejected with its status and code", async (t) => {
	const core = await startCore(undefined, { throttle: { RegisterThing: null } });
	const { create, ask, registry } = core;
	const rejected = async (answer: Promise<unknown>, statusCode: number, errorCode: string, message = /./) => {
		const reply = (await answer) as Record<string, unknown>;
		t.match(reply, { accepted: false, statusCode, errorCode, errorMessage: message });
		t.same(Object.keys(reply).sort(), ["accepted", "errorCode", "errorMessage", "statusCode"]);
	};
	await rejected(ask("CreateKeysAndCertificate", Buffer.from("{")), 400, "InvalidPayload");
	await rejected(ask("CreateKeysAndCertificate", []), 400, "InvalidPayload");
	await rejected(ask("RegisterThing", Buffer.from([0xff, 0xfe])), 400, "InvalidPayload");
	await rejected(ask("RegisterThing", Buffer.from("[".repeat(100_000))), 400, "InvalidPayload");
	await rejected(ask("CreateCertificateFromCsr", {}), 400, "InvalidCertificateSigningRequest");
	const empty = /Certificate ownership token cannot be empty\./;
	await rejected(ask("RegisterThing", {}), 400, "InvalidCertificateOwnershipToken", empty);
	const wrong = ask("RegisterThing", { certificateOwnershipToken: "x".repeat(440) });
	await rejected(wrong, 400, "InvalidCertificateOwnershipToken");
	await rejected(ask("RegisterThing", { certificateOwnershipToken: 7 }), 400, "InvalidCertificateOwnershipToken");

	const { certificateOwnershipToken, certificateId } = await create();
	const register = (parameters: unknown) => ask("RegisterThing", { certificateOwnershipToken, parameters });
	await rejected(register({}), 400, "InvalidParameters", /Cannot resolve reference value: SerialNumber/);
	await rejected(register({ SerialNumber: 7 }), 400, "InvalidParameters");
	await rejected(register({ SerialNumber: { a: "b" } }), 400, "InvalidParameters");
	await rejected(register("S1"), 400, "InvalidParameters");
	await rejected(register({ SerialNumber: "not a name" }), 400, "InvalidParameters");
	const elsewhere = ask("RegisterThing", { certificateOwnershipToken }, { templateName: "Other" });
	await rejected(elsewhere, 404, "ResourceNotFound");
	registry.templates.updateProvisioningTemplate({ templateName: "T", enabled: false });
	await rejected(register({ SerialNumber: "S1" }), 403, "AccessDenied");
	t.match(core.events.at(-1), {
		eventType: "ProvisionDevice",
		status: "Failure",
		explanation: /disabled.*enabled true/,
	});
	registry.templates.updateProvisioningTemplate({ templateName: "T", enabled: true });
	core.settings.template.roleBroken = true;
	await rejected(register({ SerialNumber: "S1" }), 403, "AccessDenied");
	core.settings.template.roleBroken = false;

	t.equal(registry.state.things.size, 0, "and nothing of it has been made");
	t.equal(registry.certificates.get(certificateId)?.status, "PENDING_ACTIVATION");
	t.match(await register({ SerialNumber: "S1" }), { accepted: true, thingName: "S1" }, "the token is still good");
	await rejected(register({ SerialNumber: "S1" }), 400, "InvalidCertificateOwnershipToken");
	t.match(
		core.metrics.list().find(({ name }) => name === "RegisterThingFailed"),
		{ dimensions: { ClaimCertificateId: "c".repeat(64), TemplateName: "T" } },
	);
	t.match(
		core.metrics.list().find(({ name }) => name === "ApproximateNumberOfThingsRegistered"),
		{ value: 1 },
	);
});

t.test("What the table says is what is sent", async (t) => {
	const core = await startCore(undefined, {
		errors: { invalidToken: { statusCode: 418, errorCode: "Teapot", errorMessage: "short and stout" } },
	});
	t.same(await core.ask("RegisterThing", {}), {
		accepted: false,
		statusCode: 418,
		errorCode: "Teapot",
		errorMessage: "short and stout",
	});
});

t.test("A rejection in CBOR is the test vector of the fact sheet", async (t) => {
	const core = await startCore(undefined, {
		errors: { invalidToken: { statusCode: 400, errorCode: "InvalidParameters", errorMessage: "x" } },
	});
	const { payload, accepted } = await core.provisioning.handle({
		operation: "RegisterThing",
		encoding: "cbor",
		templateName: "T",
		payload: encode({}),
		claimCertificateId: "c",
		clientId: "c",
		connectionId: "c",
	});
	t.notOk(accepted);
	t.equal(
		Buffer.from(payload).toString("hex").toUpperCase(),
		"A36A737461747573436F6465190190696572726F72436F646571496E76616C6964506172616D65746572736C6572726F724D6573736167656178",
	);
});

t.test("More registrations than the quota allows are throttled, and the bucket fills again", async (t) => {
	const core = await startCore();
	const tokens = await Promise.all(Array.from({ length: 25 }, () => core.create()));
	const burst = async () => {
		const replies = [];
		for (const { certificateOwnershipToken } of tokens.splice(0, 12)) {
			replies.push(
				await core.ask("RegisterThing", {
					certificateOwnershipToken,
					parameters: { SerialNumber: `S${tokens.length}` },
				}),
			);
		}
		return replies.map((reply) => (reply.accepted ? "accepted" : `${reply.statusCode} ${reply.errorCode}`));
	};
	t.same(await burst(), [...Array(10).fill("accepted"), "429 Throttled", "429 Throttled"]);
	core.pass(1_000);
	t.same(await burst(), [...Array(10).fill("accepted"), "429 Throttled", "429 Throttled"]);
});

t.test("What is not established of AWS is a setting", async (t) => {
	const core = await startCore(undefined, { throttle: { RegisterThing: null } });
	const { settings, register } = core;
	const parameters = { SerialNumber: "S", Undeclared: "u" };
	t.ok((await register(parameters)).accepted);
	settings.template.undeclaredParameters = "reject";
	t.match(await register(parameters), { errorCode: "InvalidParameters", errorMessage: /Undeclared/ });
	settings.template.nonTextParameters = "stringify";
	t.match(await register({ SerialNumber: 7 }), { accepted: true, thingName: "7" });
	t.match(await register({ SerialNumber: null }), { errorCode: "InvalidParameters" });
	settings.certificate.nonObjectPayload = "ignore";
	t.ok((await core.ask("CreateKeysAndCertificate", [])).accepted);
	settings.token.length = 1_000;
	t.equal((await core.create()).certificateOwnershipToken.length, 1_000);
	settings.token.lifetime = 5;
	const { certificateOwnershipToken } = await core.create();
	core.pass(5);
	t.match(await core.ask("RegisterThing", { certificateOwnershipToken }), {
		errorCode: "InvalidCertificateOwnershipToken",
	});
});

t.test("An operation that fails within is a 500 and no hang", async (t) => {
	const core = await startCore();
	await core.registry.state.close();
	t.match(await core.ask("CreateKeysAndCertificate", undefined), { accepted: false, statusCode: 500 });
});
