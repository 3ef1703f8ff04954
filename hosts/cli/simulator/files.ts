// Notices that a file in one of several folders has changed, come or gone. Looks again and again, since not every file system tells
// of changes, and what is in node_modules is not to be watched at all.

import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** ms. */
const INTERVAL = 500;
/** What is made, installed or hidden; the claim is given by the tool. */
const LEFT_OUT = /^(node_modules|build|dist|claim|\..*)$/;

/**
 * Calls `onChange` with a file that has changed, once all has been quiet for an interval: an editor that writes many files is one
 * change.
 */
export function watchFiles(folders: readonly string[], onChange: (file: string) => void, interval = INTERVAL) {
	let known = look(folders);
	let changed: string | undefined;
	const timer = setInterval(() => {
		const now = look(folders);
		const different = difference(known, now);
		known = now;
		if (different !== undefined) changed = different;
		else if (changed !== undefined) {
			const file = changed;
			changed = undefined;
			onChange(relative(process.cwd(), file));
		}
	}, interval);
	return { close: () => clearInterval(timer) };
}

function difference(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string | undefined {
	for (const [file, stamp] of after) if (before.get(file) !== stamp) return file;
	for (const file of before.keys()) if (!after.has(file)) return file;
	return undefined;
}

/** Every file with its time and size. */
function look(folders: readonly string[]): Map<string, string> {
	const found = new Map<string, string>();
	const into = (folder: string): void => {
		for (const entry of list(folder)) {
			if (LEFT_OUT.test(entry.name)) continue;
			const path = join(folder, entry.name);
			if (entry.isDirectory()) into(path);
			else {
				const stat = statSync(path, { throwIfNoEntry: false });
				if (stat) found.set(path, `${stat.mtimeMs} ${stat.size}`);
			}
		}
	};
	for (const folder of folders) into(folder);
	return found;
}

/** A folder may go while it is looked at. */
function list(folder: string) {
	try {
		return readdirSync(folder, { withFileTypes: true });
	} catch {
		return [];
	}
}
