// Power cuts at each byte of each write to flash. Each way in which a write can be torn has a file of its own, so that no file runs
// for minutes.

import t from "tap";
import type { Tear } from "../support/failing-flash.js";
import { playCuts, survey } from "../support/safety.js";
import { sample } from "../support/sample.js";
import type { WorldOptions } from "../support/world.js";

/** Defines the test for one way in which a write can be torn. */
export function powerCutsAtEachByte(tear: Tear): void {
	for (const keyPair of ["keys", "csr"] as const)
		t.test(
			`given a story by ${keyPair}, when the power fails at any byte of any write (${tear}), then the device recovers`,
			async (test) => {
				const options: WorldOptions = { configuration: { keyPair } };
				const { writes } = await survey(options);
				const cuts = writes.flatMap((size, i) =>
					Array.from({ length: size + 1 }, (_, bytes) => ({ write: i + 1, bytes, tear, size })),
				);
				const played = sample(test, cuts, 397, ({ bytes, size }) => bytes <= 1 || bytes >= size - 1);
				await playCuts(
					test,
					played.map(({ write, bytes }) => [{ write, bytes, tear }]),
					options,
				);
				test.comment(`${played.length} cuts in ${writes.length} writes of ${writes.reduce((a, b) => a + b)} bytes`);
			},
		);
}
