// Mutations of bytes, the same for the same seed.

/** Random numbers that repeat for a seed (xorshift32). */
export class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0 || 1;
	}

	/** The random numbers for one input of a run, unrelated to those of its neighbours. (Uses the finalizer of MurmurHash3.) */
	static of(seed: number, index: number): Random {
		let state = (seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0;
		state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
		state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
		return new Random(state ^ (state >>> 16));
	}

	/** From 0 to `below` - 1. */
	next(below: number): number {
		let x = this.#state;
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		this.#state = x >>> 0;
		return this.#state % below;
	}

	/** One of these items. */
	pick<T>(values: readonly T[]): T {
		return values[this.next(values.length)]!;
	}

	/** True once in so many times, on average. */
	once(times: number): boolean {
		return this.next(times) === 0;
	}
}

/** Bytes that often break parsers: ends of ranges, breaks and heads of CBOR, lengths of DER and MQTT. */
const INTERESTING = [
	0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0xff, 0x1f, 0x3f, 0x5f, 0x7b, 0x9f, 0xbf, 0xa1, 0xc0, 0xfb, 0x30, 0x0a,
];
const LONGEST = 12_000;

/** One to eight changes to one of the seeds. */
export function mutate(random: Random, seeds: readonly Uint8Array[]): Uint8Array {
	let bytes = Uint8Array.from(seeds[random.next(seeds.length)]!);
	for (let changes = 1 + random.next(8); changes > 0; changes--) bytes = change(random, bytes, seeds);
	return bytes.subarray(0, LONGEST);
}

function change(random: Random, bytes: Uint8Array<ArrayBuffer>, seeds: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
	if (bytes.length === 0) return Uint8Array.of(random.next(256));
	const at = random.next(bytes.length);
	const count = 1 + random.next(Math.min(64, bytes.length - at));
	switch (random.next(8)) {
		case 0:
			bytes[at]! ^= 1 << random.next(8);
			return bytes;
		case 1:
			bytes[at] = random.next(256);
			return bytes;
		case 2:
			bytes[at] = INTERESTING[random.next(INTERESTING.length)]!;
			return bytes;
		case 3:
			return bytes.slice(0, at);
		case 4:
			return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + count)]);
		case 5:
			return Uint8Array.from([...bytes.subarray(0, at + count), ...bytes.subarray(at)]);
		case 6:
			return Uint8Array.from([
				...bytes.subarray(0, at),
				INTERESTING[random.next(INTERESTING.length)]!,
				...bytes.subarray(at),
			]);
		default: {
			const other = seeds[random.next(seeds.length)]!;
			return Uint8Array.from([...bytes.subarray(0, at), ...other.subarray(random.next(other.length))]);
		}
	}
}
