// What the firmware runs first on a machine with a screen: the same program as main.ts, with its status on the screen.
// Holding the button for three seconds is a factory reset.

import Timer from "timer";
import { application } from "../application.js";
import { type DeviceProgram, start } from "../start.js";
import { Display } from "./display.js";

/** The SDK's global `Host`, with the members that boards may have (build/devices/*\/targets, build/simulators). */
declare const Host: {
	readonly Button?: Readonly<Record<string, new (options: { onPush(pressed: number): void }) => object>>;
	readonly LED?: Readonly<Record<string, new () => { on?(): void; off?(): void }>>;
};

/** ms. */
const HOLD = 3_000;

const Button = Host.Button?.Default ?? Host.Button?.A;
const Led = Host.LED?.Default;
const led = Led && new Led();
const display = new Display({
	...(Button && { hint: "hold the button: forget" }),
	write: (on) => (on ? led?.on?.() : led?.off?.()),
});

function run(forget: boolean): DeviceProgram {
	return start(application, { forget, onEvent: (event) => display.show(event) });
}

let program = run(false);
let timer: ReturnType<typeof Timer.set> | undefined;
if (Button)
	new Button({
		onPush(pressed) {
			Timer.clear(timer);
			timer = pressed ? Timer.set(reset, HOLD) : undefined;
		},
	});

function reset(): void {
	timer = undefined;
	display.say("forgetting");
	const stopped = program;
	stopped.stop().then(() => {
		// If the button was held twice in the meantime, the program still starts only once.
		if (program === stopped) program = run(true);
	});
}
