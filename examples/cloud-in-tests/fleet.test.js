// Tests a fleet's own template and policies against a local AWS IoT that runs in this process.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { claimPolicy, startCloud } from "moddable-fleet-provisioning/cloud";
import { certificateFromPem, credentialsFromPem, MemoryFlash, SimulatedDevice } from "moddable-fleet-provisioning/node";

/** Every device of this fleet becomes a thing called `meter-…`, with the batch in which it was made as an attribute. */
const template = {
	Parameters: {
		SerialNumber: { Type: "String" },
		Batch: { Type: "String" },
		"AWS::IoT::Certificate::Id": { Type: "String" },
	},
	Resources: {
		thing: {
			Type: "AWS::IoT::Thing",
			Properties: {
				ThingName: { "Fn::Join": ["-", ["meter", { Ref: "SerialNumber" }]] },
				AttributePayload: { batch: { Ref: "Batch" } },
			},
		},
		certificate: {
			Type: "AWS::IoT::Certificate",
			Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
		},
		policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "meter" } },
	},
};

let cloud;
let claim;
const refusals = [];

before(async () => {
	cloud = await startCloud({ onEvent: (event) => event.event === "denied" && refusals.push(event) });
	const { registry } = cloud;
	const { account } = registry.state;
	const arn = (rest) => `arn:aws:iot:${account.region}:${account.accountId}:${rest}`;
	const create = (policyName, document) =>
		registry.policies.createPolicy({ policyName, policyDocument: JSON.stringify(document) });
	create("claim", claimPolicy(account, "meters"));
	create("meter", {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: "iot:Connect", Resource: arn(`client/\${iot:Connection.Thing.ThingName}`) },
			{ Effect: "Allow", Action: "iot:Publish", Resource: arn(`topic/meters/\${iot:Connection.Thing.ThingName}`) },
		],
	});
	registry.templates.createProvisioningTemplate({
		templateName: "meters",
		templateBody: JSON.stringify(template),
		provisioningRoleArn: `arn:aws:iam::${account.accountId}:role/provisioning`,
		enabled: true,
	});
	const made = await registry.certificates.createKeysAndCertificate({ setAsActive: true });
	registry.policies.attachPolicy({ policyName: "claim", target: made.certificateArn });
	claim = credentialsFromPem(made.certificatePem, made.keyPair.PrivateKey);
});

after(() => cloud.close());

/** Switches a new device on. Resolves with its application's context; rejects with the device's first failure. */
function provision(serialNumber, parameters) {
	return new Promise((resolve, reject) => {
		const device = new SimulatedDevice({
			configuration: {
				endpoint: cloud.host,
				port: cloud.port,
				serverName: cloud.endpoint,
				template: "meters",
				thingName: "meter-{SerialNumber}",
				parameters,
			},
			device: { serialNumber, firmwareVersion: "1.0.0" },
			claim,
			roots: [certificateFromPem(cloud.rootCertificate)],
			storage: new MemoryFlash(),
			application: (context) => resolve({ device, context }),
			onEvent(event) {
				if (event.event !== "failure") return;
				device.powerOff();
				reject(Object.assign(new Error(event.failure.code), { failure: event.failure }));
			},
		});
		device.powerOn();
	});
}

test("a new device becomes a meter of its batch", async () => {
	const { device, context } = await provision("0001", { Batch: "b42" });
	device.powerOff();
	assert.equal(context.identity.thingName, "meter-0001");
	assert.equal(cloud.registry.things.describeThing({ thingName: "meter-0001" }).attributes.batch, "b42");
});

test("without its batch a device is refused", async () => {
	await assert.rejects(provision("0002", {}), { message: "REGISTER_INVALID" });
});

test("a meter that publishes for another is cut off, and the cloud says why", async () => {
	const { device, context } = await provision("0003", { Batch: "b42" });
	await assert.rejects(context.connection.publish("meters/meter-0001", new Uint8Array(1)));
	device.powerOff();
	const [refusal] = refusals;
	assert.equal(refusal.action, "iot:Publish");
	assert.match(refusal.explanation, /meters\/meter-0001/);
});
