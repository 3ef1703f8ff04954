// `npm run simulator -- --cuts N`: the power of the simulated board is cut (kill -9) at N random moments, in three kinds of story,
// and each story must end with the device connected as itself. Certificates that nobody has afterwards are counted, not hidden.

import { clockTime, style } from "../terminal.js";
import type { Board } from "./board.js";
import { SimulatorError } from "./desktop.js";
import { seeded } from "./seeded.js";

/** ms from the program's first event in which the power is cut. Provisioning takes about one second in the simulator. */
const WINDOW = 1_500;
/** ms within which the program must have begun. */
const START = 60_000;
/** Of ten stories so many have their power cut again, once it is back. */
const AGAIN = 4;
/** ms within which the device must have spoken after the last cut. Its pauses are longer after failures. */
const LIMIT = 5 * 60_000;

/** What happens around a cut. */
const KINDS = ["provisioning", "forget", "network"] as const;
type Kind = (typeof KINDS)[number];

/** What came of it. */
export interface Cuts {
	readonly seed: number;
	readonly stories: Record<Kind, number>;
	cuts: number;
	/** Events that a cut fell after, with how often: where in the device's life the power went. */
	readonly after: Record<string, number>;
	/** Stories that did not end with the device connected as itself. */
	readonly lost: string[];
	/** Certificates that were issued, and those of them that no device had at the end of the story in which they were issued. */
	readonly certificates: { issued: number; left: number };
}

/** Never throws for a story that goes wrong: it is counted. */
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
		// A new board has nothing in its flash. A network may fail a new one, or one that has its identity.
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

/** What came of it, for people. */
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
