// Puts a claim and the root certificates where the firmware's build takes them from, after checking that a device can use them:
// a mistake is found here, and not on a thousand devices. Must never print or leave behind a key or a password.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import forge from "node-forge";
import { root } from "../moddable/packages/root.js";
import { CommandError, UsageError } from "./command.js";
import { checkPair, deviceKey, readCertificates, readInput, readPrivateKey } from "./credentials.js";

/** What `fleet claim embed` is given. */
export interface ClaimEmbedOptions {
	/**
	 * File with the claim certificate: PEM, DER or PKCS#12 (which holds the key as well). Without it, only the roots are embedded,
	 * for devices that get their claim from a trusted user.
	 */
	readonly certificate?: string | undefined;
	/** File with its private key: PEM or DER. Not needed with PKCS#12. */
	readonly key?: string | undefined;
	/** Files with the root certificates that the endpoint's chain may end in, one certificate in each file: PEM or DER. */
	readonly roots: readonly string[];
	/** Where to put the files. Default: the folder that the manifest names. */
	readonly folder?: string;
	/** Gets the password. Called at most once, and only when a file is encrypted. */
	readonly password: () => Promise<string>;
	/** ms since 1970. Default `Date.now`. */
	readonly now?: () => number;
}

/** What was embedded. */
export interface EmbeddedClaim {
	readonly folder: string;
	/** The claim certificate's subject, on one line, and until when it is valid. Absent when only roots were embedded. */
	readonly claim?: { readonly subject: string; readonly validTo: Date };
	/** Subjects of the root certificates. */
	readonly roots: readonly string[];
}

/** Names of the resources, by which hosts/moddable/claim.ts finds them. */
export const resources = {
	certificate: "claim.certificate.der",
	key: "claim.key.der",
	root: "root.der",
} as const;

const defaultFolder = join(root, "hosts/moddable/claim");

interface Pair {
	readonly certificate: X509Certificate;
	readonly key: KeyObject;
}

/**
 * Reads and checks the claim and the roots, and writes them as DER (mode 0600). When a check fails, nothing is written;
 * otherwise each file is replaced in one step.
 * @throws UsageError when the options do not fit together, CommandError when a file cannot be used
 */
export async function embedClaim(options: ClaimEmbedOptions): Promise<EmbeddedClaim> {
	const { folder = defaultFolder, now = Date.now } = options;
	const roots = options.roots.map(readRoot);
	for (const root of roots) checkDates("root certificate", root, now());
	const claim = await readClaim(options);
	if (claim) {
		checkPair(claim.certificate, options.certificate!, claim.key, options.key ?? options.certificate!);
		checkDates("claim certificate", claim.certificate, now());
	}
	write(folder, {
		[resources.certificate]: claim?.certificate.raw,
		[resources.key]: claim && deviceKey(claim.key),
		// One after another: the DER of each says where it ends.
		[resources.root]: Buffer.concat(roots.map(({ raw }) => raw)),
	});
	return {
		folder,
		...(claim && { claim: { subject: name(claim.certificate), validTo: new Date(claim.certificate.validTo) } }),
		roots: roots.map((root) => name(root)),
	};
}

function readRoot(path: string): X509Certificate {
	const certificates = readCertificates(path).map((der) => new X509Certificate(der));
	if (certificates.length > 1)
		throw new CommandError(`${path} holds ${certificates.length} certificates: give each root in a file of its own`);
	const [root] = certificates as [X509Certificate];
	if (!root.ca) throw new CommandError(`${path} is not the certificate of an authority`);
	if (!root.checkIssued(root) || !root.verify(root.publicKey)) {
		throw new CommandError(`${path} is not a root: it was issued by ${name(root, "issuer")}`);
	}
	return root;
}

async function readClaim({ certificate: path, key: keyPath, password }: ClaimEmbedOptions): Promise<Pair | undefined> {
	if (path === undefined) {
		if (keyPath !== undefined) throw new UsageError("--certificate is missing: --key alone is no claim");
		return undefined;
	}
	const bytes = readInput(path);
	if (isPkcs12(bytes)) {
		if (keyPath !== undefined) throw new UsageError(`--key is not needed: ${path} holds the key as well`);
		return readPkcs12(path, bytes, password);
	}
	if (keyPath === undefined) throw new UsageError(`--key is missing: ${path} holds a certificate only`);
	const certificate = new X509Certificate(readCertificates(path)[0]!);
	return { certificate, key: await readPrivateKey(keyPath, password) };
}

/** PKCS#12 is a sequence that begins with version 3 (RFC 7292, 4); a certificate begins with another sequence. */
function isPkcs12(bytes: Buffer): boolean {
	const lengthByte = bytes[1] ?? 0;
	const start = 2 + (lengthByte > 0x80 ? lengthByte & 0x7f : 0);
	return bytes[0] === 0x30 && bytes.subarray(start, start + 3).equals(Buffer.of(0x02, 0x01, 0x03));
}

/** Reads the only key in the file and the certificate that belongs to it; certificates of authorities are ignored. */
async function readPkcs12(path: string, bytes: Buffer, password: () => Promise<string>): Promise<Pair> {
	const { pkcs12, pki, asn1, util } = forge;
	const secret = await password();
	let content: forge.pkcs12.Pkcs12Pfx;
	try {
		content = pkcs12.pkcs12FromAsn1(asn1.fromDer(util.createBuffer(bytes.toString("binary"))), false, secret);
	} catch (error) {
		// node-forge treats each character of a password as a byte, OpenSSL encodes it in UTF-8.
		if (/[^ -~]/.test(secret))
			throw new CommandError(`${path} has a password with characters beyond ASCII: convert it to PEM first`);
		const wrong = /password|MAC/i.test((error as Error).message);
		throw new CommandError(
			wrong ? `the password does not open ${path}` : `${path} is PKCS#12 of a kind that cannot be read`,
		);
	}
	const bags = content.safeContents.flatMap((safe) => safe.safeBags);
	const der = (element: forge.asn1.Asn1) => Buffer.from(asn1.toDer(element).getBytes(), "binary");
	const keys = bags.filter(({ type }) => type === pki.oids.keyBag || type === pki.oids.pkcs8ShroudedKeyBag);
	if (keys.length !== 1) throw new CommandError(`${path} holds ${keys.length} private keys: there must be one`);
	const { key: rsa, asn1: other } = keys[0]!;
	const key = rsa
		? createPrivateKey(pki.privateKeyToPem(rsa as forge.pki.PrivateKey))
		: createPrivateKey({ key: der(other), format: "der", type: "pkcs8" });
	const certificates = bags
		.filter(({ type }) => type === pki.oids.certBag)
		.map((bag) => new X509Certificate(der(bag.cert ? pki.certificateToAsn1(bag.cert) : bag.asn1)));
	const certificate = certificates.find((candidate) => candidate.checkPrivateKey(key)) ?? certificates[0];
	if (!certificate) throw new CommandError(`${path} holds no certificate`);
	return { certificate, key };
}

function checkDates(what: string, { validFrom, validTo }: X509Certificate, now: number): void {
	if (now < Date.parse(validFrom)) throw new CommandError(`the ${what} is not valid before ${validFrom}`);
	if (now > Date.parse(validTo)) throw new CommandError(`the ${what} has expired: it was valid until ${validTo}`);
}

function name(certificate: X509Certificate, which: "subject" | "issuer" = "subject"): string {
	return certificate[which]?.replaceAll("\n", ", ") || "(no name)";
}

/** Writes all files under temporary names before the first is renamed to its own; removes a file whose bytes are undefined. */
function write(folder: string, files: Record<string, Uint8Array | undefined>): void {
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const temporary = (file: string) => join(folder, `.${file}.${process.pid}`);
	const entries = Object.entries(files);
	try {
		for (const [file, bytes] of entries) if (bytes) writeFileSync(temporary(file), bytes, { mode: 0o600, flush: true });
		for (const [file, bytes] of entries) {
			if (bytes) renameSync(temporary(file), join(folder, file));
			else rmSync(join(folder, file), { force: true });
		}
	} finally {
		for (const [file] of entries) rmSync(temporary(file), { force: true });
	}
}
