// Token buckets, with a clock that the caller provides.

import type { Throttle } from "./settings.js";

/** Buckets by name. What a bucket holds is computed only when somebody takes from it. */
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
		// Ever new names must not fill the memory. A bucket that has filled up again is the same as none, and can go.
		if (this.#buckets.size > 20_000) {
			for (const [other, { at }] of this.#buckets)
				if (now - at > 10_000 || this.#buckets.size > 40_000) this.#buckets.delete(other);
		}
		return granted;
	}

	/** Removes a bucket that nobody will use again. */
	forget(name: string): void {
		this.#buckets.delete(name);
	}
}
