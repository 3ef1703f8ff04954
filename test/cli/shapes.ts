// Reads from the tables of docs/cli.md what is promised about --json, and compares it with what is printed.

import { readFileSync } from "node:fs";
import type { Test } from "tap";

/** A member with its path as the page writes it: `a.b`, `a[]`, `a.*`. */
interface Member {
	readonly type: string;
	readonly optional: boolean;
}
type Shape = ReadonlyMap<string, Member>;

const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");

/** The cells of the rows below a heading of the page. */
function rows(heading: string): string[][] {
	const [, section] = page.split(`### ${heading} --json\n`);
	if (section === undefined) throw new Error(`docs/cli.md has no section ${heading} --json`);
	return section
		.split("\n#")[0]!
		.split("\n")
		.filter((line) => line.startsWith("| `"))
		.map((line) => line.split("|").map((cell) => cell.trim()));
}

const member = (path: string, type: string): [string, Member] => [
	path.replace(/\?$/, ""),
	{ type, optional: path.endsWith("?") },
];

/** What the page says about a command that prints one object. */
export const shapeOf = (command: string): Shape =>
	new Map(rows(command).map(([, path, type]) => member(path!.replaceAll("`", ""), type!)));

/** What the page says about each event of a command that prints one object on each line. */
export const eventShapesOf = (command: string): ReadonlyMap<string, Shape> =>
	new Map(
		rows(command).map(([, event, members]) => [
			event!.replaceAll("`", ""),
			new Map([...members!.matchAll(/`([^`]+)` (\w+)/g)].map(([, path, type]) => member(path!, type!))),
		]),
	);

/** The leaves of a value: each path once for each type that occurs there. */
function leaves(value: unknown, path = ""): [path: string, type: string][] {
	if (Array.isArray(value)) return value.flatMap((element) => leaves(element, `${path}[]`));
	if (typeof value === "object" && value !== null)
		return Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === "" ? name : `${path}.${name}`));
	return [[path, typeof value === "string" ? "text" : typeof value]];
}

/** The page writes `*` for member names that are not fixed. A path without `*` is preferred over one with it. */
function documented(shape: Shape, path: string): string | undefined {
	if (shape.has(path)) return path;
	return [...shape.keys()].find((known) => {
		// The name of a module may contain dots and slashes.
		const last = known === "bytecode.modules.*" ? "bytecode\\.modules\\..+" : undefined;
		const pattern = last ?? known.replace(/[.[\]]/g, "\\$&").replaceAll("*", "[^.]+");
		return known.includes("*") && new RegExp(`^${pattern}$`).test(path);
	});
}

/** Checks that everything printed is documented with its type, and that everything promised is printed. */
export function holds(t: Test, what: string, shape: Shape, printed: object): void {
	const seen = new Set<string>();
	const wrong: string[] = [];
	for (const [path, type] of leaves(printed)) {
		const known = documented(shape, path);
		if (known === undefined) wrong.push(`${path} is not documented`);
		else if (shape.get(known)!.type !== type) wrong.push(`${path} is ${type}, documented as ${shape.get(known)!.type}`);
		else seen.add(known);
	}
	for (const [path, { optional }] of shape)
		if (!optional && !seen.has(path)) wrong.push(`${path} is promised and missing`);
	t.strictSame(wrong, [], `${what} is as docs/cli.md promises`);
}
