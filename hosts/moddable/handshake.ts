// Watches a TLS 1.2 handshake record by record and checks of the server what the SDK's TLS (8.2) does not: that each
// certificate was signed by the next up to the root, and by an authority; that there is a key exchange, and a signed one;
// that every record comes in its turn. Must be at least as strict as TLS in what it reads, and see each record before TLS.
// Must compute with no key and no number that could be anybody's: the SDK's arithmetic does not return from some of them.

import { Digest } from "crypt";
import ECDSA from "ecdsa";
import PKCS1_5 from "pkcs1_5";
import X509, { type AlternativeName, type Certificate, type SubjectPublicKey } from "x509";
import { checkDer, equalBytes, INTEGER, openDer, SEQUENCE } from "../../src/identity/der.js";

// Content types of records and types of handshake messages (RFC 5246, 6.2.1 and 7.4).
const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const SERVER_HELLO = 2;
const CERTIFICATE = 11;
const SERVER_KEY_EXCHANGE = 12;
const RECORD_HEAD = 5;

// ServerHello (RFC 5246, 7.4.1.3): where its session's length stands; how the suites with ECDHE that TLS offers begin.
const SESSION_LENGTH = 34;
const ECDHE = 0xc0;

// ServerKeyExchange (RFC 8422, 5.4; RFC 5246, 7.4.1.4.1): the one kind of curve, and the algorithms that TLS offers.
const NAMED_CURVE = 3;
const SHA256 = 4;
const RSA_SIGNATURE = 1;
const ECDSA_SIGNATURE = 3;

// Of certificates (RFC 5280, 4.2.1): tags of alternative names; basicConstraints and how a CA's begin.
const DNS_NAME = 2;
const IP_ADDRESS = 7;
const BASIC_CONSTRAINTS = Object.freeze([2, 5, 29, 19]);
const CA = Object.freeze([0x01, 0x01, 0xff]);

/** How many certificates are looked at; AWS sends four. */
const LONGEST_CHAIN = 6;

/** Bits of an RSA key's modulus. */
const RSA_BITS = Object.freeze({ least: 2048, most: 4096 });

/** The hash of each algorithm that certificates may be signed with (RFC 8017, A.2.4; RFC 5758, 3.2). */
const RSA_HASHES: Readonly<Record<string, string>> = Object.freeze({
	"1,2,840,113549,1,1,11": "SHA256",
	"1,2,840,113549,1,1,12": "SHA384",
	"1,2,840,113549,1,1,13": "SHA512",
});
const ECDSA_HASHES: Readonly<Record<string, string>> = Object.freeze({
	"1,2,840,10045,4,3,2": "SHA256",
	"1,2,840,10045,4,3,3": "SHA384",
	"1,2,840,10045,4,3,4": "SHA512",
});

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
	/** The server's, once it was checked. */
	#key: SubjectPublicKey | undefined;
	#ecdhe = false;
	#keysExchanged = false;
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
			const inTurn = this.#ownChange && this.#ecdhe && this.#keysExchanged;
			if (!inTurn) throw new HandshakeError("tls", "a change of cipher out of turn");
			this.#encrypted = true;
		} else if (record[0] === HANDSHAKE) {
			if (this.#encrypted) this.#finished = true;
			else this.#readMessages(record.subarray(RECORD_HEAD));
		} else if (record[0] !== ALERT) {
			// TLS would take data in the clear, and hand them out as the server's once the handshake is over.
			throw new HandshakeError("tls", "a record that has no place in a handshake");
		}
	}

	#readMessages(messages: Uint8Array): void {
		for (let at = 0; at < messages.length; ) {
			const [body, next] = take(messages, at + 1);
			if (messages[at] === SERVER_HELLO) {
				checkHello(body);
				this.#ecdhe = true;
			} else if (messages[at] === CERTIFICATE) {
				this.#key = checkServer(readCertificates(body), this.#serverName, this.#roots);
			} else if (messages[at] === SERVER_KEY_EXCHANGE) {
				checkKeyExchange(body, this.#key);
				this.#keysExchanged = true;
			}
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

/** With RSA alone, TLS takes no notice of a key exchange, signed or not. */
function checkHello(body: Uint8Array): void {
	const suite = SESSION_LENGTH + 1 + body[SESSION_LENGTH]!;
	if (body[0] !== 3 || body[1] !== 3 || body[suite] !== ECDHE) {
		throw new HandshakeError("tls", "the server does not choose TLS 1.2 with ECDHE");
	}
}

/** The server's own first. Sound DER all of them: the SDK's native code believes the lengths that it reads. */
function readCertificates(body: Uint8Array): Uint8Array[] {
	const [list, end] = take(body, 0);
	const certificates: Uint8Array[] = [];
	for (let at = 0; at < list.length; ) {
		const [certificate, next] = take(list, at);
		certificates.push(certificate);
		at = next;
	}
	const { length } = certificates;
	if (end !== body.length || !length || length > LONGEST_CHAIN || !certificates.every(isDer)) {
		throw new HandshakeError("tls", "a bad list of certificates");
	}
	return certificates;
}

function isDer(bytes: Uint8Array): boolean {
	try {
		checkDer(bytes);
		return true;
	} catch {
		return false;
	}
}

/** TLS checks the signature when its algorithms are known to it, and lets any other pass. `key` is the server's. */
function checkKeyExchange(body: Uint8Array, key: SubjectPublicKey | undefined): void {
	const at = 4 + body[3]!;
	const signature = body.subarray(at + 4);
	const length = (body[at + 2]! << 8) | body[at + 3]!;
	const fits =
		(body[at + 1] === RSA_SIGNATURE && isForRsa(signature, key)) ||
		(body[at + 1] === ECDSA_SIGNATURE && isForEcdsa(signature, key));
	if (body[0] !== NAMED_CURVE || body[at] !== SHA256 || length !== signature.length || !fits) {
		throw new HandshakeError("tls", "the key exchange is not signed as it should be");
	}
}

/** From the root down, so that each key was vouched for before anything is computed with it. The server's key. */
function checkServer(
	certificates: readonly Uint8Array[],
	serverName: string,
	roots: readonly Uint8Array[],
): SubjectPublicKey {
	let { top, key } = findTop(certificates, roots);
	for (; top > 0; top--) {
		const certificate = X509.decode(certificates[top - 1]!);
		if (!isAuthority(certificates[top]!) || !isSigned(certificate, key)) throw strangerError();
		checkDates(certificate, "a certificate of the server");
		key = certificate.spki;
	}
	if (!(X509.decodeSAN(certificates[0]!) ?? []).some((name) => isFor(name, serverName.toLowerCase()))) {
		throw new HandshakeError("tls-server", "the server's certificate is for another name");
	}
	return key;
}

/** The certificate nearest to the server's that one of the roots has signed: its index and its key. */
function findTop(certificates: readonly Uint8Array[], roots: readonly Uint8Array[]) {
	for (const [top, bytes] of certificates.entries()) {
		const certificate = X509.decode(bytes);
		const { issuer } = X509.decodeTBS(certificate.tbs);
		for (const root of roots) {
			const anchor = X509.decode(root);
			if (!equalBytes(issuer, X509.decodeTBS(anchor.tbs).subject) || !isSigned(certificate, anchor.spki)) continue;
			checkDates(anchor, "the root certificate");
			checkDates(certificate, "a certificate of the server");
			return { top, key: certificate.spki };
		}
	}
	throw strangerError();
}

const strangerError = () =>
	new HandshakeError("tls-server", "the server's certificate ends in no root that this device knows");

/** Whether the certificate was signed with that key's other half. The key must be a root's, or vouched for by one. */
function isSigned({ tbs, algo, sig }: Certificate, key: SubjectPublicKey): boolean {
	const algorithm = algo.toString();
	const rsa = RSA_HASHES[algorithm];
	if (rsa && isForRsa(sig, key)) return new PKCS1_5(key, false, []).verify(new Digest(rsa).process(tbs), sig);
	const ecdsa = ECDSA_HASHES[algorithm];
	if (!ecdsa || !isForEcdsa(sig, key)) return false;
	// The SDK's own check of certificates joins r and s without padding, which fails for one signature in 128.
	return new ECDSA(key.pub, key.curve).verify(new Digest(ecdsa).process(tbs), sig, true);
}

/**
 * Whether this may be the signature of such a key, and the key is one to compute with. A small exponent would let forged
 * signatures pass: the SDK does not look at what follows the hash in them (Bleichenbacher's attack).
 */
function isForRsa(signature: Uint8Array, key: SubjectPublicKey | undefined): key is SubjectPublicKey {
	if (key?.modulus === undefined || key.exponent === undefined) return false;
	const { modulus, exponent } = key;
	const bits = signature.length * 8;
	if (bits < RSA_BITS.least || bits > RSA_BITS.most || exponent < 0x10001n || exponent > 0xffffffffn) return false;
	// As many bytes as the modulus, which is odd: Montgomery's arithmetic needs that.
	return modulus >> BigInt(bits - 8) > 0n && modulus >> BigInt(bits) === 0n && (modulus & 1n) === 1n;
}

/** Whether r and s (RFC 3279, 2.2.3) are positive and below the order of the key's curve: with s = 0 ECDSA never ends. */
function isForEcdsa(signature: Uint8Array, key: SubjectPublicKey | undefined): key is Required<SubjectPublicKey> {
	if (!key?.curve) return false;
	try {
		const integers = openDer(signature, SEQUENCE);
		for (let count = 0; count < 2; count++) {
			const bytes = integers.read(INTEGER);
			if (!bytes.length || bytes[0]! >= 0x80 || bytes.length > key.curve.orderSize + 1) return false;
			let value = 0n;
			for (const byte of bytes) value = (value << 8n) | BigInt(byte);
			if (value === 0n || value >= key.curve.n) return false;
		}
		integers.end();
		return true;
	} catch {
		return false;
	}
}

function checkDates({ tbs }: Certificate, what: string): void {
	const { from, to } = X509.decodeTBS(tbs).validity;
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
