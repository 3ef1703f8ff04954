// UTF-8 by XS, which has String.fromArrayBuffer and ArrayBuffer.fromString. TextDecoder and TextEncoder are not provided:
// the SDK's are native, and a native object at module scope cannot be preloaded.

/**
 * The text that `bytes` (Uint8Array) are from `start` up to `end`. Throws TypeError when they are not UTF-8.
 * XS ends a string at a zero byte, so text that holds one is put together from its parts.
 */
export function textOf(bytes, start = 0, end = bytes.length) {
	let text = String.fromArrayBuffer(bytes.buffer, bytes.byteOffset + start, end - start);
	// As many characters as bytes: it did not end at a zero byte. (XS looks for one slowly.)
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

/** The bytes of `text`, as a new Uint8Array. XS writes U+0000 as C0 80, which is not UTF-8: it becomes a zero byte. */
export function bytesOf(text) {
	const bytes = new Uint8Array(ArrayBuffer.fromString(text));
	// As many bytes as characters: there is none of U+0000.
	if (bytes.length === text.length) return bytes;
	let end = bytes.indexOf(0xc0);
	if (end < 0) return bytes;
	for (let i = end; i < bytes.length; i++) {
		bytes[end++] = bytes[i] === 0xc0 ? 0 : bytes[i];
		if (bytes[i] === 0xc0) i++;
	}
	return bytes.subarray(0, end);
}
