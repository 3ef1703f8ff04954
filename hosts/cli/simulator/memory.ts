// `npm run simulator -- --memory`: how much of an ESP32's fixed memory the firmware takes in the SDK's own engine, TLS included, and
// how much is left for an application; beside it what some modules of the SDK take. Each figure says which machine it is of.

import { createServer } from "node:net";
import { join } from "node:path";
import { root } from "../../moddable/packages/root.js";
import { bytes } from "../terminal.js";
import { Board, type BoardOptions, type Creation } from "./board.js";
import { atEnd, SimulatorError } from "./desktop.js";
import { addressOf } from "./relay.js";

/** Bytes of a slot: of this computer's 64-bit engine, and of an ESP32's. */
const SLOT_HERE = 32;
const SLOT = 16;
/** How exactly the least that suffices is looked for. */
const SLOT_STEP = 32;
const CHUNK_STEP = 1_024;
const STACK_STEP = 8;
/** AWS sends as many certificates beside its own: two authorities below the root, and the root as another has signed it. */
const INTERMEDIATES = 3;
/** ms from power-on until the application has spoken. */
const LIMIT = 60_000;

/** Memory of the SDK's ESP32 targets (their manifests, `creation`), with this firmware's stack. */
const PRESETS = {
	esp32: { chunk: 78_848, slots: 4_928, stack: 512 },
	/** One area for everything. */
	esp32c3: { static: 94_208, stack: 512 },
} as const;

/** Slots, and bytes of chunks in a 64-bit engine. */
export interface Amount {
	readonly slots: number;
	readonly chunks: number;
}

/** What was measured. Chunks are those of a 64-bit engine: an ESP32 takes as many at most, and half of it at least. */
export interface Memory {
	/** Certificates that the server sent. */
	readonly certificates: number;
	/** The least fixed memory in which the whole story completes: provisioning, restart, first message. `stack` is in slots. */
	readonly least: Amount & { readonly stack: number };
	/** The deepest that the stack was seen, in slots. */
	readonly deepest: number;
	/** Alive after a collection, connected as itself. */
	readonly idle: Amount;
	/** What is left of a preset. For esp32c3, whose memory is one area, `bytes` in all. */
	readonly left: Readonly<Record<keyof typeof PRESETS, { readonly during: Left; readonly after: Left }>>;
	/** What else takes how much, alive after a collection. */
	readonly modules: Readonly<Record<keyof typeof MODULES, Amount>>;
}

/** What is left, at least, on an ESP32. */
export interface Left {
	readonly slots?: number;
	readonly chunks?: number;
	readonly bytes: number;
}

/** Takes some minutes: each size that is tried is a provisioning. @throws SimulatorError */
export async function measureMemory(common: BoardOptions, say: (text: string) => void): Promise<Memory> {
	const { esp32 } = PRESETS;
	let deepest = 0;
	say("builds the firmware");
	const board = await Board.open({
		...common,
		creation: esp32,
		intermediates: INTERMEDIATES,
		onSample: (sample) => {
			deepest = Math.max(deepest, sample["Stack used"]! / SLOT_HERE);
		},
	});
	/** The whole story, on a new board with this memory; what is alive afterwards, or nothing when it does not come to that. */
	const play = async (creation: Creation): Promise<Amount | undefined> => {
		say(`tries ${creation.slots} slots, ${bytes(creation.chunk)} of chunks, ${creation.stack} slots of stack`);
		board.changeMemory(creation);
		board.newFlash();
		const since = board.seen.at(-1)?.sequence ?? 0;
		try {
			await board.powerOn();
			await board.until("", LIMIT, () => board.spoken(since));
			return await alive(board);
		} catch (error) {
			if (!(error instanceof SimulatorError)) throw error;
			return undefined;
		} finally {
			await board.powerOff();
		}
	};
	await board.build();
	const idle = await play(esp32);
	if (idle === undefined) throw new SimulatorError("the firmware does not complete with the memory of an ESP32");
	const slots = await least(idle.slots, esp32.slots, SLOT_STEP, (slots) => play({ ...esp32, slots }));
	const chunk = await least(idle.chunks, esp32.chunk, CHUNK_STEP, (chunk) => play({ ...esp32, chunk }));
	const stack = await least(deepest, esp32.stack, STACK_STEP, (stack) => play({ ...esp32, stack }));
	// Less of one needs more of another: a collection more, at the wrong moment.
	const together = { chunk, slots, stack };
	while ((await play(together)) === undefined) {
		together.chunk += CHUNK_STEP;
		together.slots += SLOT_STEP;
		if (together.slots > esp32.slots) throw new SimulatorError("nothing less than the memory of an ESP32 suffices");
	}
	const modules = await measureModules(common, say);
	const during = { slots: together.slots, chunks: together.chunk };
	const left = (amount: Amount) => ({
		esp32: {
			slots: esp32.slots - amount.slots,
			chunks: esp32.chunk - amount.chunks,
			bytes: (esp32.slots - amount.slots) * SLOT + esp32.chunk - amount.chunks,
		},
		esp32c3: {
			bytes: PRESETS.esp32c3.static - PRESETS.esp32c3.stack * SLOT - amount.slots * SLOT - amount.chunks,
		},
	});
	return {
		certificates: INTERMEDIATES + 1,
		least: { ...during, stack },
		deepest: Math.round(deepest),
		idle,
		left: {
			esp32: { during: left(during).esp32, after: left(idle).esp32 },
			esp32c3: { during: left(during).esp32c3, after: left(idle).esp32c3 },
		},
		modules,
	};
}

/** The least multiple of `step` above `low` with which `play` completes; `high` does. */
async function least(
	low: number,
	high: number,
	step: number,
	play: (size: number) => Promise<unknown>,
): Promise<number> {
	let [below, above] = [Math.floor(low / step), Math.ceil(high / step)];
	while (above - below > 1) {
		const middle = (below + above) >> 1;
		if ((await play(middle * step)) === undefined) below = middle;
		else above = middle;
	}
	return above * step;
}

/** Alive after a collection, when nothing more is under way. */
async function alive(board: Board): Promise<Amount> {
	const begun = Date.now();
	await board.until("", 10_000, () => Date.now() - begun > 2_000);
	const sample = await board.collect();
	return { slots: sample["Slot used"]! / SLOT_HERE, chunks: sample["Chunk used"]! };
}

/**
 * What an app may want beside the firmware, by its manifest in test/sdk/memory. These apps have the firmware's name, so that what they
 * share with it is compiled once.
 */
const MODULES = { Piu: "piu", "HTTP client": "http", "MQTT client": "mqtt" } as const;

/** An app with the firmware and one module, less the same app without: alive while the module is at work. */
async function measureModules(common: BoardOptions, say: (text: string) => void): Promise<Memory["modules"]> {
	// An HTTP server that never comes to the end of its answer, and an MQTT broker that takes everybody.
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.once("data", (first) =>
			socket.write(
				first.toString("latin1").startsWith("GET")
					? "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000\r\n\r\nhello"
					: Uint8Array.of(0x20, 2, 0, 0),
			),
		);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	atEnd(() => server.close());
	const measure = async (name: string): Promise<Amount> => {
		say(`builds an app: ${name}`);
		let ready = false;
		const board = await Board.open({
			...common,
			...{ manifest: join(root, `test/sdk/memory/${name}.json`), main: "main", creation: PRESETS.esp32 },
			settings: [`extra=${addressOf(server).port}`],
			onTrace: (line) => {
				ready ||= line === "ready";
			},
		});
		await board.build();
		await board.powerOn();
		try {
			await board.until(`${name} does not work`, LIMIT, () => ready && board.spoken());
			return await alive(board);
		} finally {
			await board.powerOff();
		}
	};
	const base = await measure("nothing");
	const amounts: Partial<Record<keyof typeof MODULES, Amount>> = {};
	for (const [name, manifest] of Object.entries(MODULES)) {
		const { slots, chunks } = await measure(manifest);
		amounts[name as keyof typeof MODULES] = { slots: slots - base.slots, chunks: chunks - base.chunks };
	}
	return amounts as Memory["modules"];
}

/** For people. */
export function memoryInWords({ certificates, least, deepest, idle, left, modules }: Memory): string {
	const number = (count: number) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");
	const rows: (string | number)[][] = [
		["", "slots", "bytes of chunks, 64-bit", "stack"],
		["the least for provisioning, TLS and all", least.slots, least.chunks, `${least.stack} (${deepest} seen)`],
		["connected and idle, alive", idle.slots, idle.chunks, ""],
		["left for an application at least, esp32: during TLS", left.esp32.during.slots!, left.esp32.during.chunks!, ""],
		["    connected", left.esp32.after.slots!, left.esp32.after.chunks!, ""],
		["left at least, esp32c3, of all in one: during TLS", "", `${number(left.esp32c3.during.bytes)} bytes`, ""],
		["    connected", "", `${number(left.esp32c3.after.bytes)} bytes`, ""],
		...Object.entries(modules).map(([name, { slots, chunks }]) => [`${name} takes`, slots, chunks, ""]),
	];
	const text = rows.map((row) => row.map((cell) => (typeof cell === "number" ? number(cell) : cell)));
	const widths = text[0]!.map((_, column) => Math.max(...text.map((row) => row[column]!.length)));
	return [
		...text.map((row) =>
			row
				.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
				.join("  ")
				.trimEnd(),
		),
		"",
		`The server sent ${certificates} RSA certificates. Slots are those of an ESP32, of 16 bytes. Chunks were counted in a 64-bit`,
		"engine: an ESP32 takes at most as many bytes, and half of it at least. What TLS and Wi-Fi take beside XS is not in here.",
	].join("\n");
}
