// The SDK's modules for signatures as far as signature.ts uses them; its own declarations leave them out. Apart from the
// others: its test, on Node, takes these.

declare module "rsa" {
	/** The public half of a key. */
	export default class RSA {
		constructor(exponent: bigint, modulus: bigint);
		/** `value` to the power of the exponent. */
		process(value: bigint): bigint;
	}
}

declare module "curve" {
	export default class Curve {
		/** @param name secp256r1 or secp384r1 */
		constructor(name: string);
		/** The order. */
		readonly n: bigint;
		/** Bytes of the order. */
		readonly orderSize: number;
	}
}

declare module "ecp" {
	export default class ECPoint {
		private constructor();
		/** @param point uncompressed: 4, x, y */
		static fromOctetString(point: Uint8Array): ECPoint;
	}
}

declare module "ecdsa" {
	import type Curve from "curve";
	import type ECPoint from "ecp";

	export default class ECDSA {
		constructor(key: ECPoint, curve: Curve);
		/** Never returns when s is 0. @param isDer r and s are in a SEQUENCE, not side by side */
		verify(hash: ArrayBuffer, signature: Uint8Array, isDer: boolean): boolean;
	}
}

interface BigIntConstructor {
	/** Big-endian, without a sign. */
	fromArrayBuffer(bytes: ArrayBuffer): bigint;
}
