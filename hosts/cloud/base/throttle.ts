// Token buckets on a clock that is handed in.

import type { Throttle } from "./settings.js";

/** Buckets by name; what a bucket holds is worked out only when it is asked. */
export class Throttles {
	readonly #now: () => number;
	readonly #buckets = new Map<string, { tokens: number; at: number }>();

	constructor(now: () => number) {
		this.#now = now;
	}

	/** Takes one token; false when there is none. */
	take(name: string, throttle: Throttle | undefined): boolean {
		if (!throttle) return true;
		const now = this.#now();
		const bucket = this.#buckets.get(name) ?? { tokens: throttle.burst, at: now };
		const tokens = Math.min(throttle.burst, bucket.tokens + ((now - bucket.at) / 1000) * throttle.rate);
		const granted = tokens >= 1;
		this.#buckets.set(name, { tokens: granted ? tokens - 1 : tokens, at: now });
		// Whoever asks under ever new names must not fill the memory: full buckets are as good as none.
		if (this.#buckets.size > 20_000) {
			for (const [other, { at }] of this.#buckets)
				if (now - at > 10_000 || this.#buckets.size > 40_000) this.#buckets.delete(other);
		}
		return granted;
	}

	/** Nobody will ask under this name again. */
	forget(name: string): void {
		this.#buckets.delete(name);
	}
}
