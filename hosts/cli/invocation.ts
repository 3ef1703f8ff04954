// Prints commands that people can paste: quoted for the shell, called the way this process was called, and wrapped to the
// terminal's width.

import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { textWidth } from "./terminal.js";

const clone = fileURLToPath(new URL("../..", import.meta.url));

/** How this process was started, as far as it affects what is printed. */
export interface Start {
	/** The script's path as given to Node: a link in a folder of the PATH, or the file itself. */
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
	// Started by one of this package's own npm scripts: npm sets the working directory to the clone, so printed relative paths
	// will work in the next call, too.
	if (environment.npm_lifecycle_event !== undefined && environment.npm_package_json === join(clone, "package.json"))
		return "npm run fleet --";
	if (basename(script) === "fleet") return "fleet";
	const path = relative(folder, script);
	return `node ${quote(path.startsWith("..") ? script : path)}`;
}

/** Quotes a word for POSIX shells, if it needs quotes. */
export const quote = (word: string): string =>
	/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** A call of `fleet`, indented by two spaces, in lines that end in `\`. No option is separated from its value. */
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
