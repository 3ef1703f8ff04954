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
	leaveOut(test, items.length - sampled.length, items.length);
	return sampled;
}

/** How many of `count` cases are tried: all, or a `part`th of them, which is said at the end of the run. */
export function sampleSize(test: Test, count: number, part: number): number {
	if (all) return count;
	const tried = Math.ceil(count / part);
	leaveOut(test, count - tried, count);
	return tried;
}

/** Says at the end of the run that so many cases are left out here. */
export function leaveOut(test: Test, count: number, of: number): void {
	if (count > 0) test.comment(`left out: ${count} of ${of} cases: ${test.name}`);
}
