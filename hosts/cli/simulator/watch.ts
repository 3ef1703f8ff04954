// `npm run simulator -- --watch`: keeps a cloud and the firmware running, rebuilds the firmware when a file changes, reports
// in words what both do, and reads commands from standard input. A failed build does not affect what is running.

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { CloudEvent } from "../../cloud/base/events.js";
import type { Cloud } from "../../cloud/cloud.js";
import { CommandError } from "../command.js";
import { narrateCloud, narrateDevice } from "../narration.js";
import { bytes, clockTime, hanging, type Line, line, style } from "../terminal.js";
import type { Board, BoardOptions } from "./board.js";
import { CLOCKS, type Command, commandHelp, readCommand } from "./commands.js";
import { SimulatorError } from "./desktop.js";
import { watchFiles } from "./files.js";
import type { Relay } from "./relay.js";

/** How long the command `wait` waits, in ms. */
const PATIENCE = 5 * 60_000;

/** What a board reports to its user. */
export const narrated: Pick<BoardOptions, "onDevice" | "onCloud" | "onTrace" | "onEnd"> = {
	onDevice: (event) => tell("device", narrateDevice(event)),
	onCloud: (event) => {
		const told = narrateCloud(event);
		if (told) tell("cloud", told);
	},
	onTrace: (text) => tell("device", { text, mood: "quiet" }),
	onEnd: ({ message }) =>
		tell("simulator", {
			text: `${message}. It is switched on again when a file changes, or by the command on`,
			mood: "bad",
		}),
};

const WHO = { device: style.cyan("device"), cloud: style.magenta("cloud "), simulator: style.yellow("board ") };

function tell(who: keyof typeof WHO, told: Line): void {
	console.log(hanging(`${style.dim(clockTime())}  ${WHO[who]}  `, line(told)));
}

const say = (text: string, mood: NonNullable<Line["mood"]> = "good") => tell("simulator", { text, mood });

/** What is watched: a board, without what only other tools need. */
export type WatchedBoard = Pick<
	Board,
	"on" | "powerOn" | "powerOff" | "holdButton" | "collect" | "until" | "spoken"
> & {
	readonly seen: readonly Pick<CloudEvent, "sequence">[];
	readonly relay: Pick<Relay, "change">;
	readonly cloud: Pick<Cloud, "settings" | "changeSettings">;
};

/**
 * Settles when the user ends the session, with `quit` or at the end of `input`.
 * @param folders whose changes cause a build
 */
export function watch(
	board: WatchedBoard,
	folders: readonly string[],
	build: () => Promise<void>,
	input: Readable & { readonly isTTY?: boolean } = process.stdin,
): Promise<void> {
	let clock: keyof typeof CLOCKS = "right";
	/** The cloud's last event before the period that `wait` waits for. */
	let since = 0;
	/** Whether a program has been built that can be switched on. */
	let built = false;
	/** Whether a build is under way, and whether another one must follow it. */
	let building = false;
	let dirty = false;
	/** Commands run one after the other. Builds run beside them, so that the running program can be tested meanwhile. */
	let work = Promise.resolve();
	const then = (step: () => unknown): void => {
		work = work.then(step).then(
			() => {},
			(error: unknown) => {
				if (!(error instanceof SimulatorError) && !(error instanceof CommandError)) throw error;
				say(error.message, "bad");
			},
		);
	};
	const off = async () => {
		await board.powerOff();
		since = board.seen.at(-1)?.sequence ?? 0;
	};
	const on = async () => {
		await board.powerOff();
		since = board.seen.at(-1)?.sequence ?? 0;
		if (!built) throw new SimulatorError("there is nothing to switch on before a build has succeeded");
		await board.powerOn(clock === "right" ? {} : { FLEET_CLOCK_OFFSET: String(CLOCKS[clock]) });
	};
	const again = async (switchOn: () => unknown = () => then(on)): Promise<void> => {
		dirty = building;
		if (building) return;
		building = true;
		const begun = Date.now();
		let failure: unknown;
		try {
			await build();
			built = true;
		} catch (error) {
			failure = error;
		}
		building = false;
		if (failure instanceof SimulatorError) {
			// The complete message, as the compiler printed it.
			console.log(style.red(failure.message));
			say(`the build failed${board.on ? "; what runs goes on" : ""}. It is tried again when a file changes`, "bad");
		} else if (failure !== undefined) throw failure;
		else {
			say(`built in ${((Date.now() - begun) / 1000).toFixed(1)} s; switches it on`);
			await switchOn();
		}
		if (dirty) void again();
	};
	const steps: Readonly<Record<Exclude<Command["name"], "quit" | "help">, (command: Command) => unknown>> = {
		cut: async () => {
			await off();
			say("the power was cut; switches it on again");
			await on();
		},
		off: async () => {
			await off();
			say("the power is off");
		},
		on: async () => {
			say("switches it on");
			await on();
		},
		forget: async () => {
			await off();
			board.holdButton();
			say("switches it on with the button held down");
			await on();
		},
		down: () => board.relay.change("down").then(() => say("the network is gone")),
		hang: () => board.relay.change("hang").then(() => say("the network swallows everything")),
		up: () => board.relay.change("up").then(() => say("the network is back")),
		clock: async (command) => {
			if (command.name !== "clock") return;
			await off();
			clock = command.clock;
			say(`switches it on with a clock that is ${clock === "right" ? "right" : `years ${clock}`}`);
			await on();
		},
		refuse: (command) => fault(board, command),
		lose: (command) => fault(board, command),
		memory: async () => {
			const sample = await board.collect();
			const slots = sample["Slot used"]! / 32;
			say(`alive: ${slots} slots, ${bytes(sample["Chunk used"]!)} of chunks on this computer`);
		},
		wait: async () => {
			await board.until("the device has not spoken as itself", PATIENCE, () => board.spoken(since));
			say("the device has spoken as itself");
		},
		build: () => void again(),
	};
	return new Promise((resolve) => {
		// Commands that are typed meanwhile come after the first build, and after its program has been switched on.
		then(() => again(on));
		const files = watchFiles(folders, (changed) => {
			say(`${changed} has changed: builds again`);
			void again();
		});
		const lines = createInterface({ input });
		const end = () => {
			files.close();
			lines.close();
			resolve();
		};
		lines.on("line", (text) => {
			const command = readCommand(text);
			if (command === undefined) return;
			if (typeof command === "string") say(command, "bad");
			else if (command.name === "help") console.log(commandHelp());
			else if (command.name !== "quit") {
				if (building && !built) say(`${command.name}: as soon as the first build has ended`, "quiet");
				then(() => steps[command.name as keyof typeof steps](command));
			}
			// A person should not have to wait for the work that is under way; a script's commands are executed one after the
			// other.
			else if (input.isTTY) end();
			else then(end);
		});
		lines.on("close", () => then(end));
	});
}

/** Which requests a command means. A device sends only one of the two for a certificate, as its setting `keyPair` says. */
const OPERATIONS = {
	create: ["CreateKeysAndCertificate", "CreateCertificateFromCsr"],
	register: ["RegisterThing"],
} as const;

/** Makes the cloud corrupt its next replies. */
function fault(board: WatchedBoard, command: Command): void {
	if (command.name !== "refuse" && command.name !== "lose") return;
	const { name, reply, times } = command;
	const action = name === "refuse" ? "reject" : "drop";
	const faults = OPERATIONS[reply].map((operation) => ({ operation, times, action }) as const);
	board.cloud.changeSettings({ faults: [...board.cloud.settings.faults, ...faults] });
	const replies = times === 1 ? "the next reply" : `the next ${times} replies`;
	const to = reply === "create" ? "a request for a certificate" : "RegisterThing";
	say(`the cloud will ${name} ${replies} to ${to}${board.spoken() ? ": after forget, for instance" : ""}`);
}
