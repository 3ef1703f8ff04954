// The part of the package bl (a list of buffers) that mqtt-packet's parser uses. It holds one piece, because the device gives
// the parser one whole packet at a time.

/** append (to an empty list), consume, length, readUInt8, readUInt16BE, slice (a view), toString. */
class BufferList {
	#bytes;
	#start = 0;
	length = 0;

	append(bytes) {
		if (this.length) throw new TypeError("bl: only one piece is provided");
		this.#bytes = bytes;
		this.#start = 0;
		this.length = bytes.length;
	}
	consume(count) {
		this.#start += count;
		this.length -= count;
	}
	readUInt8(position) {
		if (!(position < this.length)) throw new RangeError();
		return this.#bytes[this.#start + position];
	}
	readUInt16BE(position) {
		return (this.readUInt8(position) << 8) | this.readUInt8(position + 1);
	}
	slice(start, end) {
		return this.#bytes.subarray(this.#start + start, this.#start + Math.min(end, this.length));
	}
	/** Only topics are text. They must not have U+0000 (MQTT 3.1.1, 1.5.3), at which XS would end the text. */
	toString(_encoding, start, end) {
		const bytes = this.slice(start, end);
		if (bytes.includes(0)) throw new TypeError();
		return String.fromArrayBuffer(bytes.buffer, bytes.byteOffset, bytes.length);
	}
}
Object.freeze(BufferList.prototype);

export default () => new BufferList();
