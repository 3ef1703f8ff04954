// Given what the simulator's tools have measured, then they judge it by the same rules each time: soak, memory, power cuts.

import t from "tap";
import { type Cuts, cutsInWords } from "../../../hosts/cli/simulator/cuts.js";
import { least, leftOf, type Memory, memoryInWords } from "../../../hosts/cli/simulator/memory.js";
import { changes, leastOf } from "../../../hosts/cli/simulator/soak.js";

const idle = {
	"Chunk used": 10_024,
	"Slot used": 62_464,
	"Keys used": 2,
	"Modules loaded": 1,
	"Network sockets": 1,
	Timers: 2,
	Files: 0,
};

t.test("soak: of several looks, the one with the fewest slots counts", async (t) => {
	const busy = { ...idle, "Slot used": 63_168, "Chunk used": 9_000 };
	t.same(leastOf([busy, idle, busy]), idle);
	t.same(leastOf([{ ...idle, Timers: 3 }, idle]), idle, "the last of equal ones");
});

t.test("soak: equal figures pass, and each one that differs is told with both values", async (t) => {
	t.same(changes(idle, { ...idle, "Garbage collections": 17 }), [], "others may differ");
	for (const name of Object.keys(idle))
		t.same(
			changes(idle, { ...idle, [name]: 70_000 }),
			[`${name}: ${idle[name as keyof typeof idle]} before, 70000 afterwards`],
			name,
		);
	t.equal(changes(idle, { ...idle, "Slot used": 62_432, Timers: 1 }).length, 2, "less is a change, too");
	t.equal(changes({}, {}).length, 7, "nothing measured is no success");
});

t.test("memory: the least size that suffices is found in steps", async (t) => {
	for (const needed of [101, 128, 129, 500]) {
		const tried: number[] = [];
		const found = await least(100, 512, 32, async (size) => {
			tried.push(size);
			return size >= needed ? size : undefined;
		});
		t.equal(found, Math.ceil(needed / 32) * 32, `${needed}`);
		t.ok(tried.length <= 4, "by halving");
	}
});

t.test("memory: what an ESP32 has less what is needed is left, in one area on the ESP32-C3", async (t) => {
	const { esp32, esp32c3 } = leftOf({ slots: 2_144, chunks: 20_480 }, { slots: 2_000, chunks: 10_000 });
	t.same(esp32.during, { slots: 2_784, chunks: 58_368, bytes: 2_784 * 16 + 58_368 });
	t.same(esp32.after, { slots: 2_928, chunks: 68_848, bytes: 2_928 * 16 + 68_848 });
	t.same(esp32c3.during, { bytes: 31_232 });
	t.same(esp32c3.after, { bytes: 94_208 - 512 * 16 - 2_000 * 16 - 10_000 });
});

t.test("memory: each figure stands in the table", async (t) => {
	const during = { slots: 2_144, chunks: 20_480 };
	const memory: Memory = {
		certificates: 4,
		least: { ...during, stack: 424 },
		deepest: 415,
		idle: { slots: 1_950, chunks: 10_024 },
		left: leftOf(during, { slots: 1_950, chunks: 10_024 }),
		modules: {
			Piu: { slots: 301, chunks: 5_001 },
			"HTTP client": { slots: 202, chunks: 3_002 },
			"MQTT client": { slots: 103, chunks: 1_003 },
		},
	};
	const text = memoryInWords(memory);
	for (const row of [
		/least .* 2,144 +20,480 +424 \(415 seen\)/,
		/idle.* 1,950 +10,024/,
		/esp32: during TLS +2,784 +58,368/,
		/31,232 bytes/,
		/Piu takes +301 +5,001/,
		/HTTP client takes +202 +3,002/,
		/MQTT client takes +103 +1,003/,
	])
		t.match(text, row);
});

t.test("cuts: a device that is lost is told, and so are certificates left behind", async (t) => {
	const cuts: Cuts = {
		seed: 3,
		stories: { provisioning: 2, forget: 1, network: 1 },
		cuts: 6,
		after: { connecting: 2, "stored created": 3, "power-on": 1 },
		lost: [],
		certificates: { issued: 5, left: 1 },
	};
	t.equal(
		cutsInWords(cuts),
		[
			"6 power cuts (seed 3) in stories of these kinds: 2 provisioning, 1 forget, 1 network",
			"the last event before the cut: stored created 3, connecting 2, power-on 1",
			"certificates: 5 issued, 1 left behind",
			"every device ended connected as itself",
		].join("\n"),
	);
	t.match(cutsInWords({ ...cuts, lost: ["2. forget: cut at 7 ms"] }), /\n1 did not:\n2\. forget: cut at 7 ms$/);
});
