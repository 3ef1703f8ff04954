// Decodes PEM text (RFC 7468) to DER bytes. Strict: refuses whatever is not exactly PEM.

import { Malformed } from "../base/malformed.js";

/** The block's label and its bytes. */
export interface PemBlock {
	readonly label: string;
	readonly der: Uint8Array;
}

const BEGIN = "-----BEGIN ";
const DASHES = "-----";

/**
 * The first block of `text`. More blocks (a chain) may follow it, but nothing else.
 * Lines may have any length, and end in `\n` or `\r\n`.
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
	return { label, der: decodeBase64(text, bodyStart, bodyEnd) };
}

/** Decodes base64 (RFC 4648, section 4) in `text` from `start` to `end`. Blanks and line ends are skipped. @throws Malformed */
function decodeBase64(text: string, start: number, end: number): Uint8Array {
	let symbols = 0;
	let padding = 0;
	for (let i = start; i < end; i++) {
		const c = text.charCodeAt(i);
		if (isBlank(c)) continue;
		if (c === 0x3d) padding += 1;
		else if (padding > 0 || sextet(c) < 0) throw new Malformed("PEM has what is not base64");
		else symbols += 1;
	}
	if (symbols === 0 || padding > 2 || (symbols + padding) % 4 !== 0) throw new Malformed("PEM is cut short");
	const bytes = new Uint8Array((symbols * 3) >> 2);
	let written = 0;
	let bits = 0;
	let count = 0;
	for (let i = start; i < end; i++) {
		const value = sextet(text.charCodeAt(i));
		if (value < 0) continue;
		bits = (bits << 6) | value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			bytes[written++] = bits >> count;
			bits &= (1 << count) - 1;
		}
	}
	if (bits !== 0) throw new Malformed("PEM has bits to spare");
	return bytes;
}

const isBlank = (c: number): boolean => c === 0x0a || c === 0x0d || c === 0x20 || c === 0x09;

function sextet(c: number): number {
	if (c >= 0x41 && c <= 0x5a) return c - 0x41;
	if (c >= 0x61 && c <= 0x7a) return c - 0x61 + 26;
	if (c >= 0x30 && c <= 0x39) return c - 0x30 + 52;
	if (c === 0x2b) return 62;
	if (c === 0x2f) return 63;
	return -1;
}
