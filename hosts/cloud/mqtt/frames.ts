// MQTT control packets as bytes: finds where one ends, and reads fields without reading past its end. packets.ts knows what the
// fields mean.

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
	pingresp: 13,
	disconnect: 14,
	auth: 15,
} as const;

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
	receiveMaximumExceeded: 0x93,
	topicAliasInvalid: 0x94,
	quotaExceeded: 0x97,
	qosNotSupported: 0x9b,
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

	/** Where the next byte is. */
	get at(): number {
		return this.#at;
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
