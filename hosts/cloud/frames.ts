// MQTT 3.1.1 control packets as frames: where one ends, and the few fields that must be known before the broker sees it.

/** Control packet types (MQTT 3.1.1 section 2.2.1). */
export const packetType = {
	connect: 1,
	connack: 2,
	publish: 3,
	puback: 4,
	subscribe: 8,
	suback: 9,
	unsuback: 11,
	disconnect: 14,
} satisfies Record<string, number>;

/** Bytes that are no MQTT, or more than is allowed of it. */
export class FrameError extends Error {
	override readonly name = "FrameError";
	/** Of MQTT 5, where one is known. */
	readonly reasonCode: number | undefined;

	constructor(message: string, reasonCode?: number) {
		super(message);
		this.reasonCode = reasonCode;
	}
}

/** Cuts a stream of bytes into control packets. Holds no more than one packet of the largest allowed size. */
export class FrameReader {
	#held: Buffer[] = [];
	#size = 0;
	/** Bytes without which the held ones need not be looked at again. */
	#wanted = 2;

	/** Whole packets that have come. Throws FrameError when a packet is longer than `maximum` or its length is malformed. */
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

/** Length of the first packet with its fixed header, `undefined` when that has not come whole. */
function frameLength(bytes: Buffer): number | undefined {
	let length = 0;
	for (let index = 1; index < bytes.length; index++) {
		if (index > 4) throw new FrameError("The packet's length is malformed.");
		const byte = bytes[index]!;
		length += (byte & 0x7f) * 128 ** (index - 1);
		if (byte < 0x80) return length + index + 1;
	}
	if (bytes.length > 4) throw new FrameError("The packet's length is malformed.");
	return undefined;
}

export function typeOf(frame: Buffer): number {
	return frame[0]! >> 4;
}

/** Where the variable header begins. */
function body(frame: Buffer): number {
	let index = 1;
	while (frame[index]! >= 0x80) index++;
	return index + 1;
}

function text(frame: Buffer, at: number): { readonly value: string; readonly next: number } {
	if (at + 2 > frame.length) throw new FrameError("The packet ends too early.");
	const next = at + 2 + frame.readUInt16BE(at);
	if (next > frame.length) throw new FrameError("The packet ends too early.");
	return { value: frame.toString("utf8", at + 2, next), next };
}

/** Protocol level of a CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export function readProtocolLevel(frame: Buffer): number {
	const { value, next } = text(frame, body(frame));
	if (value !== "MQTT" && value !== "MQIsdp") throw new FrameError("The protocol's name is not MQTT.");
	if (next >= frame.length) throw new FrameError("The packet ends too early.");
	return frame[next]!;
}

/** What must be known of a PUBLISH. */
export function readPublish(frame: Buffer) {
	const qos = (frame[0]! >> 1) & 3;
	const { value: topic, next } = text(frame, body(frame));
	const payloadAt = next + (qos > 0 ? 2 : 0);
	if (payloadAt > frame.length) throw new FrameError("The packet ends too early.");
	return { topic, qos, retain: (frame[0]! & 1) === 1, payloadLength: frame.length - payloadAt };
}

/** Filters of a SUBSCRIBE with the QoS asked for. */
export function readSubscribe(frame: Buffer): { readonly filter: string; readonly qos: number }[] {
	const filters: { filter: string; qos: number }[] = [];
	for (let at = body(frame) + 2; at < frame.length; ) {
		const { value: filter, next } = text(frame, at);
		if (next >= frame.length) throw new FrameError("The packet ends too early.");
		filters.push({ filter, qos: frame[next]! });
		at = next + 1;
	}
	return filters;
}

/** Packet identifier of a packet that begins with it, such as a PUBACK or a SUBSCRIBE. */
export function readPacketId(frame: Buffer): number {
	return frame.readUInt16BE(body(frame));
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
