// What the tests of the local cloud use: a cloud in memory with claim, template and policies, and an MQTT client that others
// wrote. Shares no code with src/.

import type { Socket } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { CloudEvent } from "../../hosts/cloud/base/events.js";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { type Cloud, type CloudOptions, startCloud } from "../../hosts/cloud/cloud.js";
import type { Registry } from "../../hosts/cloud/registry/registry.js";
import { makeRequest } from "./csr.js";

export const templateName = "test-template";

/** Certificate and private key, PEM. */
export interface PemCredentials {
	readonly certificatePem: string;
	readonly privateKeyPem: string;
}

export type Rig = Awaited<ReturnType<typeof startRig>>;

/** The authority of the first cloud, which the others of this process take over: making its keys takes most of a start. */
let authority: Cloud["authority"] | undefined;

/**
 * A cloud with an active claim certificate, the sample policies and a template. CONNECTs are not limited in rate. It has the same
 * authority as the others of its process, unless the options name another.
 */
export async function startRig(options: CloudOptions = {}) {
	const events: CloudEvent[] = [];
	const cloud = await startCloud({
		onEvent: (event) => events.push(event),
		...(authority && { authority }),
		...options,
		settings: {
			...options.settings,
			connection: { connectsPerClientId: 0, ...options.settings?.connection },
			keyPairs: { ahead: 0, ...options.settings?.keyPairs },
		},
	});
	authority ??= cloud.authority;
	const { registry } = cloud;
	const { account } = registry.state;
	registry.policies.createPolicy({
		policyName: "claim",
		policyDocument: JSON.stringify(claimPolicy(account, templateName)),
	});
	registry.policies.createPolicy({ policyName: "device", policyDocument: JSON.stringify(devicePolicy(account)) });
	registry.templates.createProvisioningTemplate({
		templateName,
		templateBody: JSON.stringify(provisioningTemplate("device")),
		enabled: true,
		provisioningRoleArn: `arn:aws:iam::${account.accountId}:role/provisioning`,
	});
	const { certificateId: claimId, certificateArn: claimArn, ...claim } = await newCertificate(registry);
	registry.policies.attachPolicy({ policyName: "claim", target: claimArn });
	return { cloud, events, claim, claimId, claimArn, account };
}

let request: ReturnType<typeof makeRequest> | undefined;

/** A certificate that is ACTIVE. All have the same key, since keys take their time to make. */
export async function newCertificate(registry: Registry) {
	request ??= makeRequest("test");
	const { csr: certificateSigningRequest, privateKeyPem } = request;
	const made = await registry.certificates.createCertificateFromCsr({ certificateSigningRequest, setAsActive: true });
	return { ...made, privateKeyPem };
}

/** A new certificate with a policy document of its own; the things are made and attached. */
export async function identity(
	rig: Rig,
	policyName: string,
	policyDocument: object,
	things: readonly string[] = [],
): Promise<PemCredentials & { readonly certificateId: string; readonly certificateArn: string }> {
	const { registry } = rig.cloud;
	const made = await newCertificate(registry);
	registry.policies.createPolicy({ policyName, policyDocument: JSON.stringify(policyDocument) });
	registry.policies.attachPolicy({ policyName, target: made.certificateArn });
	for (const thingName of things) {
		registry.things.createThing({ thingName });
		registry.thingPrincipals.attachThingPrincipal({ thingName, principal: made.certificateArn });
	}
	return made;
}

/** Options of MQTT.js for this cloud. */
export function clientOptions(
	rig: Rig,
	{ certificatePem, privateKeyPem }: PemCredentials,
	clientId: string,
	more: Partial<IClientOptions> = {},
): IClientOptions {
	// MQTT.js passes options that it does not know to node:tls. Its types leave `servername` out.
	const tls: { servername: string } = { servername: rig.cloud.endpoint };
	return {
		...tls,
		protocol: "mqtts",
		host: rig.cloud.host,
		port: rig.cloud.port,
		ca: [rig.cloud.rootCertificate],
		cert: certificatePem,
		key: privateKeyPem,
		clientId,
		protocolVersion: 4,
		reconnectPeriod: 0,
		...more,
	};
}

/** Connects; rejects when the connection ends before CONNACK. */
export function connect(
	rig: Rig,
	credentials: PemCredentials,
	clientId: string,
	more: Partial<IClientOptions> = {},
): Promise<MqttClient> {
	return new Promise((resolve, reject) => {
		const client = mqtt.connect(clientOptions(rig, credentials, clientId, more));
		client.once("connect", () => {
			// Else each exchange waits for a delayed acknowledgement of TCP.
			(client.stream as unknown as Socket).setNoDelay(true);
			resolve(client);
		});
		client.once("error", reject);
		client.once("close", () => reject(new Error("closed")));
	});
}

/** Resolves when the connection has ended. */
export async function closed(client: MqttClient): Promise<void> {
	if (client.connected) await new Promise<void>((resolve) => client.once("close", () => resolve()));
}

/** Waits until `find` gives something. */
export async function eventually<T>(find: () => T | undefined): Promise<T> {
	for (;;) {
		const found = find();
		if (found !== undefined) return found;
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}

/** The last event of this name. */
export function last(rig: Rig, name: CloudEvent["event"]): CloudEvent | undefined {
	return rig.events.filter(({ event }) => event === name).at(-1);
}

/** Asks and waits for the reply on `accepted` or `rejected`, which must have been subscribed to. */
export function exchange(client: MqttClient, topic: string, payload: Uint8Array | string) {
	return new Promise<{ accepted: boolean; payload: Buffer }>((resolve, reject) => {
		const onMessage = (replyTopic: string, reply: Buffer) => {
			if (!replyTopic.startsWith(`${topic}/`)) return;
			client.off("message", onMessage);
			client.off("close", onClose);
			resolve({ accepted: replyTopic.endsWith("/accepted"), payload: reply });
		};
		const onClose = () => reject(new Error("closed"));
		client.on("message", onMessage);
		client.once("close", onClose);
		client.publish(topic, Buffer.from(payload), { qos: 1 });
	});
}

/** A policy that allows everything. */
export const everything = {
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
};

export const topics = {
	create: (encoding: string) => `$aws/certificates/create/${encoding}`,
	csr: (encoding: string) => `$aws/certificates/create-from-csr/${encoding}`,
	register: (encoding: string, template = templateName) =>
		`$aws/provisioning-templates/${template}/provision/${encoding}`,
};

/** Subscribes to the replies to these requests. */
export async function subscribeToReplies(client: MqttClient, ...requests: string[]): Promise<void> {
	await client.subscribeAsync(
		requests.flatMap((topic) => [`${topic}/accepted`, `${topic}/rejected`]),
		{ qos: 1 },
	);
}

/** A TLS connection that speaks no MQTT of its own. */
export function secure(
	rig: Rig,
	{ certificatePem, privateKeyPem }: Partial<PemCredentials>,
	more: ConnectionOptions = {},
): Promise<TLSSocket> {
	return new Promise((resolve, reject) => {
		const socket = tlsConnect(
			{
				host: rig.cloud.host,
				port: rig.cloud.port,
				servername: rig.cloud.endpoint,
				ca: rig.cloud.rootCertificate,
				...(certificatePem !== undefined && { cert: certificatePem }),
				...(privateKeyPem !== undefined && { key: privateKeyPem }),
				...more,
			},
			() => resolve(socket),
		);
		socket.on("error", reject);
	});
}

/** A whole provisioning, as proof that the cloud still does its work. */
export async function provision(rig: Rig, serial: string): Promise<boolean> {
	request ??= makeRequest("test");
	const certificateSigningRequest = request.csr;
	const client = await connect(rig, rig.claim, `claim-${serial}`);
	await subscribeToReplies(client, topics.csr("json"), topics.register("json"));
	const { payload } = await exchange(client, topics.csr("json"), JSON.stringify({ certificateSigningRequest }));
	const { certificateOwnershipToken } = JSON.parse(payload.toString());
	const parameters = { SerialNumber: serial };
	const reply = await exchange(
		client,
		topics.register("json"),
		JSON.stringify({ certificateOwnershipToken, parameters }),
	);
	await client.endAsync();
	return reply.accepted;
}
