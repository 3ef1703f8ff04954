// The device program on the Node host against the local cloud, over real TLS, real MQTT and real policies.

import { createPrivateKey, X509Certificate } from "node:crypto";
import t from "tap";
import type { CloudEvent } from "../../hosts/cloud/base/events.js";
import { claimPolicy } from "../../hosts/cloud/base/samples.js";
import { changeSettings, type ReplyFault } from "../../hosts/cloud/base/settings.js";
import type { Cloud } from "../../hosts/cloud/cloud.js";
import { SimulatedDevice, type SimulatedDeviceOptions } from "../../hosts/node/device.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { Configuration } from "../../src/contract/configuration.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import { eventually, startRig, templateName } from "../cloud/rig.js";
import { issueCertificate, newKey } from "../support/credentials.js";
import { sample } from "../support/sample.js";
import { hello } from "../support/world.js";

const certificateDer = (pem: string) => new Uint8Array(new X509Certificate(pem).raw);
const keyDer = (pem: string) => new Uint8Array(createPrivateKey(pem).export({ type: "pkcs8", format: "der" }));

const rig = await startRig();
t.teardown(() => rig.cloud.close());

interface Outcome {
	readonly events: readonly DeviceEvent[];
	readonly failures: readonly { code: string; detail?: string }[];
	readonly flash: MemoryFlash;
}

let serial = 0;

/** Boots a device with empty flash until it has been proved, or has failed once with a code that is not one of `mayFail`. */
async function bootDevice(
	cloud: Cloud,
	configuration: Partial<Configuration> = {},
	options: Partial<SimulatedDeviceOptions> = {},
	mayFail: readonly string[] = [],
): Promise<Outcome & { serialNumber: string }> {
	serial += 1;
	const serialNumber = `tls-${serial}`;
	const flash = new MemoryFlash();
	const events: DeviceEvent[] = [];
	await new Promise<void>((resolve) => {
		const device = new SimulatedDevice({
			configuration: {
				endpoint: "127.0.0.1",
				port: cloud.port,
				serverName: cloud.endpoint,
				template: templateName,
				keyPair: "keys",
				...configuration,
			},
			device: { serialNumber, firmwareVersion: "1.0.0" },
			claim: { certificate: certificateDer(rig.claim.certificatePem), key: keyDer(rig.claim.privateKeyPem) },
			roots: [certificateDer(cloud.rootCertificate)],
			storage: flash,
			application: hello,
			bootTime: 0,
			...options,
			onEvent: (event) => {
				events.push(event);
				if (event.event !== "failure" && event.event !== "proved") return;
				if (event.event === "failure" && mayFail.includes(event.failure.code)) return;
				// What is proved says hello.
				const topic = `devices/${serialNumber}/hello`;
				const heard = () =>
					rig.events.some((event) => event.event === "published" && event.topic === topic) || undefined;
				(event.event === "proved" ? eventually(heard) : Promise.resolve()).then(() => {
					device.powerOff();
					resolve();
				});
			},
			onHalt: resolve,
		});
		device.powerOn();
	});
	const failures = events.flatMap((event) => (event.event === "failure" ? [event.failure] : []));
	return { events, failures, flash, serialNumber };
}

const since = (from: number): readonly CloudEvent[] => rig.events.slice(from);

for (const keyPair of ["keys", "csr"] as const)
	for (const encoding of ["cbor", "json"] as const)
		t.test(
			`given an empty flash, then it is provisioned by ${keyPair} in ${encoding} in three round trips`,
			async (test) => {
				const from = rig.events.length;
				const { events, failures, serialNumber } = await bootDevice(rig.cloud, { keyPair, encoding });
				test.same(failures, []);
				const proved = events.find((event) => event.event === "proved");
				if (proved?.event !== "proved") return test.fail("not proved");
				test.equal(proved.thingName, serialNumber);
				test.equal(rig.cloud.registry.certificates.get(proved.certificateId)?.status, "ACTIVE");
				test.same(
					rig.cloud.registry.state.thingPrincipals.by("thingName", serialNumber).map(({ principal }) => principal),
					[rig.cloud.registry.arn("cert", proved.certificateId)],
				);
				// Between CONNACK and DISCONNECT under the claim: what was asked, each waiting for the answer before.
				const asked = events.filter(({ event }) => event === "subscribed" || event === "request");
				test.equal(asked.length, 3);
				test.same(
					since(from).filter(({ event }) => event === "denied" || event === "refused"),
					[],
				);
				test.ok(
					since(from).some((event) => event.event === "published" && event.topic === `devices/${serialNumber}/hello`),
					"the first message came",
				);
			},
		);

for (const keyPair of ["keys", "csr"] as const)
	t.test(
		`given two flights, by ${keyPair}, then the request is on its way before CONNACK, and one connection suffices`,
		async (test) => {
			// Longer than the packets of a flight are apart, so that they are ahead of it on any machine.
			changeSettings(rig.cloud.settings, { connection: { connackDelay: 500 } });
			const from = rig.events.length;
			const { events, failures } = await bootDevice(rig.cloud, { keyPair, pipeline: "connect" });
			test.same(failures, []);
			const order = events
				.map(({ event }) => event)
				.filter((event) => /^(connect|subscribed|request|reply)/.test(event));
			test.same(order.slice(0, 7), [
				...["connecting", "request", "connected", "subscribed", "reply"],
				...["request", "reply"],
			]);
			const connected = since(from).filter(
				(event) => event.event === "connected" && event.clientId.startsWith("claim-"),
			);
			test.equal(connected.length, 1);
			changeSettings(rig.cloud.settings, { connection: { connackDelay: 0 } });
		},
	);

for (const keyPair of ["keys", "csr"] as const)
	t.test(
		`given two flights, by ${keyPair}, when the broker hangs up on packets ahead of CONNACK, then the next attempt waits, and one certificate is issued`,
		async (test) => {
			const { connection } = rig.cloud.settings;
			changeSettings(rig.cloud.settings, { connection: { connackDelay: 500, aheadOfConnack: "close" } });
			const from = rig.events.length;
			const { events, failures } = await bootDevice(rig.cloud, { keyPair, pipeline: "connect" }, {}, [
				"CREATE_HUNG_UP",
			]);
			test.same(
				failures.map(({ code }) => code),
				["CREATE_HUNG_UP"],
			);
			test.ok(
				since(from).some((event) => event.event === "violation" && event.explanation.includes("aheadOfConnack")),
				"the cloud says why",
			);
			test.equal(
				since(from).filter((event) => event.event === "provisioning" && event.operation.startsWith("Create")).length,
				1,
			);
			test.ok(events.some(({ event }) => event === "proved"));
			changeSettings(rig.cloud.settings, { connection: { connackDelay: 0, aheadOfConnack: "wait" } });
			test.equal(connection.aheadOfConnack, "wait");
		},
	);

t.test("given pipelining, when a subscription is refused, then the failure is the subscription's", async (test) => {
	changeSettings(rig.cloud.settings, { connection: { subscribeDenied: "suback" } });
	const { failures, events } = await bootDevice(rig.cloud, { pipeline: "subscribe", template: "not-in-the-policy" });
	test.equal(failures[0]?.code, "SUBSCRIBE_REFUSED");
	test.ok(
		events.some(({ event }) => event === "request"),
		"the request had gone out",
	);
	changeSettings(rig.cloud.settings, { connection: { subscribeDenied: "close" } });
});

t.test("given a claim with an EC key, then the broker takes it, and the device is provisioned", async (test) => {
	for (const kind of ["P-256", "P-384"] as const) {
		const { certificatePem, credentials } = await issueCertificate(newKey(kind));
		const { certificateArn } = rig.cloud.registry.certificates.registerCertificateWithoutCA({
			certificatePem,
			status: "ACTIVE",
		});
		rig.cloud.registry.policies.attachPolicy({ policyName: "claim", target: certificateArn });
		test.same((await bootDevice(rig.cloud, {}, { claim: credentials })).failures, [], kind);
	}
});

const REJECTIONS: readonly [ReplyFault["operation"], number, string, string][] = [
	["CreateKeysAndCertificate", 400, "InvalidPayload", "CREATE_INVALID"],
	["CreateKeysAndCertificate", 403, "AccessDenied", "CREATE_DENIED"],
	["CreateKeysAndCertificate", 429, "Throttled", "CREATE_THROTTLED"],
	["CreateKeysAndCertificate", 500, "InternalFailure", "CREATE_FAULT"],
	["CreateCertificateFromCsr", 400, "InvalidCertificateSigningRequest", "CREATE_INVALID"],
	["RegisterThing", 400, "InvalidCertificateOwnershipToken", "TOKEN_REFUSED"],
	["RegisterThing", 400, "InvalidParameters", "REGISTER_INVALID"],
	["RegisterThing", 400, "InvalidPayload", "REGISTER_INVALID"],
	["RegisterThing", 403, "AccessDenied", "REGISTER_DENIED"],
	["RegisterThing", 404, "ResourceNotFound", "TEMPLATE_UNKNOWN"],
	["RegisterThing", 409, "ResourceConflicts", "RESOURCE_CONFLICT"],
	["RegisterThing", 429, "Throttled", "REGISTER_THROTTLED"],
	["RegisterThing", 500, "InternalFailure", "REGISTER_FAULT"],
];

t.test(
	"given each rejection that AWS documents or was seen to send, then the failure is its own, with what AWS said",
	async (test) => {
		const cases = REJECTIONS.flatMap((rejection) =>
			(["cbor", "json"] as const).map((encoding) => [...rejection, encoding] as const),
		);
		for (const [operation, statusCode, errorCode, code, encoding] of sample(test, cases, 3)) {
			const rejection = { statusCode, errorCode, errorMessage: "as a test has it" };
			changeSettings(rig.cloud.settings, { faults: [{ operation, times: 1, action: "reject", rejection }] });
			const keyPair = operation === "CreateCertificateFromCsr" ? "csr" : "keys";
			const { failures, events } = await bootDevice(rig.cloud, { encoding, keyPair });
			test.match(failures[0], { code, rejection }, `${operation} ${statusCode} ${errorCode} in ${encoding}`);
			// What was stored, if anything, is not called an identity.
			test.notOk(events.some((event) => event.event === "stored" && event.state === "registered"));
		}
		changeSettings(rig.cloud.settings, { faults: [] });
	},
);

t.test(
	"given the claim policy with any one grant taken out, then provisioning fails and the cloud says why",
	async (test) => {
		const { registry } = rig.cloud;
		const whole = claimPolicy(rig.account, templateName, { creation: ["create"] });
		// A statement with several resources is as many grants.
		const grants = whole.Statement.flatMap(({ Action, Resource, ...rest }) =>
			[Action]
				.flat()
				.flatMap((action) => [Resource].flat().map((resource) => ({ ...rest, Action: action, Resource: resource }))),
		);
		test.equal(grants.length, 7);
		const use = (statements: readonly object[], version: number): void => {
			registry.policies.createPolicyVersion({
				policyName: "claim",
				policyDocument: JSON.stringify({ Version: "2012-10-17", Statement: statements }),
				setAsDefault: true,
			});
			registry.policies.deletePolicyVersion({ policyName: "claim", policyVersionId: String(version) });
		};
		use(grants, 1);
		test.same((await bootDevice(rig.cloud)).failures, [], "with all of them it works");
		// Without iot:Receive a device waits for its reply until it gives up.
		const tried = sample(test, grants, grants.length, ({ Action }) => Action !== "iot:Receive");
		for (const [i, missing] of tried.entries()) {
			use(
				grants.filter((grant) => grant !== missing),
				i + 2,
			);
			const from = rig.events.length;
			const { failures } = await bootDevice(rig.cloud);
			const name = `without ${missing.Action} on ${String(missing.Resource).replace(/^.*?:\d+:/, "")}`;
			test.equal(failures.length, 1, `${name}: ${failures[0]?.code}`);
			const denied = since(from).find((event) => event.event === "denied");
			if (denied?.event !== "denied") {
				test.fail(`${name}: the cloud says nothing`);
				continue;
			}
			test.equal(denied.action, missing.Action, denied.explanation);
			test.match(denied.explanation, missing.Action);
		}
	},
);

t.test("given a server that is not to be trusted, then the failure says why", async (test) => {
	const stranger = await startRig({ authority: { identities: [] } });
	const cases: [string, Partial<Configuration>, Partial<SimulatedDeviceOptions>][] = [
		["SERVER_UNTRUSTED", {}, { roots: [certificateDer(stranger.cloud.rootCertificate)] }],
		["SERVER_UNTRUSTED", { serverName: "another.example" }, {}],
		["SERVER_DATES", {}, { clock: Date.UTC(2010, 0, 1) }],
		["SERVER_DATES", {}, { clock: Date.UTC(2095, 0, 1) }],
		["HOST_UNREACHABLE", { port: 1 }, {}],
	];
	for (const [code, configuration, options] of cases) {
		const { failures } = await bootDevice(rig.cloud, configuration, options);
		test.equal(failures[0]?.code, code, failures[0]?.detail ?? code);
	}
	const unknown = await bootDevice(stranger.cloud);
	test.equal(unknown.failures[0]?.code, "CLAIM_REFUSED", "a claim that another account issued");
	await stranger.cloud.close();
});
