// A team's own account in its pipeline: each test begins with what fleet.yaml says, and finds nothing of the one before.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startCloud } from "moddable-fleet-provisioning/cloud";
import { certificateFromPem, credentialsFromPem, MemoryFlash, SimulatedDevice } from "moddable-fleet-provisioning/node";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
let cloud;
let claim;

before(async () => {
	cloud = await startCloud({ setup: here("fleet.yaml") });
	claim = credentialsFromPem(
		readFileSync(here("made/claim.pem"), "utf8"),
		readFileSync(here("made/claim.key"), "utf8"),
	);
});
afterEach(() => cloud.reset());
after(() => cloud.close());

/** Switches a new meter on. Resolves with its application's context; rejects with the device's first failure. */
function provision(serialNumber) {
	return new Promise((resolve, reject) => {
		const device = new SimulatedDevice({
			configuration: {
				endpoint: cloud.host,
				port: cloud.port,
				serverName: cloud.endpoint,
				template: "meters",
				keyPair: "csr",
			},
			device: { serialNumber, firmwareVersion: "1.0.0" },
			claim,
			roots: [certificateFromPem(cloud.rootCertificate)],
			storage: new MemoryFlash(),
			application: (context) => resolve({ device, context }),
			onEvent(event) {
				if (event.event !== "failure") return;
				device.powerOff();
				reject(new Error(event.failure.code));
			},
		});
		device.powerOn();
	});
}

/** The explanations of what was refused since the test began. */
const refusals = () =>
	cloud.events
		.since()
		.map(({ explanation }) => explanation)
		.filter((explanation) => explanation !== undefined);

// Both tests use the same serial number: the second one finds the account without it.
for (const round of ["a first", "a second"])
	test(`${round} time M-0001 becomes a thing in the group of the meters`, async () => {
		assert.equal(cloud.registry.state.things.size, 0);
		const { device, context } = await provision("M-0001");
		await context.connection.publish("meters/M-0001/readings", new TextEncoder().encode("42"));
		device.powerOff();
		assert.deepEqual(cloud.registry.thingGroups.groupsOf("M-0001"), ["meters"]);
		assert.deepEqual(refusals(), []);
	});

test("a serial number of somebody else is refused by the hook, and the cloud says so", async () => {
	await assert.rejects(provision("X-0001"), { message: "REGISTER_DENIED" });
	assert.deepEqual(refusals(), ["The hook's answer does not have allowProvisioning true."]);
});

test("a meter that publishes for another is cut off, and the cloud says which statement to change", async () => {
	const { device, context } = await provision("M-0002");
	await assert.rejects(context.connection.publish("meters/M-0001/readings", new Uint8Array(1)));
	device.powerOff();
	const [refusal] = refusals();
	assert.match(refusal, /\(Readings\) of the policy meter allows iot:Publish, but not on .*meters\/M-0001\/readings/);
});
