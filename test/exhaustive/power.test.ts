// Power cuts, every one: at each byte of each write to flash, at each packet, and again at each point of the recovery.

import t, { type Test } from "tap";
import type { Tear } from "../../hosts/node/flash.js";
import { playCut, survey, TOKEN_RULES } from "../support/safety.js";
import type { Cut, WorldOptions } from "../support/world.js";

async function playAll(test: Test, stories: Iterable<readonly Cut[]>, options?: WorldOptions): Promise<number> {
	let played = 0;
	const wrong: string[] = [];
	for (const cuts of stories) {
		played += 1;
		const defects = await playCut(cuts, options);
		if (defects.length > 0) wrong.push(`${JSON.stringify(cuts)}: ${defects.join("; ")}`);
	}
	test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played} stories end wrong`);
	return played;
}

t.test("given a plain story, when the power fails at any byte of any write, then the device recovers", async (test) => {
	const { writes } = await survey();
	const stories = function* (): Generator<readonly Cut[]> {
		for (const [i, size] of writes.entries())
			for (const tear of ["short", "mixed", "erased"] satisfies Tear[])
				for (let bytes = 0; bytes <= size; bytes++) yield [{ write: i + 1, bytes, tear }];
	};
	const played = await playAll(test, stories());
	test.comment(`${played} cuts in ${writes.length} writes of ${writes.reduce((a, b) => a + b)} bytes`);
});

for (const keyPair of ["keys", "csr"] as const)
	t.test(
		`given a story by ${keyPair}, when the power fails at any packet, and again at any point after, then the device recovers`,
		async (test) => {
			const options: WorldOptions = { configuration: { keyPair } };
			const { writes, packets } = await survey(options);
			// Room for recovery: it has at most as many packets and writes again.
			const points: Cut[] = [];
			for (let packet = 1; packet <= packets; packet++)
				for (const gotThrough of [false, true]) points.push({ packet, gotThrough });
			for (const [i, size] of writes.entries())
				for (const bytes of [0, size >> 1, size]) points.push({ write: i + 1, bytes });
			const stories = function* (): Generator<readonly Cut[]> {
				for (const first of points) {
					yield [first];
					// RSA keys for signing requests take long to make: the second cut is left to the other story.
					if (keyPair === "keys") for (const second of points) yield [first, second];
				}
			};
			const played = await playAll(test, stories(), options);
			test.comment(`${played} stories with one or two cuts at ${points.length} points`);
		},
	);

for (const { name, settings } of TOKEN_RULES)
	t.test(`given ${name}, when the power fails at any packet, then the device recovers`, async (test) => {
		const { packets } = await survey({ settings });
		const stories = Array.from({ length: 2 * packets }, (_, i) => [{ packet: 1 + (i >> 1), gotThrough: i % 2 === 1 }]);
		test.comment(`${await playAll(test, stories, { settings })} cuts`);
	});
