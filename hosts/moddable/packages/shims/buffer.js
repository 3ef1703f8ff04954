// The part of Node's Buffer that mqtt-packet uses, as a subclass of Uint8Array. All other members of Node's Buffer throw,
// because several also exist on Uint8Array with a different meaning, and such a mistake would go unnoticed.

import { bytesOf } from "./text.js";

/** Statics: alloc, allocUnsafe, from (numbers), byteLength, isBuffer. Members: copy, write, writeUInt8, writeUInt32BE, subarray. */
export class Buffer extends Uint8Array {
	static alloc(size) {
		return new Buffer(size);
	}
	static allocUnsafe(size) {
		return new Buffer(size);
	}
	static from(numbers) {
		if (!Array.isArray(numbers)) throw new TypeError("Buffer.from: only an array of numbers is provided");
		const buffer = new Buffer(numbers.length);
		buffer.set(numbers);
		return buffer;
	}
	static byteLength(value) {
		return typeof value === "string" ? bytesOf(value).length : value.byteLength;
	}
	/** Accepts any Uint8Array, since device code has no Buffer. */
	static isBuffer(value) {
		return value instanceof Uint8Array;
	}
	copy(target, position) {
		target.set(this, position);
		return this.length;
	}
	write(text, position) {
		const bytes = bytesOf(text);
		this.set(bytes, position);
		return bytes.length;
	}
	writeUInt8(value, position) {
		this[position] = value;
		return position + 1;
	}
	writeUInt32BE(value, position) {
		new DataView(this.buffer, this.byteOffset).setUint32(position, value);
		return position + 4;
	}
}

function refuse(object, names) {
	for (const name of names.split(" "))
		Object.defineProperty(object, name, {
			get() {
				throw new TypeError(`Buffer: ${name} is not provided`);
			},
		});
}
refuse(Buffer, "allocUnsafeSlow compare concat copyBytesFrom isEncoding of poolSize");
refuse(
	Buffer.prototype,
	"compare equals fill includes indexOf lastIndexOf readUInt8 readUInt16BE readUInt32BE slice swap16 toJSON toString writeUInt16BE",
);
Object.freeze(Buffer.prototype);
