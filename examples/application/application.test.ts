// Tests the application on a simulated device: the device program provisions itself against a local AWS IoT and then runs the
// application.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Cloud, createClaim, prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
import type { ApplicationContext } from "moddable-fleet-provisioning/device";
import { certificateFromPem, credentialsFromPem, MemoryFlash, SimulatedDevice } from "moddable-fleet-provisioning/node";
import { application } from "./application.js";

let cloud: Cloud;

before(async () => {
	cloud = await startCloud();
	prepareTemplate(cloud, "fleet");
});

after(() => cloud.close());

/** What lamps have published: the last level of the topic, and the text. */
const published: string[] = [];
let heard = (): void => {};

/** Resolves when a lamp has published this. */
async function publishes(message: string): Promise<void> {
	while (!published.includes(message))
		await new Promise<void>((resolve) => {
			heard = resolve;
		});
}

/** Switches a new lamp on. Resolves with its application's context, so that the test can publish under the lamp's own name. */
async function newLamp(serialNumber: string): Promise<{ device: SimulatedDevice; context: ApplicationContext }> {
	const claim = await createClaim(cloud, "fleet");
	return new Promise((resolve, reject) => {
		const device = new SimulatedDevice({
			configuration: { endpoint: cloud.host, port: cloud.port, serverName: cloud.endpoint, template: "fleet" },
			device: { serialNumber, firmwareVersion: "1.0.0" },
			claim: credentialsFromPem(claim.certificatePem, claim.privateKeyPem),
			roots: [certificateFromPem(cloud.rootCertificate)],
			storage: new MemoryFlash(),
			async application(context) {
				// Records what the application publishes.
				const connection = Object.create(context.connection, {
					publish: {
						value: (topic: string, payload: string) => {
							published.push(`${topic.split("/").at(-1)} ${payload}`);
							heard();
							return context.connection.publish(topic, payload);
						},
					},
					onMessage: {
						set: (listener) => {
							context.connection.onMessage = listener;
						},
					},
				});
				const stop = await application({ ...context, connection });
				resolve({ device, context });
				return stop;
			},
			onEvent(event) {
				if (event.event !== "failure") return;
				device.powerOff();
				reject(new Error(event.failure.code));
			},
		});
		device.powerOn();
	});
}

test("a new lamp publishes that it is off, and obeys commands", async () => {
	const { device, context } = await newLamp("lamp-1");
	assert.deepEqual(published, ["state off"]);
	await context.connection.publish("devices/lamp-1/commands", "on");
	await publishes("state on");
	await context.connection.publish("devices/lamp-1/commands", "blink");
	await publishes("refused 5 bytes");
	device.powerOff();
});
