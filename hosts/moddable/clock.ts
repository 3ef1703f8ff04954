// Time of day from SNTP, and time since power-on. Never takes a time that lies before this firmware was built: then TLS
// would fail on certificate dates and nobody would know why.

import config from "mc/config";
import SNTP from "sntp";
import Time from "time";
import Timer from "timer";
import type { Clock } from "../../src/contract/host.js";

const DAY = 86_400_000;

/** What an SNTP is, beside what the SDK declares of it. */
interface Closable {
	/** Not an error when called twice. */
	close(): void;
}

/** "Nov 22 2026", from buildDate.c. */
function buildDate(this: unknown): string {
	return native("fleet_buildDate").call(this);
}

/** ms since 1970. The compiler's date is local time and its hour unknown, so that a day is taken off. */
function builtAt(): number {
	return Date.parse(`${buildDate()} 00:00 UTC`) - DAY;
}

/** A clock that can be let go of. */
export interface ClosableClock extends Clock {
	/** Asks no time server any more, and calls nobody back. */
	close(): void;
}

/** Makes the clock of this machine. */
export function createClock(): ClosableClock {
	const floor = builtAt();
	let last = Time.ticks;
	let elapsed = 0;

	function now(): number | undefined {
		const time = Date.now();
		return time < floor ? undefined : time;
	}

	/** One round of servers at a time: a new one takes the place of the last, which is told of no more. */
	let round = 0;
	/** The server that is being asked. */
	let asking: Closable | undefined;

	function close(): void {
		round += 1;
		asking?.close();
		asking = undefined;
	}

	function synchronize(done: (error?: Error) => void): void {
		const servers = String(config.sntp).split(",");
		let index = 0;
		/** Why the last server was of no use. */
		let problem = "none is set";
		close();
		const mine = round;
		// An answer may come from a server that is itself lost in time: it is passed over like one that does not answer.
		const ask = (): void => {
			if (mine !== round) return;
			const host = servers[index++];
			if (!host) {
				done(new Error(`none of ${servers.join(", ")} gave a time that can be right (${problem})`));
				return;
			}
			try {
				asking = new SNTP({ host }, (message: number, value?: number | string) => {
					if (message === SNTP.retry) return undefined;
					asking = undefined;
					if (message === SNTP.time && take(Number(value), done)) return undefined;
					problem = message === SNTP.time ? `${host} is behind` : String(value);
					Timer.set(ask);
					return undefined;
				}) as unknown as Closable;
			} catch (error) {
				// Without a network the SDK's socket cannot be made. Out of a timer's callback that would be a restart.
				problem = String((error as Error).message);
				Timer.set(ask);
			}
		};
		Timer.set(ask);
	}

	/** Whether `seconds` since 1970 can be right; then sets the clock. */
	function take(seconds: number, done: (error?: Error) => void): boolean {
		if (!(seconds * 1_000 >= floor)) return false;
		Time.set(seconds);
		if (now() === undefined) done(new Error("the clock of this computer is behind and cannot be set from here"));
		else done();
		return true;
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
		close,
	};
}
