// How much of an ESP32's memory and flash the device program needs, measured in the real XS engine: how much is alive at each
// step, how deep the stack goes, the smallest area in which a device gets its identity, and the bytecode of each module.

import type { Engine } from "../../hosts/xs/build.js";
import { XsDevice } from "../../hosts/xs/device.js";
import {
	type Ending,
	Flash,
	type FlashReport,
	type Module,
	type Preset,
	type PresetName,
	presets,
	SLOT_BYTES,
} from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import { World } from "../support/world.js";

/** What is alive when the device has nothing left to do until something happens. Bytes; `peak` is the most until then. */
export interface MemoryStage {
	/** What the device had just told of. */
	readonly events: string;
	/** 1 from power-on, 2 after the restart into the new identity. */
	readonly boot: number;
	readonly slots: number;
	readonly chunks: number;
	/** Most that was alive at once since this boot. */
	readonly peak: number;
}

/** One story from empty flash to the first message under the thing's own name. */
export interface Story {
	readonly preset: PresetName;
	readonly keyPair: "keys" | "csr";
	readonly completed: boolean;
	/** How lives ended that did not end in a restart: `stack overflow`, `out of memory`. */
	readonly fault?: string;
	/** Most that was alive at once over all boots: bytes of slots and chunks, the stack apart. */
	readonly peak: number;
	/** What of that there is on an ESP32 at least; the same in a 32-bit engine. */
	readonly least: number;
	/** Slots, of how many. */
	readonly stack: number;
	readonly stackSize: number;
	/** Bytes of tables outside the area. */
	readonly tables: number;
	readonly steps: readonly MemoryStage[];
}

export interface MemoryResults {
	/** Bytes of a slot: 16 as on the ESP32, or 32 in a 64-bit engine. */
	readonly slotBytes: number;
	/** Bytes alive in a machine that has everything in flash and has run nothing of it. */
	readonly loaded: number;
	readonly stories: readonly Story[];
	/** Smallest areas in which the story completes, in bytes, stack included; and smallest stacks, in slots. */
	readonly smallest: readonly { readonly keyPair: "keys" | "csr"; readonly area: number; readonly stack: number }[];
	readonly flash: FlashReport;
}

const KEY_PAIRS = ["keys", "csr"] as const;

type Told = Pick<Story, "completed" | "fault" | "peak" | "least" | "stack" | "stackSize" | "tables" | "steps">;

/** Plays the story in one machine. */
async function play(flash: Flash, preset: Preset, keyPair: "keys" | "csr", trace = false): Promise<Told> {
	const endings: Ending[] = [];
	const steps: MemoryStage[] = [];
	const world = await World.make({
		configuration: { keyPair },
		machine: (options) => new XsDevice(flash, { ...options, preset, onLifeEnd: (ending) => void endings.push(ending) }),
	});
	const device = world.machine as XsDevice;
	let heard = 0;
	const look = (): void => {
		if (world.events.length === heard) return;
		const memory = device.measure();
		const events = world.events.slice(heard).map(describe).join(", ");
		heard = world.events.length;
		if (memory === undefined) return;
		const { slots, chunks, live } = memory;
		steps.push({
			events,
			boot: device.boots,
			slots: slots.used * SLOT_BYTES,
			chunks: chunks.used,
			peak: live?.peak ?? 0,
		});
	};
	device.powerOn();
	const completed = await world.play(() => {
		if (trace) look();
		return world.running || world.defects.length > 0;
	});
	device.powerOff();
	const fault = endings.find(({ reason }) => reason !== "restart" && reason !== "power cut");
	const memories = endings.flatMap(({ memory }) => memory ?? []);
	const most = (read: (memory: (typeof memories)[number]) => number) => Math.max(0, ...memories.map(read));
	return {
		completed: completed && world.running,
		...(fault === undefined ? {} : { fault: fault.reason }),
		peak: most(({ live }) => live?.peak ?? 0),
		least: most(({ live }) => live?.least ?? 0),
		stack: most(({ stack }) => stack.peak),
		stackSize: preset.stack,
		tables: most(({ tables }) => tables),
		steps,
	};
}

const describe = (event: DeviceEvent): string => {
	switch (event.event) {
		case "stored":
			return `stored: ${event.state}`;
		case "reply":
			return `${event.operation} answered`;
		case "request":
			return `${event.operation} sent`;
		default:
			return event.event;
	}
};

/** The least number from `low` to `high` (multiples of `step`) that will do; `high` must. */
async function least(low: number, high: number, step: number, will: (n: number) => Promise<boolean>): Promise<number> {
	let no = low / step - 1;
	let yes = high / step;
	while (yes - no > 1) {
		const middle = Math.floor((yes + no) / 2);
		if (await will(middle * step)) yes = middle;
		else no = middle;
	}
	return yes * step;
}

/** What a machine holds before its first line. */
function measureLoaded(engine: Engine, modules: readonly Module[]): number {
	const flash = new Flash(
		engine,
		modules.map((module) => (module.preload ? module : { ...module, source: "" })),
	);
	try {
		const life = flash.life({ answer: () => undefined, take() {}, ended() {} });
		life.begin(presets.esp32);
		const { slots, chunks } = life.measure()!;
		return slots.used * SLOT_BYTES + chunks.used;
	} finally {
		flash.close();
	}
}

/** A machine with one fixed area for all, as on the ESP32-C3. */
export const machine = (area: number, stack: number): Preset => ({ ...presets.tight, static: area, stack });

/** Bytes of bytecode: of each module of the device program and each package, largest first, and of all of them. */
export function bytecode({ bytecode }: FlashReport): {
	readonly modules: readonly (readonly [name: string, bytes: number])[];
	readonly packages: number;
	readonly total: number;
} {
	// What is of hosts/ differs from machine to machine.
	const modules = Object.entries(bytecode)
		.filter(([name]) => !name.startsWith("hosts/"))
		.sort(([, a], [, b]) => b - a);
	const sum = (all: typeof modules) => all.reduce((total, [, bytes]) => total + bytes, 0);
	return { modules, packages: sum(modules.filter(([name]) => !name.startsWith("src/"))), total: sum(modules) };
}

/** The story in every preset, with exact peaks. `stress` must be an engine of that variant. */
export async function measureStories(
	stress: Engine,
	names: readonly PresetName[],
	log: (line: string) => void,
): Promise<{ readonly stories: Story[]; readonly flash: FlashReport }> {
	const flash = new Flash(stress, await deviceFirmware());
	try {
		const stories: Story[] = [];
		for (const preset of names)
			for (const keyPair of KEY_PAIRS) {
				log(`in XS, preset ${preset}, ${keyPair}`);
				stories.push({ preset, keyPair, ...(await play(flash, presets[preset], keyPair, true)) });
			}
		return { stories, flash: flash.report };
	} finally {
		flash.close();
	}
}

/** Whether the story completes in this area (bytes, stack included) with this stack (slots). */
export async function completesIn(
	flash: Flash,
	{ area, stack, keyPair }: { readonly area: number; readonly stack: number; readonly keyPair: "keys" | "csr" },
): Promise<boolean> {
	return (await play(flash, machine(area, stack), keyPair)).completed;
}

export async function measureMemory(
	{ stress, device }: { readonly stress: Engine; readonly device: Engine },
	log: (line: string) => void,
): Promise<MemoryResults> {
	const { stories, flash: report } = await measureStories(stress, Object.keys(presets) as PresetName[], log);
	const flash = new Flash(device, await deviceFirmware());
	try {
		const smallest = [];
		for (const keyPair of KEY_PAIRS) {
			log(`in XS, smallest stack and area, ${keyPair}`);
			const stack = await least(128, 1024, 8, (slots) => completesIn(flash, { area: 1 << 17, stack: slots, keyPair }));
			const area = await least(16_384, 1 << 17, 512, (bytes) =>
				completesIn(flash, { area: bytes, stack: Math.max(stack, presets.tight.stack), keyPair }),
			);
			smallest.push({ keyPair, area, stack });
		}
		const loaded = measureLoaded(stress, await deviceFirmware());
		return { slotBytes: report.slotBytes, loaded, stories, smallest, flash: report };
	} finally {
		flash.close();
	}
}
