// The clients that are compared. Each does the same: connects with the claim, gets a certificate, registers the thing. What each
// needs for that (signing request, imports) is ready before its time is taken.

import { randomBytes } from "node:crypto";
import { iot, mqtt } from "aws-crt";
import { iotidentity } from "aws-iot-device-sdk-v2";
import { certificatesIn } from "../../hosts/cli/credentials.js";
import { newRequest } from "../../hosts/cloud/pki/request.js";
import { SimulatedDevice } from "../../hosts/node/device.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import { claimOf, type Endpoint, TEMPLATE } from "./cloud.js";

/** Times in ms since the client was told to connect. */
export interface Times {
	/** CONNACK is there. */
	readonly connected: number;
	/** RegisterThing's reply is there and read. */
	readonly provisioned: number;
}

/** One way to provision. */
export interface Client {
	readonly name:
		| "this project"
		| "this project, pipelined"
		| "this project, in two flights"
		| "aws-iot-device-sdk-v2"
		| "aws-iot-device-sdk-v2, first interface";
	readonly encoding: "cbor" | "json";
	readonly keyPair: "keys" | "csr";
	/** Provisions a new thing, and hangs up. @throws Error when it does not succeed */
	provision(endpoint: Endpoint): Promise<Times>;
}

/** AWS's clients use the same request, which the cloud signs each time anew. Making it is not part of what is measured. */
const request = newRequest("bench");

const newSerial = (): string => `bench-${randomBytes(6).toString("hex")}`;

/** The device program by what its first request is sent together with. */
const NAMES = {
	none: "this project",
	subscribe: "this project, pipelined",
	connect: "this project, in two flights",
} as const;

/** The device program on the Node host, with nothing of an ESP32's slowness: no boot time, flash in memory. */
const deviceProgram = (
	encoding: "cbor" | "json",
	kind: "keys" | "csr",
	pipeline: "none" | "subscribe" | "connect" = "none",
): Client => ({
	name: NAMES[pipeline],
	encoding,
	keyPair: kind,
	async provision(endpoint) {
		const claim = claimOf(endpoint);
		const roots = certificatesIn(endpoint.rootCertificate);
		return new Promise<Times>((resolve, reject) => {
			let started = 0;
			let connected = 0;
			let provisioned = 0;
			const device = new SimulatedDevice({
				configuration: {
					endpoint: "localhost",
					port: endpoint.port,
					template: TEMPLATE,
					encoding,
					keyPair: kind,
					pipeline,
				},
				device: { serialNumber: newSerial(), firmwareVersion: "1.0.0" },
				claim,
				roots,
				storage: new MemoryFlash(),
				application: () => undefined,
				bootTime: 0,
				onEvent(event) {
					if (event.event === "connected") connected = performance.now() - started;
					if (event.event === "provisioned") provisioned = performance.now() - started;
					if (event.event === "failure") end(new Error(event.failure.code));
					if (event.event === "restart") end();
				},
				onCrash: (error) => end(error as Error),
				onHalt: () => end(new Error("the device stopped")),
			});
			const end = (error?: Error): void => {
				device.powerOff();
				if (error === undefined) resolve({ connected, provisioned });
				else reject(error);
			};
			started = performance.now();
			device.powerOn();
		});
	},
});

/** AWS's own client for Node, on its native runtime. JSON is all it speaks. */
const awsClient = (name: Client["name"], kind: "keys" | "csr", provision: AwsProvision): Client => ({
	name,
	encoding: "json",
	keyPair: kind,
	async provision({ port, rootCertificate, claim }) {
		const { certificateSigningRequest } = await request;
		const configuration = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(
			claim.certificatePem,
			claim.privateKeyPem,
		)
			.with_certificate_authority(rootCertificate)
			.with_endpoint("localhost")
			.with_port(port)
			.with_clean_session(true)
			.with_client_id(`claim-${newSerial()}`)
			.build();
		const connection = new mqtt.MqttClient().new_connection(configuration);
		const started = performance.now();
		await connection.connect();
		const connected = performance.now() - started;
		try {
			await provision(connection, newSerial(), kind === "csr" ? certificateSigningRequest : undefined);
			return { connected, provisioned: performance.now() - started };
		} finally {
			await connection.disconnect();
		}
	},
});

type AwsProvision = (connection: mqtt.MqttClientConnection, serial: string, request?: string) => Promise<void>;

/** As its documentation shows: one call each, which subscribes for itself. */
const withRequestResponse: AwsProvision = async (connection, serial, certificateSigningRequest) => {
	const client = iotidentity.IotIdentityClientv2.newFromMqtt311(connection, {
		maxRequestResponseSubscriptions: 4,
		maxStreamingSubscriptions: 2,
		operationTimeoutInSeconds: 60,
	});
	try {
		const { certificateOwnershipToken = "" } =
			certificateSigningRequest === undefined
				? await client.createKeysAndCertificate({})
				: await client.createCertificateFromCsr({ certificateSigningRequest });
		const { thingName } = await client.registerThing({
			templateName: TEMPLATE,
			certificateOwnershipToken,
			parameters: { SerialNumber: serial },
		});
		if (thingName !== serial) throw new Error("the thing has another name");
	} finally {
		client.close();
	}
};

/** The interface before that, used as well as it can be: all four subscriptions at once, then the two calls. */
const withSubscriptions: AwsProvision = async (connection, serial, certificateSigningRequest) => {
	const client = new iotidentity.IotIdentityClient(connection);
	const qos = mqtt.QoS.AtLeastOnce;
	const template = { templateName: TEMPLATE };
	const reply = <T>() => {
		let handler!: (error?: Error, response?: T) => void;
		const response = new Promise<T>((resolve, reject) => {
			handler = (error, given) => (given === undefined ? reject(error ?? new Error("no reply")) : resolve(given));
		});
		const rejected = (error?: Error) => handler(error ?? new Error("rejected"));
		return { response, handler, rejected };
	};
	const created = reply<iotidentity.model.CreateKeysAndCertificateResponse>();
	const registered = reply<iotidentity.model.RegisterThingResponse>();
	await Promise.all([
		...(certificateSigningRequest === undefined
			? [
					client.subscribeToCreateKeysAndCertificateAccepted({}, qos, created.handler),
					client.subscribeToCreateKeysAndCertificateRejected({}, qos, () => created.rejected()),
				]
			: [
					client.subscribeToCreateCertificateFromCsrAccepted({}, qos, created.handler),
					client.subscribeToCreateCertificateFromCsrRejected({}, qos, () => created.rejected()),
				]),
		client.subscribeToRegisterThingAccepted(template, qos, registered.handler),
		client.subscribeToRegisterThingRejected(template, qos, () => registered.rejected()),
	]);
	if (certificateSigningRequest === undefined) await client.publishCreateKeysAndCertificate({}, qos);
	else await client.publishCreateCertificateFromCsr({ certificateSigningRequest }, qos);
	const { certificateOwnershipToken = "" } = await created.response;
	await client.publishRegisterThing(
		{ ...template, certificateOwnershipToken, parameters: { SerialNumber: serial } },
		qos,
	);
	await registered.response;
};

/** In the order in which tables show them. */
export const clients: readonly Client[] = [
	deviceProgram("cbor", "keys"),
	deviceProgram("json", "keys"),
	deviceProgram("cbor", "keys", "subscribe"),
	deviceProgram("cbor", "keys", "connect"),
	awsClient("aws-iot-device-sdk-v2", "keys", withRequestResponse),
	awsClient("aws-iot-device-sdk-v2, first interface", "keys", withSubscriptions),
	deviceProgram("cbor", "csr"),
	deviceProgram("json", "csr"),
	deviceProgram("cbor", "csr", "subscribe"),
	deviceProgram("cbor", "csr", "connect"),
	awsClient("aws-iot-device-sdk-v2", "csr", withRequestResponse),
	awsClient("aws-iot-device-sdk-v2, first interface", "csr", withSubscriptions),
];
