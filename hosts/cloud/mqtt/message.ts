// A message on its way through the broker, and how it looks as a PUBLISH to a client. Properties that MQTT 5 passes on are kept as
// the bytes that came, so their order stays; nothing here reads a payload.

import { packetType } from "./frames.js";
import { propertyId } from "./properties.js";

/** A message. `qos` and `retain` are the publisher's. */
export interface Message {
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly qos: 0 | 1;
	readonly retain: boolean;
	/** The properties that are passed on, encoded as MQTT 5 has them, without their length. */
	readonly properties?: Uint8Array;
	/** ms since 1970: from then on nobody gets it. */
	readonly expiresAt?: number;
}

/** What differs from one delivery of a message to another. */
export interface Delivery {
	readonly level: 4 | 5;
	readonly qos: 0 | 1;
	readonly retain: boolean;
	/** With QoS 1. */
	readonly packetId?: number;
	/** MQTT 5: stands for the topic, which is sent along only when it is `newAlias`. */
	readonly alias?: number;
	readonly newAlias?: boolean;
	/** ms since 1970. */
	readonly now: number;
}

/** Bytes of all that the broker holds for later, so that sessions, retained messages and wills share one bound. */
export class Room {
	readonly #limit: () => number;
	#held = 0;

	constructor(limit: () => number) {
		this.#limit = limit;
	}

	/** Bytes held. */
	get held(): number {
		return this.#held;
	}

	/** Whether a message fits. */
	fits(message: Message): boolean {
		return this.#held + sizeOf(message) <= this.#limit();
	}

	/** Counts a message. */
	take(message: Message): void {
		this.#held += sizeOf(message);
	}

	/** Counts it no more. */
	free(message: Message): void {
		this.#held -= sizeOf(message);
	}
}

/** About how many bytes a message takes. */
function sizeOf({ topic, payload, properties }: Message): number {
	return 200 + topic.length + payload.length + (properties?.length ?? 0);
}

/** Whether a message has expired. */
export function isExpired({ expiresAt }: Message, now: number): boolean {
	return expiresAt !== undefined && expiresAt <= now;
}

/** The same message in memory of its own: what comes from a socket is a piece of a larger chunk, which would be held as well. */
export function detached(message: Message): Message {
	const { payload, properties } = message;
	return { ...message, payload: Buffer.from(payload), ...(properties && { properties: Buffer.from(properties) }) };
}

/** A message as a PUBLISH. */
export function encodePublish(message: Message, delivery: Delivery): Buffer {
	const { payload, properties, expiresAt } = message;
	const { level, qos, packetId, alias, newAlias } = delivery;
	const topic = alias !== undefined && !newAlias ? "" : message.topic;
	const topicLength = Buffer.byteLength(topic);
	const propertiesLength =
		level === 4 ? 0 : (properties?.length ?? 0) + (expiresAt === undefined ? 0 : 5) + (alias === undefined ? 0 : 3);
	const length =
		2 +
		topicLength +
		(qos > 0 ? 2 : 0) +
		(level === 5 ? varintLength(propertiesLength) + propertiesLength : 0) +
		payload.length;
	const bytes = Buffer.allocUnsafe(1 + varintLength(length) + length);
	let at = bytes.writeUInt8((packetType.publish << 4) | (qos << 1) | (delivery.retain ? 1 : 0), 0);
	at = writeVarint(bytes, length, at);
	at = bytes.writeUInt16BE(topicLength, at);
	at += bytes.write(topic, at);
	if (qos > 0) at = bytes.writeUInt16BE(packetId!, at);
	if (level === 5) {
		at = writeVarint(bytes, propertiesLength, at);
		if (expiresAt !== undefined) {
			at = bytes.writeUInt8(propertyId.messageExpiryInterval, at);
			at = bytes.writeUInt32BE(Math.min(Math.max(1, Math.ceil((expiresAt - delivery.now) / 1000)), 0xffff_ffff), at);
		}
		if (alias !== undefined) {
			at = bytes.writeUInt8(propertyId.topicAlias, at);
			at = bytes.writeUInt16BE(alias, at);
		}
		if (properties) {
			bytes.set(properties, at);
			at += properties.length;
		}
	}
	bytes.set(payload, at);
	return bytes;
}

function varintLength(value: number): number {
	return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

function writeVarint(bytes: Buffer, value: number, at: number): number {
	let left = value;
	while (left >= 0x80) {
		bytes[at++] = (left & 0x7f) | 0x80;
		left >>>= 7;
	}
	bytes[at++] = left;
	return at;
}
