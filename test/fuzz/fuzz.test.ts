// Tries the inputs that once found a defect again, and runs the fuzzer for a limited time with a fixed seed.

import t from "tap";
import { sample, sampleSize } from "../support/sample.js";
import { readCorpus } from "./corpus.js";
import { targets as faulty } from "./faulty.js";
import { Supervisor } from "./supervisor.js";
import { targets } from "./targets.js";

// The time limit only catches a hang.
t.setTimeout(850_000);

/** How many inputs each target gets. An input of the cloud takes some milliseconds, one of a device some microseconds. */
const inputsOf = (name: string) =>
	name === "MQTT streams" ? 40 : name === "MQTT streams over TLS" ? 20 : name === "HTTP requests" ? 200 : 1_000;

t.test("targets", async (t) => {
	const supervisor = new Supervisor(new URL("targets.ts", import.meta.url).href);
	t.teardown(() => supervisor.close());
	for (const target of targets) {
		await t.test(`given inputs that once found a defect, ${target.name} are read without a defect`, async (t) => {
			for (const { file, input } of readCorpus(target)) t.equal(await supervisor.try(target, input), undefined, file);
		});
		await t.test(`given damaged inputs, ${target.name} are read without a defect`, async (t) => {
			const inputs = sampleSize(t, inputsOf(target.name), 100);
			const { findings } = await supervisor.fuzz({ target, seed: 20_261_122, goOn: (tried) => tried < inputs });
			t.same(
				findings.map(({ kind, message, input }) => ({ kind, message, input: Buffer.from(input).toString("base64") })),
				[],
			);
		});
	}
});

t.test("a fuzzer that cannot fail would prove nothing", async (t) => {
	const kinds: Readonly<Record<string, string>> = {
		throws: "wrong",
		"throws later": "uncaught",
		rejects: "uncaught",
		ends: "end",
		hangs: "hang",
		stalls: "stall",
		"leaks timers": "leak",
		"leaks memory": "leak",
	};
	// Finding a hang or a leak takes long.
	for (const target of sample(t, faulty, faulty.length, ({ name }) => !/^(hangs|stalls|leaks)/.test(name))) {
		await t.test(`given a target that ${target.name}, then the fuzzer notices it`, async (t) => {
			// It takes this long to detect a hang, and the shrinker has to detect it several times.
			const silence = target.name === "hangs" ? 5_000 : 90_000;
			// The later lives are compared with the first one.
			const lives = target.name.startsWith("leaks") ? 3 : 1;
			const supervisor = new Supervisor(new URL("faulty.ts", import.meta.url).href, { silence });
			const { findings } = await supervisor.fuzz({ target, seed: 6, goOn: (tried) => tried < lives * target.life });
			supervisor.close();
			t.equal(findings[0]?.kind, kinds[target.name]);
			// The leak of a single input is too small to be noticed.
			if (target.name.startsWith("leaks") || target.name === "hangs") return;
			t.same([...findings[0]!.input], [0x2a], "and makes the input as small as can be");
		});
	}
});
