// How far a build is: counts what mcconfig's makefile says against what make has done. An estimate, for people only.

import { existsSync, readFileSync } from "node:fs";

/** XS itself is compiled when the first program is built: so many files (the SDK's tools/mcconfig/make.lin.mk). */
const XS_FILES = 44;

/**
 * Gives a function that takes each line of the build's output and gives how far it is, in words; undefined for lines that say
 * nothing of it.
 * @param makefile written by mcconfig before it calls make
 * @param library folder of XS's objects
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
		// Only what has changed is made: after the first time that is less than the makefile has.
		return `${done}${all > done && first ? ` of ${all}` : ""} (${tool} ${file})`;
	};
}

const stepsIn = (makefile: string): number =>
	makefile.split("\n").filter((line) => /^\t@echo ['"]# /.test(line)).length;

/** Says again and again how far something is: on a line of its own that is written over, or without a terminal once in a while. */
export function progressLine(before: string, stream: NodeJS.WriteStream = process.stderr) {
	// What takes less than a second needs no progress.
	let last = Date.now() + 1_000;
	let shown = false;
	return {
		say(text: string): void {
			const now = Date.now();
			if (now < last) return;
			last = now + (stream.isTTY ? 100 : 10_000);
			shown = true;
			if (stream.isTTY) stream.write(`\r\x1b[K${`${before}${text}`.slice(0, (stream.columns ?? 80) - 1)}`);
			else stream.write(`${before}${text}\n`);
		},
		/** The line is gone. */
		end(): void {
			if (shown && stream.isTTY) stream.write("\r\x1b[K");
			shown = false;
			last = Date.now() + 1_000;
		},
	};
}
