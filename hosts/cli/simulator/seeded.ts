// Random integers that are the same for the same seed, so that a failed run can be repeated. Never use them for a secret.

/** Returns a function that returns a number from 0 to `below` - 1 (xorshift32, Marsaglia 2003). */
export function seeded(seed: number): (below: number) => number {
	let x = seed | 0 || 1;
	return (below) => {
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		return (x >>> 0) % below;
	};
}
