// The one catalogue of what can go wrong. Devices, command line, tests and README speak of failures by these codes.
// Codes and numbers are never reused for anything else. A failure never holds a secret.

/**
 * What to make of a failure:
 * - `retry`: passes by itself; try again soon
 * - `recreate`: this certificate leads nowhere; begin again with a new one
 * - `operator`: somebody has to mend something; try again, seldom
 * - `fatal`: nothing will change before the firmware does; stop
 */
export type FailureClass = "retry" | "recreate" | "operator" | "fatal";

/** Where in the life of a device it happened. */
export type FailureStep =
	| "start"
	| "clock"
	| "connect"
	| "subscribe"
	| "create"
	| "register"
	| "prove"
	| "store"
	| "run";

/** `number` is what an LED can blink: tens for the step, ones for the case. */
interface Entry {
	readonly number: number;
	readonly step: FailureStep;
	readonly class: FailureClass;
	readonly meaning: string;
	readonly advice: string;
}

const entry = (number: number, step: FailureStep, cls: FailureClass, meaning: string, advice: string): Entry =>
	Object.freeze({ number, step, class: cls, meaning, advice });

/** Every failure by code. The README's table is made from it. */
export const catalogue = Object.freeze({
	CONFIGURATION_INVALID: entry(
		11,
		"start",
		"fatal",
		"the configuration cannot be right",
		"correct the member named and build the firmware again",
	),
	CLAIM_MISSING: entry(
		12,
		"start",
		"operator",
		"no identity, and no claim to ask for one with",
		"embed a claim (fleet claim embed) or hand the device one",
	),
	KEY_PAIR_UNSUPPORTED: entry(
		13,
		"start",
		"fatal",
		"keyPair is csr, but this machine cannot make a key pair",
		"set keyPair to keys",
	),
	CLAIM_NOT_ERASED: entry(
		14,
		"start",
		"operator",
		"the claim could not be erased",
		"set claimAfterwards to keep where this machine cannot erase it",
	),
	INTERNAL: entry(19, "start", "operator", "the device program itself failed", "report this with the message"),

	CLOCK_UNSET: entry(
		21,
		"clock",
		"retry",
		"no time server answered, so certificates cannot be checked",
		"let the device reach a time server (NTP, UDP port 123)",
	),
	CLOCK_BEHIND: entry(
		22,
		"clock",
		"retry",
		"the clock was set to before this firmware was built",
		"mend the time server that the device asks",
	),

	HOST_UNKNOWN: entry(
		31,
		"connect",
		"retry",
		"the endpoint's name has no address",
		"check endpoint and the network's DNS",
	),
	HOST_UNREACHABLE: entry(
		32,
		"connect",
		"retry",
		"nobody answers at the endpoint",
		"check network, firewall and port (8883 or 443)",
	),
	CONNECT_TIMEOUT: entry(
		33,
		"connect",
		"retry",
		"no accepted connection within the time limit",
		"check the network; some firewalls drop port 8883 silently: try 443",
	),
	TLS_FAILED: entry(
		34,
		"connect",
		"retry",
		"the TLS handshake failed",
		"check that the endpoint is the -ats one and that root and clock are right",
	),
	SERVER_DATES: entry(
		35,
		"connect",
		"operator",
		"the server's certificate is not valid at this device's time",
		"compare the device's clock with the certificate's dates",
	),
	SERVER_UNTRUSTED: entry(
		36,
		"connect",
		"operator",
		"the server is not who it should be, or its root is not known here",
		"embed Amazon Root CA 1 (and 3), use the -ats endpoint",
	),
	CLAIM_REFUSED: entry(
		37,
		"connect",
		"operator",
		"the service hung up on the claim",
		"is the claim certificate ACTIVE, and does its policy allow iot:Connect on client/<client id>?",
	),
	CONNACK_REFUSED: entry(38, "connect", "retry", "the service says that it is unavailable", "nothing, when it is rare"),
	CONNECTION_LOST: entry(39, "connect", "retry", "the connection was closed", "nothing, when it is rare"),

	SUBSCRIBE_REFUSED: entry(
		41,
		"subscribe",
		"operator",
		"a reply topic may not be subscribed to",
		"allow iot:Subscribe on topicfilter/… for the reply topics (topicfilter, not topic)",
	),
	SUBSCRIBE_TIMEOUT: entry(42, "subscribe", "retry", "no SUBACK within the time limit", "check the network"),
	SUBSCRIBE_HUNG_UP: entry(
		48,
		"subscribe",
		"retry",
		"the service hung up on the subscription",
		"if it stays: allow iot:Subscribe on topicfilter/… for the reply topics (topicfilter, not topic)",
	),
	UNSUBSCRIBE_TIMEOUT: entry(49, "subscribe", "retry", "no UNSUBACK within the time limit", "check the network"),
	PROTOCOL_ERROR: entry(
		43,
		"run",
		"retry",
		"the other side sent what is not MQTT 3.1.1",
		"check endpoint and port: is that an MQTT broker?",
	),
	PACKET_TOO_LARGE: entry(
		44,
		"run",
		"retry",
		"a packet is larger than this device takes",
		"send smaller messages to the device",
	),
	KEEP_ALIVE_TIMEOUT: entry(45, "run", "retry", "no answer to PINGREQ", "check the network"),
	SEND_QUEUE_FULL: entry(
		46,
		"run",
		"retry",
		"more is waiting to be sent than this device holds",
		"publish less, or wait for each publish",
	),
	PUBLISH_TIMEOUT: entry(47, "run", "retry", "no PUBACK within the time limit", "check the network"),

	CREATE_TIMEOUT: entry(
		51,
		"create",
		"retry",
		"no reply to the request for a certificate",
		"does the claim policy allow iot:Receive on the reply topics?",
	),
	CREATE_HUNG_UP: entry(
		52,
		"create",
		"retry",
		"the connection ended while a certificate was asked for",
		"if it stays: allow iot:Publish on topic/$aws/certificates/create… (for a CSR create-from-csr)",
	),
	CREATE_INVALID: entry(
		53,
		"create",
		"operator",
		"the service found the request for a certificate wrong",
		"see errorCode and errorMessage",
	),
	CREATE_DENIED: entry(
		54,
		"create",
		"operator",
		"the service denied a certificate",
		"see errorMessage; a claim from a trusted user lives five minutes",
	),
	CREATE_THROTTLED: entry(
		55,
		"create",
		"retry",
		"too many devices ask at once",
		"nothing; for large fleets have the quota raised",
	),
	CREATE_FAULT: entry(56, "create", "retry", "the service itself failed", "nothing, when it is rare"),
	CREATE_REPLY_MALFORMED: entry(
		57,
		"create",
		"retry",
		"the reply to the request for a certificate is not understood",
		"report this with the reason",
	),
	CERTIFICATE_MALFORMED: entry(
		58,
		"create",
		"retry",
		"the certificate or key in the reply is not one",
		"report this with the reason",
	),
	KEY_MISMATCH: entry(59, "create", "retry", "the private key does not belong to the certificate", "report this"),

	REGISTER_TIMEOUT: entry(
		61,
		"register",
		"retry",
		"no reply to RegisterThing: it may have worked",
		"is the hook slower than 5 s? does the claim policy allow iot:Receive on the template's reply topics?",
	),
	REGISTER_HUNG_UP: entry(
		62,
		"register",
		"retry",
		"the connection ended while RegisterThing was under way",
		"if it stays: allow iot:Publish on topic/$aws/provisioning-templates/<template>/provision/…",
	),
	REGISTER_INVALID: entry(
		63,
		"register",
		"operator",
		"the service found RegisterThing wrong",
		"compare the parameters sent with the template's; see errorMessage",
	),
	REGISTER_DENIED: entry(
		64,
		"register",
		"operator",
		"the service denied RegisterThing",
		"is the template enabled? what did its hook say? has its role the rights?",
	),
	TEMPLATE_UNKNOWN: entry(
		65,
		"register",
		"operator",
		"there is no such provisioning template",
		"check template and endpoint (region, account)",
	),
	RESOURCE_CONFLICT: entry(
		66,
		"register",
		"operator",
		"a resource of the template exists and may not be changed",
		"see OverrideSettings in the template",
	),
	REGISTER_THROTTLED: entry(
		67,
		"register",
		"retry",
		"too many devices register at once",
		"nothing; for large fleets have the quota raised",
	),
	REGISTER_FAULT: entry(68, "register", "retry", "the service itself failed", "nothing, when it is rare"),
	REGISTER_REPLY_MALFORMED: entry(
		69,
		"register",
		"retry",
		"the reply to RegisterThing is not understood",
		"report this with the reason",
	),
	THING_NAME_MISSING: entry(
		71,
		"register",
		"operator",
		"registered, but no thing was made",
		"give the template an AWS::IoT::Thing resource",
	),
	TOKEN_REFUSED: entry(
		72,
		"register",
		"recreate",
		"the certificate ownership token is refused",
		"nothing: the device begins again",
	),
	TOKEN_EXPIRED: entry(
		73,
		"register",
		"recreate",
		"the certificate ownership token's hour has passed",
		"nothing: the device begins again",
	),

	IDENTITY_REFUSED: entry(
		81,
		"prove",
		"operator",
		"the service hung up on the device's own certificate",
		"is it ACTIVE, has it the device policy, and does that allow iot:Connect on client/<thing name>?",
	),
	APPLICATION_CLOSED: entry(
		82,
		"run",
		"retry",
		"the application closed its connection",
		"nothing: the device connects again by itself",
	),
	APPLICATION_FAILED: entry(
		83,
		"run",
		"operator",
		"the application threw an exception",
		"correct the application: the detail says where and what",
	),

	STORE_FULL: entry(
		91,
		"store",
		"operator",
		"no room in flash",
		"enlarge the nvs partition; nothing is erased to make room",
	),
	STORE_WRITE_FAILED: entry(
		92,
		"store",
		"retry",
		"flash cannot be written, or does not read back what was written",
		"replace the device if it stays",
	),
	STORE_READ_FAILED: entry(93, "store", "retry", "flash cannot be read", "replace the device if it stays"),
	STORE_NEWER: entry(
		94,
		"store",
		"fatal",
		"flash was written by newer firmware",
		"flash that firmware again; nothing is overwritten",
	),
} as const satisfies Record<string, Entry>);

/** A stable code, such as `REGISTER_DENIED`. */
export type FailureCode = keyof typeof catalogue;

/** A failure as events carry it. */
export interface FailureReport {
	readonly code: FailureCode;
	readonly number: number;
	readonly step: FailureStep;
	readonly class: FailureClass;
	readonly meaning: string;
	readonly advice: string;
	/** What in particular, in a few words. */
	readonly detail?: string;
	/** What AWS said, when it said something. */
	readonly rejection?: Rejection;
}

/** The members of a `rejected` reply (AWS IoT developer guide, "Device provisioning MQTT API"). */
export interface Rejection {
	readonly statusCode: number;
	readonly errorCode: string;
	readonly errorMessage: string;
}

/** A failure of the catalogue, thrown. */
export class Failure extends Error {
	readonly code: FailureCode;
	readonly detail: string | undefined;
	readonly rejection: Rejection | undefined;

	/** `detail` must not hold a secret; it is cut and cleaned all the same, since some of it comes from the network. */
	constructor(code: FailureCode, detail?: string, rejection?: Rejection) {
		const cleaned = detail === undefined ? undefined : clean(detail);
		super(
			cleaned === undefined
				? `${code}: ${catalogue[code].meaning}`
				: `${code}: ${catalogue[code].meaning} (${cleaned})`,
		);
		this.code = code;
		this.detail = cleaned;
		this.rejection = rejection && {
			statusCode: rejection.statusCode,
			errorCode: clean(rejection.errorCode),
			errorMessage: clean(rejection.errorMessage),
		};
	}

	get class(): FailureClass {
		return catalogue[this.code].class;
	}

	report(): FailureReport {
		const { detail, rejection } = this;
		return {
			code: this.code,
			...catalogue[this.code],
			...(detail === undefined ? {} : { detail }),
			...(rejection === undefined ? {} : { rejection }),
		};
	}
}

/** Any exception as a failure: the device program throws nothing else on purpose. */
export const asFailure = (error: unknown): Failure =>
	error instanceof Failure ? error : new Failure("INTERNAL", error instanceof Error ? error.message : String(error));

/** At most 160 printable characters, and no run long enough to be a line of PEM or a token; a certificate id may pass. */
function clean(text: string): string {
	return text
		.slice(0, 256)
		.replace(/[^\x20-\x7e]+/g, " ")
		.replace(/(?![0-9a-f]{64}(?![\w+/=-]))[\w+/=-]{60,}/g, "[…]")
		.slice(0, 160);
}
