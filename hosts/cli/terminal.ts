// Words and numbers for people: colour where there is a terminal that wants it (https://no-color.org), sizes, times.

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

const thousands = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** `3,012 B` */
export const bytes = (count: number): string => `${thousands(count)} B`;

/** `1,204 ms` */
export const milliseconds = (count: number): string => `${thousands(Math.round(count))} ms`;

/** The first digits of a certificate id: enough to recognize it by. */
export const short = (certificateId: string): string => certificateId.slice(0, 12);

/** A line of a story, as narration.ts tells it. */
export function line({ text, up, down, took, note, mood }: Line): string {
	const size = up !== undefined ? `  ▲ ${bytes(up)}` : down !== undefined ? `  ▼ ${bytes(down)}` : "";
	const time = took === undefined ? "" : `  ${milliseconds(took)}`;
	const more = note === undefined ? "" : `  ${note}`;
	return MOODS[mood ?? "plain"](text) + style.dim(size + time + more);
}

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

/** Two columns, the second wrapped to 100 characters in all. */
export function columns(rows: readonly (readonly [string, string])[]): string {
	const width = Math.max(...rows.map(([left]) => left.length)) + 4;
	return rows
		.map(([left, right]) => `  ${left.padEnd(width - 2)}${wrap(right, 100 - width).join(`\n${" ".repeat(width)}`)}`)
		.join("\n");
}

/** Lines of at most `width` characters, broken between words. */
export function wrap(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && line.length + 1 + word.length > width) {
			lines.push(line);
			line = word;
		} else line = line === "" ? word : `${line} ${word}`;
	}
	return [...lines, line];
}
