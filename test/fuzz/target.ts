// The interface of whatever can be fuzzed: it takes bytes and detects when it has failed.

import type { Random } from "./mutate.js";

/** How an input failed, from the worst kind to the mildest. */
export type DefectKind =
	/** The process ended. */
	| "end"
	/** Nothing answers any more: an endless loop, or a broker that no longer serves a good client. */
	| "hang"
	/** An exception or a rejection that nobody caught: without the fuzzer's own handlers, the process would have ended. */
	| "uncaught"
	/** A client received something that its policy does not allow. */
	| "privilege"
	/** Memory, timers or sockets remain after closing. */
	| "leak"
	/** One input took more processor time than is allowed. */
	| "stall"
	/** An invalid answer, or an error of the wrong kind. */
	| "wrong"
	/** An error that was caught, and reported as one that should never happen. */
	| "internal error";

/** What a target throws when an input has found a defect. */
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
	 * Tries one input and returns how many streams, requests or documents it contained.
	 * @throws Defect when the input has found a defect; any other exception counts as `wrong`
	 */
	run(input: Uint8Array): Promise<number> | number;
	/** Releases everything. Whatever remains afterwards is a leak. */
	close(): Promise<void> | void;
}

/** A target. */
export interface Target {
	/** Its name, which is also the name of its folder in the corpus. */
	readonly name: string;
	/** What `run` counts, in the plural. */
	readonly unit: string;
	/** After how many inputs it is closed and opened anew. */
	readonly life: number;
	/** Its share of the time of a run, relative to the weights of the other targets. */
	readonly weight: number;
	/** Processor time that one input may take, ms. */
	readonly maximumCpu: number;
	/** `lines`: an input is text. Minimizing it removes whole lines first, and several inputs can be joined into one. */
	readonly form: "bytes" | "lines";
	open(): Promise<Opened>;
	generate(random: Random): Uint8Array;
	/** Smaller versions of one line. */
	shrinkLine?(line: string): Iterable<string>;
}
