// The step of a proved identity: the application's, for as long as the connection lasts.

import { asFailure, Failure } from "../base/failure.js";
import { runApplication } from "./application-session.js";
import type { Device } from "./device.js";
import type { Next } from "./steps.js";

/** ms that a connection must have lasted for the pauses after it to begin anew: a broker may hang up on what is published. */
const LASTING = 60_000;

/**
 * Connects under the thing's name, unless proving it has left a connection, and runs the application until the
 * connection ends or a factory reset is asked for. A proved identity that is refused is tried again for ever: to fall
 * back on the claim would undo a revocation.
 */
export async function run(device: Device): Promise<Next> {
	const { host, record, store } = device;
	if (device.reset !== undefined) {
		if (device.reset === "forget") await forget(device);
		return "restart";
	}
	let { connection } = device;
	device.connection = undefined;
	if (connection === undefined || connection.ended) {
		const credentials = store.loadCredentials(record);
		// Nothing is left to connect with. A claim gives the thing a new certificate.
		if (credentials === undefined) return device.startAgain();
		connection = await device.connectAs(record.thingName!, credentials);
	}
	const began = host.clock.ticks();
	try {
		keepCopy(device);
		eraseClaim(device);
		await runApplication(device, connection);
	} catch (error) {
		device.report({ event: "disconnected", role: "identity", code: asFailure(error).code });
		if (host.clock.ticks() - began >= LASTING) device.backoff.reset();
		throw error;
	}
	return "continue";
}

/** Forgets the identity; power may fail in it, and then the next power-on goes on. */
export async function forget(device: Device): Promise<void> {
	await device.persist(() => device.save({ state: "unprovisioned", setAsides: 0, forgotten: true }));
	await device.persist(() => device.store.eraseCredentials());
	device.report({ event: "identity.forgotten" });
}

/** A second copy of the credentials, where there is none yet. */
function keepCopy(device: Device): void {
	try {
		device.store.mirrorCredentials(device.record);
	} catch (error) {
		// One copy is enough to live on.
		device.report({ event: "failure", failure: asFailure(error).report() });
	}
}

/** Where the device maker wants it so: a claim that has done its work can do no harm. */
function eraseClaim({ host }: Device): void {
	if (host.configuration.claimAfterwards !== "erase") return;
	try {
		if (host.claim.read() === undefined) return;
		host.claim.erase();
		host.report({ event: "claim.erased" });
	} catch {
		host.report({ event: "failure", failure: new Failure("CLAIM_NOT_ERASED").report() });
	}
}
