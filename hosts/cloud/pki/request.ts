// Key pairs whose certificate is asked for with a signing request: as whoever keeps keys from AWS makes them.

import "reflect-metadata";
import { KeyObject, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A new key on P-256, which is secret, and a signing request (PKCS#10) for it; both PEM, the key as SEC 1. */
export async function newRequest(
	commonName: string,
): Promise<{ readonly privateKeyPem: string; readonly certificateSigningRequest: string }> {
	const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	const request = await x509.Pkcs10CertificateRequestGenerator.create({
		name: [{ CN: [commonName] }],
		keys,
		signingAlgorithm: ALGORITHM,
	});
	return {
		privateKeyPem: KeyObject.from(keys.privateKey).export({ type: "sec1", format: "pem" }) as string,
		certificateSigningRequest: `${request.toString("pem")}\n`,
	};
}
