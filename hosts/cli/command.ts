// What every command of `fleet` is made of: options as data, from which the help is written and the arguments are read;
// two kinds of error that end in one clear line each. Never lets a stack trace out.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { columns } from "./terminal.js";

/** The command was called wrongly. Exit code 2. */
export class UsageError extends Error {}

/** The command was called rightly but cannot do its work. Exit code 1. */
export class CommandError extends Error {}

/** An option and its line in the help. */
export interface Option {
	readonly type: "string" | "boolean";
	/** What stands for the value in the help, such as `FILE`. */
	readonly value?: string;
	readonly help: string;
	/** Said in the help and given when the option is not. */
	readonly default?: string;
	/** The command cannot do without. */
	readonly required?: boolean;
	/** May be given more than once. */
	readonly multiple?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

/** What `parseArgs` makes of options: text, switches, lists. */
export type Values<O extends Options> = {
	readonly [K in keyof O]: O[K] extends { multiple: true }
		? readonly string[]
		: O[K] extends { type: "boolean" }
			? boolean
			: O[K] extends { required: true } | { default: string }
				? string
				: string | undefined;
};

/** A command of `fleet`. */
export interface Command {
	/** As it is called: `demo`, `claim embed`. */
	readonly name: string;
	/** One line for the list of commands. */
	readonly summary: string;
	/** The text that `--help` prints. */
	help(): string;
	/** Gives the exit code. @throws UsageError, CommandError */
	run(args: readonly string[]): Promise<number>;
}

/** Makes a command from its options. `details` is for the help, below the options. */
export function command<const O extends Options>(description: {
	readonly name: string;
	readonly summary: string;
	readonly options: O;
	readonly details?: string;
	run(values: Values<O>): Promise<number>;
}): Command {
	const { name, summary, options, details } = description;
	return {
		name,
		summary,
		help: () => helpText(name, summary, options, details),
		run: (args) => description.run(readArguments(options, args) as Values<O>),
	};
}

function readArguments(options: Options, args: readonly string[]): Record<string, unknown> {
	let values: Record<string, unknown>;
	try {
		({ values } = parseArgs({
			args: [...args],
			options: Object.fromEntries(
				Object.entries(options).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
			) as NonNullable<ParseArgsConfig["options"]>,
			strict: true,
			allowPositionals: false,
		}));
	} catch (error) {
		throw new UsageError(explainArguments(error as Error));
	}
	for (const [name, option] of Object.entries(options)) {
		if (values[name] === "") throw new UsageError(`--${name} needs a value`);
		if (values[name] !== undefined) continue;
		if (option.required) throw new UsageError(`--${name} ${option.value} is missing`);
		values[name] = option.multiple ? [] : option.type === "boolean" ? false : option.default;
	}
	return values;
}

/** parseArgs explains at length; the first sentence is what matters. */
function explainArguments({ message }: Error): string {
	const sentence = message.split(/\.(?:\s|$)/)[0]!.replaceAll("'", "");
	return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function helpText(name: string, summary: string, options: Options, details?: string): string {
	const all: [string, string][] = Object.entries(options).map(
		([option, { value, help, default: preset, required }]) => [
			value === undefined ? `--${option}` : `--${option} ${value}`,
			`${help}${required ? " (required)" : ""}${preset === undefined ? "" : ` (default ${preset})`}`,
		],
	);
	all.push(["--help", "this text"]);
	return `fleet ${name}: ${summary}\n\n${columns(all)}\n${details === undefined ? "" : `\n${details}\n`}`;
}

/** A whole number from an option. @throws UsageError */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
	const number = Number(text);
	if (!/^\d+$/.test(text) || number < least || number > most)
		throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, not ${text}`);
	return number;
}

/** One of a few words from an option. @throws UsageError */
export function oneOf<const T extends string>(name: string, text: string, words: readonly T[]): T {
	const word = words.find((candidate) => candidate === text);
	if (word === undefined) throw new UsageError(`--${name} must be ${words.join(" or ")}, not ${text}`);
	return word;
}

/** `NAME=VALUE` options as an object. @throws UsageError */
export function readPairs(name: string, given: readonly string[], form = "NAME=VALUE"): Record<string, string> {
	const pairs: Record<string, string> = {};
	for (const text of given) {
		const at = text.indexOf("=");
		if (at < 1) throw new UsageError(`--${name} must be ${form}, not ${text}`);
		pairs[text.slice(0, at)] = text.slice(at + 1);
	}
	return pairs;
}
