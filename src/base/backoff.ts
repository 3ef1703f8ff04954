// How long to wait after a failure: full jitter, so that a fleet that is switched on at once spreads out.

import type { FailureClass } from "./failure.js";

/** Least time between two CONNECTs with one client id, ms. AWS IoT allows one a second; a tenth is added. */
export const CONNECT_INTERVAL = 1100;

const MINUTE = 60_000;
/** Limit of the first pause by class, ms. What an operator has to fix is not fixed within a second. */
const BASE: Readonly<Record<FailureClass, number>> = Object.freeze({
	retry: 1000,
	recreate: 1000,
	operator: MINUTE,
	fatal: MINUTE,
});
/** Pauses grow to at most a minute in the first ten attempts, and to a quarter of an hour later. */
const EARLY_ATTEMPTS = 10;
const EARLY_CAP = MINUTE;
const LATE_CAP = 15 * MINUTE;

/** The pauses of one device. */
export class Backoff {
	#state: number;
	#attempts = 0;

	/** `seed`: 32 bits that differ from device to device. */
	constructor(seed: number) {
		this.#state = seed >>> 0 || 1;
	}

	/** How many failures there were in a row. */
	get attempts(): number {
		return this.#attempts;
	}

	/** To be called after a success. */
	reset(): void {
		this.#attempts = 0;
	}

	/** ms to wait after the next failure in a row: random, from CONNECT_INTERVAL to a limit that doubles each time. */
	next(cls: FailureClass): number {
		const doubled = BASE[cls] * 2 ** Math.min(this.#attempts, 30);
		const cap = this.#attempts < EARLY_ATTEMPTS && BASE[cls] < MINUTE ? EARLY_CAP : LATE_CAP;
		this.#attempts += 1;
		return this.spread(CONNECT_INTERVAL, Math.max(Math.min(doubled, cap), 2 * CONNECT_INTERVAL));
	}

	/** A random whole number of ms from `least` to `most`, all equally likely. */
	spread(least: number, most: number): number {
		// xorshift32 (Marsaglia 2003): not good enough for secrets, but devices need only differ from each other.
		let x = this.#state;
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		this.#state = x >>> 0;
		return least + Math.floor((this.#state / 2 ** 32) * (most - least + 1));
	}
}

/** 32 bits from a serial number and some random bytes (FNV-1a). Even devices without entropy differ from each other. */
export function backoffSeed(serialNumber: string, random: Uint8Array): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < serialNumber.length; i++) hash = Math.imul(hash ^ serialNumber.charCodeAt(i), 0x01000193);
	for (let i = 0; i < random.length; i++) hash = Math.imul(hash ^ random[i]!, 0x01000193);
	return hash >>> 0;
}
