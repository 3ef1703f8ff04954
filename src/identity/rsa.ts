// RSA keys (RFC 8017, appendix A.1): checks that a private key is intact, and derives its public key.

import { fromHex } from "../base/hex.js";
import { Malformed } from "../base/malformed.js";
import { encodeBits, encodeDer, INTEGER, OBJECT_IDENTIFIER, openDer, SEQUENCE } from "./der.js";

/** 1.2.840.113549.1.1.1, rsaEncryption. */
export const RSA_ENCRYPTION = fromHex("2a864886f70d010101");

/** AlgorithmIdentifier of an RSA key (RFC 3279, 2.3.1). */
export const RSA_ALGORITHM = encodeDer(
	SEQUENCE,
	encodeDer(OBJECT_IDENTIFIER, RSA_ENCRYPTION),
	// NULL
	Uint8Array.of(0x05, 0x00),
);

/**
 * Checks how the numbers of a PKCS#1 private key relate to each other (RFC 8017, section 3.2: n = p·q, e·dP ≡ 1 mod p−1 and
 * so on), which detects a single flipped bit anywhere before the key is used. Returns the key's SubjectPublicKeyInfo, as in
 * a certificate.
 * @throws Malformed
 */
export function rsaPublicKey(pkcs1: Uint8Array): Uint8Array {
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
	const numbers = encodeDer(SEQUENCE, encodeDer(INTEGER, modulus), encodeDer(INTEGER, exponent));
	return encodeDer(SEQUENCE, RSA_ALGORITHM, encodeBits(numbers));
}

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
