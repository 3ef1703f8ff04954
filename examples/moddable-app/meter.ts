// One of the app's own modules: the meter. It counts how often it is read; a real meter would count pulses.

/** What a meter shows. */
export interface Reading {
	readonly count: number;
}

/** Counts from power-on. */
export class Meter {
	#count = 0;

	/** The current reading. */
	read(): Reading {
		this.#count += 1;
		return { count: this.#count };
	}
}
