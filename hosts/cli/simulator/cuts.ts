// `npm run simulator -- --cuts N`: cuts the power of the simulated board (kill -9) at N random moments, in three kinds of
// scenario. Each scenario must end with the device connected with its own identity. Certificates that no device owns
// afterwards are counted and reported.

import { clockTime, style } from "../terminal.js";
import type { Board } from "./board.js";
import { SimulatorError } from "./desktop.js";
import { seeded } from "./seeded.js";

/** The power is cut within this many ms of the program's first event. Provisioning takes about one second in the simulator. */
const WINDOW = 1_500;
/** ms within which the program must have started. */
const START = 60_000;
/** In this many of ten scenarios the power is cut again after it has returned. */
const AGAIN = 4;
/** ms within which the device must have sent a message after the last cut. Its pauses grow after failures. */
const LIMIT = 5 * 60_000;

/** The kinds of scenario. */
const KINDS = ["provisioning", "forget", "network"] as const;
type Kind = (typeof KINDS)[number];

/** The results. */
export interface Cuts {
	readonly seed: number;
	readonly stories: Record<Kind, number>;
	cuts: number;
	/** How many cuts came right after each event, which shows at which points the power was cut. */
	readonly after: Record<string, number>;
	/** Scenarios that did not end with the device connected with its own identity. */
	readonly lost: string[];
	/**
	 * How many certificates were issued, and how many of those no device had at the end of the scenario in which they were
	 * issued.
	 */
	readonly certificates: { issued: number; left: number };
}

/** Runs the scenarios. A scenario that fails does not throw: it is counted in the result. */
export async function cutPower(board: Board, count: number, seed: number, say: (line: string) => void): Promise<Cuts> {
	const random = seeded(seed);
	const result: Cuts = {
		seed,
		stories: { provisioning: 0, forget: 0, network: 0 },
		cuts: 0,
		after: {},
		lost: [],
		certificates: { issued: 0, left: 0 },
	};
	const { certificates } = board.cloud.registry.state;
	let fresh = true;
	while (result.cuts < count) {
		const kind = KINDS[random(KINDS.length)]!;
		const story = result.stories.provisioning + result.stories.forget + result.stories.network + 1;
		result.stories[kind] += 1;
		// A new board has empty flash. Network failures are tried both on a new board and on one that has an identity.
		if (kind === "provisioning" || (kind === "network" && random(2) === 0)) board.newFlash();
		else if (kind === "forget" && !fresh) board.holdButton();
		fresh = false;
		const before = new Set(certificates.keys());
		const since = board.seen.at(-1)?.sequence ?? 0;
		let moments = "";
		do {
			await board.powerOn();
			await board.until("the program does not begin", START, () => board.told.length > 0);
			const moment = random(WINDOW);
			if (kind === "network") {
				const before = random(moment + 1);
				await sleep(before);
				await board.relay.change(random(2) === 0 ? "down" : "hang");
				await sleep(moment - before);
			} else await sleep(moment);
			const last = board.told.at(-1);
			await board.powerOff();
			await board.relay.change("up");
			result.cuts += 1;
			const name = last === undefined ? "power-on" : "state" in last ? `${last.event} ${last.state}` : last.event;
			result.after[name] = (result.after[name] ?? 0) + 1;
			moments += ` ${moment} ms (after ${name})`;
		} while (result.cuts < count && random(10) < AGAIN);
		const begun = Date.now();
		try {
			await board.powerOn();
			await board.until("the device has not spoken as itself", LIMIT, () => board.spoken(since));
			say(`${style.dim(clockTime())}  ${story}. ${kind}: cut at${moments}; as itself after ${Date.now() - begun} ms`);
		} catch (error) {
			if (!(error instanceof SimulatorError)) throw error;
			result.lost.push(`${story}. ${kind}: cut at${moments}: ${error.message}`);
			say(style.red(result.lost.at(-1)!));
		}
		const issued = [...certificates.keys()].filter((id) => !before.has(id));
		result.certificates.issued += issued.length;
		result.certificates.left += issued.filter((id) => id !== board.principal).length;
		await board.powerOff();
	}
	return result;
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The results as text for people. */
export function cutsInWords({ seed, stories, cuts, after, lost, certificates }: Cuts): string {
	const told = KINDS.map((kind) => `${stories[kind]} ${kind}`).join(", ");
	const moments = Object.entries(after).sort(([, a], [, b]) => b - a);
	return [
		`${cuts} power cuts (seed ${seed}) in stories of these kinds: ${told}`,
		`the last event before the cut: ${moments.map(([name, times]) => `${name} ${times}`).join(", ")}`,
		`certificates: ${certificates.issued} issued, ${certificates.left} left behind`,
		lost.length === 0 ? "every device ended connected as itself" : `${lost.length} did not:\n${lost.join("\n")}`,
	].join("\n");
}
