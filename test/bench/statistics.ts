// Median and quartiles, which describe a set of measured times. Never a mean, which one slow run would spoil.

/** Of some numbers. */
export interface Spread {
	readonly runs: number;
	readonly least: number;
	readonly lowerQuartile: number;
	readonly median: number;
	readonly upperQuartile: number;
	readonly most: number;
}

/** The number below which a `share` (0 to 1) of the others lies, between neighbours in proportion. @throws RangeError for none */
export function quantile(numbers: readonly number[], share: number): number {
	if (numbers.length === 0) throw new RangeError("no numbers");
	const sorted = [...numbers].sort((a, b) => a - b);
	const at = share * (sorted.length - 1);
	const below = sorted[Math.floor(at)]!;
	return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

export const round = (number: number, digits = 1): number => Math.round(number * 10 ** digits) / 10 ** digits;

export function spread(numbers: readonly number[]): Spread {
	const at = (share: number) => round(quantile(numbers, share));
	return {
		runs: numbers.length,
		least: at(0),
		lowerQuartile: at(0.25),
		median: at(0.5),
		upperQuartile: at(0.75),
		most: at(1),
	};
}
