// Power cuts at each packet and at the edges of each write to flash, and a second cut at each point of the recovery.

import t from "tap";
import { playCuts, survey } from "../support/safety.js";
import { sample } from "../support/sample.js";
import type { Cut } from "../support/world.js";
import { WAYS } from "./ways.js";

for (const { name, options } of WAYS)
	t.test(
		`given a story ${name}, when the power fails at any point, and again at any point after it, then the device recovers`,
		async (test) => {
			const { writes, packets } = await survey(options);
			// The second cut is counted from the first. These points reach every part of the recovery, because the recovery has at most as
			// many packets and writes as the story itself.
			const points: Cut[] = [];
			for (let packet = 1; packet <= packets; packet++)
				for (const gotThrough of [false, true]) points.push({ packet, gotThrough });
			for (const [i, size] of writes.entries())
				for (const bytes of [0, size >> 1, size]) points.push({ write: i + 1, bytes });
			const stories: Cut[][] = points.map((first) => [first]);
			const pairs = points.flatMap((first) => points.map((second) => [first, second]));
			stories.push(...sample(test, pairs, 397));
			const played = await playCuts(test, stories, options);
			test.comment(`${played} stories with one or two cuts at ${points.length} points`);
		},
	);
