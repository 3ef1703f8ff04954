// Provisions with AWS's device SDK over MQTT 5 and tells its parent the thing's name. It is a process of its own, because
// the SDK's MQTT 5 client keeps its process from ending.

import { iot, iotidentity, mqtt5 } from "aws-iot-device-sdk-v2";

// Ends with the test that started it.
process.on("disconnect", () => process.exit());

/** What the parent sends. */
export interface Task {
	readonly port: number;
	readonly rootCertificate: string;
	readonly certificatePem: string;
	readonly privateKeyPem: string;
	readonly certificateSigningRequest: string;
	readonly templateName: string;
	readonly serialNumber: string;
}

process.once("message", async (task: Task) => {
	const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
		"localhost",
		task.certificatePem,
		task.privateKeyPem,
	);
	builder.withPort(task.port);
	builder.withCertificateAuthority(task.rootCertificate);
	builder.withConnectProperties({ clientId: "sdk-five", keepAliveIntervalSeconds: 60 });
	const five = new mqtt5.Mqtt5Client(builder.build());
	five.on("error", () => {});
	const connected = new Promise((resolve) => five.once("connectionSuccess", resolve));
	five.start();
	await connected;
	const client = iotidentity.IotIdentityClientv2.newFromMqtt5(five, {
		maxRequestResponseSubscriptions: 5,
		maxStreamingSubscriptions: 1,
		operationTimeoutInSeconds: 30,
	});
	const { certificateSigningRequest, templateName, serialNumber } = task;
	const { certificateOwnershipToken = "" } = await client.createCertificateFromCsr({ certificateSigningRequest });
	const parameters = { SerialNumber: serialNumber };
	const { thingName } = await client.registerThing({ templateName, certificateOwnershipToken, parameters });
	process.send!(thingName, () => process.exit());
});
