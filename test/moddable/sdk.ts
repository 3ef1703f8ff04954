/// <reference path="../../hosts/moddable/types/certificates.d.ts" />
// What handshake.ts uses of the SDK, stood in for by Node's OpenSSL and @peculiar/x509. Import it ahead of handshake.ts.

import "reflect-metadata";
import { type KeyObject, X509Certificate as NodeCertificate, verify } from "node:crypto";
import { register } from "node:module";
import { SubjectAlternativeNameExtension, X509Certificate } from "@peculiar/x509";
import { type DerReader, encodeDer, INTEGER, openDer, SEQUENCE } from "../../src/identity/der.js";

const modules = Object.fromEntries(
	["crypt", "ecdsa", "pkcs1_5", "x509"].map((name) => [name, new URL(`${name}.ts`, import.meta.url).href]),
);
const hooks = `
	const modules = ${JSON.stringify(modules)};
	export const resolve = (specifier, context, next) => next(modules[specifier] ?? specifier, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const whole = new WeakMap<Uint8Array, X509Certificate>();
const number = (base64url: string) => BigInt(`0x${Buffer.from(base64url, "base64url").toString("hex")}`);

/** What a key was used for, in order: the public keys' DER in hexadecimal. */
export const used: string[] = [];

function use(key: KeyObject): KeyObject {
	used.push(key.export({ type: "spki", format: "der" }).toString("hex"));
	return key;
}

/** `x509`. */
export const X509 = {
	decode(bytes: Uint8Array) {
		const certificate = new X509Certificate(bytes);
		const parts = openDer(bytes, SEQUENCE);
		const tbs = encodeDer(SEQUENCE, parts.read(SEQUENCE));
		whole.set(tbs, certificate);
		const pub = new NodeCertificate(bytes).publicKey;
		const ecdsa = (certificate.signatureAlgorithm as { name?: string }).name === "ECDSA";
		const { n, e } = pub.export({ format: "jwk" });
		return {
			tbs,
			algo: `1,2,840,${ecdsa ? "10045,4,3,2" : "113549,1,1,11"}`,
			sig: new Uint8Array(certificate.signature),
			spki:
				pub.asymmetricKeyType === "rsa"
					? { modulus: number(n!), exponent: number(e!), pub }
					: { curve: { n: ORDER, orderSize: 32 }, pub },
		};
	},
	decodeTBS(tbs: Uint8Array) {
		const { issuerName, subjectName, notBefore, notAfter } = whole.get(tbs)!;
		return {
			issuer: new Uint8Array(issuerName.toArrayBuffer()),
			subject: new Uint8Array(subjectName.toArrayBuffer()),
			validity: { from: notBefore.getTime(), to: notAfter.getTime() },
		};
	},
	decodeSAN(certificate: Uint8Array) {
		const names = new X509Certificate(certificate).getExtension(SubjectAlternativeNameExtension)?.names.items;
		return names?.map(({ type, value }) =>
			type === "ip" ? { tag: 7, value: Uint8Array.from(value.split("."), Number).buffer } : { tag: 2, value },
		);
	},
	decodeExtension(certificate: Uint8Array, identifier: readonly number[]) {
		return new X509Certificate(certificate).getExtension(identifier.join("."))?.value;
	},
};

interface Hashed {
	readonly algorithm: string;
	readonly bytes: Uint8Array;
}

/** `crypt`. Leaves the hashing to who verifies. */
export class Digest {
	readonly #algorithm: string;

	constructor(algorithm: string) {
		this.#algorithm = algorithm;
	}

	process(bytes: Uint8Array): Hashed {
		return { algorithm: this.#algorithm, bytes };
	}
}

/** `pkcs1_5`. */
export class PKCS1_5 {
	readonly #key: KeyObject;

	constructor({ pub }: { readonly pub: KeyObject }) {
		this.#key = use(pub);
	}

	verify({ algorithm, bytes }: Hashed, signature: Uint8Array): boolean {
		return verify(algorithm, bytes, this.#key, signature);
	}
}

/** `ecdsa`. Throws where the SDK's does not return. */
export class ECDSA {
	readonly #key: KeyObject;

	constructor(key: KeyObject) {
		this.#key = use(key);
	}

	verify({ algorithm, bytes }: Hashed, signature: Uint8Array): boolean {
		const [r, s] = readIntegers(signature);
		if (r! <= 0n || s! <= 0n || r! >= ORDER || s! >= ORDER) throw new Error("the device hangs");
		return verify(algorithm, bytes, this.#key, signature);
	}
}

function readIntegers(signature: Uint8Array): bigint[] {
	const integers: DerReader = openDer(signature, SEQUENCE);
	return [INTEGER, INTEGER].map((tag) => {
		const bytes = integers.read(tag);
		return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
	});
}
