// Time for simulated devices: the machine's own, or a virtual one with which tests run as fast as the work allows.

import type { TimerId } from "../../src/contract/host.js";

/** Runs timers and knows the time. */
export interface Time {
	/** ms since some moment; never goes back. */
	ticks(): number;
	/** ms since 1970: what a time server would say. */
	timeOfDay(): number;
	/** Calls back once, after `milliseconds`. */
	set(callback: () => void, milliseconds: number): TimerId;
	/** Stops a timer. Not an error when it has gone off already. */
	clear(id: TimerId): void;
}

/** The machine's own time. */
export const realTime: Time = {
	ticks: () => performance.now(),
	timeOfDay: () => Date.now(),
	set: (callback, milliseconds) => setTimeout(callback, milliseconds),
	clear: (id) => clearTimeout(id as NodeJS.Timeout),
};
