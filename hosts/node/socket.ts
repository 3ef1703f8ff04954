// The TLS socket of a simulated device: node:tls in the shape of src/contract/host.ts.

import { X509Certificate } from "node:crypto";
import { checkServerIdentity, connect, type PeerCertificate } from "node:tls";
import type { Socket, SocketError, SocketErrorReason, SocketOptions } from "../../src/contract/host.js";

/** How many bytes a simulated device may write before it has to wait, as on the ESP32 (lwIP's TCP_SND_BUF is 5,744). */
const WINDOW = 5744;

/** Is told the bytes of MQTT (not of TLS) that are sent and received, to count them. */
export interface Traffic {
	/** Bytes went out. */
	sent(bytes: Uint8Array): void;
	/** Bytes came in. */
	received(bytes: Uint8Array): void;
}

const pem = (label: string, der: Uint8Array): string =>
	`-----BEGIN ${label}-----\n${Buffer.from(der)
		.toString("base64")
		.replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;

/** The server's certificate is not valid by the device's clock, which may differ from this machine's. */
class CertificateDatesError extends Error {}

/** Opens a socket as `Host.openSocket` says. `now` is the device's clock (ms since 1970). */
export function openTlsSocket(options: SocketOptions, now: () => number | undefined, traffic?: Traffic): Socket {
	let secured = false;
	let ended = false;
	let waiting: Buffer[] = [];
	let writable = 0;

	const end = (reason: SocketErrorReason, message: string): void => {
		if (ended) return;
		ended = true;
		socket.destroy();
		options.onError({ reason, message } satisfies SocketError);
	};
	const allow = (): void => {
		if (ended || writable === WINDOW) return;
		writable = WINDOW;
		options.onWritable(writable);
	};

	const socket = connect({
		host: options.host,
		port: options.port,
		...(/^[\d.]+$|:/.test(options.serverName) ? {} : { servername: options.serverName }),
		ALPNProtocols: [...(options.protocols ?? [])],
		ca: options.roots.map((root) => pem("CERTIFICATE", root)),
		cert: pem("CERTIFICATE", options.credentials.certificate),
		key: pem("PRIVATE KEY", options.credentials.key),
		minVersion: "TLSv1.2",
		checkServerIdentity: (name: string, certificate: PeerCertificate) =>
			checkDates(certificate, now()) ?? checkServerIdentity(options.serverName || name, certificate),
	});
	socket.setNoDelay(true);
	socket.on("secureConnect", () => {
		secured = true;
		allow();
	});
	socket.on("data", (bytes: Buffer) => {
		if (ended) return;
		traffic?.received(bytes);
		waiting.push(bytes);
		options.onReadable(waiting.reduce((sum, part) => sum + part.length, 0));
	});
	socket.on("error", (error: NodeJS.ErrnoException) => end(reasonOf(error, secured), describe(error)));
	socket.on("close", () =>
		end("closed", secured ? "closed by the other side" : "closed by the other side during the handshake"),
	);

	return {
		read() {
			if (waiting.length === 0) return undefined;
			const bytes = Buffer.concat(waiting);
			waiting = [];
			return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
		},
		write(bytes) {
			if (ended) return;
			if (bytes.length > writable) throw new RangeError(`${bytes.length} bytes written, ${writable} allowed`);
			writable -= bytes.length;
			traffic?.sent(bytes);
			socket.write(Buffer.from(bytes), allow);
		},
		close() {
			if (ended) return;
			ended = true;
			socket.end();
			// Not every server hangs up in turn.
			setTimeout(() => socket.destroy(), 1000).unref();
		},
	};
}

function checkDates(certificate: PeerCertificate, now: number | undefined): Error | undefined {
	if (now === undefined) return new CertificateDatesError("this device's clock is not set");
	const { validFrom, validTo } = new X509Certificate(certificate.raw);
	if (now < Date.parse(validFrom))
		return new CertificateDatesError(`valid from ${validFrom}, the clock says ${new Date(now).toISOString()}`);
	if (now > Date.parse(validTo))
		return new CertificateDatesError(`valid to ${validTo}, the clock says ${new Date(now).toISOString()}`);
	return undefined;
}

/** OpenSSL's verification failures, by Node's names (Node.js documentation, "X509 certificate error codes"). */
const UNTRUSTED =
	/^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_(UNTRUSTED|REJECTED|SIGNATURE)|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME)/;
const UNREACHABLE = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ETIMEDOUT|EADDRNOTAVAIL|EACCES|EPERM)$/;
/** Alerts 40 to 49 and 116 are about the certificate that this side sent (RFC 8446, section 6.2). */
const ALERT =
	/alert (bad certificate|unsupported certificate|certificate (revoked|expired|unknown|required)|unknown ca|access denied|handshake failure)/i;

function reasonOf(error: NodeJS.ErrnoException, secured: boolean): SocketErrorReason {
	const code = error.code ?? "";
	if (error instanceof CertificateDatesError || code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
		return "tls-dates";
	if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EAI_FAIL") return "resolve";
	if (UNREACHABLE.test(code)) return "connect";
	if (UNTRUSTED.test(code)) return "tls-server";
	// Until the server is authenticated, anybody may have sent the alert.
	if (secured && ALERT.test(error.message)) return "tls-client";
	return secured || code === "ECONNRESET" || code === "EPIPE" ? "closed" : "tls";
}

/** The reason in one of OpenSSL's messages, without the names of its source files. */
function describe(error: NodeJS.ErrnoException): string {
	const reason = /:([^:]+):[^:]*\.c:\d+/.exec(error.message)?.[1];
	return reason ?? error.message;
}
