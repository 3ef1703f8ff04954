// The MQTT broker of the local cloud, with AWS's rules at every step. A certificate identifies each connection, or whatever else its
// transport has proved. Policies decide over every connect, publish, subscribe and delivery. Who gets a message is decided here; bytes
// and limits are the connection's.

import { randomUUID } from "node:crypto";
import { setTimeout as setTimeoutAsync } from "node:timers/promises";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import { Throttles } from "../base/throttle.js";
import type { Decision } from "../policy/policy.js";
import type { Provisioning } from "../provisioning/provisioning.js";
import { parseProvisioningTopic, whyNothingComes, whyNotPublished } from "../provisioning/topics.js";
import { fingerprint } from "../registry/certificates.js";
import type { Registry } from "../registry/registry.js";
import { Authorizer, type OwnPolicies, Permissions } from "./authorizer.js";
import { type Client, Connection, type ConnectionHandler, Pace } from "./connection.js";
import { FrameError, type packetType, reasonCode } from "./frames.js";
import { detached, type Message, Room } from "./message.js";
import type { ConnectPacket, Packet, WillPacket } from "./packets.js";
import { decodeProperties, encodeProperties, propertyId } from "./properties.js";
import { ProvisioningRequests } from "./provisioning-requests.js";
import type { CloudMessage, MessagePublisher, ReservedService } from "./reserved.js";
import { Retained } from "./retained.js";
import type { Entry, Session, Subscription } from "./session.js";
import { Sessions } from "./sessions.js";
import { filterMatches, parseFilter } from "./topics.js";
import { type Will, Wills } from "./wills.js";

/** What a broker works with. */
export interface BrokerOptions {
	readonly registry: Registry;
	readonly provisioning: Provisioning;
	/** The other services behind reserved topics. Default: none. */
	readonly reserved?: readonly ReservedService[];
	/** What becomes of an active CA's certificate that the account does not know yet, at its first CONNECT. Default: it is refused. */
	readonly findRegistration?: (chain: readonly Uint8Array[]) => Admission | undefined;
	readonly settings: Settings;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
}

/** What is known of a client at CONNECT, for those who decide over it there. */
export interface ConnectFacts {
	readonly connectionId: string;
	readonly clientId: string;
	readonly username?: string;
	/** Secret. */
	readonly password?: Uint8Array;
}

/** A client that is refused at CONNECT. */
export interface Refusal {
	readonly reason: string;
	/** What to change. */
	readonly explanation: string;
	readonly principal?: string;
	/** The connection is closed without a CONNACK. */
	readonly silent?: true;
}

/** A client that is let in at CONNECT. */
export interface Admitted {
	readonly principal: string;
	readonly own: OwnPolicies;
	/** After so long, ms, the connection is closed. */
	readonly disconnectAfter?: number;
	/** After so long, ms, the client is decided over again: by `refresh`. */
	readonly refreshAfter?: number;
	refresh?(): Promise<Admitted | Refusal>;
}

/** Decides over a client at CONNECT, where it proves itself. Must not reject. */
export type Admission = (facts: ConnectFacts) => Promise<Admitted | Refusal>;

/** A client for the broker. */
export interface BrokerClient extends Client {
	/** When its temporary claim ends, ms since 1970. */
	readonly expiration?: number | undefined;
	/** Present when it proves itself at CONNECT only. */
	readonly admission?: Admission;
}

/** What a TLS handshake has proved: an active certificate of the account, or why not. */
export type Proof =
	| { readonly principal: string; readonly expiration?: number | undefined }
	| { readonly principal?: string; readonly reason: string; readonly explanation: string };

/** Who publishes a message: a connection, or what is left of one whose will it is. */
type Publisher = Pick<Connection, "id" | "principal" | "own" | "clientId" | "permissions">;

type SubscribePacket = Extract<Packet, { type: typeof packetType.subscribe }>;

/** The broker. Open one with `openBroker`. */
export class Broker implements MessagePublisher, ConnectionHandler {
	readonly throttles: Throttles;
	readonly #pace = new Pace();
	readonly #options: BrokerOptions;
	readonly #authorizer: Authorizer;
	readonly #room: Room;
	readonly #sessions: Sessions;
	readonly #retained: Retained;
	readonly #wills: Wills;
	readonly #requests: ProvisioningRequests;
	/** Connections before CONNECT, or while it is decided, oldest first; with who decides over them. */
	readonly #pending = new Map<Connection, Admission | undefined>();
	/** Those with a certificate of the account, by its id. */
	readonly #byCertificate = new Map<string, Set<Connection>>();
	/** Connections past CONNECT. */
	readonly #byClientId = new Map<string, Connection>();
	readonly #stopFollowing: () => void;

	constructor(options: BrokerOptions) {
		const { registry, settings, now, report, provisioning } = options;
		const { state } = registry;
		this.#options = options;
		this.throttles = new Throttles(now);
		this.#authorizer = new Authorizer(registry, settings, now);
		this.#room = new Room(() => settings.limits.storedBytes);
		this.#wills = new Wills(this.#room, this.#failed);
		this.#retained = new Retained({ settings, state, room: this.#room, now, failed: this.#failed });
		this.#sessions = new Sessions({
			...{ settings, state, room: this.#room, now, report },
			ended: ({ clientId }) => this.#wills.release(clientId),
		});
		this.#requests = new ProvisioningRequests({
			...{ provisioning, settings, report },
			send: (connection, topic, payload, qos) => this.#send(connection, { topic, payload, qos, retain: false }),
		});
		this.#stopFollowing = state.onChange(
			guarded("following the registry", this.#failed, (changes) => {
				for (const { table, key } of changes) if (table === "certificates") this.#recheck(key);
			}),
		);
	}

	/** Reports an error that belongs to no connection. */
	readonly #failed: Failed = (where, error) =>
		this.report({ event: "warning", message: `The broker failed in ${where}: ${messageOf(error)}` });

	/** Reports an event. */
	report(event: CloudEventBody): void {
		this.#options.report(event);
	}

	/** Number of connections that are past CONNECT. */
	get connections(): number {
		return this.#byClientId.size;
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
		const { settings, registry, findRegistration } = this.#options;
		// Before anything else asks for the certificate: Node gives the whole chain to the first one who asks only.
		const chain = findRegistration && registry.state.caCertificates.size > 0 ? chainOf(socket) : [];
		const proof = this.identify(socket);
		const { principal = "" } = proof;
		const client = { stream: socket, sourceIp: sourceIpOf(socket), principal };
		if (!("reason" in proof)) return this.open({ ...client, expiration: proof.expiration });
		const admission = proof.reason === "unknown certificate" ? findRegistration?.(chain) : undefined;
		if (admission) return this.open({ ...client, admission });
		this.report({ event: "refused", connectionId: randomUUID(), ...proof });
		socket.on("error", () => {});
		if (settings.connection.unknownCertificate === "cut") socket.destroy();
		else {
			socket.end();
			setTimeout(() => socket.destroy(), 1_000).unref();
		}
	}

	/** Whether a client's certificate is one of the account that may connect now. */
	identify(socket: TLSSocket): Proof {
		const { registry, settings, now } = this.#options;
		const certificate = socket.getPeerX509Certificate();
		const principal = certificate && fingerprint(certificate.raw);
		const record = principal === undefined ? undefined : registry.certificates.get(principal);
		const refuse = (reason: string, explanation: string): Proof => ({
			...(principal !== undefined && { principal }),
			reason,
			explanation,
		});
		if (principal === undefined) {
			return refuse("no certificate", "The client sent no certificate: configure one with its private key.");
		}
		if (settings.connection.requireServerName && !socket.servername) {
			return refuse(
				"no server name",
				"The client did not name the endpoint in the handshake (SNI): connect by host name.",
			);
		}
		if (!record) {
			return refuse(
				"unknown certificate",
				`The account has no certificate ${principal}: register it, or use one of this account.`,
			);
		}
		if (record.status !== "ACTIVE") {
			return refuse(
				`certificate ${record.status}`,
				`The certificate ${principal} is ${record.status}: it must be ACTIVE (UpdateCertificate, or RegisterThing for a new one).`,
			);
		}
		if (record.notAfter <= now() || record.notBefore > now()) {
			return refuse("certificate dates", `The certificate ${principal} is not valid at this time.`);
		}
		const expiration = record.temporaryClaim?.expiration;
		if ((expiration ?? Number.POSITIVE_INFINITY) <= now()) {
			return refuse(
				"temporary claim ended",
				"The temporary claim has ended: get another one (CreateProvisioningClaim).",
			);
		}
		return { principal, expiration };
	}

	/** Drops every connection. */
	async close(): Promise<void> {
		this.#stopFollowing();
		this.#authorizer.close();
		for (const connection of [...this.#pending.keys(), ...this.#byClientId.values()])
			connection.end("SERVER_INITIATED_DISCONNECT");
		this.#wills.close();
		this.#sessions.close();
	}

	/** Takes a client whose handshake is done. */
	open(client: BrokerClient): void {
		const { settings, now } = this.#options;
		const { stream, principal, own, expiration, admission } = client;
		const connection = new Connection({
			...{ client, settings, now },
			throttles: this.throttles,
			pace: this.#pace,
			report: (event) => this.report(event),
			handler: this,
		});
		this.#pending.set(connection, admission);
		if (!own && !admission) join(this.#byCertificate, principal, connection);
		if (this.#pending.size > settings.connection.maximumPending) {
			const [oldest] = this.#pending.keys();
			oldest?.broken("Too many connections without CONNECT; the oldest made room.");
		}
		const connectTimer = this.#after(connection, settings.connection.connectTimeout, "the wait for CONNECT", () => {
			if (connection.clientId === undefined) connection.broken("CONNECT did not come in time.");
		});
		const claimTimer =
			expiration !== undefined && settings.temporaryClaim.dropAtEnd
				? this.#after(connection, expiration - now(), "the end of the claim", () => connection.end("FORBIDDEN_ACCESS"))
				: undefined;
		stream.once("close", () => {
			clearTimeout(connectTimer);
			clearTimeout(claimTimer);
		});
	}

	#after(connection: Connection, milliseconds: number, where: string, handler: () => void): NodeJS.Timeout {
		return setTimeout(guarded(where, connection.failed, handler), Math.min(milliseconds, LONGEST_TIMER));
	}

	/** Drops the connections of a certificate that may no longer connect. */
	#recheck(certificateId: string): void {
		const connections = this.#byCertificate.get(certificateId);
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
			connection.end("FORBIDDEN_ACCESS");
		}
	}

	connect(connection: Connection, packet: ConnectPacket): void {
		const { limits } = this.#options.settings;
		const { level } = connection;
		const assigned = packet.clientId === "";
		if (assigned && level === 4 && !packet.clean) {
			// MQTT 3.1.1 section 3.1.3.1.
			const explanation = "A client without a client id must ask for a clean session.";
			return connection.refuse("CLIENT_ERROR", reasonCode.clientIdentifierNotValid, 2, explanation);
		}
		if (packet.clientId.startsWith("$") || Buffer.byteLength(packet.clientId) > limits.clientId) {
			const explanation = `A client id may have at most ${limits.clientId} bytes and must not begin with $.`;
			return connection.refuse("CLIENT_ERROR", reasonCode.clientIdentifierNotValid, 2, explanation);
		}
		const clientId = assigned ? `$GEN/${randomUUID()}` : packet.clientId;
		connection.clientId = clientId;
		const admission = this.#pending.get(connection);
		const { connackDelay, aheadOfConnack } = this.#options.settings.connection;
		const decide = () => (admission ? this.#admit(connection, packet, admission) : this.#enter(connection, packet));
		// Where packets ahead of CONNACK are not taken, those that came together with CONNECT are ahead of it.
		if (connackDelay > 0 || aheadOfConnack === "close")
			connection.wait(
				setTimeoutAsync(Math.min(connackDelay, LONGEST_TIMER), undefined, { ref: false }).then(() =>
					connection.ended ? undefined : decide(),
				),
			);
		else if (admission) connection.wait(this.#admit(connection, packet, admission));
		else this.#enter(connection, packet);
	}

	/** Lets a client in that proves itself at CONNECT, or refuses it. */
	async #admit(connection: Connection, packet: ConnectPacket, admission: Admission): Promise<void> {
		const { id: connectionId, clientId = "" } = connection;
		const { username, password } = packet;
		const answer = await admission({
			...{ connectionId, clientId },
			...(username !== undefined && { username }),
			...(password && { password }),
		});
		if (connection.ended) return;
		if ("reason" in answer) {
			this.#reportRefusal(connection, answer);
			return answer.silent
				? connection.end("AUTH_ERROR")
				: connection.refuse("AUTH_ERROR", reasonCode.notAuthorized, 5);
		}
		connection.principal = answer.principal;
		connection.own = answer.own;
		this.#enter(connection, packet);
		if (connection.ended) return;
		const { disconnectAfter } = answer;
		if (disconnectAfter !== undefined) {
			const timer = this.#after(connection, disconnectAfter, "the end of the authorization", () => {
				this.#reportRefusal(connection, {
					reason: "authorization ended",
					explanation: "disconnectAfterInSeconds of the custom authorizer's answer has passed: connect again.",
				});
				connection.end("FORBIDDEN_ACCESS");
			});
			connection.timers.add(timer);
		}
		this.#refreshLater(connection, answer);
	}

	/** Asks the authorizer again, as often as it says. */
	#refreshLater(connection: Connection, { refreshAfter, refresh }: Admitted): void {
		if (refreshAfter === undefined || !refresh) return;
		const again = async () => {
			const answer = await refresh();
			if (connection.ended) return;
			if ("reason" in answer) {
				this.#reportRefusal(connection, answer);
				return connection.end("FORBIDDEN_ACCESS");
			}
			connection.own = answer.own;
			connection.permissions = new Permissions(this.#authorizer, this.#factsOf(connection));
			this.#refreshLater(connection, answer);
		};
		const timer = this.#after(connection, refreshAfter, "the refresh of the authorization", () => {
			connection.timers.delete(timer);
			void guarded("the refresh of the authorization", connection.failed, again)();
		});
		connection.timers.add(timer);
	}

	#factsOf({ principal, own, clientId, sourceIp }: Connection) {
		return { principal, own, clientId: clientId!, sourceIp };
	}

	#reportRefusal(connection: Connection, { reason, explanation, principal = connection.principal }: Refusal): void {
		this.report({
			event: "refused",
			connectionId: connection.id,
			...(principal !== "" && { principal }),
			...(connection.clientId !== undefined && { clientId: connection.clientId }),
			...{ reason, explanation },
		});
	}

	/** Lets a client in whose identity is known, when its policies allow it. */
	#enter(connection: Connection, packet: ConnectPacket): void {
		const { settings, registry } = this.#options;
		const { limits, connection: rules } = settings;
		const { principal, sourceIp, level } = connection;
		this.#pending.delete(connection);
		const clientId = connection.clientId!;
		const assigned = packet.clientId === "";
		const will = packet.will && this.#willOf(connection, packet.will);
		const keepAlive =
			packet.keepAlive === 0 || packet.keepAlive > limits.maximumKeepAlive
				? limits.maximumKeepAlive
				: Math.max(packet.keepAlive, limits.minimumKeepAlive);
		// In MQTT 5 a client without an id gets one that it cannot use again.
		const persistent = level === 4 ? !packet.clean : !assigned && !(packet.clean && packet.sessionExpiry === 0);
		const facts = this.#factsOf(connection);
		const attributes = [...(persistent ? ["PersistentConnect"] : []), ...(will ? ["LastWill"] : [])];
		const decision = this.#authorizer.decide(facts, "iot:Connect", "client", clientId, attributes);
		if (!decision.allowed) {
			this.#reportDenied(connection, "iot:Connect", registry.arn("client", clientId), decision);
			const code = rules.connectDenied === "close" ? undefined : rules.connectDenied;
			return connection.refuse("AUTH_ERROR", reasonCode.notAuthorized, code);
		}
		const refuse = (reason: string, explanation: string) => {
			this.report({ event: "refused", connectionId: connection.id, principal, clientId, reason, explanation });
			connection.refuse("THROTTLED", reasonCode.quotaExceeded);
		};
		const rate = rules.connectsPerClientId;
		if (!this.throttles.take(`connect ${clientId}`, rate > 0 ? { rate, burst: Math.max(1, rate) } : undefined)) {
			return refuse(
				"connect rate",
				`More than ${rate} CONNECT a second with the client id ${clientId}: wait at least 1.1 s between two.`,
			);
		}
		const keep = this.#keepOf(connection.sessionExpiry);
		const before = this.#sessions.get(clientId);
		const connack = connection.encodeConnack(before?.persistent === true && !packet.clean, {
			sessionExpiryInterval: persistent ? keep / 1000 : 0,
			...(keepAlive !== packet.keepAlive && { serverKeepAlive: keepAlive }),
			...(assigned && { assignedClientIdentifier: clientId }),
		});
		this.#byClientId.get(clientId)?.end("DUPLICATE_CLIENTID");
		const session = this.#sessions.open(clientId, { clean: packet.clean, persistent, keep });
		if (!session) {
			return refuse("too many sessions", `There are ${limits.sessions} persistent sessions (setting limits.sessions).`);
		}
		this.#wills.cancel(clientId);
		connection.permissions = new Permissions(this.#authorizer, facts);
		connection.will = will;
		if (will) this.#room.take(will.message);
		this.#byClientId.set(clientId, connection);
		this.report({
			event: "connected",
			connectionId: connection.id,
			...{ principal, clientId, keepAlive, cleanSession: !persistent, sourceIp },
		});
		connection.accept(session, connack, keepAlive);
		this.#resume(connection, session);
		this.#publishPresence("connected", connection, { ipAddress: sourceIp, versionNumber: 0 });
	}

	/** @throws FrameError for a will that could not be published */
	#willOf(connection: Connection, { topic, payload, qos, retain, properties }: WillPacket): Will {
		if (topic.startsWith("$")) throw new FrameError("A will cannot be for a reserved topic.");
		if (qos === 2) throw new FrameError("QoS 2 is not supported.", reasonCode.qosNotSupported);
		connection.checkTopic(topic);
		connection.checkPayload(payload.length);
		const message = detached({
			...{ topic, payload, retain, qos: qos as 0 | 1 },
			...(properties?.passedOn && { properties: properties.passedOn }),
		});
		if (!this.#room.fits(message))
			throw new FrameError("There is no room for the will (setting limits.storedBytes).", reasonCode.quotaExceeded);
		const delay = (properties?.values.get(propertyId.willDelayInterval) as number | undefined) ?? 0;
		const expiry = properties?.values.get(propertyId.messageExpiryInterval) as number | undefined;
		return { message, delay: delay * 1000, ...(expiry !== undefined && { expiry: expiry * 1000 }) };
	}

	/** How long a session outlives its connection, ms, when the client wants it for so many seconds. */
	#keepOf(seconds: number): number {
		return Math.min(this.#options.settings.connection.persistentSession, seconds * 1000);
	}

	/** Takes up a session: what policies no longer allow is not heeded any more, and what has waited is sent. */
	#resume(connection: Connection, session: Session): void {
		let withdrawn = false;
		for (const { text } of [...session.subscriptions.values()]) {
			if (this.#maySubscribe(connection, text)) continue;
			withdrawn = true;
			this.#sessions.unsubscribe(session, text);
		}
		if (withdrawn) {
			const filters = [...session.subscriptions.values()].map(({ filter }) => filter);
			session.prune(({ message: { topic } }) => filters.some((filter) => filterMatches(filter, topic)));
		}
		this.#sessions.takeOver(session);
		// Not in one TLS record with CONNACK: programs look for messages only when their library has told them of CONNACK.
		if (session.waiting > 0) setImmediate(guarded("resuming the session", connection.failed, () => session.pump()));
	}

	ended(connection: Connection): void {
		const { id, clientId, principal, own, session, will, permissions, reason = "CONNECTION_LOST" } = connection;
		this.#pending.delete(connection);
		if (!connection.own) leave(this.#byCertificate, principal, connection);
		this.throttles.forget(`publish ${id}`);
		if (session === undefined || clientId === undefined) return;
		this.#byClientId.delete(clientId);
		if (will) this.#room.free(will.message);
		const keep = session.persistent ? this.#keepOf(connection.sessionExpiry) : 0;
		this.#sessions.disconnected(session, keep);
		this.report({ event: "disconnected", connectionId: id, principal, clientId, disconnectReason: reason });
		const byClient = reason === "CLIENT_INITIATED_DISCONNECT";
		this.#publishPresence("disconnected", connection, {
			clientInitiatedDisconnect: byClient,
			disconnectReason: reason,
		});
		if (!will || byClient) return;
		const publish = () => this.#publishWill({ id, principal, own, clientId, permissions }, will);
		if (will.delay > 0 && keep > 0) this.#wills.add(clientId, Math.min(will.delay, keep), will.message, publish);
		else publish();
	}

	#publishWill(publisher: Publisher, { message, expiry }: Will): void {
		const { registry, now } = this.#options;
		const status = registry.certificates.get(publisher.principal)?.status;
		if (!publisher.own && status !== "ACTIVE") {
			const explanation = `The certificate is ${status ?? "deleted"}: its will is not published.`;
			const arn = registry.arn("topic", message.topic);
			return this.#reportDenied(publisher, "iot:Publish", arn, { allowed: false, explanation });
		}
		if (!this.#mayPublish(publisher, message)) return;
		this.#reportPublished(publisher, message);
		this.#route(expiry === undefined ? message : { ...message, expiresAt: now() + expiry });
	}

	published(connection: Connection, message: Message, packetId: number): void {
		const { settings } = this.#options;
		const { topic } = message;
		if (!this.#mayPublish(connection, message)) return connection.end("AUTH_ERROR");
		this.#reportPublished(connection, message);
		if (!topic.startsWith("$")) {
			this.#route(message, connection.session);
			return this.#acknowledge(connection, packetId);
		}
		if (!topic.startsWith("$aws/"))
			return connection.broken(`Nothing can be published to the reserved topic ${topic}.`);
		const service = this.#options.reserved?.find((one) => one.serves(topic));
		if (service) return this.#serve(service, connection, message, packetId);
		const request = parseProvisioningTopic(topic);
		if (!request) this.#reportUnsupported(connection, "iot:Publish", topic, whyNotPublished(topic));
		const puback = request ? settings.reply.puback : "before";
		if (puback === "before") connection.acknowledge(packetId);
		if (puback === "withhold") connection.withhold(packetId);
		if (!request) return;
		guarded(`a request for ${request.operation}`, connection.failed, async () => {
			await this.#requests.handle(connection, request, topic, Buffer.from(message.payload));
			if (puback === "after") connection.acknowledge(packetId);
		})();
	}

	#serve(service: ReservedService, connection: Connection, message: Message, packetId: number): void {
		const { id: connectionId, principal } = connection;
		const { topic, payload, properties, expiresAt } = message;
		const remaining = expiresAt === undefined ? undefined : Math.ceil((expiresAt - this.#options.now()) / 1000);
		const read = decodeProperties(properties, remaining);
		guarded(`a request to ${service.name}`, connection.failed, async () => {
			await service.handle({
				topic,
				payload: Buffer.from(payload),
				...(read && { properties: read }),
				connection: { connectionId, principal, clientId: connection.clientId! },
				reply: async (reply) => {
					this.#send(connection, this.#messageOf(reply));
				},
			});
			connection.acknowledge(packetId);
		})();
	}

	/** Sends a PUBACK when everything stored of a message would survive the end of the process. */
	#acknowledge(connection: Connection, packetId: number): void {
		if (packetId === 0) return;
		this.#sessions.stored().then(
			() => connection.acknowledge(packetId),
			(error) => connection.failed("storing a message", error),
		);
	}

	/**
	 * Publishes a message that came over HTTPS, when policies allow it. Resolves when what is to be kept of it would survive the end of
	 * the process.
	 */
	async publishFor(client: Omit<Client, "stream">, cloudMessage: CloudMessage): Promise<Decision> {
		const { principal, own, sourceIp } = client;
		const permissions = new Permissions(this.#authorizer, { principal, own, sourceIp });
		const publisher = { id: randomUUID(), principal, own, clientId: OVER_HTTPS, permissions };
		const message = this.#messageOf(cloudMessage);
		const decision = this.#decidePublish(publisher, message);
		if (!decision.allowed) return decision;
		this.#reportPublished(publisher, message);
		const { topic, payload, properties } = cloudMessage;
		const service = this.#options.reserved?.find((one) => one.serves(topic));
		if (service) await service.handle({ topic, payload, ...(properties && { properties }), reply: async () => {} });
		else if (topic.startsWith("$aws/")) {
			const answered = parseProvisioningTopic(topic) !== undefined;
			const why = answered
				? "Provisioning answers on the connection that asks, and HTTPS has none."
				: whyNotPublished(topic);
			this.#reportUnsupported(publisher, "iot:Publish", topic, why);
		} else this.#route(message);
		await this.#sessions.stored();
		return decision;
	}

	async publish(message: CloudMessage): Promise<void> {
		this.#route(this.#messageOf(message));
		await this.#sessions.stored();
	}

	#messageOf({ topic, payload, qos = 1, retain = false, properties }: CloudMessage): Message {
		const { now } = this.#options;
		const passedOn = properties && encodeProperties(properties);
		const expiry = properties?.messageExpiryInterval;
		return {
			...{ topic, payload, qos, retain },
			...(passedOn && { properties: passedOn }),
			...(expiry !== undefined && { expiresAt: now() + expiry * 1000 }),
		};
	}

	/** Sends a message to one connection alone. False when it has gone. */
	#send(connection: Connection, message: Message): boolean {
		if (connection.ended || !connection.session) return false;
		deliver(connection.session, { message, retain: false, directed: true }, message.qos);
		return true;
	}

	/** Passes a message to everybody who has subscribed to it, and keeps it when it is to be retained. */
	#route(message: Message, from?: Session): void {
		const { topic } = message;
		if (message.retain && !this.#retained.set(message)) {
			this.report({
				event: "warning",
				message: "There is no room for another retained message (settings limits.storedBytes, limits.retained).",
			});
		}
		const nodes = this.#sessions.tree.match(topic);
		// With several filters that match, a client gets the message once, as the best of them has it.
		const chosen = nodes.length > 1 ? new Map<Session, Subscription>() : undefined;
		const give = (session: Session, { qos, retainAsPublished }: Subscription) =>
			deliver(session, { message, retain: message.retain && retainAsPublished }, qos);
		for (const { own, shared } of nodes) {
			for (const [session, subscription] of own) {
				if (subscription.noLocal && session === from) continue;
				if (!chosen) give(session, subscription);
				else if (subscription.qos >= (chosen.get(session)?.qos ?? 0)) chosen.set(session, subscription);
			}
			for (const members of shared.values()) this.#share(members, message);
		}
		for (const [session, subscription] of chosen ?? []) give(session, subscription);
	}

	/** Gives a message to one member of a group: to one that is connected, else to one that will be. */
	#share(members: ReadonlyMap<Session, Subscription>, message: Message): void {
		const all = [...members];
		const first = Math.floor(Math.random() * all.length);
		const inTurn = [...all.slice(first), ...all.slice(0, first)];
		const [session, subscription] =
			inTurn.find(([one]) => one.ready) ??
			inTurn.find(([one]) => one.connected) ??
			inTurn.find(([one]) => one.persistent) ??
			inTurn[0]!;
		deliver(session, { message, retain: false, shared: subscription }, subscription.qos);
	}

	mayDeliver({ permissions, id, principal, clientId }: Connection, { message: { topic }, shared }: Entry): boolean {
		let decision = permissions!.decide("iot:Receive", "topic", topic);
		// AWS's own samples allow iot:Receive on the topic, or on the topic with the group before it.
		if (!decision.allowed && shared)
			decision = permissions!.decide("iot:Receive", "topic", `$share/${shared.group}/${topic}`);
		if (!decision.allowed) {
			const arn = this.#options.registry.arn("topic", topic);
			this.#reportDenied({ id, principal, clientId }, "iot:Receive", arn, decision);
		}
		return decision.allowed;
	}

	subscribe(connection: Connection, { packetId, subscriptions }: SubscribePacket): void {
		const session = connection.session!;
		const closes = connection.level === 4 && this.#options.settings.connection.subscribeDenied === "close";
		const refused = connection.level === 4 ? 0x80 : reasonCode.notAuthorized;
		const granted: number[] = [];
		const retained: Entry[] = [];
		const filters: string[] = [];
		for (const { filter: text, qos, noLocal, retainAsPublished, retainHandling } of subscriptions) {
			const parsed = parseFilter(text)!;
			if (parsed.filter.startsWith("$") && !parsed.filter.startsWith("$aws/"))
				throw new FrameError(`The filter ${text} is reserved and not supported here.`);
			if (!this.#maySubscribe(connection, text)) {
				if (closes) return connection.end("AUTH_ERROR");
				granted.push(refused);
				continue;
			}
			const others = this.#options.reserved?.flatMap(({ sendsTo }) => sendsTo);
			const why = whyNothingComes(parsed.filter, others);
			if (why) this.#reportUnsupported(connection, "iot:Subscribe", text, why);
			// AWS sends no retained messages for filters with wildcards, and none for shared ones.
			const message = parsed.group === undefined ? this.#retained.get(parsed.filter) : undefined;
			if (message && (retainHandling === 0 || (retainHandling === 1 && !session.subscriptions.has(text))))
				retained.push({ message: { ...message, qos: Math.min(message.qos, qos) as 0 | 1 }, retain: true });
			this.#sessions.subscribe(session, { ...parsed, text, qos: qos as 0 | 1, noLocal, retainAsPublished });
			granted.push(qos);
			filters.push(text);
		}
		this.#whenStored(connection, session, () => {
			connection.answer("suback", packetId, granted);
			this.report({ event: "subscribed", connectionId: connection.id, clientId: session.clientId, filters });
			for (const entry of retained) deliver(session, entry, entry.message.qos);
		});
	}

	unsubscribe(connection: Connection, packetId: number, filters: readonly string[]): void {
		const session = connection.session!;
		for (const filter of filters) this.#sessions.unsubscribe(session, filter);
		this.#whenStored(connection, session, () => connection.answer("unsuback", packetId, Array(filters.length).fill(0)));
	}

	/** Does something when all that is stored of a session would survive the end of the process. */
	#whenStored(connection: Connection, session: Session, work: () => void): void {
		if (!session.persistent) return work();
		const then = guarded("storing a subscription", connection.failed, async () => {
			await this.#sessions.stored();
			if (!connection.ended) work();
		});
		then();
	}

	#maySubscribe(connection: Connection, filter: string): boolean {
		const decision = connection.permissions!.decide("iot:Subscribe", "topicfilter", filter);
		if (!decision.allowed) {
			const arn = this.#options.registry.arn("topicfilter", filter);
			this.#reportDenied(connection, "iot:Subscribe", arn, decision);
		}
		return decision.allowed;
	}

	#mayPublish(publisher: Publisher, message: Message): boolean {
		return this.#decidePublish(publisher, message).allowed;
	}

	#decidePublish(publisher: Publisher, { topic, retain }: Message): Decision {
		const decide = (action: string) => {
			const decision = publisher.permissions!.decide(action, "topic", topic);
			if (!decision.allowed)
				this.#reportDenied(publisher, action, this.#options.registry.arn("topic", topic), decision);
			return decision;
		};
		const decision = decide("iot:Publish");
		return decision.allowed && retain ? decide("iot:RetainPublish") : decision;
	}

	#reportPublished({ id, principal, clientId }: Publisher, { topic, payload, qos }: Message): void {
		const bytes = payload.length;
		this.report({ event: "published", connectionId: id, principal, clientId: clientId!, topic, bytes, qos });
	}

	#reportUnsupported(
		{ id, principal, clientId }: Pick<Publisher, "id" | "principal" | "clientId">,
		action: "iot:Publish" | "iot:Subscribe",
		topic: string,
		explanation: string,
	): void {
		this.report({
			event: "unsupported",
			...{ connectionId: id, principal, clientId: clientId!, action, topic, explanation },
		});
	}

	#reportDenied(
		{ id, principal, clientId }: Pick<Publisher, "id" | "principal" | "clientId">,
		action: string,
		resource: string,
		{ statement, explanation }: Decision,
	): void {
		this.report({
			event: "denied",
			connectionId: id,
			principal,
			clientId: clientId!,
			action,
			resource,
			...(statement && { statement }),
			explanation,
		});
	}

	/** Publishes a lifecycle event (AWS developer guide, "Lifecycle events"). */
	#publishPresence(
		eventType: "connected" | "disconnected",
		{ id, principal, clientId }: Connection,
		more: object,
	): void {
		const topic = `$aws/events/presence/${eventType}/${clientId}`;
		const event = {
			clientId,
			timestamp: this.#options.now(),
			eventType,
			sessionIdentifier: id,
			principalIdentifier: principal,
			...more,
		};
		this.#route({ topic, payload: Buffer.from(JSON.stringify(event)), qos: 0, retain: false });
	}
}

/** Stands in events for the client id that a request over HTTPS does not have. */
const OVER_HTTPS = "(HTTPS)";

/** The address that a socket comes from. */
export function sourceIpOf(socket: TLSSocket): string {
	return (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

/** Most certificates of a chain that are looked at. */
const MAXIMUM_CHAIN = 10;

/** The certificates that a client has sent, its own first, DER. */
function chainOf(socket: TLSSocket): Uint8Array[] {
	const chain: Uint8Array[] = [];
	let one: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
	// A root is its own issuer.
	while (one?.raw && chain.length < MAXIMUM_CHAIN && !chain.some((known) => one!.raw.equals(known))) {
		chain.push(one.raw);
		one = one.issuerCertificate;
	}
	return chain;
}

/** Sends a message with the lower of its QoS and the one that was asked for. */
function deliver(session: Session, entry: Entry, qos: 0 | 1): void {
	if (qos === 1 && entry.message.qos === 1) session.push(entry);
	else session.send(entry);
}

function join<K>(groups: Map<K, Set<Connection>>, key: K, connection: Connection): void {
	const group = groups.get(key);
	if (group) group.add(connection);
	else groups.set(key, new Set([connection]));
}

function leave<K>(groups: Map<K, Set<Connection>>, key: K, connection: Connection): void {
	const group = groups.get(key);
	group?.delete(connection);
	if (group?.size === 0) groups.delete(key);
}

/** Opens a broker. It has no sockets yet: pass them to `accept`. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
	const broker = new Broker(options);
	for (const service of options.reserved ?? []) service.open(broker);
	return broker;
}
