// Keys and certificates for tests, made by Node's OpenSSL and @peculiar/x509: nothing of the device program's own.

import "reflect-metadata";
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from "node:crypto";
import { cryptoProvider, Pkcs10CertificateRequest, PublicKey, X509CertificateGenerator } from "@peculiar/x509";
import type { Credentials } from "../../src/contract/host.js";

cryptoProvider.set(webcrypto as unknown as Parameters<typeof cryptoProvider.set>[1]);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
let authority: webcrypto.CryptoKeyPair | undefined;

/** A certificate and its RSA-2048 key, in the form in which AWS sends them. */
export interface Issued {
	readonly certificateId: string;
	readonly certificatePem: string;
	/** PKCS#1. */
	readonly privateKey: string;
	/** DER; the key PKCS#8. */
	readonly credentials: Credentials;
}

export const newKey = (): KeyObject => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

/** Issues a certificate, for a new key unless one is given. */
export async function issueCertificate(privateKey = newKey()): Promise<Issued> {
	const certificate = await certify(privateKey);
	const der = new Uint8Array(certificate.rawData);
	return {
		certificateId: createHash("sha256").update(der).digest("hex"),
		certificatePem: `${certificate.toString("pem")}\n`,
		privateKey: privateKey.export({ type: "pkcs1", format: "pem" }) as string,
		credentials: { certificate: der, key: new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })) },
	};
}

async function certify(key: KeyObject) {
	authority ??= (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	return X509CertificateGenerator.create({
		serialNumber: randomBytes(15).toString("hex"),
		subject: "CN=AWS IoT Certificate",
		issuer: "CN=Test Authority",
		notBefore: new Date(Date.UTC(2026, 0, 1)),
		notAfter: new Date(Date.UTC(2049, 11, 31, 23, 59, 59)),
		publicKey: new PublicKey(createPublicKey(key).export({ type: "spki", format: "der" })),
		signingKey: authority.privateKey as webcrypto.CryptoKey,
		signingAlgorithm: ALGORITHM,
	});
}

/** Issues a certificate for a signing request (PEM). */
export async function certifyRequest(
	certificateSigningRequest: string,
): Promise<{ certificateId: string; certificatePem: string }> {
	authority ??= (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	const request = new Pkcs10CertificateRequest(certificateSigningRequest);
	const certificate = await X509CertificateGenerator.create({
		subject: request.subject,
		issuer: "CN=Test Authority",
		notBefore: new Date(Date.UTC(2026, 0, 1)),
		notAfter: new Date(Date.UTC(2049, 11, 31, 23, 59, 59)),
		publicKey: request.publicKey,
		signingKey: authority.privateKey as webcrypto.CryptoKey,
		signingAlgorithm: ALGORITHM,
	});
	return {
		certificateId: createHash("sha256").update(new Uint8Array(certificate.rawData)).digest("hex"),
		certificatePem: `${certificate.toString("pem")}\n`,
	};
}
