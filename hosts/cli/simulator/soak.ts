// `npm run simulator -- --soak MINUTES`: runs the firmware in the simulator while its network fails and recovers. Succeeds
// only if memory, sockets and timers are the same afterwards as before, and the program has never aborted.

import { clockTime, style } from "../terminal.js";
import type { Board } from "./board.js";
import { SimulatorError } from "./desktop.js";
import { seeded } from "./seeded.js";
import type { Sample } from "./xsbug.js";

/** ms for which the network is up: long enough for the device's pauses to become short again. */
const UP = [70_000, 150_000] as const;
/** ms for which the network is down or hangs. The device's keep-alive is 30 s, so it notices some outages and not others. */
const DOWN = [2_000, 70_000] as const;
/** ms within which the device must send a message again. Its pauses grow to a minute, and later to a quarter of an hour. */
const LIMIT = 20 * 60_000;

/** How many times memory is measured during one keep-alive interval. */
const LOOKS = 15;
const KEEP_ALIVE = 30_000;

/** What must be equal whenever the device is in the same state. */
const SAME = ["Chunk used", "Slot used", "Keys used", "Modules loaded", "Network sockets", "Timers", "Files"] as const;

/** The results. */
export interface Soak {
	readonly minutes: number;
	readonly outages: number;
	/** How many times the device has reconnected. */
	readonly connections: number;
	readonly failures: Readonly<Record<string, number>>;
	/** Alive after a garbage collection, connected and idle: after the first outage, and at the end. */
	readonly before: Sample;
	readonly after: Sample;
}

/** @throws SimulatorError when a figure has changed, or the program ends */
export async function soak(board: Board, minutes: number, seed: number, say: (line: string) => void): Promise<Soak> {
	const random = seeded(seed);
	const between = ([least, most]: readonly [number, number]) => least + random(most - least + 1);
	const failures: Record<string, number> = {};
	let connections = 0;
	let counted = 0;
	const count = () => {
		for (const event of board.told.slice(counted)) {
			if (event.event === "failure") failures[event.failure.code] = (failures[event.failure.code] ?? 0) + 1;
			if (event.event === "connected") connections += 1;
		}
		counted = board.told.length;
	};
	const rest = async (what: string): Promise<Sample> => {
		await board.until("the device has not spoken", LIMIT, () => board.spoken());
		// A ping, or work after a message, uses memory for a moment. The smallest value is what an idle device uses.
		const samples: Sample[] = [];
		while (samples.length < LOOKS) {
			await pause(board, KEEP_ALIVE / LOOKS);
			samples.push(await board.collect());
		}
		const least = leastOf(samples);
		say(`${style.dim(clockTime())}  ${what}: ${SAME.map((name) => `${name} ${least[name]}`).join(", ")}`);
		return least;
	};
	const outage = async () => {
		const network = random(2) === 0 ? "down" : "hang";
		const sequence = board.seen.at(-1)?.sequence ?? 0;
		await board.relay.change(network);
		await pause(board, between(DOWN));
		await board.relay.change("up");
		// The device may not have noticed a short outage.
		if (network === "down") await board.until("the device is not back", LIMIT, () => board.spoken(sequence));
	};
	await rest("at first");
	const end = Date.now() + minutes * 60_000;
	await outage();
	let outages = 1;
	const before = await rest("after the first outage");
	while (Date.now() < end) {
		await pause(board, Math.min(between(UP), Math.max(end - Date.now(), 0)));
		if (Date.now() >= end) break;
		await outage();
		outages += 1;
		count();
		await rest(`after outage ${outages}`);
	}
	const after = await rest("at the end");
	count();
	const changed = changes(before, after);
	if (changed.length > 0) throw new SimulatorError(changed.join("; "));
	return { minutes, outages, connections, failures, before, after };
}

/** The sample with the fewest slots in use, the last one if there are several. */
export function leastOf(samples: readonly Sample[]): Sample {
	return samples.reduce((least, sample) => (sample["Slot used"]! <= least["Slot used"]! ? sample : least));
}

/** What is not the same afterwards although the device is in the same state, in words. A missing figure counts as a change. */
export function changes(before: Sample, after: Sample): string[] {
	return SAME.filter((name) => before[name] === undefined || after[name] !== before[name]).map(
		(name) => `${name}: ${before[name]} before, ${after[name]} afterwards`,
	);
}

/** Waits, and rejects when the program ends. */
function pause(board: Board, milliseconds: number): Promise<void> {
	const end = Date.now() + milliseconds;
	return board.until("it waits", milliseconds + 60_000, () => Date.now() >= end);
}
