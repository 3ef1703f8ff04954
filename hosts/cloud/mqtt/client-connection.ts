// One client's connection to the broker, once its TLS handshake is done: which packets may pass, in both versions of MQTT, and
// why the connection ended. Enforces AWS's limits; knows no policies.

import { randomUUID } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Client } from "aedes";
import type { CloudEventBody, DisconnectReason } from "../base/events.js";
import { type Failed, guarded, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import type { Throttles } from "../base/throttle.js";
import {
	FrameError,
	packetType,
	readPacketId,
	readProtocolLevel,
	readPublish,
	readSubscribe,
	reasonCode,
	refusal,
	typeOf,
} from "./frames.js";
import { Gate, type GateKeeper } from "./gate.js";
import { farewell5, Mqtt5, refusal5 } from "./mqtt5.js";
import { checkPacket } from "./packets.js";

/** aedes's client with the members that its types leave out. */
export interface BrokerClient extends Client {
	readonly subscriptions: Readonly<Record<string, unknown>>;
}

/** What a connection is made with. */
export interface ClientConnectionOptions {
	readonly socket: TLSSocket;
	/** Id of the certificate that the handshake proved. */
	readonly principal: string;
	readonly settings: Settings;
	readonly throttles: Throttles;
	readonly report: (event: CloudEventBody) => void;
}

/** The will of a CONNECT. */
export interface Will {
	readonly topic: string;
	readonly payload: Buffer | string;
	readonly qos: number;
}

/** Bytes that a packet may have besides its payload: topic, properties and lengths. */
const PACKET_OVERHEAD = 16 * 1024;

/** A client's connection to the broker. */
export class ClientConnection implements GateKeeper {
	readonly id = randomUUID();
	readonly gate: Gate;
	readonly principal: string;
	readonly sourceIp: string;
	readonly maximumOutgoing = 1024 * 1024;
	/** QoS 1 messages whose PUBACK has not been sent, in the order of arrival. It may be sent once `done` is set. */
	readonly #unacknowledged: { readonly packetId: number; done: boolean }[] = [];
	/** Number of provisioning requests without a reply. */
	outstanding = 0;
	/** Settles when the last of them has been handled. */
	requests: Promise<unknown> = Promise.resolve();
	/** From CONNECT. */
	clientId: string | undefined;
	client: BrokerClient | undefined;
	/** Present when the client speaks MQTT 5. */
	five: Mqtt5 | undefined;
	connected = false;
	/** Why it ended. The first reason given stays. */
	reason: DisconnectReason | undefined;
	/** Reason code of MQTT 5, where it says more than `reason`. */
	#code: number | undefined;
	#begun = false;
	/** CONNACK has gone out. */
	#answered = false;
	/** What came ahead of it. aedes would answer that first, and CONNACK must be the first answer (MQTT 3.1.1, 3.2). */
	readonly #ahead: Buffer[] = [];
	/** Filters of each SUBSCRIBE that has not been answered yet. */
	readonly #subscribing: { readonly packetId: number; readonly asked: readonly string[] }[] = [];
	readonly #options: ClientConnectionOptions;

	constructor(options: ClientConnectionOptions) {
		this.#options = options;
		this.principal = options.principal;
		this.sourceIp = (options.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
		this.gate = new Gate(options.socket, this);
	}

	get maximumPacket(): number {
		return this.#options.settings.limits.payload + PACKET_OVERHEAD;
	}

	get drainTimeout(): number {
		return this.#options.settings.connection.drainTimeout;
	}

	/** Ends the connection, unless it has ended. */
	drop(reason: DisconnectReason): void {
		this.reason ??= reason;
		this.gate.destroy();
	}

	broken(explanation: string, code?: number): void {
		this.reason ??= "CLIENT_ERROR";
		this.#code ??= code;
		this.#reportViolation(explanation);
	}

	slow(): void {
		this.#warn("reads too slowly: messages with QoS 0 are left out until it has caught up");
	}

	/** Ends the connection because of an error in the cloud itself, and reports a warning. */
	readonly failed: Failed = (where, error) => {
		this.#warn(`failed in ${where}: ${messageOf(error)}`);
		this.drop("SERVER_ERROR");
	};

	#warn(what: string): void {
		const client = this.clientId === undefined ? "" : ` (${this.clientId})`;
		this.#options.report({ event: "warning", message: `The connection ${this.id}${client} ${what}` });
	}

	/** Answers a refused CONNECT: with `code5` in MQTT 5, with `code` in 3.1.1, where there may be none and no answer. */
	refuse(code5: number, code?: number): void {
		if (this.five) this.gate.send(refusal5(code5));
		else if (code !== undefined) this.gate.send(refusal(code));
	}

	/** @throws FrameError for a will that could not be published */
	checkWill({ topic, payload, qos }: Will): void {
		if (topic.startsWith("$")) throw new FrameError("A will cannot be for a reserved topic.");
		if (/[+#]/.test(topic)) throw new FrameError("A will's topic must have no wildcards.");
		if (qos === 2) throw new FrameError("QoS 2 is not supported.", reasonCode.qosNotSupported);
		this.#checkTopic(topic);
		this.#checkPayload(Buffer.byteLength(payload));
	}

	/** Registers a message for which `acknowledge` or `withhold` will be called. */
	expectPuback(packetId: number): void {
		this.#unacknowledged.push({ packetId, done: false });
		if (this.#unacknowledged.length >= this.#options.settings.limits.unacknowledged) this.gate.hold();
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

	#sendPubacks(): void {
		while (this.#unacknowledged[0]?.done) {
			const { packetId } = this.#unacknowledged.shift()!;
			this.gate.send(Buffer.from([packetType.puback << 4, 2, packetId >> 8, packetId & 0xff]));
		}
		if (this.#unacknowledged.length < this.#options.settings.limits.unacknowledged) this.gate.release();
	}

	incoming(frame: Buffer): Buffer | undefined {
		if (!this.#begun) return this.#begin(frame);
		if (typeOf(frame) === packetType.connect)
			throw new FrameError("A second CONNECT on one connection is not allowed.");
		if (!this.#answered) {
			if (this.#options.settings.connection.aheadOfConnack === "close")
				throw new FrameError("A packet came ahead of CONNACK, and the setting connection.aheadOfConnack is close.");
			this.#ahead.push(frame);
			this.gate.hold();
			return undefined;
		}
		checkPacket(frame, this.five ? 5 : 4);
		const translated = this.five ? this.five.fromClient(frame) : frame;
		if (translated === undefined) {
			// A DISCONNECT that asks for the will to be published.
			this.drop("CONNECTION_LOST");
			return undefined;
		}
		switch (typeOf(translated)) {
			case packetType.publish:
				return this.#mayPublish(translated) ? translated : undefined;
			case packetType.subscribe:
				return this.#maySubscribe(translated) ? translated : undefined;
			case packetType.disconnect:
				this.reason ??= "CLIENT_INITIATED_DISCONNECT";
		}
		return translated;
	}

	outgoing(frame: Buffer): Buffer | undefined {
		if (typeOf(frame) === packetType.connack) {
			this.#answered = true;
			const goOn = () => {
				this.gate.takeFrames(this.#ahead.splice(0));
				this.gate.release();
			};
			// Once it has been sent, which is after this.
			if (this.#ahead.length > 0) setImmediate(guarded("packets ahead of CONNACK", this.failed, goOn));
		}
		if (typeOf(frame) === packetType.suback) {
			const answered = this.#subscribing.findIndex(({ packetId }) => packetId === readPacketId(frame));
			if (answered >= 0) this.#subscribing.splice(answered, 1);
		}
		// Left out, since aedes acknowledges a message before it has stored it. `acknowledge` sends the PUBACK instead.
		if (typeOf(frame) === packetType.puback) return undefined;
		return this.five ? this.five.toClient(frame) : frame;
	}

	farewell(): Buffer | undefined {
		return this.five && this.connected ? farewell5(this.reason, this.#code) : undefined;
	}

	#begin(frame: Buffer): Buffer | undefined {
		if (typeOf(frame) !== packetType.connect) throw new FrameError("The first packet must be CONNECT.");
		this.#begun = true;
		const level = readProtocolLevel(frame);
		if (level === 4) {
			checkPacket(frame, level);
			return frame;
		}
		if (level !== 5) {
			this.gate.send(level > 5 ? refusal5(reasonCode.unsupportedVersion) : refusal(1));
			throw new FrameError("Only MQTT 3.1.1 and 5 are spoken here: set the client's protocol version to 4 or 5.");
		}
		this.five = new Mqtt5();
		try {
			checkPacket(frame, level);
			return this.five.fromClient(frame);
		} catch (error) {
			if (error instanceof FrameError) this.refuse(error.reasonCode ?? reasonCode.protocolError);
			throw error;
		}
	}

	#mayPublish(frame: Buffer): boolean {
		const { topic, qos, retain, payloadLength } = readPublish(frame);
		const { connection } = this.#options.settings;
		this.#checkPayload(payloadLength);
		// The prefix of Basic Ingest does not count.
		this.#checkTopic(topic.replace(/^\$aws\/rules\/[^/]*\//, ""));
		if (retain && topic.startsWith("$")) throw new FrameError("RETAIN is not allowed on reserved topics.");
		if (qos === 2) return this.#refuseQos2("PUBLISH");
		const rate = connection.publishesPerSecond;
		return this.#options.throttles.take(`publish ${this.id}`, rate > 0 ? { rate, burst: rate } : undefined);
	}

	#maySubscribe(frame: Buffer): boolean {
		const { limits } = this.#options.settings;
		const filters = readSubscribe(frame);
		if (filters.length > limits.filtersPerSubscribe) {
			throw new FrameError(
				`A SUBSCRIBE may have at most ${limits.filtersPerSubscribe} filters, this one has ${filters.length}.`,
			);
		}
		for (const { filter } of filters) this.#checkTopic(filter);
		const asked = filters.map(({ filter }) => filter);
		const all = new Set([
			...Object.keys(this.client?.subscriptions ?? {}),
			...this.#subscribing.flatMap((earlier) => earlier.asked),
			...asked,
		]);
		if (all.size > limits.subscriptions) {
			throw new FrameError(
				`A connection may have at most ${limits.subscriptions} subscriptions.`,
				reasonCode.quotaExceeded,
			);
		}
		if (filters.some(({ qos }) => qos === 2)) return this.#refuseQos2("SUBSCRIBE");
		this.#subscribing.push({ packetId: readPacketId(frame), asked });
		return true;
	}

	/** AWS does not answer such a packet in MQTT 3.1.1, and closes the connection in 5. */
	#refuseQos2(packet: string): false {
		if (this.five) throw new FrameError("QoS 2 is not supported.", reasonCode.qosNotSupported);
		this.#reportViolation(`QoS 2 is not supported: the ${packet} is not acknowledged.`);
		return false;
	}

	#checkPayload(bytes: number): void {
		const { payload } = this.#options.settings.limits;
		if (bytes > payload)
			throw new FrameError(`The payload is larger than ${payload} bytes.`, reasonCode.packetTooLarge);
	}

	#checkTopic(topic: string): void {
		const { limits } = this.#options.settings;
		if (Buffer.byteLength(topic) > limits.topic) {
			throw new FrameError(`A topic may have at most ${limits.topic} bytes.`);
		}
		if (topic.split("/").length - 1 > limits.topicSlashes) {
			throw new FrameError(`A topic may have at most ${limits.topicSlashes} slashes.`);
		}
	}

	/** Reports a broken rule. The connection need not end because of it. */
	#reportViolation(explanation: string): void {
		this.#options.report({
			event: "violation",
			connectionId: this.id,
			principal: this.principal,
			...(this.clientId !== undefined && { clientId: this.clientId }),
			explanation,
		});
	}
}
