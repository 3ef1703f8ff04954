// Detects that a file in one of several folders was changed, created or deleted. Polls, because not every file system
// reports changes, and because node_modules must not be watched.

import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** ms. */
const INTERVAL = 500;
/** Folders with built, installed or hidden files. The claim is ignored too, because the tool provides its own. */
const LEFT_OUT = /^(node_modules|build|dist|claim|\..*)$/;

/**
 * Calls `onChange` with a changed file, once there were no more changes for an interval. An editor that writes many files
 * thus causes one call.
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

/** Every file with its modification time and size. */
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

/** A folder may disappear while it is read. */
function list(folder: string) {
	try {
		return readdirSync(folder, { withFileTypes: true });
	} catch {
		return [];
	}
}
