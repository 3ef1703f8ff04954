// A module of the app's own: the meter. In place of a real one's pulses it counts how often it was read.

/** What a meter shows. */
export interface Reading {
	readonly count: number;
}

/** Counts from power-on. */
export class Meter {
	#count = 0;

	/** The reading now. */
	read(): Reading {
		this.#count += 1;
		return { count: this.#count };
	}
}
