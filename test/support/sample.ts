// Exhaustive sets that take minutes: by default only a sample of them is played, in `npm run test:all` all. Must never leave
// anything out without saying so.

import type { Test } from "tap";

/** Whether everything is played: `npm run test:all`. */
export const all = process.env.TEST_ALL === "1";

/**
 * The items to play: all of them, or every `nth` and those that `keep` selects (the edges, where most errors are). The end of the
 * run lists what is left out. With a prime `nth`, the sample also covers every position of a set that repeats itself.
 */
export function sample<T>(test: Test, items: readonly T[], nth: number, keep: (item: T) => boolean = () => false): T[] {
	if (all) return [...items];
	const sampled = items.filter((item, index) => index % nth === 0 || keep(item));
	leaveOut(test, items.length - sampled.length, items.length);
	return sampled;
}

/** How many of `count` cases are tried: all, or one in `part`. The end of the run lists what is left out. */
export function sampleSize(test: Test, count: number, part: number): number {
	if (all) return count;
	const tried = Math.ceil(count / part);
	leaveOut(test, count - tried, count);
	return tried;
}

/** Makes the end of the run say that so many cases are left out here. */
export function leaveOut(test: Test, count: number, of: number): void {
	if (count > 0) test.comment(`left out: ${count} of ${of} cases: ${test.name}`);
}
