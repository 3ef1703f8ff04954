// Given 50 power cuts at random moments and a Wi-Fi that is another one afterwards, then the firmware, on a chip that behaves like the SDK's modules, ends with its identity, and few certificates are left behind.

import t from "tap";
import { sample } from "../support/sample.js";
import { seededRandom } from "../support/world.js";
import { Bench, PASSWORD, SSID } from "./sdk/world.js";

const MINUTE = 60_000;
/** ms within which the power is cut. Joining, the time of day, provisioning and the restart take less in virtual time. */
const WINDOW = 8_000;

/** What the owner does to the Wi-Fi, and what a device with the old credentials then reports. */
const changes = [
	{ ssid: SSID, password: "another", reports: "NETWORK_REFUSED" },
	{ ssid: "the neighbours", password: PASSWORD, reports: "NETWORK_DOWN" },
] as const;

t.test("each of them ends provisioned, with an identity that it had or a new one", async (t) => {
	const random = seededRandom(11);
	const moments = Array.from({ length: 50 }, () => Math.floor((random(1)[0]! / 256 + random(1)[0]! / 65_536) * WINDOW));
	let stories = 0;
	let left = 0;
	let unprovisioned = 0;
	for (const moment of sample(t, moments, 7)) {
		const { reports, ...accessPoint } = changes[stories++ % changes.length]!;
		const bench = await Bench.make();
		const { chip, cloud } = bench;
		let over = false;
		chip.time.set(() => {
			over = true;
		}, moment);
		bench.powerOn();
		await bench.play(() => over);
		chip.powerOff();
		if (!bench.events.some(({ event }) => event === "proved")) unprovisioned += 1;

		chip.accessPoint = accessPoint;
		bench.events.length = 0;
		bench.powerOn();
		await bench.play(() => bench.failures.length > 1);
		t.same(bench.failures, [reports, reports], `cut after ${moment} ms: with the old credentials it tries again`);
		chip.powerOff();

		// A build with other credentials, on the same flash.
		Object.assign(chip.config, accessPoint);
		bench.events.length = 0;
		const said = cloud.messages.length;
		bench.powerOn();
		t.ok(
			await bench.play(() => cloud.messages.length > said, 30 * MINUTE),
			`cut after ${moment} ms: it ends as itself`,
		);
		t.same(bench.failures, [], "with the new ones at once");
		t.same(chip.aborts, []);
		t.ok(cloud.issued <= 2, "at most one certificate is left behind by one cut");
		left += cloud.issued - 1;
		await bench.program!.stop();
	}
	t.comment(`${stories} cuts, ${unprovisioned} before the identity was proved: ${left} certificates left behind`);
});
