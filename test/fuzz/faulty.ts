// Targets that fail in each possible way, to test that the fuzzer notices it. Each fails when an input contains the byte 0x2a.

import type { Target } from "./target.js";

const FATAL = 0x2a;

function faulty(name: string, fail: () => void): Target {
	return {
		name,
		unit: "inputs",
		life: 20,
		weight: 1,
		maximumCpu: 1_000,
		form: "bytes",
		generate: (random) => Uint8Array.from({ length: 3 }, () => 0x20 + random.next(32)),
		open: async () => ({
			close: () => {},
			run: (input) => {
				if (input.includes(FATAL)) fail();
				return 1;
			},
		}),
	};
}

const kept: unknown[] = [];

export const targets: readonly Target[] = [
	faulty("throws", () => {
		throw new TypeError("thrown");
	}),
	faulty("throws later", () => {
		setImmediate(() => {
			throw new TypeError("thrown later");
		});
	}),
	faulty("rejects", () => {
		void Promise.reject(new Error("rejected"));
	}),
	faulty("ends", () => process.exit(3)),
	faulty("hangs", () => {
		for (;;);
	}),
	faulty("stalls", () => {
		for (const end = process.cpuUsage().user + 2_000_000; process.cpuUsage().user < end; );
	}),
	faulty("leaks timers", () => {
		kept.push(setInterval(() => {}, 1_000_000));
	}),
	faulty("leaks memory", () => {
		kept.push(new Uint8Array(80 * 1024 * 1024));
	}),
];
