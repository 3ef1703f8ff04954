// Time that stands still until a test advances it, so that hours of a device's life take no time.

import type { Time } from "../../hosts/node/time.js";
import type { TimerId } from "../../src/contract/host.js";

interface VirtualTimer {
	readonly due: number;
	readonly order: number;
	readonly callback: () => void;
}

/** Time that stands still until `advance` moves it to the next timer. */
export class VirtualTime implements Time {
	#now = 0;
	#order = 0;
	readonly #timers = new Set<VirtualTimer>();
	readonly #epoch: number;

	/** `epoch`: the time of day at tick 0, ms since 1970. */
	constructor(epoch = Date.UTC(2026, 10, 22)) {
		this.#epoch = epoch;
	}

	ticks(): number {
		return this.#now;
	}

	timeOfDay(): number {
		return this.#epoch + this.#now;
	}

	set(callback: () => void, milliseconds: number): TimerId {
		const timer = { due: this.#now + Math.max(0, milliseconds), order: this.#order++, callback };
		this.#timers.add(timer);
		return timer;
	}

	clear(id: TimerId): void {
		this.#timers.delete(id as VirtualTimer);
	}

	/** Moves to the next timer that is due and runs it. Returns false when there is none. */
	advance(): boolean {
		let next: VirtualTimer | undefined;
		for (const timer of this.#timers)
			if (next === undefined || timer.due < next.due || (timer.due === next.due && timer.order < next.order))
				next = timer;
		if (next === undefined) return false;
		this.#timers.delete(next);
		this.#now = Math.max(this.#now, next.due);
		next.callback();
		return true;
	}
}
