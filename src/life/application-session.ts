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
	const report = (failure: Failure): void => device.report({ event: "failure", failure: failure.report() });
	let closed = false;
	let stop: unknown;
	const callStop = (): void => {
		const callback = stop;
		stop = undefined;
		if (typeof callback === "function") attempt("when stopped", () => callback(), report);
	};
	// Continues in a later turn, with an empty stack, so that the application has as much of the stack as possible.
	await undefined;
	try {
		await new Promise<void>((resolve, reject) => {
			let over = false;
			const end = (failure: Failure): void => {
				over = true;
				reject(failure);
			};
			connection.onEnd = end;
			if (connection.ended) return end(new Failure("CONNECTION_LOST"));
			device.whenAsked(resolve);
			if (device.reset !== undefined || device.stopped) return resolve();
			attempt(
				"when called",
				() => device.application(contextOf(device, record, connection, end, report)),
				(failure) => (over || closed ? report(failure) : end(failure)),
				(given) => {
					stop = given;
					// An async application may return only after the connection has ended.
					if (closed) callStop();
				},
			);
		});
	} finally {
		closed = true;
		device.whenAsked();
		connection.onMessage = undefined;
		connection.close();
		callStop();
	}
}

/** Calls the application's code. An exception or rejection goes to `failed`; what it returns or resolves to goes to `done`. */
function attempt(
	where: string,
	work: () => unknown,
	failed: (failure: Failure) => void,
	done?: (given: unknown) => void,
): void {
	const fail = (error: unknown): void => failed(new Failure("APPLICATION_FAILED", `${where}: ${describe(error)}`));
	try {
		const given = work();
		// Not Promise.resolve: that reads members of a promise, and the application may have replaced those.
		if (typeof given === "object" && given !== null) new Promise((resolve) => resolve(given)).then(done, fail);
		else done?.(given);
	} catch (error) {
		fail(error);
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

function contextOf(
	device: Device,
	record: RecordOf<"proved">,
	connection: Connection,
	end: (failure: Failure) => void,
	report: (failure: Failure) => void,
): ApplicationContext {
	const { host } = device;
	return Object.freeze({
		identity: identityOf(record),
		serialNumber: host.device.serialNumber,
		firmwareVersion: host.device.firmwareVersion,
		connection: openTo(connection, end, report),
		factoryReset(identity: "forget" | "keep") {
			if (identity !== "forget" && identity !== "keep") throw new TypeError('neither "forget" nor "keep"');
			device.askReset(identity);
		},
	});
}

/** The object through which an application uses a connection. */
function openTo(
	connection: Connection,
	end: (failure: Failure) => void,
	report: (failure: Failure) => void,
): ApplicationConnection {
	let onMessage: MessageHandler | undefined;
	const routes = new Routes<MessageHandler>();
	let calls = 0;
	let bytes = 0;
	/** One promise for all refused calls, so that an application that calls without end does not use up the memory. */
	let full: Promise<never> | undefined;

	// Without a handler, a rejection would restart the device, as an uncaught exception does.
	const quiet = <T>(promise: Promise<T>): Promise<T> => {
		promise.catch(() => {});
		return promise;
	};
	const isFull = (size: number): boolean => calls >= CALLS_LIMIT || bytes + size > PAYLOADS_LIMIT;
	/**
	 * Carries out one call of the application. `prepare` throws when its arguments are invalid; otherwise it returns the bytes of
	 * the payload and the work, or undefined when the call exceeds the limits.
	 */
	const call = (prepare: () => readonly [size: number, work: () => Promise<unknown>] | undefined): Promise<void> => {
		try {
			const prepared = isFull(0) ? undefined : prepare();
			if (prepared === undefined) {
				full ??= quiet(Promise.reject(ownError(new Failure("SEND_QUEUE_FULL"))));
				return full;
			}
			const [size, work] = prepared;
			calls += 1;
			bytes += size;
			const done = (): void => {
				calls -= 1;
				bytes -= size;
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
	};

	const deliver = (topic: string, payload: Uint8Array): void => {
		const handlers = routes.find(topic);
		if (handlers.length === 0 && onMessage !== undefined) handlers.push(onMessage);
		for (const handler of handlers) attempt("in onMessage", () => handler(topic, payload), report);
	};
	// In a later turn for the same reason. At most the messages of one read of the socket wait here.
	connection.onMessage = (topic, payload) => void Promise.resolve().then(() => deliver(topic, payload));
	return Object.freeze({
		clientId: connection.clientId,
		get ended() {
			return connection.ended;
		},
		get onMessage() {
			return onMessage;
		},
		set onMessage(given) {
			if (given !== undefined && typeof given !== "function") throw new TypeError("onMessage is not a function");
			onMessage = given;
		},
		publish: (topic: string, payload: Uint8Array | string, qos: 0 | 1 = 1, retain = false) =>
			call(() => {
				const size = sizeOf(topic, payload, qos, retain);
				if (isFull(size)) return undefined;
				// Copied, because the application may change its buffer afterwards.
				const body = typeof payload === "string" ? payload : new Uint8Array(payload);
				return [size, () => connection.publish(topic, body, qos, retain)];
			}),
		subscribe: (filters: readonly string[], handler?: MessageHandler) =>
			call(() => {
				const checked = copyOf(filters);
				if (handler === undefined) return [0, () => connection.subscribe(checked)];
				if (typeof handler !== "function") throw new TypeError("the handler is not a function");
				if (routes.size + checked.length > HANDLERS_LIMIT) throw new TypeError(`more than ${HANDLERS_LIMIT} handlers`);
				// Set before the SUBACK, because messages may arrive before it.
				routes.set(checked, handler);
				return [
					0,
					() =>
						connection.subscribe(checked).catch((error) => {
							routes.delete(checked);
							throw error;
						}),
				];
			}),
		unsubscribe: (filters: readonly string[]) =>
			call(() => {
				const checked = copyOf(filters);
				routes.delete(checked);
				return [0, () => connection.unsubscribe(checked)];
			}),
		close() {
			onMessage = undefined;
			routes.clear();
			connection.close();
			end(new Failure("APPLICATION_CLOSED"));
		},
	});
}

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
