// What every command of `fleet` is made of: options as data, from which the help, the completion and the reader of arguments
// are made; two kinds of error that end in one clear line each. Never lets a stack trace out.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { didYouMean } from "./nearest.js";
import { columns, paragraphs } from "./terminal.js";

/** The command was called wrongly. Exit code 2. */
export class UsageError extends Error {}

/** The command was called rightly but cannot do its work. Exit code 1. */
export class CommandError extends Error {}

/** An option and its line in the help. */
export interface Option {
	readonly type: "string" | "boolean";
	/** What stands for the value in the help, such as `FILE`; or all the words that the value may be: `cbor|json`. */
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

/** What a command takes without an option's name before it. */
export interface Operand {
	/** What stands for it in the help, such as `COMMAND`. */
	readonly value: string;
	readonly help: string;
	/** How many of them may be given. Default 1. */
	readonly most?: number;
	/** The command cannot do without. */
	readonly required?: boolean;
	/** What shells complete it with; it may be something else all the same. */
	readonly suggestions: readonly string[];
}

type Words<V> = V extends `${infer First}|${infer Rest}` ? First | Words<Rest> : V;
type Text<O> = O extends { value: infer V extends `${string}|${string}` } ? Words<V> : string;

/** What becomes of options: text, one of a few words, switches, lists. */
export type Values<O extends Options> = {
	readonly [K in keyof O]: O[K] extends { multiple: true }
		? readonly string[]
		: O[K] extends { type: "boolean" }
			? boolean
			: O[K] extends { required: true } | { default: string }
				? Text<O[K]>
				: Text<O[K]> | undefined;
};

/** What a command is made of: its name and its summary stand in commands.ts, so that the list of commands loads none. */
export interface Description<O extends Options = Options> {
	readonly options: O;
	readonly operand?: Operand;
	/** For the help, below the options: paragraphs, which are filled anew. */
	readonly details?: string;
	/** Gives the exit code. @throws UsageError, CommandError */
	run(values: Values<O>, operands: readonly string[]): Promise<number>;
}

/** A command of `fleet`. */
export interface Command extends Omit<Description, "run"> {
	/** Gives the exit code. @throws UsageError, CommandError */
	run(args: readonly string[]): Promise<number>;
}

/** Makes a command from its description. */
export function command<const O extends Options>(description: Description<O>): Command {
	return {
		...description,
		run(args) {
			const { values, operands } = readArguments(description, args);
			return description.run(values as Values<O>, operands);
		},
	};
}

/** The words that an option's value must be one of; none where it is free. */
export const choices = ({ value = "" }: Option): readonly string[] => (value.includes("|") ? value.split("|") : []);

function readArguments({ options, operand }: Omit<Description, "run">, args: readonly string[]) {
	const { tokens } = parseArgs({
		args: [...args],
		options: Object.fromEntries(Object.entries(options).map(([name, { type }]) => [name, { type }])) as NonNullable<
			ParseArgsConfig["options"]
		>,
		// Not strict: its messages are for programmers, and it cannot say what was nearly right.
		strict: false,
		allowPositionals: true,
		tokens: true,
	});
	const values: Record<string, unknown> = {};
	const operands: string[] = [];
	for (const token of tokens) {
		if (token.kind === "positional") operands.push(token.value);
		if (token.kind !== "option") continue;
		const { name, rawName, value } = token;
		const option = rawName === `--${name}` && Object.hasOwn(options, name) ? options[name]! : undefined;
		if (option === undefined) {
			const known = [...Object.keys(options), "help"].map((known) => `--${known}`);
			throw new UsageError(`unknown option ${rawName}${didYouMean(rawName, known)}`);
		}
		if (option.type === "boolean") {
			if (value !== undefined) throw new UsageError(`--${name} takes no value, and was given ${value}`);
			values[name] = true;
			continue;
		}
		const isOption = token.inlineValue === false && Object.hasOwn(options, /^--(.*)/.exec(value ?? "")?.[1] ?? "");
		if (value === undefined || value === "" || isOption)
			throw new UsageError(`--${name} needs a value: --${name} ${option.value}`);
		if (choices(option).length > 0) oneOf(name, value, choices(option));
		values[name] = option.multiple ? [...((values[name] as string[] | undefined) ?? []), value] : value;
	}
	for (const [name, option] of Object.entries(options)) {
		if (values[name] !== undefined) continue;
		if (option.required) throw new UsageError(`--${name} ${option.value} is missing`);
		values[name] = option.multiple ? [] : option.type === "boolean" ? false : option.default;
	}
	const { most = 1 } = operand ?? { most: 0 };
	if (operands.length > most)
		throw new UsageError(
			`unexpected argument ${operands[most]}: what it takes are ${most === 0 ? "" : `${operand!.value} and `}options`,
		);
	if (operand?.required && operands.length === 0) throw new UsageError(`${operand.value} is missing: ${operand.help}`);
	return { values, operands };
}

/** The text that `--help` prints. `name` is how it is called. */
export function helpText(name: string, summary: string, { options, operand, details }: Command): string {
	const all: [string, string][] = Object.entries(options).map(
		([option, { value, help, default: preset, required, multiple }]) => [
			value === undefined ? `--${option}` : `--${option} ${value}`,
			help +
				(required ? " (required)" : "") +
				(multiple && !help.includes("repeated") ? " (may be repeated)" : "") +
				(preset === undefined ? "" : ` (default ${preset})`),
		],
	);
	if (operand !== undefined) all.unshift([operand.value, `${operand.help}${operand.required ? " (required)" : ""}`]);
	all.push(["--help", "this text"]);
	return [
		paragraphs(`${name}: ${summary}`),
		columns(all),
		...(details === undefined ? [] : [paragraphs(details)]),
	].join("\n\n");
}

/** A whole number from an option. @throws UsageError */
export function wholeNumber(name: string, text: string, least: number, most: number, example = least): number {
	const number = Number(text);
	if (!/^\d+$/.test(text) || number < least || number > most)
		throw new UsageError(
			`--${name} must be a whole number from ${least} to ${most}, not ${text}; for example --${name} ${example}`,
		);
	return number;
}

/** One of a few words from an option. @throws UsageError */
export function oneOf<const T extends string>(name: string, text: string, words: readonly T[]): T {
	const word = words.find((candidate) => candidate === text);
	if (word === undefined)
		throw new UsageError(`--${name} must be ${words.join(" or ")}, not ${text}${didYouMean(text, words)}`);
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
