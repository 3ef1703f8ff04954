// Servers and authorities for the tests of the device's handshake checks, and the messages that servers send.

import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import {
	BasicConstraintsExtension,
	cryptoProvider,
	type Extension,
	SubjectAlternativeNameExtension,
	X509CertificateGenerator,
} from "@peculiar/x509";
import { encodeDer, INTEGER, SEQUENCE } from "../../src/identity/der.js";

cryptoProvider.set(webcrypto as unknown as Parameters<typeof cryptoProvider.set>[0]);
export const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
export const RSA = {
	name: "RSASSA-PKCS1-v1_5",
	hash: "SHA-256",
	modulusLength: 2048,
	publicExponent: Uint8Array.of(1, 0, 1),
};
export type Algorithm = typeof EC | typeof RSA;
export const DAY = 86_400_000;
export const SERVER = "endpoint.example.com";

export interface Name {
	readonly type: "dns" | "ip";
	readonly value: string;
}
export const names: readonly Name[] = [{ type: "dns", value: SERVER }];

export interface Party {
	readonly name: string;
	readonly keys: webcrypto.CryptoKeyPair;
	readonly algorithm: Algorithm;
	readonly certificate: Uint8Array;
}

export interface Wishes {
	readonly ca?: boolean;
	/** How many authorities may follow below it in the chain. */
	readonly pathLength?: number;
	readonly names?: readonly Name[];
	/** Besides basicConstraints and names. */
	readonly extensions?: readonly Extension[];
	/** Days from now. */
	readonly from?: number;
	readonly to?: number;
	/** The certificate names `issuer` as its issuer, but is not signed by it. */
	readonly forged?: boolean;
	/** The issuer's name in this certificate, if it is not the issuer's real name. */
	readonly issuerName?: string;
	readonly algorithm?: Algorithm;
	/** Certifies these existing keys instead of new ones. */
	readonly keys?: webcrypto.CryptoKeyPair;
}

export async function issue(name: string, issuer: Party | undefined, wishes: Wishes = {}): Promise<Party> {
	const { ca, pathLength, names, extensions = [], from = -1, to = 1, forged = false, algorithm = EC } = wishes;
	const keys =
		wishes.keys ??
		((await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair);
	const signer = forged || !issuer ? { keys, algorithm } : issuer;
	const certificate = await X509CertificateGenerator.create({
		subject: `CN=${name}`,
		issuer: `CN=${wishes.issuerName ?? issuer?.name ?? name}`,
		notBefore: new Date(Date.now() + from * DAY),
		notAfter: new Date(Date.now() + to * DAY),
		publicKey: keys.publicKey,
		signingKey: signer.keys.privateKey,
		signingAlgorithm: signer.algorithm,
		extensions: [
			...(ca === undefined ? [] : [new BasicConstraintsExtension(ca, pathLength)]),
			...(names ? [new SubjectAlternativeNameExtension([...names])] : []),
			...extensions,
		],
	} as Parameters<typeof X509CertificateGenerator.create>[0]);
	return { name, keys, algorithm, certificate: new Uint8Array(certificate.rawData) };
}

const sized = (bytes: Uint8Array) => Buffer.concat([Buffer.from([0, bytes.length >> 8, bytes.length & 0xff]), bytes]);
export const message = (type: number, body: Uint8Array) => Buffer.concat([Buffer.of(type), sized(body)]);
export const record = (type: number, ...messages: Uint8Array[]) => {
	const body = Buffer.concat(messages);
	return new Uint8Array(Buffer.concat([Buffer.of(type, 3, 3, body.length >> 8, body.length & 0xff), body]));
};
/** A Certificate message. */
export const chain = (...certificates: readonly Uint8Array[]) =>
	message(11, sized(Buffer.concat(certificates.map((certificate) => sized(certificate)))));

export const clientRandom = randomBytes(32);
export const serverRandom = randomBytes(32);
export const clientHello = record(22, message(1, Buffer.concat([Buffer.of(3, 3), clientRandom, Buffer.of(0)])));
export const hello = (suite: number, version = 0x0303, session = 32) => {
	const head = Buffer.of(version >> 8, version & 0xff);
	const tail = Buffer.of(suite >> 8, suite & 0xff, 0);
	return message(2, Buffer.concat([head, serverRandom, Buffer.of(session), randomBytes(session), tail]));
};
export const serverHello = hello(0xc02f);

const parameters = Buffer.concat([Buffer.of(3, 0, 23, 65), randomBytes(65)]);
/** A ServerKeyExchange message with this signature. */
export const keyExchange = (hash: number, algorithm: number, signature: Uint8Array) => {
	const head = Buffer.of(hash, algorithm, signature.length >> 8, signature.length & 0xff);
	return message(12, Buffer.concat([parameters, head, signature]));
};
/** The bytes that the signature of a ServerKeyExchange message covers. */
export const exchanged = Buffer.concat([clientRandom, serverRandom, parameters]);

/** An ECDSA signature; `r` and `s` are contents of DER INTEGERs. */
export const signature = (r: Uint8Array, s: Uint8Array) =>
	encodeDer(SEQUENCE, encodeDer(INTEGER, r), encodeDer(INTEGER, s));
export const one = Uint8Array.of(1);
/** Has a well-formed ECDSA signature. The SDK's TLS would have to verify it. */
export const signed = keyExchange(4, 3, signature(one, one));
export const helloDone = message(14, new Uint8Array());
export const change = record(20, Uint8Array.of(1));
export const finished = record(22, randomBytes(40));
