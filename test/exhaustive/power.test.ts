// Power cuts at each packet and at the edges of each write to flash, and a second cut at each point of the recovery.

import t from "tap";
import { playCuts, survey, TOKEN_RULES } from "../support/safety.js";
import { sample } from "../support/sample.js";
import type { Cut, WorldOptions } from "../support/world.js";

for (const keyPair of ["keys", "csr"] as const)
	t.test(
		`given a story with keyPair ${keyPair}, when the power fails at any point, and again at any point after it, then the device recovers`,
		async (test) => {
			const options: WorldOptions = { configuration: { keyPair } };
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
			stories.push(...sample(test, pairs, 199));
			const played = await playCuts(test, stories, options);
			test.comment(`${played} stories with one or two cuts at ${points.length} points`);
		},
	);

for (const { name, settings } of TOKEN_RULES)
	for (const keyPair of ["keys", "csr"] as const)
		t.test(
			`given ${name}, by ${keyPair}, when the power fails at any packet, then the device recovers`,
			async (test) => {
				const options: WorldOptions = { settings, configuration: { keyPair } };
				const { packets } = await survey(options);
				const all = Array.from({ length: 2 * packets }, (_, i) => [{ packet: 1 + (i >> 1), gotThrough: i % 2 === 1 }]);
				const stories = sample(test, all, 5);
				test.comment(`${await playCuts(test, stories, options)} cuts`);
			},
		);
