// The step of a device without a certificate: gets one and saves it, together with the token that RegisterThing needs. A key
// that the device makes is saved before the certificate is requested, so that after a power cut the same key is used again.

import { Failure } from "../base/failure.js";
import { fromHex, toHex } from "../base/hex.js";
import { commonName } from "../contract/configuration.js";
import { equalBytes } from "../identity/der.js";
import { encodeEcKey, isScalar, keyPair, newScalar } from "../identity/ec.js";
import type { RecordOf } from "../identity/record.js";
import { signingRequest } from "../identity/signing-request.js";
import { makesOwnKey } from "../provisioning/exchange.js";
import type { OwnKey } from "../provisioning/messages.js";
import type { Device, Next } from "./device.js";

/** How long an ownership token is used, ms: its documented hour, less a minute for slow clocks and networks. */
const TOKEN_LIFE = 59 * 60_000;

/** The curve of the keys that devices make: AWS IoT accepts it, and it is the fastest. */
const CURVE = "P-256";

/** The records of a device that has no certificate, or one that was refused. */
type Without = RecordOf<"unprovisioned" | "refused">;

/** Asks for a certificate. @throws Failure of step `create`, or why the provisioning API cannot be reached */
export async function create(device: Device, record: Without): Promise<Next> {
	const { store } = device;
	if (record.state === "unprovisioned" && record.forgotten) await device.persist(() => store.eraseSecrets());
	// Before connecting, because the broker does not wait long for a client that is busy with arithmetic.
	const own = makesOwnKey(device.host) ? await ownKey(device, record) : undefined;
	await undefined;
	const exchange = await device.openExchange();
	const { certificateId, credentials, ownershipToken } = await exchange.createCertificate(own);
	checkId(device, certificateId, credentials.certificate);
	const deadline = device.now() + TOKEN_LIFE;
	const [slot, bytes] = await device.persist(() => store.saveCredentials(record, certificateId, credentials));
	const { setAsides } = record;
	await device.keep({ state: "created", setAsides, certificateId, slot, ownershipToken, deadline }, bytes);
	return "continue";
}

/** The key for the next certificate, from flash or newly made and then saved, and the signing request for it. */
async function ownKey(device: Device, record: Without): Promise<OwnKey> {
	const { host } = device;
	const { ecdsa } = host;
	if (ecdsa === undefined) throw new Failure("KEY_PAIR_UNSUPPORTED");
	let scalar = fromHex(record.pendingKey ?? "");
	if (!isScalar(CURVE, scalar)) {
		// Continues with an empty stack, because making and saving a key needs much of it.
		await undefined;
		await device.prepare();
		scalar = newScalar(CURVE, (count) => host.random(count));
		const kept =
			record.state === "refused" ? record : ({ state: "unprovisioned", setAsides: record.setAsides } as const);
		await device.keep({ ...kept, pendingKey: toHex(scalar) });
	}
	const key = keyPair(CURVE, scalar, undefined, ecdsa);
	const name = commonName(host.configuration, host.device.serialNumber);
	return { key: encodeEcKey(key), certificateSigningRequest: signingRequest(key, name, ecdsa) };
}

/**
 * Compares the id with the certificate's SHA-256. The two have always been equal, but AWS does not promise it, so a difference
 * is reported and the certificate is used all the same.
 */
function checkId({ host }: Device, certificateId: string, certificate: Uint8Array): void {
	const digest = host.sha256?.(certificate);
	if (digest === undefined) return;
	if (!equalBytes(digest, fromHex(certificateId))) host.report({ event: "certificate.id-mismatch", certificateId });
}
