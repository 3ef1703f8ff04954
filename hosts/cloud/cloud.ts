// The local AWS IoT: state, authority, provisioning, broker and their sockets, put together. On loopback unless told otherwise.

import { constants } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { type Authority, openAuthority } from "./authority.js";
import { type Broker, openBroker } from "./broker.js";
import { type CloudEvent, EventLog, Metrics } from "./events.js";
import { Provisioning } from "./provisioning.js";
import { Registry } from "./registry.js";
import { changeSettings, defaultSettings, type Settings, type SettingsPatch } from "./settings.js";
import { openState } from "./state.js";

/** How to start a cloud; everything has a default. */
export interface CloudOptions {
	/** Where its state is kept; made when absent. In memory only when not given. */
	readonly directory?: string;
	/** Address to listen on. Default 127.0.0.1. */
	readonly host?: string;
	/** MQTT over TLS. Default 0: any free port. AWS's is 8883. */
	readonly port?: number;
	/** The same for clients that ask for ALPN `x-amzn-mqtt-ca`. Default 0: any free port. AWS's is 443. */
	readonly alpnPort?: number;
	/** More names and addresses for the server certificate. */
	readonly serverNames?: readonly string[];
	/** 12 digits; made up on first use. */
	readonly accountId?: string;
	/** Default us-east-1. */
	readonly region?: string;
	readonly settings?: SettingsPatch;
	/** ms since 1970. Default `Date.now`. */
	readonly now?: () => number;
	/** Called with each event; must not throw. */
	readonly onEvent?: (event: CloudEvent) => void;
}

/** A running cloud. */
export interface Cloud {
	/** Name of the data endpoint as AWS forms it; the server certificate is for it, too. */
	readonly endpoint: string;
	/** Where it listens. */
	readonly host: string;
	readonly port: number;
	readonly alpnPort: number;
	/** PEM of the root that devices must trust. */
	readonly rootCertificate: string;
	/** The same as a file; absent without a directory. */
	readonly rootCertificatePath?: string;
	readonly registry: Registry;
	readonly authority: Authority;
	readonly provisioning: Provisioning;
	/** Live: a change takes effect at its next use. `changeSettings` checks what it is given. */
	readonly settings: Settings;
	changeSettings(patch: SettingsPatch): void;
	readonly events: EventLog;
	readonly metrics: Metrics;
	/** Number of MQTT connections. */
	readonly connections: () => number;
	/** Drops every connection, stops listening, lets go of the state. */
	close(): Promise<void>;
}

const alpnProtocol = "x-amzn-mqtt-ca";
/** TLS 1.2 suites of AWS's IoTSecurityPolicy_TLS13_1_2_2022_10, after the three of TLS 1.3. */
const ciphers = [
	"TLS_AES_128_GCM_SHA256",
	"TLS_AES_256_GCM_SHA384",
	"TLS_CHACHA20_POLY1305_SHA256",
	"ECDHE-RSA-AES128-GCM-SHA256",
	"ECDHE-RSA-AES128-SHA256",
	"ECDHE-RSA-AES128-SHA",
	"ECDHE-RSA-AES256-GCM-SHA384",
	"ECDHE-RSA-AES256-SHA384",
	"ECDHE-RSA-AES256-SHA",
].join(":");

/**
 * Starts a cloud. Throws StateInUseError when another process has the directory, the system's error when a port is taken,
 * TypeError for a wrong setting.
 */
export async function startCloud(options: CloudOptions = {}): Promise<Cloud> {
	const { host = "127.0.0.1", now = Date.now } = options;
	const settings = defaultSettings();
	changeSettings(settings, options.settings ?? {});
	const state = await openState(options);
	const closing: (() => unknown)[] = [() => state.close()];
	const close = async () => {
		for (const step of closing.splice(0).reverse()) await step();
	};
	try {
		const events = new EventLog(now);
		if (options.onEvent) events.listen(options.onEvent);
		const metrics = new Metrics();
		const { endpointPrefix, region } = state.account;
		const endpoint = `${endpointPrefix}-ats.iot.${region}.amazonaws.com`;
		const authority = await openAuthority({
			state,
			now,
			serverNames: [
				endpoint,
				`${endpointPrefix}.iot.${region}.amazonaws.com`,
				...new Set([host, ...(options.serverNames ?? [])]),
			],
			issuer: () => settings.certificate.issuer,
			keyPairs: settings.keyPairs,
		});
		const registry = new Registry({
			state,
			issuer: authority,
			now,
			temporaryClaimLifetime: () => settings.temporaryClaim.lifetime,
		});
		const report = events.report.bind(events);
		const provisioning = new Provisioning({ registry, issuer: authority, settings, now, report, metrics });
		const sweeper = setInterval(() => provisioning.sweep(), 60_000).unref();
		closing.push(() => clearInterval(sweeper));
		const broker = await openBroker({ registry, provisioning, settings, now, report });
		closing.push(() => broker.close());
		const listen = async (port: number, alpn: boolean) => {
			const server = tlsServer(authority, broker, settings, alpn, events);
			await listening(server, host, port);
			closing.push(() => stopped(server));
			return (server.address() as AddressInfo).port;
		};
		const port = await listen(options.port ?? 0, false);
		const alpnPort = await listen(options.alpnPort ?? 0, true);
		let rootCertificatePath: string | undefined;
		if (options.directory !== undefined) {
			rootCertificatePath = join(options.directory, "root-ca.pem");
			writeFileSync(rootCertificatePath, authority.serverRootPem, { mode: 0o600 });
		}
		// The HTTP control plane is mounted here.
		return {
			endpoint,
			host,
			port,
			alpnPort,
			rootCertificate: authority.serverRootPem,
			...(rootCertificatePath !== undefined && { rootCertificatePath }),
			registry,
			authority,
			provisioning,
			settings,
			changeSettings: (patch) => changeSettings(settings, patch),
			events,
			metrics,
			connections: () => broker.connections,
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}

function tlsServer(authority: Authority, broker: Broker, settings: Settings, alpn: boolean, events: EventLog): Server {
	const server = createServer(
		{
			...authority.server,
			minVersion: "TLSv1.2",
			ciphers,
			honorCipherOrder: false,
			requestCert: true,
			// Whose certificate it is decides the account, not a chain; the handshake proves its key.
			rejectUnauthorized: false,
			// No names of authorities in the CertificateRequest: the client has one certificate, and it is the right one.
			ca: [],
			handshakeTimeout: settings.connection.handshakeTimeout,
			secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
			...(alpn && { ALPNProtocols: [alpnProtocol] }),
		},
		(socket: TLSSocket) => {
			if (alpn && socket.alpnProtocol !== alpnProtocol) {
				events.report({
					event: "refused",
					connectionId: "",
					reason: "no ALPN",
					explanation: `On this port the client must ask for the ALPN protocol ${alpnProtocol}.`,
				});
				socket.destroy();
				return;
			}
			broker.accept(socket);
		},
	);
	server.maxConnections = settings.connection.maximum;
	// A handshake that fails is the client's affair; without a listener it would end the process.
	server.on("tlsClientError", (error, socket) => {
		events.report({
			event: "refused",
			connectionId: "",
			reason: "TLS handshake",
			explanation: `The TLS handshake failed (${(error as NodeJS.ErrnoException).code ?? "unknown"}).`,
		});
		socket.destroy();
	});
	return server;
}

function listening(server: Server, host: string, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(port, host, () => {
			server.off("error", reject);
			resolve();
		});
	});
}

function stopped(server: Server): Promise<void> {
	return new Promise((resolve) => server.close(() => resolve()));
}
