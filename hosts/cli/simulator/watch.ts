// `npm run simulator -- --watch`: a cloud and the firmware that stay, the firmware built again when a file changes, what both of
// them do in words, and commands on standard input. A build that fails changes nothing that runs.

import { createInterface } from "node:readline";
import { CommandError } from "../command.js";
import { narrateCloud, narrateDevice } from "../narration.js";
import { bytes, clockTime, hanging, type Line, line, style } from "../terminal.js";
import type { Board, BoardOptions } from "./board.js";
import { CLOCKS, type Command, commandHelp, readCommand } from "./commands.js";
import { SimulatorError } from "./desktop.js";
import { watchFiles } from "./files.js";

/** ms that `wait` waits. */
const PATIENCE = 5 * 60_000;

/** What a board tells somebody who watches. */
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

/** Settles when somebody wants it to end: by `quit`, or at the end of standard input. */
export function watch(board: Board, folders: readonly string[], build: () => Promise<void>): Promise<void> {
	let clock: keyof typeof CLOCKS = "right";
	/** The last event of the cloud before what `wait` waits for began. */
	let since = 0;
	/** Whether there is something to switch on. */
	let built = false;
	/** A build is under way; another is wanted after it. */
	let building = false;
	let dirty = false;
	/** One thing after the other, but for builds: what runs meanwhile can be mistreated meanwhile. */
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
	const again = async (): Promise<void> => {
		dirty = building;
		if (building) return;
		building = true;
		const begun = Date.now();
		try {
			await build();
			built = true;
			say(`built in ${((Date.now() - begun) / 1000).toFixed(1)} s; switches it on`);
			then(on);
		} catch (error) {
			if (!(error instanceof SimulatorError)) throw error;
			// Whole, as the compiler says it.
			console.log(style.red(error.message));
			say(`the build failed${board.on ? "; what runs goes on" : ""}. It is tried again when a file changes`, "bad");
		}
		building = false;
		if (dirty) await again();
	};
	const steps: Readonly<Record<Exclude<Command["name"], "quit">, (command: Command) => unknown>> = {
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
		help: () => console.log(commandHelp()),
	};
	return new Promise((resolve) => {
		then(again);
		const files = watchFiles(folders, (changed) => {
			say(`${changed} has changed: builds again`);
			again();
		});
		const input = createInterface({ input: process.stdin });
		const end = () => {
			files.close();
			input.close();
			resolve();
		};
		input.on("line", (text) => {
			const command = readCommand(text);
			if (command === undefined) return;
			if (typeof command === "string") say(command, "bad");
			else if (command.name !== "quit") then(() => steps[command.name as keyof typeof steps](command));
			// A person does not want to wait for what is under way; a script has its commands done one after the other.
			else if (process.stdin.isTTY) end();
			else then(end);
		});
		input.on("close", () => then(end));
	});
}

/** Has the cloud spoil the next replies. */
function fault(board: Board, command: Command): void {
	if (command.name !== "refuse" && command.name !== "lose") return;
	const { name, reply, times } = command;
	const operation = reply === "create" ? "CreateKeysAndCertificate" : "RegisterThing";
	const action = name === "refuse" ? "reject" : "drop";
	board.cloud.changeSettings({ faults: [...board.cloud.settings.faults, { operation, times, action }] });
	const replies = times === 1 ? "the next reply" : `the next ${times} replies`;
	say(`the cloud will ${name} ${replies} to ${operation}${board.spoken() ? ": after forget, for instance" : ""}`);
}
