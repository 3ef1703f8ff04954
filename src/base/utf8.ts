// Converts text to UTF-8 and back, for which ECMAScript has no function.

import { Decoder, Encoder } from "cbor-x/index-no-eval";

/** The length of a character beyond U+FFFF: a surrogate pair, but in XS one character like any other. */
const ASTRAL = String.fromCodePoint(0x1_0000).length;

/** The UTF-8 bytes of a text. Unpaired surrogates become U+FFFD. */
export function toUtf8(text: string): Uint8Array {
	// Does not use the CBOR encoder, because this runs deep in the stack for the topic of every packet.
	const bytes = new Uint8Array(utf8Length(text));
	let at = 0;
	for (let i = 0; i < text.length; i++) {
		let code = text.codePointAt(i)!;
		if (code > 0xffff) i += ASTRAL - 1;
		else if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
		if (code < 0x80) bytes[at++] = code;
		else {
			if (code < 0x800) bytes[at++] = 0xc0 | (code >> 6);
			else {
				if (code < 0x1_0000) bytes[at++] = 0xe0 | (code >> 12);
				else {
					bytes[at++] = 0xf0 | (code >> 18);
					bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
				}
				bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
			}
			bytes[at++] = 0x80 | (code & 0x3f);
		}
	}
	return bytes;
}

/** The length of `toUtf8(text)` in bytes. */
export function utf8Length(text: string): number {
	let length = text.length;
	for (let i = 0; i < text.length; i++) {
		const code = text.codePointAt(i)!;
		if (code < 0x80) continue;
		length += code < 0x800 ? 1 : code > 0xffff ? 4 - ASTRAL : 2;
		if (code > 0xffff) i += ASTRAL - 1;
	}
	return length;
}

/**
 * Returns a function that does the same as `toUtf8`, but faster for long text: it encodes a CBOR text string, which is UTF-8
 * after a length. Its result is a view of a buffer that the next encoding overwrites. Making the function takes longer than
 * encoding a short text.
 */
export function textEncoder(): (text: string) => Uint8Array {
	const encoder = new Encoder({ useRecords: false });
	return (text) => {
		const item = encoder.encode(text);
		const size = item[0]! & 0x1f;
		return item.subarray(size < 24 ? 1 : 1 + (1 << (size - 24)));
	};
}

/** Decodes up to 65,535 bytes of UTF-8, by decoding a CBOR text string, which is UTF-8 after a length. */
export function fromUtf8(bytes: Uint8Array): string {
	const item = new Uint8Array(3 + bytes.length);
	item.set([0x79, bytes.length >> 8, bytes.length & 0xff]);
	item.set(bytes, 3);
	return new Decoder({ useRecords: false }).decode(item);
}
