// Inputs that once found a defect: a folder for each target, and a file for each input, named after its content. `npm test` tries
// all of them again.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Target } from "./target.js";

const root = fileURLToPath(new URL("corpus/", import.meta.url));

/** An input with the file that holds it. */
export interface Kept {
	readonly file: string;
	readonly input: Uint8Array;
}

/** The corpus folder of a target. */
export function corpusOf({ name }: Pick<Target, "name">): string {
	return join(root, name.replaceAll(/[^A-Za-z0-9]+/g, "-").toLowerCase());
}

/** The inputs that are kept for a target. */
export function readCorpus(target: Pick<Target, "name">): Kept[] {
	const folder = corpusOf(target);
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.sort()
		.map((file) => ({ file, input: new Uint8Array(readFileSync(join(folder, file))) }));
}

/** Writes an input to the corpus and returns the path of its file. */
export function keep(folder: string, input: Uint8Array): string {
	mkdirSync(folder, { recursive: true });
	const file = join(folder, createHash("sha256").update(input).digest("hex").slice(0, 16));
	writeFileSync(file, input);
	return file;
}
