// Encodes and decodes MQTT 3.1.1 packets. Received bytes are collected into one complete packet of limited size before
// mqtt-packet parses it.

import { type Packet, parser, writeToStream } from "mqtt-packet";
import { Failure } from "../base/failure.js";
import { toUtf8 } from "../base/utf8.js";

export type { Packet };

type Parser = ReturnType<typeof parser>;

// Disables a cache of all 65,536 packet ids, which would take 11 MB.
writeToStream.cacheNumbers = false;

/** Encodes a packet. @throws Error for an invalid packet, such as a PUBLISH without a topic */
export function encodePacket(packet: Packet): Uint8Array {
	// mqtt-packet's own `generate` requires a Buffer as payload; its stream interface accepts any bytes.
	const chunks: Uint8Array[] = [];
	let length = 0;
	const write = (chunk: Uint8Array | string): boolean => {
		const bytes = typeof chunk === "string" ? toUtf8(chunk) : chunk;
		chunks.push(bytes);
		length += bytes.length;
		return true;
	};
	const destroy = (error: Error): never => {
		throw error;
	};
	writeToStream(packet, { write, destroy } as unknown as Parameters<typeof writeToStream>[1]);
	const encoded = new Uint8Array(length);
	let at = 0;
	for (const chunk of chunks) {
		encoded.set(chunk, at);
		at += chunk.length;
	}
	return encoded;
}

/** Splits a byte stream into packets. */
export class PacketReader {
	readonly #limit: number;
	readonly #deliver: (packet: Packet, bytes: number) => void;
	readonly #parser = parser({ protocolVersion: 4 });
	/** Type byte and remaining length (MQTT 3.1.1, 2.2): at most five bytes. */
	readonly #header = new Uint8Array(5);
	#headerLength = 0;
	#packet: Uint8Array | undefined;
	#filled = 0;
	#error: Error | undefined;
	#parsed: Packet | undefined;

	/** Packets of more than `limit` bytes, header included, are refused before memory is allocated for them. */
	constructor(limit: number, deliver: (packet: Packet, bytes: number) => void) {
		this.#limit = limit;
		this.#deliver = deliver;
		this.#parser.on("packet", (packet: Packet) => {
			this.#parsed = packet;
		});
		this.#parser.on("error", (error: Error) => {
			this.#error = error;
		});
	}

	/**
	 * Takes the next bytes, of any length, and delivers the packets that they complete.
	 * @throws Failure PROTOCOL_ERROR, PACKET_TOO_LARGE; after either, the stream cannot be read any further
	 */
	push(bytes: Uint8Array): void {
		let at = 0;
		while (at < bytes.length) {
			if (this.#packet === undefined) {
				this.#readHeader(bytes[at++]!);
			} else {
				const count = Math.min(bytes.length - at, this.#packet.length - this.#filled);
				this.#packet.set(bytes.subarray(at, at + count), this.#filled);
				this.#filled += count;
				at += count;
			}
			if (this.#packet !== undefined && this.#filled === this.#packet.length) this.#complete(this.#packet);
		}
	}

	#readHeader(byte: number): void {
		this.#header[this.#headerLength++] = byte;
		if (this.#headerLength === 1) return;
		if (byte >= 0x80) {
			if (this.#headerLength === 5) throw new Failure("PROTOCOL_ERROR", "remaining length has five bytes");
			return;
		}
		let remaining = 0;
		for (let i = this.#headerLength - 1; i > 0; i--) remaining = remaining * 128 + (this.#header[i]! & 0x7f);
		const total = this.#headerLength + remaining;
		if (total > this.#limit) throw new Failure("PACKET_TOO_LARGE", `${total} bytes, at most ${this.#limit}`);
		this.#packet = new Uint8Array(total);
		this.#packet.set(this.#header.subarray(0, this.#headerLength));
		this.#filled = this.#headerLength;
	}

	#complete(bytes: Uint8Array): void {
		this.#packet = undefined;
		this.#headerLength = 0;
		this.#parsed = undefined;
		try {
			this.#parser.parse(bytes as Parameters<Parser["parse"]>[0]);
		} catch {
			this.#error ??= new Error();
		}
		// The parser's message is not passed on, because it may quote the packet.
		if (this.#error !== undefined || this.#parsed === undefined)
			throw new Failure("PROTOCOL_ERROR", "unreadable packet");
		const parsed = this.#parsed;
		// Released before the packet is delivered, because a reply takes kilobytes.
		this.#parsed = undefined;
		this.#deliver(parsed, bytes.length);
	}
}
