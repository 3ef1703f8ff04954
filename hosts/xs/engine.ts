// One process of the real XS engine with modules burnt into its flash; gives the device one life after another.
// Never interprets what device and host say to each other.

import { type ChildProcess, spawn } from "node:child_process";
import type { Engine } from "./build.js";
import { encodeFrame, type Frame, FrameReader, kinds } from "./frames.js";

/** A JavaScript module as it goes into flash. */
export interface Module {
	/** As importers name it, without `.js`. */
	readonly name: string;
	readonly source: string;
	/** Source map (JSON), so that the stacks of an ordinary build speak of the TypeScript. */
	readonly map?: string;
	/** Run when flash is made, on the desk, so that the device needs no RAM for it. Must then touch nothing native. */
	readonly preload: boolean;
}

/** A machine's creation values, as in a Moddable manifest's `creation`. Slots are 16 bytes. */
export interface Preset {
	readonly chunk: { readonly initial: number; readonly incremental: number };
	readonly heap: { readonly initial: number; readonly incremental: number };
	readonly stack: number;
	readonly keys: number;
	/** Bytes for stack, slots and chunks together; 0 where chunks and slots are fixed. */
	readonly static: number;
}

/** What 65 of the SDK's 82 ESP32 targets use; what the ESP32-C3 and 12 others use; and less than any of them. */
export const presets = {
	esp32: { chunk: { initial: 78848, incremental: 0 }, heap: { initial: 4928, incremental: 0 }, stack: 512, keys: 128, static: 0 },
	esp32c3: { chunk: { initial: 1536, incremental: 512 }, heap: { initial: 512, incremental: 64 }, stack: 384, keys: 128, static: 94208 },
	tight: { chunk: { initial: 1536, incremental: 512 }, heap: { initial: 512, incremental: 64 }, stack: 384, keys: 128, static: 49152 },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;

/** What flash holds. Bytes of bytecode are the device's in the variants `device` and `stress`. */
export interface FlashReport {
	readonly slotBytes: number;
	readonly slots: number;
	readonly chunks: number;
	readonly keys: number;
	/** Objects and variables of modules that get a copy in RAM when they are written to (4 bytes of RAM each, until then). */
	readonly aliases: number;
	readonly bytecode: Readonly<Record<string, number>>;
}

/** What a machine holds. `used` and `peak` include garbage not yet collected, `live` does not. Bytes, except slots. */
export interface MemoryReport {
	readonly slotBytes: number;
	readonly area: number;
	readonly taken: number;
	readonly slots: { readonly used: number; readonly peak: number; readonly size: number };
	readonly chunks: { readonly used: number; readonly peak: number; readonly size: number };
	/** At the end of any collection. In the variant `stress` that is at every allocation: exact. */
	readonly live: { readonly peak: number; readonly slots: number; readonly chunks: number };
	/** Slots. */
	readonly stack: { readonly peak: number; readonly size: number };
	/** Tables outside the area. */
	readonly tables: number;
	readonly collections: number;
}

export type EndReason =
	| "power cut"
	| "restart"
	| "out of memory"
	| "stack overflow"
	| "unhandled exception"
	| "unhandled rejection"
	| "out of keys"
	| "write to flash"
	| "engine check failed"
	| "crash";

/** How one life of the device ended. */
export interface Ending {
	readonly reason: EndReason;
	/** The process's exit code: each reason has its own (`exitCodes`). */
	readonly code: number;
	/** The exception's stack. */
	readonly detail?: string;
	readonly memory?: MemoryReport;
}

/** Exit codes of a device's process. */
export const exitCodes = {
	restart: 2,
	"power cut": 3,
	"write to flash": 4,
	"out of memory": 11,
	"stack overflow": 12,
	"engine check failed": 13,
	"unhandled exception": 15,
	"out of keys": 16,
	"unhandled rejection": 18,
} as const satisfies Partial<Record<EndReason, number>>;

/** Bytes that lie in the device's flash, so that reading them takes no RAM. */
export class Resource {
	readonly bytes: Uint8Array;
	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}
}

/** Answer to a question of the device. An Error is thrown there, with its `code`. */
export type Answer = undefined | number | Uint8Array | Resource | Error;

/** What the host does for the device. */
export interface Peer {
	/** A question, to be answered at once. */
	answer(frame: Frame): Answer;
	/** No answer wanted. */
	take(frame: Frame): void;
	/** The device has nothing left to do until something happens. */
	idle?(): void;
}

/** One life of the device. */
export class Life {
	/** Settles when the life ends; never rejects. */
	readonly ended: Promise<Ending>;
	readonly #flash: Flash;
	readonly #peer: Peer;
	readonly #events: Buffer[] = [];
	#busy = true;
	/** Switched off, if only just now: what it still says is not heard. */
	#off = false;
	#lastWords: Partial<Ending> = {};
	#end!: (ending: Ending) => void;
	#measured: ((report: MemoryReport) => void)[] = [];

	/** Only Flash makes one. */
	constructor(flash: Flash, peer: Peer) {
		this.#flash = flash;
		this.#peer = peer;
		this.ended = new Promise((resolve) => {
			this.#end = resolve;
		});
	}

	/** True while the device works. */
	get busy(): boolean {
		return this.#busy;
	}

	/** Something happens to the device, once it is done with what happened before. */
	event(kind: number, id = 0, number = 0, bytes?: Uint8Array | string): void {
		this.#send(encodeFrame(kind, id, number, bytes));
	}

	/** Switches the device off. What it does until it notices, nobody hears. */
	powerOff(): void {
		if (this.#off) return;
		this.#off = true;
		this.#events.length = 0;
		if (!this.#busy) this.#flash.write(encodeFrame(kinds.powerOff));
	}

	/** What the heap holds now; after a collection if asked for. */
	measure(collect = false): Promise<MemoryReport> {
		return new Promise((resolve) => {
			this.#measured.push(resolve);
			this.#send(encodeFrame(kinds.measure, 0, collect ? 1 : 0));
		});
	}

	#send(event: Buffer): void {
		if (this.#off) return;
		this.#events.push(event);
		if (!this.#busy) this.#next();
	}

	#next(): void {
		const event = this.#events.shift();
		this.#busy = event !== undefined;
		if (event) this.#flash.write(event);
		else this.#peer.idle?.();
	}

	/** A frame of the device's; only Flash calls it. */
	receive(frame: Frame): void {
		switch (frame.kind) {
			case kinds.idle:
				if (this.#off) this.#flash.write(encodeFrame(kinds.powerOff));
				else this.#next();
				break;
			case kinds.measure:
				this.#measured.shift()?.(JSON.parse(frame.bytes.toString()));
				break;
			case kinds.lastWords:
				this.#lastWords = JSON.parse(frame.bytes.toString());
				break;
			case kinds.ended:
				this.#off = true;
				this.#busy = false;
				this.#end({ reason: "crash", ...this.#lastWords, code: frame.number });
				break;
			default:
				if (frame.kind & 1) {
					if (!this.#off) this.#peer.take(frame);
				} else this.#reply(this.#off ? undefined : this.#peer.answer(frame));
		}
	}

	#reply(answer: Answer): void {
		// the power may have failed while the answer was found
		if (this.#off) this.#flash.write(encodeFrame(kinds.powerOff));
		else if (answer === undefined) this.#flash.write(encodeFrame(kinds.undefined));
		else if (typeof answer === "number") this.#flash.write(encodeFrame(kinds.number, 0, answer));
		else if (answer instanceof Error) {
			const { code = "" } = answer as Error & { code?: string };
			this.#flash.write(encodeFrame(kinds.error, 0, 0, `${code}\0${answer.message}`));
		} else if (answer instanceof Resource) this.#flash.write(encodeFrame(kinds.resource, 0, 0, answer.bytes));
		else this.#flash.write(encodeFrame(kinds.bytes, 0, 0, answer));
	}
}

/** The engine with modules in its flash. Making it takes a tenth of a second, a life a millisecond. One life at a time. */
export class Flash {
	readonly report: FlashReport;
	readonly #process: ChildProcess;
	#life: Life | undefined;

	private constructor(process: ChildProcess, reader: FrameReader, report: FlashReport) {
		this.#process = process;
		this.report = report;
		process.stdout!.on("data", (piece: Buffer) => {
			for (const frame of reader.read(piece)) this.#receive(frame);
		});
		process.on("exit", (code, signal) => {
			this.#receive({ kind: kinds.ended, id: 0, number: code ?? 128, bytes: Buffer.from(signal ?? "") });
		});
	}

	/**
	 * Starts an engine and compiles and preloads the modules.
	 * @throws Error naming the module that has a syntax error or cannot be preloaded
	 */
	static async burn(engine: Engine, modules: readonly Module[]): Promise<Flash> {
		const process = spawn(engine.path, { stdio: ["pipe", "pipe", "inherit"] });
		process.stdin.on("error", () => {});
		const reader = new FrameReader();
		const ready = new Promise<FlashReport>((resolve, reject) => {
			process.once("error", reject);
			process.once("exit", (code) => reject(new Error(`the engine ended with ${code} before flash was ready`)));
			process.stdout.on("data", (piece: Buffer) => {
				for (const frame of reader.read(piece)) {
					const report = JSON.parse(frame.bytes.toString());
					if (report.error) reject(new Error(`module ${report.module}: ${report.error ?? report.reason}`));
					else if (report.reason) reject(new Error(`flash: ${report.reason} ${report.detail ?? ""}`));
					else resolve(report);
				}
			});
		});
		for (const { name, source, map = "", preload } of modules)
			process.stdin.write(encodeFrame(kinds.module, 0, preload ? 1 : 0, `${name}\0${source}\0${map}\0`));
		process.stdin.write(encodeFrame(kinds.seal));
		const report = await ready;
		process.stdout.removeAllListeners("data");
		process.removeAllListeners("exit");
		return new Flash(process, reader, report);
	}

	/** Power-on: a new life, with nothing kept but flash and what the peer keeps. */
	boot(preset: Preset, peer: Peer): Life {
		if (this.#life) throw new Error("the device is already running");
		const life = new Life(this, peer);
		this.#life = life;
		const { chunk, heap, stack, keys } = preset;
		const values = [chunk.initial, chunk.incremental, heap.initial, heap.incremental, stack, keys, preset.static];
		this.write(encodeFrame(kinds.boot, 0, 0, values.join(" ")));
		return life;
	}

	/** Ends the process, and a life with it. */
	async close(): Promise<void> {
		if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
		await new Promise<void>((resolve) => {
			this.#process.once("exit", () => resolve());
			this.#process.kill("SIGKILL");
		});
	}

	/** Only Life calls it. */
	write(bytes: Buffer): void {
		this.#process.stdin!.write(bytes);
	}

	#receive(frame: Frame): void {
		const life = this.#life;
		if (frame.kind === kinds.ended) this.#life = undefined;
		life?.receive(frame);
	}
}
