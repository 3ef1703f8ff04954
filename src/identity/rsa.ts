// RSA keys (RFC 8017, appendix A.1) and their certificates: checks that a key is intact and belongs to a certificate.

import { Malformed } from "../base/malformed.js";
import {
	BIT_STRING,
	checkDer,
	DerReader,
	encodeDer,
	equalBytes,
	INTEGER,
	OBJECT_IDENTIFIER,
	OCTET_STRING,
	openDer,
	SEQUENCE,
} from "./der.js";

/** The public half: modulus and exponent as DER INTEGER contents. */
export interface PublicKey {
	readonly modulus: Uint8Array;
	readonly exponent: Uint8Array;
}

/** 1.2.840.113549.1.1.1, rsaEncryption. */
const RSA_ENCRYPTION = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01);
const VERSION_0 = Uint8Array.of(INTEGER, 1, 0);
const NULL = Uint8Array.of(0x05, 0x00);

/**
 * Checks the structure of an X.509 certificate (RFC 5280, section 4.1) and returns its RSA public key; `undefined` when it has
 * another kind of key. The signature is not checked, because the service may use any authority.
 * @throws Malformed
 */
export function readCertificate(der: Uint8Array): PublicKey | undefined {
	checkDer(der);
	const certificate = openDer(der, SEQUENCE);
	const toBeSigned = new DerReader(certificate.read(SEQUENCE));
	certificate.read(SEQUENCE); // signatureAlgorithm
	certificate.read(BIT_STRING); // signature
	certificate.end();

	if (toBeSigned.nextTag === 0xa0) toBeSigned.read(0xa0); // version
	toBeSigned.read(INTEGER); // serialNumber
	toBeSigned.read(SEQUENCE); // signature
	toBeSigned.read(SEQUENCE); // issuer
	toBeSigned.read(SEQUENCE); // validity
	toBeSigned.read(SEQUENCE); // subject
	const keyInfo = new DerReader(toBeSigned.read(SEQUENCE));
	const algorithm = new DerReader(keyInfo.read(SEQUENCE)).read(OBJECT_IDENTIFIER);
	const bits = keyInfo.read(BIT_STRING);
	keyInfo.end();
	if (!equalBytes(algorithm, RSA_ENCRYPTION)) return undefined;
	if (bits[0] !== 0) throw new Malformed("public key is not whole bytes");
	const key = openDer(bits.subarray(1), SEQUENCE);
	const publicKey = { modulus: key.read(INTEGER), exponent: key.read(INTEGER) };
	key.end();
	return publicKey;
}

/** Wraps a PKCS#1 private key in PKCS#8 (RFC 5208), which TLS needs. */
export const wrapPkcs1 = (pkcs1: Uint8Array): Uint8Array =>
	encodeDer(
		SEQUENCE,
		VERSION_0,
		encodeDer(SEQUENCE, encodeDer(OBJECT_IDENTIFIER, RSA_ENCRYPTION), NULL),
		encodeDer(OCTET_STRING, pkcs1),
	);

/** The PKCS#1 private key inside a PKCS#8 one; a view, not a copy. @throws Malformed, also for a key that is not RSA */
export function unwrapPkcs8(pkcs8: Uint8Array): Uint8Array {
	const info = openDer(pkcs8, SEQUENCE);
	info.read(INTEGER);
	const algorithm = new DerReader(info.read(SEQUENCE)).read(OBJECT_IDENTIFIER);
	if (!equalBytes(algorithm, RSA_ENCRYPTION)) throw new Malformed("private key is not RSA");
	return info.read(OCTET_STRING);
}

/**
 * Checks a PKCS#1 private key number by number (RFC 8017, section 3.2: n = p·q, e·dP ≡ 1 mod p−1 and so on), so that
 * a single flipped bit anywhere in it is found before the key is used. Returns its public half.
 * @throws Malformed
 */
export function readPrivateKey(pkcs1: Uint8Array): PublicKey {
	const key = openDer(pkcs1, SEQUENCE);
	const version = key.read(INTEGER);
	if (version.length !== 1 || version[0] !== 0) throw new Malformed("private key is of an unknown version");
	const modulus = key.read(INTEGER);
	const exponent = key.read(INTEGER);
	const d = toBigInt(key.read(INTEGER));
	const p = toBigInt(key.read(INTEGER));
	const q = toBigInt(key.read(INTEGER));
	const dp = toBigInt(key.read(INTEGER));
	const dq = toBigInt(key.read(INTEGER));
	const qInverse = toBigInt(key.read(INTEGER));
	key.end();
	const e = toBigInt(exponent);
	const whole =
		p > 2n &&
		q > 2n &&
		p * q === toBigInt(modulus) &&
		d % (p - 1n) === dp &&
		d % (q - 1n) === dq &&
		(e * dp) % (p - 1n) === 1n &&
		(e * dq) % (q - 1n) === 1n &&
		(qInverse * q) % p === 1n;
	if (!whole) throw new Malformed("private key contradicts itself");
	return { modulus, exponent };
}

export const samePublicKey = (a: PublicKey, b: PublicKey): boolean =>
	equalBytes(a.modulus, b.modulus) && equalBytes(a.exponent, b.exponent);

/** The number in a DER INTEGER's contents. @throws Malformed when it is negative or too long */
function toBigInt(bytes: Uint8Array): bigint {
	const { length } = bytes;
	if (length === 0 || length > 513 || bytes[0]! > 0x7f) throw new Malformed("number is out of range");
	const view = new DataView(bytes.buffer, bytes.byteOffset, length);
	let value = 0n;
	let at = 0;
	for (; at < length % 8; at++) value = (value << 8n) | BigInt(bytes[at]!);
	for (; at < length; at += 8) value = (value << 64n) | view.getBigUint64(at);
	return value;
}
