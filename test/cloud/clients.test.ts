// Clients that others wrote: AWS's device SDK provisions, mosquitto's clients publish and subscribe within policy.

import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { io, iot, iotidentity, mqtt } from "aws-iot-device-sdk-v2";
import t from "tap";
import { devicePolicy } from "../../hosts/cloud/base/samples.js";
import type { Task } from "./clients-child.js";
import { makeRequest } from "./csr.js";
import { eventually, identity, last, type PemCredentials, type Rig, startRig, templateName } from "./rig.js";

t.test("The identity client of AWS's device SDK provisions over JSON, by keys and by CSR", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const connection = async (credentials: PemCredentials, clientId: string) => {
		const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(
			credentials.certificatePem,
			credentials.privateKeyPem,
		)
			.with_certificate_authority(rig.cloud.rootCertificate)
			.with_endpoint("localhost")
			.with_port(rig.cloud.port)
			.with_client_id(clientId)
			.with_clean_session(true)
			.build();
		const made = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
		made.on("error", () => {});
		await made.connect();
		return made;
	};
	for (const way of ["keys", "csr"] as const) {
		await t.test(`by ${way}`, async (t) => {
			const claim = await connection(rig.claim, `sdk-claim-${way}`);
			const client = iotidentity.IotIdentityClientv2.newFromMqtt311(claim, {
				maxRequestResponseSubscriptions: 5,
				maxStreamingSubscriptions: 1,
				operationTimeoutInSeconds: 30,
			});
			const request = makeRequest("sdk");
			const created =
				way === "keys"
					? await client.createKeysAndCertificate({})
					: await client.createCertificateFromCsr({ certificateSigningRequest: request.csr });
			const registered = await client.registerThing({
				templateName,
				certificateOwnershipToken: created.certificateOwnershipToken!,
				parameters: { SerialNumber: `sdk-${way}` },
			});
			t.equal(registered.thingName, `sdk-${way}`);
			client.close();
			await claim.disconnect();
			const privateKeyPem = "privateKey" in created ? String(created.privateKey) : request.privateKeyPem;
			const device = await connection({ certificatePem: created.certificatePem!, privateKeyPem }, `sdk-${way}`);
			await device.publish(`devices/sdk-${way}/up`, "hello", mqtt.QoS.AtLeastOnce);
			await device.disconnect();
			t.match(last(rig, "published"), { clientId: `sdk-${way}`, principal: created.certificateId });
		});
	}
	await t.test("and is told why it was rejected", async (t) => {
		const claim = await connection(rig.claim, "sdk-rejected");
		const client = iotidentity.IotIdentityClientv2.newFromMqtt311(claim, {
			maxRequestResponseSubscriptions: 5,
			maxStreamingSubscriptions: 1,
			operationTimeoutInSeconds: 30,
		});
		const refused = await client
			.registerThing({ templateName, certificateOwnershipToken: "none" })
			.catch((error) => error);
		t.match(refused.modeledError, { statusCode: 400, errorCode: "InvalidCertificateOwnershipToken" });
		client.close();
		await claim.disconnect();
	});
});

t.test("It does so over MQTT 5 as well", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const child = fork(fileURLToPath(new URL("clients-child.ts", import.meta.url)), {
		execArgv: ["--import", "tsx"],
		stdio: ["ignore", "ignore", "inherit", "ipc"],
	});
	const task: Task = {
		port: rig.cloud.port,
		rootCertificate: rig.cloud.rootCertificate,
		...rig.claim,
		certificateSigningRequest: makeRequest("five").csr,
		templateName,
		serialNumber: "sdk-five",
	};
	child.send(task);
	const [thingName] = await once(child, "message");
	t.equal(thingName, "sdk-five");
	await once(child, "exit");
});

/** Runs one of mosquitto's clients as a device; `undefined` when it is not installed. */
async function mosquitto(rig: Rig, program: string, credentials: PemCredentials, ...more: string[]) {
	const directory = mkdtempSync(join(tmpdir(), "fleet-mosquitto-"));
	try {
		const file = (name: string, text: string) => {
			writeFileSync(join(directory, name), text, { mode: 0o600 });
			return join(directory, name);
		};
		const cafile = file("root.pem", rig.cloud.rootCertificate);
		const cert = file("cert.pem", credentials.certificatePem);
		const key = file("key.pem", credentials.privateKeyPem);
		const common = ["-h", "localhost", "-p", String(rig.cloud.port), "--cafile", cafile, "--cert", cert, "--key", key];
		const { stdout } = await promisify(execFile)(program, [...common, ...more]);
		return { code: 0, stdout };
	} catch (error) {
		const { code, stdout = "" } = error as { code?: number | string; stdout?: string };
		return code === "ENOENT" ? undefined : { code: Number(code), stdout };
	} finally {
		rmSync(directory, { recursive: true });
	}
}

t.test("mosquitto's clients publish and subscribe within policy, and are cut off outside it", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const device = await identity(rig, "own", devicePolicy(rig.account), ["m1"]);
	const publish = (topic: string, clientId: string, ...more: string[]) =>
		mosquitto(rig, "mosquitto_pub", device, "-i", clientId, "-t", topic, "-m", "hello", "-q", "1", ...more);
	const sent = await publish("devices/m1/up", "m1", "-V", "mqttv311");
	if (!sent) {
		t.pass("skipped: mosquitto_pub is not installed (Debian: apt-get install mosquitto-clients)", { skip: true });
		return;
	}
	t.equal(sent.code, 0);
	t.match(last(rig, "published"), { clientId: "m1", topic: "devices/m1/up", bytes: 5 });

	t.not((await publish("devices/m2/up", "m1"))?.code, 0, "another device's topic");
	t.match(last(rig, "denied"), { action: "iot:Publish", clientId: "m1" });
	t.not((await publish("devices/m1/up", "m2"))?.code, 0, "another client id");
	t.match(last(rig, "denied"), { action: "iot:Connect", clientId: "m2", explanation: /must be attached to a thing/ });
	t.equal((await publish("devices/m1/up", "m1", "-V", "mqttv5"))?.code, 0, "the same with MQTT 5");
	t.not((await publish("devices/m2/up", "m1", "-V", "mqttv5"))?.code, 0);
	t.not((await publish("devices/m1/up", "m2", "-V", "mqttv5"))?.code, 0);

	const before = rig.events.length;
	const reading = mosquitto(rig, "mosquitto_sub", device, "-i", "m1", "-t", "devices/m1/down", "-q", "1", "-C", "1");
	await eventually(() => rig.events.slice(before).find(({ event }) => event === "subscribed"));
	const sender = await identity(rig, "sender", {
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: ["iot:Connect", "iot:Publish"], Resource: "*" }],
	});
	await mosquitto(rig, "mosquitto_pub", sender, "-i", "sender", "-t", "devices/m1/down", "-m", "for m1", "-q", "1");
	t.match(await reading, { code: 0, stdout: "for m1\n" });
	const refused = await mosquitto(rig, "mosquitto_sub", device, "-i", "m1", "-t", "devices/#", "-C", "1", "-W", "30");
	t.match(rig.events.filter(({ event }) => event === "denied").at(-1), { action: "iot:Subscribe" });
	t.equal(refused?.stdout, "");
});
