// Time of day from SNTP, and time since power-on. Never takes a time that lies before this firmware was built: then TLS
// would fail on certificate dates and nobody would know why.

import config from "mc/config";
import SNTP from "sntp";
import Time from "time";
import Timer from "timer";
import type { Clock } from "../../src/contract/host.js";

const DAY = 86_400_000;

/** "Nov 22 2026", from buildDate.c. */
function buildDate(this: unknown): string {
	return native("fleet_buildDate").call(this);
}

/** ms since 1970. The compiler's date is local time and its hour unknown, so that a day is taken off. */
function builtAt(): number {
	return Date.parse(`${buildDate()} 00:00 UTC`) - DAY;
}

/** Makes the clock of this machine. */
export function createClock(): Clock {
	const floor = builtAt();
	let last = Time.ticks;
	let elapsed = 0;

	function now(): number | undefined {
		const time = Date.now();
		return time < floor ? undefined : time;
	}

	function synchronize(done: (error?: Error) => void): void {
		const servers = String(config.sntp).split(",");
		let index = 0;
		// An answer may come from a server that is itself lost in time: it is passed over like one that does not answer.
		const ask = (): void => {
			const host = servers[index++];
			if (host === undefined) {
				done(new Error(`none of ${servers.join(", ")} gave a time that can be right`));
				return;
			}
			new SNTP({ host }, (message, value) => {
				if (message === SNTP.error) Timer.set(ask);
				if (message !== SNTP.time) return undefined;
				if (Number(value) * 1_000 < floor) {
					Timer.set(ask);
					return undefined;
				}
				Time.set(Number(value));
				if (now() === undefined) done(new Error("the clock of this computer is behind and cannot be set from here"));
				else done();
				return undefined;
			});
		};
		Timer.set(ask);
	}

	return {
		now,
		ticks() {
			const ticks = Time.ticks;
			elapsed += Time.delta(last, ticks);
			last = ticks;
			return elapsed;
		},
		floor,
		synchronize,
	};
}
