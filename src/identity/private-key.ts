// RSA and EC private keys: converts the PEM forms of both to PKCS#8, the form that the device program stores.

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
 * Checks a private key (PKCS#8, RFC 5208) and returns the SubjectPublicKeyInfo of its public key. An EC key's public point
 * is computed only if `ecdsa` is given, and otherwise taken from the key.
 * @throws Malformed
 */
export function publicKeyOf(pkcs8: Uint8Array, ecdsa?: Ecdsa): Uint8Array {
	const ec = ecKeyIn(pkcs8, ecdsa);
	return ec === undefined ? rsaPublicKey(openPkcs8(pkcs8).key) : ecPublicKey(ec);
}

/** The EC key in PKCS#8; `undefined` for an RSA key, which is not checked. @throws Malformed */
export function ecKeyIn(pkcs8: Uint8Array, ecdsa?: Ecdsa): EcKey | undefined {
	const { kind, parameters, key } = openPkcs8(pkcs8);
	if (equalBytes(kind, RSA_ENCRYPTION)) return undefined;
	if (!equalBytes(kind, EC_PUBLIC_KEY)) throw new Malformed("private key is neither RSA nor EC");
	return readEcKey(key, parameters.read(OBJECT_IDENTIFIER), ecdsa);
}

/** The fields of PKCS#8, as views. @throws Malformed */
function openPkcs8(pkcs8: Uint8Array): { kind: Uint8Array; parameters: DerReader; key: Uint8Array } {
	const info = openDer(pkcs8, SEQUENCE);
	info.read(INTEGER);
	const parameters = new DerReader(info.read(SEQUENCE));
	return { kind: parameters.read(OBJECT_IDENTIFIER), parameters, key: info.read(OCTET_STRING) };
}

/** Converts a private key to PKCS#8 DER. It may be PKCS#1, as AWS sends it, SEC 1 or PKCS#8. @throws Malformed */
export function privateKeyFromPem({ label, der }: PemBlock, ecdsa?: Ecdsa): Uint8Array {
	if (label === "RSA PRIVATE KEY") return wrapPkcs1(der);
	if (label === "EC PRIVATE KEY") return encodeEcKey(readEcKey(der, undefined, ecdsa));
	if (label === "PRIVATE KEY") return der;
	throw new Malformed("PEM is not of a private key");
}

/** Wraps a PKCS#1 private key in PKCS#8, the format that TLS requires. */
export const wrapPkcs1 = (pkcs1: Uint8Array): Uint8Array =>
	encodeDer(SEQUENCE, Uint8Array.of(INTEGER, 1, 0), RSA_ALGORITHM, encodeDer(OCTET_STRING, pkcs1));
