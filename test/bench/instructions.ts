// How many machine instructions the device program takes between two moments, counted exactly by valgrind's callgrind around
// the real XS engine. For a ratio from one release to the next: an instruction of this machine is not one of an ESP32.
// Run by hand: node --import tsx test/bench/instructions.ts

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildEngine, type Engine } from "../../hosts/xs/build.js";
import type { Frame } from "../../hosts/xs/channel.js";
import { XsDevice } from "../../hosts/xs/device.js";
import { Flash, type Life, type Peer } from "../../hosts/xs/engine.js";
import { REPORT, STORAGE_WRITE } from "../../hosts/xs/firmware/kinds.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import { World } from "../support/world.js";

/** Millions of instructions between an event or a write of the device's and the one before it. */
export interface Stretch {
	/** 1 from power-on, 2 after the restart into the new identity, 3 at a power-on with a proved identity. */
	readonly boot: number;
	/** What the stretch ends with. */
	readonly until: string;
	readonly millions: number;
}

export interface Instructions {
	readonly keyPair: "keys" | "csr";
	/**
	 * From the reply with the certificate until the marker of its record is written: a power cut in here leaves a certificate
	 * behind that nobody has.
	 */
	readonly window: number;
	/** From power-on with a proved identity until it begins to connect. */
	readonly boot: number;
	readonly stretches: readonly Stretch[];
}

/** Why nothing can be counted here; undefined where it can. */
export const reasonNot = (): string | undefined =>
	spawnSync("valgrind", ["--version"]).status === 0 ? undefined : "no valgrind (Debian: apt install valgrind)";

/** Notes what the device says, one note a frame: each is a profile of callgrind's. */
class Listening extends Flash {
	/** Life by life. */
	readonly lives: string[][] = [];

	override life(peer: Peer): Life {
		this.lives.push([]);
		return super.life(peer);
	}

	override read(): Frame {
		const frame = super.read();
		// The first frame of all comes before there is a life.
		this.lives?.at(-1)?.push(nameOf(frame));
		return frame;
	}
}

/** What a frame is about; nothing for one that is of no interest here. */
function nameOf({ kind, bytes }: Frame): string {
	if (kind === STORAGE_WRITE) return `write of ${bytes.length} bytes`;
	if (kind !== REPORT) return "";
	const event = JSON.parse(bytes.toString()) as DeviceEvent;
	if (event.event === "reply") return `${event.operation} answered`;
	return event.event === "stored" ? `stored: ${event.state}` : event.event;
}

/** Instructions of each profile, process by process in the order in which they began. The first is that of flash. */
function profiles(folder: string): number[][] {
	const processes = new Map<number, { began: number; parts: number[] }>();
	for (const name of readdirSync(folder)) {
		const [pid, part] = name.split(".").map(Number);
		// Without a number: what came after the last frame.
		if (part === undefined) continue;
		const path = join(folder, name);
		const total = /^summary: (\d+)$/m.exec(readFileSync(path, "utf8"))?.[1];
		const process = processes.get(pid!) ?? { began: Number.POSITIVE_INFINITY, parts: [] };
		// By time, because the numbers of processes begin again at some point.
		process.began = Math.min(process.began, statSync(path).mtimeMs);
		process.parts[part - 1] = Number(total);
		processes.set(pid!, process);
	}
	return [...processes.values()].sort((a, b) => a.began - b.began).map(({ parts }) => parts);
}

/** Plays a provisioning and a power-on after it, under callgrind. `engine`: the variant `counted`. */
export async function countInstructions(engine: Engine, keyPair: "keys" | "csr"): Promise<Instructions> {
	const folder = mkdtempSync(join(tmpdir(), "instructions-"));
	const options = ["--tool=callgrind", "-q", "--dump-before=writeFrame", `--callgrind-out-file=${folder}/%p`];
	const command = ["valgrind", ...options, ...engine.command] as unknown as Engine["command"];
	const flash = new Listening({ ...engine, command }, await deviceFirmware());
	try {
		const world = await World.make({ configuration: { keyPair }, machine: (given) => new XsDevice(flash, given) });
		const untilHello = async (times: number) => {
			if (!(await world.play(() => world.cloud.messages.length === times)))
				throw new Error(`the device does not come up: ${world.failures} ${world.defects}`);
			world.machine.powerOff();
		};
		world.machine.powerOn();
		await untilHello(1);
		world.machine.powerOn();
		await untilHello(2);
		return { keyPair, ...sum(flash.lives, profiles(folder).slice(1)) };
	} finally {
		flash.close();
		rmSync(folder, { recursive: true });
	}
}

function sum(lives: readonly string[][], counts: readonly number[][]): Omit<Instructions, "keyPair"> {
	const stretches: Stretch[] = [];
	for (const [i, notes] of lives.entries()) {
		let since = 0;
		for (const [j, until] of notes.entries()) {
			since += counts[i]?.[j] ?? 0;
			if (until === "") continue;
			stretches.push({ boot: i + 1, until, millions: since / 1e6 });
			since = 0;
		}
	}
	const upTo = (boot: number, until: string) =>
		stretches.findIndex((stretch) => stretch.boot === boot && stretch.until.startsWith(until));
	const total = (from: number, to: number) =>
		stretches.slice(from, to).reduce((millions, stretch) => millions + stretch.millions, 0);
	return {
		window: total(upTo(1, "Create") + 1, upTo(1, "stored: created")),
		boot: total(
			stretches.findIndex(({ boot }) => boot === 3),
			upTo(3, "connecting") + 1,
		),
		stretches,
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const reason = reasonNot();
	if (reason !== undefined) throw new Error(reason);
	const engine = await buildEngine("counted", console.log);
	for (const keyPair of ["keys", "csr"] as const) {
		const { window, boot, stretches } = await countInstructions(engine, keyPair);
		console.log(`by ${keyPair}, in millions of instructions of this machine:`);
		console.log(`${window.toFixed(2)} from the reply with the certificate until it is stored`);
		console.log(`${boot.toFixed(2)} from power-on with a proved identity until it connects`);
		for (const { boot, until, millions } of stretches)
			console.log(`  ${boot}  ${millions.toFixed(2).padStart(6)}  until ${until}`);
	}
}
