// One client's connection over TLS or WebSocket, once its handshake is done: bytes to packets and back, in both versions of MQTT, within AWS's limits.
// Bounds how much a slow client can make the cloud hold. Knows no policies and never looks into a payload.

import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import type { CloudEventBody, DisconnectReason } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import type { Throttles } from "../base/throttle.js";
import type { OwnPolicies, Permissions } from "./authorizer.js";
import { FrameError, FrameReader, packetType, reasonCode, typeOf } from "./frames.js";
import { encodePublish, type Message } from "./message.js";
import {
	type ConnectPacket,
	encode,
	encodeAcknowledgement,
	encodeDisconnect,
	encodeRefusal,
	type Packet,
	PINGRESP,
	type ProtocolLevel,
	type PublishPacket,
	readPacket,
	readProtocolLevel,
} from "./packets.js";
import { propertyId } from "./properties.js";
import type { Entry, Outlet, Session } from "./session.js";
import { parseFilter, whyTooLong } from "./topics.js";
import type { Will } from "./wills.js";

/** Reason code of the DISCONNECT for each way a connection ends. Absent where nobody is left to tell. */
const DISCONNECT_CODES: Readonly<Partial<Record<DisconnectReason, number>>> = {
	AUTH_ERROR: reasonCode.notAuthorized,
	CLIENT_ERROR: reasonCode.protocolError,
	DUPLICATE_CLIENTID: 0x8e,
	FORBIDDEN_ACCESS: 0x98,
	MQTT_KEEP_ALIVE_TIMEOUT: 0x8d,
	SERVER_ERROR: 0x80,
	SERVER_INITIATED_DISCONNECT: 0x8b,
	THROTTLED: reasonCode.quotaExceeded,
};

/** Bytes that a packet may have besides its payload: topic, properties and lengths. */
const PACKET_OVERHEAD = 16 * 1024;
/** Most bytes that may wait for a client. Beyond half of them messages with QoS 0 are left out, and those with QoS 1 wait. */
const MAXIMUM_OUTGOING = 1024 * 1024;
/** Topic aliases in each direction. AWS takes 8 (awslabs/aws-crt-java#618). */
const TOPIC_ALIASES = 8;

/** Most bytes that all connections together take in one turn of the event loop. */
const MAXIMUM_PER_TURN = MAXIMUM_OUTGOING / 4;

/**
 * Lets connections take no more in one turn of the event loop than their subscribers have room for: nothing leaves the process before
 * the turn ends. Shared by all connections of a broker.
 */
export class Pace {
	#taken = 0;
	#waiting: (() => void)[] = [];

	/** Counts bytes that were taken. True when it is enough; then `next` is called in the next turn. */
	isEnough(bytes: number, next: () => void): boolean {
		if (this.#taken === 0) setImmediate(this.#turn);
		this.#taken += bytes;
		if (this.#taken < MAXIMUM_PER_TURN) return false;
		this.#waiting.push(next);
		return true;
	}

	readonly #turn = (): void => {
		this.#taken = 0;
		for (const next of this.#waiting.splice(0)) next();
	};
}

/** Decides over what a client asks for. An error that one of these throws ends the connection. */
export interface ConnectionHandler {
	connect(connection: Connection, packet: ConnectPacket): void;
	/** With QoS 1, `acknowledge` or `withhold` must follow. */
	published(connection: Connection, message: Message, packetId: number): void;
	subscribe(connection: Connection, packet: Extract<Packet, { type: typeof packetType.subscribe }>): void;
	unsubscribe(connection: Connection, packetId: number, filters: readonly string[]): void;
	/** Whether the client may have a message. */
	mayDeliver(connection: Connection, entry: Entry): boolean;
	/** Called once, when the connection has ended. */
	ended(connection: Connection): void;
}

/** A client, as its transport has proved it. */
export interface Client {
	/** Its bytes. */
	readonly stream: Duplex;
	readonly sourceIp: string;
	/** Id of its certificate, ARN of its IAM user or role, or the name that a custom authorizer gave it. Empty until CONNECT. */
	readonly principal: string;
	/** What it may do when it has no certificate whose policies are in the registry. */
	readonly own?: OwnPolicies | undefined;
}

/** What a connection is made with. */
export interface ConnectionOptions {
	readonly client: Client;
	readonly settings: Settings;
	readonly throttles: Throttles;
	readonly pace: Pace;
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
	readonly handler: ConnectionHandler;
}

/** A client's connection to the broker. */
export class Connection implements Outlet {
	readonly id = randomUUID();
	readonly sourceIp: string;
	/** As in `Client`; may be set while CONNECT is handled. */
	principal: string;
	own: OwnPolicies | undefined;
	/** Version of MQTT, from the first packet on. */
	level: ProtocolLevel = 4;
	/** The following are set while CONNECT is handled. */
	clientId: string | undefined;
	permissions: Permissions | undefined;
	/** Present from the time at which CONNECT was accepted. */
	session: Session | undefined;
	/** Seconds for which the client wants its session to stay; in 3.1.1 it cannot say. */
	sessionExpiry = Number.POSITIVE_INFINITY;
	/** Published when the connection ends without DISCONNECT. */
	will: Will | undefined;
	/** Why it ended. The first reason given stays. */
	reason: DisconnectReason | undefined;
	/** What ends or renews a custom authorizer's answer. */
	readonly timers = new Set<NodeJS.Timeout>();
	/** Number of requests to a reserved service without a reply, and a promise that settles when they have been handled. */
	outstanding = 0;
	requests: Promise<unknown> = Promise.resolve();
	readonly #options: ConnectionOptions;
	readonly #socket: Duplex;
	readonly #reader = new FrameReader();
	#begun = false;
	#ended = false;
	/** Reason code of MQTT 5, where it says more than `reason`. */
	#code: number | undefined;
	/** QoS 1 messages whose PUBACK has not been sent, in the order of arrival. It may be sent once `done` is set. */
	readonly #unacknowledged: { readonly packetId: number; done: boolean }[] = [];
	/** Why nothing is taken off the socket: too many messages without their PUBACK, or enough was taken in this turn. */
	#holding = false;
	/** Packets that came while CONNECT is decided. */
	#waiting: Buffer[] | undefined;
	#pausing = false;
	#corked = false;
	#leavingOut = false;
	#draining: NodeJS.Timeout | undefined;
	#keepAlive: NodeJS.Timeout | undefined;
	#heard = 0;
	/** What the client accepts. */
	#receiveMaximum = 0xffff;
	#maximumPacketSize = Number.POSITIVE_INFINITY;
	#topicAliasMaximum = 0;
	/** Topic aliases from the client, and to it. */
	#aliasesIn: Map<number, string> | undefined;
	#aliasesOut: Map<string, number> | undefined;

	constructor(options: ConnectionOptions) {
		const { stream: socket, sourceIp, principal, own } = options.client;
		this.#options = options;
		this.#socket = socket;
		this.sourceIp = sourceIp;
		this.principal = principal;
		this.own = own;
		const on = <A extends unknown[]>(event: string, handler: (...args: A) => void) =>
			socket.on(event, guarded(`the socket's ${event}`, this.failed, handler) as (...args: unknown[]) => void);
		on("data", (chunk: Buffer) => this.#receive(chunk));
		const lost = () => this.end("CONNECTION_LOST");
		for (const event of ["end", "error", "close"]) on(event, lost);
		on("drain", () => {
			clearTimeout(this.#draining);
			this.#draining = undefined;
			this.#leavingOut = false;
			this.session?.pump();
		});
	}

	get ended(): boolean {
		return this.#ended;
	}

	/** Largest packet that is accepted, bytes. */
	get maximumPacket(): number {
		return this.#options.settings.limits.payload + PACKET_OVERHEAD;
	}

	get window(): number {
		return Math.min(this.#receiveMaximum, this.#options.settings.limits.unacknowledged);
	}

	get congested(): boolean {
		return this.#socket.writableLength > MAXIMUM_OUTGOING / 2;
	}

	/** Ends the connection, unless it has ended. */
	end(reason: DisconnectReason): void {
		if (this.#ended) return;
		this.#ended = true;
		this.reason ??= reason;
		clearTimeout(this.#draining);
		clearTimeout(this.#keepAlive);
		for (const timer of this.timers) clearTimeout(timer);
		const socket = this.#socket;
		guarded("the end", this.failed, () => {
			const code = this.#code ?? DISCONNECT_CODES[this.reason!];
			if (this.level === 5 && this.session && code !== undefined && socket.writable)
				socket.write(encodeDisconnect(code));
			// What was written last, such as a CONNACK that refuses, still has time to go out.
			socket.end();
			if (socket.destroyed) return;
			const late = setTimeout(() => socket.destroy(), 1_000);
			socket.once("close", () => clearTimeout(late));
			socket.resume();
		})();
		guarded("the end", this.failed, () => this.#options.handler.ended(this))();
	}

	/** Ends the connection because the client broke a rule. `code` is a reason code of MQTT 5. */
	broken(explanation: string, code?: number): void {
		if (this.#ended) return;
		this.#code ??= code;
		this.#reportViolation(explanation);
		this.end("CLIENT_ERROR");
	}

	/** Ends the connection because of an error in the cloud itself, and reports a warning. */
	readonly failed: Failed = (where, error) => {
		this.#warn(`failed in ${where}: ${messageOf(error)}`);
		this.end("SERVER_ERROR");
	};

	/** Answers a refused CONNECT and ends: with `code5` in MQTT 5, with `code` in 3.1.1, where there may be none and no answer. */
	refuse(reason: DisconnectReason, code5: number, code?: number, explanation?: string): void {
		if (explanation !== undefined) this.#reportViolation(explanation);
		const told = this.level === 5 ? code5 : code;
		if (told !== undefined) this.#write(encodeRefusal(this.level, told));
		this.end(reason);
	}

	/** The CONNACK that accepts, with these properties in MQTT 5. @throws FrameError when there is none that the client takes */
	encodeConnack(sessionPresent: boolean, more: object): Buffer {
		const properties = {
			receiveMaximum: this.#options.settings.limits.unacknowledged,
			maximumPacketSize: this.maximumPacket,
			maximumQoS: 1,
			retainAvailable: true,
			topicAliasMaximum: TOPIC_ALIASES,
			wildcardSubscriptionAvailable: true,
			subscriptionIdentifiersAvailable: false,
			sharedSubscriptionAvailable: true,
			...more,
		};
		const code = { returnCode: 0, reasonCode: 0 };
		const five = this.level === 5;
		const bytes = encode({ cmd: "connack", ...code, sessionPresent, ...(five && { properties }) }, this.level);
		// Without its CONNACK a client would wait for nothing.
		if (bytes.length > this.#maximumPacketSize)
			throw new FrameError("The client takes no packet as long as its CONNACK.", reasonCode.packetTooLarge);
		return bytes;
	}

	/** Accepts the client. From now on its session sends messages here. */
	accept(session: Session, connack: Buffer, keepAlive: number): void {
		this.session = session;
		session.attach(this);
		this.#write(connack);
		this.#watch(keepAlive * 1_500);
	}

	/** Lets what follows CONNECT wait until `decision` has settled: clients need not wait for CONNACK. */
	wait(decision: Promise<unknown>): void {
		this.#waiting = [];
		if (this.#deciding) this.#socket.pause();
		const goOn = guarded("CONNECT", this.failed, () => {
			const frames = this.#waiting ?? [];
			this.#waiting = undefined;
			if (this.#ended) return;
			for (const frame of frames) {
				this.#handle(frame);
				if (this.#ended) return;
			}
			this.#goOn();
		});
		decision.then(goOn, (error) => {
			this.#waiting = undefined;
			this.#refuseBroken(error);
			this.#broken("CONNECT", error);
		});
	}

	/** Answers a SUBSCRIBE or an UNSUBSCRIBE. */
	answer(cmd: "suback" | "unsuback", messageId: number, granted: readonly number[]): void {
		this.#write(encode({ cmd, messageId, granted }, this.level));
	}

	/** Sends a PUBACK, once those of all earlier messages have been sent (MQTT 3.1.1 section 4.6). */
	acknowledge(packetId: number): void {
		const message = this.#unacknowledged.find((one) => one.packetId === packetId && !one.done);
		if (message) message.done = true;
		this.#sendPubacks();
	}

	/** Makes a message never get its PUBACK. */
	withhold(packetId: number): void {
		const index = this.#unacknowledged.findIndex((one) => one.packetId === packetId && !one.done);
		if (index >= 0) this.#unacknowledged.splice(index, 1);
		this.#sendPubacks();
	}

	deliver(entry: Entry, qos: 0 | 1, packetId?: number): boolean {
		try {
			if (this.#ended || !this.#options.handler.mayDeliver(this, entry)) return false;
			if (qos === 1 || !this.congested) return this.#publish(entry, qos, packetId);
			if (!this.#leavingOut) this.#warn("reads too slowly: messages with QoS 0 are left out until it has caught up");
			this.#leavingOut = true;
			return true;
		} catch (error) {
			this.failed("a delivery", error);
			return true;
		}
	}

	leftOut(): void {
		if (!this.#leavingOut)
			this.#warn("has no room for more messages that wait for it: they are left out (limits.queued)");
		this.#leavingOut = true;
	}

	#publish({ message, retain }: Entry, qos: 0 | 1, packetId?: number): boolean {
		const { level } = this;
		const { topic } = message;
		const now = message.expiresAt === undefined ? 0 : this.#options.now();
		let alias: number | undefined;
		let newAlias = false;
		if (this.#topicAliasMaximum > 0) {
			this.#aliasesOut ??= new Map();
			alias = this.#aliasesOut.get(topic);
			newAlias = alias === undefined && this.#aliasesOut.size < this.#topicAliasMaximum;
			if (newAlias) alias = this.#aliasesOut.size + 1;
		}
		const bytes = encodePublish(message, {
			...{ level, qos, retain, newAlias, now },
			...(packetId !== undefined && { packetId }),
			...(alias !== undefined && { alias }),
		});
		if (bytes.length > this.#maximumPacketSize) return false;
		if (newAlias) this.#aliasesOut!.set(topic, alias!);
		this.#write(bytes);
		return true;
	}

	#write(bytes: Uint8Array): void {
		const socket = this.#socket;
		if (!socket.writable) return;
		if (socket.writableLength > MAXIMUM_OUTGOING) {
			this.broken("The client does not take what is sent to it: too much is waiting.");
			return;
		}
		// What is written in one turn of the event loop goes out together: a TLS record for each packet would cost more than the rest.
		if (!this.#corked) {
			this.#corked = true;
			socket.cork();
			setImmediate(this.#flush);
		}
		if (socket.write(bytes) || this.#draining) return;
		const late = guarded("the wait for the client", this.failed, () => {
			this.broken("The client takes nothing from its socket.");
			socket.destroy();
		});
		this.#draining = setTimeout(late, Math.min(this.#options.settings.connection.drainTimeout, LONGEST_TIMER));
	}

	readonly #flush = (): void => {
		this.#corked = false;
		this.#socket.uncork();
	};

	#sendPubacks(): void {
		while (this.#unacknowledged[0]?.done) {
			const { packetId } = this.#unacknowledged.shift()!;
			this.#write(encodeAcknowledgement(packetType.puback, packetId));
		}
		if (!this.#holding || this.#unacknowledged.length >= this.#options.settings.limits.unacknowledged) return;
		this.#holding = false;
		this.#goOn();
	}

	#goOn(): void {
		if (!this.#holding && !this.#pausing && !this.#deciding && !this.#ended) this.#socket.resume();
	}

	/** Whether what follows CONNECT stays on the socket until CONNECT is decided. What must not come is seen when it comes. */
	get #deciding(): boolean {
		return this.#waiting !== undefined && this.#options.settings.connection.aheadOfConnack === "wait";
	}

	readonly #nextTurn = (): void => {
		this.#pausing = false;
		this.#goOn();
	};

	/** Ends the connection when nothing is heard for so long, ms. */
	#watch(patience: number): void {
		const check = guarded("the keep-alive", this.failed, () => {
			const left = this.#heard + patience - performance.now();
			if (left <= 0) this.end("MQTT_KEEP_ALIVE_TIMEOUT");
			else this.#keepAlive = setTimeout(check, left + 1);
		});
		this.#keepAlive = setTimeout(check, patience);
	}

	#receive(chunk: Buffer): void {
		if (this.#ended) return;
		this.#heard = performance.now();
		try {
			for (const frame of this.#reader.read(chunk, this.maximumPacket)) {
				if (!this.#waiting) this.#handle(frame);
				else if (this.#deciding) this.#waiting.push(frame);
				else
					throw new FrameError("A packet came ahead of CONNACK, and the setting connection.aheadOfConnack is close.");
				if (this.#ended) return;
			}
		} catch (error) {
			this.#broken("a packet", error);
		}
		if (this.#pausing || !this.#options.pace.isEnough(chunk.length, this.#nextTurn)) return;
		this.#pausing = true;
		if (!this.#ended) this.#socket.pause();
	}

	#handle(frame: Buffer): void {
		try {
			if (!this.#begun) this.#begin(frame);
			else this.#serve(readPacket(frame, this.level));
		} catch (error) {
			this.#broken(PACKET_NAMES[typeOf(frame)] ?? "a packet", error);
		}
	}

	#broken(where: string, error: unknown): void {
		if (error instanceof FrameError) this.broken(error.message, error.reasonCode);
		else this.failed(where, error);
	}

	#begin(frame: Buffer): void {
		if (typeOf(frame) !== packetType.connect) throw new FrameError("The first packet must be CONNECT.");
		this.#begun = true;
		const level = readProtocolLevel(frame);
		if (level !== 4 && level !== 5) {
			this.#write(encodeRefusal(level, level > 5 ? reasonCode.unsupportedVersion : 1));
			throw new FrameError("Only MQTT 3.1.1 and 5 are spoken here: set the client's protocol version to 4 or 5.");
		}
		this.level = level;
		try {
			const packet = readPacket(frame, level) as ConnectPacket;
			if (packet.authenticationMethod !== undefined)
				throw new FrameError("Enhanced authentication is not supported.", reasonCode.badAuthenticationMethod);
			this.#receiveMaximum = packet.receiveMaximum;
			this.#maximumPacketSize = packet.maximumPacketSize;
			this.#topicAliasMaximum = Math.min(packet.topicAliasMaximum, TOPIC_ALIASES);
			if (level === 5) this.sessionExpiry = packet.sessionExpiry;
			this.#options.handler.connect(this, packet);
		} catch (error) {
			this.#refuseBroken(error);
			throw error;
		}
	}

	/** Says in a CONNACK of MQTT 5 which rule CONNECT broke. */
	#refuseBroken(error: unknown): void {
		if (error instanceof FrameError && this.level === 5 && !this.session)
			this.#write(encodeRefusal(this.level, error.reasonCode ?? reasonCode.protocolError));
	}

	#serve(packet: Packet): void {
		const { handler } = this.#options;
		switch (packet.type) {
			case packetType.connect:
				throw new FrameError("A second CONNECT on one connection is not allowed.");
			case packetType.publish:
				return this.#takePublish(packet);
			case packetType.puback:
				return this.session?.acknowledge(packet.packetId);
			case packetType.subscribe:
				if (this.#maySubscribe(packet)) handler.subscribe(this, packet);
				return;
			case packetType.unsubscribe:
				return handler.unsubscribe(this, packet.packetId, packet.filters);
			case packetType.pingreq:
				return this.#write(PINGRESP);
			case packetType.disconnect:
				return this.#disconnect(packet.reasonCode, packet.sessionExpiry);
			case packetType.auth:
				// DISCONNECT has no code for a bad authentication method. To send this packet without having named one is an error.
				throw new FrameError("Enhanced authentication is not supported.", reasonCode.protocolError);
			default:
			// A part of QoS 2, which the cloud has no part in: it neither sends such messages nor takes them.
		}
	}

	#disconnect(code: number, sessionExpiry: number | undefined): void {
		// MQTT 5 section 3.14.2.2.2.
		if (sessionExpiry !== undefined && sessionExpiry > 0 && this.sessionExpiry === 0)
			throw new FrameError(
				"A session that was to end with its connection cannot outlive it.",
				reasonCode.protocolError,
			);
		this.sessionExpiry = sessionExpiry ?? this.sessionExpiry;
		// Any code but 0 leaves the will to be published; 0x04 asks for it.
		this.end(code === 0 ? "CLIENT_INITIATED_DISCONNECT" : "CONNECTION_LOST");
	}

	#takePublish(packet: PublishPacket): void {
		const { payload, retain, packetId, properties } = packet;
		const { connection, limits } = this.#options.settings;
		const topic = this.#resolve(packet);
		this.checkPayload(payload.length);
		// The prefix of Basic Ingest does not count.
		this.checkTopic(topic.startsWith("$aws/rules/") ? topic.replace(/^\$aws\/rules\/[^/]*\//, "") : topic);
		if (retain && topic.startsWith("$")) throw new FrameError("RETAIN is not allowed on reserved topics.");
		const qos = packet.qos as 0 | 1;
		if (packet.qos === 2) return this.#refuseQos2("PUBLISH");
		const rate = connection.publishesPerSecond;
		if (rate > 0 && !this.#options.throttles.take(`publish ${this.id}`, { rate, burst: rate })) return;
		if (qos === 1) {
			if (this.level === 5 && this.#unacknowledged.length >= limits.unacknowledged)
				throw new FrameError(
					`More than ${limits.unacknowledged} messages wait for their PUBACK, as CONNACK has said (Receive Maximum).`,
					reasonCode.receiveMaximumExceeded,
				);
			this.#unacknowledged.push({ packetId, done: false });
			if (this.#unacknowledged.length >= limits.unacknowledged) {
				// Takes nothing more off the socket, but for what has already come off it.
				this.#holding = true;
				this.#socket.pause();
			}
		}
		const expiry = properties?.values.get(propertyId.messageExpiryInterval) as number | undefined;
		const message: Message = {
			...{ topic, payload, qos, retain },
			...(properties?.passedOn && { properties: properties.passedOn }),
			...(expiry !== undefined && { expiresAt: this.#options.now() + expiry * 1000 }),
		};
		this.#options.handler.published(this, message, packetId);
	}

	/** The topic of a PUBLISH, for which an alias may stand. */
	#resolve({ topic, properties }: PublishPacket): string {
		const alias = properties?.values.get(propertyId.topicAlias) as number | undefined;
		if (alias === undefined) return topic;
		if (alias > TOPIC_ALIASES)
			throw new FrameError(`There are ${TOPIC_ALIASES} topic aliases, not ${alias}.`, reasonCode.topicAliasInvalid);
		this.#aliasesIn ??= new Map();
		if (topic !== "") this.#aliasesIn.set(alias, topic);
		const known = this.#aliasesIn.get(alias);
		if (known === undefined)
			throw new FrameError(`No topic was sent for the alias ${alias} yet.`, reasonCode.topicAliasInvalid);
		return known;
	}

	#maySubscribe({ subscriptions, properties }: Extract<Packet, { type: typeof packetType.subscribe }>): boolean {
		const { limits } = this.#options.settings;
		if (properties?.values.has(propertyId.subscriptionIdentifier))
			throw new FrameError(
				"Subscription identifiers are not supported.",
				reasonCode.subscriptionIdentifiersNotSupported,
			);
		if (subscriptions.length > limits.filtersPerSubscribe)
			throw new FrameError(
				`A SUBSCRIBE may have at most ${limits.filtersPerSubscribe} filters, this one has ${subscriptions.length}.`,
			);
		const held = this.session!.subscriptions;
		const added = new Set<string>();
		for (const { filter: text, noLocal } of subscriptions) {
			const parsed = parseFilter(text);
			if (!parsed)
				throw new FrameError(
					"The filter of a shared subscription is $share/GROUP/FILTER.",
					reasonCode.topicFilterInvalid,
				);
			// The prefix of a shared subscription does not count.
			this.checkTopic(parsed.filter);
			if (noLocal && parsed.group !== undefined)
				throw new FrameError("A shared subscription cannot be without one's own messages (No Local).");
			if (!held.has(text)) added.add(text);
		}
		if (held.size + added.size > limits.subscriptions)
			throw new FrameError(
				`A connection may have at most ${limits.subscriptions} subscriptions.`,
				reasonCode.quotaExceeded,
			);
		if (subscriptions.every(({ qos }) => qos < 2)) return true;
		this.#refuseQos2("SUBSCRIBE");
		return false;
	}

	/** AWS does not answer such a packet in MQTT 3.1.1, and closes the connection in 5. */
	#refuseQos2(packet: string): void {
		if (this.level === 5) throw new FrameError("QoS 2 is not supported.", reasonCode.qosNotSupported);
		this.#reportViolation(`QoS 2 is not supported: the ${packet} is not acknowledged.`);
	}

	/** @throws FrameError when it is larger than is allowed */
	checkPayload(bytes: number): void {
		const { payload } = this.#options.settings.limits;
		if (bytes > payload)
			throw new FrameError(`The payload is larger than ${payload} bytes.`, reasonCode.packetTooLarge);
	}

	/** Checks a topic or a filter. @throws FrameError when it is longer than is allowed */
	checkTopic(topic: string): void {
		const wrong = whyTooLong(topic, this.#options.settings.limits);
		if (wrong !== undefined) throw new FrameError(wrong);
	}

	#warn(what: string): void {
		const client = this.clientId === undefined ? "" : ` (${this.clientId})`;
		this.#options.report({ event: "warning", message: `The connection ${this.id}${client} ${what}` });
	}

	/** Reports a broken rule. The connection need not end because of it. */
	#reportViolation(explanation: string): void {
		this.#options.report({
			event: "violation",
			connectionId: this.id,
			...(this.principal !== "" && { principal: this.principal }),
			...(this.clientId !== undefined && { clientId: this.clientId }),
			explanation,
		});
	}
}

const PACKET_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
	Object.entries(packetType).map(([name, type]) => [type, name.toUpperCase()]),
);
