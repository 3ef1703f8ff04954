// MQTT 5 clients: the same rules as for 3.1.1, told with reason codes.

import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import t from "tap";
import { makeRequest } from "../csr.js";
import {
	clientOptions,
	closed,
	connect,
	eventually,
	exchange,
	identity,
	last,
	type PemCredentials,
	type Rig,
	startRig,
	subscribeToReplies,
	topics,
} from "../rig.js";

const five = (rig: Rig, credentials: PemCredentials, clientId: string, more: Partial<IClientOptions> = {}) =>
	connect(rig, credentials, clientId, { protocolVersion: 5, ...more });

/** Reason code of the DISCONNECT that ends a connection. */
async function farewell(client: MqttClient): Promise<number | undefined> {
	let code: number | undefined;
	client.on("disconnect", (packet) => {
		code = packet.reasonCode;
	});
	await closed(client);
	return code;
}

t.test("An MQTT 5 client provisions, publishes and receives", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const claim = await five(rig, rig.claim, "claim-5");
	await subscribeToReplies(claim, topics.csr("json"), topics.register("json"));
	const { csr: certificateSigningRequest, privateKeyPem } = makeRequest("five");
	const created = await exchange(claim, topics.csr("json"), JSON.stringify({ certificateSigningRequest }));
	const { certificateOwnershipToken, certificatePem } = JSON.parse(created.payload.toString());
	const parameters = { SerialNumber: "five" };
	await exchange(claim, topics.register("json"), JSON.stringify({ certificateOwnershipToken, parameters }));
	await claim.endAsync();
	const device = await five(rig, { certificatePem, privateKeyPem }, "five");
	const heard: string[] = [];
	device.on("message", (topic, payload) => heard.push(`${topic} ${payload}`));
	await device.subscribeAsync("devices/five/#", { qos: 1 });
	await device.publishAsync("devices/five/up", "hello", {
		qos: 1,
		properties: { userProperties: { a: "b" }, contentType: "text" },
	});
	await eventually(() => (heard.length > 0 ? true : undefined));
	t.same(heard, ["devices/five/up hello"]);
	const unsubscribed = await device.unsubscribeAsync(["devices/five/#", "devices/five/x"]);
	t.match(unsubscribed, { cmd: "unsuback", granted: [0, 0] });
	await device.endAsync();
	t.match(last(rig, "disconnected"), { disconnectReason: "CLIENT_INITIATED_DISCONNECT" });
});

t.test("Both versions talk to one another", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const everybody = await identity(rig, "all", {
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
	});
	const new5 = await five(rig, everybody, "new");
	const old4 = await connect(rig, everybody, "old");
	const heard: string[] = [];
	for (const client of [new5, old4]) {
		client.on("message", (topic) => heard.push(`${client.options.clientId} heard ${topic}`));
		await client.subscribeAsync("a/+", { qos: 1 });
	}
	await new5.publishAsync("a/5", "x", { qos: 1 });
	await old4.publishAsync("a/4", "x", { qos: 1 });
	await eventually(() => (heard.length >= 4 ? true : undefined));
	t.same(heard.sort(), ["new heard a/4", "new heard a/5", "old heard a/4", "old heard a/5"]);
	await Promise.all([new5.endAsync(), old4.endAsync()]);
});

t.test("What is refused is told with its reason code", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const arn = (kind: "client" | "topic" | "topicfilter", name: string) => rig.cloud.registry.arn(kind, name);
	const device = await identity(rig, "narrow", {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: "iot:Connect", Resource: arn("client", "ok*") },
			{ Effect: "Allow", Action: ["iot:Publish"], Resource: arn("topic", "out") },
			{ Effect: "Allow", Action: ["iot:Subscribe"], Resource: arn("topicfilter", "in") },
		],
	});
	await t.rejects(five(rig, device, "other"), { code: 0x87 }, "CONNACK");
	await t.rejects(five(rig, device, "$ok"), { code: 0x85 });
	const publisher = await five(rig, device, "ok1");
	publisher.publish("elsewhere", "x");
	t.equal(await farewell(publisher), 0x87);
	t.match(last(rig, "disconnected"), { disconnectReason: "AUTH_ERROR" });
	const subscriber = await five(rig, device, "ok2");
	const refused = await subscriber.subscribeAsync(["elsewhere", "in"]).catch((error: Error) => error);
	t.match(String(refused), /Not authorized|135/i);
	t.ok(subscriber.connected, "SUBACK 0x87, and the connection stays");

	const newcomer = five(rig, device, "ok2");
	t.equal(await farewell(subscriber), 0x8e);
	const loud = await newcomer;
	loud.publish("out", "x", { qos: 2 });
	t.equal(await farewell(loud), 0x9b);
	const numbered = await five(rig, device, "ok3");
	numbered.subscribe("in", { qos: 1, properties: { subscriptionIdentifier: 7 } });
	t.equal(await farewell(numbered), 0xa1);
	const sharing = await five(rig, device, "ok6");
	sharing.subscribe("$share/group", { qos: 1 });
	t.equal(await farewell(sharing), 0x8f, "a shared subscription without a filter");
	await t.rejects(five(rig, device, "ok7", { properties: { maximumPacketSize: 16 } }), "CONNACK does not fit");
	t.match(last(rig, "violation"), { explanation: /as long as its CONNACK/ });
	const large = await five(rig, device, "ok4");
	large.publish("out", Buffer.alloc(128 * 1024 + 1));
	t.equal(await farewell(large), 0x95);
	const revoked = await five(rig, device, "ok5");
	rig.cloud.registry.certificates.updateCertificate({ certificateId: device.certificateId, newStatus: "REVOKED" });
	t.equal(await farewell(revoked), 0x98);
});

t.test("What cannot be said in MQTT 5 ends the connection, not the cloud", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	// Past the check of changeSettings.
	rig.cloud.settings.limits.minimumKeepAlive = rig.cloud.settings.limits.maximumKeepAlive = 86_400;
	await t.rejects(five(rig, rig.claim, "long"));
	t.match(last(rig, "violation"), { explanation: /malformed/ });
	await (await connect(rig, rig.claim, "old")).endAsync();
});

t.test("CONNACK tells the server's limits; sessions last as long as asked", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const everybody = await identity(rig, "all", {
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
	});
	const connack = async (clientId: string, more: Partial<IClientOptions>) => {
		const client = mqtt.connect(clientOptions(rig, everybody, clientId, { protocolVersion: 5, ...more }));
		const packet = await new Promise<{ properties?: object; sessionPresent: boolean }>((resolve, reject) => {
			client.once("connect", (received) => resolve(received as never));
			client.once("error", reject);
		});
		return { client, ...packet };
	};
	const plain = await connack("plain", { keepalive: 5 });
	t.match(plain.properties, {
		maximumQoS: 1,
		serverKeepAlive: 30,
		sessionExpiryInterval: 0,
		subscriptionIdentifiersAvailable: false,
	});
	await plain.client.endAsync();
	const nameless = await connack("", { clean: true });
	t.match(nameless.properties, { assignedClientIdentifier: /^\$GEN\// });
	await nameless.client.endAsync();

	const keep = { clean: false, properties: { sessionExpiryInterval: 600 } };
	const first = await connack("kept", keep);
	t.notOk(first.sessionPresent);
	t.match(first.properties, { sessionExpiryInterval: 600 });
	await first.client.subscribeAsync("a", { qos: 1 });
	await first.client.endAsync();
	const second = await connack("kept", keep);
	t.ok(second.sessionPresent, "taken up again");
	await second.client.endAsync();
	const third = await connack("kept", { ...keep, clean: true });
	t.notOk(third.sessionPresent, "a clean start has no past");
	await third.client.subscribeAsync("a", { qos: 1 });
	await third.client.endAsync();
	const fourth = await connack("kept", keep);
	t.ok(fourth.sessionPresent);
	const leave = (client: MqttClient, sessionExpiryInterval: number) =>
		client.endAsync(false, { properties: { sessionExpiryInterval } });
	await leave(fourth.client, 0);
	await eventually(() => last(rig, "session.expired"));
	const fifth = await connack("kept", keep);
	t.notOk(fifth.sessionPresent, "a client may end its session as it goes");
	await fifth.client.subscribeAsync("a", { qos: 1 });
	await leave(fifth.client, 1200);
	t.equal([...rig.cloud.registry.state.sessions.values()][0]?.keep, 1_200_000, "or keep it longer");
	const shortLived = await connack("short-lived", { clean: true });
	const told = farewell(shortLived.client);
	await leave(shortLived.client, 5);
	await told;
	t.match(last(rig, "violation"), { explanation: /cannot outlive it/ }, "one that was not to last cannot be kept so");
});
