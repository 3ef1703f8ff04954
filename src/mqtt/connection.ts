// One MQTT 3.1.1 connection over a TLS socket: CONNECT, subscribe, publish, keep alive. Every wait has a time limit, and
// every queue a size limit. Any error ends the connection with one failure, which every waiting call receives.

import { asFailure, Failure, type FailureCode } from "../base/failure.js";
import type { Will } from "../contract/application.js";
import type { Role } from "../contract/events.js";
import type { Credentials, Host, Socket, SocketError, SocketErrorReason, TimerId } from "../contract/host.js";
import { encodePacket, type Packet, PacketReader } from "./packets.js";

/** ms until TLS is up and CONNACK has come. On an ESP32, RSA alone takes seconds. */
const CONNECT_LIMIT = 30_000;
/** ms until SUBACK or UNSUBACK. */
const SUBSCRIBE_LIMIT = 15_000;
/** ms until PUBACK. Longer than the wait for a reply, because AWS may acknowledge a request late. */
const PUBLISH_LIMIT = 60_000;
/** ms until PINGRESP. */
const PING_LIMIT = 10_000;
/** How much may wait to be written to the socket: bytes of payloads and topics, and number of packets. */
const QUEUE_LIMIT = 16_384;
const QUEUE_PACKETS = 64;
/** How many acknowledgements may be outstanding at a time. AWS IoT acknowledges at most 100 PUBLISHes in flight. */
const IN_FLIGHT = 64;

/** The failure that each socket error becomes, apart from errors that mean that this device's certificate was refused. */
const SOCKET_FAILURES = Object.freeze({
	resolve: "HOST_UNKNOWN",
	connect: "HOST_UNREACHABLE",
	tls: "TLS_FAILED",
	"tls-dates": "SERVER_DATES",
	"tls-server": "SERVER_UNTRUSTED",
	closed: "CONNECTION_LOST",
} as const satisfies Partial<Record<SocketErrorReason, FailureCode>>);

/** Who connects, and how. */
export interface ConnectionOptions {
	readonly role: Role;
	readonly clientId: string;
	readonly credentials: Credentials;
	/** Largest packet accepted, in bytes. */
	readonly packetLimit: number;
	readonly will?: Will | undefined;
}

const protocolError = (detail: string): Failure => new Failure("PROTOCOL_ERROR", detail);

/** A call that waits for an acknowledgement. */
interface Waiter {
	resolve(packet: Packet): void;
	reject(failure: Failure): void;
	readonly timer: TimerId;
}

/** A connection. The constructor starts connecting; `open` waits until the broker has accepted the connection. */
export class Connection {
	readonly clientId: string;
	/** Called with each PUBLISH. An exception that it throws ends the connection. */
	onMessage: ((topic: string, payload: Uint8Array) => void) | undefined;
	/** Called once when the connection has ended without `close`, after all waiting calls have failed. */
	onEnd: ((failure: Failure) => void) | undefined;

	readonly #host: Host;
	readonly #role: Role;
	readonly #will: Will | undefined;
	readonly #socket: Socket;
	/** Keys: `tls`, `connack`, `ping`, or `suback`/`unsuback`/`puback` with the packet id. */
	readonly #waiting = new Map<string, Waiter>();
	/** Packets that are not encoded yet, and the total size of their topics and payloads. */
	#queue: Packet[] = [];
	#queued = 0;
	/** The rest of the packet that is being written. */
	#rest: Uint8Array | undefined;
	#writable = 0;
	#secured = false;
	#accepted = false;
	#ended = false;
	#lastId = 0;
	#keepAlive: TimerId;

	/** Starts connecting. */
	constructor(host: Host, options: ConnectionOptions) {
		const { configuration } = host;
		const port = configuration.port ?? 8883;
		this.clientId = options.clientId;
		this.#host = host;
		this.#role = options.role;
		this.#will = options.will;
		const reader = new PacketReader(options.packetLimit, (packet) => this.#receive(packet));
		this.#socket = host.openSocket({
			host: configuration.endpoint,
			port,
			serverName: configuration.serverName ?? configuration.endpoint,
			...(port === 443 && { protocols: ["x-amzn-mqtt-ca"] }),
			credentials: options.credentials,
			roots: host.roots,
			onReadable: () =>
				this.#guard(() => {
					for (let bytes = this.#socket.read(); bytes !== undefined && !this.#ended; bytes = this.#socket.read())
						reader.push(new Uint8Array(bytes));
				}),
			onWritable: (count) =>
				this.#guard(() => {
					this.#secured = true;
					this.#settle("tls");
					this.#writable = count;
					this.#flush();
				}),
			onError: (error) => this.#end(this.#explain(error)),
		});
	}

	/**
	 * Waits until TLS is up, for a caller that does not wait for CONNACK before it sends more. Call it before `open`, or not at all.
	 * @throws Failure of step `connect`
	 */
	secure(): Promise<unknown> {
		return this.#wait("tls", CONNECT_LIMIT, "CONNECT_TIMEOUT");
	}

	/**
	 * Sends CONNECT (clean session) and waits for CONNACK. Call it once, before anything else is sent.
	 * @throws Failure of step `connect`, CLAIM_REFUSED or IDENTITY_REFUSED when the service refuses these credentials
	 */
	async open(): Promise<void> {
		const { clientId } = this;
		const will = this.#will;
		const keepalive = this.#host.configuration.keepAlive ?? 300;
		const { returnCode } = (await this.#request("connack", CONNECT_LIMIT, "CONNECT_TIMEOUT", {
			cmd: "connect",
			protocolId: "MQTT",
			protocolVersion: 4,
			clean: true,
			clientId,
			keepalive,
			...(will && { will: { qos: 1, retain: false, ...will, payload: will.payload as string } }),
		} as Packet)) as { returnCode?: number };
		if (returnCode !== 0) {
			// 3 is "server unavailable"; the other codes mean that this client is refused (MQTT 3.1.1, 3.2.2.3).
			const failure = new Failure(returnCode === 3 ? "CONNACK_REFUSED" : this.#refused, `return code ${returnCode}`);
			this.#end(failure);
			throw failure;
		}
		// The connection may have ended in the same read that brought CONNACK.
		if (this.#ended) throw new Failure("CONNECTION_LOST", "closed right after CONNACK");
		this.#scheduleKeepAlive(keepalive * 500);
	}

	/**
	 * Subscribes to all filters in one SUBSCRIBE with QoS 1.
	 * @throws Failure SEND_QUEUE_FULL, SUBSCRIBE_REFUSED, SUBSCRIBE_HUNG_UP, SUBSCRIBE_TIMEOUT, or how the connection ended
	 */
	async subscribe(filters: readonly string[]): Promise<void> {
		const messageId = this.#nextId();
		const { granted } = (await this.#request(`suback${messageId}`, SUBSCRIBE_LIMIT, "SUBSCRIBE_TIMEOUT", {
			cmd: "subscribe",
			messageId,
			subscriptions: filters.map((topic) => ({ topic, qos: 1 as const })),
		})) as { granted?: readonly (number | object)[] };
		if (granted?.length !== filters.length) throw protocolError("SUBACK for another number of filters");
		const refused = filters.filter((_, i) => (granted[i] as number) > 2);
		if (refused.length > 0) throw new Failure("SUBSCRIBE_REFUSED", refused[0]);
	}

	/**
	 * Ends subscriptions. Messages that are already on their way may still arrive.
	 * @throws Failure SEND_QUEUE_FULL, UNSUBSCRIBE_TIMEOUT, or how the connection ended
	 */
	unsubscribe(filters: readonly string[]): Promise<unknown> {
		const messageId = this.#nextId();
		return this.#request(`unsuback${messageId}`, SUBSCRIBE_LIMIT, "UNSUBSCRIBE_TIMEOUT", {
			cmd: "unsubscribe",
			messageId,
			unsubscriptions: [...filters],
		});
	}

	/**
	 * Publishes with QoS 1 or 0. With QoS 1 the promise settles when the PUBACK arrives. A caller that waits for a reply
	 * message need not wait for that, because AWS may send the PUBACK late. Needs much of the stack, so call it when little is
	 * in use.
	 * @throws Failure SEND_QUEUE_FULL, PUBLISH_TIMEOUT, or how the connection ended
	 */
	publish(topic: string, payload: Uint8Array | string, qos: 0 | 1 = 1, retain = false): Promise<unknown> {
		// The packet types require a Buffer, but any Uint8Array works.
		const packet = { cmd: "publish", topic, payload: payload as string, dup: false, retain } as const;
		if (qos === 0) return new Promise((resolve) => resolve(this.#send({ ...packet, qos })));
		const messageId = this.#nextId();
		return this.#request(`puback${messageId}`, PUBLISH_LIMIT, "PUBLISH_TIMEOUT", { ...packet, qos, messageId });
	}

	/** Whether either side has ended the connection. */
	get ended(): boolean {
		return this.#ended;
	}

	/** Sends DISCONNECT and closes the connection. All waiting calls fail with CONNECTION_LOST; `onEnd` is not called. */
	close(): void {
		if (this.#ended) return;
		// DISCONNECT, two bytes, is sent only when nothing is queued, because closing does not wait for the queue.
		this.#guard(() => {
			const idle = this.#rest === undefined && this.#queue.length === 0;
			if (this.#accepted && idle && this.#writable >= 2) this.#socket.write(Uint8Array.of(0xe0, 0));
		});
		this.onEnd = undefined;
		this.#end(new Failure("CONNECTION_LOST", "closed by this device"));
	}

	#nextId(): number {
		this.#lastId = (this.#lastId % 65_535) + 1;
		return this.#lastId;
	}

	/** Sends a packet and waits for its acknowledgement. If that does not come within the limit, the connection ends. */
	#request(key: string, limit: number, code: FailureCode, packet: Packet): Promise<Packet> {
		return this.#wait(key, limit, code, () => {
			if (this.#waiting.size >= IN_FLIGHT && key !== "ping") throw new Failure("SEND_QUEUE_FULL");
			this.#send(packet);
		});
	}

	/** @param begin called first; what it throws rejects the promise */
	#wait(key: string, limit: number, code: FailureCode, begin?: () => void): Promise<Packet> {
		const { timer } = this.#host;
		return new Promise((resolve, reject) => {
			begin?.();
			this.#waiting.set(key, { resolve, reject, timer: timer.set(() => this.#end(new Failure(code)), limit) });
		});
	}

	#settle(key: string, packet?: Packet): void {
		const waiter = this.#waiting.get(key);
		// Unknown ids are ignored, because a late or repeated acknowledgement does no harm.
		if (waiter === undefined) return;
		this.#waiting.delete(key);
		this.#host.timer.clear(waiter.timer);
		waiter.resolve(packet!);
	}

	#receive(packet: Packet): void {
		if (this.#ended) return;
		if (!this.#accepted && packet.cmd !== "connack") throw protocolError("a packet ahead of CONNACK");
		switch (packet.cmd) {
			case "connack":
				if (!this.#waiting.has("connack")) throw protocolError("a second CONNACK");
				// Set here and not in `open`, because the same read may bring the next packet as well.
				this.#accepted = packet.returnCode === 0;
				return this.#settle("connack", packet);
			case "suback":
			case "unsuback":
			case "puback":
				return this.#settle(`${packet.cmd}${packet.messageId}`, packet);
			case "pingresp":
				return this.#settle("ping", packet);
			case "publish":
				if (packet.qos === 2) throw protocolError("a PUBLISH with QoS 2");
				if (packet.qos === 1) this.#send({ cmd: "puback", messageId: packet.messageId! });
				return this.onMessage?.(packet.topic, packet.payload as Uint8Array);
			default:
				throw protocolError("a packet that only clients send");
		}
	}

	/**
	 * Queues a packet and sends it soon. It is not sent at once, because encoding needs much of the stack, and callers already
	 * use most of it.
	 */
	#send(packet: Packet): void {
		if (this.#ended) throw new Failure("CONNECTION_LOST", "it had ended before");
		const size = packet.cmd === "publish" ? packet.topic.length + packet.payload.length : 0;
		// One read may bring as many messages as the broker has in flight (AWS: 100), and each needs its PUBACK. A ping always
		// fits, because a queue full of messages is no reason to give up the connection.
		const { cmd } = packet;
		const places = cmd === "puback" ? 4 * QUEUE_PACKETS : cmd === "pingreq" ? Number.POSITIVE_INFINITY : QUEUE_PACKETS;
		if (this.#queued + size > QUEUE_LIMIT || this.#queue.length >= places) throw new Failure("SEND_QUEUE_FULL");
		this.#queue.push(packet);
		this.#queued += size;
		if (this.#queue.length === 1) Promise.resolve().then(() => this.#guard(() => this.#flush()));
	}

	/** Writes as much as the socket accepts. The rest waits for `onWritable`. */
	#flush(): void {
		while (this.#writable > 0 && (this.#rest !== undefined || this.#queue.length > 0)) {
			const bytes = this.#rest ?? this.#encodeNext();
			const part = bytes.subarray(0, this.#writable);
			this.#rest = part.length < bytes.length ? bytes.subarray(part.length) : undefined;
			this.#writable -= part.length;
			this.#socket.write(part);
		}
	}

	#encodeNext(): Uint8Array {
		const packet = this.#queue.shift()!;
		if (packet.cmd === "publish") this.#queued -= packet.topic.length + packet.payload.length;
		return encodePacket(packet);
	}

	/** Pings at half the keep-alive time: the broker hangs up after one and a half (MQTT 3.1.1, 3.1.2.10). */
	#scheduleKeepAlive(interval: number): void {
		this.#keepAlive = this.#host.timer.set(() => {
			this.#scheduleKeepAlive(interval);
			// An unanswered ping ends the connection, which calls `onEnd`, so this promise's rejection needs no handling.
			this.#request("ping", PING_LIMIT, "KEEP_ALIVE_TIMEOUT", { cmd: "pingreq" }).catch(() => {});
		}, interval);
	}

	#guard(work: () => void): void {
		if (this.#ended) return;
		try {
			work();
		} catch (error) {
			this.#end(asFailure(error));
		}
	}

	#end(failure: Failure): void {
		if (this.#ended) return;
		this.#ended = true;
		if (this.#keepAlive !== undefined) this.#host.timer.clear(this.#keepAlive);
		this.#queue = [];
		this.#socket.close();
		for (const [key, waiter] of this.#waiting) {
			this.#host.timer.clear(waiter.timer);
			// AWS IoT refuses a subscription by closing the connection, so a call that waits for SUBACK fails with a code of its
			// own.
			const hungUp = failure.code === "CONNECTION_LOST" && key.startsWith("suback");
			waiter.reject(hungUp ? new Failure("SUBSCRIBE_HUNG_UP", failure.detail) : failure);
		}
		this.#waiting.clear();
		this.onEnd?.(failure);
	}

	get #refused(): FailureCode {
		return this.#role === "claim" ? "CLAIM_REFUSED" : "IDENTITY_REFUSED";
	}

	#explain({ reason, message }: SocketError): Failure {
		if (reason === "tls-client") return new Failure(this.#refused, message);
		// TLS was established but no CONNACK came. AWS refuses a certificate or a CONNECT by closing the connection without a
		// CONNACK. Where more went out behind CONNECT, that may be why: the next attempt, which waits, will tell.
		if (reason === "closed" && this.#secured && !this.#accepted && this.#waiting.size < 2)
			return new Failure(this.#refused, message);
		return new Failure(SOCKET_FAILURES[reason], message);
	}
}
