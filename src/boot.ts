// Power-on: takes one step after the other until the machine restarts. Must never throw.

import { CONNECT_INTERVAL } from "./base/backoff.js";
import { asFailure } from "./base/failure.js";
import type { Application } from "./contract/application.js";
import { checkConfiguration } from "./contract/configuration.js";
import type { Host } from "./contract/host.js";
import { Device } from "./life/device.js";
import { forget } from "./life/identity.js";
import { takeStep } from "./life/steps.js";

/**
 * The device program. Takes the step of the state that flash is in, and then the next, until the machine restarts. After
 * a failure it tries again, after longer and longer pauses. Ends only after calling `host.restart()`, after reporting
 * a failure of class `fatal`, or when `host.stop` has settled. Never throws.
 */
export async function boot(host: Host, application: Application): Promise<void> {
	const device = new Device(host, application);
	let begun = false;
	host.stop?.then(() => device.stop());
	while (!device.stopped) {
		try {
			// Whoever called boot still has frames on the stack, and a device has little: begin with an empty one.
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
			if ((await takeStep(device)) === "restart") {
				const reason = device.record.state === "registered" ? "provisioned" : "reset";
				device.report({ event: "restart", reason });
				// It comes back under the same client id, and may have connected only just now: AWS limits connects per client id.
				if (reason === "reset") await device.wait(CONNECT_INTERVAL);
				if (!device.stopped) host.restart();
				return;
			}
		} catch (error) {
			device.leave();
			if (device.stopped) return;
			const failure = asFailure(error);
			if (failure.class === "fatal") {
				device.report({ event: "failure", failure: failure.report() });
				return;
			}
			await device.pauseAfter(failure, "deadline" in device.record ? device.record.deadline : undefined);
		}
	}
}

/** Tells what flash says. */
function begin(device: Device): void {
	const { record } = device;
	const { firmwareVersion } = device.host.device;
	const thing = "thingName" in record && { thingName: record.thingName };
	device.report({ event: "boot", state: record.state, firmwareVersion, ...thing });
}
