// Random whole numbers that repeat for a seed: what went wrong once can be played again. Never for a secret.

/** Gives a function of numbers from 0 to `below` - 1 (xorshift32, Marsaglia 2003). */
export function seeded(seed: number): (below: number) => number {
	let x = seed | 0 || 1;
	return (below) => {
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		return (x >>> 0) % below;
	};
}
