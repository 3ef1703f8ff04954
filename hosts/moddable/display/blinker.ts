// Blinks a failure's number on an LED: the tens, a pause, the ones, a longer pause, over and over. Steady light means that
// all is well. Needs no screen.

import Timer from "timer";

/** ms. */
const BLINK = 250;
const BETWEEN_DIGITS = 1_000;
const BETWEEN_NUMBERS = 2_500;

/** How long the light is on, off, on, off and so on, in ms, for a number from 11 to 99. */
export function blinks(number: number): number[] {
	const digit = (count: number, after: number) =>
		Array.from({ length: 2 * count }, (_, index) => (index === 2 * count - 1 ? after : BLINK));
	return [...digit(Math.floor(number / 10), BETWEEN_DIGITS), ...digit(number % 10, BETWEEN_NUMBERS)];
}

/** An LED that can blink a number. */
export class Blinker {
	readonly #write: (on: boolean) => void;
	#timer: ReturnType<typeof Timer.set> | undefined;
	#number: number | undefined;

	/** `write` switches the light on and off. It must not throw. */
	constructor(write: (on: boolean) => void) {
		this.#write = write;
	}

	/** Starts blinking a number over and over. If that number is being blinked already, it continues undisturbed. */
	blink(number: number): void {
		if (this.#number === number) return;
		this.steady(false);
		this.#number = number;
		const times = blinks(number);
		let index = 0;
		const step = (): void => {
			this.#write(index % 2 === 0);
			this.#timer = Timer.set(step, times[index]!);
			index = (index + 1) % times.length;
		};
		step();
	}

	/** Stops blinking, and switches the LED on or off. */
	steady(on: boolean): void {
		Timer.clear(this.#timer);
		this.#timer = undefined;
		this.#number = undefined;
		this.#write(on);
	}
}
