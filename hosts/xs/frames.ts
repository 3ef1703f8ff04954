// The pipe between Node and the engine's process: its frames and their kinds. Knows nothing of what they mean.
//
// A frame, all little-endian: length of what follows (4 bytes), kind (1), id (4), number (8, a double), then bytes.
// Node sends an event and the device answers with any number of frames, ending in `idle`; in between a question of the
// device (`ask` in hosts/xs/device.js) is answered by exactly one of `undefined`, `number`, `bytes`, `resource`, `error`, `powerOff`.

/** Kinds of frames. Below 32 they are between Node and the engine itself (engine/engine.h has the same numbers). */
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

const header = 17;

/** The bytes of one frame. */
export function encodeFrame(kind: number, id = 0, number = 0, bytes: Uint8Array | string = ""): Buffer {
	const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
	const frame = Buffer.allocUnsafe(header + body.length);
	frame.writeUInt32LE(header - 4 + body.length, 0);
	frame.writeUInt8(kind, 4);
	frame.writeUInt32LE(id, 5);
	frame.writeDoubleLE(number, 9);
	frame.set(body, header);
	return frame;
}

/** Puts frames together from however the pipe cuts them up. */
export class FrameReader {
	#left: Buffer = Buffer.alloc(0);

	/** The frames that are complete with this piece. */
	*read(piece: Buffer): Generator<Frame> {
		let bytes = this.#left.length ? Buffer.concat([this.#left, piece]) : piece;
		while (bytes.length >= 4) {
			const end = 4 + bytes.readUInt32LE(0);
			if (bytes.length < end) break;
			yield {
				kind: bytes.readUInt8(4),
				id: bytes.readUInt32LE(5),
				number: bytes.readDoubleLE(9),
				bytes: bytes.subarray(header, end),
			};
			bytes = bytes.subarray(end);
		}
		this.#left = bytes;
	}
}
