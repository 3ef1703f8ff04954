// What can be fuzzed: something that takes bytes, and knows when it has failed.

import type { Random } from "./mutate.js";

/** How an input failed, the worst first. */
export type DefectKind =
	/** The process ended. */
	| "end"
	/** No answer any more: an endless loop, or nobody who serves a good client. */
	| "hang"
	/** An exception or a rejection that nobody caught: the end of a process without the fuzzer's own handlers. */
	| "uncaught"
	/** Somebody got what its policy does not allow. */
	| "privilege"
	/** Memory, timers or sockets that stay. */
	| "leak"
	/** One input took more processor time than any may. */
	| "stall"
	/** An answer that is none, or an error of the wrong kind. */
	| "wrong"
	/** Caught, and reported as an error that should not happen. */
	| "internal error";

/** What a target throws when an input has found something. */
export class Defect extends Error {
	readonly kind: DefectKind;

	constructor(kind: DefectKind, message: string) {
		super(message);
		this.kind = kind;
	}
}

/** Something that takes inputs until it is closed. */
export interface Opened {
	/**
	 * Takes one input; gives how many streams, requests or documents that was.
	 * @throws Defect when the input has found something; anything else that is thrown counts as `wrong`
	 */
	run(input: Uint8Array): Promise<number> | number;
	/** Lets go of everything. What is left then is a leak. */
	close(): Promise<void> | void;
}

/** A target. */
export interface Target {
	/** Names its corpus's folder, too. */
	readonly name: string;
	/** What the count of `run` counts, in the plural. */
	readonly unit: string;
	/** How many inputs one opening takes before it is closed and another is opened. */
	readonly life: number;
	/** Share of the time of a run, beside those of the other targets. */
	readonly weight: number;
	/** Processor time that one input may take, ms. */
	readonly maximumCpu: number;
	/** `lines`: an input is text, of which whole lines are left out first when it is minimized; several make a longer one. */
	readonly form: "bytes" | "lines";
	open(): Promise<Opened>;
	generate(random: Random): Uint8Array;
	/** Smaller forms of one line. */
	shrinkLine?(line: string): Iterable<string>;
}
