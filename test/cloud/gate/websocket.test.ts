// MQTT over WebSocket: AWS's SDK and MQTT.js connect with signatures, IAM decides, and strangers get an HTTP status and a reason.

import { once } from "node:events";
import { auth, mqtt as crt, io, iot } from "aws-iot-device-sdk-v2";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import t from "tap";
import { WebSocket } from "ws";
import { parseAccessKeys } from "../../../hosts/cloud/control/iam.js";
import { closed, eventually, last, type Rig, startRig } from "../rig.js";
import { presign } from "./presign.js";

const allow = (...statements: [action: string, resource: string][]) => ({
	Version: "2012-10-17",
	Statement: statements.map(([action, resource]) => ({
		Effect: "Allow",
		Action: `iot:${action}`,
		Resource: `arn:aws:iot:us-east-1:123456789012:${resource}`,
	})),
});
const [user, role] = parseAccessKeys([
	{
		accessKeyId: "AKIAUSER",
		secretAccessKey: "secret-of-user",
		principal: "arn:aws:iam::123456789012:user/web",
		policies: [
			allow(
				// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
				["Connect", "client/web-${aws:username}*"],
				["Publish", "topic/rooms/*"],
				["Receive", "topic/rooms/*"],
				["Subscribe", "topicfilter/rooms/*"],
			),
		],
	},
	{
		accessKeyId: "ASIAROLE",
		secretAccessKey: "secret-of-role",
		sessionToken: "session/token+=",
		principal: "arn:aws:sts::123456789012:assumed-role/web/one",
		policies: [allow(["*", "*"])],
	},
]) as [ReturnType<typeof parseAccessKeys>[0], ReturnType<typeof parseAccessKeys>[0]];

const start = () =>
	startRig({ accountId: "123456789012", controlPlane: { accessKeys: [user, role], signatures: "checked" } });

/** Connects MQTT.js with a URL; rejects when the connection ends before CONNACK. */
const open = (rig: Rig, url: string, clientId: string, more: IClientOptions = {}): Promise<MqttClient> =>
	new Promise((resolve, reject) => {
		const client = mqtt.connect(url, {
			...{ clientId, reconnectPeriod: 0, protocolVersion: 4, wsOptions: { ca: rig.cloud.rootCertificate } },
			...more,
		});
		client.once("connect", () => resolve(client));
		client.once("error", reject);
		client.once("close", () => reject(new Error("closed")));
	});

const nextMessage = (client: MqttClient) =>
	new Promise<[topic: string, payload: Buffer]>((resolve) =>
		client.once("message", (topic, payload) => resolve([topic, payload])),
	);

/** The HTTP status and text with which a WebSocket is refused. */
async function refused(rig: Rig, url: string, more: object = {}, protocols: string[] = ["mqtt"]) {
	const socket = new WebSocket(url, protocols, { ca: rig.cloud.rootCertificate, ...more });
	socket.on("error", () => {});
	const [, response] = await once(socket, "unexpected-response");
	let body = "";
	for await (const chunk of response) body += chunk;
	return { status: response.statusCode as number, type: response.headers["x-amzn-errortype"], body };
}

t.test("MQTT.js with a presigned URL publishes and receives in both versions, within its IAM policies", async (t) => {
	const rig = await start();
	t.teardown(() => rig.cloud.close());
	for (const protocolVersion of [4, 5] as const) {
		const url = await presign(rig.cloud.httpsPort, user);
		const client = await open(rig, url, `web-web-${protocolVersion}`, { protocolVersion });
		t.same(last(rig, "connected"), {
			...last(rig, "connected"),
			principal: user.principal,
			clientId: `web-web-${protocolVersion}`,
		});
		await client.subscribeAsync("rooms/#", { qos: 1 });
		const received = nextMessage(client);
		await client.publishAsync("rooms/1", "warm", { qos: 1 });
		const [topic, payload] = await received;
		t.equal(`${topic} ${payload}`, "rooms/1 warm");
		const large = Buffer.alloc(128 * 1024, "x");
		const back = nextMessage(client);
		await client.publishAsync("rooms/large", large, { qos: 1 });
		t.equal((await back)[1].length, large.length, "the largest payload passes both ways");
		client.publish("elsewhere", "no");
		await closed(client);
		t.match(last(rig, "denied"), { principal: user.principal, action: "iot:Publish" }, "and IAM refuses the rest");
	}
	await t.rejects(open(rig, await presign(rig.cloud.httpsPort, user), "stranger"));
	t.match(last(rig, "denied"), {
		action: "iot:Connect",
		resource: "arn:aws:iot:us-east-1:123456789012:client/stranger",
	});
});

t.test("AWS's device SDK connects with its WebSocket builder, with a role's session token too", async (t) => {
	const rig = await start();
	t.teardown(() => rig.cloud.close());
	for (const key of [user, role]) {
		const { accessKeyId, secretAccessKey, sessionToken } = key;
		const config = iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({
			region: "us-east-1",
			credentials_provider: auth.AwsCredentialsProvider.newStatic(accessKeyId, secretAccessKey, sessionToken),
		})
			.with_certificate_authority(rig.cloud.rootCertificate)
			.with_endpoint("localhost")
			.with_port(rig.cloud.httpsPort)
			.with_client_id("web-web-sdk")
			.with_clean_session(true)
			.build();
		const connection = new crt.MqttClient(new io.ClientBootstrap()).new_connection(config);
		connection.on("error", () => {});
		await connection.connect();
		t.match(last(rig, "connected"), { principal: key.principal, clientId: "web-web-sdk" });
		await connection.publish("rooms/1", "hello", crt.QoS.AtLeastOnce);
		await connection.disconnect();
	}
	const token = await presign(rig.cloud.httpsPort, role);
	const client = await open(rig, token, "by-url");
	await client.endAsync();
});

t.test("A WebSocket that proves nothing is refused with a status, AWS's name and a reason", async (t) => {
	const rig = await start();
	t.teardown(() => rig.cloud.close());
	const { httpsPort: port } = rig.cloud;
	const signed = await presign(port, user);
	const cases: [url: string, type: string, reason: RegExp][] = [
		[`wss://localhost:${port}/mqtt`, "MissingAuthenticationTokenException", /sign the URL/],
		[signed.replace(/Signature=../, "Signature=00"), "InvalidSignatureException", /does not match/],
		[signed.replace("AKIAUSER", "AKIANOBODY"), "UnrecognizedClientException", /security token/],
		[
			`wss://localhost:${port}/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256`,
			"IncompleteSignatureException",
			/lacks X-Amz-Cred/,
		],
		[await presign(port, user, { service: "iot" }), "InvalidSignatureException", /iotdevicegateway/],
		[await presign(port, user, { region: "eu-west-1" }), "InvalidSignatureException", /us-east-1/],
		[
			await presign(port, user, { at: new Date(Date.now() - 120_000), expiresIn: 60 }),
			"InvalidSignatureException",
			/expired/,
		],
		[
			await presign(port, role, { tokenSigned: true }),
			"InvalidSignatureException",
			/appended to the URL after signing/,
		],
	];
	for (const [url, type, reason] of cases) {
		const answer = await refused(rig, url);
		t.same([answer.status, answer.type], [403, type]);
		t.match(answer.body, reason);
		t.match(last(rig, "refused"), { reason: "HTTP 403", explanation: reason });
	}
	t.equal((await refused(rig, signed, {}, ["chat"])).status, 400, "another subprotocol");
	t.equal((await refused(rig, signed.replace("/mqtt?", "/other?"))).status, 404, "another path");
});

t.test("In development mode no signature is needed, but pages of other sites are refused", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const url = `wss://localhost:${rig.cloud.httpsPort}/mqtt`;
	const client = await open(rig, url, "anybody", {
		wsOptions: { ca: rig.cloud.rootCertificate, headers: { origin: "http://localhost:5173" } },
	});
	await client.endAsync();
	const answer = await refused(rig, url, { origin: "https://example.com" });
	t.equal(answer.status, 403);
	t.match(answer.body, /--access-key/);
});

t.test("What breaks the rules of WebSocket or of MQTT ends its own connection alone", async (t) => {
	const rig = await startRig({ settings: { connection: { connectTimeout: 300 } } });
	t.teardown(() => rig.cloud.close());
	const url = `wss://localhost:${rig.cloud.httpsPort}/mqtt`;
	const client = await open(rig, url, "bystander");
	const raw = async () => {
		const socket = new WebSocket(url, ["mqtt"], { ca: rig.cloud.rootCertificate });
		await once(socket, "open");
		return socket;
	};
	const broken: [what: string, send: (socket: WebSocket) => void, explanation: RegExp][] = [
		["text", (socket) => socket.send("hello"), /text/],
		["garbage", (socket) => socket.send(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), /length|CONNECT/],
		["a message too large", (socket) => socket.send(Buffer.alloc(200 * 1024)), /broke a rule|larger/],
		["nothing", () => {}, /did not come in time/],
	];
	for (const [what, send, explanation] of broken) {
		const socket = await raw();
		const gone = once(socket, "close");
		send(socket);
		await gone;
		await eventually(
			() => rig.events.some((e) => e.event === "violation" && explanation.test(e.explanation)) || undefined,
		);
		t.pass(what);
	}
	await client.publishAsync("still/here", "yes", { qos: 1 });
	await client.endAsync();
	t.notOk(
		rig.events.some(({ event }) => event === "warning"),
		"nothing failed in the cloud itself",
	);
});
