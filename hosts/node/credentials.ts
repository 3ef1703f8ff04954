// Converts PEM, which people and AWS's API use, to the DER that the device program works with.

import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Credentials } from "../../src/contract/host.js";

/**
 * DER of the first certificate in PEM text.
 * @throws Error of OpenSSL when there is none
 */
export function certificateFromPem(pem: string): Uint8Array {
	return new Uint8Array(new X509Certificate(pem).raw);
}

/**
 * A certificate and its private key (PKCS#8, PKCS#1 or SEC1) in the form of the device program: DER, the key as PKCS#8.
 * @throws Error when either is not PEM, or when they do not belong together. The error holds nothing of the key.
 */
export function credentialsFromPem(certificatePem: string, privateKeyPem: string): Credentials {
	const certificate = new X509Certificate(certificatePem);
	const key = createPrivateKey(privateKeyPem);
	if (!certificate.checkPrivateKey(key)) throw new Error("the private key does not belong to the certificate");
	return {
		certificate: new Uint8Array(certificate.raw),
		key: new Uint8Array(key.export({ type: "pkcs8", format: "der" })),
	};
}
