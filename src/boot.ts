// The start of the device program: takes one step after the other until the machine restarts. Must never throw.

import { CONNECT_INTERVAL } from "./base/backoff.js";
import { asFailure } from "./base/failure.js";
import type { Application } from "./contract/application.js";
import { checkConfiguration } from "./contract/configuration.js";
import type { Host } from "./contract/host.js";
import type { DeviceRecord } from "./identity/record.js";
import { Device } from "./life/device.js";
import { forget } from "./life/identity.js";
import { takeStep } from "./life/steps.js";

/**
 * The device program. Takes the step that belongs to the state in flash, and then the next, until the machine restarts. After
 * a failure it tries again, with longer and longer pauses. Ends only after it has called `host.restart()`, has reported a
 * failure of class `fatal`, or `host.stop` has settled. Never throws.
 *
 * @example
 * What a host of one's own does at power-on, once it has its network:
 * ```ts
 * import { type Application, boot, type Host } from "moddable-fleet-provisioning/device";
 *
 * export async function powerOn(host: Host, application: Application): Promise<void> {
 * 	await boot(host, application);
 * 	// Here the machine restarts, or a failure of class `fatal` was reported and nothing more happens.
 * }
 * ```
 */
export async function boot(host: Host, application: Application): Promise<void> {
	const device = new Device(host, application);
	let begun = false;
	host.stop?.then(() => device.stop());
	while (!device.stopped) {
		try {
			// Begins with an empty stack, because a device has little, and the caller's frames are still on it.
			await undefined;
			if (!begun) {
				checkConfiguration(host.configuration, host.device.serialNumber);
				device.record = device.store.load();
				begin(device);
				begun = true;
				if (host.forget === true && hasIdentity(device.record)) await forget(device);
				const { startSpread = 0 } = host.configuration;
				if (startSpread > 0) await device.wait(device.backoff.spread(0, startSpread));
			}
			if ((await takeStep(device)) === "restart") {
				const reason = device.record.state === "registered" ? "provisioned" : "reset";
				device.report({ event: "restart", reason });
				// It will connect with the same client id, and may have done so just now. AWS limits connects per client id.
				if (reason === "reset") await device.wait(CONNECT_INTERVAL);
				if (!device.stopped) host.restart();
				return;
			}
		} catch (error) {
			device.closeExchange();
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

/** Whether there is anything to forget: an identity, or the key of one to come. */
const hasIdentity = (record: DeviceRecord): boolean => record.state !== "unprovisioned" || "pendingKey" in record;

/** Reports the state that flash holds. */
function begin(device: Device): void {
	const { record } = device;
	const { firmwareVersion, build } = device.host.device;
	const thing = "thingName" in record && { thingName: record.thingName };
	device.report({ event: "boot", state: record.state, firmwareVersion, ...(build && { build }), ...thing });
}
