// The certificate authority of the local cloud: makes its root, its server certificates and device certificates. Its own private
// keys never leave it but for the TLS server's; those of devices leave it only in the answer to CreateKeysAndCertificate.

// @peculiar/x509 needs this to be loaded before it.
import "reflect-metadata";
import {
	createPrivateKey,
	createPublicKey,
	generateKeyPair,
	randomBytes,
	webcrypto,
	X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import * as x509 from "@peculiar/x509";
import { AwsError } from "../base/errors.js";
import { fingerprint } from "../registry/certificates.js";
import type { CertificateIssuer, IssuedCertificate } from "../registry/context.js";
import { forms } from "../registry/forms.js";
import type { IdentityRecord, State } from "../state/state.js";

const DAY = 86_400_000;
const DEVICE_END = Date.UTC(2049, 11, 31, 23, 59, 59);
const { subtle } = webcrypto;
x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
const generate = promisify(generateKeyPair);

type KeyKind = "RSA" | "EC";
type Subject = x509.Name | string;
const ALGORITHMS = {
	RSA: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
	EC: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
} as const;

/**
 * The issuer of AWS's device certificates is a single OU of 66 characters in UTF-8, which looks like five names:
 * `OU=Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US`. Ours is as long, so that sizes agree.
 */
const DEVICE_ISSUER = new x509.Name([
	{ OU: [{ utf8String: "Local AWS IoT O=moddable-fleet-provisioning L=Nowhere ST=None C=ZZ" }] },
]);
/** Subject of a certificate whose key the service has made. */
const KEYS_SUBJECT = new x509.Name([{ CN: [{ utf8String: "AWS IoT Certificate" }] }]);

/** A key and its certificate, ready to sign. */
interface Signer {
	readonly certificate: x509.X509Certificate;
	readonly key: webcrypto.CryptoKey;
	readonly kind: KeyKind;
}

interface KeyPairPem {
	readonly publicKeyPem: string;
	readonly privateKeyPem: string;
}

/** What the authority works with. */
export interface AuthorityOptions {
	readonly state: State;
	/** ms since 1970. */
	readonly now: () => number;
	/** Names and addresses that the server certificate is valid for, besides localhost. */
	readonly serverNames: readonly string[];
	/** How many authorities stand between the server's certificates and their roots. Default 0. */
	readonly intermediates?: number;
	/** Root of the ECDSA server certificate: one of its own, like Amazon Root CA 3, or that of the RSA one. Default `own`. */
	readonly ecdsaRoot?: "own" | "shared";
	/** Key of the device authority; read at each use. */
	readonly issuer: () => KeyKind;
	readonly keyPairs: { readonly ahead: number; readonly concurrency: number };
	/** Keys and certificates to take where the state has none, instead of making some: those of another authority. */
	readonly identities?: readonly IdentityRecord[];
}

/** Key and certificates of a TLS server, PEM. */
export interface ServerIdentity {
	/** The private key: must never be shown. */
	readonly key: string;
	/** PEM. */
	readonly cert: string;
	/** The root that the certificate ends in: what devices must trust. */
	readonly root: string;
}

/** The server's identity by the kind of its key. */
export type ServerIdentities = Readonly<Record<"rsa" | "ecdsa", ServerIdentity>>;

/** The certificate authority of a running cloud. */
export interface CertificateAuthority extends CertificateIssuer {
	/** Keys and certificates of the TLS server, private keys included. */
	readonly servers: ServerIdentities;
	/** All keys and certificates of its own, private keys included: what `startCloud({ authority })` takes over. */
	readonly identities: readonly IdentityRecord[];
	/** Resolves when the key pairs that are made in advance exist. */
	ready(): Promise<void>;
}

/** Signs device certificates. Open it with `openAuthority`. */
export class Authority implements CertificateAuthority {
	readonly servers: ServerIdentities;
	readonly #signers: Readonly<Record<KeyKind, Signer>>;
	readonly #options: AuthorityOptions;
	readonly #keyPairs: KeyPairPool;

	constructor(options: AuthorityOptions, signers: Readonly<Record<KeyKind, Signer>>, servers: ServerIdentities) {
		this.#options = options;
		this.#signers = signers;
		this.servers = servers;
		this.#keyPairs = new KeyPairPool(options.keyPairs);
	}

	get identities(): readonly IdentityRecord[] {
		return [...this.#options.state.identities.values()];
	}

	get rootCertificatePem(): string {
		return withNewline(this.#signers[this.#options.issuer()].certificate.toString("pem"));
	}

	ready(): Promise<void> {
		return this.#keyPairs.ready();
	}

	/** Makes no more key pairs in advance. */
	close(): void {
		this.#keyPairs.close();
	}

	async createKeysAndCertificate(): Promise<IssuedCertificate & KeyPairPem> {
		const pair = await this.#keyPairs.take();
		return { ...(await this.#issue(new x509.PublicKey(pair.publicKeyPem), KEYS_SUBJECT)), ...pair };
	}

	/**
	 * Checks that the request is signed with its own key, and that AWS accepts such a key. As at AWS, the request may be signed
	 * with SHA-1, since the certificate is signed with SHA-256 in any case (AWS's IoT team, in aws-amplify/aws-sdk-ios#3345).
	 */
	async createCertificateFromCsr(certificateSigningRequest: string): Promise<IssuedCertificate> {
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
		return this.#issue(request.publicKey, request.subjectName);
	}

	#issue(publicKey: x509.PublicKey, subject: Subject): Promise<IssuedCertificate> {
		const signer = this.#signers[this.#options.issuer()];
		return sign(signer, {
			serialNumber: deviceSerialNumber(),
			publicKey,
			subject,
			notBefore: this.#options.now() - 120_000,
			notAfter: DEVICE_END,
			extensions: [
				new x509.BasicConstraintsExtension(false, undefined, true),
				new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
			],
		});
	}
}

/** Opens the authority. Its own keys and certificates are made on first use, and kept in the state. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
	const { state, now } = options;
	state.transaction(() => {
		for (const identity of options.identities ?? [])
			if (!state.identities.get(identity.name)) state.identities.put(identity.name, identity);
	});
	/** What is kept under this name while it is fit, else what `make` makes of it, which is kept from then on. */
	const keep = async (
		name: string,
		isFit: (kept: IdentityRecord) => boolean,
		make: (kept: IdentityRecord | undefined) => Promise<IdentityRecord>,
	): Promise<IdentityRecord> => {
		const kept = state.identities.get(name);
		if (kept && isFit(kept)) return kept;
		const made = await make(kept);
		state.transaction(() => state.identities.put(name, made));
		return made;
	};
	const own = (name: string, kind: KeyKind, subject: Subject) =>
		keep(
			name,
			() => true,
			() => selfSigned(name, kind, subject, now()),
		);
	const organization = "O=moddable-fleet-provisioning";
	const [root, ecdsaRoot, rsa, ec] = await Promise.all([
		own("root", "RSA", `CN=Local AWS IoT Root CA,${organization}`),
		own("root-EC", "EC", `CN=Local AWS IoT Root CA (EC),${organization}`),
		own("devices-RSA", "RSA", DEVICE_ISSUER),
		own("devices-EC", "EC", DEVICE_ISSUER),
	]);
	const signers = { RSA: await signer(rsa, "RSA"), EC: await signer(ec, "EC") };
	const names = ["localhost", "iot.localhost", "127.0.0.1", "::1", ...options.serverNames];
	const { intermediates = 0 } = options;
	const server = async (leaf: string, kind: KeyKind, root: IdentityRecord, rootKind: KeyKind) => {
		// Its issuers, the root last. They depend on it, as do names: other roots and lengths have others.
		const issuers = [root];
		for (let depth = 1; depth <= intermediates; depth++) {
			const name = `${root.name}-intermediate-${depth}`;
			const subject = `CN=Local AWS IoT Intermediate ${depth},${organization}`;
			const [above] = issuers as [IdentityRecord];
			const issuer = await keep(
				name,
				(kept) => isFit(kept, above, [], now()),
				async () => intermediate(name, rootKind, subject, await signer(above, rootKind), now()),
			);
			issuers.unshift(issuer);
		}
		const name = intermediates === 0 ? leaf : `${leaf}-${intermediates}`;
		const [issuer] = issuers as [IdentityRecord];
		const identity = await keep(
			name,
			(kept) => isFit(kept, issuer, names, now()),
			async (kept) => {
				const pair = kept ? keyPairOf(kept) : await newKeyPair(kind);
				return serverIdentity(name, pair, await signer(issuer, rootKind), names, now());
			},
		);
		const sent = [identity, ...issuers.slice(0, -1)];
		return {
			key: identity.privateKeyPem,
			cert: sent.map(({ certificatePem }) => certificatePem).join(""),
			root: root.certificatePem,
		};
	};
	return new Authority(options, signers, {
		rsa: await server("server", "RSA", root, "RSA"),
		ecdsa:
			options.ecdsaRoot === "shared"
				? await server("server-EC", "EC", root, "RSA")
				: await server("server-EC", "EC", ecdsaRoot, "EC"),
	});
}

/** A key pair that a certificate is made for. */
interface CertificateKeyPair {
	readonly kind: KeyKind;
	readonly spki: x509.PublicKey;
	readonly privateKeyPem: string;
}

async function newKeyPair(kind: KeyKind): Promise<CertificateKeyPair> {
	const { publicKey, privateKey } =
		kind === "RSA" ? await generate("rsa", { modulusLength: 2048 }) : await generate("ec", { namedCurve: "P-256" });
	return {
		kind,
		spki: new x509.PublicKey(publicKey.export({ type: "spki", format: "der" })),
		privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
	};
}

/** The key pair that a certificate was made for: a server certificate is renewed with its key. */
function keyPairOf({ privateKeyPem }: IdentityRecord): CertificateKeyPair {
	const publicKey = createPublicKey(privateKeyPem);
	return {
		kind: publicKey.asymmetricKeyType === "rsa" ? "RSA" : "EC",
		spki: new x509.PublicKey(publicKey.export({ type: "spki", format: "der" })),
		privateKeyPem,
	};
}

function importKey(privateKeyPem: string, kind: KeyKind): Promise<webcrypto.CryptoKey> {
	const der = createPrivateKey(privateKeyPem).export({ type: "pkcs8", format: "der" });
	return subtle.importKey("pkcs8", der, ALGORITHMS[kind], false, ["sign"]);
}

async function signer(identity: IdentityRecord, kind: KeyKind): Promise<Signer> {
	return {
		certificate: new x509.X509Certificate(identity.certificatePem),
		key: await importKey(identity.privateKeyPem, kind),
		kind,
	};
}

async function selfSigned(name: string, kind: KeyKind, subject: Subject, now: number): Promise<IdentityRecord> {
	const { spki, privateKeyPem } = await newKeyPair(kind);
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

async function intermediate(
	name: string,
	kind: KeyKind,
	subject: Subject,
	issuer: Signer,
	now: number,
): Promise<IdentityRecord> {
	const { spki, privateKeyPem } = await newKeyPair(kind);
	const { certificatePem } = await sign(issuer, {
		serialNumber: serialNumber(),
		publicKey: spki,
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

async function serverIdentity(
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
		publicKey: spki,
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

/** Whether a server certificate is from this root, and valid for all these names and for another month. */
function isFit(server: IdentityRecord, root: IdentityRecord, names: readonly string[], now: number): boolean {
	const certificate = new X509Certificate(server.certificatePem);
	return (
		certificate.checkIssued(new X509Certificate(root.certificatePem)) &&
		Date.parse(certificate.validTo) > now + 30 * DAY &&
		names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined)
	);
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

/** RSA-2048 key pairs, some of them made in advance on the threads of the runtime. */
class KeyPairPool {
	readonly #options: AuthorityOptions["keyPairs"];
	readonly #pairs: KeyPairPem[] = [];
	readonly #waiting: { resolve: (pair: KeyPairPem) => void; reject: (error: unknown) => void }[] = [];
	#making = 0;
	#closed = false;

	constructor(options: AuthorityOptions["keyPairs"]) {
		this.#options = options;
		this.#fill();
	}

	take(): Promise<KeyPairPem> {
		const pair = this.#pairs.shift();
		const taken = pair
			? Promise.resolve(pair)
			: new Promise<KeyPairPem>((resolve, reject) => this.#waiting.push({ resolve, reject }));
		this.#fill();
		return taken;
	}

	close(): void {
		this.#closed = true;
	}

	async ready(): Promise<void> {
		while (!this.#closed && this.#pairs.length < this.#options.ahead)
			await new Promise((resolve) => setTimeout(resolve, 20));
	}

	#fill(): void {
		const ahead = () => (this.#closed ? 0 : this.#options.ahead);
		const wanted = () => this.#waiting.length + ahead() - this.#pairs.length;
		while (this.#making < Math.min(Math.max(this.#options.concurrency, 1), wanted())) {
			this.#making++;
			this.#make().finally(() => {
				this.#making--;
				this.#fill();
			});
		}
	}

	async #make(): Promise<void> {
		try {
			const { publicKey, privateKey } = await generate("rsa", {
				modulusLength: 2048,
				publicKeyEncoding: { type: "spki", format: "pem" },
				privateKeyEncoding: { type: "pkcs1", format: "pem" },
			});
			const pair = { publicKeyPem: publicKey, privateKeyPem: privateKey };
			const waiting = this.#waiting.shift();
			if (waiting) waiting.resolve(pair);
			else this.#pairs.push(pair);
		} catch (error) {
			this.#waiting.shift()?.reject(error);
		}
	}
}
