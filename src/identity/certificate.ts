// Finds the public key in an X.509 certificate. Checks only the structure, not who issued the certificate: the service may
// use any authority.

import { BIT_STRING, checkDer, DerReader, INTEGER, openDer, SEQUENCE } from "./der.js";

/**
 * Checks the structure of an X.509 certificate (RFC 5280, section 4.1) and returns its SubjectPublicKeyInfo; a view, not a copy.
 * The signature is not checked.
 * @throws Malformed
 */
export function publicKeyIn(certificate: Uint8Array): Uint8Array {
	checkDer(certificate);
	const parts = openDer(certificate, SEQUENCE);
	const toBeSigned = new DerReader(parts.read(SEQUENCE));
	parts.read(SEQUENCE); // signatureAlgorithm
	parts.read(BIT_STRING); // signature
	parts.end();

	if (toBeSigned.nextTag === 0xa0) toBeSigned.read(0xa0); // version
	toBeSigned.read(INTEGER); // serialNumber
	toBeSigned.read(SEQUENCE); // signature
	toBeSigned.read(SEQUENCE); // issuer
	toBeSigned.read(SEQUENCE); // validity
	toBeSigned.read(SEQUENCE); // subject
	return toBeSigned.readElement(SEQUENCE);
}
