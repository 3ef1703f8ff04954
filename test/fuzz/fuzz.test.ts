// A bounded run of the fuzzer with a fixed seed.

import t from "tap";
import { fuzz } from "./fuzz.js";
import { Random } from "./mutate.js";
import { targets } from "./targets.js";

for (const target of targets)
	t.test(`given 4,000 mutations, then the reader of a ${target.name} returns or fails as it should`, async (test) => {
		test.same(fuzz(target, new Random(20_261_122), 4000).slice(0, 3), []);
	});

t.test("given a reader that throws something else or writes to its input, then the fuzzer finds out", async (test) => {
	const seeds = [Uint8Array.of(1, 2, 3, 4)];
	const crashing = {
		name: "crashing",
		seeds,
		run: (bytes: Uint8Array) => {
			if (bytes.length > 4) throw new TypeError("crash");
		},
	};
	const writing = { name: "writing", seeds, run: (bytes: Uint8Array) => void bytes.fill(0) };
	test.ok(fuzz(crashing, new Random(1), 50).length > 0);
	test.ok(fuzz(writing, new Random(1), 50).length > 0);
});
