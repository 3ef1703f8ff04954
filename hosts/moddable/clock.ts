// Time of day from SNTP, and time since power-on. Never accepts a time before this firmware was built: TLS would then reject
// valid certificates because of their dates, and the cause would be hard to find.

import config from "mc/config";
import SNTP from "sntp";
import Time from "time";
import Timer from "timer";
import type { Clock } from "../../src/contract/host.js";

const DAY = 86_400_000;

/** A member of SNTP that the SDK does not declare. */
interface Closable {
	/** May be called more than once. */
	close(): void;
}

/** For example "Nov 22 2026"; from buildDate.c. */
function buildDate(this: unknown): string {
	return native("fleet_buildDate").call(this);
}

/** ms since 1970. The compiler reports a local date without the time of day, so one day is subtracted to be on the safe side. */
function builtAt(): number {
	return Date.parse(`${buildDate()} 00:00 UTC`) - DAY;
}

/** A clock whose synchronization can be stopped. */
export interface ClosableClock extends Clock {
	/** Stops asking time servers. No callback is called afterwards. */
	close(): void;
}

/** Creates this machine's clock. */
export function createClock(): ClosableClock {
	const floor = builtAt();
	let last = Time.ticks;
	let elapsed = 0;

	function now(): number | undefined {
		const time = Date.now();
		return time < floor ? undefined : time;
	}

	/** Only one round of requests runs at a time: starting a new one cancels the previous one, whose callback is not called. */
	let round = 0;
	/** The request that is under way. */
	let asking: Closable | undefined;

	function close(): void {
		round += 1;
		asking?.close();
		asking = undefined;
	}

	function synchronize(done: (error?: Error) => void): void {
		const servers = String(config.sntp).split(",");
		let index = 0;
		/** Why the last server's answer could not be used. */
		let problem = "none is set";
		close();
		const mine = round;
		// A server whose own clock is wrong is skipped, like one that does not answer.
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
				// Without a network the SDK's socket cannot be created. An exception that escaped from a timer callback would
				// restart the device.
				problem = String((error as Error).message);
				Timer.set(ask);
			}
		};
		Timer.set(ask);
	}

	/** Sets the clock to `seconds` since 1970 and calls `done`. Returns false if that time cannot be right. */
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
