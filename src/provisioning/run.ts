// The step of a proved identity: the application's, for as long as the connection lasts.

import type { Identity } from "../application.js";
import type { Device } from "../device.js";
import { asFailure, Failure } from "./failure.js";
import type { Next } from "./steps.js";

/**
 * Connects under the thing's name, unless proving it has left a connection, and runs the application until the
 * connection ends or a factory reset is asked for. A proved identity that is refused is tried again for ever: to fall
 * back on the claim would undo a revocation.
 */
export async function run(device: Device): Promise<Next> {
	const { host, record, store } = device;
	const { certificateId, thingName, deviceConfiguration } = record;
	let { connection } = device;
	device.connection = undefined;
	if (connection === undefined || connection.ended) {
		const credentials = store.loadCredentials(record);
		if (credentials === undefined) {
			// Nothing is left to connect with. A claim gives the thing a new certificate.
			await device.persist(() => device.save({ state: "unprovisioned", setAsides: record.setAsides }));
			return "continue";
		}
		connection = await device.connectAs(thingName!, credentials);
	}
	device.backoff.reset();
	try {
		store.mirrorCredentials(record);
	} catch (error) {
		// One copy is enough to live on.
		device.report({ event: "failure", failure: asFailure(error).report() });
	}
	eraseClaim(device);

	const identity: Identity = {
		thingName: thingName!,
		certificateId: certificateId!,
		...(deviceConfiguration === undefined ? {} : { deviceConfiguration }),
	};
	const open = connection;
	let stop: (() => void) | undefined;
	try {
		const reset = await new Promise<"forget" | "keep">((resolve, reject) => {
			open.onEnd = reject;
			if (open.ended) reject(new Failure("CONNECTION_LOST"));
			stop = device.application({
				identity,
				serialNumber: host.device.serialNumber,
				firmwareVersion: host.device.firmwareVersion,
				connection: open,
				factoryReset: resolve,
			});
		});
		if (reset === "forget") {
			await device.persist(() => device.save({ state: "unprovisioned", setAsides: 0, forgotten: true }));
			await device.persist(() => store.eraseCredentials());
			device.report({ event: "identity.forgotten" });
		}
		return "restart";
	} catch (error) {
		device.report({ event: "disconnected", role: "identity", code: asFailure(error).code });
		throw error;
	} finally {
		stop?.();
		open.onMessage = undefined;
		open.close();
	}
}

/** Where the device maker wants it so: a claim that has done its work can do no harm. */
function eraseClaim({ host }: Device): void {
	if (host.configuration.claimAfterwards !== "erase" || host.claim.read() === undefined) return;
	try {
		host.claim.erase();
		host.report({ event: "claim.erased" });
	} catch {
		host.report({ event: "failure", failure: new Failure("CLAIM_NOT_ERASED").report() });
	}
}
