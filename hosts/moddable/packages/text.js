// UTF-8 for XS, which has String.fromArrayBuffer and ArrayBuffer.fromString instead of TextDecoder and TextEncoder.
// Never leaves an object of native kind at module scope: that cannot be preloaded.

/**
 * The text of `bytes` (Uint8Array). Throws TypeError when they are not UTF-8.
 * XS ends a string at a zero byte, so text that holds one is put together from its parts.
 */
export function textOf(bytes) {
	let zero = bytes.indexOf(0);
	if (zero < 0) return String.fromArrayBuffer(bytes.buffer, bytes.byteOffset, bytes.length);
	let text = "";
	let start = 0;
	for (; zero >= 0; zero = bytes.indexOf(0, start)) {
		text += `${String.fromArrayBuffer(bytes.buffer, bytes.byteOffset + start, zero - start)}\0`;
		start = zero + 1;
	}
	return text + String.fromArrayBuffer(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
}

/** The bytes of `text`, as a new Uint8Array. XS writes U+0000 as C0 80, which is not UTF-8: it becomes a zero byte. */
export function bytesOf(text) {
	const bytes = new Uint8Array(ArrayBuffer.fromString(text));
	let end = bytes.indexOf(0xc0);
	if (end < 0) return bytes;
	for (let i = end; i < bytes.length; i++) {
		bytes[end++] = bytes[i] === 0xc0 ? 0 : bytes[i];
		if (bytes[i] === 0xc0) i++;
	}
	return bytes.subarray(0, end);
}

/** `decode(Uint8Array)` of UTF-8; a label other than that and options are refused. */
export class TextDecoder {
	constructor(label = "utf-8", options) {
		if (label !== "utf-8" || options) throw new TypeError("TextDecoder: only utf-8 without options is provided");
	}
	decode(bytes, options) {
		if (options) throw new TypeError("TextDecoder.decode: options are not provided");
		return textOf(bytes);
	}
}

/** `encodeInto(text, Uint8Array)`: throws RangeError when there is no room for all of it. */
export class TextEncoder {
	encode() {
		throw new TypeError("TextEncoder.encode is not provided");
	}
	encodeInto(text, target) {
		const bytes = bytesOf(text);
		target.set(bytes);
		return { read: text.length, written: bytes.length };
	}
}
