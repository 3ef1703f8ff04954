// Puts the local AWS IoT together: state, authority, provisioning, broker and their sockets. On loopback unless told otherwise.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CloudEvent, EventLog, Metrics } from "./base/events.js";
import { changeSettings, defaultSettings, type Settings, type SettingsPatch } from "./base/settings.js";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control/server.js";
import { Jobs } from "./jobs/jobs.js";
import { openBroker } from "./mqtt/broker.js";
import { openListener } from "./mqtt/listener.js";
import { Messages } from "./mqtt/messages.js";
import { type CertificateAuthority, openAuthority } from "./pki/authority.js";
import { Provisioning } from "./provisioning/provisioning.js";
import { Registry } from "./registry/registry.js";
import { Shadows } from "./shadow/shadows.js";
import { KeptSettings } from "./state/kept-settings.js";
import { openState } from "./state/state.js";

/** How to start a cloud. Everything has a default. */
export interface CloudOptions {
	/** Where its state is kept; created when it does not exist. Without it, the state is in memory only. */
	readonly directory?: string;
	/** Address to listen on. Default 127.0.0.1. */
	readonly host?: string;
	/** MQTT over TLS. Default 0: any free port. AWS's is 8883. */
	readonly port?: number;
	/** The same for clients that ask for ALPN `x-amzn-mqtt-ca`. Default 0: any free port. AWS's is 443. */
	readonly alpnPort?: number;
	/** More names and addresses for the server certificate. */
	readonly serverNames?: readonly string[];
	/** 12 digits. Made up on first use when not given. */
	readonly accountId?: string;
	/** Default us-east-1. */
	readonly region?: string;
	/** Settings that differ from the defaults. */
	readonly settings?: SettingsPatch;
	/**
	 * The authority of another cloud: this one takes over its keys and roots instead of making three RSA keys, which is most of
	 * what a start costs. For tests that start many clouds. A directory that has an authority already keeps that one.
	 *
	 * @example
	 * ```ts
	 * import { startCloud } from "moddable-fleet-provisioning/cloud";
	 *
	 * const first = await startCloud();
	 * const second = await startCloud({ authority: first.authority });
	 * ```
	 */
	readonly authority?: Pick<CertificateAuthority, "identities">;
	/**
	 * Shell commands that stand for pre-provisioning hooks, by `targetArn`: JSON on standard input, JSON on standard output.
	 * They are not settings, because somebody who may change settings must not be able to run programs.
	 *
	 * @example
	 * A hook in a program of its own, which reads the request as JSON and prints its answer:
	 * ```ts
	 * import { prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
	 *
	 * const targetArn = "arn:aws:lambda:us-east-1:123456789012:function:hook";
	 * const cloud = await startCloud({ hookCommands: { [targetArn]: "node hook.js" } });
	 * prepareTemplate(cloud, "fleet");
	 * cloud.registry.templates.updateProvisioningTemplate({ templateName: "fleet", preProvisioningHook: { targetArn } });
	 * ```
	 */
	readonly hookCommands?: Readonly<Record<string, string>>;
	/** Also starts the HTTP control plane, with these options. It listens on this cloud's host unless another one is given. */
	readonly controlPlane?: Omit<
		ControlPlaneOptions,
		"registry" | "services" | "events" | "metrics" | "settings" | "changeSettings"
	>;
	/** ms since 1970. Default `Date.now`. */
	readonly now?: () => number;
	/** Called with each event; must not throw. */
	readonly onEvent?: (event: CloudEvent) => void;
}

/** A running cloud. */
export interface Cloud {
	/** Name of the data endpoint, formed like AWS's. The server certificate is valid for it, too. */
	readonly endpoint: string;
	/** The address that it listens on. */
	readonly host: string;
	/** MQTT over TLS. */
	readonly port: number;
	/** MQTT over TLS for clients that ask for ALPN `x-amzn-mqtt-ca`. */
	readonly alpnPort: number;
	/** PEM of the root that devices must trust: that of the RSA certificate, unless the server has only an ECDSA one. */
	readonly rootCertificate: string;
	/** Every root that the server's chains end in; `rootCertificate` is the first. */
	readonly rootCertificates: readonly string[];
	/** Files with the same roots in the same order. Empty without a directory. */
	readonly rootCertificatePaths: readonly string[];
	/** The account's resources. Its methods are the operations of the control plane, callable without HTTP. */
	readonly registry: Registry;
	/** Signs the certificates of devices. */
	readonly authority: CertificateAuthority;
	/** Fleet provisioning without MQTT. */
	readonly provisioning: Provisioning;
	/** Device Shadow. Its methods are the operations of the data plane, callable without HTTP. */
	readonly shadows: Shadows;
	/** AWS IoT Jobs. Its methods are the operations of the control plane, those of `device` the ones that devices call. */
	readonly jobs: Jobs;
	/** Publishes messages without MQTT, and reads retained ones. */
	readonly messages: Messages;
	/** Live: a change takes effect at its next use. */
	readonly settings: Settings;
	/**
	 * Changes settings, and keeps the changes in the directory: a cloud that is started there again has them, unless its options
	 * say otherwise. Only `faults` are not kept.
	 * @throws TypeError for a change that is not allowed; then nothing has changed
	 */
	changeSettings(patch: SettingsPatch): void;
	/** What happened: the last events, and a way to listen to the next ones. */
	readonly events: EventLog;
	/** Counters under the names that CloudWatch has for them. */
	readonly metrics: Metrics;
	/** Absent unless the options ask for it. */
	readonly controlPlane?: ControlPlane;
	/** Number of MQTT connections. */
	connections(): number;
	/** Drops every connection, stops listening, and closes the state. */
	close(): Promise<void>;
}

const ALPN_PROTOCOL = "x-amzn-mqtt-ca";

/**
 * Starts a cloud.
 *
 * @throws StateInUseError when another process has opened the directory
 * @throws TypeError for a setting that does not exist, or a value that is not allowed
 * @throws the system's error (`code` EADDRINUSE, …) when it cannot listen on a port
 * @example
 * ```ts
 * import { createClaim, prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
 *
 * const cloud = await startCloud({ settings: { token: { lifetime: 60_000 } } });
 * try {
 * 	prepareTemplate(cloud, "my-template");
 * 	const claim = await createClaim(cloud, "my-template");
 * 	// Connect a device to 127.0.0.1:cloud.port. It trusts cloud.rootCertificate and proves itself with the claim.
 * 	console.log(cloud.port, cloud.rootCertificate, claim.certificatePem);
 * } finally {
 * 	await cloud.close();
 * }
 * ```
 */
export async function startCloud(options: CloudOptions = {}): Promise<Cloud> {
	const { host = "127.0.0.1", now = Date.now } = options;
	const settings = defaultSettings();
	// Checked before anything is opened, since a mistake here is the caller's.
	changeSettings(settings, options.settings ?? {});
	const state = await openState(options);
	const closing: (() => unknown)[] = [() => state.close()];
	const close = async () => {
		for (const step of closing.splice(0).reverse()) await step();
	};
	try {
		const events = new EventLog(now);
		if (options.onEvent) events.listen(options.onEvent);
		const report = events.report.bind(events);
		const kept = new KeptSettings(state, settings, report);
		changeSettings(settings, options.settings ?? {});
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
			ecdsaRoot: settings.tls.ecdsaRoot,
			intermediates: settings.tls.intermediates,
			issuer: () => settings.certificate.issuer,
			keyPairs: settings.keyPairs,
			...(options.authority && { identities: options.authority.identities }),
		});
		closing.push(() => authority.close());
		const registry = new Registry({
			state,
			issuer: authority,
			now,
			temporaryClaimLifetime: () => settings.temporaryClaim.lifetime,
		});
		const provisioning = new Provisioning({
			registry,
			issuer: authority,
			settings,
			now,
			report,
			metrics,
			...(options.hookCommands && { hookCommands: options.hookCommands }),
		});
		// Does what became due while no cloud was running.
		provisioning.sweep();
		const sweeper = setInterval(() => provisioning.sweep(), 60_000).unref();
		closing.push(() => clearInterval(sweeper));
		const shadows = new Shadows({ state, settings, now, report });
		const jobs = new Jobs({ registry, now, report });
		closing.push(() => jobs.close());
		const reserved = [shadows, jobs.device];
		const broker = await openBroker({ registry, provisioning, reserved, settings, now, report });
		closing.push(() => broker.close());
		const messages = new Messages({ state, publisher: () => broker, reserved });
		const { certificates } = settings.tls;
		const kinds = certificates === "both" ? (["rsa", "ecdsa"] as const) : [certificates];
		const listen = async (port: number, protocol?: string) => {
			const listener = await openListener({
				host,
				port,
				identities: kinds.map((kind) => authority.servers[kind]),
				...(protocol !== undefined && { alpnProtocol: protocol }),
				settings: settings.connection,
				report,
				accept: (socket) => broker.accept(socket),
			});
			closing.push(() => listener.close());
			return listener.port;
		};
		const port = await listen(options.port ?? 0);
		const alpnPort = await listen(options.alpnPort ?? 0, ALPN_PROTOCOL);
		let controlPlane: ControlPlane | undefined;
		if (options.controlPlane) {
			controlPlane = await startControlPlane({
				host,
				now,
				...options.controlPlane,
				registry,
				services: { shadows, jobs, messages },
				events,
				metrics,
				settings,
				changeSettings: (patch) => kept.change(patch),
			});
			closing.push(() => controlPlane?.close());
		}
		const roots = new Map(kinds.map((kind) => [authority.servers[kind].root, kind]));
		const rootCertificatePaths: string[] = [];
		if (options.directory !== undefined) {
			for (const [pem, kind] of roots) {
				const path = join(options.directory, kind === "rsa" ? "root-ca.pem" : "root-ca-ecdsa.pem");
				writeFileSync(path, pem, { mode: 0o600 });
				rootCertificatePaths.push(path);
			}
		}
		return {
			endpoint,
			host,
			port,
			alpnPort,
			rootCertificate: authority.servers[kinds[0]!].root,
			rootCertificates: [...roots.keys()],
			rootCertificatePaths,
			registry,
			authority,
			provisioning,
			shadows,
			jobs,
			messages,
			settings,
			changeSettings: (patch) => kept.change(patch),
			events,
			metrics,
			...(controlPlane && { controlPlane }),
			connections: () => broker.connections,
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}
