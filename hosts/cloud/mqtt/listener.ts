// A TLS port. Bounds how many connections may be in their handshake, and drops all connections when it closes.

import { constants } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import { listen } from "../base/listen.js";
import type { Settings } from "../base/settings.js";

/** How to open a port. */
export interface ListenerOptions {
	readonly host: string;
	/** 0: any free port. */
	readonly port: number;
	/** Keys and certificates of the server, PEM, for one kind of key or for two. A client's suites decide which one it is shown. */
	readonly identities: readonly { readonly key: string; readonly cert: string }[];
	/** ALPN protocols that are spoken here, the best one first. */
	readonly alpnProtocols?: readonly string[];
	/** Whether clients must ask for one of them. */
	readonly alpnRequired?: boolean;
	/** Its time limit and its bounds are read when the port is opened. */
	readonly settings: Settings["connection"];
	readonly report: (event: CloudEventBody) => void;
	/** Called with each socket whose handshake is done. */
	readonly accept: (socket: TLSSocket) => void;
}

/** An open port. */
export interface Listener {
	readonly port: number;
	/** Stops listening and drops all connections. */
	close(): Promise<void>;
}

/**
 * Cipher suites of AWS's IoTSecurityPolicy_TLS13_1_2_2022_10. The server chooses, and prefers RSA. AWS must do so, too: clients
 * with OpenSSL offer ECDSA first, and could not manage with Amazon Root CA 1 alone otherwise.
 */
const CIPHERS = [
	"TLS_AES_128_GCM_SHA256",
	"TLS_AES_256_GCM_SHA384",
	"TLS_CHACHA20_POLY1305_SHA256",
	...["RSA", "ECDSA"].flatMap((kind) =>
		["AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA384", "AES256-SHA"].map(
			(rest) => `ECDHE-${kind}-${rest}`,
		),
	),
].join(":");

/** Makes the same choice in TLS 1.3, whose suites do not name the kind of key. Clients may sign with these algorithms, too. */
const SIGNATURE_ALGORITHMS = ["RSA-PSS", "RSA", "ECDSA"]
	.flatMap((kind) => ["SHA256", "SHA384", "SHA512"].map((hash) => `${kind}+${hash}`))
	.join(":");

/** Opens a port. @throws the system's error when it is in use */
export async function openListener(options: ListenerOptions): Promise<Listener> {
	const { settings, report, alpnProtocols, alpnRequired = false } = options;
	const open = new Set<Socket>();
	const handshaking = new Set<Socket>();
	const refuse = (reason: string, explanation: string) =>
		report({ event: "refused", connectionId: "", reason, explanation });
	const failed: Failed = (where, error) =>
		report({ event: "warning", message: `The port failed in ${where}: ${messageOf(error)}` });
	const accept = guarded("a new connection", failed, options.accept);
	const server = createServer(
		{
			key: options.identities.map(({ key }) => key),
			cert: options.identities.map(({ cert }) => cert),
			minVersion: "TLSv1.2",
			ciphers: CIPHERS,
			sigalgs: SIGNATURE_ALGORITHMS,
			honorCipherOrder: true,
			requestCert: true,
			// The account decides which certificates are known, not a chain. The handshake proves the client's key.
			rejectUnauthorized: false,
			// The CertificateRequest names no authorities, so that a device shows the one certificate that it has.
			ca: [],
			handshakeTimeout: Math.min(settings.handshakeTimeout, LONGEST_TIMER),
			secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
			noDelay: true,
			...(alpnProtocols && { ALPNProtocols: [...alpnProtocols] }),
		},
		(socket) => {
			if (!alpnRequired || socket.alpnProtocol) return accept(socket);
			const [first, ...others] = alpnProtocols ?? [];
			const more = others.length > 0 ? ` (or ${others.join(", ")})` : "";
			refuse("no ALPN", `On this port the client must ask for the ALPN protocol ${first}${more}.`);
			socket.on("error", () => {});
			socket.destroy();
		},
	);
	server.maxConnections = settings.maximum;
	server.on("connection", (socket) => {
		open.add(socket);
		handshaking.add(socket);
		socket.once("close", () => {
			open.delete(socket);
			handshaking.delete(socket);
		});
		if (handshaking.size <= settings.maximumPending) return;
		const [oldest] = handshaking;
		oldest?.destroy();
	});
	server.on("secureConnection", (socket) => {
		// A TLS socket does not tell its plain socket; the remote address and port identify it.
		for (const other of handshaking) {
			if (other.remotePort === socket.remotePort && other.remoteAddress === socket.remoteAddress)
				handshaking.delete(other);
		}
	});
	// A handshake that fails is the client's problem. Without this listener it would end the process.
	server.on("tlsClientError", (error, socket) => {
		const { code = "unknown" } = error as NodeJS.ErrnoException;
		if (code !== "ECONNRESET") refuse("TLS handshake", `The TLS handshake failed (${code}).`);
		socket.destroy();
	});
	await listen(server, { host: options.host, port: options.port });
	// Once the server listens, an error is a connection that could not be accepted, for lack of file descriptors.
	server.on("error", (error) => failed("accept", error));
	return {
		port: (server.address() as AddressInfo).port,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of open) socket.destroy();
			}),
	};
}
