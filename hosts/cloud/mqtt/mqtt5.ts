// Lets an MQTT 5 client talk to a broker that speaks 3.1.1: translates packets from one version into the other, with AWS's
// reason codes. Drops the properties of a PUBLISH; refuses what cannot be translated, as the standard says.

import mqttPacket, { type IConnectPacket, type Packet } from "mqtt-packet";
import type { DisconnectReason } from "../base/events.js";
import { FrameError, packetType, reasonCode, typeOf } from "./frames.js";

/** Reason code of the DISCONNECT for each way a connection ends. Absent where nobody is left to tell. */
const DISCONNECT_CODES: Readonly<Partial<Record<DisconnectReason, number>>> = {
	AUTH_ERROR: reasonCode.notAuthorized,
	CLIENT_ERROR: reasonCode.protocolError,
	DUPLICATE_CLIENTID: 0x8e,
	FORBIDDEN_ACCESS: 0x98,
	MQTT_KEEP_ALIVE_TIMEOUT: 0x8d,
	SERVER_ERROR: 0x80,
	SERVER_INITIATED_DISCONNECT: 0x8b,
	THROTTLED: reasonCode.quotaExceeded,
};

/** What CONNACK tells a client that is accepted. */
export interface Accepted {
	/** Seconds. Present when it is not what the client asked for. */
	readonly serverKeepAlive?: number;
	/** Present when the client sent none. */
	readonly assignedClientIdentifier?: string;
	/** How many QoS 1 messages may wait for their PUBACK. */
	readonly receiveMaximum: number;
	/** Largest packet that is accepted, bytes. */
	readonly maximumPacketSize: number;
	/** Seconds that the session outlives its connection. */
	readonly sessionExpiryInterval: number;
}

/** Translates for one MQTT 5 client. */
export class Mqtt5 {
	/** Whether its CONNECT asked for a new session. */
	cleanStart = true;
	/** For how many seconds its session is to outlive the connection. */
	sessionExpiryInterval = 0;
	/** The same, when its DISCONNECT has changed it. */
	expiryAtDisconnect: number | undefined;
	#accepted: Accepted | undefined;
	/** Largest packet that the client accepts, bytes. */
	#maximumPacketSize = Number.POSITIVE_INFINITY;
	/** Number of filters of each UNSUBSCRIBE, by packet id. */
	readonly #unsubscribing = new Map<number, number>();

	/** Sets what CONNACK says. To be called before it goes out. */
	accept(accepted: Accepted): void {
		this.#accepted = accepted;
	}

	/**
	 * A packet from the client, in version 3.1.1; `undefined` for one that 3.1.1 cannot express.
	 * @throws FrameError with a reason code
	 */
	fromClient(frame: Buffer): Buffer | undefined {
		const packet = parse(frame, 5);
		switch (packet.cmd) {
			case "connect":
				return this.#connect(packet);
			case "publish":
				if (packet.properties?.topicAlias) throw new FrameError("Topic aliases are not supported.", 0x94);
				return generate({ ...packet, properties: undefined }, 4);
			case "subscribe":
				if (packet.properties?.subscriptionIdentifier !== undefined) {
					throw new FrameError(
						"Subscription identifiers are not supported.",
						reasonCode.subscriptionIdentifiersNotSupported,
					);
				}
				return generate(
					{
						...packet,
						properties: undefined,
						subscriptions: packet.subscriptions.map(({ topic, qos }) => ({ topic, qos })),
					},
					4,
				);
			case "unsubscribe":
				if (this.#unsubscribing.size >= 100) this.#unsubscribing.clear();
				this.#unsubscribing.set(packet.messageId!, packet.unsubscriptions.length);
				return generate({ ...packet, properties: undefined }, 4);
			case "disconnect": {
				const expiry = packet.properties?.sessionExpiryInterval;
				// MQTT 5 section 3.14.2.2.2.
				if (expiry !== undefined && expiry > 0 && this.sessionExpiryInterval === 0) {
					throw new FrameError(
						"A session that was to end with its connection cannot outlive it.",
						reasonCode.protocolError,
					);
				}
				this.expiryAtDisconnect = expiry;
				// 0x04 asks for the will. In 3.1.1 it is published when the connection is lost, so there is no DISCONNECT.
				return packet.reasonCode ? undefined : generate({ cmd: "disconnect" }, 4);
			}
			case "auth":
				throw new FrameError("Enhanced authentication is not supported.", reasonCode.badAuthenticationMethod);
			default:
				return generate({ cmd: packet.cmd, messageId: packet.messageId } as Packet, 4);
		}
	}

	/** A packet from the broker, in version 5; `undefined` for one that is larger than the client accepts. */
	toClient(frame: Buffer): Buffer | undefined {
		const type = typeOf(frame);
		// Packets such as PUBACK and PINGRESP are the same in both versions unless they report an error.
		if (![packetType.connack, packetType.publish, packetType.suback, packetType.unsuback].includes(type)) return frame;
		const packet = parse(frame, 4);
		let bytes: Buffer;
		switch (packet.cmd) {
			case "connack":
				bytes = generate(
					{ cmd: "connack", reasonCode: 0, sessionPresent: packet.sessionPresent, properties: this.#properties() },
					5,
				);
				break;
			case "suback":
				bytes = generate(
					{
						...packet,
						granted: packet.granted.map((code) => (code === 0x80 ? reasonCode.notAuthorized : code)),
					} as Packet,
					5,
				);
				break;
			case "unsuback": {
				const count = this.#unsubscribing.get(packet.messageId!) ?? 1;
				this.#unsubscribing.delete(packet.messageId!);
				bytes = generate({ ...packet, granted: Array(count).fill(0) } as Packet, 5);
				break;
			}
			default:
				bytes = generate(packet, 5);
		}
		if (bytes.length <= this.#maximumPacketSize) return bytes;
		// Without its CONNACK a client would wait for nothing.
		if (packet.cmd === "connack")
			throw new FrameError("The client takes no packet as long as its CONNACK.", reasonCode.packetTooLarge);
		return undefined;
	}

	#connect(packet: IConnectPacket): Buffer {
		const { properties = {}, will } = packet;
		if (properties.authenticationMethod !== undefined) {
			throw new FrameError("Enhanced authentication is not supported.", reasonCode.badAuthenticationMethod);
		}
		this.cleanStart = packet.clean ?? true;
		this.sessionExpiryInterval = properties.sessionExpiryInterval ?? 0;
		this.#maximumPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
		const { properties: _, ...plainWill } = will ?? { topic: "", payload: "" };
		return generate(
			{
				...packet,
				protocolVersion: 4,
				// In 3.1.1 a session that continues, or outlives its connection, is not clean and needs a client id.
				clean: packet.clientId === "" || (this.cleanStart && this.sessionExpiryInterval === 0),
				...(will && { will: plainWill }),
				properties: undefined,
			},
			4,
		);
	}

	#properties() {
		return {
			...this.#accepted,
			maximumQoS: 1,
			retainAvailable: true,
			topicAliasMaximum: 0,
			wildcardSubscriptionAvailable: true,
			subscriptionIdentifiersAvailable: false,
			sharedSubscriptionAvailable: false,
		};
	}
}

/** A CONNACK that refuses. */
export function refusal5(code: number): Buffer {
	return Buffer.from([packetType.connack << 4, 3, 0, code, 0]);
}

/** A DISCONNECT with the reason; `undefined` when the client itself has disconnected. */
export function farewell5(
	reason: DisconnectReason | undefined,
	code = reason && DISCONNECT_CODES[reason],
): Buffer | undefined {
	return code === undefined ? undefined : Buffer.from([packetType.disconnect << 4, 2, code, 0]);
}

function parse(frame: Buffer, protocolVersion: 4 | 5): Packet {
	const parser = mqttPacket.parser({ protocolVersion });
	let parsed: Packet | undefined;
	let failure: Error | undefined;
	parser.on("packet", (packet: Packet) => {
		parsed = packet;
	});
	parser.on("error", (error: Error) => {
		failure = error;
	});
	try {
		parser.parse(frame);
	} catch (error) {
		failure = error as Error;
	}
	if (failure || !parsed) throw new FrameError("The packet is malformed.", reasonCode.malformedPacket);
	return parsed;
}

function generate(packet: Packet | object, protocolVersion: 4 | 5): Buffer {
	try {
		return mqttPacket.generate(packet as Packet, { protocolVersion });
	} catch {
		throw new FrameError("The packet is malformed.", reasonCode.malformedPacket);
	}
}
