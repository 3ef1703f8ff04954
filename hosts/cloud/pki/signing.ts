// Certificates as bytes: requests are read and certificates signed here, with @peculiar/x509. Loading that takes longer than anything
// else of a start, so this file is only ever imported when something has to be signed.

// @peculiar/x509 needs this to be loaded before it.
import "reflect-metadata";
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { AwsError } from "../base/errors.js";
import { fingerprint } from "../registry/certificates.js";
import type { IssuedCertificate } from "../registry/context.js";
import { forms } from "../registry/forms.js";
import type { IdentityRecord } from "../state/state.js";
import type { CertificateKeyPair, KeyKind } from "./keys.js";

const DAY = 86_400_000;
const DEVICE_END = Date.UTC(2049, 11, 31, 23, 59, 59);
const { subtle } = webcrypto;
x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

type Subject = x509.Name | string;
const ALGORITHMS = {
	RSA: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
	EC: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
} as const;

/**
 * The issuer of AWS's device certificates is a single OU of 66 characters in UTF-8, which looks like five names:
 * `OU=Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US`. Ours is as long, so that sizes agree.
 */
export const DEVICE_ISSUER = new x509.Name([
	{ OU: [{ utf8String: "Local AWS IoT O=moddable-fleet-provisioning L=Nowhere ST=None C=ZZ" }] },
]);
/** Subject of a certificate whose key the service has made. */
const KEYS_SUBJECT = new x509.Name([{ CN: [{ utf8String: "AWS IoT Certificate" }] }]);

/** A key and its certificate, ready to sign. */
export interface Signer {
	readonly certificate: x509.X509Certificate;
	readonly key: webcrypto.CryptoKey;
	readonly kind: KeyKind;
}

/** A certificate for a key that the service has made. */
export function issueForKey(signer: Signer, publicKeyPem: string, now: number): Promise<IssuedCertificate> {
	return issue(signer, new x509.PublicKey(publicKeyPem), KEYS_SUBJECT, now);
}

/**
 * A certificate for a request, after checks that the request is signed with its own key, and that AWS accepts such a key.
 * As at AWS, the request may be signed with SHA-1, since the certificate is signed with SHA-256 in any case (AWS's IoT team, in
 * aws-amplify/aws-sdk-ios#3345).
 * @throws AwsError InvalidRequestException
 */
export async function issueForRequest(
	signer: Signer,
	certificateSigningRequest: string,
	now: number,
): Promise<IssuedCertificate> {
	const refuse = (message: string) => new AwsError("InvalidRequestException", message);
	if (certificateSigningRequest.length > forms.certificateSigningRequest.max) {
		throw refuse(`The certificate signing request is longer than ${forms.certificateSigningRequest.max} characters`);
	}
	// Of several, whoever checks and whoever signs might each take another one.
	if (certificateSigningRequest.split("-----BEGIN ").length > 2)
		throw refuse("The certificate signing request has more than one PEM block");
	let request: x509.Pkcs10CertificateRequest;
	let acceptable: boolean;
	try {
		if (!/-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(certificateSigningRequest)) throw new Error("no PEM");
		request = new x509.Pkcs10CertificateRequest(certificateSigningRequest);
		const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
			key: Buffer.from(request.publicKey.rawData),
			format: "der",
			type: "spki",
		});
		acceptable =
			(type === "rsa" && details!.modulusLength! >= 2048 && details!.modulusLength! <= 8192) ||
			(type === "ec" && ["prime256v1", "secp384r1", "secp521r1"].includes(details!.namedCurve!));
	} catch {
		throw refuse("The certificate signing request is not a PKCS#10 request in PEM form");
	}
	if (!acceptable) throw refuse("The key must be RSA of at least 2048 bits or on P-256, P-384 or P-521");
	if (!(await request.verify().catch(() => false))) {
		throw refuse("The signature of the certificate signing request does not match its key");
	}
	return issue(signer, request.publicKey, request.subjectName, now);
}

function issue(signer: Signer, publicKey: x509.PublicKey, subject: Subject, now: number): Promise<IssuedCertificate> {
	return sign(signer, {
		serialNumber: deviceSerialNumber(),
		publicKey,
		subject,
		notBefore: now - 120_000,
		notAfter: DEVICE_END,
		extensions: [
			new x509.BasicConstraintsExtension(false, undefined, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
		],
	});
}

function importKey(privateKeyPem: string, kind: KeyKind): Promise<webcrypto.CryptoKey> {
	const der = createPrivateKey(privateKeyPem).export({ type: "pkcs8", format: "der" });
	return subtle.importKey("pkcs8", der, ALGORITHMS[kind], false, ["sign"]);
}

/** Makes an identity ready to sign. */
export async function signerOf(identity: IdentityRecord, kind: KeyKind): Promise<Signer> {
	return {
		certificate: new x509.X509Certificate(identity.certificatePem),
		key: await importKey(identity.privateKeyPem, kind),
		kind,
	};
}

/** A root: its certificate is signed with its own key. */
export async function selfSigned(
	name: string,
	{ kind, spki: der, privateKeyPem }: CertificateKeyPair,
	subject: Subject,
	now: number,
): Promise<IdentityRecord> {
	const spki = new x509.PublicKey(der);
	const certificate = await x509.X509CertificateGenerator.create({
		serialNumber: serialNumber(),
		subject,
		issuer: subject,
		notBefore: wholeSeconds(now - DAY),
		notAfter: wholeSeconds(now + 20 * 365 * DAY),
		publicKey: spki,
		signingKey: await importKey(privateKeyPem, kind),
		signingAlgorithm: ALGORITHMS[kind],
		extensions: [
			new x509.BasicConstraintsExtension(true, undefined, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
			await x509.SubjectKeyIdentifierExtension.create(spki),
		],
	});
	return { name, privateKeyPem, certificatePem: withNewline(certificate.toString("pem")) };
}

/** An authority below another one. */
export async function intermediate(
	name: string,
	{ spki, privateKeyPem }: CertificateKeyPair,
	subject: Subject,
	issuer: Signer,
	now: number,
): Promise<IdentityRecord> {
	const { certificatePem } = await sign(issuer, {
		serialNumber: serialNumber(),
		publicKey: new x509.PublicKey(spki),
		subject,
		notBefore: now - DAY,
		notAfter: now + 10 * 365 * DAY,
		extensions: [
			new x509.BasicConstraintsExtension(true, undefined, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
			new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
		],
	});
	return { name, privateKeyPem, certificatePem };
}

/** The certificate of a TLS server for these names. */
export async function serverIdentity(
	name: string,
	{ kind, spki, privateKeyPem }: CertificateKeyPair,
	root: Signer,
	names: readonly string[],
	now: number,
): Promise<IdentityRecord> {
	const usage =
		kind === "RSA"
			? x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment
			: x509.KeyUsageFlags.digitalSignature;
	const { certificatePem } = await sign(root, {
		serialNumber: serialNumber(),
		publicKey: new x509.PublicKey(spki),
		subject: `CN=${names[0]}`,
		notBefore: now - DAY,
		notAfter: now + 397 * DAY,
		extensions: [
			new x509.BasicConstraintsExtension(false, undefined, true),
			new x509.KeyUsagesExtension(usage, true),
			new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
			new x509.SubjectAlternativeNameExtension(
				names.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
			),
		],
	});
	return { name, privateKeyPem, certificatePem };
}

/** What is signed: times in ms since 1970; both key identifiers are put before the other extensions, as AWS does. */
interface ToBeSigned {
	readonly serialNumber: string;
	readonly publicKey: x509.PublicKey;
	readonly subject: Subject;
	readonly notBefore: number;
	readonly notAfter: number;
	readonly extensions: readonly x509.Extension[];
}

async function sign(signer: Signer, { publicKey, ...what }: ToBeSigned): Promise<IssuedCertificate> {
	const certificate = await x509.X509CertificateGenerator.create({
		serialNumber: what.serialNumber,
		subject: what.subject,
		issuer: signer.certificate.subjectName,
		notBefore: wholeSeconds(what.notBefore),
		notAfter: wholeSeconds(what.notAfter),
		publicKey,
		signingKey: signer.key,
		signingAlgorithm: ALGORITHMS[signer.kind],
		extensions: [
			await x509.AuthorityKeyIdentifierExtension.create(signer.certificate),
			await x509.SubjectKeyIdentifierExtension.create(publicKey),
			...what.extensions,
		],
	});
	return {
		certificateId: fingerprint(new Uint8Array(certificate.rawData)),
		certificatePem: withNewline(certificate.toString("pem")),
		notBefore: certificate.notBefore.getTime(),
		notAfter: certificate.notAfter.getTime(),
	};
}

/** 16 random bytes, positive, never zero (RFC 5280 section 4.1.2.2). */
function serialNumber(): string {
	const bytes = randomBytes(16);
	bytes[0] = (bytes[0]! & 0x7f) | 0x40;
	return bytes.toString("hex");
}

/** 20 random bytes, as AWS has them: 21 in DER when the first bit is set, which is one more than RFC 5280 allows. */
function deviceSerialNumber(): string {
	return randomBytes(20).toString("hex");
}

function wholeSeconds(milliseconds: number): Date {
	return new Date(Math.floor(milliseconds / 1000) * 1000);
}

function withNewline(pem: string): string {
	return pem.endsWith("\n") ? pem : `${pem}\n`;
}
