// Encodes CBOR, and checks CBOR from the network before it is decoded, because cbor-x recurses and trusts lengths. The check
// never reads past the end and never recurses: on XS, a stack overflow is an abort that no code can catch.

import { Encoder } from "cbor-x/index-no-eval";
import { DEPTH_LIMIT, ITEMS_LIMIT, Malformed } from "./malformed.js";

/** Encodes an object as a CBOR map. */
export const encodeCbor = (value: object): Uint8Array =>
	new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true }).encode(value);

const MAP = 5;
const TAG = 6;
const BREAK = -1;

/** An open container: how many items are still to come (`BREAK`: until a break). */
interface Open {
	left: number;
	readonly isMap: boolean;
	/** Number of items seen so far, which tells whether the next item of a map is a key or a value. */
	seen: number;
}

/**
 * Checks that `bytes` is one well-formed CBOR map (RFC 8949) without tags, nested at most 4 deep, with at most 512 items and
 * nothing after it. Returns the bytes with all strings converted to definite length, because cbor-x cannot read strings of
 * indefinite length. `entries` is the number of pairs in the outermost map: a decoder that finds fewer has seen a duplicate
 * key.
 * @throws Malformed
 */
export function checkCbor(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly entries: number } {
	const open: Open[] = [];
	// Created at the first string of indefinite length. Converting a string never makes it longer, so the input's size is
	// enough.
	let copy: Uint8Array | undefined;
	let written = 0;
	let at = 0;

	const need = (count: number): void => {
		if (count > bytes.length - at) throw new Malformed("CBOR ends too early");
	};
	const keep = (from: number, to: number): void => {
		if (copy !== undefined) {
			copy.set(bytes.subarray(from, to), written);
			written += to - from;
		}
	};
	const readArgument = (info: number): number => {
		if (info < 24) return info;
		if (info > 27) throw new Malformed("CBOR has a reserved length");
		const size = 1 << (info - 24);
		need(size);
		let value = 0;
		for (let i = 0; i < size; i++) value = value * 256 + bytes[at++]!;
		return value;
	};
	// Returns the total length of the chunks of a string of indefinite length, and copies them to `copyTo`.
	const chunks = (major: number, copyTo?: Uint8Array): number => {
		let total = 0;
		for (;;) {
			need(1);
			const head = bytes[at++]!;
			if (head === 0xff) return total;
			if (head >> 5 !== major || (head & 31) === 31) throw new Malformed("CBOR string has a foreign chunk");
			const length = readArgument(head & 31);
			need(length);
			if (copyTo !== undefined) copyTo.set(bytes.subarray(at, at + length), written + total);
			at += length;
			total += length;
		}
	};
	const indefiniteString = (major: number): void => {
		const first = at;
		if (copy === undefined) {
			// Not slice(), because on a Node Buffer that does not copy.
			copy = new Uint8Array(bytes);
			written = at - 1;
		}
		const length = chunks(major);
		if (length < 24) copy[written++] = (major << 5) | length;
		else if (length < 256) {
			copy[written++] = (major << 5) | 24;
			copy[written++] = length;
		} else if (length < 65_536) {
			copy[written++] = (major << 5) | 25;
			copy[written++] = length >> 8;
			copy[written++] = length & 255;
		} else throw new Malformed("CBOR string is too long");
		at = first;
		written += chunks(major, copy);
	};

	if (bytes.length === 0 || bytes[0]! >> 5 !== MAP) throw new Malformed("CBOR is not a map");
	let entries = 0;
	let items = 0;
	do {
		need(1);
		items += 1;
		if (items > ITEMS_LIMIT) throw new Malformed("CBOR has too many items");
		const from = at;
		const head = bytes[at++]!;
		const major = head >> 5;
		const info = head & 31;
		const parent = open[open.length - 1];

		if (head === 0xff) {
			if (parent === undefined || parent.left !== BREAK || (parent.isMap && parent.seen % 2 === 1))
				throw new Malformed("CBOR breaks off");
			parent.left = 0;
			keep(from, at);
		} else {
			if (parent !== undefined) {
				parent.seen += 1;
				if (parent.left !== BREAK) parent.left -= 1;
			}
			if (info === 31 && (major === 2 || major === 3)) indefiniteString(major);
			else if (major === 4 || major === MAP) {
				if (open.length === DEPTH_LIMIT) throw new Malformed("CBOR nests too deep");
				const count = info === 31 ? BREAK : readArgument(info) * (major === MAP ? 2 : 1);
				// Each item takes at least one byte. A larger count would only make a decoder reserve memory.
				if (count !== BREAK) need(count);
				open.push({ left: count, isMap: major === MAP, seen: 0 });
				keep(from, at);
			} else if (major === TAG || info === 31) throw new Malformed("CBOR has a tag or a stray break");
			else {
				const argument = readArgument(info);
				// RFC 8949, 3.3: the two-byte form of a simple value below 32 is not well-formed.
				if (head === 0xf8 && argument < 32) throw new Malformed("CBOR has a reserved simple value");
				if (major === 2 || major === 3) {
					need(argument);
					at += argument;
				}
				keep(from, at);
			}
		}
		while (open.length > 0 && open[open.length - 1]!.left === 0) {
			const closed = open.pop()!;
			if (open.length === 0) entries = closed.seen / 2;
		}
	} while (open.length > 0);
	if (at !== bytes.length) throw new Malformed("CBOR is followed by more bytes");
	return { bytes: copy === undefined ? bytes : copy.subarray(0, written), entries };
}
