// Custom authorizers by a local command: MQTT user names, tokens with signatures over WebSocket and HTTPS, and what their answers say.

import { generateKeyPairSync, sign } from "node:crypto";
import { fileURLToPath } from "node:url";
import { CreateAuthorizerCommand, IoTClient, TestInvokeAuthorizerCommand } from "@aws-sdk/client-iot";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import t from "tap";
import { closed, eventually, last, type Rig, startRig } from "../rig.js";
import { post } from "./post.js";

const functionArn = "arn:aws:lambda:us-east-1:123456789012:function:authorizer";
const child = fileURLToPath(new URL("authorizer-child.cjs", import.meta.url));
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicKeyPem = publicKey.export({ type: "spki", format: "pem" }).toString();
const signature = (token: string) => sign("sha256", Buffer.from(token), privateKey).toString("base64");

/** A cloud with an authorizer for user names, and one for signed tokens. */
async function start(more: { timeout?: number; shortestInterval?: number } = {}) {
	const rig = await startRig({
		hookCommands: { [functionArn]: `"${process.execPath}" "${child}"` },
		settings: { authorizer: more },
		controlPlane: {},
	});
	const { authorizers } = rig.cloud.registry;
	const common = { authorizerFunctionArn: functionArn, status: "ACTIVE" };
	authorizers.createAuthorizer({ ...common, authorizerName: "names", signingDisabled: true });
	authorizers.createAuthorizer({
		...common,
		authorizerName: "tokens",
		tokenKeyName: "badge",
		tokenSigningPublicKeys: { one: publicKeyPem },
	});
	return rig;
}

/** Connects MQTT.js without a certificate; rejects when the connection ends before CONNACK. */
const open = (rig: Rig, more: IClientOptions): Promise<MqttClient> =>
	new Promise((resolve, reject) => {
		const { rootCertificate: ca, endpoint: servername, alpnPort } = rig.cloud;
		const tls = { servername, ALPNProtocols: ["mqtt"] };
		const client = mqtt.connect({
			...tls,
			...({ protocol: "mqtts", host: "localhost", port: alpnPort, ca, clientId: "c", reconnectPeriod: 0 } as const),
			protocolVersion: 4,
			...more,
		});
		client.once("connect", () => resolve(client));
		client.once("error", reject);
		client.once("close", () => reject(new Error("closed")));
	});

t.test("A user name and a password are asked about, and the answer's policies decide, in both versions", async (t) => {
	const rig = await start();
	t.teardown(() => rig.cloud.close());
	for (const protocolVersion of [4, 5] as const) {
		const username = "room?x-amz-customauthorizer-name=names";
		const client = await open(rig, { username, password: "sesame", protocolVersion });
		t.match(last(rig, "connected"), { principal: "whotlsmqtt", clientId: "c" });
		await client.publishAsync("room/1", "warm", { qos: 1 });
		client.publish("other/1", "no");
		await closed(client);
		t.match(last(rig, "denied"), { principal: "whotlsmqtt", action: "iot:Publish" });
		await t.rejects(open(rig, { username, password: "wrong", protocolVersion }), /Not authorized/);
		t.match(last(rig, "refused"), { reason: "custom authorizer", explanation: /isAuthenticated false/ });
	}
	await t.rejects(
		open(rig, { username: "room", password: "sesame" }),
		"no authorizer is named, and there is no default",
	);
	t.match(last(rig, "refused"), { explanation: /SetDefaultAuthorizer/ });
	rig.cloud.registry.authorizers.setDefaultAuthorizer({ authorizerName: "names" });
	const client = await open(rig, { username: "room", password: "sesame" });
	await client.endAsync();
});

t.test("A token counts with its signature only, in a user name, over WebSocket and over HTTPS", async (t) => {
	const rig = await start();
	t.teardown(() => rig.cloud.close());
	const query = (token: string, by = token) =>
		`x-amz-customauthorizer-name=tokens&badge=${token}&x-amz-customauthorizer-signature=${encodeURIComponent(signature(by))}`;
	const { httpsPort, rootCertificate: ca } = rig.cloud;
	const byName = await open(rig, { username: `?${query("room")}` });
	t.match(last(rig, "connected"), { principal: "whotlsmqttsigned" });
	await byName.endAsync();
	const socket = (text: string) =>
		open(rig, { protocol: "wss", port: httpsPort, path: `/mqtt?${text}`, wsOptions: { ca } } as IClientOptions);
	const byUrl = await socket(query("room"));
	t.match(last(rig, "connected"), { principal: "whotlshttpmqttsigned" });
	await byUrl.publishAsync("room/1", "warm", { qos: 1 });
	await byUrl.endAsync();
	await t.rejects(socket(query("room", "moor")));
	t.match(last(rig, "refused"), { reason: "HTTP 403", explanation: /not by a key of the authorizer tokens/ });
	await t.rejects(socket("x-amz-customauthorizer-name=nobody"));
	t.match(last(rig, "refused"), { reason: "HTTP 401", explanation: /no authorizer nobody/ });
	const published = await post(rig, `/topics/room/1?qos=1&${query("room")}`, "warm");
	t.equal(published.status, 200, published.body);
	t.equal((await post(rig, `/topics/other/1?${query("room")}`, "no")).status, 403, "its policies decide here, too");
});

t.test("What an authorizer does wrong refuses the client, and the event says what it was", async (t) => {
	const rig = await start({ timeout: 1_500 });
	t.teardown(() => rig.cloud.close());
	const cases: [wish: string, explanation: RegExp][] = [
		["garbage", /is not JSON/],
		["nameless", /principalId/],
		["shortly", /disconnectAfterInSeconds .* must be from 300 to 86400/],
		["slow", /did not answer within 1500 ms/],
	];
	for (const [wish, explanation] of cases) {
		const username = `${wish}?x-amz-customauthorizer-name=names`;
		await t.rejects(open(rig, { username, password: "sesame" }));
		t.match(last(rig, "refused"), { reason: "custom authorizer", explanation });
	}
});

t.test("A connection ends when the answer says so, and is asked about again when it says so", async (t) => {
	const rig = await start({ shortestInterval: 1_000 });
	t.teardown(() => rig.cloud.close());
	const name = "x-amz-customauthorizer-name=names";
	const short = await open(rig, { username: `shortly?${name}`, password: "sesame" });
	await closed(short);
	t.match(last(rig, "refused"), { reason: "authorization ended" });
	const often = await open(rig, { username: `often?${name}`, password: "sesame", clientId: "often" });
	rig.cloud.registry.authorizers.updateAuthorizer({ authorizerName: "names", authorizerFunctionArn: "arn:gone" });
	await closed(often);
	await eventually(() =>
		rig.events.find((e) => e.event === "refused" && /nothing stands for arn:gone/.test(e.explanation)),
	);
});

t.test("AWS's SDK makes an authorizer and tries it out", async (t) => {
	const rig = await start();
	t.teardown(() => rig.cloud.close());
	const client = new IoTClient({
		region: rig.account.region,
		endpoint: rig.cloud.controlPlane!.url,
		credentials: { accessKeyId: "any", secretAccessKey: "any" },
	});
	t.teardown(() => client.destroy());
	await client.send(
		new CreateAuthorizerCommand({
			authorizerName: "third",
			authorizerFunctionArn: functionArn,
			signingDisabled: true,
			status: "ACTIVE",
		}),
	);
	const mqttContext = { username: "room", password: Buffer.from("sesame"), clientId: "c" };
	const answer = await client.send(new TestInvokeAuthorizerCommand({ authorizerName: "third", mqttContext }));
	t.match(answer, { isAuthenticated: true, principalId: "whomqtt", refreshAfterInSeconds: 300 });
	t.match(answer.policyDocuments?.[0], /iot:Publish/);
});
