// Words and numbers for people: colour where there is a terminal that wants it (https://no-color.org), lines that break between
// words at the terminal's width, sizes, times. Output that goes to a file or a pipe is neither coloured nor broken.

import { stripVTControlCharacters } from "node:util";

const wanted = process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";

const paint =
	(on: number, off: number) =>
	(text: string): string =>
		wanted ? `\x1b[${on}m${text}\x1b[${off}m` : text;

/** Plain text where colour is not wanted. */
export const style = {
	bold: paint(1, 22),
	dim: paint(2, 22),
	red: paint(31, 39),
	green: paint(32, 39),
	yellow: paint(33, 39),
	magenta: paint(35, 39),
	cyan: paint(36, 39),
};

/** Longer lines than this are hard to read, however wide the terminal is. */
const WIDEST = 100;

/** How wide texts such as help are, in characters: as wide as the terminal, and never wider than is good to read. */
export const textWidth = (): number => Math.min(process.stdout.columns ?? WIDEST, WIDEST);

/** How wide a line of a story may be: as wide as the terminal; without one a line is never broken, for `grep`. */
export const lineWidth = (stream: NodeJS.WriteStream = process.stdout): number => stream.columns ?? Infinity;

const thousands = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** `3,012 B` */
export const bytes = (count: number): string => `${thousands(count)} B`;

/** `1,204 ms` */
export const milliseconds = (count: number): string => `${thousands(Math.round(count))} ms`;

/** The first digits of a certificate id: enough to recognize it by. */
export const short = (certificateId: string): string => certificateId.slice(0, 12);

/**
 * Text with its control characters and changes of direction as escapes: client ids and topics come from strangers, and are not
 * to move the cursor, name the window or begin a line of their own.
 */
const harmless = (text: string): string =>
	text.replace(
		/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);

/** A line of a story, as narration.ts tells it. */
export function line({ text, up, down, took, note, mood }: Line): string {
	const more = [
		...(up === undefined ? [] : [`▲ ${bytes(up)}`]),
		...(down === undefined ? [] : [`▼ ${bytes(down)}`]),
		...(took === undefined ? [] : [milliseconds(took)]),
		...(note === undefined ? [] : [note]),
	];
	return MOODS[mood ?? "plain"](harmless(text)) + style.dim(more.map((part) => `  ${held(part)}`).join(""));
}

/** Text that is not broken where a line is: a number stays beside its unit. A plain space again once lines are broken. */
export const held = (text: string): string => text.replaceAll(" ", NO_BREAK);
const NO_BREAK = "\u00a0";

/** What happened, how many bytes went up or down with it, how many ms it took, and whether that is good or bad news. */
export interface Line {
	readonly text: string;
	readonly up?: number;
	readonly down?: number;
	readonly took?: number;
	readonly note?: string;
	readonly mood?: "good" | "bad" | "quiet";
}

const MOODS = { good: style.green, bad: style.red, quiet: style.dim, plain: (text: string) => text };

/** Time of day, to the ms. */
export const clockTime = (): string => new Date().toTimeString().slice(0, 8) + new Date().toISOString().slice(19, 23);

/** Characters that a terminal shows. */
const visible = (text: string): number => stripVTControlCharacters(text).length;

/** Two columns, the second wrapped; the second below the first where they do not fit side by side. */
export function columns(rows: readonly (readonly [string, string])[], width = textWidth()): string {
	const left = Math.max(...rows.map(([name]) => visible(name))) + 4;
	if (width - left < NARROWEST)
		return rows.map(([name, text]) => `  ${name}\n${hanging("      ", text, width)}`).join("\n");
	return rows
		.map(([name, text]) => hanging(`  ${name}${" ".repeat(left - 2 - visible(name))}`, text, width))
		.join("\n");
}

/** A column of text narrower than this reads badly. */
const NARROWEST = 36;

/** Text after something that it must not run below: its further lines are indented by as much. */
export function hanging(before: string, text: string, width = lineWidth()): string {
	const indent = visible(before);
	return before + wrap(text, width - indent).join(`\n${" ".repeat(indent)}`);
}

/** Paragraphs, which blank lines separate, filled anew; a line that is indented stays as it is. */
export function paragraphs(text: string, width = textWidth()): string {
	return text
		.split(/\n{2,}/)
		.map((paragraph) => (/^\s/m.test(paragraph) ? paragraph : wrap(paragraph.replaceAll("\n", " "), width).join("\n")))
		.join("\n\n");
}

/** Lines of at most `width` characters, broken between words; a longer word has a line of its own, whole. */
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
