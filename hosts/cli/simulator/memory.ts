// `npm run simulator -- --memory`: measures how much of an ESP32's fixed memory the firmware takes in the SDK's own engine,
// TLS included, and how much is left for an application. For comparison it also measures some modules of the SDK. Each
// figure names the machine that it applies to.

import { createServer } from "node:net";
import { join } from "node:path";
import { root } from "../../moddable/packages/root.js";
import { bytes } from "../terminal.js";
import { Board, type BoardOptions, type Creation } from "./board.js";
import { atEnd, SimulatorError } from "./desktop.js";
import { addressOf } from "./relay.js";

/** Size of a slot in bytes: in this computer's 64-bit engine, and on an ESP32. */
const SLOT_HERE = 32;
const SLOT = 16;
/** The precision of the search for the smallest sufficient sizes. */
const SLOT_STEP = 32;
const CHUNK_STEP = 1_024;
const STACK_STEP = 8;
/**
 * AWS also sends three certificates besides the server's own: two intermediate authorities, and the root cross-signed by
 * another.
 */
const INTERMEDIATES = 3;
/** ms from power-on until the application has spoken. */
const LIMIT = 60_000;

/** Memory of the SDK's ESP32 targets (their manifests, `creation`), with this firmware's stack. */
const PRESETS = {
	esp32: { chunk: 78_848, slots: 4_928, stack: 512 },
	/** A single area for everything. */
	esp32c3: { static: 94_208, stack: 512 },
} as const;

/** Slots, and bytes of chunks in a 64-bit engine. */
export interface Amount {
	readonly slots: number;
	readonly chunks: number;
}

/** The measurements. Chunks are those of a 64-bit engine; on an ESP32 they take at least half as much, and at most as much. */
export interface Memory {
	/** Certificates that the server sent. */
	readonly certificates: number;
	/** The smallest fixed memory in which everything completes: provisioning, restart, first message. `stack` is in slots. */
	readonly least: Amount & { readonly stack: number };
	/** The deepest stack seen, in slots. */
	readonly deepest: number;
	/** Alive after a garbage collection while connected with the device's own identity. */
	readonly idle: Amount;
	/** What remains of a preset. For esp32c3, whose memory is a single area, only the total in `bytes`. */
	readonly left: Readonly<Record<keyof typeof PRESETS, { readonly during: Left; readonly after: Left }>>;
	/** How much each optional module takes, alive after a garbage collection. */
	readonly modules: Readonly<Record<keyof typeof MODULES, Amount>>;
}

/** What remains, at least, on an ESP32. */
export interface Left {
	readonly slots?: number;
	readonly chunks?: number;
	readonly bytes: number;
}

/** Takes several minutes, because each size that is tried needs a complete provisioning. @throws SimulatorError */
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
	/** Runs the complete provisioning on a new board with this memory. Returns what is alive afterwards, or undefined if it fails. */
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
	// With less of one kind of memory, more of another may be needed, because garbage is collected at other moments.
	const together = { chunk, slots, stack };
	while ((await play(together)) === undefined) {
		together.chunk += CHUNK_STEP;
		together.slots += SLOT_STEP;
		if (together.slots > esp32.slots) throw new SimulatorError("nothing less than the memory of an ESP32 suffices");
	}
	const modules = await measureModules(common, say);
	const during = { slots: together.slots, chunks: together.chunk };
	return {
		certificates: INTERMEDIATES + 1,
		least: { ...during, stack },
		deepest: Math.round(deepest),
		idle,
		left: leftOf(during, idle),
		modules,
	};
}

/** What remains of each preset, when so much is needed during TLS, and afterwards. */
export function leftOf(during: Amount, after: Amount): Memory["left"] {
	const { esp32, esp32c3 } = PRESETS;
	const ofEsp32 = ({ slots, chunks }: Amount): Left => ({
		slots: esp32.slots - slots,
		chunks: esp32.chunk - chunks,
		bytes: (esp32.slots - slots) * SLOT + esp32.chunk - chunks,
	});
	const ofEsp32c3 = ({ slots, chunks }: Amount): Left => ({
		bytes: esp32c3.static - (esp32c3.stack + slots) * SLOT - chunks,
	});
	return {
		esp32: { during: ofEsp32(during), after: ofEsp32(after) },
		esp32c3: { during: ofEsp32c3(during), after: ofEsp32c3(after) },
	};
}

/** The smallest multiple of `step` above `low` with which `play` completes. It is known to complete with `high`. */
export async function least(
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

/** What is alive after a garbage collection, once the program is idle. */
async function alive(board: Board): Promise<Amount> {
	const begun = Date.now();
	await board.until("", 10_000, () => Date.now() - begun > 2_000);
	const sample = await board.collect();
	return { slots: sample["Slot used"]! / SLOT_HERE, chunks: sample["Chunk used"]! };
}

/**
 * Modules that an app may use besides the firmware, with the names of their manifests in test/sdk/memory. Those apps have
 * the firmware's name, so that the code that they share with it is compiled only once.
 */
const MODULES = { Piu: "piu", "HTTP client": "http", "MQTT client": "mqtt" } as const;

/** Measures an app with the firmware and one module, while the module is at work, and subtracts the same app without the module. */
async function measureModules(common: BoardOptions, say: (text: string) => void): Promise<Memory["modules"]> {
	// An HTTP server that never finishes its response, and an MQTT broker that accepts everyone.
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
			// Under names of their own, because make does not notice that a module of the same name comes from another file.
			settings: [`app=memory/${name}`, `extraPort=${addressOf(server).port}`],
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

/** The measurements as text for people. */
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
