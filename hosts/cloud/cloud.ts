// Puts the local AWS IoT together: state, authority, provisioning, broker and their sockets. On loopback unless told otherwise.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { checkAccount } from "./base/account.js";
import { type CloudEvent, EventLog, Metrics } from "./base/events.js";
import {
	changeSettings,
	defaultSettings,
	restoreSettings,
	type Settings,
	type SettingsPatch,
} from "./base/settings.js";
import type { AccessKey, Callers } from "./control/iam.js";
import { type ControlPlane, type ControlPlaneOptions, isLoopback, startControlPlane } from "./control/server.js";
import { CustomAuthorizers } from "./gate/custom-authorizer.js";
import { openHttpsGate } from "./gate/https.js";
import { findRegistration } from "./gate/just-in-time.js";
import { Jobs } from "./jobs/jobs.js";
import { type BrokerOptions, openBroker, sourceIpOf } from "./mqtt/broker.js";
import { type ListenerOptions, openListener } from "./mqtt/listener.js";
import { Messages } from "./mqtt/messages.js";
import type { CloudMessage } from "./mqtt/reserved.js";
import { type CertificateAuthority, openAuthority } from "./pki/authority.js";
import { callFunction, type HookCommands } from "./provisioning/hook.js";
import { Provisioning } from "./provisioning/provisioning.js";
import { InterruptibleIssuer } from "./registry/interruptible-issuer.js";
import { Registry } from "./registry/registry.js";
import type { Setup } from "./setup/schema.js";
import { Shadows } from "./shadow/shadows.js";
import { KeptSettings } from "./state/kept-settings.js";
import { openState, type Snapshot } from "./state/state.js";

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
	/**
	 * HTTPS: MQTT over WebSocket, and publishing with a client certificate. Default 0: any free port. AWS's are 443, and 8443 for
	 * publishing.
	 */
	readonly httpsPort?: number;
	/** More names and addresses for the server certificate. */
	readonly serverNames?: readonly string[];
	/** 12 digits. Made up on first use when not given. A directory keeps the account that it was made with. */
	readonly accountId?: string;
	/** Default us-east-1. A directory keeps the region that it was made with. */
	readonly region?: string;
	/** Settings that differ from the defaults, and from those of `setup`. */
	readonly settings?: SettingsPatch;
	/**
	 * What the account begins with: a setup, or the path of its JSON or YAML file. Its users are callers of the control plane. What
	 * it names is made or changed at each start; the rest of a directory's state stays.
	 *
	 * @example
	 * ```ts
	 * import { startCloud } from "moddable-fleet-provisioning/cloud";
	 *
	 * const cloud = await startCloud({
	 * 	setup: {
	 * 		account: "123456789012",
	 * 		policies: { anything: { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "iot:*", Resource: "*" } } },
	 * 	},
	 * });
	 * await cloud.reset(); // whatever a test has made is gone
	 * await cloud.close();
	 * ```
	 */
	readonly setup?: string | Setup;
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
	/**
	 * Whether a WebSocket needs a signature of a known access key. Default: as with the control plane that was started last; before
	 * there is one, `any` on a loopback address without access keys in the setup, otherwise `checked`.
	 */
	readonly signatures?: "checked" | "any";
	/** Also starts the HTTP control plane, with these options. It listens on this cloud's host unless another one is given. */
	readonly controlPlane?: OwnControlPlaneOptions;
	/** ms since 1970. Default `Date.now`. */
	readonly now?: () => number;
	/** Called with each event; must not throw. */
	readonly onEvent?: (event: CloudEvent) => void;
}

/** Options of the control plane that are not this cloud's to decide. */
export type OwnControlPlaneOptions = Omit<
	ControlPlaneOptions,
	| "registry"
	| "services"
	| "events"
	| "metrics"
	| "settings"
	| "changeSettings"
	| "reset"
	| "connections"
	| "provisioning"
>;

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
	/** MQTT over WebSocket (`wss://…/mqtt`), and `POST /topics/TOPIC` with a client certificate. */
	readonly httpsPort: number;
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
	/** What `reset` brings back is what there is now. Without a call: what there was when the cloud had started. */
	checkpoint(): void;
	/**
	 * Brings back the state and the settings of the last checkpoint. Connections end, and sessions, retained messages, throttles,
	 * counters and earlier events are gone. The cloud's own keys and its ports stay. Resolves when new connections are served.
	 */
	reset(): Promise<void>;
	/** Starts the control plane of this cloud, which ends with it. @throws the system's error when it cannot listen */
	startControlPlane(options?: OwnControlPlaneOptions): Promise<ControlPlane>;
	/** Drops every connection, stops listening, and closes the state. */
	close(): Promise<void>;
}

/** The ALPN protocols of AWS's port 443 (developer guide, "Device communication protocols"). */
const ALPN = { mqtt: "x-amzn-mqtt-ca", https: "x-amzn-http-ca", authorizer: "mqtt" } as const;

/**
 * Starts a cloud.
 *
 * @throws SetupError for a setup that cannot be used
 * @throws StateInUseError when another process has opened the directory
 * @throws OtherAccountError when the directory was made for another account or region than `accountId` and `region` say
 * @throws TypeError for an account, a region or a value that is not allowed, or a setting that does not exist
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
	checkAccount(options);
	if (options.authority && !Array.isArray(options.authority.identities))
		throw new TypeError("authority must be that of another cloud: startCloud({ authority: other.authority }).");
	const setup = options.setup === undefined ? undefined : (await import("./setup/read.js")).readSetup(options.setup);
	const configure = () => {
		changeSettings(settings, setup?.setup.settings ?? {});
		changeSettings(settings, options.settings ?? {});
	};
	configure();
	const state = await openState({
		...(setup?.setup.account !== undefined && { accountId: setup.setup.account }),
		...(setup?.setup.region !== undefined && { region: setup.setup.region }),
		...options,
	});
	const closing: (() => unknown)[] = [() => state.close()];
	const close = async () => {
		for (const step of closing.splice(0).reverse()) await step();
	};
	try {
		const events = new EventLog(now);
		if (options.onEvent) events.listen(options.onEvent);
		const report = events.report.bind(events);
		const kept = new KeptSettings(state, settings, report);
		configure();
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
		const issuer = new InterruptibleIssuer(authority);
		/** Commands that stand for Lambda functions. Those of the setup need a registry, which is made first. */
		let commands: HookCommands = { ...options.hookCommands };
		/** Aborted, and replaced by another one, when functions that are being called must end. */
		const functions = { end: new AbortController() };
		closing.push(() => functions.end.abort());
		const registry = new Registry({
			state,
			issuer,
			now,
			temporaryClaimLifetime: () => settings.temporaryClaim.lifetime,
			shortestInterval: () => settings.authorizer.shortestInterval,
			invoke: (functionArn, event, purpose) =>
				callFunction(functionArn, event, {
					commands,
					urls: settings.hook.targets,
					milliseconds: settings[purpose].timeout,
					end: functions.end.signal,
				}),
		});
		const apply = setup && (await import("./setup/apply.js"));
		const hooks = apply?.hooksOf(setup!, registry);
		if (hooks) changeSettings(settings, { hook: { targets: { ...hooks.urls, ...settings.hook.targets } } });
		commands = { ...hooks?.commands, ...options.hookCommands };
		const accessKeys = apply?.accessKeysOf(setup!, state.account.accountId) ?? [];
		const provisioning = new Provisioning({
			registry,
			issuer,
			settings,
			now,
			report,
			metrics,
			hookCommands: commands,
		});
		closing.push(() => provisioning.close());
		// Does what became due while no cloud was running.
		provisioning.sweep();
		const sweeper = setInterval(() => provisioning.sweep(), 60_000).unref();
		closing.push(() => clearInterval(sweeper));
		await apply?.applySetup(setup!, registry);
		const shadows = new Shadows({ state, settings, now, report });
		const jobs = new Jobs({ registry, now, report });
		closing.push(() => jobs.close());
		const reserved = [shadows, jobs.device];
		const justInTime = { registry, settings, now, publish: (message: CloudMessage) => broker.publish(message) };
		const brokerOptions: BrokerOptions = {
			...{ registry, provisioning, reserved, settings, now, report },
			findRegistration: (chain) => findRegistration(justInTime, chain),
		};
		let broker = await openBroker(brokerOptions);
		closing.push(() => broker.close());
		const messages = new Messages({ state, publisher: () => broker, reserved });
		/** Resolves when a reset is done; sockets that come meanwhile wait for it. */
		let resetting: Promise<void> | undefined;
		const { certificates } = settings.tls;
		const kinds = certificates === "both" ? (["rsa", "ecdsa"] as const) : [certificates];
		const listen = async (port: number, more: Pick<ListenerOptions, "accept" | "alpnProtocols" | "alpnRequired">) => {
			const listener = await openListener({
				host,
				port,
				identities: kinds.map((kind) => authority.servers[kind]),
				settings: settings.connection,
				report,
				...more,
			});
			closing.push(() => listener.close());
			return listener.port;
		};
		/** Hands a socket to the broker, once a reset is over. */
		const whenReady = (socket: TLSSocket, then: () => void) => {
			if (resetting === undefined) return then();
			socket.on("error", () => socket.destroy());
			void resetting.finally(then);
		};
		const acceptUnproved = (socket: TLSSocket) =>
			whenReady(socket, () => {
				const tls = socket.servername ? { serverName: `${socket.servername}` } : {};
				const admission = authorizers.byUserName({ tls });
				broker.open({ stream: socket, sourceIp: sourceIpOf(socket), principal: "", admission });
			});
		const acceptMqtt = (socket: TLSSocket) => {
			whenReady(socket, () => broker.accept(socket));
		};
		/** Whose signatures count: everybody that a control plane or the setup knows. Without anybody, and on loopback only, anyone's. */
		const known: { readonly keys: Map<string, AccessKey>; signatures: Callers["signatures"] | undefined } = {
			keys: new Map(accessKeys.map((key) => [key.accessKeyId, key])),
			signatures: options.signatures,
		};
		const callers = (): Callers => ({
			keys: known.keys,
			signatures: known.signatures ?? (isLoopback(host) && known.keys.size === 0 ? "any" : "checked"),
		});
		const authorizers = new CustomAuthorizers({ authorizers: registry.authorizers });
		const https = openHttpsGate({
			...{ settings, region, now, report, callers, authorizers },
			broker: () => (resetting === undefined ? broker : undefined),
		});
		closing.push(() => https.close());
		const port = await listen(options.port ?? 0, { accept: acceptMqtt });
		const alpnPort = await listen(options.alpnPort ?? 0, {
			alpnProtocols: [ALPN.mqtt, ALPN.https, ALPN.authorizer],
			alpnRequired: true,
			accept: (socket) => {
				if (socket.alpnProtocol === ALPN.https) https.accept(socket);
				else if (socket.alpnProtocol === ALPN.authorizer) acceptUnproved(socket);
				else acceptMqtt(socket);
			},
		});
		const httpsPort = await listen(options.httpsPort ?? 0, {
			alpnProtocols: ["http/1.1", ALPN.https],
			accept: (socket) => https.accept(socket),
		});
		const controlPlanes = new Set<ControlPlane>();
		let saved: { readonly state: Snapshot; readonly settings: Settings };
		const checkpoint = () => {
			saved = { state: state.snapshot(), settings: structuredClone(settings) };
		};
		const bringBack = async () => {
			const started = performance.now();
			issuer.interrupt();
			functions.end.abort();
			functions.end = new AbortController();
			provisioning.reset();
			jobs.close();
			await broker.close();
			// What connections left to be stored when they ended must not be stored after this.
			await state.stored();
			restoreSettings(settings, saved.settings);
			state.restore(saved.state);
			metrics.clear();
			events.clear();
			for (const controlPlane of controlPlanes) controlPlane.forgetThrottles();
			broker = await openBroker(brokerOptions);
			jobs.reset();
			shadows.reset();
			report({ event: "reset", milliseconds: Math.round(performance.now() - started) });
		};
		const reset = async () => {
			// One after the other: each of several callers finds the state as it was.
			while (resetting !== undefined) await resetting;
			resetting = bringBack();
			await resetting.finally(() => {
				resetting = undefined;
			});
		};
		const startOwnControlPlane = async (more: OwnControlPlaneOptions = {}) => {
			const controlPlane = await startControlPlane({
				host,
				now,
				...more,
				accessKeys: [...accessKeys, ...(more.accessKeys ?? [])],
				registry,
				services: { shadows, jobs, messages },
				events,
				metrics,
				settings,
				changeSettings: (patch) => kept.change(patch),
				reset,
				connections: () => broker.connections,
				provisioning,
			});
			controlPlanes.add(controlPlane);
			for (const key of more.accessKeys ?? []) known.keys.set(key.accessKeyId, key);
			known.signatures = options.signatures ?? controlPlane.signatures;
			closing.push(() => controlPlane.close());
			return controlPlane;
		};
		const controlPlane = options.controlPlane && (await startOwnControlPlane(options.controlPlane));
		const roots = new Map(kinds.map((kind) => [authority.servers[kind].root, kind]));
		const rootCertificatePaths: string[] = [];
		if (options.directory !== undefined) {
			for (const [pem, kind] of roots) {
				const path = join(options.directory, kind === "rsa" ? "root-ca.pem" : "root-ca-ecdsa.pem");
				writeFileSync(path, pem, { mode: 0o600 });
				rootCertificatePaths.push(path);
			}
		}
		checkpoint();
		return {
			endpoint,
			host,
			port,
			alpnPort,
			httpsPort,
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
			checkpoint,
			reset,
			startControlPlane: startOwnControlPlane,
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}
