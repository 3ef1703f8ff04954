// Parses an X.509 certificate (RFC 5280, 4.1) from an untrusted sender: checks the tag of every field, and reads every
// extension. The SDK's own parser (x509.c) trusts lengths that point far outside the certificate, so it must never be given
// a certificate that was not parsed here first. Does not decide whether a certificate is trusted: handshake.ts does.

import { Malformed } from "../../../src/base/malformed.js";
import {
	BIT_STRING,
	checkDer,
	DerReader,
	equalBytes,
	INTEGER,
	OBJECT_IDENTIFIER,
	OCTET_STRING,
	openDer,
	SEQUENCE,
} from "../../../src/identity/der.js";

/** The parts of a certificate that decide whether a server is trusted. All byte arrays are views into the certificate. */
export interface Certificate {
	/** The bytes that are signed. */
	readonly toBeSigned: Uint8Array;
	/** Contents of the signature's AlgorithmIdentifier. */
	readonly algorithm: Uint8Array;
	readonly signature: Uint8Array;
	/** Contents of the names. They are compared byte by byte, since certificates of one authority encode its name the same way. */
	readonly issuer: Uint8Array;
	readonly subject: Uint8Array;
	/** ms since 1970. */
	readonly notBefore: number;
	readonly notAfter: number;
	/** `undefined` if the device does not support this type of key. */
	readonly key: PublicKey | undefined;
	/** basicConstraints: whether it may issue certificates, and how many authorities may follow below it in the chain. */
	readonly isAuthority: boolean;
	readonly pathLength: number;
	/** keyUsage: the first eight bits, with digitalSignature as the highest. All are set when the extension is absent. */
	readonly usage: number;
	/** extendedKeyUsage: whether it may be used by a TLS server, or to issue such certificates. True when the extension is absent. */
	readonly forServers: boolean;
	/** Contents of subjectAltName, for `hasName`. Empty when the extension is absent. */
	readonly names: Uint8Array;
	/** Why the certificate cannot be accepted: it has name constraints, or a critical extension that is not supported. */
	readonly obstacle: string | undefined;
}

/** An RSA key (modulus and exponent) or an EC key (curve and point). */
export interface PublicKey {
	/** Contents of DER INTEGERs. */
	readonly modulus?: Uint8Array;
	readonly exponent?: Uint8Array;
	/** The curve's name in the SDK, and the uncompressed point. */
	readonly curve?: "secp256r1" | "secp384r1";
	readonly point?: Uint8Array;
}

/** Tags of alternative names (RFC 5280, 4.2.1.6). */
export const DNS_NAME = 0x82;
export const IP_ADDRESS = 0x87;

/** Bits of keyUsage (RFC 5280, 4.2.1.3). */
export const DIGITAL_SIGNATURE = 0x80;
export const KEY_CERT_SIGN = 0x04;

/** The most extensions accepted. Certificates of public servers have about ten. */
const MOST_EXTENSIONS = 24;

const BOOLEAN = 0x01;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const VERSION_3 = Uint8Array.of(INTEGER, 1, 2);
const TRUE = Uint8Array.of(0xff);
const NOTHING = new Uint8Array();

/** AlgorithmIdentifiers of keys, the contents: rsaEncryption (RFC 3279, 2.3.1), P-256 and P-384 (RFC 5480, 2.1.1). */
const RSA_KEY = Uint8Array.of(0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0);
const P256_KEY = Uint8Array.of(
	0x06,
	7,
	0x2a,
	0x86,
	0x48,
	0xce,
	0x3d,
	2,
	1,
	6,
	8,
	0x2a,
	0x86,
	0x48,
	0xce,
	0x3d,
	3,
	1,
	7,
);
const P384_KEY = Uint8Array.of(0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 34);

/** serverAuth (RFC 5280, 4.2.1.12). */
const SERVER_AUTH = Uint8Array.of(0x2b, 6, 1, 5, 5, 7, 3, 1);

/** The last byte of 2.5.29.x (RFC 5280, 4.2.1). */
const KEY_USAGE = 15;
const SUBJECT_ALT_NAME = 17;
const BASIC_CONSTRAINTS = 19;
const NAME_CONSTRAINTS = 30;
const EXTENDED_KEY_USAGE = 37;

/** @throws Malformed, also for a certificate that is not of version 3 */
export function readCertificate(der: Uint8Array): Certificate {
	checkDer(der);
	const outer = openDer(der, SEQUENCE);
	const toBeSigned = outer.readElement(SEQUENCE);
	const algorithm = outer.read(SEQUENCE);
	const signature = outer.readBits();
	outer.end();

	const fields = openDer(toBeSigned, SEQUENCE);
	if (!equalBytes(fields.read(VERSION), VERSION_3)) throw new Malformed("is not of version 3");
	if (!fields.read(INTEGER).length) throw new Malformed("has no serial number");
	if (!equalBytes(fields.read(SEQUENCE), algorithm)) throw new Malformed("names two different signature algorithms");
	const issuer = fields.read(SEQUENCE);
	const validity = new DerReader(fields.read(SEQUENCE));
	const notBefore = readTime(validity);
	const notAfter = readTime(validity);
	validity.end();
	const subject = fields.read(SEQUENCE);
	const key = readKey(new DerReader(fields.read(SEQUENCE)));
	const extensions = readExtensions(openDer(fields.read(EXTENSIONS), SEQUENCE));
	fields.end();
	return { toBeSigned, algorithm, signature, issuer, subject, notBefore, notAfter, key, ...extensions };
}

/** UTCTime or GeneralizedTime to the second, in UTC (RFC 5280, 4.1.2.5). */
function readTime(reader: DerReader): number {
	const isShort = reader.nextTag === UTC_TIME;
	const bytes = reader.read(isShort ? UTC_TIME : GENERALIZED_TIME);
	const start = isShort ? 2 : 4;
	const digit = (at: number) => (bytes[at]! >= 0x30 && bytes[at]! <= 0x39 ? bytes[at]! - 0x30 : Number.NaN);
	const two = (at: number) => digit(at) * 10 + digit(at + 1);
	const year = isShort ? two(0) + (two(0) < 50 ? 2000 : 1900) : two(0) * 100 + two(2);
	const time = Date.UTC(year, two(start) - 1, two(start + 2), two(start + 4), two(start + 6), two(start + 8));
	if (bytes.length !== start + 11 || bytes[start + 10] !== 0x5a || Number.isNaN(time))
		throw new Malformed("has a bad date");
	return time;
}

function readKey(info: DerReader): PublicKey | undefined {
	const algorithm = info.read(SEQUENCE);
	const bits = info.readBits();
	info.end();
	if (equalBytes(algorithm, RSA_KEY)) {
		const numbers = openDer(bits, SEQUENCE);
		const modulus = numbers.read(INTEGER);
		const exponent = numbers.read(INTEGER);
		numbers.end();
		return { modulus, exponent };
	}
	const isP256 = equalBytes(algorithm, P256_KEY);
	if (!isP256 && !equalBytes(algorithm, P384_KEY)) return undefined;
	if (bits.length !== (isP256 ? 65 : 97) || bits[0] !== 4)
		throw new Malformed("has an EC key that is not an uncompressed point");
	return { curve: isP256 ? "secp256r1" : "secp384r1", point: bits };
}

type Extensions = Pick<Certificate, "isAuthority" | "pathLength" | "usage" | "forServers" | "names" | "obstacle">;

function readExtensions(list: DerReader): Extensions {
	const seen: Uint8Array[] = [];
	let found: Extensions = {
		isAuthority: false,
		pathLength: Number.POSITIVE_INFINITY,
		usage: 0xff,
		forServers: true,
		names: NOTHING,
		obstacle: undefined,
	};
	while (!list.atEnd) {
		const extension = new DerReader(list.read(SEQUENCE));
		const identifier = extension.read(OBJECT_IDENTIFIER);
		const critical = extension.nextTag === BOOLEAN;
		// DER omits FALSE, the default.
		if (critical && !equalBytes(extension.read(BOOLEAN), TRUE)) throw new Malformed("has a bad extension");
		const value = extension.read(OCTET_STRING);
		extension.end();
		if (seen.some((other) => equalBytes(other, identifier))) throw new Malformed("has an extension twice");
		if (seen.push(identifier) > MOST_EXTENSIONS) throw new Malformed("has too many extensions");
		found = { ...found, ...readExtension(identifier, value, critical) };
	}
	if (!seen.length) throw new Malformed("has no extensions");
	return found;
}

function readExtension(identifier: Uint8Array, value: Uint8Array, critical: boolean): Partial<Extensions> {
	const isStandard = identifier.length === 3 && identifier[0] === 0x55 && identifier[1] === 29;
	switch (isStandard ? identifier[2] : undefined) {
		case BASIC_CONSTRAINTS:
			return readBasicConstraints(openDer(value, SEQUENCE));
		case KEY_USAGE: {
			const reader = new DerReader(value);
			const bits = reader.read(BIT_STRING);
			reader.end();
			if (bits.length < 2 || bits[0]! > 7) throw new Malformed("has a bad keyUsage");
			return { usage: bits[1]! };
		}
		case EXTENDED_KEY_USAGE: {
			const purposes = openDer(value, SEQUENCE);
			let forServers = false;
			do {
				if (equalBytes(purposes.read(OBJECT_IDENTIFIER), SERVER_AUTH)) forServers = true;
			} while (!purposes.atEnd);
			return { forServers };
		}
		case SUBJECT_ALT_NAME:
			return { names: readNames(value) };
		case NAME_CONSTRAINTS:
			return { obstacle: "has name constraints" };
		default:
			return critical ? { obstacle: "has a critical extension that this device does not know" } : {};
	}
}

function readBasicConstraints(fields: DerReader): Partial<Extensions> {
	if (fields.atEnd) return {};
	if (!equalBytes(fields.read(BOOLEAN), TRUE)) throw new Malformed("has bad basicConstraints");
	let pathLength = Number.POSITIVE_INFINITY;
	if (!fields.atEnd) {
		const bytes = fields.read(INTEGER);
		if (bytes.length !== 1 || bytes[0]! >= 0x80) throw new Malformed("has bad basicConstraints");
		pathLength = bytes[0]!;
	}
	fields.end();
	return { isAuthority: true, pathLength };
}

function readNames(value: Uint8Array): Uint8Array {
	const reader = new DerReader(value);
	const names = reader.read(SEQUENCE);
	reader.end();
	hasName(names, () => false);
	return names;
}

/** Whether `isWanted` accepts any of a certificate's alternative names. @throws Malformed */
export function hasName(names: Uint8Array, isWanted: (tag: number, value: Uint8Array) => boolean): boolean {
	const list = new DerReader(names);
	while (!list.atEnd) {
		const tag = list.nextTag;
		if (isWanted(tag, list.read(tag))) return true;
	}
	return false;
}
