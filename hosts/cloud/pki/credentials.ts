// A certificate of the account together with its key, as somebody gets them who prepares a claim or a device.

import type { Certificates } from "../registry/certificates.js";

/** The kind of a key: RSA-2048, which the service makes; or EC on P-256, certified by a signing request. */
export type CredentialKey = "rsa" | "ec";

/** Makes a certificate, INACTIVE unless `setAsActive`, with a key of this kind. The key is secret. */
export async function newCredentials(certificates: Certificates, key: CredentialKey, setAsActive = false) {
	if (key === "rsa") {
		const { keyPair, ...made } = await certificates.createKeysAndCertificate({ setAsActive });
		return { ...made, privateKeyPem: keyPair.PrivateKey };
	}
	const { newRequest } = await import("./request.js");
	const { privateKeyPem, certificateSigningRequest } = await newRequest("claim");
	return {
		...(await certificates.createCertificateFromCsr({ certificateSigningRequest, setAsActive })),
		privateKeyPem,
	};
}
