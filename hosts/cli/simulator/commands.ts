// The commands that `npm run simulator -- --watch` accepts, one per line, to control a simulated board while it runs.

import { didYouMean } from "../nearest.js";
import { columns } from "../terminal.js";

/** Ways in which a simulated board's clock can be wrong, in seconds. */
export const CLOCKS = {
	right: 0,
	/** Before the firmware was built: the device recognizes that this is wrong, and asks a time server. */
	behind: -20 * 365 * 86_400,
	/** After every certificate has expired. */
	ahead: 40 * 365 * 86_400,
} as const;

/** A parsed command line. */
export type Command =
	| { readonly name: "cut" | "off" | "on" | "forget" | "down" | "hang" | "up" | "build" | "memory" | "wait" }
	| { readonly name: "help" | "quit" }
	| { readonly name: "clock"; readonly clock: keyof typeof CLOCKS }
	| { readonly name: "refuse" | "lose"; readonly reply: "create" | "register"; readonly times: number };

const TABLE: Readonly<Record<Command["name"], { readonly takes?: string; readonly help: string }>> = {
	cut: { help: "cut the power and switch it on again" },
	off: { help: "cut the power" },
	on: { help: "switch it on" },
	forget: { help: "factory reset: cut the power, and hold the button down while it is switched on again" },
	down: { help: "the network is gone: connections are cut, and nobody answers" },
	hang: { help: "the network swallows everything" },
	up: { help: "the network is back" },
	clock: {
		takes: "behind|ahead|right",
		help: "switch it on again with a clock that is years behind or ahead, or right",
	},
	refuse: { takes: "[create|register] [N]", help: "refuse the next reply, or the next N (500 InternalFailure)" },
	lose: { takes: "[create|register] [N]", help: "do not send the next reply, or the next N" },
	memory: { help: "what is alive in XS, after a collection" },
	wait: { help: "take the next command when the device has spoken as itself" },
	build: { help: "build again and switch it on with what came out" },
	help: { help: "this list" },
	quit: { help: "end everything, as Ctrl-C does" },
};

const NAMES = Object.keys(TABLE) as Command["name"][];

/** The list of commands, for the user. */
export const commandHelp = (): string =>
	columns(NAMES.map((name) => [[name, TABLE[name].takes].filter(Boolean).join(" "), TABLE[name].help]));

/** Parses a line. Returns a command, nothing for an empty line, or a text that says what is wrong. */
export function readCommand(line: string): Command | string | undefined {
	const [given, ...words] = line.trim().split(/\s+/);
	if (!given) return undefined;
	const name = NAMES.find((name) => name === given.toLowerCase());
	if (name === undefined)
		return `there is no command ${given}${didYouMean(given.toLowerCase(), NAMES) || "; see help"}`;
	const wrong = (word: string, allowed: readonly string[]) =>
		`${name} takes ${TABLE[name].takes ?? "nothing more"}, not ${word}${didYouMean(word, allowed)}`;
	if (name === "clock") {
		const clocks = Object.keys(CLOCKS) as (keyof typeof CLOCKS)[];
		const [word = "nothing", more] = words;
		const clock = clocks.find((clock) => clock === word);
		return clock === undefined || more !== undefined ? wrong(more ?? word, clocks) : { name, clock };
	}
	if (name === "refuse" || name === "lose") {
		let reply: "create" | "register" = "create";
		let times = 1;
		for (const word of words) {
			if (word === "create" || word === "register") reply = word;
			else if (/^[1-9]\d{0,5}$/.test(word)) times = Number(word);
			else return wrong(word, ["create", "register"]);
		}
		return { name, reply, times };
	}
	return words.length > 0 ? wrong(words[0]!, []) : { name };
}
