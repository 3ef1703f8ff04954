// Reads and writes the part of DER (ITU-T X.690) that certificates and keys need. Never recurses, never reads past the end.

import { Malformed } from "../base/malformed.js";

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const OBJECT_IDENTIFIER = 0x06;
export const SEQUENCE = 0x30;

/** The deepest nesting of elements that is accepted. Certificates have at most eight levels. Each open level takes memory. */
const DEEPEST = 16;

/** Reads the elements of one nesting level in order. */
export class DerReader {
	readonly #bytes: Uint8Array;
	#at = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	get atEnd(): boolean {
		return this.#at === this.#bytes.length;
	}

	/** The tag of the next element, 0 at the end. */
	get nextTag(): number {
		return this.#bytes[this.#at] ?? 0;
	}

	/** The contents of the next element, which must have this tag; a view, not a copy. @throws Malformed */
	read(tag: number): Uint8Array {
		if (this.nextTag !== tag) throw new Malformed("DER has another element than it should");
		const range = contents(this.#bytes, this.#at, this.#bytes.length);
		this.#at = range[1];
		return this.#bytes.subarray(range[0], range[1]);
	}

	/** Like `read`, but including tag and length. @throws Malformed */
	readElement(tag: number): Uint8Array {
		const from = this.#at;
		this.read(tag);
		return this.#bytes.subarray(from, this.#at);
	}

	/** The content of the next element, a BIT STRING of whole bytes; a view, not a copy. @throws Malformed */
	readBits(): Uint8Array {
		const bits = this.read(BIT_STRING);
		if (bits[0] !== 0) throw new Malformed("DER has a bit string that is not whole bytes");
		return bits.subarray(1);
	}

	/** Checks that there are no more elements. @throws Malformed */
	end(): void {
		if (!this.atEnd) throw new Malformed("DER is followed by more bytes");
	}
}

/**
 * Where the contents of the element at `at` begin and end, which must be within `limit`. Callers read the result by index,
 * because destructuring an array takes XS ten times as long.
 * @throws Malformed
 */
function contents(bytes: Uint8Array, at: number, limit: number): [from: number, to: number] {
	let from = at + 1;
	let length = from < limit ? bytes[from++]! : -1;
	if (length >= 0x80) {
		const size = length & 0x7f;
		if (size === 0 || size > 2 || size > limit - from) throw new Malformed("DER has a bad length");
		length = bytes[from++]!;
		if (size === 2) length = length * 256 + bytes[from++]!;
		if (length < (size === 1 ? 0x80 : 0x100)) throw new Malformed("DER has a length too long");
	}
	if (length < 0 || length > limit - from) throw new Malformed("DER ends too early");
	return [from, from + length];
}

/** Checks that nested elements exactly fill the elements around them, at most sixteen levels deep. @throws Malformed */
export function checkDer(bytes: Uint8Array): void {
	const ends = [bytes.length];
	for (let at = 0; at < bytes.length; ) {
		const constructed = (bytes[at]! & 0x20) !== 0;
		const range = contents(bytes, at, ends[ends.length - 1]!);
		const to = range[1];
		if (constructed && to > range[0] && ends.push(to) > DEEPEST) throw new Malformed("DER is nested too deep");
		at = constructed ? range[0] : to;
		while (ends.length > 1 && at === ends[ends.length - 1]) ends.pop();
	}
}

/** A reader for the contents of the only element in `bytes`, which must have this tag. @throws Malformed */
export function openDer(bytes: Uint8Array, tag: number): DerReader {
	const outer = new DerReader(bytes);
	const contents = outer.read(tag);
	outer.end();
	return new DerReader(contents);
}

/** An element with this tag and these contents. */
export function encodeDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
	let length = 0;
	for (const part of contents) length += part.length;
	const header =
		length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
	const bytes = new Uint8Array(header.length + length);
	bytes.set(header);
	let at = header.length;
	for (const part of contents) {
		bytes.set(part, at);
		at += part.length;
	}
	return bytes;
}

/** A BIT STRING of these bytes. */
export const encodeBits = (bytes: Uint8Array): Uint8Array => encodeDer(BIT_STRING, Uint8Array.of(0), bytes);

/**
 * Whether two byte strings are equal. Compares four bytes at a time, because the check of a new certificate waits for it. Do
 * not use it for secrets that an attacker can guess at, because it stops at the first difference.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
	const { length } = a;
	if (length !== b.length) return false;
	const these = new DataView(a.buffer, a.byteOffset, length);
	const those = new DataView(b.buffer, b.byteOffset, length);
	let at = 0;
	for (; at + 4 <= length; at += 4) if (these.getInt32(at) !== those.getInt32(at)) return false;
	for (; at < length; at++) if (a[at] !== b[at]) return false;
	return true;
}
