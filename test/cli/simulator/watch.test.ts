// Given a person or a script at `npm run simulator -- --watch`, then commands do what they say, one after the other, and a failed build stops nothing.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import t, { type Test } from "tap";
import { SimulatorError } from "../../../hosts/cli/simulator/desktop.js";
import { type WatchedBoard, watch } from "../../../hosts/cli/simulator/watch.js";
import type { ReplyFault } from "../../../hosts/cloud/base/settings.js";

/** A session on a board that only notes what is done to it. Builds end when `finish` is called. */
function session(t: Test) {
	const done: string[] = [];
	const said: string[] = [];
	const folder = t.testdir({ "main.ts": "" });
	const input = new PassThrough();
	const faults: ReplyFault[] = [];
	let on = false;
	let spoken = false;
	let builds: { resolve(): void; reject(error: Error): void }[] = [];
	let noticed = () => {};
	const note = (what: string) => {
		done.push(what);
		noticed();
	};
	t.intercept(console, "log", {
		value: (text: string) => {
			said.push(String(text));
			noticed();
		},
	});
	const board = {
		get on() {
			return on;
		},
		async powerOn(environment: Record<string, string> = {}) {
			on = true;
			note(["on", ...Object.keys(environment)].join(" "));
		},
		async powerOff() {
			if (on) note("off");
			on = false;
		},
		holdButton: () => note("button"),
		async collect() {
			if (!on) throw new SimulatorError("the device is off");
			return { "Slot used": 32_000, "Chunk used": 10_024 };
		},
		until: async () => note("waits"),
		spoken: () => spoken,
		seen: [],
		relay: { change: async (network: string) => note(`network ${network}`) },
		cloud: {
			settings: { faults },
			changeSettings: (patch: { faults: ReplyFault[] }) => void faults.splice(0, faults.length, ...patch.faults),
		},
	} as unknown as WatchedBoard;
	const build = () =>
		new Promise<void>((resolve, reject) => {
			builds.push({ resolve, reject });
			note("builds");
		});
	const ended = watch(board, [folder], build, input);
	/** Waits until `check` holds. It is called whenever something is done or said. */
	const until = (check: () => boolean) =>
		new Promise<void>((resolve) => {
			noticed = () => {
				if (check()) resolve();
			};
			noticed();
		});
	return {
		done,
		faults,
		type: (...lines: string[]) => input.write(`${lines.join("\n")}\n`),
		does: (what: string, times = 1) => until(() => done.filter((one) => one === what).length >= times),
		says: (what: string) => until(() => said.some((line) => line.includes(what))),
		/** Ends the build that is under way. */
		finish(error?: Error) {
			const [first, ...rest] = builds;
			builds = rest;
			if (error) first!.reject(error);
			else first!.resolve();
		},
		change: (text: string) => writeFileSync(join(folder, "main.ts"), text),
		speak: () => {
			spoken = true;
		},
		hangUp: () => input.end(),
		ended,
	};
}

t.test("given a command before the first build has ended, it is told so and carried out afterwards", async (t) => {
	const s = session(t);
	await s.does("builds");
	s.type("memory", "help", "memroy");
	await s.says("memory: as soon as the first build has ended");
	await s.says("factory reset");
	await s.says("did you mean memory?");
	s.finish();
	await s.says("alive: 1000 slots");
	t.same(s.done, ["builds", "on"]);
	s.hangUp();
	await s.ended;
});

t.test("given commands one after the other, the board is treated accordingly", async (t) => {
	const s = session(t);
	await s.does("builds");
	s.finish();
	s.type("cut", "forget", "down", "hang", "up", "clock ahead", "clock right", "wait", "quit");
	await s.ended;
	t.same(s.done, [
		...["builds", "on"],
		...["off", "on"],
		...["off", "button", "on"],
		...["network down", "network hang", "network up"],
		...["off", "on FLEET_CLOCK_OFFSET"],
		...["off", "on"],
		"waits",
	]);
});

t.test(
	"given refuse and lose, the cloud does it to the request that the device sends, however its key is made",
	async (t) => {
		const s = session(t);
		await s.does("builds");
		s.finish();
		s.type("refuse 2", "lose register", "quit");
		await s.ended;
		t.same(s.faults, [
			{ operation: "CreateKeysAndCertificate", times: 2, action: "reject" },
			{ operation: "CreateCertificateFromCsr", times: 2, action: "reject" },
			{ operation: "RegisterThing", times: 1, action: "drop" },
		]);
	},
);

t.test(
	"given a build that fails, the compiler's words are shown, what runs goes on, and a change builds again",
	async (t) => {
		const s = session(t);
		await s.does("builds");
		s.finish(new SimulatorError("main.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'."));
		await s.says("TS2322");
		await s.says("the build failed. It is tried again when a file changes");
		s.type("on");
		await s.says("there is nothing to switch on before a build has succeeded");
		s.change("better");
		await s.does("builds", 2);
		s.finish();
		await s.does("on");
		s.change("worse again");
		await s.does("builds", 3);
		s.finish(new SimulatorError("SyntaxError"));
		await s.says("the build failed; what runs goes on");
		s.type("cut");
		await s.does("on", 2);
		t.same(s.done, ["builds", "builds", "on", "builds", "off", "on"]);
		s.hangUp();
		await s.ended;
	},
);

t.test(
	"given a change during a build, another build follows, and the board is switched on with the last one",
	async (t) => {
		const s = session(t);
		await s.does("builds");
		s.change("while it builds");
		await s.says("has changed: builds again");
		s.finish();
		await s.does("builds", 2);
		s.finish();
		await s.does("on", 2);
		t.same(s.done, ["builds", "on", "builds", "off", "on"]);
		s.hangUp();
		await s.ended;
	},
);
