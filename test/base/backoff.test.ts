// Pauses after failures: within their limits, spread evenly, and different on each device.

import t from "tap";
import { Backoff, backoffSeed, CONNECT_INTERVAL } from "../../src/base/backoff.js";

t.test(
	"given failures in a row, then each pause lies between the least and a limit that doubles to its cap",
	async (test) => {
		for (let device = 1; device <= 500; device++) {
			const backoff = new Backoff(backoffSeed(`device-${device}`, new Uint8Array(0)));
			for (let attempt = 0; attempt < 40; attempt++) {
				const cap = attempt < 10 ? 60_000 : 900_000;
				const most = Math.max(Math.min(1000 * 2 ** attempt, cap), 2 * CONNECT_INTERVAL);
				const pause = backoff.next("retry");
				if (pause < CONNECT_INTERVAL || pause > most || !Number.isInteger(pause))
					test.fail(`${pause} at attempt ${attempt}`);
			}
			test.equal(backoff.attempts, 40);
		}
	},
);

t.test(
	"given a failure that an operator must fix, then the first pause may be a minute, later ones a quarter of an hour",
	async (test) => {
		const pauses = Array.from({ length: 1000 }, (_, device) =>
			new Backoff(backoffSeed(`${device}`, new Uint8Array(0))).next("operator"),
		);
		test.ok(Math.max(...pauses) > 55_000 && Math.max(...pauses) <= 60_000);
		const backoff = new Backoff(1);
		const late = Array.from({ length: 200 }, () => backoff.next("operator")).slice(20);
		test.ok(Math.max(...late) > 840_000 && Math.max(...late) <= 900_000);
	},
);

t.test("given a thousand devices that fail at once, then they come back spread over the whole time", async (test) => {
	const buckets = new Array(10).fill(0);
	for (let device = 0; device < 1000; device++) {
		const backoff = new Backoff(backoffSeed(`serial-${device}`, new Uint8Array(0)));
		for (let attempt = 0; attempt < 8; attempt++) backoff.next("retry");
		buckets[Math.min(9, Math.floor(backoff.next("retry") / 6000))] += 1;
	}
	test.comment(buckets.join(" "));
	for (const count of buckets) test.ok(count > 60 && count < 150, `${count} of 1,000 in a tenth of the time`);
});

t.test(
	"given one serial number, then random bytes tell its boots apart, and without them devices still differ",
	async (test) => {
		test.not(backoffSeed("a", Uint8Array.of(1)), backoffSeed("a", Uint8Array.of(2)));
		test.equal(
			new Set(Array.from({ length: 10_000 }, (_, i) => backoffSeed(`serial-${i}`, new Uint8Array(0)))).size,
			10_000,
		);
		test.equal(new Backoff(0).next("retry") > 0, true, "a seed of 0 is as good as any");
	},
);
