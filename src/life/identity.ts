// What several steps do with an identity: try it, count refusals, put it aside, accept it, or forget it.

import { asFailure, type Failure } from "../base/failure.js";
import type { Identity } from "../contract/application.js";
import type { Credentials } from "../contract/host.js";
import type { CertificateRecord, RecordOf, UnsavedRecord } from "../identity/record.js";
import type { Device, Next } from "./device.js";

/** ms of pause after the first identity that was put aside; doubles with each, up to six hours. */
const SET_ASIDE_PAUSE = 60_000;
const SET_ASIDE_PAUSE_CAP = 6 * 60 * 60_000;

/** The thing, and its configuration when it is known. */
type Thing = Pick<Identity, "thingName" | "deviceConfiguration">;

/**
 * Connects under the identity of `record`, which is proved when that works. After so many refusals in a row `aside` is
 * saved in its place.
 * @throws Failure IDENTITY_REFUSED while it may still be refused, or of step `connect`
 */
export async function proveIdentity(
	device: Device,
	record: RecordOf<"registering" | "registered">,
	thing: Thing,
	refusalsToSetAside: number,
	aside: UnsavedRecord,
): Promise<Next> {
	const credentials = device.store.loadCredentials(record);
	if (credentials === undefined) return device.startAgain();
	const refusal = await tryIdentity(device, thing.thingName, credentials);
	if (refusal === undefined) return becomeProved(device, record, thing);
	const refusals = (record.refusals ?? 0) + 1;
	if (refusals < refusalsToSetAside) {
		await device.keep({ ...record, refusals });
		throw refusal;
	}
	return setAside(device, refusal, record.certificateId, aside);
}

/** Connects as a thing and keeps the connection. Gives the refusal when the service refuses, and throws every other failure. */
export async function tryIdentity(
	device: Device,
	thingName: string,
	credentials: Credentials,
): Promise<Failure | undefined> {
	device.leave();
	try {
		device.connection = await device.connectAs(thingName, credentials);
		return undefined;
	} catch (error) {
		const failure = asFailure(error);
		if (failure.code !== "IDENTITY_REFUSED") throw failure;
		return failure;
	}
}

/** Saves that the certificate of `record` has connected as this thing: from here on this is the identity. */
export function becomeProved(
	device: Device,
	{ certificateId, slot }: CertificateRecord,
	{ thingName, deviceConfiguration }: Thing,
): Next {
	const configuration = deviceConfiguration && { deviceConfiguration };
	const record = { state: "proved", setAsides: 0, certificateId, slot, thingName, ...configuration } as const;
	try {
		device.save(record);
	} catch (error) {
		// The identity works, whatever flash says: the application runs, and the next power-on proves it again.
		device.report({ event: "failure", failure: asFailure(error).report() });
		device.record = { ...record, savedAt: device.now() };
	}
	device.report({ event: "proved", thingName, certificateId });
	return "continue";
}

/**
 * Puts an identity aside that the service keeps refusing. Each may leave an active certificate behind, so the pause before
 * the next one is asked for grows.
 */
async function setAside(device: Device, { code }: Failure, certificateId: string, aside: UnsavedRecord): Promise<Next> {
	const { setAsides } = aside;
	await device.keep(aside);
	device.report({ event: "set-aside", certificateId, code, times: setAsides });
	const most = Math.min(SET_ASIDE_PAUSE * 2 ** setAsides, SET_ASIDE_PAUSE_CAP);
	const milliseconds = device.backoff.spread(most / 2, most);
	device.report({ event: "pause", milliseconds, code, attempt: setAsides });
	await device.wait(milliseconds);
	return "continue";
}

/** Forgets the identity, and the key of one to come. When the power fails in between, the next power-on goes on with it. */
export async function forget(device: Device): Promise<void> {
	await device.keep({ state: "unprovisioned", setAsides: 0, forgotten: true });
	await device.persist(() => device.store.eraseSecrets());
	device.report({ event: "identity.forgotten" });
}
