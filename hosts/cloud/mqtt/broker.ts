// The MQTT broker of the local cloud: aedes, with AWS's rules at every step. A certificate identifies each connection. Policies
// decide over every connect, publish, subscribe and delivery. A provisioning reply goes only to the connection that asked.

import { randomUUID } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { Aedes, type Client, type Subscription } from "aedes";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { ReplyFault, Settings } from "../base/settings.js";
import { Throttles } from "../base/throttle.js";
import type { Decision } from "../policy/policy.js";
import type { Provisioning, ProvisioningReply, ProvisioningRequest } from "../provisioning/provisioning.js";
import {
	type ProvisioningTopic,
	parseProvisioningTopic,
	whyNothingComes,
	whyNotPublished,
} from "../provisioning/topics.js";
import { fingerprint } from "../registry/certificates.js";
import type { Registry } from "../registry/registry.js";
import { Authorizer } from "./authorizer.js";
import { type BrokerClient, ClientConnection, type Will } from "./client-connection.js";
import { FrameError, filterMatches, reasonCode } from "./frames.js";
import type { CloudMessage, MessagePublisher, ReservedService } from "./reserved.js";
import { Sessions } from "./sessions.js";

/** What a broker works with. */
export interface BrokerOptions {
	readonly registry: Registry;
	readonly provisioning: Provisioning;
	/** The other services behind reserved topics. Default: none. */
	readonly reserved?: readonly ReservedService[];
	readonly settings: Settings;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
}

/** Topic that aedes sees for a message which this broker handles itself. Nobody can subscribe to it. */
const TAKEN_TOPIC = "$SYS/taken";

/** The broker. Open one with `openBroker`. */
export class Broker implements MessagePublisher {
	readonly throttles: Throttles;
	readonly #aedes: Aedes;
	readonly #options: BrokerOptions;
	readonly #authorizer: Authorizer;
	/** Connections before CONNECT, oldest first. */
	readonly #pending = new Set<ClientConnection>();
	readonly #byPrincipal = new Map<string, Set<ClientConnection>>();
	/** Connections past CONNECT. A client id has two of them while a new connection takes over from an old one. */
	readonly #byClientId = new Map<string, Set<ClientConnection>>();
	readonly #byClient = new WeakMap<object, ClientConnection>();
	/** Payloads of messages that the cloud itself sends. Only those may go out on reserved topics. */
	readonly #own = new WeakSet<object>();
	readonly #sessions: Sessions;
	readonly #stopFollowing: () => void;

	constructor(aedes: Aedes, sessions: Sessions, options: BrokerOptions) {
		this.#aedes = aedes;
		this.#sessions = sessions;
		this.#options = options;
		this.throttles = new Throttles(options.now);
		this.#authorizer = new Authorizer(options.registry, options.settings, options.now);
		this.#stopFollowing = options.registry.state.onChange(
			guarded("following the registry", this.#failed, (changes) => {
				for (const { table, key } of changes) if (table === "certificates") this.#recheck(key);
			}),
		);
		/** Makes a hook for aedes. An error in it ends the client's connection, and with it all that aedes has of the client. */
		const hook =
			<C extends Client | null, A extends readonly unknown[], R>(
				where: string,
				handler: (client: C, ...args: A) => R,
			): ((client: C, ...args: A) => R | undefined) =>
			(client, ...args) =>
				guarded(where, this.#connectionOf(client)?.failed ?? this.#failed, handler)(client, ...args);
		aedes.preConnect = hook("CONNECT", (client, packet, done) => {
			const connection = this.#connectionOf(client)!;
			connection.client = client as BrokerClient;
			const refused = this.#acceptConnect(connection, packet as unknown as ConnectPacket);
			if (refused) {
				connection.gate.destroy();
				done(refused, false);
			} else done(null, true);
		});
		aedes.authorizePublish = hook("PUBLISH", (client, packet, done) => {
			const connection = this.#connectionOf(client);
			// A message without a connection comes from the cloud itself.
			if (!connection) return done(null);
			const refused = this.#acceptPublish(connection, packet as unknown as PublishPacket, done);
			if (refused) done(refused);
		});
		aedes.authorizeSubscribe = hook("SUBSCRIBE", (client, subscription, done) => {
			const { refused, granted } = this.#acceptSubscribe(this.#connectionOf(client)!, subscription.topic);
			if (refused) return done(refused);
			if (granted) this.#sessions.grant(subscription);
			done(null, granted ? subscription : null);
		});
		const mayReceive = hook("a delivery", (client, packet: PublishPacket) =>
			this.#mayReceive(client as BrokerClient, packet),
		);
		aedes.authorizeForward = (client, packet) =>
			mayReceive(client, packet as unknown as PublishPacket) ? packet : null;
		// A QoS 1 message is acknowledged only when everything stored of it would survive the end of the process.
		const published = hook("storing a message", async (client, packet: PublishPacket, done: () => void) => {
			const { qos, messageId, topic } = packet;
			if (qos === 1 && messageId !== undefined && topic !== TAKEN_TOPIC) {
				await this.#sessions.stored();
				this.#connectionOf(client)?.acknowledge(messageId);
			}
			done();
		});
		aedes.published = (packet, client, done) => {
			published(client, packet as unknown as PublishPacket, done);
		};
		aedes.on(
			"keepaliveTimeout",
			hook("the keep-alive", (client: Client) => {
				const connection = this.#connectionOf(client);
				if (connection) connection.reason ??= "MQTT_KEEP_ALIVE_TIMEOUT";
			}),
		);
		// What aedes calls errors are broken connections. They are reported where they break.
		for (const event of ["clientError", "connectionError"] as const) {
			aedes.on(
				event,
				hook("an error", (client: Client, error: Error) => {
					const connection = this.#connectionOf(client);
					if (connection?.reason === undefined) connection?.broken(`It could not be served: ${messageOf(error)}.`);
				}),
			);
		}
		(aedes as NodeJS.EventEmitter).on("error", (error: unknown) => this.#failed("aedes", error));
		const subscribed = hook("SUBSCRIBE", (client: Client, subscriptions: readonly Subscription[]) => {
			const connection = this.#connectionOf(client);
			if (!connection) return;
			this.report({
				event: "subscribed",
				connectionId: connection.id,
				clientId: client.id,
				// A filter that policies refused has 0x80.
				filters: subscriptions.filter(({ qos }) => Number(qos) < 3).map(({ topic }) => topic),
			});
		});
		aedes.on("subscribe", (subscriptions, client) => subscribed(client, subscriptions));
	}

	/** Reports an error that belongs to no connection. */
	readonly #failed: Failed = (where, error) =>
		this.report({ event: "warning", message: `The broker failed in ${where}: ${messageOf(error)}` });

	#connectionOf(client: Client | null): ClientConnection | undefined {
		return client ? this.#byClient.get(client.conn) : undefined;
	}

	/** Reports an event. */
	report(event: CloudEventBody): void {
		this.#options.report(event);
	}

	/** Number of connections that are past CONNECT. */
	get connections(): number {
		// aedes's own count goes wrong when a client takes over from one that is just disconnecting.
		let count = 0;
		for (const connections of this.#byPrincipal.values())
			for (const { connected } of connections) if (connected) count++;
		return count;
	}

	/** Takes a socket whose TLS handshake is done. */
	accept(socket: TLSSocket): void {
		guarded(
			"a new connection",
			(where, error) => {
				this.#failed(where, error);
				socket.on("error", () => {});
				socket.destroy();
			},
			() => this.#accept(socket),
		)();
	}

	#accept(socket: TLSSocket): void {
		const { registry, settings, now } = this.#options;
		const certificate = socket.getPeerX509Certificate();
		const principal = certificate && fingerprint(certificate.raw);
		const record = principal === undefined ? undefined : registry.certificates.get(principal);
		const refuse = (reason: string, explanation: string) => {
			this.report({
				event: "refused",
				connectionId: randomUUID(),
				...(principal !== undefined && { principal }),
				reason,
				explanation,
			});
			socket.on("error", () => {});
			if (settings.connection.unknownCertificate === "cut") socket.destroy();
			else {
				socket.end();
				setTimeout(() => socket.destroy(), 1_000).unref();
			}
		};
		if (principal === undefined) {
			refuse("no certificate", "The client sent no certificate: configure one with its private key.");
		} else if (settings.connection.requireServerName && !socket.servername) {
			refuse("no server name", "The client did not name the endpoint in the handshake (SNI): connect by host name.");
		} else if (!record) {
			refuse(
				"unknown certificate",
				`The account has no certificate ${principal}: register it, or use one of this account.`,
			);
		} else if (record.status !== "ACTIVE") {
			refuse(
				`certificate ${record.status}`,
				`The certificate ${principal} is ${record.status}: it must be ACTIVE (UpdateCertificate, or RegisterThing for a new one).`,
			);
		} else if (record.notAfter <= now() || record.notBefore > now()) {
			refuse("certificate dates", `The certificate ${principal} is not valid at this time.`);
		} else if ((record.temporaryClaim?.expiration ?? Number.POSITIVE_INFINITY) <= now()) {
			refuse("temporary claim ended", "The temporary claim has ended: get another one (CreateProvisioningClaim).");
		} else {
			this.#open(socket, principal, record.temporaryClaim?.expiration);
		}
	}

	/** Drops every connection. */
	async close(): Promise<void> {
		this.#stopFollowing();
		this.#authorizer.close();
		for (const connection of [...this.#pending, ...[...this.#byPrincipal.values()].flatMap((set) => [...set])]) {
			connection.drop("SERVER_INITIATED_DISCONNECT");
		}
		await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
		this.#sessions.close();
	}

	#open(socket: TLSSocket, principal: string, expiration: number | undefined): void {
		const { settings, now } = this.#options;
		const { throttles } = this;
		const connection = new ClientConnection({
			socket,
			principal,
			settings,
			throttles,
			report: (event) => this.report(event),
		});
		this.#byClient.set(connection.gate, connection);
		this.#pending.add(connection);
		if (this.#pending.size > settings.connection.maximumPending) {
			const [oldest] = this.#pending;
			oldest?.broken("Too many connections without CONNECT; the oldest made room.");
			oldest?.drop("THROTTLED");
		}
		join(this.#byPrincipal, principal, connection);
		const after = (milliseconds: number, where: string, handler: () => void) =>
			setTimeout(guarded(where, connection.failed, handler), Math.min(milliseconds, LONGEST_TIMER));
		const connectTimer = after(settings.connection.connectTimeout, "the wait for CONNECT", () => {
			if (connection.clientId !== undefined) return;
			connection.broken("CONNECT did not come in time.");
			connection.drop("CLIENT_ERROR");
		});
		const claimTimer =
			expiration !== undefined && settings.temporaryClaim.dropAtEnd
				? after(expiration - now(), "the end of the claim", () => connection.drop("FORBIDDEN_ACCESS"))
				: undefined;
		connection.gate.once("close", () => {
			clearTimeout(connectTimer);
			clearTimeout(claimTimer);
			this.#closed(connection);
		});
		this.#aedes.handle(connection.gate);
	}

	#closed(connection: ClientConnection): void {
		this.#pending.delete(connection);
		leave(this.#byPrincipal, connection.principal, connection);
		this.throttles.forget(`publish ${connection.id}`);
		const { clientId, principal, reason = "CONNECTION_LOST" } = connection;
		if (!connection.connected || clientId === undefined) return;
		const expiry = connection.five?.expiryAtDisconnect;
		// What the client that is being taken over from wants is of no interest any more.
		if (expiry !== undefined && [...this.#byClientId.get(clientId)!].at(-1) === connection) {
			this.#sessions.connected(clientId, this.#keepOf(expiry));
		}
		leave(this.#byClientId, clientId, connection);
		if (!this.#byClientId.has(clientId)) this.#sessions.disconnected(clientId);
		this.report({
			event: "disconnected",
			connectionId: connection.id,
			principal,
			clientId,
			disconnectReason: reason,
		});
		this.#publishOwn(`$aws/events/presence/disconnected/${clientId}`, {
			clientId,
			timestamp: this.#options.now(),
			eventType: "disconnected",
			sessionIdentifier: connection.id,
			principalIdentifier: principal,
			clientInitiatedDisconnect: reason === "CLIENT_INITIATED_DISCONNECT",
			disconnectReason: reason,
		});
	}

	/** Drops the connections of a certificate that may no longer connect. */
	#recheck(certificateId: string): void {
		const connections = this.#byPrincipal.get(certificateId);
		const record = this.#options.registry.certificates.get(certificateId);
		if (!connections || record?.status === "ACTIVE") return;
		for (const connection of [...connections]) {
			this.report({
				event: "refused",
				connectionId: connection.id,
				principal: certificateId,
				...(connection.clientId !== undefined && { clientId: connection.clientId }),
				reason: record ? `certificate ${record.status}` : "certificate deleted",
				explanation: `The certificate is ${record ? record.status : "deleted"} and may no longer be connected.`,
			});
			connection.drop("FORBIDDEN_ACCESS");
		}
	}

	/** Decides over a CONNECT. Returns the error to refuse it with, or nothing. */
	#acceptConnect(connection: ClientConnection, packet: ConnectPacket): Error | undefined {
		const { settings, now, registry } = this.#options;
		const { limits, connection: rules } = settings;
		this.#pending.delete(connection);
		const assigned = packet.clientId === "";
		if (assigned && !packet.clean) {
			// MQTT 3.1.1 section 3.1.3.1.
			connection.broken("A client without a client id must ask for a clean session.");
			connection.refuse(reasonCode.clientIdentifierNotValid, 2);
			return new Error("client id");
		}
		if (assigned) packet.clientId = `$GEN/${randomUUID()}`;
		else if (packet.clientId.startsWith("$") || Buffer.byteLength(packet.clientId) > limits.clientId) {
			connection.broken(`A client id may have at most ${limits.clientId} bytes and must not begin with $.`);
			connection.refuse(reasonCode.clientIdentifierNotValid, 2);
			return new Error("client id");
		}
		const { clientId, will } = packet;
		connection.clientId = clientId;
		try {
			if (will) connection.checkWill(will);
		} catch (error) {
			if (!(error instanceof FrameError)) throw error;
			connection.broken(error.message);
			connection.refuse(error.reasonCode ?? reasonCode.protocolError);
			return error;
		}
		const { keepalive } = packet;
		packet.keepalive =
			packet.keepalive === 0 || packet.keepalive > limits.maximumKeepAlive
				? limits.maximumKeepAlive
				: Math.max(packet.keepalive, limits.minimumKeepAlive);
		const attributes = [...(packet.clean ? [] : ["PersistentConnect"]), ...(will ? ["LastWill"] : [])];
		const decision = this.#authorizer.decide(this.#factsOf(connection), "iot:Connect", "client", clientId, attributes);
		if (!decision.allowed) {
			this.#reportDenied(connection, "iot:Connect", registry.arn("client", clientId), decision);
			connection.refuse(reasonCode.notAuthorized, rules.connectDenied === "close" ? undefined : rules.connectDenied);
			return new Error("denied");
		}
		const rate = rules.connectsPerClientId;
		if (!this.throttles.take(`connect ${clientId}`, rate > 0 ? { rate, burst: Math.max(1, rate) } : undefined)) {
			connection.reason = "THROTTLED";
			this.report({
				event: "refused",
				connectionId: connection.id,
				principal: connection.principal,
				clientId,
				reason: "connect rate",
				explanation: `More than ${rate} CONNECT a second with the client id ${clientId}: wait at least 1.1 s between two.`,
			});
			connection.refuse(reasonCode.quotaExceeded);
			return new Error("throttled");
		}
		for (const older of this.#byClientId.get(clientId) ?? []) older.reason ??= "DUPLICATE_CLIENTID";
		join(this.#byClientId, clientId, connection);
		this.report({
			event: "connected",
			connectionId: connection.id,
			principal: connection.principal,
			clientId,
			keepAlive: packet.keepalive,
			cleanSession: packet.clean,
			sourceIp: connection.sourceIp,
		});
		connection.connected = true;
		// Done here and not when aedes is ready, because the connection may have ended by then.
		this.#sessions.connected(clientId, this.#keepOf(connection.five?.sessionExpiryInterval));
		if (connection.five) this.#acceptMqtt5(connection, packet, keepalive, assigned);
		this.#publishOwn(`$aws/events/presence/connected/${clientId}`, {
			clientId,
			timestamp: now(),
			eventType: "connected",
			sessionIdentifier: connection.id,
			principalIdentifier: connection.principal,
			ipAddress: connection.sourceIp,
			versionNumber: 0,
		});
		return undefined;
	}

	/** How long a session outlives its connection, ms, when the client wants it for so many seconds; in 3.1.1 it cannot say. */
	#keepOf(seconds = Number.POSITIVE_INFINITY): number {
		return Math.min(this.#options.settings.connection.persistentSession, seconds * 1000);
	}

	/** Does what MQTT 5 has beyond 3.1.1: starts a session anew that is kept, and sets what CONNACK says. */
	#acceptMqtt5(
		{ five, maximumPacket }: ClientConnection,
		packet: ConnectPacket,
		keepAlive: number,
		assigned: boolean,
	): void {
		const longest = this.#options.settings.connection.persistentSession / 1000;
		if (five!.cleanStart && !packet.clean) this.#sessions.cleanSubscriptions({ id: packet.clientId });
		five!.accept({
			receiveMaximum: this.#options.settings.limits.unacknowledged,
			maximumPacketSize: maximumPacket,
			sessionExpiryInterval: packet.clean ? 0 : Math.min(five!.sessionExpiryInterval, longest),
			...(packet.keepalive !== keepAlive && { serverKeepAlive: packet.keepalive }),
			...(assigned && { assignedClientIdentifier: packet.clientId }),
		});
	}

	/** Decides over a PUBLISH. Returns the error to refuse it with; otherwise `done` has been or will be called. */
	#acceptPublish(
		connection: ClientConnection,
		packet: PublishPacket,
		done: (error?: Error | null) => void,
	): Error | undefined {
		const { registry, settings } = this.#options;
		const { topic, retain, payload } = packet;
		const status = registry.certificates.get(connection.principal)?.status;
		if (status !== "ACTIVE") {
			// Only a will can come this late.
			const explanation = `The certificate is ${status ?? "deleted"}: its will is not published.`;
			this.#reportDenied(connection, "iot:Publish", registry.arn("topic", topic), { allowed: false, explanation });
			return new Error("certificate");
		}
		const actions = ["iot:Publish", ...(retain ? ["iot:RetainPublish"] : [])];
		for (const action of actions) {
			const decision = this.#authorizer.decide(this.#factsOf(connection), action, "topic", topic);
			if (!decision.allowed) {
				this.#reportDenied(connection, action, registry.arn("topic", topic), decision);
				return new Error("denied");
			}
		}
		const bytes = Buffer.byteLength(payload);
		this.report({
			event: "published",
			connectionId: connection.id,
			principal: connection.principal,
			clientId: connection.clientId!,
			topic,
			bytes,
			qos: packet.qos,
		});
		const packetId = packet.qos === 1 ? packet.messageId : undefined;
		if (packetId !== undefined) connection.expectPuback(packetId);
		if (!topic.startsWith("$")) {
			if (retain && !this.#sessions.hasRoom(bytes)) {
				this.report({
					event: "warning",
					message: "There is no room for another retained message (setting limits.storedBytes).",
				});
			}
			done();
			return undefined;
		}
		if (!topic.startsWith("$aws/")) {
			connection.broken(`Nothing can be published to the reserved topic ${topic}.`);
			return new Error("reserved topic");
		}
		const taken = Buffer.from(payload as Uint8Array);
		// This broker handles the message from here on, so aedes must not show it to anybody.
		packet.topic = TAKEN_TOPIC;
		packet.payload = Buffer.alloc(0);
		const request = parseProvisioningTopic(topic);
		const service = this.#options.reserved?.find((one) => one.serves(topic));
		if (service) {
			done();
			guarded(`a request to ${service.name}`, connection.failed, async () => {
				const { id: connectionId, principal } = connection;
				await service.handle({
					topic,
					payload: taken,
					connection: { connectionId, principal, clientId: connection.clientId! },
					reply: async (message) => {
						await this.#send(connection, message.topic, message.payload, message.qos);
					},
				});
				if (packetId !== undefined) connection.acknowledge(packetId);
			})();
			return undefined;
		}
		if (!request) this.#reportUnsupported(connection, "iot:Publish", topic, whyNotPublished(topic));
		const puback = request ? settings.reply.puback : "before";
		if (packetId !== undefined && puback === "before") connection.acknowledge(packetId);
		if (packetId !== undefined && puback === "withhold") connection.withhold(packetId);
		done();
		if (!request) return undefined;
		guarded(`a request for ${request.operation}`, connection.failed, async () => {
			await this.#provision(connection, request, topic, taken);
			if (packetId !== undefined && puback === "after") connection.acknowledge(packetId);
		})();
		return undefined;
	}

	#reportUnsupported(
		connection: ClientConnection,
		action: "iot:Publish" | "iot:Subscribe",
		topic: string,
		explanation: string,
	): void {
		const { id: connectionId, principal } = connection;
		const clientId = connection.clientId!;
		this.report({ event: "unsupported", connectionId, principal, clientId, action, topic, explanation });
	}

	async #provision(
		connection: ClientConnection,
		request: ProvisioningTopic,
		topic: string,
		payload: Uint8Array,
	): Promise<void> {
		const { provisioning, settings } = this.#options;
		const fault = this.#takeFault(request.operation);
		if (settings.reply.delay > 0) await wait(settings.reply.delay);
		const reply =
			fault?.action === "reject"
				? provisioning.rejected(request.encoding, fault.rejection)
				: await this.#handle(connection, {
						...request,
						payload,
						claimCertificateId: connection.principal,
						clientId: connection.clientId!,
						connectionId: connection.id,
					});
		if (!reply) return;
		const replyTopic = `${topic}/${reply.accepted ? "accepted" : "rejected"}`;
		const tell = (outcome: Extract<CloudEventBody, { event: "reply" }>["outcome"]) =>
			this.report({
				event: "reply",
				operation: request.operation,
				clientId: connection.clientId!,
				topic: replyTopic,
				bytes: reply.payload.length,
				outcome,
			});
		switch (fault?.action) {
			case "drop":
				return tell("dropped");
			case "close":
				tell("closed");
				return connection.drop("SERVER_ERROR");
			case "delay":
				tell("delayed");
				await wait(fault.milliseconds ?? 1_000);
				break;
			case "duplicate":
				tell("duplicated");
				await this.#reply(connection, replyTopic, reply.payload);
				break;
		}
		tell(await this.#reply(connection, replyTopic, reply.payload));
	}

	/** Handles a connection's requests one after the other, so that it cannot keep others waiting. No reply if it has gone. */
	async #handle(connection: ClientConnection, request: ProvisioningRequest): Promise<ProvisioningReply | undefined> {
		const { provisioning, settings } = this.#options;
		const most = settings.limits.outstandingRequests;
		if (connection.outstanding >= most) {
			return provisioning.throttle(request, `The connection has ${most} requests unanswered: wait for the replies.`);
		}
		connection.outstanding++;
		const handled = connection.requests.then(() =>
			connection.gate.destroyed ? undefined : provisioning.handle(request),
		);
		connection.requests = handled.catch(() => {});
		return handled.finally(() => connection.outstanding--);
	}

	/** Sends a reply to the connection that asked, if it has subscribed as the settings demand. Resolves when it is written. */
	async #reply(
		connection: ClientConnection,
		topic: string,
		bytes: Uint8Array,
	): Promise<"sent" | "unsubscribed" | "gone"> {
		const { subscription, qos } = this.#options.settings.reply;
		const filters = Object.keys(connection.client?.subscriptions ?? {});
		const subscribed =
			subscription === "none" ||
			filters.includes(topic) ||
			(subscription === "matching" && filters.some((filter) => filterMatches(filter, topic)));
		return subscribed || connection.gate.destroyed ? this.#send(connection, topic, bytes, qos) : "unsubscribed";
	}

	/** Sends a message to one connection, if policies allow it to receive it. Resolves when it is written. */
	async #send({ client, gate }: ClientConnection, topic: string, bytes: Uint8Array, qos: 0 | 1 = 1) {
		if (!client || client.closed || gate.destroyed) return "gone";
		const payload = Buffer.from(bytes);
		this.#own.add(payload);
		// aedes takes a message for a duplicate when one of the same broker that was published later has gone out before it. This one
		// overtakes those that are on their way to subscribers, so it counts as another broker's.
		const message = { cmd: "publish", topic, payload, qos, retain: false, dup: false, brokerId: "reply" };
		await new Promise<void>((resolve) =>
			client.publish(message as Parameters<typeof client.publish>[0], () => resolve()),
		);
		return "sent";
	}

	#takeFault(operation: ReplyFault["operation"]): ReplyFault | undefined {
		const { faults } = this.#options.settings;
		const index = faults.findIndex((fault) => fault.operation === operation);
		const fault = faults[index];
		if (fault) {
			fault.times = (fault.times ?? 1) - 1;
			if (fault.times <= 0) faults.splice(index, 1);
		}
		return fault;
	}

	#acceptSubscribe(connection: ClientConnection, filter: string): { refused?: Error; granted: boolean } {
		const { registry, settings } = this.#options;
		if (filter.startsWith("$share/")) {
			connection.broken("Shared subscriptions are not supported here.", reasonCode.sharedSubscriptionsNotSupported);
			return { refused: new Error("shared subscription"), granted: false };
		}
		if (filter.startsWith("$") && !filter.startsWith("$aws/")) {
			connection.broken(`The filter ${filter} is reserved and not supported here.`);
			return { refused: new Error("reserved filter"), granted: false };
		}
		const decision = this.#authorizer.decide(this.#factsOf(connection), "iot:Subscribe", "topicfilter", filter);
		if (decision.allowed) {
			const why = whyNothingComes(
				filter,
				this.#options.reserved?.flatMap(({ sendsTo }) => sendsTo),
			);
			if (why) this.#reportUnsupported(connection, "iot:Subscribe", filter, why);
			return { granted: true };
		}
		this.#reportDenied(connection, "iot:Subscribe", registry.arn("topicfilter", filter), decision);
		return settings.connection.subscribeDenied === "close" && !connection.five
			? { refused: new Error("denied"), granted: false }
			: { granted: false };
	}

	#mayReceive(client: BrokerClient, packet: PublishPacket): boolean {
		const { topic, payload } = packet;
		const connection = this.#byClient.get(client.conn);
		if (!connection?.connected) return false;
		const own = typeof payload === "object" && this.#own.has(payload);
		if (topic.startsWith("$") && !own) return false;
		// A resumed session may get a message for a subscription that is gone. And for AWS `sensor/#` does not match `sensor`.
		if (!own && !Object.keys(client.subscriptions).some((filter) => filterMatches(filter, topic))) return false;
		const decision = this.#authorizer.decide(this.#factsOf(connection), "iot:Receive", "topic", topic);
		if (!decision.allowed) {
			this.#reportDenied(connection, "iot:Receive", this.#options.registry.arn("topic", topic), decision);
		}
		return decision.allowed;
	}

	#factsOf(connection: ClientConnection) {
		return {
			certificateId: connection.principal,
			clientId: connection.clientId!,
			sourceIp: connection.sourceIp,
		};
	}

	#reportDenied(
		connection: ClientConnection,
		action: string,
		resource: string,
		{ statement, explanation }: Decision,
	): void {
		// A refused delivery does not end the connection, and a refused subscription may not. All other refusals do.
		const answered = connection.five !== undefined || this.#options.settings.connection.subscribeDenied === "suback";
		if (action !== "iot:Receive" && !(action === "iot:Subscribe" && answered)) connection.reason ??= "AUTH_ERROR";
		this.report({
			event: "denied",
			connectionId: connection.id,
			principal: connection.principal,
			clientId: connection.clientId!,
			action,
			resource,
			...(statement && { statement }),
			explanation,
		});
	}

	async publish({ topic, payload, qos = 1, retain = false }: CloudMessage): Promise<void> {
		if (this.#aedes.closed) return;
		const bytes = Buffer.from(payload);
		if (topic.startsWith("$")) this.#own.add(bytes);
		await new Promise<void>((resolve, reject) =>
			this.#aedes.publish({ cmd: "publish", topic, payload: bytes, qos, retain, dup: false }, (error) =>
				error ? reject(error) : resolve(),
			),
		);
		await this.#sessions.stored();
	}

	/** Publishes a message from the cloud itself. */
	#publishOwn(topic: string, message: object): void {
		if (this.#aedes.closed) return;
		const payload = Buffer.from(JSON.stringify(message));
		this.#own.add(payload);
		this.#aedes.publish({ cmd: "publish", topic, payload, qos: 0, retain: false, dup: false }, () => {});
	}
}

interface ConnectPacket {
	clientId: string;
	keepalive: number;
	readonly clean: boolean;
	readonly will?: Will;
}

interface PublishPacket {
	topic: string;
	payload: Buffer | string;
	readonly qos: 0 | 1 | 2;
	readonly retain: boolean;
	readonly messageId?: number;
}

function join<K>(groups: Map<K, Set<ClientConnection>>, key: K, connection: ClientConnection): void {
	const group = groups.get(key);
	if (group) group.add(connection);
	else groups.set(key, new Set([connection]));
}

function leave<K>(groups: Map<K, Set<ClientConnection>>, key: K, connection: ClientConnection): void {
	const group = groups.get(key);
	group?.delete(connection);
	if (group?.size === 0) groups.delete(key);
}

/** Members of aedes that its types leave out. */
interface AedesInside {
	readonly clients: Readonly<Record<string, BrokerClient>>;
	unregisterClient(client: BrokerClient): void;
}

/**
 * Keeps aedes from unregistering the wrong client. Ending a connection takes several turns of the event loop. If another client
 * takes over the client id meanwhile, aedes would take that one off its list, and the next takeover would not end it: two
 * connections would share one client id.
 */
function unregisterNobodyElse(aedes: AedesInside): void {
	const unregister = aedes.unregisterClient.bind(aedes);
	aedes.unregisterClient = (client) => {
		if (aedes.clients[client.id] === client) unregister(client);
	};
}

/** Does not keep a process that is otherwise at its end. */
function wait(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMER)).unref());
}

/** Opens a broker. It has no sockets yet: pass them to `accept`. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
	const { settings, registry, now, report } = options;
	const sessions = new Sessions({ settings, state: registry.state, now, report });
	const aedes = new Aedes({
		persistence: sessions,
		// No queue of deliveries. aedes works through a queue by recursion, one level for each message that nobody takes, so a long
		// queue (a burst to a subscriber that has gone) overflows the stack. Also, without a queue no client waits for another.
		concurrency: 0,
		// The gate has its own limits, which also bound what a client can make us hold.
		connectTimeout: 0x7fffffff,
		drainTimeout: 0,
		maxTopicLevels: 100,
		queueLimit: 100,
	});
	unregisterNobodyElse(aedes as unknown as AedesInside);
	const broker = new Broker(aedes, sessions, options);
	await aedes.listen();
	for (const service of options.reserved ?? []) service.open(broker);
	return broker;
}
