// How long to wait after a failure. Uses full jitter, so that a fleet that is switched on all at once spreads out.

import type { FailureClass } from "./failure.js";

/** Shortest time between two CONNECTs with the same client id, ms. AWS IoT allows one per second; a tenth is added as a margin. */
export const CONNECT_INTERVAL = 1100;

const MINUTE = 60_000;
/** Upper limit of a pause before it is doubled, for each failure class, ms. An operator needs more than a second for a fix. */
const BASE: Readonly<Record<FailureClass, number>> = Object.freeze({
	retry: 1000,
	recreate: 1000,
	operator: MINUTE,
	fatal: MINUTE,
});
/**
 * Pauses grow to at most a quarter of an hour. During the first ten attempts they grow to at most a minute, unless the failure
 * needs an operator.
 */
const EARLY_ATTEMPTS = 10;
const EARLY_CAP = MINUTE;
const LATE_CAP = 15 * MINUTE;

/** Computes the pauses of one device. */
export class Backoff {
	#state: number;
	#attempts = 0;

	/** @param seed 32 bits that differ from device to device */
	constructor(seed: number) {
		this.#state = seed >>> 0 || 1;
	}

	/** How many failures have occurred in a row. */
	get attempts(): number {
		return this.#attempts;
	}

	/** Call this after a success. */
	reset(): void {
		this.#attempts = 0;
	}

	/** How long to wait after a failure, ms. Random, between CONNECT_INTERVAL and a limit that doubles with each failure in a row. */
	next(cls: FailureClass): number {
		const doubled = BASE[cls] * 2 ** Math.min(this.#attempts, 30);
		const cap = this.#attempts < EARLY_ATTEMPTS && BASE[cls] < MINUTE ? EARLY_CAP : LATE_CAP;
		this.#attempts += 1;
		return this.spread(CONNECT_INTERVAL, Math.max(Math.min(doubled, cap), 2 * CONNECT_INTERVAL));
	}

	/** A random whole number of ms from `least` to `most`, all equally likely. */
	spread(least: number, most: number): number {
		// xorshift32 (Marsaglia 2003) is not good enough for secrets, but here devices only need to differ from each other.
		let x = this.#state;
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		this.#state = x >>> 0;
		return least + Math.floor((this.#state / 2 ** 32) * (most - least + 1));
	}
}

/** 32 bits from a serial number and some random bytes (FNV-1a). The serial number makes even devices without entropy differ. */
export function backoffSeed(serialNumber: string, random: Uint8Array): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < serialNumber.length; i++) hash = Math.imul(hash ^ serialNumber.charCodeAt(i), 0x01000193);
	for (let i = 0; i < random.length; i++) hash = Math.imul(hash ^ random[i]!, 0x01000193);
	return hash >>> 0;
}
