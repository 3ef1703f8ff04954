// Payloads of the provisioning API in JSON and CBOR. Shares no code with the codec of devices, since then an error would be in
// both and nobody would notice.

import { encode } from "cborg";
import { isObject } from "../base/object.js";
import type { Settings } from "../base/settings.js";
import { decodeCbor } from "./cbor.js";

/** Encoding of a provisioning exchange: the last level of its topic. */
export type Encoding = "json" | "cbor";

/** A member of a reply. */
export type ReplyValue = string | number | ReadonlyMap<string, string>;

/** Reads a request. An empty payload is an empty map. @throws Error when it is not in this encoding */
export function decodeRequest(encoding: Encoding, payload: Uint8Array): unknown {
	if (payload.length === 0) return new Map();
	if (encoding === "cbor") return decodeCbor(payload);
	// Objects become Maps, so that no name can be mistaken for one of Object's own members.
	const toMap = (value: unknown): unknown =>
		isObject(value) ? new Map(Object.entries(value).map(([key, member]) => [key, toMap(member)])) : value;
	return toMap(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)));
}

/** Writes a reply, as the settings for CBOR and padding say. */
export function encodeReply(
	encoding: Encoding,
	members: readonly (readonly [string, ReplyValue])[],
	settings: Pick<Settings, "cbor" | "reply">,
): Uint8Array {
	const { padTo } = settings.reply;
	const ordered = settings.cbor.reverseMembers ? [...members].reverse() : [...members];
	let bytes = encodeMembers(encoding, ordered, settings.cbor.indefinite);
	if (padTo > bytes.length) {
		// The padding needs some bytes for itself: try, then correct.
		const padded = (length: number) =>
			encodeMembers(encoding, [...ordered, ["padding", " ".repeat(length)]], settings.cbor.indefinite);
		const empty = padded(0).length;
		bytes = padded(Math.max(0, padTo - empty));
		if (bytes.length > padTo) bytes = padded(Math.max(0, padTo - empty - (bytes.length - padTo)));
	}
	return bytes;
}

function encodeMembers(
	encoding: Encoding,
	members: readonly (readonly [string, ReplyValue])[],
	indefinite: boolean,
): Uint8Array {
	if (encoding === "json") {
		return Buffer.from(
			JSON.stringify(
				Object.fromEntries(
					members.map(([key, value]) => [key, value instanceof Map ? Object.fromEntries(value) : value]),
				),
			),
		);
	}
	return indefinite
		? encodeIndefinite(new Map(members))
		: Buffer.concat([mapHead(members.length), ...members.flat().map(encodeValue)]);
}

// Builds maps itself, because cborg sorts keys.
function encodeValue(value: ReplyValue): Uint8Array {
	if (typeof value === "string" || typeof value === "number") return encode(value);
	return Buffer.concat([mapHead(value.size), ...[...value].flat().map((part) => encode(part))]);
}

/** RFC 8949 section 3.1, major type 5. */
function mapHead(length: number): Uint8Array {
	if (length < 24) return Uint8Array.of(0xa0 | length);
	return length < 256 ? Uint8Array.of(0xb8, length) : Uint8Array.of(0xb9, length >> 8, length & 0xff);
}

/** Writes maps and texts in indefinite length, texts in two pieces (RFC 8949 section 3.2). */
function encodeIndefinite(value: string | number | ReadonlyMap<string, ReplyValue>): Uint8Array {
	if (typeof value === "number") return encode(value);
	if (typeof value !== "string") {
		const parts = [...value].flat().map((part) => encodeIndefinite(part));
		return Buffer.concat([Uint8Array.of(0xbf), ...parts, Uint8Array.of(0xff)]);
	}
	let middle = Math.ceil(value.length / 2);
	// A character of two code units is no text in halves.
	if (/^[\uDC00-\uDFFF]/.test(value.slice(middle))) middle--;
	return Buffer.concat([
		Uint8Array.of(0x7f),
		encode(value.slice(0, middle)),
		encode(value.slice(middle)),
		Uint8Array.of(0xff),
	]);
}
