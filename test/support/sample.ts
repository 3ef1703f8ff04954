// Exhaustive sets that take minutes: a sample of them by default, all of them in `npm run test:all`. Never thins in silence.

import type { Test } from "tap";

/** Whether everything is to be run: `npm run test:all`. */
export const all = process.env.TEST_ALL === "1";

/**
 * The items to play: all of them, or every `nth`, and those that `keep` (the edges, where things go wrong most). What is
 * left out is said at the end of the run. A prime `nth` meets every residue of sets that repeat.
 */
export function sample<T>(test: Test, items: readonly T[], nth: number, keep: (item: T) => boolean = () => false): T[] {
	if (all) return [...items];
	const sampled = items.filter((item, index) => index % nth === 0 || keep(item));
	test.comment(`left out: ${items.length - sampled.length} of ${items.length} cases: ${test.name}`);
	return sampled;
}
