// Puts the device program on this machine. An app of its own includes hosts/moddable/manifest.json and calls `start`.

import { createMachine } from "fleet-provisioning/machine";
import Timer from "timer";
import { asFailure } from "../../src/base/failure.js";
import { boot } from "../../src/boot.js";
import type { Application, Identity, Will } from "../../src/contract/application.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import type { GivenClaim } from "./claim.js";
import { createHost } from "./host.js";
import type { Machine } from "./machine.js";

/** ms until it is tried again when flash cannot be opened, say. */
const AGAIN = 60_000;

/** What an app may ask for. */
export interface StartOptions {
	/** From a trusted user. Without it the device uses the claim built into the firmware. */
	readonly claim?: GivenClaim | undefined;
	/** A factory reset, asked for by a button held down at power-on say: the identity is erased first. */
	readonly forget?: boolean;
	/**
	 * The will of each connection that the application gets: what the service publishes when the device is gone without having
	 * hung up.
	 */
	will?(identity: Identity): Will | undefined;
	/**
	 * Called with every event from the first on: for an LED, a screen, a factory's line. What is traced is the same. What it
	 * throws is traced, and the program goes on.
	 */
	onEvent?(event: DeviceEvent): void;
}

/** The running device program. */
export interface DeviceProgram {
	/**
	 * Ends it: the application's own `Stop` is called, and the connection closed. Settles when that has been done; then the
	 * machine may sleep (100 ms later, so that the service hears of the end), or `start` may be called again.
	 */
	stop(): Promise<void>;
}

/**
 * Joins the network and runs the device program: provisioning when there is no identity yet, then the application. Returns
 * at once and never throws: what is wrong with the settings, too, is an event. To be called again only after `stop`.
 */
export function start(application: Application, options: StartOptions = {}): DeviceProgram {
	const { claim, will, onEvent } = options;
	let machine: Machine | undefined;
	let askStop = (): void => {};
	const stop = new Promise<void>((resolve) => {
		askStop = resolve;
	});
	let stopped = false;
	let retry: ReturnType<typeof Timer.set> | undefined;
	let running = Promise.resolve();

	function report(event: DeviceEvent): void {
		try {
			trace(JSON.stringify(event), "\n");
			onEvent?.(event);
		} catch (error) {
			trace(`in onEvent: ${String(error)}\n`);
		}
	}

	function run(forget: boolean): void {
		if (stopped) return;
		try {
			machine ??= createMachine();
			forget ||= machine.resetAsked?.() === true;
			const host = createHost(machine, { claim, forget, stop, ...(will && { will }), report, again: () => run(false) });
			running = boot(host, application);
		} catch (error) {
			const failure = asFailure(error);
			report({ event: "failure", failure: failure.report() });
			if (failure.class !== "fatal") retry = Timer.set(() => run(forget), AGAIN);
		}
	}

	run(options.forget === true);
	return {
		stop() {
			stopped = true;
			Timer.clear(retry);
			askStop();
			return running.then(() => machine?.close?.());
		},
	};
}
