// Starts the device program on this machine. An app includes hosts/moddable/manifest.json and calls `start`.

import { createMachine } from "fleet-provisioning/machine";
import Timer from "timer";
import { asFailure } from "../../src/base/failure.js";
import { boot } from "../../src/boot.js";
import type { Application, Identity, Will } from "../../src/contract/application.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import type { GivenClaim } from "./claim.js";
import { createHost } from "./host.js";
import type { Machine } from "./machine.js";

/** ms until the next attempt after a failed start, for example when flash cannot be opened. */
const AGAIN = 60_000;

/** Options of `start`. */
export interface StartOptions {
	/** A claim from a trusted user. Without it the device uses the claim built into the firmware. */
	readonly claim?: GivenClaim | undefined;
	/** Whether to do a factory reset, for example because a button is held down at power-on: the identity is erased first. */
	readonly forget?: boolean;
	/**
	 * The MQTT will of each of the application's connections: what the service publishes if the device disappears without
	 * disconnecting.
	 */
	will?(identity: Identity): Will | undefined;
	/**
	 * Called with every event from the first one on, for example for an LED, a screen or a production line. The same events
	 * are traced. An exception that it throws is traced, and the program continues.
	 */
	onEvent?(event: DeviceEvent): void;
}

/** The running device program. */
export interface DeviceProgram {
	/**
	 * Ends the program: calls the function that the application returned, if any, and closes the connection. The promise
	 * settles when that is done. Then `start` may be called again, or the machine may sleep, but 100 ms later, so that the end
	 * of the connection reaches the service.
	 */
	stop(): Promise<void>;
}

/**
 * Joins the network and runs the device program: provisioning if there is no identity yet, then the application. Returns at
 * once and never throws: invalid settings are reported as an event, too. Call it again only after `stop`.
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
