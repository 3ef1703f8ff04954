// Lets the SDK's TLS prove itself with an EC key, which by itself it does with RSA only: when its handshake comes to the client's
// CertificateVerify (RFC 5246, 7.4.8), the message is ours. Must be preloaded. Written for SDK 8.2.3. Changes no file of the SDK and
// nothing for RSA keys; where the SDK's handshake is no longer as expected, it changes nothing at all and says so.

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

/** What the options of a session are given for a client with an EC key. */
interface EcOptions {
	readonly ecKey?: EcKey;
	/** The curves that the SDK offers the server; by itself P-256 alone. */
	readonly tls_elliptic_curves?: readonly number[];
}

/** NamedCurve (RFC 8422, 5.1.1). */
const SECP256R1 = 23;
const SECP384R1 = 24;

/** For TLSOptions.secure. A server takes a client's key only on a curve that the client has offered (RFC 8422, 5.1.1). */
export const optionsFor = (ecKey: EcKey): EcOptions => ({
	ecKey,
	...(ecKey.curve === "P-384" && { tls_elliptic_curves: [SECP256R1, SECP384R1] }),
});

const ecKeyOf = ({ options }: Session): EcKey | undefined => (options as EcOptions).ecKey;

/** In place of the SDK's message. */
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

/** Takes the place of the SDK's method, and says whether it could: after preloading, the SDK's objects are in flash for good. */
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
 * Lets the SDK go through what a client sends after ServerHelloDone, with nothing behind it: its CertificateVerify must come, and
 * come where it is caught.
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

/** Whether EC keys can be used: the SDK does what is replaced here as is expected, and it was replaced. */
export const signsWithEc = isAsExpected() && takePlace();
