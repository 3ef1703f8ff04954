// A cloud in virtual time: the local cloud's own registry and provisioning behind an MQTT server in memory, which lets a test decide
// what happens to every packet. It has no TLS and makes no keys, so that tens of thousands of stories run in a minute. TLS, policies
// and the real broker are tested over real sockets elsewhere.

import { X509Certificate } from "node:crypto";
import { encode } from "cborg";
import { generate, type Packet, parser, writeToStream } from "mqtt-packet";
import {
	changeSettings,
	defaultSettings,
	type ProvisioningOperation,
	type Settings,
	type SettingsPatch,
} from "../../hosts/cloud/base/settings.js";
import { Provisioning } from "../../hosts/cloud/provisioning/provisioning.js";
import { type CertificateIssuer, Registry } from "../../hosts/cloud/registry/registry.js";
import { openState } from "../../hosts/cloud/state/state.js";
import { credentialsFromPem } from "../../hosts/node/credentials.js";
import type { Network } from "../../hosts/node/device.js";
import type { Credentials, Socket, SocketErrorReason } from "../../src/contract/host.js";
import { certifyRequest, type Issued, issueCertificate, newKey } from "./credentials.js";
import type { VirtualTime } from "./virtual-time.js";

writeToStream.cacheNumbers = false;

/** How long a packet travels, ms. */
const LATENCY = 10;
export const TEMPLATE = "fleet";
const HOST = "iot.test";

/** A packet on its way. `index` counts all packets of a story, from 0, in either direction. */
export interface Passing {
	readonly direction: "up" | "down";
	readonly index: number;
	readonly packet: Packet;
}

/**
 * What happens to a packet. `cut`: the device's power fails, and the packet is lost; `cut after`: the device's power fails just
 * after the packet has been delivered.
 */
export type Fate =
	| "pass"
	| "drop"
	| "duplicate"
	| "swap"
	| "close"
	| "cut"
	| "cut after"
	| { readonly delay: number }
	| { readonly truncate: number }
	/** Arrives in pieces: first so many bytes and then the rest; or in pieces of equal size. */
	| { readonly split: number }
	| { readonly pieces: number }
	| { readonly replace: Packet };

/** An issuer that counts. */
export interface Issuer extends CertificateIssuer {
	issued: number;
	/** The public keys that signing requests were for, in order, in hexadecimal. */
	readonly asked: string[];
}

/** Issues certificates that were made before, in turn. Each story begins with the first. */
export async function makeIssuer(count: number): Promise<() => Issuer> {
	const pool: Issued[] = [];
	// Many certificates share few keys, because making a key takes long.
	const keys = [newKey(), newKey(), newKey()];
	for (let i = 0; i < count; i++) pool.push(await issueCertificate(keys[i % keys.length]));
	return () => ({
		rootCertificatePem: "",
		issued: 0,
		asked: [],
		async createKeysAndCertificate() {
			const { certificateId, certificatePem, privateKey } = pool[this.issued++]!;
			const dates = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2049, 11, 31) };
			return { certificateId, certificatePem, privateKeyPem: privateKey, publicKeyPem: "", ...dates };
		},
		async createCertificateFromCsr(request: string) {
			this.issued++;
			const { publicKey, ...certificate } = await certifyRequest(request);
			this.asked.push(publicKey);
			return { ...certificate, notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2049, 11, 31) };
		},
	});
}

/**
 * A template that names a thing after its serial number and gives its certificate this status. The template that stories register
 * with also has a policy and a device configuration.
 */
export const templateBody = (Status: "ACTIVE" | "INACTIVE", policy?: object, DeviceConfiguration?: object): object => ({
	Parameters: { SerialNumber: { Type: "String" } },
	Resources: {
		thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
		certificate: {
			Type: "AWS::IoT::Certificate",
			Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status },
		},
		...(policy === undefined ? {} : { policy }),
	},
	...(DeviceConfiguration === undefined ? {} : { DeviceConfiguration }),
});

const TEMPLATE_BODY = templateBody(
	"ACTIVE",
	{ Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
	{ color: "blue" },
);

/** Options of a virtual cloud. */
export interface VirtualCloudOptions {
	readonly time: VirtualTime;
	readonly issuer: Issuer;
	readonly settings?: SettingsPatch;
	readonly templateBody?: object;
	readonly templateEnabled?: boolean;
	/** Decides what happens to each packet. Default: all are delivered. */
	readonly fate?: (passing: Passing) => Fate;
	/** How many bytes the device may write at a time. Default 4,096. */
	readonly window?: number;
	/** Called for the fates `cut` and `cut after`. */
	readonly onCut?: () => void;
}

/** An AWS IoT in memory. */
export class VirtualCloud {
	readonly registry: Registry;
	readonly settings: Settings;
	readonly claim: Credentials;
	claimCertificateId: string;
	/** Messages published under an identity: thing name and topic. */
	readonly messages: { readonly clientId: string; readonly topic: string }[] = [];
	/** The times of each client id's CONNECTs, in ticks. */
	readonly connects = new Map<string, number[]>();
	/** How many requests are in progress. Virtual time must wait for them. */
	busy = 0;
	readonly #options: VirtualCloudOptions;
	readonly #provisioning: Provisioning;
	/** The claim, and what the issuer gave to others. */
	readonly #issuedBefore: number;
	#packets = 0;
	#connections = 0;

	private constructor(
		options: VirtualCloudOptions,
		registry: Registry,
		settings: Settings,
		claimCertificateId: string,
		claim: Credentials,
	) {
		this.#options = options;
		this.#issuedBefore = options.issuer.issued;
		this.registry = registry;
		this.settings = settings;
		this.claimCertificateId = claimCertificateId;
		this.claim = claim;
		const now = () => options.time.timeOfDay();
		const later = (callback: () => void, milliseconds: number) => void options.time.set(callback, milliseconds);
		this.#provisioning = new Provisioning({ registry, issuer: options.issuer, settings, now, report: () => {}, later });
	}

	static async open(options: VirtualCloudOptions): Promise<VirtualCloud> {
		const settings = defaultSettings();
		settings.token.length = 466;
		if (options.settings !== undefined) changeSettings(settings, options.settings);
		const state = await openState({ accountId: "123456789012", region: "us-east-1" });
		const registry = new Registry({ state, issuer: options.issuer, now: () => options.time.timeOfDay() });
		const Statement = [{ Effect: "Allow", Action: "iot:*", Resource: "*" }];
		const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
		registry.policies.createPolicy({ policyName: "device", policyDocument });
		registry.templates.createProvisioningTemplate({
			templateName: TEMPLATE,
			templateBody: JSON.stringify(options.templateBody ?? TEMPLATE_BODY),
			enabled: options.templateEnabled ?? true,
			provisioningRoleArn: "arn:aws:iam::123456789012:role/provisioning",
		});
		const { certificateId, certificatePem, keyPair } = await registry.certificates.createKeysAndCertificate({
			setAsActive: true,
		});
		const claim = credentialsFromPem(certificatePem, keyPair.PrivateKey);
		return new VirtualCloud(options, registry, settings, certificateId, claim);
	}

	/** Lets this certificate (PEM) be the claim from now on. */
	takeClaim(certificatePem: string): void {
		const { certificates } = this.registry;
		this.claimCertificateId = certificates.registerCertificateWithoutCA({
			certificatePem,
			status: "ACTIVE",
		}).certificateId;
	}

	/** How many certificates have been issued, without the claim. */
	get issued(): number {
		return this.#options.issuer.issued - this.#issuedBefore;
	}

	/** The public keys that signing requests were for, in order. */
	get asked(): readonly string[] {
		return this.#options.issuer.asked;
	}

	/** Packets that have passed, in both directions. */
	get packets(): number {
		return this.#packets;
	}

	/** A network in which only this cloud can be reached. */
	readonly network: Network = (options) => {
		const { time } = this.#options;
		if (options.host !== HOST) {
			time.set(() => options.onError({ reason: "resolve", message: "no address" }), LATENCY);
			return { read: () => undefined, write: () => {}, close: () => {} };
		}
		return new Link(this, options).socket;
	};

	/** For Link. */
	decide(direction: "up" | "down", packet: Packet): Fate {
		const passing = { direction, index: this.#packets++, packet };
		return this.#options.fate?.(passing) ?? "pass";
	}

	cut(): void {
		this.#options.onCut?.();
	}

	get window(): number {
		return this.#options.window ?? 4096;
	}

	get time(): VirtualTime {
		return this.#options.time;
	}

	/** Whether the connection is allowed, by policies like those in AWS's samples. */
	mayConnect(certificateId: string, clientId: string): boolean {
		if (this.registry.certificates.get(certificateId)?.status !== "ACTIVE") return false;
		if (certificateId === this.claimCertificateId) return clientId.startsWith("claim-");
		const principal = this.registry.arn("cert", certificateId);
		return this.registry.state.thingPrincipals
			.by("principal", principal)
			.some(({ thingName }) => thingName === clientId);
	}

	/** Answers a provisioning request; undefined when the topic is not one of provisioning. */
	async provision(
		topic: string,
		payload: Uint8Array,
		certificateId: string,
		clientId: string,
		connectionId: string,
	): Promise<[topic: string, payload: Uint8Array] | undefined> {
		const match =
			/^\$aws\/(?:certificates\/(create|create-from-csr)|provisioning-templates\/([\w-]+)\/provision)\/(json|cbor)$/.exec(
				topic,
			);
		if (match === null) {
			this.messages.push({ clientId, topic });
			return undefined;
		}
		const operation =
			match[1] === "create" ? "CreateKeysAndCertificate" : match[1] ? "CreateCertificateFromCsr" : "RegisterThing";
		this.busy += 1;
		try {
			const refusal = this.#refusal(operation);
			if (refusal !== undefined) {
				const payload = match[3] === "cbor" ? encode(refusal) : Buffer.from(JSON.stringify(refusal));
				return [`${topic}/rejected`, payload];
			}
			const reply = await this.#provisioning.handle({
				operation,
				encoding: match[3] as "json" | "cbor",
				...(match[2] === undefined ? {} : { templateName: match[2] }),
				payload,
				claimCertificateId: certificateId,
				clientId,
				connectionId,
			});
			return [`${topic}/${reply.accepted ? "accepted" : "rejected"}`, reply.payload];
		} finally {
			this.busy -= 1;
		}
	}

	/** The next fault of kind `reject` in the settings. Here, fates take the place of the broker's other faults. */
	#refusal(operation: ProvisioningOperation): object | undefined {
		const fault = this.settings.faults.find(
			(one) => one.operation === operation && one.action === "reject" && (one.times ?? 1) > 0,
		);
		if (fault !== undefined) fault.times = (fault.times ?? 1) - 1;
		return fault?.rejection;
	}

	nextConnectionId(): string {
		return `connection-${this.#connections++}`;
	}

	noteConnect(clientId: string): void {
		const times = this.connects.get(clientId) ?? [];
		times.push(this.time.ticks());
		this.connects.set(clientId, times);
	}
}

/** One connection. Packets arrive one after the other in each direction, unless their fate is another. */
class Link {
	readonly socket: Socket;
	readonly #cloud: VirtualCloud;
	readonly #options: Parameters<Network>[0];
	readonly #certificateId: string;
	readonly #connectionId: string;
	readonly #filters = new Set<string>();
	readonly #uplink = parser({ protocolVersion: 4 });
	readonly #held: { up?: Packet; down?: Packet } = {};
	#incoming: Uint8Array[] = [];
	#clientId: string | undefined;
	/** What waits for CONNACK; undefined once that has gone out. */
	#ahead: Packet[] | undefined = [];
	#deviceOpen = true;
	#cloudOpen = true;

	constructor(cloud: VirtualCloud, options: Parameters<Network>[0]) {
		this.#cloud = cloud;
		this.#options = options;
		this.#certificateId = new X509Certificate(options.credentials.certificate).fingerprint256
			.replaceAll(":", "")
			.toLowerCase();
		this.#connectionId = cloud.nextConnectionId();
		this.#uplink.on("packet", (packet: Packet) => this.#travel("up", packet));
		const allow = () => this.#deviceOpen && options.onWritable(cloud.window);
		cloud.time.set(allow, LATENCY);
		this.socket = {
			read: () => {
				const bytes = this.#incoming.shift();
				return bytes && new Uint8Array(bytes).buffer;
			},
			write: (bytes) => {
				this.#uplink.parse(Buffer.from(bytes));
				cloud.time.set(allow, 1);
			},
			close: () => {
				this.#deviceOpen = false;
				cloud.time.set(() => {
					this.#cloudOpen = false;
				}, LATENCY);
			},
		};
	}

	#travel(direction: "up" | "down", packet: Packet): void {
		const fate = this.#cloud.decide(direction, packet);
		const deliver = (one: Packet, delay = 0) =>
			this.#cloud.time.set(
				() => (direction === "up" ? this.#atCloud(one) : this.#atDevice(generate(one))),
				LATENCY + delay,
			);
		const held = this.#held[direction];
		if (fate === "swap" && held === undefined) {
			this.#held[direction] = packet;
			// With no neighbour to change places with it is only late.
			this.#cloud.time.set(() => {
				if (this.#held[direction] !== packet) return;
				delete this.#held[direction];
				deliver(packet);
			}, 1000);
			return;
		}
		if (fate === "pass" || fate === "swap") deliver(packet);
		else if (fate === "duplicate") {
			deliver(packet);
			deliver(packet);
		} else if (fate === "close") this.#hangUp("closed");
		else if (fate === "cut") this.#cloud.cut();
		else if (fate === "cut after") {
			if (direction === "up") deliver(packet);
			else this.#atDevice(generate(packet));
			this.#cloud.cut();
		} else if (typeof fate === "object" && "delay" in fate) deliver(packet, fate.delay);
		else if (typeof fate === "object" && "replace" in fate) deliver(fate.replace);
		else if (typeof fate === "object" && ("split" in fate || "pieces" in fate)) {
			const bytes = generate(packet);
			const size = "pieces" in fate ? fate.pieces : Math.max(fate.split, bytes.length - fate.split);
			let first = "pieces" in fate ? size : fate.split;
			for (let at = 0; at < bytes.length; at += first, first = size) {
				const piece = bytes.subarray(at, at + first);
				this.#cloud.time.set(() => this.#atDevice(piece), LATENCY);
			}
		} else if (typeof fate === "object" && direction === "down") {
			const bytes = generate(packet).subarray(0, fate.truncate);
			this.#cloud.time.set(() => this.#atDevice(bytes), LATENCY);
			// Everything after it is lost, too: TLS never delivers a byte stream with a gap.
			this.#cloudOpen = false;
		} else if (typeof fate === "object") this.#cloudOpen = false;
		if (held !== undefined) {
			delete this.#held[direction];
			deliver(held);
		}
	}

	#hangUp(reason: SocketErrorReason): void {
		this.#cloudOpen = false;
		this.#cloud.time.set(() => {
			if (!this.#deviceOpen) return;
			this.#deviceOpen = false;
			this.#options.onError({ reason, message: "closed by the other side" });
		}, LATENCY);
	}

	#atDevice(bytes: Uint8Array): void {
		if (!this.#deviceOpen) return;
		this.#incoming.push(bytes);
		this.#options.onReadable(bytes.length);
	}

	#send(packet: Packet): void {
		if (this.#cloudOpen) this.#travel("down", packet);
	}

	#atCloud(packet: Packet): void {
		if (!this.#cloudOpen) return;
		if (this.#clientId === undefined) {
			if (packet.cmd !== "connect") return this.#hangUp("closed");
			this.#cloud.noteConnect(packet.clientId);
			if (!this.#cloud.mayConnect(this.#certificateId, packet.clientId)) return this.#hangUp("closed");
			this.#clientId = packet.clientId;
			// Like the broker, answers in a later turn.
			return void this.#cloud.time.set(() => this.#accept(), this.#cloud.settings.connection.connackDelay);
		}
		if (this.#ahead !== undefined) {
			if (this.#cloud.settings.connection.aheadOfConnack === "close") return this.#hangUp("closed");
			return void this.#ahead.push(packet);
		}
		switch (packet.cmd) {
			case "subscribe":
				for (const { topic } of packet.subscriptions) this.#filters.add(topic);
				return this.#send({ cmd: "suback", messageId: packet.messageId!, granted: packet.subscriptions.map(() => 1) });
			case "unsubscribe":
				for (const topic of packet.unsubscriptions) this.#filters.delete(topic);
				return this.#send({ cmd: "unsuback", messageId: packet.messageId! } as Packet);
			case "publish":
				return void this.#publish(packet);
			case "pingreq":
				return this.#send({ cmd: "pingresp" });
			case "connect":
				return this.#hangUp("closed");
			case "disconnect":
				this.#cloudOpen = false;
		}
	}

	#accept(): void {
		this.#send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		const ahead = this.#ahead ?? [];
		this.#ahead = undefined;
		for (const packet of ahead) this.#atCloud(packet);
	}

	async #publish(packet: Extract<Packet, { cmd: "publish" }>): Promise<void> {
		if (packet.qos === 1) this.#send({ cmd: "puback", messageId: packet.messageId! });
		const payload = new Uint8Array(packet.payload as Buffer);
		const reply = await this.#cloud.provision(
			packet.topic,
			payload,
			this.#certificateId,
			this.#clientId!,
			this.#connectionId,
		);
		// Like any broker, delivers every other message to its subscribers.
		const [topic, body] = reply ?? [packet.topic, payload];
		if (!this.#filters.has(topic)) return;
		this.#send({ cmd: "publish", topic, payload: Buffer.from(body), qos: 1, messageId: 1, dup: false, retain: false });
	}
}
