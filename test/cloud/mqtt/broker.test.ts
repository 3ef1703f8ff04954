// What the broker does as AWS does it: who may connect, what is refused and how, limits, reserved topics, delivery.

import { execFile } from "node:child_process";
import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import t from "tap";
import { claimPolicy } from "../../../hosts/cloud/base/samples.js";
import { makeRequest } from "../csr.js";
import {
	closed,
	connect,
	eventually,
	everything,
	exchange,
	identity,
	last,
	newCertificate,
	type PemCredentials,
	secure,
	startRig,
	subscribeToReplies,
	templateName,
	topics,
} from "../rig.js";

/** Everything that comes until the end. */
async function received(socket: TLSSocket): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of socket) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString("hex");
}

/** A CONNECT with this protocol level. */
const connectPacket = (level: number, clientId = "raw") => {
	const id = Buffer.from(clientId);
	const head = [0, 4, 0x4d, 0x51, 0x54, 0x54, level, 2, 0, 60, 0, id.length];
	return Buffer.from([0x10, head.length + id.length, ...head, ...id]);
};

t.test("Who may connect", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { registry } = rig.cloud;
	const owner = await identity(rig, "all", everything);
	const reasonOf = async (attempt: Promise<unknown>) => {
		const before = rig.events.length;
		await t.rejects(attempt);
		const refused = await eventually(() =>
			rig.events.slice(before).find(({ event }) => event === "refused" || event === "denied"),
		);
		return refused.event === "refused" ? refused.reason : refused.event;
	};

	await t.test("a certificate that is ACTIVE", async () => {
		const client = await connect(rig, owner, "a");
		await client.endAsync();
		const ended = await eventually(() =>
			rig.events.find((event) => event.event === "disconnected" && event.clientId === "a"),
		);
		t.match(ended, { disconnectReason: "CLIENT_INITIATED_DISCONNECT", principal: owner.certificateId });
	});
	await t.test("on the second port with ALPN x-amzn-mqtt-ca, and not without", async (t) => {
		const alpn = { port: rig.cloud.alpnPort, ALPNProtocols: ["x-amzn-mqtt-ca"] };
		await (await connect(rig, owner, "b", alpn)).endAsync();
		t.equal(await reasonOf(connect(rig, owner, "c", { port: rig.cloud.alpnPort })), "no ALPN");
	});
	await t.test("not without a server name, unless the setting says so", async (t) => {
		t.equal(await reasonOf(connect(rig, owner, "d", { servername: "" } as object)), "no server name");
		rig.cloud.changeSettings({ connection: { requireServerName: false } });
		await (await connect(rig, owner, "d", { servername: "" } as object)).endAsync();
		rig.cloud.changeSettings({ connection: { requireServerName: true } });
	});
	await t.test("not without a certificate, not with a stranger's, not with one that is not ACTIVE", async (t) => {
		const socket = await secure(rig, {});
		t.equal(await received(socket), "");
		t.match(rig.events.at(-1), { event: "refused", reason: "no certificate" });
		const stranger = await startRig({ authority: { identities: [] } });
		t.teardown(() => stranger.cloud.close());
		t.equal(await reasonOf(connect(rig, stranger.claim, "e")), "unknown certificate");
		for (const status of ["INACTIVE", "REVOKED", "PENDING_ACTIVATION"] as const) {
			registry.certificates.setStatus(rig.claimId, status);
			t.equal(await reasonOf(connect(rig, rig.claim, "f")), `certificate ${status}`);
		}
		registry.certificates.setStatus(rig.claimId, "ACTIVE");
	});
	await t.test("not when policies refuse: no CONNACK, or one with a code by setting", async (t) => {
		const nobody = await identity(rig, "connect-x-only", {
			Version: "2012-10-17",
			Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: registry.arn("client", "x") }],
		});
		t.equal(await reasonOf(connect(rig, nobody, "y")), "denied");
		t.match(last(rig, "denied"), {
			action: "iot:Connect",
			resource: registry.arn("client", "y"),
			principal: nobody.certificateId,
			explanation: /allows iot:Connect, but not on/,
		});
		for (const [setting, bytes] of [
			["close", ""],
			[5, "20020005"],
			[7, "20020007"],
		] as const) {
			rig.cloud.changeSettings({ connection: { connectDenied: setting } });
			const socket = await secure(rig, nobody);
			socket.write(connectPacket(4));
			t.equal(await received(socket), bytes);
		}
	});
	await t.test("not as anybody whose client id begins with $ or is longer than 128 bytes", async (t) => {
		await t.rejects(connect(rig, owner, "$a"));
		await t.rejects(connect(rig, owner, "x".repeat(129)));
		await (await connect(rig, owner, "x".repeat(128))).endAsync();
	});
	await t.test("not with MQTT 3.1 (CONNACK 1) or a version after 5 (CONNACK 0x84)", async (t) => {
		const old = await secure(rig, owner);
		old.write(connectPacket(3));
		t.equal(await received(old), "20020001");
		t.match(last(rig, "violation"), { explanation: /set the client's protocol version to 4 or 5/ });
		const future = await secure(rig, owner);
		future.write(connectPacket(6));
		t.equal(await received(future), "2003008400");
	});
	await t.test("not more often than once a second with one client id, when the setting says so", async (t) => {
		rig.cloud.changeSettings({ connection: { connectsPerClientId: 1 } });
		await (await connect(rig, owner, "often")).endAsync();
		t.equal(await reasonOf(connect(rig, owner, "often")), "connect rate");
		rig.cloud.changeSettings({ connection: { connectsPerClientId: 0 } });
	});
});

t.test("With OpenSSL's client, TLS 1.2 and 1.3 are spoken, older versions are not", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const speak = async (...version: string[]) => {
		const address = `${rig.cloud.host}:${rig.cloud.port}`;
		const client = promisify(execFile)("openssl", [
			"s_client",
			"-connect",
			address,
			"-servername",
			"localhost",
			...version,
		]);
		client.child.stdin?.end();
		const { stdout } = await client.catch((error: { stdout: string }) => error);
		if (/Cipher is \(NONE\)/.test(stdout)) return undefined;
		return /Protocol *: *(\S+)|New, (\S+), Cipher is/.exec(stdout)?.slice(1).find(Boolean);
	};
	t.equal(await speak("-tls1_2"), "TLSv1.2");
	t.equal(await speak("-tls1_3"), "TLSv1.3");
	t.not(await speak("-tls1_1"), "TLSv1.1");
});

t.test("What is refused ends the connection", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { registry } = rig.cloud;
	const device = await identity(rig, "narrow", {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: "iot:Connect", Resource: "*" },
			{ Effect: "Allow", Action: "iot:Publish", Resource: registry.arn("topic", "out/*") },
			{ Effect: "Allow", Action: "iot:Subscribe", Resource: registry.arn("topicfilter", "*") },
			{ Effect: "Allow", Action: "iot:Receive", Resource: registry.arn("topic", "out/open") },
		],
	});
	await t.test("a publish, at QoS 0 and 1", async (t) => {
		for (const qos of [0, 1] as const) {
			const client = await connect(rig, device, `p${qos}`);
			client.publish("in", "x", { qos });
			await closed(client);
			const ended = await eventually(() =>
				rig.events.find((event) => event.event === "disconnected" && event.clientId === `p${qos}`),
			);
			t.match(ended, { disconnectReason: "AUTH_ERROR" });
		}
	});
	await t.test("RETAIN needs iot:RetainPublish as well", async (t) => {
		const client = await connect(rig, device, "r");
		client.publish("out/x", "x", { retain: true });
		await closed(client);
		t.match(last(rig, "denied"), { action: "iot:RetainPublish" });
	});
	await t.test("a subscription, or it is answered with 0x80 by setting", async (t) => {
		const claim = await connect(rig, rig.claim, "s");
		claim.subscribe("other");
		await closed(claim);
		rig.cloud.changeSettings({ connection: { subscribeDenied: "suback" } });
		const again = await connect(rig, rig.claim, "s2");
		const granted = await again.subscribeAsync("other").catch((error: Error) => error);
		t.match(String(granted), /128|Unspecified|error/i);
		t.ok(again.connected);
		await again.endAsync();
		rig.cloud.changeSettings({ connection: { subscribeDenied: "close" } });
	});
	await t.test("but not a delivery, which is left out", async (t) => {
		const client = await connect(rig, device, "d");
		await client.subscribeAsync("out/#", { qos: 1 });
		const seen: string[] = [];
		client.on("message", (topic) => seen.push(topic));
		await client.publishAsync("out/secret", "x", { qos: 1 });
		await client.publishAsync("out/open", "x", { qos: 1 });
		await eventually(() => (seen.length > 0 ? true : undefined));
		t.same(seen, ["out/open"]);
		t.ok(client.connected);
		t.match(last(rig, "denied"), { action: "iot:Receive", resource: registry.arn("topic", "out/secret") });
		await client.endAsync();
	});
});

t.test("Each statement of the claim policy is needed, and its absence is explained", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const whole = claimPolicy(rig.account, templateName, { creation: ["create"] });
	const flow = async (credentials: PemCredentials, clientId: string) => {
		const client = await connect(rig, credentials, clientId);
		await subscribeToReplies(client, topics.create("json"), topics.register("json"));
		const { payload } = await exchange(client, topics.create("json"), "{}");
		const { certificateOwnershipToken } = JSON.parse(payload.toString());
		const parameters = { SerialNumber: clientId };
		await exchange(client, topics.register("json"), JSON.stringify({ certificateOwnershipToken, parameters }));
		await client.endAsync();
	};
	await flow(await identity(rig, "whole", whole), "whole");
	for (const [index, { Sid = "" }] of whole.Statement.entries()) {
		const Statement = whole.Statement.filter((_, other) => other !== index);
		const credentials = await identity(rig, `without-${Sid}`, { ...whole, Statement });
		await t.rejects(flow(credentials, `without-${Sid}`));
		const denied = rig.events.find((event) => event.event === "denied" && event.clientId === `without-${Sid}`);
		t.match(denied, { explanation: /add one with Resource|No statement of the policy/ });
	}
});

t.test("Limits", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything);
	let number = 0;
	const client = (more: object = {}) => connect(rig, owner, `limit-${++number}`, more);
	const violation = () => last(rig, "violation");

	await t.test("8 filters in a SUBSCRIBE, 50 subscriptions on a connection", async (t) => {
		const many = await client();
		const filters = (from: number, count: number) => Array.from({ length: count }, (_, index) => `f/${from + index}`);
		for (let from = 0; from < 48; from += 8) await many.subscribeAsync(filters(from, 8));
		await many.subscribeAsync(filters(48, 2));
		t.ok(many.connected);
		many.subscribe("f/50");
		await closed(many);
		t.match(violation(), { explanation: /at most 50 subscriptions/ });
		const hasty = await client({ clean: false });
		for (let from = 0; from < 56; from += 8) hasty.subscribe(filters(from, 8));
		await closed(hasty);
		t.match(violation(), { explanation: /at most 50 subscriptions/ }, "answered or not");
		const nine = await client();
		nine.subscribe(filters(0, 9));
		await closed(nine);
		t.match(violation(), { explanation: /at most 8 filters, this one has 9/ });
	});
	await t.test("128 KB of payload, 256 bytes and 7 slashes of topic", async (t) => {
		const good = await client();
		await good.publishAsync("p", Buffer.alloc(128 * 1024), { qos: 1 });
		await good.publishAsync("1/2/3/4/5/6/7/8", "x", { qos: 1 });
		await good.publishAsync("t".repeat(256), "x", { qos: 1 });
		t.ok(good.connected);
		good.publish("p", Buffer.alloc(128 * 1024 + 1));
		await closed(good);
		for (const topic of ["1/2/3/4/5/6/7/8/9", "t".repeat(257)]) {
			const bad = await client();
			bad.publish(topic, "x");
			await closed(bad);
		}
	});
	await t.test("keep-alive from 30 to 1200 seconds", async (t) => {
		for (const [asked, held] of [
			[1, 30],
			[60, 60],
			[0, 1200],
			[65535, 1200],
		] as const) {
			const alive = await client({ keepalive: asked });
			t.match(last(rig, "connected"), { keepAlive: held });
			await alive.endAsync();
		}
	});
	await t.test("QoS 2 is not answered", async (t) => {
		const two = await client();
		two.publish("two", "x", { qos: 2 });
		two.subscribe("two", { qos: 2 });
		await eventually(() => {
			const noted = rig.events.filter((event) => event.event === "violation" && /QoS 2/.test(event.explanation));
			return noted.length === 2 ? true : undefined;
		});
		await two.publishAsync("one", "x", { qos: 1 });
		t.ok(two.connected);
		await two.endAsync(true);
	});
	await t.test("the same of a will, which has no wildcards and no QoS 2", async (t) => {
		const good = { topic: "w", payload: Buffer.from("x"), qos: 1, retain: false } as const;
		await (await client({ will: good })).endAsync();
		for (const bad of [
			{ topic: "1/2/3/4/5/6/7/8/9" },
			{ topic: "t".repeat(257) },
			{ topic: "a/+" },
			{ topic: "#" },
			{ qos: 2 },
			{ topic: "$aws/x" },
		]) {
			await t.rejects(client({ will: { ...good, ...bad } }));
		}
	});
	await t.test("RETAIN on reserved topics, and reserved topics of nobody", async (t) => {
		for (const [topic, options] of [
			[topics.create("json"), { retain: true }],
			["$SYS/x", {}],
		] as const) {
			const bad = await client();
			bad.publish(topic, "", options);
			await closed(bad);
		}
		t.match(violation(), { explanation: /reserved topic \$SYS\/x/ });
	});
	await t.test("a second CONNECT, and the newcomer with a client id wins", async (t) => {
		const socket = await secure(rig, owner);
		socket.write(Buffer.concat([connectPacket(4, "twice"), connectPacket(4, "twice")]));
		await received(socket);
		t.match(violation(), { explanation: /second CONNECT/ });
		const older = await connect(rig, owner, "same");
		const newer = await connect(rig, owner, "same");
		await closed(older);
		t.ok(newer.connected);
		const ended = await eventually(() =>
			rig.events.find((event) => event.event === "disconnected" && event.clientId === "same"),
		);
		t.match(ended, { disconnectReason: "DUPLICATE_CLIENTID" });
		await newer.endAsync();
	});
	await t.test("sensor/# does not match sensor; retained messages go to exact filters only", async (t) => {
		const reader = await client();
		const seen: string[] = [];
		reader.on("message", (topic) => seen.push(topic));
		await reader.publishAsync("kept/1", "x", { qos: 1, retain: true });
		await reader.subscribeAsync(["sensor/#", "end"]);
		await reader.subscribeAsync("kept/+");
		await reader.publishAsync("sensor", "x");
		await reader.publishAsync("sensor/1", "x");
		await reader.publishAsync("end", "x");
		await eventually(() => (seen.includes("end") ? true : undefined));
		t.same(seen, ["sensor/1", "end"]);
		await reader.subscribeAsync("kept/1");
		await eventually(() => (seen.includes("kept/1") ? true : undefined));
		await reader.endAsync();
	});
});

t.test("A certificate that is deactivated, revoked or deleted loses its connections at once", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { registry } = rig.cloud;
	for (const end of [
		(certificateId: string) => registry.certificates.updateCertificate({ certificateId, newStatus: "INACTIVE" }),
		(certificateId: string) => registry.certificates.updateCertificate({ certificateId, newStatus: "REVOKED" }),
		(certificateId: string) => registry.certificates.remove(certificateId),
	]) {
		const made = await newCertificate(registry);
		registry.policies.attachPolicy({ policyName: "claim", target: made.certificateArn });
		const client = await connect(rig, made, made.certificateId);
		const other = await connect(rig, rig.claim, "other");
		end(made.certificateId);
		await closed(client);
		t.ok(other.connected);
		await other.endAsync();
	}
});

t.test("Policies of a thing's groups and their parents count", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { registry } = rig.cloud;
	const made = await identity(
		rig,
		"connect",
		{ ...everything, Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }] },
		["g1"],
	);
	registry.policies.createPolicy({ policyName: "everything", policyDocument: JSON.stringify(everything) });
	registry.thingGroups.createThingGroup({ thingGroupName: "parent" });
	registry.thingGroups.createThingGroup({ thingGroupName: "child", parentGroupName: "parent" });
	registry.policies.attachPolicy({ policyName: "everything", target: registry.thingGroups.arn("parent") });
	const refused = await connect(rig, made, "g1");
	refused.publish("a", "x");
	await closed(refused);
	registry.thingGroups.addThingToThingGroup({ thingName: "g1", thingGroupName: "child" });
	const allowed = await connect(rig, made, "g1");
	await allowed.publishAsync("a", "x", { qos: 1 });
	await allowed.endAsync();
	t.pass("published with the policy of the parent group");
});

t.test("Persistent sessions and wills need a grant of their own, when the setting says so", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const plain = await identity(rig, "plain", everything);
	const granted = await identity(rig, "granted", {
		...everything,
		Statement: [
			{
				...everything.Statement[0],
				Condition: { "ForAllValues:StringEquals": { "iot:ConnectAttributes": ["PersistentConnect", "LastWill"] } },
			},
		],
	});
	const will = { topic: "gone", payload: Buffer.from("x"), qos: 0, retain: false } as const;
	await (await connect(rig, plain, "a", { clean: false })).endAsync();
	rig.cloud.changeSettings({ connection: { connectAttributesNeedGrant: true } });
	await t.rejects(connect(rig, plain, "a", { clean: false }));
	await t.rejects(connect(rig, plain, "a", { will }));
	await (await connect(rig, plain, "a")).endAsync();
	await (await connect(rig, granted, "a", { clean: false, will })).endAsync();
	rig.cloud.changeSettings({ connection: { connectAttributesNeedGrant: false } });

	const listener = await connect(rig, granted, "listener");
	const heard: string[] = [];
	listener.on("message", (topic) => heard.push(topic));
	await listener.subscribeAsync("gone");
	const leaving = await connect(rig, granted, "leaving", { will });
	(leaving.stream as unknown as TLSSocket).destroy();
	await eventually(() => (heard.length > 0 ? true : undefined));
	t.same(heard, ["gone"], "a will is published when its client is lost");
	await t.rejects(connect(rig, granted, "a", { will: { ...will, topic: topics.create("json") } }));
	await listener.endAsync();
});

t.test("A change of policies takes as long as the setting says", async (t) => {
	let now = Date.now();
	const rig = await startRig({ now: () => now, settings: { policy: { propagationDelay: 60_000 } } });
	t.teardown(() => rig.cloud.close());
	await t.rejects(connect(rig, rig.claim, "early"));
	now += 60_000;
	await (await connect(rig, rig.claim, "late")).endAsync();
	rig.cloud.registry.policies.detachPolicy({ policyName: "claim", target: rig.claimArn });
	await (await connect(rig, rig.claim, "still")).endAsync();
	now += 60_000;
	await t.rejects(connect(rig, rig.claim, "no-more"));
	rig.cloud.registry.policies.attachPolicy({ policyName: "claim", target: rig.claimArn });
	rig.cloud.registry.policies.detachPolicy({ policyName: "claim", target: rig.claimArn });
	await t.rejects(connect(rig, rig.claim, "attached for a moment"));
});

t.test("Policies see a certificate's names as they are, not as they are escaped", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { certificates, policies } = rig.cloud.registry;
	const { csr: certificateSigningRequest, privateKeyPem } = makeRequest(
		'Café "1"/O=Acme, Inc.',
		"-newkey",
		"rsa:2048",
		"-utf8",
	);
	const made = await certificates.createCertificateFromCsr({ certificateSigningRequest, setAsActive: true });
	const allow = {
		...everything.Statement[0],
		Condition: { StringEquals: { "iot:Certificate.Subject.CommonName": 'Café "1"' } },
	};
	const deny = {
		...{ Effect: "Deny", Action: "iot:Publish", Resource: "*" },
		Condition: { StringEquals: { "iot:Certificate.Subject.Organization": "Acme, Inc." } },
	};
	const policyDocument = JSON.stringify({ ...everything, Statement: [allow, deny] });
	policies.createPolicy({ policyName: "named", policyDocument });
	policies.attachPolicy({ policyName: "named", target: made.certificateArn });
	const client = await connect(rig, { ...made, privateKeyPem }, "named");
	client.publish("a", "x");
	await closed(client);
	t.match(last(rig, "denied"), { action: "iot:Publish", statement: { index: 1 } });
});

t.test("A device that uses services of AWS IoT which are not here is told so and stays connected", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const device = await connect(rig, await identity(rig, "all", everything), "device");
	for (const [topic, named] of [
		["$aws/things/device/shadow/update/accepted", /Nothing listens/],
		["$aws/things/device/streams/1/get/json", /file delivery/],
		["$aws/things/device/defender/metrics/cbor", /Device Defender/],
		["$aws/rules/store/x", /rules engine/],
		["$aws/certificates/create", /\/json or \/cbor at their end/],
		["$aws/unknown", /ignored/],
	] as const) {
		await device.publishAsync(topic, "{}", { qos: 1 });
		t.match(last(rig, "unsupported"), { action: "iot:Publish", topic, clientId: "device", explanation: named });
	}
	const before = rig.events.filter(({ event }) => event === "unsupported").length;
	const useless = [
		"$aws/things/device/shadow/other",
		"$aws/things/+/jobs",
		"$aws/events/job/#",
		"$aws/x",
		topics.create("json"),
		"$aws/certificates/create/xml/#",
		"$aws/events/presence/connected",
	];
	for (const filter of useless) {
		await device.subscribeAsync(filter, { qos: 1 });
		t.match(last(rig, "unsupported"), { action: "iot:Subscribe", topic: filter, explanation: /nothing will come/ });
	}
	for (const filter of [
		`${topics.create("json")}/accepted`,
		`${topics.register("cbor")}/+`,
		"$aws/things/device/shadow/#",
		"$aws/things/+/shadow/name/+/update/delta",
		"$aws/things/+/jobs/notify",
		"$aws/things/device/jobs/+/update/accepted",
		"$aws/events/presence/#",
		"$aws/events/presence/connected/lamp/of/mine",
		"$aws/certificates/#",
		"$aws/+/+/+/json/rejected",
		"$aws/#",
	]) {
		await device.subscribeAsync(filter, { qos: 1 });
	}
	t.equal(
		rig.events.filter(({ event }) => event === "unsupported").length,
		before + useless.length,
		"and no more than that",
	);
	await device.endAsync();
	// Policies decide first.
	const strict = await identity(rig, "strict", {
		...everything,
		Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }],
	});
	const refused = await connect(rig, strict, "refused");
	refused.publish("$aws/things/refused/shadow/get", "", { qos: 1 });
	await closed(refused);
	t.match(last(rig, "denied"), { action: "iot:Publish" });
});

t.test("The will of a certificate that may no longer connect is not published", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { certificates, policies } = rig.cloud.registry;
	const observer = await connect(rig, await identity(rig, "observing", everything), "observer");
	await observer.subscribeAsync("will/#", { qos: 1 });
	const heard: string[] = [];
	observer.on("message", (topic) => heard.push(topic));
	for (const [name, end] of [
		["revoked", (certificateId: string) => certificates.updateCertificate({ certificateId, newStatus: "REVOKED" })],
		["inactive", (certificateId: string) => certificates.updateCertificate({ certificateId, newStatus: "INACTIVE" })],
		[
			"deleted",
			(certificateId: string) => {
				policies.detachPolicy({ policyName: "deleted", target: certificates.arn(certificateId) });
				rig.cloud.registry.state.transaction(() => certificates.remove(certificateId));
			},
		],
		["lost", () => {}],
	] as const) {
		const device = await identity(rig, name, everything);
		const will = { topic: `will/${name}`, payload: Buffer.from("x"), qos: 1, retain: false } as const;
		const client = await connect(rig, device, name, { will });
		end(device.certificateId);
		if (name === "lost") client.stream.destroy();
		await closed(client);
	}
	await eventually(() => (heard.includes("will/lost") ? true : undefined));
	t.same(heard, ["will/lost"], "only that of a device that was lost");
	t.match(
		rig.events.filter((event) => event.event === "denied").map((event) => event.explanation),
		[/REVOKED: its will/, /INACTIVE: its will/, /deleted: its will/],
	);
	await observer.endAsync();
});

t.test("A session ends however short its last connection was, and not while a newcomer has it", async (t) => {
	const rig = await startRig({ settings: { connection: { persistentSession: 200 } } });
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything);
	const expired = (clientId: string) =>
		eventually(() => rig.events.find((event) => event.event === "session.expired" && event.clientId === clientId));
	const names = Array.from({ length: 8 }, (_, index) => `brief-${index}`);
	for (const [index, name] of names.entries()) {
		const client = await connect(rig, owner, name, { clean: false });
		await client.subscribeAsync("x", { qos: 1 });
		await client.endAsync();
		const again = await secure(rig, owner);
		again.on("error", () => {});
		const packet = connectPacket(4, name);
		packet[9] = 0;
		if (index % 2) again.end(packet);
		else {
			again.write(packet);
			if (index % 4) await once(again, "data");
			again.destroy();
		}
	}
	for (const name of names) await expired(name);
	t.equal(rig.cloud.registry.state.sessions.size, 0);
	const older = await connect(rig, owner, "taken", { clean: false });
	await older.subscribeAsync("x", { qos: 1 });
	const newer = await connect(rig, owner, "taken", { clean: false });
	await closed(older);
	const session = [...rig.cloud.registry.state.sessions.values()].find(({ clientId }) => clientId === "taken");
	t.ok(session);
	t.equal(session?.endsAt, undefined, "the newcomer has it");
	await newer.endAsync();
	await expired("taken");
});
