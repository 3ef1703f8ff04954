// MQTT control packets as bytes: finds where one ends, reads fields without reading past its end, and reads the few fields that
// must be known before the broker sees it. packets.ts checks that a packet is well-formed.

import { isUtf8 } from "node:buffer";

/** Control packet types (MQTT 3.1.1 section 2.2.1, MQTT 5 section 2.1.2). */
export const packetType = {
	connect: 1,
	connack: 2,
	publish: 3,
	puback: 4,
	pubrec: 5,
	pubrel: 6,
	pubcomp: 7,
	subscribe: 8,
	suback: 9,
	unsubscribe: 10,
	unsuback: 11,
	pingreq: 12,
	disconnect: 14,
	auth: 15,
} satisfies Record<string, number>;

/** A client sent bytes that are not MQTT, or more than is allowed. */
export class FrameError extends Error {
	override readonly name = "FrameError";
	/** Reason code of MQTT 5, where one is known. */
	readonly reasonCode: number | undefined;

	constructor(message: string, reasonCode?: number) {
		super(message);
		this.reasonCode = reasonCode;
	}
}

/** Reason codes of MQTT 5 (section 2.4). */
export const reasonCode = {
	malformedPacket: 0x81,
	protocolError: 0x82,
	unsupportedVersion: 0x84,
	clientIdentifierNotValid: 0x85,
	notAuthorized: 0x87,
	badAuthenticationMethod: 0x8c,
	topicFilterInvalid: 0x8f,
	topicNameInvalid: 0x90,
	packetTooLarge: 0x95,
	quotaExceeded: 0x97,
	qosNotSupported: 0x9b,
	sharedSubscriptionsNotSupported: 0x9e,
	subscriptionIdentifiersNotSupported: 0xa1,
} as const;

/** Cuts a stream of bytes into control packets. Holds no more than one packet of the largest allowed size. */
export class FrameReader {
	#held: Buffer[] = [];
	#size = 0;
	/** How many bytes must be there before it is worth looking at them again. */
	#wanted = 2;

	/**
	 * Yields the packets that are whole with this chunk.
	 * @throws FrameError when a packet is longer than `maximum`, or its length is malformed
	 */
	*read(chunk: Buffer, maximum: number): Generator<Buffer> {
		this.#held.push(chunk);
		this.#size += chunk.length;
		if (this.#size < this.#wanted) return;
		let bytes = this.#held.length === 1 ? chunk : Buffer.concat(this.#held);
		let length: number | undefined;
		for (;;) {
			length = frameLength(bytes);
			if (length !== undefined && length > maximum) throw new FrameError("The packet is larger than is allowed.");
			if (length === undefined || bytes.length < length) break;
			const frame = bytes.subarray(0, length);
			bytes = bytes.subarray(length);
			yield frame;
		}
		this.#held = bytes.length > 0 ? [bytes] : [];
		this.#size = bytes.length;
		this.#wanted = length ?? bytes.length + 1;
	}
}

/** Length of the first packet with its fixed header; `undefined` while that header is not complete. */
function frameLength(bytes: Buffer): number | undefined {
	let length = 0;
	for (let index = 1; index < bytes.length; index++) {
		if (index > 4) throw new FrameError("The packet's length is malformed.", reasonCode.malformedPacket);
		const byte = bytes[index]!;
		length += (byte & 0x7f) * 128 ** (index - 1);
		if (byte < 0x80) return length + index + 1;
	}
	if (bytes.length > 4) throw new FrameError("The packet's length is malformed.", reasonCode.malformedPacket);
	return undefined;
}

/** Reads one field after the other. Every method throws FrameError instead of reading past the end. */
export class Cursor {
	readonly #bytes: Buffer;
	#at: number;

	constructor(bytes: Buffer, at = 0) {
		this.#bytes = bytes;
		this.#at = at;
	}

	/** A cursor on what follows the fixed header of a packet. */
	static body(frame: Buffer): Cursor {
		const cursor = new Cursor(frame, 1);
		while (cursor.byte() >= 0x80);
		return cursor;
	}

	/** How many bytes are left. */
	get left(): number {
		return this.#bytes.length - this.#at;
	}

	byte(): number {
		return this.take(1)[0]!;
	}

	uint16(): number {
		return this.take(2).readUInt16BE();
	}

	uint32(): number {
		return this.take(4).readUInt32BE();
	}

	/** A variable byte integer in its shortest form (MQTT 5 section 1.5.5). */
	varint(): number {
		let value = 0;
		for (let index = 0; index < 4; index++) {
			const byte = this.byte();
			value += (byte & 0x7f) * 128 ** index;
			if (byte >= 0x80) continue;
			if (byte === 0 && index > 0) break;
			return value;
		}
		throw new FrameError("A variable byte integer is malformed.", reasonCode.malformedPacket);
	}

	/** Bytes with their length before them. */
	binary(): Buffer {
		return this.take(this.uint16());
	}

	/** A UTF-8 string with its length before it, without U+0000 (MQTT 3.1.1 section 1.5.3). */
	text(): string {
		const bytes = this.binary();
		if (!isUtf8(bytes) || bytes.includes(0))
			throw new FrameError("A text is not UTF-8, or has U+0000.", reasonCode.malformedPacket);
		return bytes.toString();
	}

	take(length: number): Buffer {
		if (length > this.left) throw new FrameError("The packet ends too early.", reasonCode.malformedPacket);
		this.#at += length;
		return this.#bytes.subarray(this.#at - length, this.#at);
	}

	/** A cursor on the next `length` bytes alone. */
	part(length: number): Cursor {
		return new Cursor(this.take(length));
	}
}

export function typeOf(frame: Uint8Array): number {
	return frame[0]! >> 4;
}

/** Whether it is a PUBLISH with QoS 0, which need not arrive. */
export function isQos0Publish(frame: Uint8Array): boolean {
	return typeOf(frame) === packetType.publish && (frame[0]! & 6) === 0;
}

/** Protocol level of a CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export function readProtocolLevel(frame: Buffer): number {
	const cursor = Cursor.body(frame);
	const name = cursor.text();
	if (name !== "MQTT" && name !== "MQIsdp") throw new FrameError("The protocol's name is not MQTT.");
	return cursor.byte();
}

/** What must be known of a PUBLISH of MQTT 3.1.1. `packetId` is absent for QoS 0. */
export function readPublish(frame: Buffer) {
	const qos = (frame[0]! >> 1) & 3;
	const cursor = Cursor.body(frame);
	const topic = cursor.text();
	const packetId = qos > 0 ? cursor.uint16() : undefined;
	return { topic, qos, packetId, retain: (frame[0]! & 1) === 1, payloadLength: cursor.left };
}

/** Filters of a SUBSCRIBE of MQTT 3.1.1 with the QoS asked for. */
export function readSubscribe(frame: Buffer): { readonly filter: string; readonly qos: number }[] {
	const filters: { filter: string; qos: number }[] = [];
	const cursor = Cursor.body(frame);
	for (cursor.uint16(); cursor.left > 0; ) {
		const filter = cursor.text();
		filters.push({ filter, qos: cursor.byte() });
	}
	return filters;
}

/** Packet identifier of a packet that begins with it, such as a PUBACK or a SUBSCRIBE. */
export function readPacketId(frame: Buffer): number {
	return Cursor.body(frame).uint16();
}

/** A CONNACK that refuses, MQTT 3.1.1 section 3.2. */
export function refusal(returnCode: number): Buffer {
	return Buffer.from([0x20, 2, 0, returnCode]);
}

/** Whether a topic filter matches a topic. AWS differs from MQTT: `sensor/#` does not match `sensor`. */
export function filterMatches(filter: string, topic: string): boolean {
	const wanted = filter.split("/");
	const levels = topic.split("/");
	if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
	for (const [index, level] of wanted.entries()) {
		if (level === "#") return levels.length > index;
		if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
	}
	return wanted.length === levels.length;
}
