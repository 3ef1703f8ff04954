// Private keys of either kind, RSA and EC, in the forms that they come in: one inside PKCS#8, which the device program keeps.

import { Malformed } from "../base/malformed.js";
import type { Ecdsa } from "../contract/host.js";
import {
	DerReader,
	encodeDer,
	equalBytes,
	INTEGER,
	OBJECT_IDENTIFIER,
	OCTET_STRING,
	openDer,
	SEQUENCE,
} from "./der.js";
import { EC_PUBLIC_KEY, type EcKey, ecPublicKey, encodeEcKey, readEcKey } from "./ec.js";
import type { PemBlock } from "./pem.js";
import { RSA_ALGORITHM, RSA_ENCRYPTION, rsaPublicKey } from "./rsa.js";

/**
 * Checks a private key (PKCS#8, RFC 5208) and gives the SubjectPublicKeyInfo of its other half. A point is computed only where
 * the machine's arithmetic is given.
 * @throws Malformed
 */
export function publicKeyOf(pkcs8: Uint8Array, ecdsa?: Ecdsa): Uint8Array {
	const ec = ecKeyIn(pkcs8, ecdsa);
	return ec === undefined ? rsaPublicKey(openPkcs8(pkcs8).key) : ecPublicKey(ec);
}

/** The EC key in PKCS#8; `undefined` when it is an RSA key, which is not looked at. @throws Malformed */
export function ecKeyIn(pkcs8: Uint8Array, ecdsa?: Ecdsa): EcKey | undefined {
	const { kind, parameters, key } = openPkcs8(pkcs8);
	if (equalBytes(kind, RSA_ENCRYPTION)) return undefined;
	if (!equalBytes(kind, EC_PUBLIC_KEY)) throw new Malformed("private key is neither RSA nor EC");
	return readEcKey(key, parameters.read(OBJECT_IDENTIFIER), ecdsa);
}

/** What is in PKCS#8; views, not copies. @throws Malformed */
function openPkcs8(pkcs8: Uint8Array): { kind: Uint8Array; parameters: DerReader; key: Uint8Array } {
	const info = openDer(pkcs8, SEQUENCE);
	info.read(INTEGER);
	const parameters = new DerReader(info.read(SEQUENCE));
	return { kind: parameters.read(OBJECT_IDENTIFIER), parameters, key: info.read(OCTET_STRING) };
}

/** A private key in PEM, PKCS#1 as AWS sends it, SEC 1 or PKCS#8, as PKCS#8 DER. @throws Malformed */
export function privateKeyFromPem({ label, der }: PemBlock, ecdsa?: Ecdsa): Uint8Array {
	if (label === "RSA PRIVATE KEY") return wrapPkcs1(der);
	if (label === "EC PRIVATE KEY") return encodeEcKey(readEcKey(der, undefined, ecdsa));
	if (label === "PRIVATE KEY") return der;
	throw new Malformed("PEM is not of a private key");
}

/** Wraps a PKCS#1 private key in PKCS#8, which TLS needs. */
export const wrapPkcs1 = (pkcs1: Uint8Array): Uint8Array =>
	encodeDer(SEQUENCE, Uint8Array.of(INTEGER, 1, 0), RSA_ALGORITHM, encodeDer(OCTET_STRING, pkcs1));
