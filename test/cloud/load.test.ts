// A thousand devices powered on within a minute, against AWS's ten registrations a second, in virtual time.

import t from "tap";
import { startCore } from "./core.js";

t.test("All are provisioned, each once, and nothing is left over", async (t) => {
	const core = await startCore();
	const start = core.clock.now;
	const random = (seed: number) => ((Math.imul(seed, 2654435761) >>> 0) % 1_000_003) / 1_000_003;
	interface Device {
		readonly serial: string;
		at: number;
		attempts: number;
		token?: string;
	}
	const waiting: Device[] = Array.from({ length: 1_000 }, (_, index) => ({
		serial: `S${index}`,
		at: start + random(index) * 60_000,
		attempts: 0,
	}));
	let throttled = 0;
	while (waiting.length > 0) {
		waiting.sort((a, b) => b.at - a.at);
		const device = waiting.pop()!;
		core.clock.now = Math.max(core.clock.now, device.at);
		device.token ??= (await core.create()).certificateOwnershipToken;
		const reply = await core.ask("RegisterThing", {
			certificateOwnershipToken: device.token,
			parameters: { SerialNumber: device.serial },
		});
		if (reply.accepted) continue;
		t.equal(reply.statusCode, 429);
		throttled++;
		device.attempts++;
		// Exponential with full jitter, as AWS advises.
		device.at = core.clock.now + random(throttled * 7 + 3) * Math.min(60_000, 1_000 * 2 ** device.attempts);
		waiting.push(device);
	}
	const { state } = core.registry;
	t.ok(throttled > 0, "the quota was felt");
	t.ok(core.clock.now - start >= 99_000, "at ten a second it takes so long");
	t.equal(state.things.size, 1_000);
	t.equal(state.certificates.size, 1_000);
	t.ok([...state.certificates.values()].every(({ status }) => status === "ACTIVE"));
	t.equal(state.tokens.size, 0);
});
