// PEM text (RFC 7468) to DER bytes. Strict: what is not exactly one block of the kind asked for is refused.

import { Malformed } from "../base/malformed.js";
import { encodeText } from "../base/utf8.js";

/** The block's label and its bytes. */
export interface PemBlock {
	readonly label: string;
	readonly der: Uint8Array;
}

const BEGIN = "-----BEGIN ";
const DASHES = "-----";

/**
 * The first block of `text`; more blocks (a chain) may follow, anything else may not.
 * Lines may end in `\n` or `\r\n` and be of any length.
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
	return { label, der: decodeBase64(text.slice(bodyStart, bodyEnd)) };
}

/** Uint8Array.fromBase64 of ES2026: XS has it in the Moddable SDK, other engines may not. */
type FromBase64 = (text: string, options: { readonly lastChunkHandling: "strict" }) => Uint8Array;

/** Base64 (RFC 4648, section 4); blanks and line ends are passed over. */
function decodeBase64(text: string): Uint8Array {
	const { fromBase64 = decodeSymbols } = Uint8Array as { fromBase64?: FromBase64 };
	let bytes: Uint8Array;
	try {
		bytes = fromBase64(text, { lastChunkHandling: "strict" });
	} catch (error) {
		throw error instanceof Malformed ? error : new Malformed("PEM has what is not base64");
	}
	if (bytes.length === 0) throw new Malformed("PEM is empty");
	return bytes;
}

/** What may stand between the symbols of base64. */
const BLANKS = Object.freeze(["\n", "\r", " ", "\t"]);
const SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** The six bits that each ASCII character stands for, -1 for what is no symbol. */
const SEXTETS = Object.freeze(Array.from({ length: 128 }, (_, c) => SYMBOLS.indexOf(String.fromCharCode(c))));

/**
 * What `fromBase64` does. Works on bytes and four symbols at a time, since it stands between a certificate and its place in flash:
 * XS keeps text as UTF-8 and counts from its beginning to find a character.
 */
function decodeSymbols(body: string): Uint8Array {
	let text = body;
	for (const blank of BLANKS) if (text.includes(blank)) text = text.replaceAll(blank, "");
	const { length } = text;
	const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
	// Padding is read as zeros, which is what it must leave behind.
	const symbols = encodeText(text.slice(0, length - padding) + "AA".slice(0, padding));
	if (length % 4 !== 0 || symbols.length !== length) throw new Malformed("PEM is cut short, or is not ASCII");
	const from = new DataView(symbols.buffer, symbols.byteOffset, length);
	// A group is put down as four bytes; the next one overwrites the fourth.
	const size = (length >> 2) * 3;
	const decoded = new DataView(new ArrayBuffer(size + 1));
	const sextets = SEXTETS;
	let group = 0;
	for (let at = 0, to = 0; at < length; at += 4, to += 3) {
		const word = from.getInt32(at);
		group =
			(sextets[word >>> 24]! << 18) |
			(sextets[(word >>> 16) & 0xff]! << 12) |
			(sextets[(word >>> 8) & 0xff]! << 6) |
			sextets[word & 0xff]!;
		if (group < 0) throw new Malformed("PEM has what is not base64");
		decoded.setInt32(to, group << 8);
	}
	if ((group & ((1 << (8 * padding)) - 1)) !== 0) throw new Malformed("PEM has bits to spare");
	return new Uint8Array(decoded.buffer.slice(0, size - padding));
}
