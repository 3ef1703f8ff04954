// Commands that people paste: quoted for the shell, called the way this process was, broken at the terminal's width.

import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { textWidth } from "./terminal.js";

const clone = fileURLToPath(new URL("../..", import.meta.url));

/** How this process was started, as far as it decides what to print. */
export interface Start {
	/** The script, as Node was given it: a link in a folder of the PATH, or the file itself. */
	readonly script: string;
	readonly environment: Readonly<Record<string, string | undefined>>;
	readonly folder: string;
}

/** The words that call `fleet` again: `npx fleet`, `npm run fleet --` in the clone, `fleet`, or `node …/fleet.js`. */
export function invocation(
	{ script, environment, folder }: Start = {
		script: process.argv[1] ?? "",
		environment: process.env,
		folder: process.cwd(),
	},
): string {
	if (script.includes(join("node_modules", ".bin") + sep) || environment.npm_command === "exec") return "npx fleet";
	// A script of this package's own: npm sets the working directory to the clone, so paths mean the same the next time.
	if (environment.npm_lifecycle_event !== undefined && environment.npm_package_json === join(clone, "package.json"))
		return "npm run fleet --";
	if (basename(script) === "fleet") return "fleet";
	const path = relative(folder, script);
	return `node ${quote(path.startsWith("..") ? script : path)}`;
}

/** A word as POSIX shells take it whole. */
export const quote = (word: string): string =>
	/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** A call of `fleet`, indented by two, each option with its value on one line, lines joined by `\`. */
export function printedCall(name: string, options: Readonly<Record<string, string>>, width = textWidth()): string {
	const parts = Object.entries(options).map(([option, value]) => `--${option} ${quote(value)}`);
	const lines = [`  ${invocation()} ${name}`];
	for (const part of parts) {
		const last = lines.at(-1)!;
		if (last.length + part.length + 3 > width) lines.push(`    ${part}`);
		else lines[lines.length - 1] = `${last} ${part}`;
	}
	return lines.join(" \\\n");
}
