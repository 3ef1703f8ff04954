// The engine by itself: how a life can end, what memory it gets, and that it is as strict as flash and firmware are.

import t from "tap";
import { exitCodes, Flash, presets, Resource } from "../../hosts/xs/engine.js";
import { engineOrReason, run } from "../support/xs.js";

const { engine, skip } = await engineOrReason("device");
const { engine: ordinary } = await engineOrReason("ordinary");
const options = { skip };

/** What a program says to end in each way. */
const ends = {
	"out of memory": "const kept = []; for (;;) kept.push(new Uint8Array(1000));",
	"stack overflow": "const sink = (n) => sink(n + 1) + 1; sink(0);",
	"unhandled exception": "throw new Error('by test');",
	"unhandled rejection": "Promise.reject(new Error('by test'));",
	restart: "machine.tell(14);",
	"power cut": "",
} as const;

for (const [reason, source] of Object.entries(ends))
	t.test(`a device ends by ${reason}, with an exit code that only this has`, options, async (test) => {
		const { ending } = run(engine, source);
		test.equal(ending.reason, reason);
		test.equal(ending.code, exitCodes[reason as keyof typeof ends]);
		test.equal(new Set(Object.values(exitCodes)).size, Object.keys(exitCodes).length);
		test.ok(ending.memory!.slots.used > 0, "and says what its memory held");
	});

t.test("an exception that nobody catches is told with file and line in the ordinary build", options, async (test) => {
	const { ending } = run(ordinary, "const deep = () => {\n\tthrow new Error('by test');\n};\ndeep();");
	test.match(ending.detail, /Error: by test[\s\S]*main:2[\s\S]*main:4/);
});

t.test("a stack overflow tells who was on the stack", options, async (test) => {
	const { ending } = run(engine, "const sink = (n) => sink(n + 1) + 1; sink(0);");
	test.match(ending.detail, /^(at sink, \d+ slots\n){5}/);
});

t.test("a slot has 16 bytes as on the ESP32, or the report says that it has 32", options, async (test) => {
	const { ending } = run(engine, "");
	test.equal(ending.memory!.slotBytes, engine.wide ? 32 : 16);
});

t.test(
	"chunks take what they take on the ESP32; in a 64-bit engine more, but at most twice as much",
	options,
	async (test) => {
		const base = run(engine, "let kept;").ending.memory!;
		for (const [what, source, bytes] of [
			// on the ESP32: a header of 8 bytes, and what is in it, rounded up to 4
			["a string of 1,000 bytes and its end", "kept = 'x'.repeat(1000)", 8 + 1004],
			["1,000 bytes", "kept = new Uint8Array(1000)", 8 + 1000],
			["1,000 slots", "kept = Array.from({ length: 1000 }).fill(0)", 8 + 1000 * 16],
		] as const) {
			const { chunks } = run(engine, `let kept; ${source}; machine.listen(() => kept);`).ending.memory!;
			const taken = chunks.used - base.chunks.used;
			test.ok(taken >= bytes && taken <= bytes * (engine.wide ? 2 : 1), `${what}: ${bytes} bytes, here ${taken}`);
		}
	},
);

t.test("each preset gives the memory it says, and not a byte more", options, async (test) => {
	// Strings of 1,000 bytes are chunks; what is left over for slots is not much.
	const count =
		"let n = 0; machine.listen(() => { const kept = []; for (;;) { kept.push('x'.repeat(999) + n); machine.tell(33, 0, 0, String(++n)); } });";
	for (const [name, preset, least, most] of [
		["tight", presets.tight, 26, 40],
		["esp32c3", presets.esp32c3, 66, 82],
		["esp32", presets.esp32, 70, 77],
	] as const) {
		const { said, ending } = run(engine, count, { preset, events: [""] });
		test.equal(ending.reason, "out of memory", name);
		test.ok(said.length >= least && said.length <= most, `${name}: ${said.length} kB of strings fit`);
	}
});

t.test("slots and chunks share what a preset with one limit has", options, async (test) => {
	const slots =
		"const kept = {}; let last = kept; let n = 0; for (;;) { last = last.next = {}; n++; if (n % 100 === 0) machine.tell(33, 0, 0, String(n)); }";
	const { said, ending } = run(engine, slots);
	test.equal(ending.reason, "out of memory");
	// an object with one property takes two slots of 16 bytes; stack, a first chunk and the machine itself take 14 KB
	const objects = Number(said.at(-1));
	test.ok(objects > 900 && objects < 1400, `${objects} objects`);
});

t.test("functions and classes have no names, as in firmware that mcconfig builds", options, async (test) => {
	const { said } = run(
		engine,
		"function named() {} class Named {} machine.tell(33, 0, 0, [named, Named, Map].map((f) => String(f.name)).join());",
	);
	test.same(said, ["undefined,undefined,undefined"]);
});

t.test(
	"built-ins and preloaded functions and collections cannot be changed, module variables can",
	options,
	async (test) => {
		const flash = {
			name: "flash",
			preload: true,
			source:
				"export let count = 0; export const bump = () => ++count; export const map = new Map(); export const bag = { list: [] };",
		};
		const { said, ending } = run(
			engine,
			`import { bag, bump, count, map } from "flash";
		const refused = (work) => { try { work(); return false; } catch (error) { return error instanceof TypeError; } };
		machine.tell(33, 0, 0, JSON.stringify([
			refused(() => { Array.prototype.extra = 1; }),
			refused(() => { bump.extra = 1; }),
			refused(() => map.set(1, 1)),
			bump() + bump() + count,
			(bag.text = "a", bag.list.push(1), bag.text + bag.list[0]),
		]));`,
			{ modules: [flash] },
		);
		test.equal(ending.reason, "power cut", ending.detail ?? "");
		test.same(JSON.parse(said[0]!), [true, true, true, 5, "a1"]);
	},
);

t.test("what a life changes of a preloaded module is gone in the next", options, async (test) => {
	const flash = new Flash(engine, [
		{ name: "flash", preload: true, source: "export let count = 0; export const bump = () => ++count;" },
		{
			name: "main",
			preload: false,
			source: 'import { bump } from "flash"; bump(); machine.tell(33, 0, 0, String(bump()));',
		},
	]);
	t.teardown(() => flash.close());
	const said: string[] = [];
	for (let i = 0; i < 2; i++) {
		const life = flash.life({
			answer: () => undefined,
			take: ({ bytes }) => said.push(bytes.toString()),
			ended: () => {},
		});
		life.begin(presets.tight);
		life.powerOff();
	}
	test.same(said, ["2", "2"]);
});

t.test("a native function called while preloading is an error that names the module", options, async (test) => {
	const native = { name: "native", preload: true, source: "machine.ask(34);" };
	test.throws(
		() => run(engine, "", { modules: [native] }),
		/native functions are not there while modules are preloaded/,
	);
	const wrong = { name: "wrong", preload: true, source: "const = 1;" };
	test.throws(() => run(engine, "", { modules: [wrong] }), /wrong SyntaxError: missing identifier/);
});

t.test(
	"questions are answered with nothing, a number, bytes, bytes in flash, or an error with its code",
	options,
	async (test) => {
		const answers = [
			undefined,
			42.5,
			new Uint8Array([1, 2]),
			new Resource(new Uint8Array(10_000)),
			Object.assign(new Error("no room"), { code: "full" }),
		];
		const { said, ending } = run(
			engine,
			`const answers = [0, 1, 2, 3].map((i) => machine.ask(34, i));
		let error; try { machine.ask(34, 4); } catch (e) { error = e; }
		machine.tell(33, 0, 0, JSON.stringify([answers[0] === undefined, answers[1], ...new Uint8Array(answers[2]), new Uint8Array(answers[3]).length, error.code, error.message]));`,
			{ answer: ({ id }) => answers[id] },
		);
		test.same(JSON.parse(said[0]!), [true, 42.5, 1, 2, 10_000, "full", "no room"]);
		test.ok(ending.memory!.chunks.used < 1500, "and bytes in flash take no RAM");
	},
);

t.test("power that fails in the middle of a question is the last that the device hears", options, async (test) => {
	const flash = new Flash(engine, [
		{ name: "main", preload: false, source: "machine.ask(34); machine.tell(33, 0, 0, 'alive');" },
	]);
	t.teardown(() => flash.close());
	const said: string[] = [];
	const endings: string[] = [];
	const life = flash.life({
		answer: () => {
			life.powerOff();
			return undefined;
		},
		take: () => said.push("said"),
		ended: ({ reason }) => endings.push(reason),
	});
	life.begin(presets.tight);
	test.same([said, endings], [[], ["power cut"]]);
});
