// What several steps do with an identity: try it, count refusals, set it aside, accept it, or forget it.

import { asFailure, type Failure } from "../base/failure.js";
import type { Identity } from "../contract/application.js";
import type { Credentials } from "../contract/host.js";
import type { CertificateRecord, RecordOf, UnsavedRecord } from "../identity/record.js";
import type { Device, Next } from "./device.js";

/** Pause after the first identity that was set aside, ms. It doubles with each further one, up to six hours. */
const SET_ASIDE_PAUSE = 60_000;
const SET_ASIDE_PAUSE_CAP = 6 * 60 * 60_000;

/** The thing's name, and its configuration when that is known. */
type Thing = Pick<Identity, "thingName" | "deviceConfiguration">;

/**
 * Connects under the identity of `record`, and saves it as proved when that succeeds. After `refusalsToSetAside` refusals in a
 * row, the record `aside` replaces it.
 * @throws Failure IDENTITY_REFUSED for each refusal before that, or of step `connect`
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

/** Connects as a thing and keeps the connection. Returns the failure when the service refuses, and throws every other one. */
export async function tryIdentity(
	device: Device,
	thingName: string,
	credentials: Credentials,
): Promise<Failure | undefined> {
	device.closeExchange();
	try {
		device.connection = await device.connectAs(thingName, credentials);
		return undefined;
	} catch (error) {
		const failure = asFailure(error);
		if (failure.code !== "IDENTITY_REFUSED") throw failure;
		return failure;
	}
}

/** Saves that the certificate of this record has connected as this thing: from now on this is the device's identity. */
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
		// The identity works although it could not be saved: the application runs, and the next power-on proves it again.
		device.report({ event: "failure", failure: asFailure(error).report() });
		device.record = { ...record, savedAt: device.now() };
	}
	device.report({ event: "proved", thingName, certificateId });
	return "continue";
}

/**
 * Sets aside an identity that the service keeps refusing. Each such identity may leave an active certificate behind, so the
 * pause before the device asks for the next one grows.
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
