// One process of the real XS engine with modules in its flash. Gives the device one life after another.
// Never interprets what device and host say to each other.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "./build.js";
import { encodeFrame, type Frame, FrameReader, kinds } from "./channel.js";

/** A JavaScript module for flash. */
export interface Module {
	/** The name that importers use, without `.js`. */
	readonly name: string;
	readonly source: string;
	/** Source map (JSON), so that stacks in an ordinary build name the TypeScript files. */
	readonly map?: string;
	/** Whether it runs when flash is made, so that the device needs no RAM for it. Must then use nothing native. */
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

/** What presets have in common whose chunks and slots share one area. */
const SHARED_AREA = {
	chunk: { initial: 1536, incremental: 512 },
	heap: { initial: 512, incremental: 64 },
	stack: 384,
	keys: 128,
} as const;

/** `esp32` is what 65 of the SDK's 82 ESP32 targets use, `esp32c3` what the ESP32-C3 and 12 others use. `tight` is less than all. */
export const presets = {
	esp32: {
		chunk: { initial: 78848, incremental: 0 },
		heap: { initial: 4928, incremental: 0 },
		stack: 512,
		keys: 128,
		static: 0,
	},
	esp32c3: { ...SHARED_AREA, static: 94208 },
	tight: { ...SHARED_AREA, static: 49152 },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;

/** Bytes of a slot on the ESP32. All sizes of slots are counted with it, whatever this engine's slots take. */
export const SLOT_BYTES = 16;

/**
 * The area that certainly suffices in this engine if the preset's suffices in a 32-bit one. By the rule of `Engine.wide`, a
 * 64-bit engine gets twice the room for chunks, which is all but the stack and the initial slots.
 */
export function areaIn(engine: Pick<Engine, "wide">, { static: area, stack, heap }: Preset): number {
	return engine.wide ? area + (area - (stack + heap.initial) * SLOT_BYTES) : area;
}

/** What flash holds. In the variants `device` and `stress`, bytecode has the same size as on the device. */
export interface FlashReport {
	readonly slotBytes: number;
	readonly slots: number;
	readonly chunks: number;
	readonly keys: number;
	/** Objects and variables of modules that get a copy in RAM when they are written to (4 bytes of RAM each, until then). */
	readonly aliases: number;
	readonly bytecode: Readonly<Record<string, number>>;
}

/** What a machine holds. `used` and `peak` include garbage, `live` does not. Bytes, except slots. */
export interface MemoryReport {
	readonly slotBytes: number;
	readonly area: number;
	readonly taken: number;
	readonly slots: { readonly used: number; readonly peak: number; readonly size: number };
	readonly chunks: { readonly used: number; readonly peak: number; readonly size: number };
	/**
	 * Most that was alive at once, `peak` in all. `least`: what of it there is at least in a 32-bit engine, by the rule of
	 * `Engine.wide`; there it is `peak` itself. Only in the variant `stress`, which finds it at every allocation.
	 */
	readonly live?: { readonly peak: number; readonly least: number; readonly slots: number; readonly chunks: number };
	/** Slots, as of the returns of functions. */
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
	| "runs on"
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
	"runs on": 5,
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

/** Answer to a question of the device. An Error is thrown on the device, with its `code`. */
export type Answer = undefined | number | Uint8Array | Resource | Error;

/** What the host does for the device. */
export interface Peer {
	/** Answers a question at once. */
	answer(frame: Frame): Answer;
	/** Takes a message that needs no answer. */
	take(frame: Frame): void;
	/** The life has ended, for whatever reason. */
	ended(ending: Ending): void;
}

/**
 * One life of the device. When a call returns, the device has done everything that the event made it do: to this process the
 * device is as quick as a function. What happens to the device in the meantime (a reply that comes while it writes) comes
 * next.
 */
export class Life {
	readonly #flash: Flash;
	readonly #peer: Peer;
	readonly #events: Buffer[] = [];
	#working = false;
	#off = false;
	#ending: Ending | undefined;
	#lastWords: Partial<Ending> = {};
	#measured: MemoryReport | undefined;

	/** Only Flash makes one. */
	constructor(flash: Flash, peer: Peer) {
		this.#flash = flash;
		this.#peer = peer;
	}

	/** Power-on, with the memory of `preset`. To be called once. */
	begin({ chunk, heap, stack, keys, static: area }: Preset): void {
		const values = [chunk.initial, chunk.incremental, heap.initial, heap.incremental, stack, keys, area];
		this.#send(encodeFrame(kinds.boot, 0, 0, values.join(" ")));
	}

	/** Lets something happen to the device. Does nothing when it is off. */
	event(kind: number, id = 0, number = 0, bytes?: Uint8Array | string): void {
		if (!this.#off) this.#send(encodeFrame(kind, id, number, bytes));
	}

	/** Switches the device off. Whatever it would still have sent is ignored. */
	powerOff(): void {
		if (this.#off) return;
		this.#off = true;
		this.#events.length = 0;
		if (!this.#working) this.#send(encodeFrame(kinds.powerOff));
	}

	/** What the heap holds now, after a collection. `undefined` when it is off. */
	measure(): MemoryReport | undefined {
		this.#measured = undefined;
		this.event(kinds.measure, 0, 1);
		return this.#measured;
	}

	#send(event: Buffer): void {
		this.#events.push(event);
		if (this.#working) return;
		this.#working = true;
		for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
			this.#flash.write(next);
			while (this.#hear(this.#flash.read()));
			if (this.#ending !== undefined) break;
		}
		this.#working = false;
		if (this.#ending !== undefined) this.#peer.ended(this.#ending);
	}

	/** Takes one frame of the device's. False: it is idle, or its life has ended. */
	#hear(frame: Frame): boolean {
		switch (frame.kind) {
			case kinds.idle:
				if (!this.#off) return false;
				this.#flash.write(encodeFrame(kinds.powerOff));
				return true;
			case kinds.measure:
				this.#measured = JSON.parse(frame.bytes.toString());
				return true;
			case kinds.lastWords:
				this.#lastWords = JSON.parse(frame.bytes.toString());
				return true;
			case kinds.ended:
				this.#off = true;
				this.#ending = { reason: "crash", ...this.#lastWords, code: frame.number };
				this.#flash.release();
				return false;
			default:
				if (frame.kind % 2 === 0) this.#reply(this.#off ? undefined : this.#peer.answer(frame));
				else if (!this.#off) this.#peer.take(frame);
				return true;
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

/** The engine with modules in its flash. Takes a tenth of a second to make; a life takes a few milliseconds. One life at a time. */
export class Flash {
	readonly report: FlashReport;
	readonly #process: ChildProcess;
	readonly #reader: FrameReader;
	readonly #writer: number;
	#taken = false;

	/**
	 * Starts an engine, which compiles and preloads the modules. To be closed, since the process does not end by itself.
	 * @throws Error naming the module that has a syntax error or cannot be preloaded
	 */
	constructor(engine: Engine, modules: readonly Module[]) {
		// Named pipes, because the pipes of child_process cannot be read synchronously.
		const folder = mkdtempSync(join(tmpdir(), "xs-"));
		const [up, down] = [join(folder, "up"), join(folder, "down")];
		execFileSync("mkfifo", [up, down]);
		const { O_RDONLY, O_WRONLY, O_RDWR } = constants;
		// Both ends are held open until both sides have theirs, because opening would wait otherwise.
		const held = [openSync(up, O_RDWR), openSync(down, O_RDWR)];
		const theirs = [openSync(down, O_RDONLY), openSync(up, O_WRONLY)];
		this.#reader = new FrameReader(openSync(up, O_RDONLY));
		this.#writer = openSync(down, O_WRONLY);
		const [program, ...args] = engine.command;
		this.#process = spawn(program, args, { stdio: [theirs[0], theirs[1], "inherit"] });
		for (const end of [...held, ...theirs]) closeSync(end);
		rmSync(folder, { recursive: true });

		for (const { name, source, map = "", preload } of modules)
			this.write(encodeFrame(kinds.module, 0, preload ? 1 : 0, `${name}\0${source}\0${map}\0`));
		this.write(encodeFrame(kinds.seal));
		const { error, module, reason, detail, ...report } = JSON.parse(this.read().bytes.toString());
		if (error !== undefined || reason !== undefined) {
			this.close();
			throw new Error(`flash: ${module ?? ""} ${error ?? `${reason} ${detail ?? ""}`}`);
		}
		this.report = report;
	}

	/** A new life, in which nothing is left of earlier ones but flash and what the peer keeps. To be begun by the caller. */
	life(peer: Peer): Life {
		if (this.#taken) throw new Error("the device is already running");
		this.#taken = true;
		return new Life(this, peer);
	}

	/** Ends the process, and a life with it. */
	close(): void {
		this.#process.kill("SIGKILL");
		closeSync(this.#writer);
		this.#reader.close();
	}

	/** For Life. */
	write(bytes: Buffer): void {
		for (let at = 0; at < bytes.length; ) at += writeSync(this.#writer, bytes, at);
	}

	/** For Life. */
	read(): Frame {
		return this.#reader.read();
	}

	/** For Life. */
	release(): void {
		this.#taken = false;
	}
}
