// The step of a device without a certificate: gets one and saves it, together with the token that RegisterThing needs.

import { Failure } from "../base/failure.js";
import { equalBytes } from "../identity/der.js";
import type { DeviceRecord } from "../identity/record.js";
import type { Device, Next } from "./device.js";

/** How long an ownership token is used, ms: its documented hour, less a minute for slow clocks and networks. */
const TOKEN_LIFE = 59 * 60_000;

/** Asks for a certificate. @throws Failure of step `create`, or why the provisioning API cannot be reached */
export async function create(device: Device, record: DeviceRecord): Promise<Next> {
	const { host, store } = device;
	if (record.state === "unprovisioned" && record.forgotten) await device.persist(() => store.eraseCredentials());
	if (host.configuration.keyPair === "csr" && device.keyPair === undefined) {
		if (host.createKeyPair === undefined) throw new Failure("KEY_PAIR_UNSUPPORTED");
		// Before connecting, because making an RSA key takes longer than the broker waits.
		device.keyPair = await host.createKeyPair(host.device.serialNumber);
	}
	const exchange = await device.openExchange();
	const { certificateId, credentials, ownershipToken } = await exchange.createCertificate(device.keyPair);
	checkId(device, certificateId, credentials.certificate);
	const deadline = device.now() + TOKEN_LIFE;
	const [slot, bytes] = await device.persist(() => store.saveCredentials(record, certificateId, credentials));
	device.keyPair = undefined;
	const { setAsides } = record;
	await device.keep({ state: "created", setAsides, certificateId, slot, ownershipToken, deadline }, bytes);
	return "continue";
}

/**
 * Compares the id with the certificate's SHA-256. The two have always been equal, but AWS does not promise it, so a difference
 * is reported and the certificate is used all the same.
 */
function checkId({ host }: Device, certificateId: string, certificate: Uint8Array): void {
	const digest = host.sha256?.(certificate);
	if (digest === undefined) return;
	const id = Uint8Array.from(digest, (_, i) => Number.parseInt(certificateId.slice(2 * i, 2 * i + 2), 16));
	if (!equalBytes(digest, id)) host.report({ event: "certificate.id-mismatch", certificateId });
}
