// Converts PEM text (RFC 7468) to DER and back. Parses strictly: rejects everything that is not valid PEM.

import { Malformed } from "../base/malformed.js";
import { textEncoder } from "../base/utf8.js";

/** The label and the contents of a block. */
export interface PemBlock {
	readonly label: string;
	readonly der: Uint8Array;
}

const BEGIN = "-----BEGIN ";
const DASHES = "-----";

/**
 * Decodes the first block of `text`. Only more blocks (a certificate chain) may follow it. Lines may have any length, and
 * end in `\n` or `\r\n`.
 * @throws Malformed
 */
export function decodePem(text: string): PemBlock {
	if (!text.startsWith(BEGIN)) throw new Malformed("PEM does not begin with BEGIN");
	const labelEnd = text.indexOf(DASHES, BEGIN.length);
	if (labelEnd < 0 || labelEnd > BEGIN.length + 40) throw new Malformed("PEM has no label");
	const label = text.slice(BEGIN.length, labelEnd);
	const end = `${DASHES}END ${label}${DASHES}`;
	const bodyStart = labelEnd + DASHES.length;
	const bodyEnd = text.indexOf(end, bodyStart);
	if (bodyEnd < 0) throw new Malformed("PEM has no END of its kind");
	const after = text.slice(bodyEnd + end.length, bodyEnd + end.length + BEGIN.length + 2).trimStart();
	if (after !== "" && !after.startsWith(BEGIN.trimEnd())) throw new Malformed("PEM is followed by something else");
	const der = decodeBase64(text, bodyStart, bodyEnd);
	if (der.length === 0) throw new Malformed("PEM is empty");
	return { label, der };
}

/** Encodes a block in lines of 64 characters. Slow, so it is meant for short blocks. */
export function encodePem(label: string, der: Uint8Array): string {
	let body = "";
	for (let at = 0; at < der.length; at += 3) {
		if (at % 48 === 0) body += "\n";
		const group = (der[at]! << 16) | ((der[at + 1] ?? 0) << 8) | (der[at + 2] ?? 0);
		for (let symbol = 0; symbol < 4; symbol++)
			body += at + symbol <= der.length ? SYMBOLS[(group >> (18 - 6 * symbol)) & 63] : "=";
	}
	return `${BEGIN}${label}${DASHES}${body}\n${DASHES}END ${label}${DASHES}\n`;
}

/** Uint8Array.fromBase64 of ES2026. XS in the Moddable SDK has it; other engines may not. */
type FromBase64 = (text: string, options: { readonly lastChunkHandling: "strict" }) => Uint8Array;

/** Decodes the base64 (RFC 4648, section 4) in `text` from `start` to `end`. Whitespace is skipped. @throws Malformed */
function decodeBase64(text: string, start: number, end: number): Uint8Array {
	const { fromBase64 } = Uint8Array as { fromBase64?: FromBase64 };
	if (fromBase64 === undefined) return decodeSymbols(text, start, end);
	try {
		return fromBase64(text.slice(start, end), { lastChunkHandling: "strict" });
	} catch {
		throw notBase64();
	}
}

const notBase64 = (): Malformed => new Malformed("PEM has what is not base64");

/** How many characters are decoded at a time. More would take more memory. */
const PIECE = 128;
/** Whitespace that is allowed between symbols. */
const BLANKS = Object.freeze(["\n", "\r", " ", "\t"]);
const SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** The six-bit value of each ASCII character, -1 for characters that are not base64 symbols. */
const SEXTETS = Object.freeze(Array.from({ length: 128 }, (_, c) => SYMBOLS.indexOf(String.fromCharCode(c))));

/**
 * Does what `fromBase64` does. Works on bytes, and on four symbols at a time, to be fast enough: XS stores text as UTF-8,
 * and counts from its start to find a character.
 */
function decodeSymbols(text: string, start: number, end: number): Uint8Array {
	const tail = text.slice(Math.max(start, end - 8), end);
	let [last, padding] = [end, 0];
	for (let at = tail.length - 1; at >= 0 && /[=\s]/.test(tail[at]!); at--, last--) if (tail[at] === "=") padding += 1;
	// Each group is written as four bytes; the next group overwrites the fourth.
	const decoded = new DataView(new ArrayBuffer((((end - start) * 3) >> 2) + 4));
	const encode = textEncoder();
	let size = 0;
	let symbols = "";
	for (let at = start; at < last; at += PIECE) {
		symbols += text.slice(at, Math.min(at + PIECE, last));
		for (const blank of BLANKS) if (symbols.includes(blank)) symbols = symbols.replaceAll(blank, "");
		const whole = symbols.length & ~3;
		decodeGroups(encode(symbols.slice(0, whole)), whole, decoded, size);
		size += (whole >> 2) * 3;
		symbols = symbols.slice(whole);
	}
	if (padding > 2 || symbols.length + padding !== (padding && 4)) throw new Malformed("PEM is cut short");
	if (padding > 0) {
		// The missing symbols are decoded as zeros, and the spare bits must be zero.
		const group = decodeGroups(encode(symbols + "AA".slice(0, padding)), 4, decoded, size);
		if ((group & ((1 << (8 * padding)) - 1)) !== 0) throw new Malformed("PEM has bits to spare");
		size += 3 - padding;
	}
	return new Uint8Array(decoded.buffer, 0, size);
}

/**
 * Decodes `count` symbols in groups of four, writes their bytes at offset `to`, and returns the bits of the last group.
 * @param bytes the symbols in UTF-8: more bytes than symbols mean a character that is none
 */
function decodeGroups(bytes: Uint8Array, count: number, decoded: DataView, to: number): number {
	const { length } = bytes;
	if (length !== count) throw notBase64();
	const view = new DataView(bytes.buffer, bytes.byteOffset, length);
	const sextets = SEXTETS;
	let group = 0;
	let put = to;
	for (let at = 0; at < length; at += 4) {
		const word = view.getInt32(at);
		group =
			(sextets[word >>> 24]! << 18) |
			(sextets[(word >>> 16) & 0xff]! << 12) |
			(sextets[(word >>> 8) & 0xff]! << 6) |
			sextets[word & 0xff]!;
		if (group < 0) throw notBase64();
		decoded.setInt32(put, group << 8);
		put += 3;
	}
	return group;
}
