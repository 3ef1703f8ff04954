// Watches a TLS 1.2 handshake record by record and checks of the server what the SDK's TLS (8.2) does not: that each
// certificate was signed by the next up to the root, and by an authority; that the key exchange is signed at all; that the
// change of cipher comes in its turn. Must be at least as strict as TLS in what it reads, and see each record before TLS.

import CertificateManager from "ssl/cert";
import X509, { type AlternativeName } from "x509";
import { equalBytes } from "../../src/identity/der.js";

// Content types of records and types of handshake messages (RFC 5246, 6.2.1 and 7.4).
const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const CERTIFICATE = 11;
const SERVER_KEY_EXCHANGE = 12;
const RECORD_HEAD = 5;

// ServerKeyExchange (RFC 8422, 5.4; RFC 5246, 7.4.1.4.1): the one kind of curve, and the algorithms that TLS offers.
const NAMED_CURVE = 3;
const SHA256 = 4;
const RSA = 1;
const ECDSA = 3;

// Of certificates (RFC 5280, 4.2.1): tags of alternative names; basicConstraints and how a CA's begin.
const DNS_NAME = 2;
const IP_ADDRESS = 7;
const BASIC_CONSTRAINTS = Object.freeze([2, 5, 29, 19]);
const SEQUENCE = 0x30;
const CA = Object.freeze([0x01, 0x01, 0xff]);

/** The server is not who it should be, or does not speak TLS as it should. */
export class HandshakeError extends Error {
	readonly reason: "tls" | "tls-dates" | "tls-server";

	constructor(reason: HandshakeError["reason"], message: string) {
		super(message);
		this.reason = reason;
	}
}

/** One handshake, seen from the client. */
export class Handshake {
	readonly #serverName: string;
	readonly #roots: readonly Uint8Array[];
	#trusted = false;
	#ownChange = false;
	#encrypted = false;
	#finished = false;

	/** @param roots certificates (DER) that the server's chain may end in */
	constructor(serverName: string, roots: readonly Uint8Array[]) {
		this.#serverName = serverName;
		this.#roots = roots;
	}

	/** Whether the server was checked and its Finished has come; that it is right, TLS checks. */
	get finished(): boolean {
		return this.#finished;
	}

	/** This side sends a record. */
	sent(record: Uint8Array): void {
		if (record[0] === CHANGE_CIPHER_SPEC) this.#ownChange = true;
	}

	/** A whole record has come from the server. @throws HandshakeError */
	received(record: Uint8Array): void {
		if (record[0] === CHANGE_CIPHER_SPEC) {
			// Ahead of this side's own there are no keys yet, or keys that anybody knows.
			if (!this.#ownChange || !this.#trusted) throw new HandshakeError("tls", "a change of cipher out of turn");
			this.#encrypted = true;
		} else if (record[0] === HANDSHAKE) {
			if (this.#encrypted) this.#finished = true;
			else this.#readMessages(record.subarray(RECORD_HEAD));
		}
	}

	#readMessages(messages: Uint8Array): void {
		for (let at = 0; at < messages.length; ) {
			const [body, next] = take(messages, at + 1);
			if (messages[at] === CERTIFICATE) {
				checkServer(readCertificates(body), this.#serverName, this.#roots);
				this.#trusted = true;
			} else if (messages[at] === SERVER_KEY_EXCHANGE) checkKeyExchange(body);
			at = next;
		}
	}
}

/** The bytes behind a length of three bytes, and where they end. */
function take(bytes: Uint8Array, at: number): [Uint8Array, number] {
	const start = at + 3;
	const end = start + ((bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!);
	if (start > bytes.length || end > bytes.length) throw new HandshakeError("tls", "a message is cut short");
	return [bytes.subarray(start, end), end];
}

/** The server's own first. */
function readCertificates(body: Uint8Array): Uint8Array[] {
	const [list, end] = take(body, 0);
	const certificates: Uint8Array[] = [];
	for (let at = 0; at < list.length; ) {
		const [certificate, next] = take(list, at);
		certificates.push(certificate);
		at = next;
	}
	if (end !== body.length || !certificates.length) throw new HandshakeError("tls", "a bad list of certificates");
	return certificates;
}

/** TLS checks the signature when its algorithms are known to it, and lets any other pass. */
function checkKeyExchange(body: Uint8Array): void {
	const at = 4 + body[3]!;
	const algorithms = body[0] === NAMED_CURVE && body[at] === SHA256 && (body[at + 1] === RSA || body[at + 1] === ECDSA);
	const length = (body[at + 2]! << 8) | body[at + 3]!;
	if (!algorithms || !length || at + 4 + length !== body.length) {
		throw new HandshakeError("tls", "the key exchange is not signed as it should be");
	}
}

function checkServer(certificates: readonly Uint8Array[], serverName: string, roots: readonly Uint8Array[]): void {
	if (!(X509.decodeSAN(certificates[0]!) ?? []).some((name) => isFor(name, serverName.toLowerCase()))) {
		throw new HandshakeError("tls-server", "the server's certificate is for another name");
	}
	const manager = new CertificateManager({});
	for (const [index, bytes] of certificates.entries()) {
		const certificate = X509.decode(bytes);
		const { issuer, validity } = X509.decodeTBS(certificate.tbs);
		checkDates(validity, "a certificate of the server");
		for (const root of roots) {
			const anchor = X509.decode(root);
			const { subject, validity } = X509.decodeTBS(anchor.tbs);
			if (!equalBytes(issuer, subject) || !manager._verify(anchor.spki, certificate)) continue;
			checkDates(validity, "the root certificate");
			return;
		}
		const authority = certificates[index + 1];
		if (!authority || !isAuthority(authority) || !manager._verify(X509.decode(authority).spki, certificate)) break;
	}
	throw new HandshakeError("tls-server", "the server's certificate ends in no root that this device knows");
}

function checkDates({ from, to }: { readonly from: number; readonly to: number }, what: string): void {
	const now = Date.now();
	if (now < from || now > to) throw new HandshakeError("tls-dates", `${what} is not valid at this time`);
}

/** RFC 6125, 6.4: a wildcard stands for the whole first label. `serverName` is in lower case. */
function isFor({ tag, value }: AlternativeName, serverName: string): boolean {
	if (tag === IP_ADDRESS) return new Uint8Array(value as ArrayBuffer).join(".") === serverName;
	if (tag !== DNS_NAME) return false;
	const name = (value as string).toLowerCase();
	const dot = serverName.indexOf(".");
	return name === serverName || (name.startsWith("*.") && dot > 0 && name.slice(1) === serverName.slice(dot));
}

function isAuthority(certificate: Uint8Array): boolean {
	const value = X509.decodeExtension(certificate, BASIC_CONSTRAINTS);
	if (!value) return false;
	const bytes = new Uint8Array(value);
	return bytes[0] === SEQUENCE && CA.every((byte, index) => byte === bytes[index + 2]);
}
