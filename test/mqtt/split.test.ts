// A reply may come in any pieces, and a socket may take any number of bytes: the whole story at every boundary.

import { generate } from "mqtt-packet";
import t from "tap";
import { sample } from "../support/sample.js";
import { World } from "../support/world.js";

t.test("given each packet of the story split at every byte boundary, then nothing changes", async (test) => {
	const down: { index: number; length: number }[] = [];
	const plain = await World.make({
		fate: ({ direction, index, packet }) => {
			if (direction === "down") down.push({ index, length: generate(packet).length });
			return "pass";
		},
	});
	plain.machine.powerOn();
	test.ok(await plain.play());
	plain.machine.powerOff();
	const boundaries = down.flatMap(({ index, length }) =>
		Array.from({ length: length - 1 }, (_, i) => ({ index, split: i + 1, length })),
	);
	test.ok(boundaries.length > 3000, `${boundaries.length} boundaries`);
	// all of a packet's head, where its parts begin
	for (const { index, split } of sample(
		test,
		boundaries,
		17,
		({ split, length }) => split <= 8 || split === length - 1,
	)) {
		const world = await World.make({ fate: (passing) => (passing.index === index ? { split } : "pass") });
		world.machine.powerOn();
		if (!(await world.play()) || world.failures.length > 0 || world.defects.length > 0)
			test.fail(`packet ${index} split at ${split}: ${world.failures} ${world.defects}`);
		world.machine.powerOff();
	}
});

t.test("given sockets that take 1 to 64 bytes at a time, then nothing changes", async (test) => {
	for (let window = 1; window <= 64; window++) {
		const world = await World.make({ window });
		world.machine.powerOn();
		if (!(await world.play()) || world.failures.length > 0) test.fail(`${window}: ${world.failures}`);
		world.machine.powerOff();
	}
	test.pass("64 stories");
});
