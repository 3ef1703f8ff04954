// A TLS port: keeps count of the connections whose handshake is not done, and lets go of all of them when it closes.

import { constants } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";

/** What a port is opened with. */
export interface ListenerOptions {
	readonly host: string;
	/** 0: any free one. */
	readonly port: number;
	/** Keys and certificates of the server, PEM: of one kind of key or of two. Which a client is shown, its suites decide. */
	readonly identities: readonly { readonly key: string; readonly cert: string }[];
	/** The one ALPN protocol to be spoken; none is asked for when absent. */
	readonly alpnProtocol?: string;
	/** Its time limit and its bounds are read when the port is opened. */
	readonly settings: Settings["connection"];
	readonly report: (event: CloudEventBody) => void;
	/** Given each socket whose handshake is done. */
	readonly accept: (socket: TLSSocket) => void;
}

/** An open port. */
export interface Listener {
	readonly port: number;
	/** Stops listening and drops what is open. */
	close(): Promise<void>;
}

/**
 * Suites of AWS's IoTSecurityPolicy_TLS13_1_2_2022_10. The server chooses, and RSA comes first: a client that offers both kinds
 * sees a chain to Amazon Root CA 1 from AWS, too, or no client on OpenSSL, which puts ECDSA first, could do with that root alone.
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

/** The same choice in TLS 1.3, whose suites say nothing of the key; also what clients may sign with. */
const SIGNATURE_ALGORITHMS = ["RSA-PSS", "RSA", "ECDSA"]
	.flatMap((kind) => ["SHA256", "SHA384", "SHA512"].map((hash) => `${kind}+${hash}`))
	.join(":");

/** Opens a port. Rejects with the system's error when it is taken. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
	const { settings, report, alpnProtocol } = options;
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
			// Whose certificate it is decides the account, not a chain; the handshake proves its key.
			rejectUnauthorized: false,
			// No names of authorities in the CertificateRequest: a device has one certificate, and that is to be shown.
			ca: [],
			handshakeTimeout: settings.handshakeTimeout,
			secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
			noDelay: true,
			...(alpnProtocol !== undefined && { ALPNProtocols: [alpnProtocol] }),
		},
		(socket) => {
			if (alpnProtocol === undefined || socket.alpnProtocol === alpnProtocol) return accept(socket);
			refuse("no ALPN", `On this port the client must ask for the ALPN protocol ${alpnProtocol}.`);
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
		// The plain socket below is not to be had from the TLS socket; its ends tell which one it is.
		for (const other of handshaking) {
			if (other.remotePort === socket.remotePort && other.remoteAddress === socket.remoteAddress)
				handshaking.delete(other);
		}
	});
	// A handshake that fails is the client's affair; without a listener it would end the process.
	server.on("tlsClientError", (error, socket) => {
		const { code = "unknown" } = error as NodeJS.ErrnoException;
		if (code !== "ECONNRESET") refuse("TLS handshake", `The TLS handshake failed (${code}).`);
		socket.destroy();
	});
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(options.port, options.host, () => {
			server.off("error", reject);
			resolve();
		});
	});
	// Once it listens, an error is a connection that could not be taken: no descriptors are left.
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
