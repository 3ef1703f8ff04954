// The step of a proved identity: connects, and runs the application for as long as the connection lasts.

import { CONNECT_INTERVAL } from "../base/backoff.js";
import { asFailure, Failure } from "../base/failure.js";
import type { RecordOf } from "../identity/record.js";
import { runApplication, willOf } from "./application-session.js";
import type { Device, Next } from "./device.js";
import { forget } from "./identity.js";

/**
 * How long a connection must last before the pauses start small again, ms. When the broker closes the connection because of
 * something that the application publishes, connections end sooner than this, and the pauses keep growing.
 */
const LASTING = 60_000;

/**
 * Connects under the thing's name, unless the connection that proved the identity is still open, and runs the application until
 * the connection ends, or a factory reset or the end of the program is requested. A proved identity that is refused is tried
 * again forever: falling back on the claim would undo a revocation.
 * @throws Failure why the connection ended or could not be made
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
		// The connection that proves an identity has no will, because an invalid will must not count as a refused identity.
		connection.close();
		device.report({ event: "disconnected", role: "identity" });
		await device.wait(CONNECT_INTERVAL);
		connection = undefined;
	}
	if (connection === undefined || connection.ended) {
		const credentials = store.loadCredentials(record);
		// The credentials are lost. With the claim, the device gets a new certificate for its thing.
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
		// Not an error that stops anything: the device works with one copy.
		device.report({ event: "failure", failure: asFailure(error).report() });
	}
}

/** Erases the claim when the device maker wants that: a claim that is no longer needed should not be there to be stolen. */
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
