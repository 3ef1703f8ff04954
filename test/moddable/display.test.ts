// Given a device with a screen, then the screen shows what the device is doing, its thing name and its last failure, an LED
// blinks the failure's number, and a broken screen does not affect the device.

import t from "tap";
import { catalogue } from "../../src/base/failure.js";
import { Bench, SSID } from "./sdk/world.js";

const { blinks } = await import("../../hosts/moddable/display/blinker.js");
const { Display } = await import("../../hosts/moddable/display/display.js");
type Display = InstanceType<typeof Display>;

/** A device whose chip has fonts and a screen of this size. */
async function withScreen(width = 240, height = 320) {
	const bench = await Bench.make();
	const { chip } = bench;
	Object.assign(chip.screen, { width, height });
	chip.resources.set("OpenSans-Semibold-18.bf4", Uint8Array.of(24));
	chip.resources.set("OpenSans-Semibold-28.bf4", Uint8Array.of(38));
	let lit = false;
	let display: Display | undefined;
	/** Starts the program, and creates the display with the first event. */
	const powerOn = () =>
		bench.powerOn({
			onEvent: (event) => {
				display ??= new Display({
					hint: "hold the button",
					write: (on) => {
						lit = on;
					},
				});
				display.show(event);
			},
		});
	/** All text on the screen. */
	const shown = () => chip.screen.lines.map(({ text }) => text).join(" ");
	return { bench, chip, powerOn, shown, lit: () => lit, display: () => display! };
}

t.test("the number of each failure is its digits in blinks, with a pause between them", async (t) => {
	t.same(blinks(12), [250, 1_000, 250, 250, 250, 2_500]);
	for (const [code, { number }] of Object.entries(catalogue)) {
		const times = blinks(number);
		const dark = times.filter((_, index) => index % 2 === 1);
		t.equal(dark.length, Math.floor(number / 10) + (number % 10), code);
		t.equal(dark.indexOf(1_000) + 1, Math.floor(number / 10), code);
	}
});

t.test("given a device that provisions itself, the screen ends with its thing, and the LED is on", async (t) => {
	const { bench, chip, powerOn, shown, lit } = await withScreen();
	powerOn();
	t.ok(await bench.play(() => shown().includes("connecting")));
	t.notOk(lit());
	// The chip restarts with its new identity, and the program draws on the screen again.
	t.ok(await bench.play(() => bench.running));
	powerOn();
	t.ok(await bench.play(() => shown().includes("connected") && lit()));
	t.match(shown(), /thing .*hold the button firmware \d/);
	t.same(chip.aborts, []);
});

t.test("given no network, the screen has the failure, its number and the seconds, and the LED blinks it", async (t) => {
	const { bench, chip, powerOn, shown, lit } = await withScreen();
	chip.accessPoint = undefined;
	powerOn();
	t.ok(await bench.play(() => bench.failures.length === 1));
	t.match(shown(), /waiting tries again in \d+ s failure 23 NETWORK_DOWN/);
	let blinked = "";
	let was = lit();
	for (let time = 0; time < 1_000; time += 50) {
		if (lit() !== was) blinked += lit() ? "+" : "-";
		was = lit();
		await chip.pass(50);
	}
	t.match(blinked, /^-\+-$|^\+-\+-$/, "two blinks for the tens");
	const seconds = () => Number(/tries again in (\d+) s/.exec(shown())?.[1] ?? 0);
	const before = seconds();
	t.ok(await bench.play(() => seconds() < before || before === 1));
	chip.accessPoint = { ssid: SSID, password: "open sesame" };
	t.ok(await bench.play(() => bench.events.some(({ event }) => event === "restart")));
	t.same(chip.aborts, []);
});

t.test("given a failure that only new firmware ends, it is shown in full, its code broken between words", async (t) => {
	// The stand-in's letters are wider than the font's.
	for (const width of [240, 300]) {
		const { bench, chip, powerOn, shown } = await withScreen(width);
		delete chip.config.template;
		powerOn();
		await bench.play(() => bench.failures.length === 1);
		t.match(shown(), width === 240 ? /failure 11 CONFIGURATION_ INVALID / : /^stopped: needs new firmware failure 11 /);
	}
});

t.test(
	"a text that is too wide is broken between words, or within one; nothing is drawn outside a small screen",
	async (t) => {
		const { chip, powerOn, display, bench } = await withScreen(128, 128);
		powerOn();
		await bench.play(() => display() !== undefined);
		display().say("stopped: needs new firmware");
		display().show({ event: "provisioned", thingName: "a-thing-of-a-long-name", certificateId: "0".repeat(64) });
		for (const { text, x, y } of chip.screen.lines) {
			t.ok(x + text.length * 12 <= 128, text);
			t.ok(y >= 0 && y + 24 <= 128, `${text} at ${y}`);
		}
		t.ok(chip.screen.lines.length > 2);
		display().show({ event: "failure", failure: { code: "CREATE_DENIED", ...catalogue.CREATE_DENIED } });
		t.ok(
			chip.screen.lines.some(({ text }) => text === "54"),
			"the number is there on the smallest screen, too",
		);
	},
);

t.test("given a screen that cannot be drawn on, the device goes on", async (t) => {
	const { bench, chip, powerOn } = await withScreen();
	chip.screen.broken = true;
	powerOn();
	t.ok(await bench.play(() => bench.running));
	await chip.pass(60_000);
	t.same(chip.aborts, []);
	t.ok(chip.traced.some((line) => line.startsWith("display: ")));
});
