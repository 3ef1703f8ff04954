// Verifies signatures (RSASSA-PKCS1-v1_5 and ECDSA) with the SDK's arithmetic (rsa, ecdsa, ecp). The SDK's own verification
// is too lax (pkcs1_5 compares only the hash) or wrong (ecdsa uses a long hash untruncated). Must check the range of every
// number before computing with it, because with some numbers from the network the arithmetic never returns.

/// <reference path="../types/certificates.d.ts" />

import { Digest } from "crypt";
import Curve from "curve";
import ECDSA from "ecdsa";
import ECPoint from "ecp";
import RSA from "rsa";
import { INTEGER, openDer, SEQUENCE } from "../../../src/identity/der.js";
import type { PublicKey } from "./certificate.js";

/** Bits of an RSA key's modulus. */
const RSA_BITS = Object.freeze({ least: 2048, most: 4096 });

/** How a signature was made. */
export interface SignatureAlgorithm {
	readonly kind: "rsa" | "ecdsa";
	/** The hash's name in the SDK. */
	readonly hash: "SHA256" | "SHA384" | "SHA512";
}

const HASHES = Object.freeze(["SHA256", "SHA384", "SHA512"] as const);

/** AlgorithmIdentifiers without the byte that identifies the hash (RFC 8017, A.2.4; RFC 5758, 3.2). */
const RSA_ALGORITHM = Uint8Array.of(0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0, 5, 0);
const ECDSA_ALGORITHM = Uint8Array.of(0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 0);

/**
 * DigestInfo begins with these bytes and ends with the hash (RFC 8017, 9.2, note 1). Only the lengths and one byte depend on
 * the algorithm.
 */
const DIGEST_INFO = Uint8Array.of(0x30, 0, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 0, 5, 0, 4, 0);

/** @param identifier contents of an AlgorithmIdentifier. Returns `undefined` for an algorithm that is not supported. */
export function signatureAlgorithm(identifier: Uint8Array): SignatureAlgorithm | undefined {
	if (matches(identifier, RSA_ALGORITHM, 10)) return algorithm("rsa", identifier[10]! - 11);
	if (matches(identifier, ECDSA_ALGORITHM, 9)) return algorithm("ecdsa", identifier[9]! - 2);
	return undefined;
}

function algorithm(kind: SignatureAlgorithm["kind"], index: number): SignatureAlgorithm | undefined {
	const hash = HASHES[index];
	return hash && { kind, hash };
}

function matches(bytes: Uint8Array, pattern: Uint8Array, except: number): boolean {
	return bytes.length === pattern.length && pattern.every((byte, index) => index === except || byte === bytes[index]);
}

/**
 * Verifies a signature of `message`. The key must be a root's, or one that a trusted certificate vouches for.
 * @param message parts, one after another
 */
export function isSigned(
	message: readonly Uint8Array[],
	signature: Uint8Array,
	{ kind, hash }: SignatureAlgorithm,
	key: PublicKey,
): boolean {
	if (kind === "rsa") return isSignedWithRsa(message, signature, hash, key);
	if (!isForCurve(signature, key)) return false;
	const curve = new Curve(key.curve);
	// Of a longer hash, only the leftmost bits are used, as many as the curve's order has (FIPS 186-5, 6.4.1).
	const digest = digestOf(message, hash).slice(0, curve.orderSize);
	return new ECDSA(ECPoint.fromOctetString(key.point), curve).verify(digest, signature, true);
}

/** `process` accepts views, but the SDK does not declare it. */
type Hash = { process(...bytes: readonly Uint8Array[]): ArrayBuffer };

const digestOf = (message: readonly Uint8Array[], hash: SignatureAlgorithm["hash"]): ArrayBuffer =>
	(new Digest(hash) as unknown as Hash).process(...message);

/** RFC 8017, 8.2.2: builds the expected encoded message and compares all of it. */
function isSignedWithRsa(
	message: readonly Uint8Array[],
	signature: Uint8Array,
	hash: SignatureAlgorithm["hash"],
	key: PublicKey,
): boolean {
	if (!key.modulus || !key.exponent) return false;
	const modulus = toBigInt(key.modulus);
	const exponent = toBigInt(key.exponent);
	const value = toBigInt(signature);
	const { length } = signature;
	const bits = length * 8;
	const fits =
		bits >= RSA_BITS.least &&
		bits <= RSA_BITS.most &&
		// The modulus is as long as the signature and odd; the exponent is in the range that authorities use.
		modulus >> BigInt(bits - 8) > 0n &&
		modulus >> BigInt(bits) === 0n &&
		(modulus & 1n) === 1n &&
		exponent >= 0x10001n &&
		exponent <= 0xffffffffn &&
		value < modulus;
	if (!fits) return false;
	const digest = new Uint8Array(digestOf(message, hash));
	const encoded = new Uint8Array(length).fill(0xff);
	const start = length - digest.length - DIGEST_INFO.length;
	encoded.set(DIGEST_INFO, start);
	encoded.set(digest, length - digest.length);
	encoded[0] = 0;
	encoded[1] = 1;
	encoded[start - 1] = 0;
	encoded[start + 1] = DIGEST_INFO.length - 2 + digest.length;
	encoded[start + 14] = HASHES.indexOf(hash) + 1;
	encoded[start + 18] = digest.length;
	return new RSA(exponent, modulus).process(value) === toBigInt(encoded);
}

/**
 * Whether r and s (RFC 3279, 2.2.3) are positive and below the order of the key's curve. With s = 0 the SDK's ECDSA never
 * returns.
 */
export function isForCurve(
	signature: Uint8Array,
	key: PublicKey,
): key is PublicKey & Required<Pick<PublicKey, "curve" | "point">> {
	if (!key.curve || !key.point) return false;
	try {
		const order = new Curve(key.curve).n;
		const integers = openDer(signature, SEQUENCE);
		for (let count = 0; count < 2; count++) {
			const bytes = integers.read(INTEGER);
			// DER: not negative, and without unnecessary leading zeros.
			const padded = bytes[0] === 0 && bytes.length > 1;
			if (!bytes.length || bytes[0]! >= 0x80 || (padded && bytes[1]! < 0x80)) return false;
			const value = bytes.length > 100 ? 0n : toBigInt(bytes);
			if (value === 0n || value >= order) return false;
		}
		integers.end();
		return true;
	} catch {
		return false;
	}
}

/** Big-endian, unsigned. */
function toBigInt(bytes: Uint8Array): bigint {
	return bytes.length ? BigInt.fromArrayBuffer(bytes.slice().buffer) : 0n;
}
