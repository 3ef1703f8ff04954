// The only catalogue of failures. Devices, command line, tests and docs identify failures by these codes. A code or number
// is never reused for another failure. A failure never contains a secret. The firmware contains only the codes; their
// explanations are in hosts/cli/failure-words.ts, which no device program imports.

/**
 * What to do after a failure:
 * - `retry`: it is temporary; try again soon
 * - `recreate`: this certificate cannot be registered; start again with a new one
 * - `operator`: somebody has to fix something; try again, but rarely
 * - `fatal`: only new firmware can help; stop
 */
export type FailureClass = "retry" | "recreate" | "operator" | "fatal";

/** The step of a device's life in which a failure happened. */
export type FailureStep =
	| "start"
	| "clock"
	| "network"
	| "connect"
	| "subscribe"
	| "create"
	| "register"
	| "prove"
	| "store"
	| "run";

/** A failure's entry in the catalogue. */
export interface CatalogueEntry {
	/** What an LED can blink: tens for the step, ones for the case. */
	readonly number: number;
	/** The step of a device's life in which it happens. */
	readonly step: FailureStep;
	/** What to do about it. */
	readonly class: FailureClass;
}

/** Makes the entries of a step. */
const entriesOf =
	(step: FailureStep) =>
	(number: number, cls: FailureClass): CatalogueEntry =>
		Object.freeze({ number, step, class: cls });

// Names, because in flash a text takes as many bytes again wherever it stands.
const RETRY = "retry";
const RECREATE = "recreate";
const OPERATOR = "operator";
const FATAL = "fatal";
const start = entriesOf("start");
const clock = entriesOf("clock");
const network = entriesOf("network");
const connect = entriesOf("connect");
const subscribe = entriesOf("subscribe");
const create = entriesOf("create");
const register = entriesOf("register");
const prove = entriesOf("prove");
const store = entriesOf("store");
const run = entriesOf("run");

/**
 * Every failure by code. docs/failures.md is made from it and from the words in hosts/cli/failure-words.ts.
 *
 * @example
 * What an LED blinks:
 * ```ts
 * import { catalogue, type DeviceEvent } from "moddable-fleet-provisioning/device";
 *
 * export function report(event: DeviceEvent): void {
 * 	if (event.event === "failure") console.log(`blink ${catalogue[event.failure.code].number}`);
 * }
 * ```
 */
export const catalogue = Object.freeze({
	CONFIGURATION_INVALID: start(11, FATAL),
	CLAIM_MISSING: start(12, OPERATOR),
	KEY_PAIR_UNSUPPORTED: start(13, FATAL),
	CLAIM_NOT_ERASED: start(14, OPERATOR),
	INTERNAL: start(19, OPERATOR),

	CLOCK_UNSET: clock(21, RETRY),
	CLOCK_BEHIND: clock(22, RETRY),
	NETWORK_DOWN: network(23, RETRY),
	NETWORK_REFUSED: network(24, OPERATOR),

	HOST_UNKNOWN: connect(31, RETRY),
	HOST_UNREACHABLE: connect(32, RETRY),
	CONNECT_TIMEOUT: connect(33, RETRY),
	TLS_FAILED: connect(34, RETRY),
	SERVER_DATES: connect(35, OPERATOR),
	SERVER_UNTRUSTED: connect(36, OPERATOR),
	CLAIM_REFUSED: connect(37, OPERATOR),
	CONNACK_REFUSED: connect(38, RETRY),
	CONNECTION_LOST: connect(39, RETRY),

	SUBSCRIBE_REFUSED: subscribe(41, OPERATOR),
	SUBSCRIBE_TIMEOUT: subscribe(42, RETRY),
	SUBSCRIBE_HUNG_UP: subscribe(48, RETRY),
	UNSUBSCRIBE_TIMEOUT: subscribe(49, RETRY),
	PROTOCOL_ERROR: run(43, RETRY),
	PACKET_TOO_LARGE: run(44, RETRY),
	KEEP_ALIVE_TIMEOUT: run(45, RETRY),
	SEND_QUEUE_FULL: run(46, RETRY),
	PUBLISH_TIMEOUT: run(47, RETRY),

	CREATE_TIMEOUT: create(51, RETRY),
	CREATE_HUNG_UP: create(52, RETRY),
	CREATE_INVALID: create(53, OPERATOR),
	CREATE_DENIED: create(54, OPERATOR),
	CREATE_THROTTLED: create(55, RETRY),
	CREATE_FAULT: create(56, RETRY),
	CREATE_REPLY_MALFORMED: create(57, RETRY),
	CERTIFICATE_MALFORMED: create(58, RETRY),
	KEY_MISMATCH: create(59, RETRY),

	REGISTER_TIMEOUT: register(61, RETRY),
	REGISTER_HUNG_UP: register(62, RETRY),
	REGISTER_INVALID: register(63, OPERATOR),
	REGISTER_DENIED: register(64, OPERATOR),
	TEMPLATE_UNKNOWN: register(65, OPERATOR),
	RESOURCE_CONFLICT: register(66, OPERATOR),
	REGISTER_THROTTLED: register(67, RETRY),
	REGISTER_FAULT: register(68, RETRY),
	REGISTER_REPLY_MALFORMED: register(69, RETRY),
	THING_NAME_MISSING: register(71, OPERATOR),
	TOKEN_REFUSED: register(72, RECREATE),
	TOKEN_EXPIRED: register(73, RECREATE),

	IDENTITY_REFUSED: prove(81, OPERATOR),
	APPLICATION_CLOSED: run(82, RETRY),
	APPLICATION_FAILED: run(83, OPERATOR),

	STORE_FULL: store(91, OPERATOR),
	STORE_WRITE_FAILED: store(92, RETRY),
	STORE_READ_FAILED: store(93, RETRY),
	STORE_NEWER: store(94, FATAL),
} as const satisfies Record<string, CatalogueEntry>);

/** A stable code, such as `REGISTER_DENIED`. */
export type FailureCode = keyof typeof catalogue;

/** A failure as events carry it. */
export interface FailureReport {
	/** The code, which never changes its meaning. */
	readonly code: FailureCode;
	/** What an LED can blink: tens for the step, ones for the case. */
	readonly number: number;
	/** The step of the device's life in which it happened. */
	readonly step: FailureStep;
	/** What to do about it. */
	readonly class: FailureClass;
	/** Details, in a few words. */
	readonly detail?: string;
	/** AWS's reply, if there was one. */
	readonly rejection?: Rejection;
}

/** The members of a `rejected` reply (AWS IoT developer guide, "Device provisioning MQTT API"). */
export interface Rejection {
	/** An HTTP status code. */
	readonly statusCode: number;
	/** AWS's name for it, such as `InvalidCertificateOwnershipToken`. */
	readonly errorCode: string;
	/** For people to read. Shortened, and stripped of anything that might be a secret. */
	readonly errorMessage: string;
}

/** A failure of the catalogue, as an exception. */
export class Failure extends Error {
	/** The code, which never changes its meaning. */
	readonly code: FailureCode;
	/** Details, in a few words. Shortened, and stripped of anything that might be a secret. */
	readonly detail: string | undefined;
	/** AWS's reply, if there was one. */
	readonly rejection: Rejection | undefined;

	/**
	 * `detail` must not contain a secret. It is shortened and stripped all the same, because parts of it may come from the
	 * network.
	 */
	constructor(code: FailureCode, detail?: string, rejection?: Rejection) {
		const cleaned = detail === undefined ? undefined : clean(detail);
		super(cleaned === undefined ? code : `${code} (${cleaned})`);
		this.code = code;
		this.detail = cleaned;
		this.rejection = rejection && {
			statusCode: rejection.statusCode,
			errorCode: clean(rejection.errorCode),
			errorMessage: clean(rejection.errorMessage),
		};
	}

	/** What to do about it: the `class` that the catalogue gives this code. */
	get class(): FailureClass {
		return catalogue[this.code].class;
	}

	/** The failure as events report it. */
	report(): FailureReport {
		const { detail, rejection } = this;
		return {
			code: this.code,
			...catalogue[this.code],
			...(detail !== undefined && { detail }),
			...(rejection && { rejection }),
		};
	}
}

/** Converts any exception to a failure. The device program deliberately throws nothing but failures. */
export const asFailure = (error: unknown): Failure =>
	error instanceof Failure ? error : new Failure("INTERNAL", error instanceof Error ? error.message : String(error));

/**
 * Shortens a text to 160 printable characters, and removes runs long enough to be a line of PEM or a token. Keeps
 * certificate ids.
 */
function clean(text: string): string {
	return text
		.slice(0, 256)
		.replace(/[^\x20-\x7e]+/g, " ")
		.replace(/(?![0-9a-f]{64}(?![\w+/=-]))[\w+/=-]{60,}/g, "[…]")
		.slice(0, 160);
}
