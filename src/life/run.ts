// The step of a proved identity: connects, and runs the application for as long as the connection lasts.

import { CONNECT_INTERVAL } from "../base/backoff.js";
import { asFailure, Failure } from "../base/failure.js";
import type { RecordOf } from "../identity/record.js";
import { runApplication, willOf } from "./application-session.js";
import type { Device, Next } from "./device.js";
import { forget } from "./identity.js";

/**
 * ms that a connection must last before the pauses start small again. A broker that hangs up on what the application
 * publishes ends connections sooner, and then the pauses go on growing.
 */
const LASTING = 60_000;

/**
 * Connects under the thing's name, unless proving it has left a connection, and runs the application until the
 * connection ends or a factory reset is asked for. A proved identity that is refused is tried again forever: falling back
 * on the claim would undo a revocation.
 */
export async function run(device: Device, record: RecordOf<"proved">): Promise<Next> {
	const { host, store } = device;
	if (device.stopped) return "continue";
	if (device.reset !== undefined) {
		if (device.reset === "forget") await forget(device);
		return "restart";
	}
	let { connection } = device;
	device.connection = undefined;
	if (connection !== undefined && host.will !== undefined) {
		// An identity is proved without a will: it must not be refused for what its application asks.
		connection.close();
		device.report({ event: "disconnected", role: "identity" });
		await device.wait(CONNECT_INTERVAL);
		connection = undefined;
	}
	if (connection === undefined || connection.ended) {
		const credentials = store.loadCredentials(record);
		// Nothing is left to connect with. The claim gets the thing a new certificate.
		if (credentials === undefined) return device.startAgain();
		connection = await device.connectAs(record.thingName, credentials, willOf(host, record));
	}
	const began = host.clock.ticks();
	try {
		keepCopy(device, record);
		eraseClaim(device);
		await runApplication(device, record, connection);
	} catch (error) {
		device.report({ event: "disconnected", role: "identity", code: asFailure(error).code });
		if (host.clock.ticks() - began >= LASTING) device.backoff.reset();
		throw error;
	}
	return "continue";
}

/** Writes a second copy of the credentials, unless there is one already. */
function keepCopy(device: Device, record: RecordOf<"proved">): void {
	try {
		device.store.mirrorCredentials(record);
	} catch (error) {
		// The device works with one copy.
		device.report({ event: "failure", failure: asFailure(error).report() });
	}
}

/** Erases the claim when the device maker wants that: a claim that has done its work should not be there to be stolen. */
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
