// Estimates a build's progress for display: compares what mcconfig's makefile lists with what make has done so far.

import { existsSync, readFileSync } from "node:fs";

/** How many files of XS itself the first build compiles (the SDK's tools/mcconfig/make.lin.mk). */
const XS_FILES = 44;

/**
 * Returns a function that is called with each line of the build's output. It returns the progress in words, or undefined for
 * lines that do not change it.
 * @param makefile written by mcconfig before it calls make
 * @param library folder of XS's object files
 */
export function buildSteps(makefile: string, library: string): (line: string) => string | undefined {
	const first = !existsSync(`${library}/debug/lib/xsRun.c.o`) && !existsSync(`${library}/lib/debug/xsRun.c.o`);
	let done = 0;
	let all: number | undefined;
	return (line) => {
		const [, tool, file = ""] = /^# (\w+) ?(\S*)/.exec(line) ?? [];
		if (tool === undefined) return undefined;
		all ??= existsSync(makefile) ? stepsIn(readFileSync(makefile, "utf8")) + (first ? XS_FILES : 0) : 0;
		done += 1;
		// make builds only what has changed, which after the first time is less than the makefile lists.
		return `${done}${all > done && first ? ` of ${all}` : ""} (${tool} ${file})`;
	};
}

const stepsIn = (makefile: string): number =>
	makefile.split("\n").filter((line) => /^\t@echo ['"]# /.test(line)).length;

/** Shows progress repeatedly: on a terminal in one line that is overwritten, otherwise as a new line once in a while. */
export function progressLine(before: string, stream: NodeJS.WriteStream = process.stderr) {
	// Work that takes less than a second needs no progress display.
	let last = Date.now() + 1_000;
	let shown = false;
	return {
		say(text: string): void {
			const now = Date.now();
			if (now < last) return;
			last = now + (stream.isTTY ? 100 : 10_000);
			shown = true;
			if (stream.isTTY) stream.write(`\r\x1b[K${`${before}${text}`.slice(0, (stream.columns || 80) - 1)}`);
			else stream.write(`${before}${text}\n`);
		},
		/** Removes the line. */
		end(): void {
			if (shown && stream.isTTY) stream.write("\r\x1b[K");
			shown = false;
			last = Date.now() + 1_000;
		},
	};
}
