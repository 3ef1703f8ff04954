// Uses Debian's mosquitto_pub, a client from outside the project, with the certificate of a device that provisioned itself.

import { execFile, execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { credentialsInFlash, deviceArguments, fleet, printedNoSecret, startCloud, temporaryFolder } from "./fleet.js";

const execute = promisify(execFile);

/** Whether mosquitto's clients are on this machine. */
function hasMosquitto(): boolean {
	try {
		execFileSync("mosquitto_pub", ["--help"], { stdio: "ignore" });
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ENOENT";
	}
	return true;
}

const skip = hasMosquitto() ? false : "mosquitto_pub is not installed (Debian: mosquitto-clients)";

t.test("a provisioned device's certificate in mosquitto_pub", { skip }, async (t) => {
	const folder = temporaryFolder(t);
	const cloud = await startCloud(t, join(folder, "cloud"));
	const flash = join(folder, "one.flash");
	const device = await fleet(...deviceArguments(cloud, flash), "--serial", "board-1", "--once");
	t.equal(device.code, 0, device.stderr);

	const { certificate, key } = credentialsInFlash(flash);
	const certificateId = new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase();
	const file = (name: string, label: string, der: Uint8Array) => {
		const path = join(folder, name);
		const lines = Buffer.from(der)
			.toString("base64")
			.match(/.{1,64}/g)!;
		writeFileSync(path, `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`, { mode: 0o600 });
		return path;
	};
	const identity = [
		...["--cafile", cloud.facts.rootCertificate!],
		...["--cert", file("device.pem", "CERTIFICATE", certificate)],
		...["--key", file("device.key", "PRIVATE KEY", key)],
	];
	/** Publishes once with QoS 1, so that a PUBACK confirms the message; returns the exit code and the cloud's event. */
	const publish = async (clientId: string, topic: string) => {
		// AWS accepts one CONNECT per second with the same client id.
		await new Promise((resolve) => setTimeout(resolve, 1200));
		const where = ["-h", "localhost", "-p", String(cloud.facts.port), "-V", "mqttv311"];
		const message = ["-i", clientId, "-t", topic, "-m", "hello", "-q", "1"];
		const before = cloud.count();
		const code = await execute("mosquitto_pub", [...where, ...identity, ...message]).then(
			() => 0,
			(error: { code?: unknown }) => Number(error.code),
		);
		const told = await cloud.event(({ event }) => event === "published" || event === "denied", before);
		return { code, told };
	};

	await t.test("publishes where its policy allows", async (t) => {
		const { code, told } = await publish("board-1", "devices/board-1/mosquitto");
		t.equal(code, 0);
		t.match(told, {
			event: "published",
			principal: certificateId,
			topic: "devices/board-1/mosquitto",
			bytes: 5,
		});
	});

	await t.test("is cut off where it does not", async (t) => {
		const { code, told } = await publish("board-1", "devices/board-2/mosquitto");
		t.not(code, 0);
		t.match(told, {
			event: "denied",
			principal: certificateId,
			action: "iot:Publish",
			resource: /topic\/devices\/board-2\/mosquitto$/,
			explanation: /fleet-device/,
		});
	});

	await t.test("may not connect under another name", async (t) => {
		const { code, told } = await publish("board-2", "devices/board-2/mosquitto");
		t.not(code, 0);
		t.match(told, { event: "denied", action: "iot:Connect", resource: /client\/board-2$/ });
	});

	await t.test("may not provision: a device does not have the claim's permissions", async (t) => {
		const { code, told } = await publish("board-1", "$aws/certificates/create/json");
		t.not(code, 0);
		t.match(told, { event: "denied", action: "iot:Publish", clientId: "board-1" });
	});

	printedNoSecret(t, [key]);
});
