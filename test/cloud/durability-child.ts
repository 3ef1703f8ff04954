// Registers one thing after another in a state directory until it is killed, and tells its parent of each that is done.

import { randomBytes } from "node:crypto";
import { applyPlan } from "../../hosts/cloud/provisioning/apply.js";
import { type CertificateIssuer, Registry } from "../../hosts/cloud/registry/registry.js";
import { openState } from "../../hosts/cloud/state/state.js";

// Ends with the test that started it.
process.on("disconnect", () => process.exit());

const state = await openState({ directory: process.argv[2]! });
const registry = new Registry({ state, issuer: {} as CertificateIssuer });
if (!state.policies.has("device")) {
	const statement = { Effect: "Allow", Action: "iot:Connect", Resource: "*" };
	const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
	registry.policies.createPolicy({ policyName: "device", policyDocument });
}
for (let number = state.things.size; ; number++) {
	const certificateId = randomBytes(32).toString("hex");
	state.transaction(() => {
		registry.certificates.add(
			{ certificateId, certificatePem: "x".repeat(1_200), notBefore: 0, notAfter: 4e12 },
			"PENDING_ACTIVATION",
		);
		applyPlan(
			registry,
			{
				thing: { logicalName: "thing", thingName: `thing-${number}`, override: {} },
				certificate: { logicalName: "certificate", status: "ACTIVE" },
				policies: [{ logicalName: "policy", policyName: "device" }],
				deviceConfiguration: {},
			},
			certificateId,
			"DO_NOTHING",
		);
	});
	await new Promise((resolve) => process.send!(number, resolve));
}
