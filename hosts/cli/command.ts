// What every command of `fleet` is made of: its options as data, which the help, the shell completion and the parser of
// arguments use, and two kinds of error, each printed as one clear line. Never prints a stack trace.

import { type ParseArgsConfig, parseArgs } from "node:util";
import { didYouMean } from "./nearest.js";
import { columns, paragraphs } from "./terminal.js";

/** The command was called incorrectly. Exit code 2. */
export class UsageError extends Error {}

/** The command was called correctly but cannot do its work. Exit code 1. */
export class CommandError extends Error {}

/** An option and its line in the help. */
export interface Option {
	readonly type: "string" | "boolean";
	/** A placeholder for the value in the help, such as `FILE`; or all the words that the value may be: `cbor|json`. */
	readonly value?: string;
	readonly help: string;
	/** The value when the option is not given. The help shows it. */
	readonly default?: string;
	/** The command refuses to run without it. */
	readonly required?: boolean;
	/** May be given more than once. */
	readonly multiple?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

/** A positional argument of a command. */
export interface Operand {
	/** A placeholder for it in the help, such as `COMMAND`. */
	readonly value: string;
	readonly help: string;
	/** How many of them may be given. Default 1. */
	readonly most?: number;
	/** The command refuses to run without it. */
	readonly required?: boolean;
	/** What shells complete it with. Other values are allowed. */
	readonly suggestions: readonly string[];
}

type Words<V> = V extends `${infer First}|${infer Rest}` ? First | Words<Rest> : V;
type Text<O> = O extends { value: infer V extends `${string}|${string}` } ? Words<V> : string;

/** The values of options, as a command gets them: text, one of a few words, booleans, lists. */
export type Values<O extends Options> = {
	readonly [K in keyof O]: O[K] extends { multiple: true }
		? readonly string[]
		: O[K] extends { type: "boolean" }
			? boolean
			: O[K] extends { required: true } | { default: string }
				? Text<O[K]>
				: Text<O[K]> | undefined;
};

/** What a command is made of. Its name and summary are in commands.ts, so that listing the commands loads none of them. */
export interface Description<O extends Options = Options> {
	readonly options: O;
	readonly operand?: Operand;
	/** Paragraphs for the help, below the options. They are wrapped to the terminal's width. */
	readonly details?: string;
	/** Does the work and returns the exit code. @throws UsageError, CommandError */
	run(values: Values<O>, operands: readonly string[]): Promise<number>;
}

/** A command of `fleet`. */
export interface Command extends Omit<Description, "run"> {
	/** Parses the arguments, does the work and returns the exit code. @throws UsageError, CommandError */
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

/** The words from which an option's value must be chosen; empty when any text is allowed. */
export const choices = ({ value = "" }: Option): readonly string[] => (value.includes("|") ? value.split("|") : []);

function readArguments({ options, operand }: Omit<Description, "run">, args: readonly string[]) {
	const { tokens } = parseArgs({
		args: [...args],
		options: Object.fromEntries(Object.entries(options).map(([name, { type }]) => [name, { type }])) as NonNullable<
			ParseArgsConfig["options"]
		>,
		// Not strict: the messages of strict mode are for programmers, and cannot suggest what was probably meant.
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
			if (value !== undefined) throw new UsageError(`--${name} takes no value, but was given ${value}`);
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
			`unexpected argument ${operands[most]}: this command takes ${most === 0 ? "" : `${operand!.value} and `}options only`,
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

/** An option's value as a whole number. @throws UsageError */
export function wholeNumber(name: string, text: string, least: number, most: number, example = least): number {
	const number = Number(text);
	if (!/^\d+$/.test(text) || number < least || number > most)
		throw new UsageError(
			`--${name} must be a whole number from ${least} to ${most}, not ${text}; for example --${name} ${example}`,
		);
	return number;
}

/** An option's value, which must be one of a few words. @throws UsageError */
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
