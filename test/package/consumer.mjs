// A stranger's program over the installed package, in plain JavaScript: starts a cloud, lets a simulated device provision
// itself against it, and prints one line of JSON about what came of it.

import { createClaim, prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
import { boot, catalogue, Failure } from "moddable-fleet-provisioning/device";
import { certificateFromPem, credentialsFromPem, MemoryFlash, SimulatedDevice } from "moddable-fleet-provisioning/node";

const cloud = await startCloud();
prepareTemplate(cloud, "fleet");
const claim = await createClaim(cloud, "fleet");
const told = await new Promise((resolve, reject) => {
	const device = new SimulatedDevice({
		configuration: {
			endpoint: cloud.host,
			port: cloud.port,
			serverName: cloud.endpoint,
			template: "fleet",
			keyPair: "csr",
		},
		device: { serialNumber: "installed-1", firmwareVersion: "1.0.0" },
		claim: credentialsFromPem(claim.certificatePem, claim.privateKeyPem),
		roots: [certificateFromPem(cloud.rootCertificate)],
		storage: new MemoryFlash(),
		application: ({ identity }) => {
			setTimeout(() => {
				device.powerOff();
				resolve(identity.thingName);
			});
		},
		onEvent: (event) => event.event === "failure" && reject(new Error(event.failure.code)),
	});
	device.powerOn();
});
await cloud.close();
console.log(
	JSON.stringify({
		thingName: told,
		boot: typeof boot,
		failure: new Failure("CLAIM_MISSING").code,
		codes: Object.keys(catalogue).length,
		node: process.version,
	}),
);
