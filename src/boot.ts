// Power-on: which step is this device at, and what does it do next.

import { CONNECT_INTERVAL } from "./base/backoff.js";
import { asFailure } from "./base/failure.js";
import type { Application } from "./contract/application.js";
import { checkConfiguration } from "./contract/configuration.js";
import type { Host } from "./contract/host.js";
import { Device } from "./life/device.js";
import { forget } from "./life/run.js";
import { steps } from "./life/steps.js";

/**
 * The device program. Does what flash says is next, step by step, until the machine restarts; fails at nothing but
 * tries again, later and later. Ends only with `host.restart()` called, or with a failure of class `fatal` reported.
 * Never throws.
 */
export async function boot(host: Host, application: Application): Promise<void> {
	const device = new Device(host, application);
	let begun = false;
	for (;;) {
		try {
			// What called boot still has its frames on the stack, of which a device has little: begin on an empty one.
			await undefined;
			if (!begun) {
				checkConfiguration(host.configuration, host.device.serialNumber);
				device.record = device.store.load();
				begin(device);
				begun = true;
				if (host.forget === true && device.record.state !== "unprovisioned") await forget(device);
				const { startSpread = 0 } = host.configuration;
				if (startSpread > 0) await device.wait(device.backoff.spread(0, startSpread));
			}
			const { state } = device.record;
			const next = await steps[state](device);
			if (next === "restart") {
				const reason = device.record.state === "registered" ? "provisioned" : "reset";
				device.report({ event: "restart", reason });
				// It comes back under the name it has just had, and may have connected only now.
				if (reason === "reset") await device.wait(CONNECT_INTERVAL);
				host.restart();
				return;
			}
		} catch (error) {
			device.leave();
			const failure = asFailure(error);
			if (failure.class === "fatal") {
				device.report({ event: "failure", failure: failure.report() });
				return;
			}
			await device.pauseAfter(failure, device.record.deadline);
		}
	}
}

/** Tells what flash says. */
function begin(device: Device): void {
	const { state, thingName } = device.record;
	const { firmwareVersion } = device.host.device;
	device.report({ event: "boot", state, firmwareVersion, ...(thingName === undefined ? {} : { thingName }) });
}
