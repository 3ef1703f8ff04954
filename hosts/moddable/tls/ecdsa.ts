// ECDSA (FIPS 186-5, 6.4) with the SDK's arithmetic but not with its random numbers: those favour some nonces, and enough
// signatures made with such nonces reveal the key. Must return no signature that it has not verified, and must put nothing
// of a key into an exception.

/// <reference path="../types/certificates.d.ts" />

import { Digest } from "crypt";
import Curve from "curve";
import ECDSA from "ecdsa";
import ECPoint from "ecp";
import HMAC from "hmac";
import Mont from "mont";
import { Malformed } from "../../../src/base/malformed.js";
import type { CurveName, Ecdsa } from "../../../src/contract/host.js";
import { encodeDer, INTEGER, SEQUENCE } from "../../../src/identity/der.js";
import type { EcKey } from "../../../src/identity/ec.js";
import { sha256 } from "./sha256.js";

/** The SDK's names of the curves. */
const NAMES = Object.freeze({ "P-256": "secp256r1", "P-384": "secp384r1" } as const satisfies Record<
	CurveName,
	string
>);

/** EC key operations on the device, as the Host offers them. */
export const ecdsa: Ecdsa = Object.freeze({
	publicKey(name: CurveName, scalar: Uint8Array): Uint8Array {
		const curve = new Curve(NAMES[name]);
		const { X, Y } = times(curve, toBigInt(scalar));
		const size = curve.orderSize;
		const point = new Uint8Array(1 + 2 * size);
		point[0] = 4;
		point.set(toBytes(X, size), 1);
		point.set(toBytes(Y, size), 1 + size);
		return point;
	},
	sign(name: CurveName, scalar: Uint8Array, message: Uint8Array): Uint8Array {
		return sign({ curve: name, scalar, point: this.publicKey(name, scalar) }, sha256(message));
	},
});

/**
 * Signs a SHA-256 digest, with the nonce that RFC 6979 derives from the key and the digest. Returns r and s in DER.
 * @throws Malformed when the private and public key do not belong together, or a computation went wrong
 */
export function sign({ curve: name, scalar, point }: EcKey, digest: Uint8Array): Uint8Array {
	const curve = new Curve(NAMES[name]);
	const { n } = curve;
	const d = toBigInt(scalar);
	const e = toBigInt(digest);
	const nonces = new Nonces(scalar, digest, curve);
	for (;;) {
		const k = nonces.next();
		const r = times(curve, k).X % n;
		// k to the power of n - 2 is 1 / k (Fermat), and computing it takes a time that reveals nothing about k.
		const s = (new Mont({ m: n }).exp(k, n - 2n) * (e + d * r)) % n;
		if (r === 0n || s === 0n) continue;
		const signature = encodeDer(SEQUENCE, integer(r, curve), integer(s, curve));
		// A wrong signature, for example after a fault in the computation, could reveal the key.
		const verifier = new ECDSA(ECPoint.fromOctetString(point), curve);
		if (!verifier.verify(digest.slice().buffer, signature, true)) throw new Malformed("the signature does not verify");
		return signature;
	}
}

/**
 * The generator times k (0 < k < n). A multiple of n is added to k, so that every k has the same number of bits and takes
 * the same number of steps, and the number of steps reveals nothing.
 */
function times({ ec, G, n }: Curve, k: bigint): { readonly X: bigint; readonly Y: bigint } {
	const once = k + n;
	return ec.mul(G, once >> BigInt(BigInt.bitLength(n)) ? once : once + n);
}

/** The nonces of RFC 6979, 3.2, with SHA-256. The digest must not be longer than the curve's order. */
export class Nonces {
	readonly #curve: Curve;
	#key = new Uint8Array(32);
	#value = new Uint8Array(32).fill(1);

	constructor(scalar: Uint8Array, digest: Uint8Array, curve: Curve) {
		this.#curve = curve;
		const reduced = toBytes(toBigInt(digest) % curve.n, curve.orderSize);
		this.#stir(0, scalar, reduced);
		this.#stir(1, scalar, reduced);
	}

	/** The next nonce. The first candidate is almost always in range. */
	next(): bigint {
		const { n, orderSize } = this.#curve;
		for (;;) {
			const bytes = new Uint8Array(orderSize + 31);
			let filled = 0;
			for (; filled < orderSize; filled += 32) {
				this.#value = hmac(this.#key, this.#value);
				bytes.set(this.#value.subarray(0, bytes.length - filled), filled);
			}
			const k = toBigInt(bytes.subarray(0, orderSize));
			this.#stir(0);
			if (k > 0n && k < n) return k;
		}
	}

	#stir(step: number, ...seed: readonly Uint8Array[]): void {
		this.#key = hmac(this.#key, this.#value, Uint8Array.of(step), ...seed);
		this.#value = hmac(this.#key, this.#value);
	}
}

const hmac = (key: Uint8Array, ...message: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
	new Uint8Array(new HMAC(new Digest("SHA256"), key).process(...message));

const integer = (value: bigint, { orderSize }: Curve): Uint8Array => {
	// One more byte than the value can need, so that there is room for the leading zero that keeps it positive.
	const bytes = toBytes(value, orderSize + 1);
	const start = bytes.findIndex((byte, at) => byte !== 0 || bytes[at + 1]! >= 0x80);
	return encodeDer(INTEGER, bytes.subarray(start));
};

/** Big-endian, unsigned, `size` bytes long. */
function toBytes(value: bigint, size: number): Uint8Array {
	const bytes = new Uint8Array(size);
	const short = new Uint8Array(ArrayBuffer.fromBigInt(value));
	// `short` may have leading zeros.
	const from = Math.max(0, short.length - size);
	bytes.set(short.subarray(from), size - short.length + from);
	return bytes;
}

const toBigInt = (bytes: Uint8Array): bigint => BigInt.fromArrayBuffer(bytes.slice().buffer);
