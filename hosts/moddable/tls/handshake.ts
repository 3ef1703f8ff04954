// Watches a TLS 1.2 handshake record by record and makes the checks of the server that the SDK's TLS (8.2) leaves out: that
// each certificate is allowed to sign the next, from the root down to the server's; that there is a signed ephemeral key
// exchange; and that messages arrive in the right order. Must see each record before the SDK's TLS does, must parse at least
// as strictly, and must stop anything that would make TLS allocate more memory than a device has.

import { Malformed } from "../../../src/base/malformed.js";
import { equalBytes } from "../../../src/identity/der.js";
import {
	type Certificate,
	DIGITAL_SIGNATURE,
	DNS_NAME,
	hasName,
	IP_ADDRESS,
	KEY_CERT_SIGN,
	type PublicKey,
	readCertificate,
} from "./certificate.js";
import { isForCurve, isSigned, signatureAlgorithm } from "./signature.js";

// Content types of records and types of handshake messages (RFC 5246, 6.2.1 and 7.4).
const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const CERTIFICATE = 11;
const SERVER_KEY_EXCHANGE = 12;
const CERTIFICATE_REQUEST = 13;
const SERVER_HELLO_DONE = 14;

/** Bytes in a record's header: type, version, length (RFC 5246, 6.2.1). */
export const RECORD_HEAD = 5;
/** Maximum length of an encrypted record without its header, in bytes (RFC 5246, 6.2.3). The SDK's TLS would accept 32 KB. */
const LONGEST_RECORD = 18_432;

// Hello messages (RFC 5246, 7.4.1): the offset of the random bytes, the offset of the session id's length in ServerHello,
// and the first byte of the ECDHE cipher suites that the SDK's TLS offers.
const RANDOM = 2;
const RANDOM_BYTES = 32;
const SESSION_LENGTH = 34;
const ECDHE = 0xc0;

// ServerKeyExchange (RFC 8422, 5.4; RFC 5246, 7.4.1.4.1): the only curve type accepted, and the algorithms that the SDK's
// TLS offers.
const NAMED_CURVE = 3;
const SHA256 = 4;
const RSA_SIGNATURE = 1;
const ECDSA_SIGNATURE = 3;

/** The longest certificate chain accepted. AWS sends four certificates. */
const LONGEST_CHAIN = 6;
/** How many certificate authorities a CertificateRequest may name. AWS names none; the SDK's TLS allocates a buffer for each. */
const MOST_AUTHORITIES = 16;

/** The server failed authentication, or did not follow the TLS protocol. */
export class HandshakeError extends Error {
	readonly reason: "tls" | "tls-dates" | "tls-server";

	constructor(reason: HandshakeError["reason"], message: string) {
		super(message);
		this.reason = reason;
	}
}

/**
 * Checks a record's header. Call it with as many of the header's bytes as have arrived, even if some are missing, and before
 * memory is allocated for the body: a plain-text server that sends fewer than five bytes is then rejected at once instead of
 * being waited for.
 * @throws HandshakeError
 */
export function checkRecordHead(head: Uint8Array): void {
	const [type, major = 3] = head as unknown as [number, number?];
	if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA || major !== 3) {
		throw new HandshakeError("tls", "the server does not speak TLS");
	}
	if (head.length < RECORD_HEAD) return;
	const length = (head[3]! << 8) | head[4]!;
	if (!length || length > LONGEST_RECORD) throw new HandshakeError("tls", `a record of ${length} bytes`);
}

/** One handshake, from the client's point of view. */
export class Handshake {
	readonly #serverName: string;
	readonly #roots: readonly Uint8Array[];
	/** Type of the server's last unencrypted handshake message. */
	#last = 0;
	/** The client's random bytes followed by the server's, which is how they are signed. */
	#randoms = new Uint8Array(2 * RANDOM_BYTES);
	/** The server's public key, once its certificate has been checked. */
	#key: PublicKey | undefined;
	#ownChange = false;
	#encrypted = false;
	#finished = false;

	/** @param roots certificates (DER) that the server's chain may end in */
	constructor(serverName: string, roots: readonly Uint8Array[]) {
		this.#serverName = serverName;
		this.#roots = roots;
	}

	/** Whether the server's certificate was checked and its Finished message has arrived. The SDK's TLS verifies that message. */
	get finished(): boolean {
		return this.#finished;
	}

	/** Call this with each record that the client sends. */
	sent(record: Uint8Array): void {
		if (record[0] === CHANGE_CIPHER_SPEC) this.#ownChange = true;
		else if (record[0] === HANDSHAKE && record[RECORD_HEAD] === CLIENT_HELLO) {
			const at = RECORD_HEAD + 4 + RANDOM;
			this.#randoms.set(record.subarray(at, at + RANDOM_BYTES));
		}
	}

	/** Call this with each complete record from the server. @throws HandshakeError */
	received(record: Uint8Array): void {
		if (record[0] === CHANGE_CIPHER_SPEC) {
			// Before the client's own ChangeCipherSpec there are no session keys, or only keys that anybody can derive.
			if (!this.#ownChange || this.#encrypted || this.#last !== SERVER_HELLO_DONE) {
				throw new HandshakeError("tls", "ChangeCipherSpec out of order");
			}
			this.#encrypted = true;
		} else if (record[0] === HANDSHAKE) {
			if (this.#encrypted) this.#finished = true;
			else this.#readMessages(record.subarray(RECORD_HEAD));
		} else if (record[0] !== ALERT) {
			// The SDK's TLS would accept unencrypted data here and deliver it as the server's after the handshake.
			throw new HandshakeError("tls", "a record of an unexpected type");
		}
	}

	#readMessages(messages: Uint8Array): void {
		for (let at = 0; at < messages.length; ) {
			const type = messages[at]!;
			const [body, next] = take(messages, at + 1);
			if (!isInTurn(type, this.#last)) throw new HandshakeError("tls", "a handshake message out of order");
			this.#last = type;
			if (type === SERVER_HELLO) {
				checkHello(body);
				this.#randoms.set(body.subarray(RANDOM, RANDOM + RANDOM_BYTES), RANDOM_BYTES);
			} else if (type === CERTIFICATE) {
				this.#key = checkServer(readCertificates(body), this.#serverName, this.#roots);
			} else if (type === SERVER_KEY_EXCHANGE) {
				checkKeyExchange(body, this.#randoms, this.#key!);
			} else if (type === CERTIFICATE_REQUEST) {
				checkRequest(body);
			}
			at = next;
		}
	}
}

/**
 * Checks the order of messages. The SDK's TLS does not: it would accept a second ServerHello, or sign as often as it is
 * asked to.
 */
function isInTurn(type: number, last: number): boolean {
	switch (type) {
		case SERVER_HELLO:
			return last === 0;
		case CERTIFICATE:
			return last === SERVER_HELLO;
		case SERVER_KEY_EXCHANGE:
			return last === CERTIFICATE;
		case CERTIFICATE_REQUEST:
			return last === SERVER_KEY_EXCHANGE;
		case SERVER_HELLO_DONE:
			return last === SERVER_KEY_EXCHANGE || last === CERTIFICATE_REQUEST;
		default:
			return false;
	}
}

/** The bytes that follow a three-byte length field, and the offset of their end. */
function take(bytes: Uint8Array, at: number): [Uint8Array, number] {
	const start = at + 3;
	const end = start + ((bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!);
	if (start > bytes.length || end > bytes.length) throw new HandshakeError("tls", "a truncated handshake message");
	return [bytes.subarray(start, end), end];
}

/** Accepts only TLS 1.2 with an ECDHE cipher suite. For plain RSA suites the SDK's TLS ignores ServerKeyExchange, signed or not. */
function checkHello(body: Uint8Array): void {
	const suite = SESSION_LENGTH + 1 + body[SESSION_LENGTH]!;
	if (body[0] !== 3 || body[1] !== 3 || body[suite] !== ECDHE) {
		throw new HandshakeError("tls", "the server did not choose TLS 1.2 with ECDHE");
	}
}

/** The certificates in a Certificate message, the server's own first. */
function readCertificates(body: Uint8Array): Certificate[] {
	const [list, end] = take(body, 0);
	const certificates: Certificate[] = [];
	for (let at = 0; at < list.length; ) {
		const [bytes, next] = take(list, at);
		if (certificates.length === LONGEST_CHAIN) throw new HandshakeError("tls", "too many certificates");
		certificates.push(read(bytes, nameOf(certificates.length)));
		at = next;
	}
	if (end !== body.length || !certificates.length) throw new HandshakeError("tls", "an invalid list of certificates");
	return certificates;
}

function read(bytes: Uint8Array, what: string): Certificate {
	try {
		return readCertificate(bytes);
	} catch (error) {
		if (error instanceof Malformed) throw new HandshakeError("tls-server", `${what} ${error.message}`);
		throw error;
	}
}

const nameOf = (index: number) =>
	index ? `the server's intermediate certificate ${index}` : "the server's certificate";

/**
 * Verifies the signature of ServerKeyExchange. The SDK's TLS verifies it again, but for RSA it compares only the hash, and
 * it accepts any signature algorithm that it does not know.
 */
function checkKeyExchange(body: Uint8Array, randoms: Uint8Array, key: PublicKey): void {
	const at = 4 + body[3]!;
	const parameters = body.subarray(0, at);
	const signature = body.subarray(at + 4);
	const length = (body[at + 2]! << 8) | body[at + 3]!;
	const kind = body[at + 1];
	const fits =
		(kind === RSA_SIGNATURE && isSigned([randoms, parameters], signature, { kind: "rsa", hash: "SHA256" }, key)) ||
		// The SDK's TLS verifies ECDSA correctly apart from this.
		(kind === ECDSA_SIGNATURE && isForCurve(signature, key));
	if (body[0] !== NAMED_CURVE || body[at] !== SHA256 || length !== signature.length || !fits) {
		throw new HandshakeError("tls", "the signature of the key exchange is not valid");
	}
}

/** Checks a CertificateRequest (RFC 5246, 7.4.4): certificate types, signature algorithms, names of authorities. */
function checkRequest(body: Uint8Array): void {
	const after = (at: number) => at + 2 + ((body[at]! << 8) | body[at + 1]!);
	const list = after(1 + body[0]!);
	let at = list + 2;
	for (let count = 0; at < body.length; count++) {
		if (count === MOST_AUTHORITIES) throw new HandshakeError("tls", "too many names in CertificateRequest");
		at = after(at);
	}
	if (at !== body.length || after(list) !== at) throw new HandshakeError("tls", "an invalid CertificateRequest");
}

/**
 * Checks the chain from the root down, so that every key has been vouched for before it is used in a computation. Returns
 * the server's public key.
 */
function checkServer(
	certificates: readonly Certificate[],
	serverName: string,
	roots: readonly Uint8Array[],
): PublicKey {
	let { issuer, top } = findRoot(certificates, roots);
	checkDates(issuer, "the root certificate");
	checkAuthority(issuer, "the root certificate", depthBelow(certificates, top + 1));
	for (let index = top; index >= 0; index--) {
		const certificate = certificates[index]!;
		const what = nameOf(index);
		// findRoot has already verified the signature of the topmost certificate.
		if (index < top && !isIssuedBy(certificate, issuer)) {
			throw new HandshakeError("tls-server", `${what} is not signed by the next one`);
		}
		checkDates(certificate, what);
		if (certificate.obstacle) throw new HandshakeError("tls-server", `${what} ${certificate.obstacle}`);
		if (index > 0) checkAuthority(certificate, what, depthBelow(certificates, index));
		issuer = certificate;
	}
	const { isAuthority, usage, forServers, names, key } = issuer;
	const refuse = (rule: string) => new HandshakeError("tls-server", `the server's certificate ${rule}`);
	if (isAuthority) throw refuse("is a CA certificate (basicConstraints)");
	if (!(usage & DIGITAL_SIGNATURE)) throw refuse("may not be used for signatures (keyUsage)");
	if (!forServers) throw refuse("is not for servers (extendedKeyUsage)");
	const wanted = serverName.toLowerCase();
	if (!hasName(names, (tag, value) => isFor(wanted, tag, value))) throw refuse("is for another name");
	if (!key) throw refuse("has a key of an unknown kind");
	// These are copies, because a view would keep the whole record in memory.
	return key.curve
		? { curve: key.curve, point: key.point!.slice() }
		: { modulus: key.modulus!.slice(), exponent: key.exponent!.slice() };
}

/**
 * Finds the certificate nearest to the server's that one of the roots has signed. Returns that root and the certificate's
 * index.
 */
function findRoot(certificates: readonly Certificate[], roots: readonly Uint8Array[]) {
	const anchors = roots.map((root) => read(root, "a root certificate of this device"));
	for (const [top, certificate] of certificates.entries()) {
		const issuer = anchors.find((anchor) => isIssuedBy(certificate, anchor));
		if (issuer) return { issuer, top };
	}
	throw new HandshakeError("tls-server", "the server's chain ends in no root certificate of this device");
}

function isIssuedBy(certificate: Certificate, { subject, key }: Certificate): boolean {
	const algorithm = signatureAlgorithm(certificate.algorithm);
	if (!key || !algorithm || !equalBytes(certificate.issuer, subject)) return false;
	return isSigned([certificate.toBeSigned], certificate.signature, algorithm, key);
}

function checkDates({ notBefore, notAfter }: Certificate, what: string): void {
	const now = Date.now();
	if (now < notBefore || now > notAfter) throw new HandshakeError("tls-dates", `${what} is not valid at this time`);
}

/**
 * How many authorities stand between this certificate and the server's. Self-issued certificates are not counted (RFC 5280,
 * 6.1.4).
 */
function depthBelow(certificates: readonly Certificate[], index: number): number {
	let depth = 0;
	for (let below = index - 1; below > 0; below--) {
		const { issuer, subject } = certificates[below]!;
		if (!equalBytes(issuer, subject)) depth++;
	}
	return depth;
}

function checkAuthority(
	{ isAuthority, usage, forServers, pathLength }: Certificate,
	what: string,
	depth: number,
): void {
	const refuse = (rule: string) => new HandshakeError("tls-server", `${what} ${rule}`);
	if (!isAuthority) throw refuse("is not a CA certificate (basicConstraints)");
	if (!(usage & KEY_CERT_SIGN)) throw refuse("may not sign certificates (keyUsage)");
	if (!forServers) throw refuse("is not for servers (extendedKeyUsage)");
	if (depth > pathLength) throw refuse("has too many CA certificates below it (pathLenConstraint)");
}

/**
 * Whether an alternative name matches the server's (RFC 9525, 6.3). A wildcard stands for the whole first label and must be
 * followed by at least two more labels. An address matches only an IP address entry, and only IPv4 is supported.
 * `serverName` is in lower case.
 */
function isFor(serverName: string, tag: number, value: Uint8Array): boolean {
	// A name that ends in a digit is an address, because no top-level domain ends in a digit.
	const isAddress = serverName.includes(":") || /\d$/.test(serverName);
	if (tag === IP_ADDRESS) return isAddress && value.length === 4 && value.join(".") === serverName;
	// A DNS name is ASCII. Other bytes might not even be valid UTF-8.
	if (tag !== DNS_NAME || isAddress || value.some((byte) => byte <= 0x20 || byte >= 0x7f)) return false;
	const name = String.fromArrayBuffer(value.slice().buffer).toLowerCase();
	const dot = serverName.indexOf(".");
	return name === serverName || (dot > 0 && name === `*${serverName.slice(dot)}` && serverName.includes(".", dot + 1));
}
