// Lets a client with an EC key authenticate itself: the SDK's TLS supports only RSA keys for this. When the SDK's handshake
// reaches the client's CertificateVerify message (RFC 5246, 7.4.8), the message written here is sent in its place. Must be
// preloaded. Written for SDK 8.2.3. Modifies no file of the SDK and changes nothing for RSA keys. If the SDK's handshake
// does not work as expected, nothing is replaced and `signsWithEc` is false.

/// <reference path="../types/undeclared.d.ts" />

import handshake, { type Session } from "ssl/handshake";
import SSLSession from "ssl/session";
import SSLStream from "ssl/stream";
import type { EcKey } from "../../../src/identity/ec.js";
import { sign } from "./ecdsa.js";

/** Types of handshake messages, and ECDSA with SHA-256 as TLS 1.2 names it (RFC 5246, 7.4.1.4.1). */
const SERVER_HELLO_DONE = 14;
const CERTIFICATE_VERIFY = 15;
const ECDSA_SHA256 = 0x0403;

const { certificateVerify } = handshake;
const { doProtocol } = SSLSession.prototype;

/** The session options that are added for a client with an EC key. */
interface EcOptions {
	readonly ecKey?: EcKey;
	/** The curves that the client offers the server. Without this option the SDK offers only P-256. */
	readonly tls_elliptic_curves?: readonly number[];
}

/** NamedCurve (RFC 8422, 5.1.1). */
const SECP256R1 = 23;
const SECP384R1 = 24;

/** Options for TLSOptions.secure. A server accepts a client's key only on a curve that the client has offered (RFC 8422, 5.1.1). */
export const optionsFor = (ecKey: EcKey): EcOptions => ({
	ecKey,
	...(ecKey.curve === "P-384" && { tls_elliptic_curves: [SECP256R1, SECP384R1] }),
});

const ecKeyOf = ({ options }: Session): EcKey | undefined => (options as EcOptions).ecKey;

/** Replaces the SDK's CertificateVerify message. */
const ours = Object.freeze({
	packetize(session: Session): unknown {
		session.traceProtocol(certificateVerify);
		const digest = new Uint8Array(certificateVerify.calculateDigest(session));
		const signature = sign(ecKeyOf(session)!, digest);
		const body = new SSLStream();
		body.writeChars(ECDSA_SHA256, 2);
		body.writeChars(signature.length, 2);
		body.writeChunk(signature);
		return handshake.packetize(session, CERTIFICATE_VERIFY, body);
	},
});

/**
 * Replaces the SDK's method. Returns false if that is impossible, as it is after preloading, when the SDK's objects are in
 * flash.
 */
function takePlace(): boolean {
	try {
		SSLSession.prototype.doProtocol = function (this: Session, socket, protocol, ...more) {
			const own = protocol === certificateVerify && ecKeyOf(this) !== undefined;
			return doProtocol.call(this, socket, own ? ours : protocol, ...more);
		};
		return SSLSession.prototype.doProtocol !== doProtocol;
	} catch {
		return false;
	}
}

/**
 * Checks that the SDK's handshake still works as expected: runs the step that follows ServerHelloDone with a dummy session,
 * and checks that CertificateVerify is sent in the expected place and through the method that is replaced.
 */
function isAsExpected(): boolean {
	const seen: unknown[] = [];
	const session = {
		handshakeProcess: SERVER_HELLO_DONE,
		clientCerts: [],
		myCert: {},
		doProtocol: (_socket: unknown, protocol: unknown) => void seen.push(protocol),
	};
	try {
		SSLSession.prototype.handshake.call(session, {});
	} catch {
		return false;
	}
	return (
		certificateVerify.msgType === CERTIFICATE_VERIFY &&
		seen.indexOf(certificateVerify) === 2 &&
		typeof certificateVerify.calculateDigest === "function" &&
		typeof handshake.packetize === "function" &&
		typeof doProtocol === "function"
	);
}

/** Whether EC keys can be used: the SDK's handshake works as expected, and its method was replaced. */
export const signsWithEc = isAsExpected() && takePlace();
