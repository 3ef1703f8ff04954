// The clock of a simulated device during one power-on. It never knows the time of day unless the options or a time server set it.

import type { Time } from "./time.js";

/** How the clock of a simulated device behaves. */
export interface ClockOptions {
	/** What the clock says at power-on: the right time (`set`, default), nothing (`unset`), or a time of day in ms. */
	readonly clock?: "set" | "unset" | number;
	/** What time servers answer: the right time (`right`, default), an error (`silent`), or a time of day in ms. */
	readonly timeServer?: "right" | "silent" | number;
}

/** A clock that was switched on now. */
export class SimulatedClock {
	readonly #time: Time;
	readonly #options: ClockOptions;
	readonly #started: number;
	/** Time of day less ticks; `undefined` while the clock is not set. */
	#offset: number | undefined;

	constructor(time: Time, options: ClockOptions) {
		this.#time = time;
		this.#options = options;
		this.#started = time.ticks();
		const { clock = "set" } = options;
		if (clock !== "unset") this.#set(clock === "set" ? time.timeOfDay() : clock);
	}

	/** ms since 1970; `undefined` while the clock is not set. */
	now(): number | undefined {
		return this.#offset === undefined ? undefined : Math.floor(this.#offset + this.#time.ticks());
	}

	/** ms since power-on. */
	ticks(): number {
		return this.#time.ticks() - this.#started;
	}

	/** Asks a time server after 1 ms, in a timer that `after` sets, and calls back with an error when none answers. */
	synchronize(done: (error?: Error) => void, after: (callback: () => void, milliseconds: number) => unknown): void {
		after(() => {
			const { timeServer = "right" } = this.#options;
			if (timeServer === "silent") return done(new Error("no time server answers"));
			this.#set(timeServer === "right" ? this.#time.timeOfDay() : timeServer);
			done();
		}, 1);
	}

	#set(timeOfDay: number): void {
		this.#offset = timeOfDay - this.#time.ticks();
	}
}
