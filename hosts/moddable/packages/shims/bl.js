// The part of the package bl (a list of buffers) that mqtt-packet's parser uses. Does not copy data that lies in one buffer.

import { textOf } from "./text.js";

/** append, consume, length, readUInt8, readUInt16BE, readUInt32BE, slice (a view if possible), toString. */
class BufferList {
	#pieces = [];
	#start = 0;
	length = 0;

	append(bytes) {
		if (!(bytes instanceof Uint8Array)) throw new TypeError("bl: only a Uint8Array can be appended");
		if (bytes.length) this.#pieces.push(bytes);
		this.length += bytes.length;
		return this;
	}
	consume(count) {
		count = Math.min(count, this.length);
		this.length -= count;
		this.#start += count;
		while (this.#pieces.length && this.#start >= this.#pieces[0].length) this.#start -= this.#pieces.shift().length;
		return this;
	}
	readUInt8(position) {
		if (!(position < this.length)) throw new RangeError("bl: read past the end");
		position += this.#start;
		for (const piece of this.#pieces) {
			if (position < piece.length) return piece[position];
			position -= piece.length;
		}
	}
	readUInt16BE(position) {
		return (this.readUInt8(position) << 8) | this.readUInt8(position + 1);
	}
	readUInt32BE(position) {
		return this.readUInt16BE(position) * 65536 + this.readUInt16BE(position + 2);
	}
	slice(start, end) {
		end = Math.min(end, this.length);
		const length = Math.max(end - start, 0);
		let offset = this.#start + start;
		let result;
		let filled = 0;
		for (const piece of this.#pieces) {
			if (offset >= piece.length) {
				offset -= piece.length;
				continue;
			}
			const part = piece.subarray(offset, offset + length - filled);
			if (part.length === length) return part;
			result ??= new Uint8Array(length);
			result.set(part, filled);
			filled += part.length;
			if (filled === length) return result;
			offset = 0;
		}
		return new Uint8Array(0);
	}
	toString(encoding, start, end) {
		if (encoding !== "utf8") throw new TypeError(`bl: encoding ${encoding} is not provided`);
		return textOf(this.slice(start, end));
	}
}
Object.freeze(BufferList.prototype);

function bl(bytes) {
	if (bytes) throw new TypeError("bl: a list begins empty");
	return new BufferList();
}

export default bl;
