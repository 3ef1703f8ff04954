// One of the app's own modules: the meter. It counts how often it is read; a real meter would count pulses.

/** Counts from power-on. */
export class Meter {
	#count = 0;

	/** The current reading. */
	read() {
		this.#count += 1;
		return { count: this.#count };
	}
}
