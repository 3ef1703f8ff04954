// Formats text and numbers for people: colour on a terminal unless NO_COLOR is set (https://no-color.org), lines wrapped between
// words at the terminal's width, sizes and times. Output to a file or a pipe is neither coloured nor wrapped.

import { stripVTControlCharacters } from "node:util";

const wanted = process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";

const paint =
	(on: number, off: number) =>
	(text: string): string =>
		wanted ? `\x1b[${on}m${text}\x1b[${off}m` : text;

/** Colours and emphasis; they leave the text as it is where colour is not wanted. */
export const style = {
	bold: paint(1, 22),
	dim: paint(2, 22),
	red: paint(31, 39),
	green: paint(32, 39),
	yellow: paint(33, 39),
	magenta: paint(35, 39),
	cyan: paint(36, 39),
};

// A terminal that was never told its width has 0 columns, which counts as unknown.

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

/** Width of texts such as the help, in characters: that of the terminal, but at most WIDEST. */
export const textWidth = (): number => Math.min(process.stdout.columns || WIDEST, WIDEST);

/** Width of lines that report events: that of the terminal. Without a terminal, lines are never wrapped, so that `grep` works. */
export const lineWidth = (stream: NodeJS.WriteStream = process.stdout): number => stream.columns || Infinity;

const thousands = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** `3,012 B` */
export const bytes = (count: number): string => `${thousands(count)} B`;

/** `1,204 ms` */
export const milliseconds = (count: number): string => `${thousands(Math.round(count))} ms`;

/** The first digits of a certificate id: enough to recognize it. */
export const short = (certificateId: string): string => certificateId.slice(0, 12);

/**
 * Text with control characters and changes of writing direction as escapes. Client ids and topics come from strangers, and must
 * not move the cursor, rename the window or start a new line.
 */
const harmless = (text: string): string =>
	text.replace(
		/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);

/** Formats a line that reports an event, as narration.ts makes it. */
export function line({ text, up, down, took, note, mood }: Line): string {
	const more = [
		...(up === undefined ? [] : [`▲ ${bytes(up)}`]),
		...(down === undefined ? [] : [`▼ ${bytes(down)}`]),
		...(took === undefined ? [] : [milliseconds(took)]),
		...(note === undefined ? [] : [note]),
	];
	return MOODS[mood ?? "plain"](harmless(text)) + style.dim(more.map((part) => `  ${held(part)}`).join(""));
}

/** Text within which a line is not wrapped, such as a number with its unit. `wrap` turns its spaces back into plain ones. */
export const held = (text: string): string => text.replaceAll(" ", NO_BREAK);
const NO_BREAK = "\u00a0";

/** An event in words, how many bytes were sent (`up`) or received (`down`), how many ms it took, and whether it is good or bad. */
export interface Line {
	readonly text: string;
	readonly up?: number;
	readonly down?: number;
	readonly took?: number;
	readonly note?: string;
	readonly mood?: "good" | "bad" | "quiet";
}

const MOODS = { good: style.green, bad: style.red, quiet: style.dim, plain: (text: string) => text };

/** The time of day with milliseconds. */
export const clockTime = (): string => new Date().toTimeString().slice(0, 8) + new Date().toISOString().slice(19, 23);

/** How many characters a terminal shows. */
const visible = (text: string): number => stripVTControlCharacters(text).length;

/** Two columns, the second one wrapped. Where they do not fit side by side, the second is put below the first. */
export function columns(rows: readonly (readonly [string, string])[], width = textWidth()): string {
	const left = Math.max(...rows.map(([name]) => visible(name))) + 4;
	if (width - left < NARROWEST)
		return rows.map(([name, text]) => `  ${name}\n${hanging("      ", text, width)}`).join("\n");
	return rows
		.map(([name, text]) => hanging(`  ${name}${" ".repeat(left - 2 - visible(name))}`, text, width))
		.join("\n");
}

/** A narrower column of text than this is hard to read. */
const NARROWEST = 36;

/** `before` and a wrapped text whose further lines are indented to the column where the first begins. */
export function hanging(before: string, text: string, width = lineWidth()): string {
	const indent = visible(before);
	return before + wrap(text, width - indent).join(`\n${" ".repeat(indent)}`);
}

/** Wraps paragraphs, which blank lines separate. A paragraph with an indented line stays as it is. */
export function paragraphs(text: string, width = textWidth()): string {
	return text
		.split(/\n{2,}/)
		.map((paragraph) => (/^\s/m.test(paragraph) ? paragraph : wrap(paragraph.replaceAll("\n", " "), width).join("\n")))
		.join("\n\n");
}

/** Wraps a text to lines of at most `width` characters. A longer word gets a line of its own and is not split. */
export function wrap(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (visible(line) > 0 && visible(line) + 1 + visible(word) > width) {
			lines.push(line.trimEnd());
			line = word;
		} else line = line === "" ? word : `${line} ${word}`;
	}
	return [...lines, line].map((text) => text.replaceAll(NO_BREAK, " "));
}
