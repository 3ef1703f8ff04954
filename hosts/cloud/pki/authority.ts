// The certificate authority of the local cloud: makes its root, its server certificates and device certificates. Its own private
// keys never leave it but for the TLS server's; those of devices leave it only in the answer to CreateKeysAndCertificate.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { CertificateIssuer, IssuedCertificate } from "../registry/context.js";
import type { IdentityRecord, State } from "../state/state.js";
import { type CertificateKeyPair, type KeyKind, type KeyPairPem, KeyPairPool, keyPairOf, newKeyPair } from "./keys.js";
import type { Signer } from "./signing.js";

const DAY = 86_400_000;
/** Loads what signs, when it is needed: a start with kept keys does without. */
const loadSigning = () => import("./signing.js");

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
	readonly #signers = new Map<KeyKind, Promise<Signer>>();
	readonly #options: AuthorityOptions;
	readonly #keyPairs: KeyPairPool;
	readonly #identities: Identities;

	constructor(options: AuthorityOptions, identities: Identities, servers: ServerIdentities) {
		this.#options = options;
		this.#identities = identities;
		this.servers = servers;
		// Keys for devices are the first that are made in advance: the authority of their certificates comes with them.
		this.#keyPairs = new KeyPairPool(options.keyPairs);
	}

	get identities(): readonly IdentityRecord[] {
		return [...this.#options.state.identities.values()];
	}

	get rootCertificatePem(): string | undefined {
		return this.#options.state.identities.get(deviceAuthority(this.#options.issuer()))?.certificatePem;
	}

	ready(): Promise<void> {
		return this.#keyPairs.ready();
	}

	/** Makes no more key pairs in advance. */
	close(): void {
		this.#keyPairs.close();
	}

	async createKeysAndCertificate(): Promise<IssuedCertificate & KeyPairPem> {
		const signer = this.#signer();
		// An error of the signer is dealt with below, after the key pair.
		signer.catch(() => {});
		const pair = await this.#keyPairs.take();
		const { issueForKey } = await loadSigning();
		return { ...(await issueForKey(await signer, pair.publicKeyPem, this.#options.now())), ...pair };
	}

	/** Checks that the request is signed with its own key, and that AWS accepts such a key. */
	async createCertificateFromCsr(certificateSigningRequest: string): Promise<IssuedCertificate> {
		const { issueForRequest } = await loadSigning();
		return issueForRequest(await this.#signer(), certificateSigningRequest, this.#options.now());
	}

	/** The authority of device certificates, made when the first of them is. */
	#signer(): Promise<Signer> {
		const kind = this.#options.issuer();
		const kept = this.#signers.get(kind);
		if (kept) return kept;
		const made = this.#makeSigner(kind);
		this.#signers.set(kind, made);
		// What failed is tried again.
		made.catch(() => this.#signers.delete(kind));
		return made;
	}

	async #makeSigner(kind: KeyKind): Promise<Signer> {
		const { DEVICE_ISSUER, signerOf } = await loadSigning();
		return signerOf(await this.#identities.own(deviceAuthority(kind), kind, () => DEVICE_ISSUER), kind);
	}
}

const deviceAuthority = (kind: KeyKind) => `devices-${kind}`;
type RootSubject = Parameters<Awaited<ReturnType<typeof loadSigning>>["selfSigned"]>[2];

/** The authority's own keys and certificates: made on first use, and kept in the state. */
class Identities {
	readonly #state: State;
	readonly #now: () => number;

	constructor({ state, now }: AuthorityOptions) {
		this.#state = state;
		this.#now = now;
	}

	/** What is kept under this name while it is fit, else what `make` makes of it, which is kept from then on. */
	async keep(
		name: string,
		isFit: (kept: IdentityRecord) => boolean,
		make: (kept: IdentityRecord | undefined) => Promise<IdentityRecord>,
	): Promise<IdentityRecord> {
		const kept = this.#state.identities.get(name);
		if (kept && isFit(kept)) return kept;
		const made = await make(kept);
		this.#state.transaction(() => this.#state.identities.put(name, made));
		return made;
	}

	/** A root of this name. */
	own(name: string, kind: KeyKind, subject: () => RootSubject): Promise<IdentityRecord> {
		return this.keep(
			name,
			() => true,
			async () => {
				const [pair, { selfSigned }] = await Promise.all([newKeyPair(kind), loadSigning()]);
				return selfSigned(name, pair, subject(), this.#now());
			},
		);
	}
}

/** Opens the authority. Its own keys and certificates are made on first use, and kept in the state. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
	const { state, now } = options;
	state.transaction(() => {
		for (const identity of options.identities ?? [])
			if (!state.identities.get(identity.name)) state.identities.put(identity.name, identity);
	});
	const identities = new Identities(options);
	const organization = "O=moddable-fleet-provisioning";
	const { intermediates = 0 } = options;
	const leafOf = (leaf: string) => (intermediates === 0 ? leaf : `${leaf}-${intermediates}`);
	// All keys that are missing are made at once, and what signs is loaded meanwhile.
	const pairs = new Map<string, Promise<CertificateKeyPair>>(
		(
			[
				["server", "RSA"],
				["server-EC", "EC"],
			] as const
		)
			.filter(([leaf]) => !state.identities.has(leafOf(leaf)))
			.map(([leaf, kind]) => [leaf, newKeyPair(kind)]),
	);
	for (const pair of pairs.values()) pair.catch(() => {});
	const [root, ecdsaRoot] = await Promise.all([
		identities.own("root", "RSA", () => `CN=Local AWS IoT Root CA,${organization}`),
		identities.own("root-EC", "EC", () => `CN=Local AWS IoT Root CA (EC),${organization}`),
	]);
	const names = ["localhost", "iot.localhost", "127.0.0.1", "::1", ...options.serverNames];
	const server = async (leaf: string, kind: KeyKind, root: IdentityRecord, rootKind: KeyKind) => {
		// Its issuers, the root last. They depend on it, as do names: other roots and lengths have others.
		const issuers = [root];
		for (let depth = 1; depth <= intermediates; depth++) {
			const name = `${root.name}-intermediate-${depth}`;
			const subject = `CN=Local AWS IoT Intermediate ${depth},${organization}`;
			const [above] = issuers as [IdentityRecord];
			const issuer = await identities.keep(
				name,
				(kept) => isFit(kept, above, [], now()),
				async () => {
					const { intermediate, signerOf } = await loadSigning();
					return intermediate(name, await newKeyPair(rootKind), subject, await signerOf(above, rootKind), now());
				},
			);
			issuers.unshift(issuer);
		}
		const name = leafOf(leaf);
		const [issuer] = issuers as [IdentityRecord];
		const identity = await identities.keep(
			name,
			(kept) => isFit(kept, issuer, names, now()),
			async (kept) => {
				const pair = kept ? keyPairOf(kept) : ((await pairs.get(leaf)) ?? (await newKeyPair(kind)));
				const { serverIdentity, signerOf } = await loadSigning();
				return serverIdentity(name, pair, await signerOf(issuer, rootKind), names, now());
			},
		);
		const sent = [identity, ...issuers.slice(0, -1)];
		return {
			key: identity.privateKeyPem,
			cert: sent.map(({ certificatePem }) => certificatePem).join(""),
			root: root.certificatePem,
		};
	};
	return new Authority(options, identities, {
		rsa: await server("server", "RSA", root, "RSA"),
		ecdsa:
			options.ecdsaRoot === "shared"
				? await server("server-EC", "EC", root, "RSA")
				: await server("server-EC", "EC", ecdsaRoot, "EC"),
	});
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
