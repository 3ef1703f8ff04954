// Elliptic curve keys (SEC 1, RFC 5480, RFC 5915): reads, checks, encodes and creates them. The curve arithmetic is the
// machine's. Without it, a key's public point is used as it is stored, without a check that it belongs to the key.

import { fromHex } from "../base/hex.js";
import { Malformed } from "../base/malformed.js";
import type { CurveName, Ecdsa } from "../contract/host.js";
import {
	DerReader,
	encodeBits,
	encodeDer,
	equalBytes,
	INTEGER,
	OBJECT_IDENTIFIER,
	OCTET_STRING,
	openDer,
	SEQUENCE,
} from "./der.js";

/** 1.2.840.10045.2.1, id-ecPublicKey. */
export const EC_PUBLIC_KEY = fromHex("2a8648ce3d0201");

/**
 * The supported curves: the contents of the OBJECT IDENTIFIER, and the order. A private scalar is at least 1 and below the
 * order.
 */
const CURVES: Readonly<Record<CurveName, { readonly identifier: Uint8Array; readonly order: Uint8Array }>> =
	Object.freeze({
		"P-256": Object.freeze({
			identifier: fromHex("2a8648ce3d030107"),
			order: fromHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
		}),
		"P-384": Object.freeze({
			identifier: fromHex("2b81040022"),
			order: fromHex(
				"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
			),
		}),
	});

/** A key pair, which is secret. */
export interface EcKey {
	readonly curve: CurveName;
	/** The private key: big-endian, as long as the curve's order. */
	readonly scalar: Uint8Array;
	/** The public key, uncompressed (SEC 1, 2.3.3): 4, x, y. */
	readonly point: Uint8Array;
}

const VERSION_1 = Uint8Array.of(INTEGER, 1, 1);
const PARAMETERS = 0xa0;
const PUBLIC_KEY = 0xa1;

/**
 * Reads an ECPrivateKey (RFC 5915). With `ecdsa`, the public point is computed, and must match the one in the key if there
 * is one. Without it, the key must contain the point.
 * @param identifier the curve's, from an AlgorithmIdentifier around the key; if undefined, the key itself must name the
 * curve
 * @throws Malformed
 */
export function readEcKey(sec1: Uint8Array, identifier: Uint8Array | undefined, ecdsa: Ecdsa | undefined): EcKey {
	const key = openDer(sec1, SEQUENCE);
	if (!equalBytes(key.readElement(INTEGER), VERSION_1)) throw new Malformed("private key is of an unknown version");
	const scalar = key.read(OCTET_STRING);
	const own = key.nextTag === PARAMETERS ? new DerReader(key.read(PARAMETERS)).read(OBJECT_IDENTIFIER) : undefined;
	const point = key.nextTag === PUBLIC_KEY ? new DerReader(key.read(PUBLIC_KEY)).readBits() : undefined;
	key.end();
	const curve = curveOf(identifier ?? own);
	if (own !== undefined && curveOf(own) !== curve) throw new Malformed("private key is of two curves");
	return keyPair(curve, scalar, point, ecdsa);
}

/** The key pair of a scalar. @throws Malformed when `scalar` is out of range, or `point` does not belong to it */
export function keyPair(
	curve: CurveName,
	scalar: Uint8Array,
	point: Uint8Array | undefined,
	ecdsa: Ecdsa | undefined,
): EcKey {
	if (!isScalar(curve, scalar)) throw new Malformed("private key is out of range");
	const made = ecdsa?.publicKey(curve, scalar) ?? point;
	if (made === undefined || made.length !== 1 + 2 * scalar.length || made[0] !== 4)
		throw new Malformed("private key has no public point");
	if (point !== undefined && !equalBytes(point, made)) throw new Malformed("private key contradicts itself");
	return { curve, scalar, point: made };
}

/** A new private key. @param random see Host */
export function newScalar(curve: CurveName, random: (count: number) => Uint8Array): Uint8Array {
	const { length } = CURVES[curve].order;
	for (;;) {
		// Candidates out of range are discarded rather than reduced, so that all keys are equally likely (FIPS 186-5, A.2.2).
		const scalar = random(length);
		if (isScalar(curve, scalar)) return scalar;
	}
}

/** Encodes the key as PKCS#8 (RFC 5958) with the public point, the way OpenSSL does. */
export function encodeEcKey({ curve, scalar, point }: EcKey): Uint8Array {
	const key = encodeDer(SEQUENCE, VERSION_1, encodeDer(OCTET_STRING, scalar), encodeDer(PUBLIC_KEY, encodeBits(point)));
	return encodeDer(SEQUENCE, Uint8Array.of(INTEGER, 1, 0), algorithm(curve), encodeDer(OCTET_STRING, key));
}

/** The key's SubjectPublicKeyInfo, as in a certificate. */
export const ecPublicKey = ({ curve, point }: EcKey): Uint8Array =>
	encodeDer(SEQUENCE, algorithm(curve), encodeBits(point));

const algorithm = (curve: CurveName): Uint8Array =>
	encodeDer(
		SEQUENCE,
		encodeDer(OBJECT_IDENTIFIER, EC_PUBLIC_KEY),
		encodeDer(OBJECT_IDENTIFIER, CURVES[curve].identifier),
	);

function curveOf(wanted: Uint8Array | undefined): CurveName {
	for (const [name, { identifier }] of Object.entries(CURVES))
		if (wanted !== undefined && equalBytes(identifier, wanted)) return name as CurveName;
	throw new Malformed("private key is on a curve other than P-256 and P-384");
}

/** Whether these bytes are a valid private key: at least 1 and below the order. */
export function isScalar(curve: CurveName, scalar: Uint8Array): boolean {
	const { order } = CURVES[curve];
	if (scalar.length !== order.length || scalar.every((byte) => byte === 0)) return false;
	const at = scalar.findIndex((byte, index) => byte !== order[index]);
	return at >= 0 && scalar[at]! < order[at]!;
}
