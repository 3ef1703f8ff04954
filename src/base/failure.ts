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

const entry = (number: number, step: FailureStep, cls: FailureClass): CatalogueEntry =>
	Object.freeze({ number, step, class: cls });

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
	CONFIGURATION_INVALID: entry(11, "start", "fatal"),
	CLAIM_MISSING: entry(12, "start", "operator"),
	KEY_PAIR_UNSUPPORTED: entry(13, "start", "fatal"),
	CLAIM_NOT_ERASED: entry(14, "start", "operator"),
	INTERNAL: entry(19, "start", "operator"),

	CLOCK_UNSET: entry(21, "clock", "retry"),
	CLOCK_BEHIND: entry(22, "clock", "retry"),
	NETWORK_DOWN: entry(23, "network", "retry"),
	NETWORK_REFUSED: entry(24, "network", "operator"),

	HOST_UNKNOWN: entry(31, "connect", "retry"),
	HOST_UNREACHABLE: entry(32, "connect", "retry"),
	CONNECT_TIMEOUT: entry(33, "connect", "retry"),
	TLS_FAILED: entry(34, "connect", "retry"),
	SERVER_DATES: entry(35, "connect", "operator"),
	SERVER_UNTRUSTED: entry(36, "connect", "operator"),
	CLAIM_REFUSED: entry(37, "connect", "operator"),
	CONNACK_REFUSED: entry(38, "connect", "retry"),
	CONNECTION_LOST: entry(39, "connect", "retry"),

	SUBSCRIBE_REFUSED: entry(41, "subscribe", "operator"),
	SUBSCRIBE_TIMEOUT: entry(42, "subscribe", "retry"),
	SUBSCRIBE_HUNG_UP: entry(48, "subscribe", "retry"),
	UNSUBSCRIBE_TIMEOUT: entry(49, "subscribe", "retry"),
	PROTOCOL_ERROR: entry(43, "run", "retry"),
	PACKET_TOO_LARGE: entry(44, "run", "retry"),
	KEEP_ALIVE_TIMEOUT: entry(45, "run", "retry"),
	SEND_QUEUE_FULL: entry(46, "run", "retry"),
	PUBLISH_TIMEOUT: entry(47, "run", "retry"),

	CREATE_TIMEOUT: entry(51, "create", "retry"),
	CREATE_HUNG_UP: entry(52, "create", "retry"),
	CREATE_INVALID: entry(53, "create", "operator"),
	CREATE_DENIED: entry(54, "create", "operator"),
	CREATE_THROTTLED: entry(55, "create", "retry"),
	CREATE_FAULT: entry(56, "create", "retry"),
	CREATE_REPLY_MALFORMED: entry(57, "create", "retry"),
	CERTIFICATE_MALFORMED: entry(58, "create", "retry"),
	KEY_MISMATCH: entry(59, "create", "retry"),

	REGISTER_TIMEOUT: entry(61, "register", "retry"),
	REGISTER_HUNG_UP: entry(62, "register", "retry"),
	REGISTER_INVALID: entry(63, "register", "operator"),
	REGISTER_DENIED: entry(64, "register", "operator"),
	TEMPLATE_UNKNOWN: entry(65, "register", "operator"),
	RESOURCE_CONFLICT: entry(66, "register", "operator"),
	REGISTER_THROTTLED: entry(67, "register", "retry"),
	REGISTER_FAULT: entry(68, "register", "retry"),
	REGISTER_REPLY_MALFORMED: entry(69, "register", "retry"),
	THING_NAME_MISSING: entry(71, "register", "operator"),
	TOKEN_REFUSED: entry(72, "register", "recreate"),
	TOKEN_EXPIRED: entry(73, "register", "recreate"),

	IDENTITY_REFUSED: entry(81, "prove", "operator"),
	APPLICATION_CLOSED: entry(82, "run", "retry"),
	APPLICATION_FAILED: entry(83, "run", "operator"),

	STORE_FULL: entry(91, "store", "operator"),
	STORE_WRITE_FAILED: entry(92, "store", "retry"),
	STORE_READ_FAILED: entry(93, "store", "retry"),
	STORE_NEWER: entry(94, "store", "fatal"),
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
