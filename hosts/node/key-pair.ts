// Makes the key pair and the signing request for CreateCertificateFromCsr, as a machine with a crypto engine would.

import { webcrypto } from "node:crypto";
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import type { KeyPair } from "../../src/contract/host.js";

/** RSA-2048, because the device's TLS can sign with nothing else. */
const ALGORITHM = {
	name: "RSASSA-PKCS1-v1_5",
	hash: "SHA-256",
	publicExponent: new Uint8Array([1, 0, 1]),
	modulusLength: 2048,
};

/** Makes an RSA-2048 key pair and a PKCS#10 request with this common name: a device's `createKeyPair`. */
export async function createKeyPair(commonName: string): Promise<KeyPair> {
	const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	const request = await Pkcs10CertificateRequestGenerator.create({
		name: [{ CN: [commonName] }],
		keys,
		signingAlgorithm: ALGORITHM,
	});
	return {
		key: new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)),
		certificateSigningRequest: request.toString("pem"),
	};
}
