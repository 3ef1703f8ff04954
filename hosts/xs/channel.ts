// The pipe between Node and the engine's process: its frames and their kinds. Does not know what they mean.
//
// A frame, all little-endian: length of what follows (4 bytes), kind (1), id (4), number (8, a double), then bytes.
// Node sends an event, and the device answers with any number of frames, the last of them `idle`. In between, Node answers each
// question of the device (`machine.ask`) with exactly one of `undefined`, `number`, `bytes`, `resource`, `error`, `powerOff`.

import { closeSync, readSync } from "node:fs";

/** Kinds of frames between Node and the engine itself, all below 32. engine/engine.h has the same numbers. */
export const kinds = {
	module: 1,
	seal: 2,
	boot: 3,
	powerOff: 4,
	measure: 5,
	undefined: 6,
	number: 7,
	bytes: 8,
	error: 9,
	ready: 10,
	ended: 11,
	idle: 12,
	lastWords: 13,
	restart: 14,
	resource: 15,
} as const;

export interface Frame {
	readonly kind: number;
	readonly id: number;
	readonly number: number;
	readonly bytes: Buffer;
}

const HEADER_BYTES = 17;

/** The bytes of one frame. */
export function encodeFrame(kind: number, id = 0, number = 0, bytes: Uint8Array | string = ""): Buffer {
	const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
	const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
	frame.writeUInt32LE(HEADER_BYTES - 4 + body.length, 0);
	frame.writeUInt8(kind, 4);
	frame.writeUInt32LE(id, 5);
	frame.writeDoubleLE(number, 9);
	frame.set(body, HEADER_BYTES);
	return frame;
}

/** Reads frames from a pipe, waiting for each. */
export class FrameReader {
	readonly #fd: number;
	readonly #buffer = Buffer.alloc(1 << 16);
	#from = 0;
	#to = 0;

	constructor(fd: number) {
		this.#fd = fd;
	}

	/** @throws Error when the other side is gone */
	read(): Frame {
		const length = this.#take(4).readUInt32LE(0);
		const frame = Buffer.from(this.#take(length));
		return {
			kind: frame.readUInt8(0),
			id: frame.readUInt32LE(1),
			number: frame.readDoubleLE(5),
			bytes: frame.subarray(HEADER_BYTES - 4),
		};
	}

	close(): void {
		closeSync(this.#fd);
	}

	/** The next bytes, valid until the next call. */
	#take(count: number): Buffer {
		if (count > this.#buffer.length) throw new Error(`a frame of ${count} bytes`);
		if (this.#from + count > this.#buffer.length) {
			this.#buffer.copyWithin(0, this.#from, this.#to);
			this.#to -= this.#from;
			this.#from = 0;
		}
		while (this.#to < this.#from + count) {
			const read = readSync(this.#fd, this.#buffer, this.#to, this.#buffer.length - this.#to, null);
			if (read === 0) throw new Error("the engine's process is gone");
			this.#to += read;
		}
		this.#from += count;
		return this.#buffer.subarray(this.#from - count, this.#from);
	}
}
