// Tests the hook the way the service calls it: as part of a device's registration.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClaim, prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
import { certificateFromPem, credentialsFromPem, MemoryFlash, SimulatedDevice } from "moddable-fleet-provisioning/node";

const targetArn = "arn:aws:lambda:us-east-1:123456789012:function:hook";
const command = `"${process.execPath}" "${fileURLToPath(new URL("hook.js", import.meta.url))}"`;
let cloud;
let claim;

before(async () => {
	cloud = await startCloud({ hookCommands: { [targetArn]: command } });
	prepareTemplate(cloud, "fleet");
	cloud.registry.templates.updateProvisioningTemplate({ templateName: "fleet", preProvisioningHook: { targetArn } });
	const { certificatePem, privateKeyPem } = await createClaim(cloud, "fleet");
	claim = credentialsFromPem(certificatePem, privateKeyPem);
});

after(() => cloud.close());

/** Resolves with the first event that has one of these names. */
function firstEvent(serialNumber, ...names) {
	return new Promise((resolve) => {
		const device = new SimulatedDevice({
			configuration: { endpoint: cloud.host, port: cloud.port, serverName: cloud.endpoint, template: "fleet" },
			device: { serialNumber, firmwareVersion: "1.0.0" },
			claim,
			roots: [certificateFromPem(cloud.rootCertificate)],
			storage: new MemoryFlash(),
			application: () => undefined,
			onEvent(event) {
				if (!names.includes(event.event)) return;
				device.powerOff();
				resolve(event);
			},
		});
		device.powerOn();
	});
}

test("a device that the factory has made is registered", async () => {
	const event = await firstEvent("0101", "provisioned", "failure");
	assert.deepEqual([event.event, event.thingName], ["provisioned", "0101"]);
});

test("a serial number that nobody has made is denied", async () => {
	const event = await firstEvent("9999", "provisioned", "failure");
	assert.equal(event.failure?.code, "REGISTER_DENIED");
});
