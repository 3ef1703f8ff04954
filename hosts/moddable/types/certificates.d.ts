// The SDK's modules for certificates as far as handshake.ts uses them. Apart from the others: its test, on Node, takes these.

declare module "x509" {
	import type { Curve } from "ecdsa";

	/** Of RSA (modulus and exponent), on a curve (curve and pub), or of neither, which has nothing. */
	export interface SubjectPublicKey {
		readonly modulus?: bigint;
		readonly exponent?: bigint;
		readonly curve?: Curve;
		/** A point; opaque: for ECDSA. */
		readonly pub?: object;
	}
	export interface Certificate {
		/** What the signature is over. */
		readonly tbs: Uint8Array;
		/** The signature's algorithm, as an object identifier; as text with commas. */
		readonly algo: Uint32Array;
		readonly sig: Uint8Array;
		readonly spki: SubjectPublicKey;
	}
	export interface AlternativeName {
		/** As in RFC 5280: 2 dNSName, 7 iPAddress. */
		readonly tag: number;
		/** Text for dNSName. */
		readonly value: string | ArrayBuffer;
	}
	/** Parts of a certificate (DER). Throws on what is none. */
	const X509: {
		decode(certificate: Uint8Array): Certificate;
		/** Names as DER; times in ms since 1970. */
		decodeTBS(tbs: Uint8Array): {
			readonly issuer: Uint8Array;
			readonly subject: Uint8Array;
			readonly validity: { readonly from: number; readonly to: number };
		};
		/** subjectAltName; undefined when there is none. */
		decodeSAN(certificate: Uint8Array): readonly AlternativeName[] | undefined;
		/** The extension's value (DER), undefined when the certificate has no such extension. */
		decodeExtension(certificate: Uint8Array, identifier: readonly number[]): ArrayBuffer | undefined;
	};
	export default X509;
}

declare module "crypt" {
	export class Digest {
		/** SHA256, SHA384 or SHA512. */
		constructor(algorithm: string);
		write(bytes: ArrayBuffer | Uint8Array): void;
		close(): ArrayBuffer;
		/** `write` and `close` in one. */
		process(bytes: Uint8Array): ArrayBuffer;
	}
}

declare module "pkcs1_5" {
	import type { SubjectPublicKey } from "x509";

	export default class PKCS1_5 {
		/** @param oid empty: the hash is wrapped up with its identifier, which is not compared */
		constructor(key: SubjectPublicKey, isPrivate: boolean, oid: readonly number[]);
		verify(hash: ArrayBuffer, signature: Uint8Array): boolean;
	}
}

declare module "ecdsa" {
	/** A curve's order. */
	export interface Curve {
		readonly n: bigint;
		/** Bytes. */
		readonly orderSize: number;
	}
	export default class ECDSA {
		constructor(key: object, curve: Curve);
		/** Never returns when s is 0. @param isDer r and s are in a SEQUENCE, not side by side */
		verify(hash: ArrayBuffer, signature: Uint8Array, isDer: boolean): boolean;
	}
}
