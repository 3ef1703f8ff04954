// Runs the application on one connection: what it is given, and what happens to whatever it throws. Nothing that an
// application does may stop the device program: it is called only by `attempt`, and gets no object that other code relies on.

import { Failure } from "../base/failure.js";
import { utf8Length } from "../base/utf8.js";
import type {
	ApplicationConnection,
	ApplicationContext,
	ConnectionError,
	Identity,
	MessageHandler,
	Will,
} from "../contract/application.js";
import type { Host } from "../contract/host.js";
import type { RecordOf } from "../identity/record.js";
import type { Connection } from "../mqtt/connection.js";
import { Routes } from "../mqtt/routes.js";
import type { Device } from "./device.js";

/** Bytes of a topic or filter. AWS IoT closes the connection for a longer one, and for a wildcard where none is allowed. */
const TOPIC_LIMIT = 256;
/** Filters in a SUBSCRIBE or UNSUBSCRIBE. AWS IoT accepts no more. */
const FILTERS_LIMIT = 8;
/** Calls that may be in progress at a time (each takes about 150 slots of the heap), and the bytes of all their payloads. */
const CALLS_LIMIT = 8;
const PAYLOADS_LIMIT = 16_384;
/** Filters that may have a handler of their own. AWS IoT accepts no more subscriptions on a connection. */
const HANDLERS_LIMIT = 50;
/** Where the application was, in a failure. What it throws when it is called ends the connection. */
const WHEN_CALLED = "when called";
/** Bytes of a will's payload, which is part of the CONNECT packet. */
const WILL_LIMIT = 4_096;

/**
 * Runs the application until the connection ends, which is thrown as a failure, or until a factory reset or the end of the
 * program is requested. Then closes the connection and lets the application stop what it has started.
 * @throws Failure why the connection ended: APPLICATION_CLOSED or APPLICATION_FAILED when the application ended it
 */
export async function runApplication(
	device: Device,
	record: RecordOf<"proved">,
	connection: Connection,
): Promise<void> {
	const session = new Session(device, connection);
	// Continues in a later turn, with an empty stack, so that the application has as much of the stack as possible.
	await undefined;
	try {
		await new Promise<void>((resolve, reject) => session.begin(record, resolve, reject));
	} finally {
		session.finish();
	}
}

/** The text of an exception. Anything may have been thrown, and even reading its members may throw. */
function describe(error: unknown): string {
	try {
		return String(error instanceof Error ? error.message : error);
	} catch {
		return "an exception that has no text";
	}
}

/**
 * A copy of the will that the host gives for the application's next connection.
 * @throws Failure APPLICATION_FAILED when the host throws or the will is invalid
 */
export function willOf(host: Host, record: RecordOf<"proved">): Will | undefined {
	try {
		const will = host.will?.(identityOf(record));
		if (will === undefined) return undefined;
		const { topic, payload, qos = 1, retain = false } = will;
		if (sizeOf(topic, payload, qos, retain) > WILL_LIMIT) throw new TypeError("too long");
		return { topic, payload: typeof payload === "string" ? payload : new Uint8Array(payload), qos, retain };
	} catch (error) {
		throw new Failure("APPLICATION_FAILED", `its will: ${describe(error)}`);
	}
}

const identityOf = ({ thingName, certificateId, deviceConfiguration }: RecordOf<"proved">): Identity =>
	Object.freeze({
		thingName,
		certificateId,
		...(deviceConfiguration && { deviceConfiguration: Object.freeze({ ...deviceConfiguration }) }),
	});

/**
 * One run of the application on one connection. A class, whose methods lie in flash: each closure would take ten slots of the
 * heap or more for as long as the application runs.
 */
class Session {
	readonly #device: Device;
	readonly connection: Connection;
	/** Ends the session with a failure. */
	#reject: (failure: Failure) => void = () => {};
	/** Whether a failure has ended it. */
	#over = false;
	/** Whether the connection has been closed and the application stopped. */
	#closed = false;
	/** What the application has returned. */
	#stop: unknown;
	onMessage: MessageHandler | undefined;
	readonly #routes = new Routes<MessageHandler>();
	#calls = 0;
	#bytes = 0;
	/** One promise for all refused calls, so that an application that calls without end does not use up the memory. */
	#full: Promise<never> | undefined;

	constructor(device: Device, connection: Connection) {
		this.#device = device;
		this.connection = connection;
	}

	/** Calls the application. `resolve` is called when a reset or the end is requested, `reject` when the connection ends. */
	begin(record: RecordOf<"proved">, resolve: () => void, reject: (failure: Failure) => void): void {
		const device = this.#device;
		const connection = this.connection;
		this.#reject = reject;
		connection.onEnd = (failure) => this.end(failure);
		if (connection.ended) return this.end(new Failure("CONNECTION_LOST"));
		device.whenAsked(resolve);
		if (device.reset !== undefined || device.stopped) return resolve();
		// In a later turn for the same reason as below. At most the messages of one read of the socket wait here.
		connection.onMessage = (topic, payload) => void Promise.resolve().then(() => this.deliver(topic, payload));
		this.attempt(
			WHEN_CALLED,
			() => device.application(this.contextOf(record)),
			(given) => {
				this.#stop = given;
				// An async application may return only after the connection has ended.
				if (this.#closed) this.callStop();
			},
		);
	}

	/** Calls the application's code. What it returns or resolves to goes to `done`. */
	attempt(where: string, work: () => unknown, done?: (given: unknown) => void): void {
		const fail = (error: unknown): void => {
			const failure = new Failure("APPLICATION_FAILED", `${where}: ${describe(error)}`);
			if (where === WHEN_CALLED && !this.#over && !this.#closed) this.end(failure);
			else this.#device.report({ event: "failure", failure: failure.report() });
		};
		try {
			const given = work();
			// Not Promise.resolve: that reads members of a promise, and the application may have replaced those.
			if (typeof given === "object" && given !== null) new Promise((resolve) => resolve(given)).then(done, fail);
			else done?.(given);
		} catch (error) {
			fail(error);
		}
	}

	/** Closes the connection and lets the application stop what it has started. */
	finish(): void {
		this.#closed = true;
		this.#device.whenAsked();
		this.connection.onMessage = undefined;
		this.connection.close();
		this.callStop();
	}

	end(failure: Failure): void {
		this.#over = true;
		this.#reject(failure);
	}

	callStop(): void {
		const callback = this.#stop;
		this.#stop = undefined;
		if (typeof callback === "function") this.attempt("when stopped", () => callback());
	}

	contextOf(record: RecordOf<"proved">): ApplicationContext {
		const device = this.#device;
		const { serialNumber, firmwareVersion } = device.host.device;
		return Object.freeze({
			identity: identityOf(record),
			serialNumber,
			firmwareVersion,
			connection: openTo(this, this.connection.clientId),
			factoryReset(identity: "forget" | "keep") {
				if (identity !== "forget" && identity !== "keep") throw new TypeError('neither "forget" nor "keep"');
				device.askReset(identity);
			},
		});
	}

	deliver(topic: string, payload: Uint8Array): void {
		const handlers = this.#routes.find(topic);
		if (handlers.length === 0 && this.onMessage !== undefined) handlers.push(this.onMessage);
		for (const handler of handlers) this.attempt("in onMessage", () => handler(topic, payload));
	}

	publish(topic: string, payload: Uint8Array | string, qos: 0 | 1 = 1, retain = false): Promise<void> {
		return this.call(() => {
			const size = sizeOf(topic, payload, qos, retain);
			if (this.isFull(size)) return undefined;
			// Copied, because the application may change its buffer afterwards.
			const body = typeof payload === "string" ? payload : new Uint8Array(payload);
			return [size, () => this.connection.publish(topic, body, qos, retain)];
		});
	}

	subscribe(filters: readonly string[], handler?: MessageHandler): Promise<void> {
		return this.call(() => {
			const checked = copyOf(filters);
			if (handler === undefined) return [0, () => this.connection.subscribe(checked)];
			if (typeof handler !== "function") throw new TypeError("the handler is not a function");
			if (this.#routes.size + checked.length > HANDLERS_LIMIT)
				throw new TypeError(`more than ${HANDLERS_LIMIT} handlers`);
			// Set before the SUBACK, because messages may arrive before it.
			this.#routes.set(checked, handler);
			return [
				0,
				() =>
					this.connection.subscribe(checked).catch((error) => {
						this.#routes.delete(checked);
						throw error;
					}),
			];
		});
	}

	unsubscribe(filters: readonly string[]): Promise<void> {
		return this.call(() => {
			const checked = copyOf(filters);
			this.#routes.delete(checked);
			return [0, () => this.connection.unsubscribe(checked)];
		});
	}

	close(): void {
		this.onMessage = undefined;
		this.#routes.clear();
		this.connection.close();
		this.end(new Failure("APPLICATION_CLOSED"));
	}

	isFull(size: number): boolean {
		return this.#calls >= CALLS_LIMIT || this.#bytes + size > PAYLOADS_LIMIT;
	}

	/**
	 * Carries out one call of the application. `prepare` throws when its arguments are invalid; otherwise it returns the bytes of
	 * the payload and the work, or undefined when the call exceeds the limits.
	 */
	call(prepare: () => readonly [size: number, work: () => Promise<unknown>] | undefined): Promise<void> {
		try {
			const prepared = this.isFull(0) ? undefined : prepare();
			if (prepared === undefined) {
				this.#full ??= quiet(Promise.reject(ownError(new Failure("SEND_QUEUE_FULL"))));
				return this.#full;
			}
			const [size, work] = prepared;
			this.#calls += 1;
			this.#bytes += size;
			const done = (): void => {
				this.#calls -= 1;
				this.#bytes -= size;
			};
			// In a later turn, with an empty stack: the stack is small, and the application has used much of it already.
			return quiet(
				Promise.resolve()
					.then(work)
					.then(done, (error) => {
						done();
						throw ownError(error);
					}),
			);
		} catch (error) {
			return quiet(Promise.reject(error));
		}
	}
}

/** Without a handler, a rejection would restart the device, as an uncaught exception does. */
function quiet<T>(promise: Promise<T>): Promise<T> {
	promise.catch(() => {});
	return promise;
}

/** The object through which an application uses a connection. Nothing else of the session can be reached from it. */
const openTo = (session: Session, clientId: string): ApplicationConnection =>
	Object.freeze({
		clientId,
		get ended() {
			return session.connection.ended;
		},
		get onMessage() {
			return session.onMessage;
		},
		set onMessage(given) {
			if (given !== undefined && typeof given !== "function") throw new TypeError("onMessage is not a function");
			session.onMessage = given;
		},
		publish: (topic: string, payload: Uint8Array | string, qos?: 0 | 1, retain?: boolean) =>
			session.publish(topic, payload, qos, retain),
		subscribe: (filters: readonly string[], handler?: MessageHandler) => session.subscribe(filters, handler),
		unsubscribe: (filters: readonly string[]) => session.unsubscribe(filters),
		close: () => session.close(),
	});

/** A failure in the form that an application gets: a new Error, which shares nothing with the device program's objects. */
const ownError = (failure: Failure): ConnectionError =>
	Object.assign(new Error(failure.message), { code: failure.code });

/** Bytes of a message's payload. @throws TypeError when topic, payload, QoS or `retain` is invalid */
function sizeOf(topic: unknown, payload: unknown, qos: unknown, retain: unknown): number {
	if (!isTopic(topic)) throw new TypeError("not a topic");
	if (qos !== 0 && qos !== 1) throw new TypeError("QoS is neither 0 nor 1");
	if (typeof retain !== "boolean") throw new TypeError("retain is neither true nor false");
	if (typeof payload === "string") return utf8Length(payload);
	if (payload instanceof Uint8Array && ArrayBuffer.isView(payload)) return payload.byteLength;
	throw new TypeError("the payload is neither text nor a Uint8Array");
}

/** Whether it is a topic without wildcards. The length is checked first, so that a long text is never searched. */
const isTopic = (topic: unknown): boolean => isLevels(topic) && !/[+#]/.test(topic);

const isLevels = (text: unknown): text is string =>
	typeof text === "string" &&
	text.length > 0 &&
	text.length <= TOPIC_LIMIT &&
	utf8Length(text) <= TOPIC_LIMIT &&
	!text.includes("\0");

/** A copy of 1 to 8 topic filters. @throws TypeError when they are anything else */
function copyOf(filters: readonly string[]): string[] {
	const count = Array.isArray(filters) ? filters.length : 0;
	if (count === 0 || count > FILTERS_LIMIT) throw new TypeError(`not 1 to ${FILTERS_LIMIT} topic filters`);
	const copy: string[] = [];
	for (let i = 0; i < count; i++) {
		const filter: unknown = filters[i];
		if (!isFilter(filter)) throw new TypeError("not a topic filter");
		copy.push(filter);
	}
	return copy;
}

/** Whether it is a filter: a wildcard must fill its level, and `#` must be the last level (MQTT 3.1.1, 4.7.1). */
const isFilter = (filter: unknown): filter is string =>
	isLevels(filter) &&
	filter
		.split("/")
		.every((level, i, levels) => level === "+" || !/[+#]/.test(level) || (level === "#" && i === levels.length - 1));
