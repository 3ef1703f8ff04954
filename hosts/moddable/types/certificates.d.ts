// The SDK's modules for certificates as far as handshake.ts uses them. Apart from the others: its test, on Node, takes these.

declare module "x509" {
	/** Opaque: for `_verify`. */
	export interface SubjectPublicKey {
		readonly algo: Uint32Array;
	}
	export interface Certificate {
		/** What the signature is over. */
		readonly tbs: Uint8Array;
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

declare module "ssl/cert" {
	import type { Certificate, SubjectPublicKey } from "x509";

	export default class CertificateManager {
		constructor(options: object);
		/** Whether the certificate's signature was made with that key's other half: RSA (PKCS#1 1.5) or ECDSA. */
		_verify(key: SubjectPublicKey, certificate: Certificate): boolean;
	}
}
