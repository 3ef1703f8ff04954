// The SDK's modules for signatures, as far as signature.ts and ecdsa.ts use them; the SDK's own declarations lack them. In a
// file of their own because the tests, which run on Node, need only these.

declare module "rsa" {
	/** The public half of a key. */
	export default class RSA {
		constructor(exponent: bigint, modulus: bigint);
		/** `value` to the power of the exponent, modulo the modulus. */
		process(value: bigint): bigint;
	}
}

declare module "curve" {
	export default class Curve {
		/** @param name secp256r1 or secp384r1 */
		constructor(name: string);
		/** The order of the curve. */
		readonly n: bigint;
		/** The generator. */
		readonly G: import("ecp").default;
		readonly ec: { mul(point: import("ecp").default, factor: bigint): import("ecp").default };
		/** Length of the order in bytes. */
		readonly orderSize: number;
	}
}

declare module "ecp" {
	export default class ECPoint {
		private constructor();
		/** @param point uncompressed: 4, x, y */
		static fromOctetString(point: Uint8Array): ECPoint;
		readonly X: bigint;
		readonly Y: bigint;
	}
}

declare module "ecdsa" {
	import type Curve from "curve";
	import type ECPoint from "ecp";

	export default class ECDSA {
		constructor(key: ECPoint, curve: Curve);
		/** Never returns when s is 0. @param isDer whether r and s are in a DER SEQUENCE, rather than side by side */
		verify(hash: ArrayBuffer, signature: Uint8Array, isDer: boolean): boolean;
	}
}

declare module "mont" {
	/** Arithmetic modulo an odd number. */
	export default class Mont {
		constructor(options: { m: bigint });
		/** `base` to the power of `exponent`, modulo `m`. */
		exp(base: bigint, exponent: bigint): bigint;
	}
}

declare module "hmac" {
	import type { Digest } from "crypt";

	/** RFC 2104. */
	export default class HMAC {
		constructor(digest: Digest, key: Uint8Array);
		/** The HMAC of the concatenated arguments. */
		process(...message: readonly Uint8Array[]): ArrayBuffer;
	}
}

interface BigIntConstructor {
	/** Big-endian, unsigned. */
	fromArrayBuffer(bytes: ArrayBuffer): bigint;
	/** The number of bits of the absolute value. */
	bitLength(value: bigint): number;
}

interface ArrayBufferConstructor {
	/** Big-endian. */
	fromBigInt(value: bigint): ArrayBuffer;
}
