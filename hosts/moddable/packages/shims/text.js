// UTF-8 conversion with String.fromArrayBuffer and ArrayBuffer.fromString of XS. TextDecoder and TextEncoder are not
// provided: the SDK's are native, and a module with a native object at its top level cannot be preloaded.

/**
 * Decodes the UTF-8 in `bytes` (Uint8Array) from `start` up to `end`. Throws TypeError when it is not UTF-8.
 * XS ends the string at a zero byte, so text with zero bytes is decoded in parts.
 */
export function textOf(bytes, start = 0, end = bytes.length) {
	let text = String.fromArrayBuffer(bytes.buffer, bytes.byteOffset + start, end - start);
	// As many characters as bytes: there was no zero byte. This also avoids searching for one, which is slow in XS.
	if (text.length === end - start) return text;
	text = "";
	for (;;) {
		const zero = bytes.indexOf(0, start);
		const last = zero < 0 || zero >= end;
		const part = String.fromArrayBuffer(bytes.buffer, bytes.byteOffset + start, (last ? end : zero) - start);
		if (last) return text === "" ? part : text + part;
		text += `${part}\0`;
		start = zero + 1;
	}
}

/** Encodes `text` as a new Uint8Array. XS encodes U+0000 as C0 80, which is not UTF-8; it is replaced with a zero byte. */
export function bytesOf(text) {
	const bytes = new Uint8Array(ArrayBuffer.fromString(text));
	// As many bytes as characters: there is no U+0000.
	if (bytes.length === text.length) return bytes;
	let end = bytes.indexOf(0xc0);
	if (end < 0) return bytes;
	for (let i = end; i < bytes.length; i++) {
		bytes[end++] = bytes[i] === 0xc0 ? 0 : bytes[i];
		if (bytes[i] === 0xc0) i++;
	}
	return bytes.subarray(0, end);
}
