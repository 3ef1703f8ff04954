// The part of Node's Buffer that mqtt-packet uses. Device code has no Buffer: any Uint8Array counts as one, and what
// mqtt-packet makes for its own use is a plain array of numbers.

import { bytesOf } from "./text.js";

export const Buffer = Object.freeze({
	from: (numbers) => numbers,
	byteLength: (value) => (typeof value === "string" ? bytesOf(value) : value).length,
	isBuffer: (value) => value instanceof Uint8Array,
});
