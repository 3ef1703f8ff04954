// Reads certificates and keys from files, in the forms that people have, and converts them to what a device is given. A file that
// cannot be used leads to an error of one line that names the file, and that never quotes its contents.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { Malformed } from "../../src/base/malformed.js";
import type { Credentials } from "../../src/contract/host.js";
import { ecKeyIn } from "../../src/identity/private-key.js";
import { ecdsa, OPENSSL_CURVES } from "../node/ecdsa.js";
import { CommandError } from "./command.js";

/** A file's bytes. @throws CommandError */
export function readInput(path: string): Buffer {
	try {
		return readFileSync(path);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") throw new CommandError(`there is no file ${path}`);
		if (code === "EISDIR") throw new CommandError(`${path} is a folder, not a file`);
		if (code === "EACCES") throw new CommandError(`no permission to read ${path}`);
		throw new CommandError(`${path} cannot be read (${code})`);
	}
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** One or more certificates in PEM, or a single one in DER, as DER. @throws Error when there is none */
export function certificatesIn(bytes: string | Buffer): Uint8Array[] {
	const blocks = (typeof bytes === "string" ? bytes : bytes.toString("latin1")).match(BLOCK);
	return (blocks ?? [bytes]).map((one) => new Uint8Array(new X509Certificate(one).raw));
}

/** The certificates of a file (PEM, one or more, or a single one in DER), as DER. @throws CommandError */
export function readCertificates(path: string): Uint8Array[] {
	const bytes = readInput(path);
	try {
		return certificatesIn(bytes);
	} catch {
		throw new CommandError(`${path} is not a certificate (PEM or DER)`);
	}
}

/** A private key in the form that a device takes: PKCS#8, DER. */
export const deviceKey = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ type: "pkcs8", format: "der" }));

/** Reads a certificate and its private key, and checks that a device can use them. @throws CommandError */
export async function readCredentials(certificatePath: string, keyPath: string): Promise<Credentials> {
	const certificate = readCertificates(certificatePath)[0]!;
	const key = await readPrivateKey(keyPath);
	checkPair(new X509Certificate(certificate), certificatePath, key, keyPath);
	return { certificate, key: deviceKey(key) };
}

/** OpenSSL's names of the curves that devices accept. */
const CURVES: readonly string[] = Object.values(OPENSSL_CURVES);

/** That a device can sign with the key, and that it is the certificate's. @throws CommandError */
export function checkPair(
	certificate: X509Certificate,
	certificatePath: string,
	key: KeyObject,
	keyPath: string,
): void {
	const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = key;
	const onCurve = kind === "ec" && CURVES.includes(details?.namedCurve ?? "");
	if (kind !== "rsa" && !onCurve)
		throw new CommandError(
			`${keyPath} is neither an RSA key nor one on P-256 or P-384: a device can sign with no other`,
		);
	if (onCurve && !isReadable(key))
		throw new CommandError(
			`the key in ${keyPath} spells out its curve, which must be named: openssl pkey -ec_param_enc named_curve does that`,
		);
	const bits = details?.modulusLength ?? 0;
	if (kind === "rsa" && bits < 2048)
		throw new CommandError(`the key in ${keyPath} has ${bits} bits: AWS IoT takes RSA keys of 2048 and more`);
	if (!certificate.checkPrivateKey(key))
		throw new CommandError(`the key in ${keyPath} does not belong to the certificate in ${certificatePath}`);
}

/** Whether the device's own reader accepts this EC key: it does not when the curve is spelled out instead of named. */
function isReadable(key: KeyObject): boolean {
	try {
		return ecKeyIn(deviceKey(key), ecdsa) !== undefined;
	} catch (error) {
		if (error instanceof Malformed) return false;
		throw error;
	}
}

/**
 * The private key of a file: PEM, or DER (PKCS#8, PKCS#1 or SEC 1). `password` is asked for when the file is locked; without it
 * such a file is refused.
 * @throws CommandError
 */
export async function readPrivateKey(path: string, password?: () => Promise<string>): Promise<KeyObject> {
	const bytes = readInput(path);
	const isEncrypted = /-----BEGIN ENCRYPTED |ENCRYPTED\r?\n/.test(bytes.toString("latin1"));
	if (isEncrypted && password === undefined)
		throw new CommandError(`${path} is encrypted with a password: remove it first (openssl pkey)`);
	const passphrase = isEncrypted ? await password?.() : undefined;
	const forms = [
		{ key: bytes, format: "pem", ...(passphrase === undefined ? {} : { passphrase }) },
		{ key: bytes, format: "der", type: "pkcs8" },
		{ key: bytes, format: "der", type: "pkcs1" },
		{ key: bytes, format: "der", type: "sec1" },
	] as const;
	for (const form of forms) {
		try {
			return createPrivateKey(form);
		} catch {}
	}
	throw new CommandError(
		isEncrypted ? `the password does not open ${path}` : `${path} is not a private key (PEM or DER)`,
	);
}
