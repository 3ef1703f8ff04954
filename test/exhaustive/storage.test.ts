// Flash that fails in every way: corruption, garbage, other versions, no room, and writes that fail or store something else. None of
// these may crash the device, lose a working identity, or make the device erase anything.

import t from "tap";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import { crc32 } from "../../src/identity/record.js";
import { playCut, survey } from "../support/safety.js";
import { sample } from "../support/sample.js";
import { SERIAL_NUMBER, seededRandom, World } from "../support/world.js";
import { STEP_BY_STEP } from "./ways.js";

/** The flash of a device that has proved its identity. */
async function provedFlash(): Promise<MemoryFlash> {
	const world = await World.make();
	world.machine.powerOn();
	await world.play();
	world.machine.powerOff();
	return world.flash;
}

/** A new device with the values of another's flash. */
function copy(flash: MemoryFlash, change: (values: Map<string, Uint8Array>) => void): MemoryFlash {
	const fresh = new MemoryFlash();
	for (const [key, value] of flash.values) fresh.values.set(key, value.slice());
	change(fresh.values);
	return fresh;
}

/** Boots a device on `flash` with a cloud that has never heard of it, until it runs, halts, or the limit passes. */
async function bootOn(flash: MemoryFlash, limit = 600_000): Promise<World> {
	const world = await World.make({ flash });
	world.machine.powerOn();
	await world.play(() => world.running || world.halted || world.failures.length > 0, limit);
	world.machine.powerOff();
	return world;
}

const firstBoot = (events: readonly DeviceEvent[]) => events.find((event) => event.event === "boot");

t.test(
	"given random bytes as flash, then the device claims as if it were new, and reports what is damaged",
	async (test) => {
		const bytes = seededRandom(7);
		const random = () => bytes(1)[0]!;
		for (let round = 0; round < 100; round++) {
			const flash = new MemoryFlash();
			for (const key of ["state.a", "state.b", "state.live", "cred.a", "cred.b"])
				if (random() > 64) flash.values.set(key, bytes(random() * (round % 4)));
			const world = await bootOn(flash);
			if (!world.running || world.defects.length > 0) test.fail(`round ${round}: ${world.failures} ${world.defects}`);
		}
		test.pass("100 rounds");
	},
);

t.test(
	"given a proved identity, when any single byte of flash is corrupted, then it keeps the identity",
	async (test) => {
		const proved = await provedFlash();
		const found: Record<string, number> = {};
		for (const [key, value] of proved.values)
			for (const at of sample(test, [...value.keys()], 37)) {
				const world = await World.make({
					flash: copy(proved, (values) => {
						values.get(key)![at]! ^= 1 << (at % 8);
					}),
				});
				world.machine.powerOn();
				await world.play(() => world.running || world.events.some(({ event }) => event === "connecting"), 60_000);
				world.machine.powerOff();
				const connecting = world.events.find((event) => event.event === "connecting");
				const role = connecting?.event === "connecting" ? `${connecting.role} ${connecting.clientId}` : "none";
				found[`${key} ${role}`] = (found[`${key} ${role}`] ?? 0) + 1;
				if (world.defects.length > 0 || role === "none") test.fail(`${key} ${at}: ${world.defects} ${world.failures}`);
			}
		test.comment(JSON.stringify(found));
		test.same(
			Object.keys(found).filter((what) => !what.endsWith(` identity ${SERIAL_NUMBER}`)),
			[],
		);
	},
);

t.test(
	"given a proved identity, when both copies of its credentials are corrupted, then it gets new ones with the claim",
	async (test) => {
		const corrupted = copy(await provedFlash(), (values) => {
			for (const key of ["cred.a", "cred.b"]) values.get(key)![500]! ^= 1;
		});
		const world = await bootOn(corrupted);
		test.ok(world.running);
		test.ok(world.events.some((event) => event.event === "store.damaged" && event.key === "cred.a"));
	},
);

t.test("given values of every length, then none is accepted as a record", async (test) => {
	const proved = await provedFlash();
	for (const key of ["state.a", "state.b", "cred.a", "state.live"]) {
		const value = proved.values.get(key)!;
		for (const length of sample(test, [...value.keys()], 37, (length) => length < 12)) {
			const flash = copy(proved, (values) => values.set(key, value.slice(0, length)));
			const world = await World.make({ flash });
			world.machine.powerOn();
			await world.play(() => world.events.some(({ event }) => event === "connecting"), 60_000);
			world.machine.powerOff();
			if (world.defects.length > 0 || world.machine.boots !== 1) test.fail(`${key} of ${length}: ${world.defects}`);
		}
	}
	test.pass();
});

/** The record as a later release might write it: with another version in the same frame. */
function newer(value: Uint8Array): Uint8Array {
	const changed = value.slice();
	changed[2] = 2;
	new DataView(changed.buffer).setUint32(changed.length - 4, crc32(changed.subarray(0, -4)));
	return changed;
}

t.test("given flash of a newer release, then the device stops with STORE_NEWER and writes nothing", async (test) => {
	const proved = await provedFlash();
	const flash = copy(proved, (values) => {
		for (const key of ["state.a", "state.b"]) values.set(key, newer(values.get(key)!));
	});
	const world = await bootOn(flash);
	test.same(world.failures, ["STORE_NEWER"]);
	test.equal(world.halted, true);
	test.equal(flash.writes, 0);
});

t.test("given credentials of a newer release, then they are not overwritten either", async (test) => {
	const proved = await provedFlash();
	const flash = copy(proved, (values) => {
		for (const key of ["cred.a", "cred.b"]) values.set(key, newer(values.get(key)!));
	});
	const world = await bootOn(flash);
	test.same(world.failures, ["STORE_NEWER"]);
	test.equal(flash.writes, 0);
});

/** Flash in which the nth operation of a kind fails, and those after it, `times` in all. */
class Faulty extends MemoryFlash {
	readonly #kind: string;
	#from: number;
	#times: number;

	constructor(kind: "read" | "write" | "full" | "delete" | "unfaithful", from: number, times: number) {
		super();
		this.#kind = kind;
		this.#from = from;
		this.#times = times;
	}

	#due(...kinds: string[]): boolean {
		if (!kinds.includes(this.#kind)) return false;
		this.#from -= 1;
		if (this.#from > 0 || this.#times === 0) return false;
		this.#times -= 1;
		return true;
	}

	override read(key: string): ArrayBuffer | undefined {
		if (this.#due("read")) throw new Error("flash does not answer");
		return super.read(key);
	}

	override write(key: string, value: ArrayBuffer): void {
		if (this.#due("write", "full"))
			throw Object.assign(new Error("flash refuses"), this.#kind === "full" ? { code: "full" } : {});
		super.write(key, value);
		if (this.#due("unfaithful")) this.values.get(key)![value.byteLength >> 1]! ^= 0x10;
	}

	override delete(key: string): void {
		if (this.#due("delete")) throw new Error("flash refuses");
		super.delete(key);
	}
}

for (const { name, options } of STEP_BY_STEP) {
	t.test(
		`given any one operation on flash that fails once or five times, ${name}, then nothing is lost and no certificate is left behind`,
		async (test) => {
			const { writes } = await survey(options);
			let played = 0;
			for (const kind of ["read", "write", "full", "unfaithful"] as const)
				for (let n = 1; n <= 3 * writes.length; n++)
					for (const times of kind === "unfaithful" ? [1, 2] : [1, 5]) {
						const defects = await playCut([], { ...options, flash: new Faulty(kind, n, times) });
						played += 1;
						if (defects.length > 0) test.fail(`${kind} ${n}, ${times} times: ${defects.join("; ")}`);
					}
			test.pass(`${played} stories`);
		},
	);

	t.test(
		`given flash that is full from any write on, ${name}, then the device reports it and asks for no second certificate`,
		async (test) => {
			const { writes } = await survey(options);
			const own = options.configuration?.keyPair === "csr";
			for (let n = 1; n <= writes.length; n++) {
				const world = await World.make({ ...options, flash: new Faulty("full", n, Number.POSITIVE_INFINITY) });
				world.machine.powerOn();
				await world.play(() => world.running, 3_000_000);
				world.machine.powerOff();
				// A key is kept, by two writes, before a certificate is asked for.
				test.equal(world.cloud.issued, own && n <= 2 ? 0 : 1, `from write ${n} on`);
				// Without its last writes a device runs all the same.
				test.ok(world.failures.length > (world.running ? 0 : 3), `${world.failures.length} failures`);
				test.same(new Set(world.failures), new Set(["STORE_FULL"]));
				test.same(world.defects, []);
			}
		},
	);
}

t.test("given a proved identity, when it boots a thousand times, then flash is not written", async (test) => {
	const world = await World.make();
	world.machine.powerOn();
	await world.play();
	const { writes } = world.flash;
	for (let boot = 0; boot < 1000; boot++) {
		world.machine.powerOff();
		world.cloud.messages.length = 0;
		world.machine.powerOn();
		await world.play();
	}
	test.equal(firstBoot(world.events)?.event, "boot");
	test.equal(world.machine.boots, 1002);
	test.equal(world.flash.writes, writes);
	test.same(world.failures, []);
	test.equal(world.cloud.messages[0]?.clientId, SERIAL_NUMBER);
	world.machine.powerOff();
});
