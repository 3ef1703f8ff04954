// Compares the model of NVS with a table of what was written. Wherever the power fails, other keys keep their values, and the key
// that was being written has its old value, its new one, or none, which is how ESP-IDF's own NVS behaves, too.

import t from "tap";
import { NvsFlash } from "./nvs.js";
import { seededRandom } from "./world.js";

const KEYS = ["state.a", "state.b", "state.live", "cred.a", "cred.b"];
const SIZES = [1, 31, 32, 200, 650, 1800, 2300];

/** Carries out a list of writes, up to a power cut. */
function play(flash: NvsFlash, writes: readonly { key: string; value: Uint8Array | undefined }[]) {
	const held = new Map<string, string>();
	for (const { key, value } of writes) {
		const before = held.get(key);
		try {
			if (value === undefined) flash.device.delete(key);
			else flash.device.write(key, value.slice().buffer as ArrayBuffer);
		} catch (error) {
			return { held, key, before, after: value && hex(value), error };
		}
		if (value === undefined) held.delete(key);
		else held.set(key, hex(value));
	}
	return { held };
}

const hex = (bytes: ArrayBuffer | Uint8Array): string => Buffer.from(bytes as Uint8Array).toString("hex");
const read = (flash: NvsFlash, key: string) => {
	const value = flash.read(key);
	return value && hex(value);
};

/** Random writes of different keys and sizes, enough to make pages move. */
function makeWrites(seed: number, count: number) {
	const random = seededRandom(seed);
	const pick = <T>(from: readonly T[]): T => from[(random(1)[0]! >> 1) % from.length]!;
	return Array.from({ length: count }, () => ({
		key: pick(KEYS),
		value: random(1)[0]! < 16 ? undefined : random(pick(SIZES)),
	}));
}

t.test(
	"given any order of writes, then everything reads as it was written last, and so after a mount",
	async (test) => {
		for (let seed = 1; seed <= 3; seed++) {
			const flash = new NvsFlash(6);
			const { held, error } = play(flash, makeWrites(seed, 60));
			test.equal(error, undefined);
			for (const where of ["running", "mounted"]) {
				for (const key of KEYS) if (read(flash, key) !== held.get(key)) test.fail(`${where} ${seed}: ${key}`);
				flash.powerOff();
			}
			test.ok(flash.erases > 3, `${flash.erases} pages were erased`);
		}
	},
);

t.test(
	"given a power cut in any operation, then other keys are untouched, and the key in flight is old, new or gone",
	async (test) => {
		const found = { old: 0, new: 0, gone: 0 };
		for (let seed = 1; seed <= 3; seed++) {
			const writes = makeWrites(seed, 24);
			const plain = new NvsFlash(4);
			play(plain, writes);
			const { sizes } = plain;
			for (let operation = 1 + seed; operation <= sizes.length; operation += 7)
				for (const bytes of new Set([0, sizes[operation - 1]! >> 1, sizes[operation - 1]!])) {
					const flash = new NvsFlash(4);
					flash.cutAt({ operation, bytes }, () => {});
					const { held, key, before, after } = play(flash, writes);
					for (const other of KEYS)
						if (other !== key && read(flash, other) !== held.get(other))
							test.fail(`seed ${seed}, operation ${operation}, ${bytes} bytes: ${other}`);
					if (key === undefined) continue;
					const now = read(flash, key);
					if (now === after) found.new += 1;
					else if (now === before) found.old += 1;
					else if (now === undefined) found.gone += 1;
					else test.fail(`seed ${seed}, operation ${operation}, ${bytes} bytes: ${key} is torn`);
					flash.device.write(key, Uint8Array.of(7).buffer);
					if (read(flash, key) !== "07") test.fail("and it can be written again");
				}
		}
		test.comment(JSON.stringify(found));
		test.ok(found.old > 50 && found.new > 50 && found.gone > 0, "each of them happens");
	},
);

t.test(
	"given a partition that is too small, then it says so with the number that the SDK's builds have",
	async (test) => {
		const flash = new NvsFlash(3);
		const { error } = play(
			flash,
			KEYS.map((key) => ({ key, value: new Uint8Array(2300).fill(key.length) })),
		);
		test.match(error, { message: "UNKNOWN ERROR 0x1105(4357)", code: "full" });
		for (const key of KEYS)
			test.ok([undefined, 2300].includes(flash.read(key)?.byteLength), `${key} is whole, or not there`);
	},
);
