// The life of a device, a step for each state that flash can be in. Every step ends with the next state saved, or with a
// failure and flash as it was; cut anywhere, it is taken up again by the same step at the next power-on.

import { asFailure, Failure } from "../base/failure.js";
import { expectedThingName, templateParameters } from "../contract/configuration.js";
import type { DeviceState } from "../contract/events.js";
import type { Credentials } from "../contract/host.js";
import { equalBytes } from "../identity/der.js";
import type { DeviceRecord } from "../identity/record.js";
import type { Device } from "./device.js";
import { run } from "./run.js";

/** What comes after a step: the step of the state that is now saved, or a restart of the machine. */
export type Next = "continue" | "restart";

/** A step. @throws Failure, after which the same state's step is tried again later */
export type Step = (device: Device) => Promise<Next>;

/** ms that an ownership token is relied upon: its documented hour, less a minute for slow clocks and networks. */
const TOKEN_LIFE = 59 * 60_000;
/** Refusals in a row after which a registered identity is put aside. AWS takes minutes to spread a policy; the pauses between make it about ten. */
const REFUSALS_TO_SET_ASIDE = 12;
/** The same for an identity of which it is not even known whether it is registered. */
const REFUSALS_OF_UNKNOWN = 3;
/** ms of pause after the first time a new identity was put aside; doubles up to six hours. */
const SET_ASIDE_PAUSE = 60_000;
const SET_ASIDE_PAUSE_CAP = 6 * 60 * 60_000;

/** By what flash says. */
export const steps: Readonly<Record<DeviceState, Step>> = Object.freeze({
	unprovisioned: create,
	created: register,
	registering: register,
	registered: prove,
	refused: reconsider,
	proved: run,
});

/** Gets a certificate and keeps it, with the token that lets it be registered. */
async function create(device: Device): Promise<Next> {
	const { host, store } = device;
	if (device.record.forgotten === true) await device.persist(() => store.eraseCredentials());
	if (host.configuration.keyPair === "csr" && device.keyPair === undefined) {
		if (host.createKeyPair === undefined) throw new Failure("KEY_PAIR_UNSUPPORTED");
		// Ahead of the connection: RSA takes long, and the broker would not wait.
		device.keyPair = await host.createKeyPair(host.device.serialNumber);
	}
	const exchange = await device.visit();
	const { certificateId, credentials, ownershipToken } = await exchange.createCertificate(device.keyPair);
	checkId(device, certificateId, credentials.certificate);
	const deadline = device.now() + TOKEN_LIFE;
	const [slot, bytes] = await device.persist(() => store.saveCredentials(device.record, certificateId, credentials));
	device.keyPair = undefined;
	const { setAsides } = device.record;
	await device.persist(() =>
		device.save({ state: "created", setAsides, certificateId, slot, ownershipToken, deadline }, bytes),
	);
	return "continue";
}

/** The id is the certificate's SHA-256 wherever one has looked, but AWS does not promise it: a difference is told, not refused. */
function checkId({ host }: Device, certificateId: string, certificate: Uint8Array): void {
	const digest = host.sha256?.(certificate);
	if (digest === undefined) return;
	const id = Uint8Array.from(digest, (_, i) => Number.parseInt(certificateId.slice(2 * i, 2 * i + 2), 16));
	if (!equalBytes(digest, id)) host.report({ event: "certificate.id-mismatch", certificateId });
}

/** Registers the thing, with what an earlier power-on may have sent already in mind. */
async function register(device: Device): Promise<Next> {
	const { record, host } = device;
	// Known before the first of these requests goes out; after a cut or a lost reply it is not known what became of it.
	const sentBefore = record.state === "registering";
	try {
		if (device.now() >= record.deadline!) throw new Failure("TOKEN_EXPIRED");
		const exchange = await device.visit();
		if (!sentBefore) await device.persist(() => device.save({ ...device.record, state: "registering" }));
		const parameters = templateParameters(host.configuration, host.device.serialNumber);
		const { thingName, deviceConfiguration } = await exchange.registerThing(record.ownershipToken!, parameters);
		const { setAsides, certificateId, slot } = record as Registered;
		await device.persist(() =>
			device.save({ state: "registered", setAsides, certificateId, slot, thingName, deviceConfiguration }),
		);
		device.report({ event: "provisioned", thingName, certificateId });
		device.leave();
		return "restart";
	} catch (error) {
		const failure = asFailure(error);
		if (failure.class !== "recreate") throw failure;
		device.leave();
		if (!sentBefore) {
			await device.startAgain();
			throw failure;
		}
		device.report({ event: "failure", failure: failure.report() });
		return tryUnknown(device);
	}
}

/** The token is of no use any more, but RegisterThing may have worked: then the certificate connects under the expected name. */
async function tryUnknown(device: Device): Promise<Next> {
	const { host, record } = device;
	const thingName = expectedThingName(host.configuration, host.device.serialNumber);
	const credentials = device.store.loadCredentials(record);
	if (credentials === undefined) return device.startAgain();
	const failure = await tryIdentity(device, thingName, credentials);
	if (failure === undefined) {
		const { certificateId, slot } = record as Registered;
		return proved(device, { certificateId, slot, thingName });
	}
	const refusals = (record.refusals ?? 0) + 1;
	if (refusals < REFUSALS_OF_UNKNOWN) {
		await device.persist(() => device.save({ ...record, refusals }));
		throw failure;
	}
	return setAside(device, failure, { state: "unprovisioned" });
}

/** Connects for the first time under the new identity. */
async function prove(device: Device): Promise<Next> {
	const { record } = device;
	const { thingName } = record as Registered;
	const credentials = device.store.loadCredentials(record);
	if (credentials === undefined) return device.startAgain();
	const failure = await tryIdentity(device, thingName, credentials);
	if (failure === undefined) return proved(device, record as Registered);
	const refusals = (record.refusals ?? 0) + 1;
	if (refusals < REFUSALS_TO_SET_ASIDE) {
		await device.persist(() => device.save({ ...record, refusals }));
		throw failure;
	}
	return setAside(device, failure, { ...record, state: "refused" });
}

/**
 * An identity that was put aside gets one more chance (somebody may have activated it), and then the claim is used
 * again. The identity stays in flash until a new one takes its place.
 */
async function reconsider(device: Device): Promise<Next> {
	const record = device.record as Registered;
	const credentials = device.store.loadCredentials(record);
	if (credentials !== undefined) {
		const failure = await tryIdentity(device, record.thingName, credentials);
		if (failure === undefined) return proved(device, record);
		device.report({ event: "failure", failure: failure.report() });
	}
	return create(device);
}

/**
 * Puts an identity aside that the service keeps refusing. Each may leave an active certificate behind: the next is asked
 * for ever more seldom.
 */
async function setAside(
	device: Device,
	failure: Failure,
	record: Omit<DeviceRecord, "savedAt" | "setAsides">,
): Promise<Next> {
	const { certificateId } = device.record as Registered;
	const setAsides = device.record.setAsides + 1;
	await device.persist(() => device.save({ ...record, setAsides }));
	device.report({ event: "set-aside", certificateId, code: failure.code, times: setAsides });
	const most = Math.min(SET_ASIDE_PAUSE * 2 ** setAsides, SET_ASIDE_PAUSE_CAP);
	const milliseconds = device.backoff.spread(most / 2, most);
	device.report({ event: "pause", milliseconds, code: failure.code, attempt: setAsides });
	await device.wait(milliseconds);
	return "continue";
}

/** Connects as a thing and keeps the connection; gives the refusal when it is one, and throws every other failure. */
async function tryIdentity(device: Device, thingName: string, credentials: Credentials): Promise<Failure | undefined> {
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

/** A record with a thing's name in it. */
type Registered = DeviceRecord & Required<Pick<DeviceRecord, "certificateId" | "slot" | "thingName">>;

/** From here on this is the identity. */
function proved(
	device: Device,
	{ certificateId, slot, thingName, deviceConfiguration }: Omit<Registered, "state" | "savedAt" | "setAsides">,
): Next {
	const configuration = deviceConfiguration === undefined ? {} : { deviceConfiguration };
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
