// Publishing over HTTPS with a client certificate: the same checks and policies as over MQTT.

import t from "tap";
import { connect, everything, identity, last, secure, startRig } from "../rig.js";
import { post } from "./post.js";

t.test("A message published over HTTPS reaches subscribers, as far as certificate and policy allow", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const topic = (resource: string) => `arn:aws:iot:${rig.account.region}:${rig.account.accountId}:topic/${resource}`;
	const all = await identity(rig, "everything", everything);
	const sensor = await identity(rig, "sensor", {
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: "iot:Publish", Resource: topic("rooms/*") }],
	});
	const listener = await connect(rig, all, "listener", { protocolVersion: 5 });
	await listener.subscribeAsync("rooms/#", { qos: 1 });
	const proof = { cert: sensor.certificatePem, key: sensor.privateKeyPem };
	const received = new Promise((resolve) => {
		listener.once("message", (name, payload, packet) => resolve([name, `${payload}`, packet.properties?.contentType]));
	});
	const answer = await post(rig, "/topics/rooms%2F1?qos=1&contentType=text%2Fplain", "warm", proof);
	t.equal(answer.status, 200);
	t.match(JSON.parse(answer.body), { message: "OK", traceId: /-/ });
	t.same(await received, ["rooms/1", "warm", "text/plain"]);
	t.match(last(rig, "published"), { principal: sensor.certificateId, topic: "rooms/1", qos: 1 });

	const denied = await post(rig, "/topics/elsewhere", "no", proof);
	t.equal(denied.status, 403);
	t.match(last(rig, "denied"), { action: "iot:Publish", resource: topic("elsewhere") });
	t.equal(
		(await post(rig, "/topics/rooms/1?retain=true", "no", proof)).status,
		403,
		"retaining is an action of its own",
	);
	t.equal((await post(rig, "/topics/rooms/1", "no")).status, 403, "no certificate");
	t.match(last(rig, "refused"), { reason: "HTTP 403", explanation: /sent no certificate/ });
	t.equal((await post(rig, "/topics/rooms/1?qos=2", "no", proof)).status, 400);
	t.equal((await post(rig, "/topics/rooms/%23", "no", proof)).status, 400, "a wildcard");
	t.equal((await post(rig, "/things/x/shadow", "no", proof)).status, 404);
	t.equal((await post(rig, "/topics/rooms/1", Buffer.alloc(128 * 1024 + 1), proof)).status, 413);
	const alpn = { ...proof, port: rig.cloud.alpnPort, ALPNProtocols: ["x-amzn-http-ca"] };
	t.equal((await post(rig, "/topics/rooms/1", "yes", alpn)).status, 200, "AWS's port 443 with ALPN");
	rig.cloud.registry.certificates.updateCertificate({ certificateId: sensor.certificateId, newStatus: "INACTIVE" });
	t.equal((await post(rig, "/topics/rooms/1", "no", proof)).status, 403, "a certificate that is not active");
	await listener.endAsync();
});

t.test("What is not HTTP is told so, and a request that never comes is not waited for", async (t) => {
	const rig = await startRig({ settings: { connection: { connectTimeout: 300 } } });
	t.teardown(() => rig.cloud.close());
	const gone = (socket: Awaited<ReturnType<typeof secure>>) => {
		socket.on("error", () => {}).resume();
		return new Promise((resolve) => socket.once("close", resolve));
	};
	const mqtt = await secure(rig, {}, { port: rig.cloud.httpsPort });
	const ended = gone(mqtt);
	mqtt.write(Buffer.from([0x10, 0x0c, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 0]));
	await ended;
	t.match(last(rig, "refused"), { reason: "not HTTP", explanation: /x-amzn-mqtt-ca/ });
	const silent = await secure(rig, {}, { port: rig.cloud.httpsPort });
	await gone(silent);
	t.match(last(rig, "refused"), { reason: "HTTP timeout" });
});
