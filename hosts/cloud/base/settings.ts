// Every setting of the local cloud, each in one place with what it means, its default and the values that it may have. A setting
// is whatever AWS leaves undocumented, a limit, or a fault to try out. All are plain data, and can be changed while it runs.

import {
	applyPatch,
	type Check,
	checkOneOf,
	checkPatch,
	defaultsOf,
	flag,
	hasOnly,
	isNumber,
	isText,
	type JsonSchema,
	listOf,
	mapOf,
	number,
	oneOf,
	optional,
	type Patch,
	restoreValues,
	schemaOf,
	TEXT,
	text,
	type Values,
	whole,
} from "./setting.js";

/** The three provisioning operations of the MQTT API. */
export type ProvisioningOperation = "CreateKeysAndCertificate" | "CreateCertificateFromCsr" | "RegisterThing";

/** What a rejected reply carries. */
export interface Rejection {
	/** As in HTTP. */
	readonly statusCode: number;
	/** A name for programs, such as `InvalidParameters`. */
	readonly errorCode: string;
	/** Sent instead of the message that says what is wrong. */
	readonly errorMessage?: string | undefined;
}

/** A token bucket: `rate` requests a second, `burst` at once. `undefined` is no limit. */
export interface Throttle {
	/** Requests a second, in the long run. */
	rate: number;
	/** Requests that may come at once. */
	burst: number;
}

const FAULT_ACTIONS = ["drop", "duplicate", "delay", "reject", "close"] as const;

/** Something to do to the next replies to an operation. */
export interface ReplyFault {
	/** The replies to this operation. */
	operation: ProvisioningOperation;
	/** To how many replies; counted down, and the fault is gone at 0. Default 1. */
	times?: number;
	/**
	 * - `drop`: the request is carried out but not answered.
	 * - `duplicate`: the reply is sent twice.
	 * - `delay`: the reply is sent after `milliseconds`.
	 * - `reject`: the request is not carried out; `rejection` is sent.
	 * - `close`: the request is carried out, and the connection is closed instead of answering it.
	 */
	action: (typeof FAULT_ACTIONS)[number];
	/** How long `delay` waits. Default 1,000. */
	milliseconds?: number;
	/** What `reject` sends. Default: the rejection of the setting `errors.internal`. */
	rejection?: Rejection;
}

const isThrottle: Check = (value) =>
	hasOnly(value, "rate", "burst") && isNumber(value.rate) && value.rate > 0 && isNumber(value.burst) && value.burst >= 1
		? undefined
		: "an object with rate above 0 and burst of at least 1";

const isRejection = (value: unknown) =>
	hasOnly(value, "statusCode", "errorCode", "errorMessage") &&
	isNumber(value.statusCode) &&
	typeof value.errorCode === "string" &&
	(value.errorMessage === undefined || typeof value.errorMessage === "string");

const isFault: Check = (value) =>
	hasOnly(value, "operation", "times", "action", "milliseconds", "rejection") &&
	checkOneOf(["CreateKeysAndCertificate", "CreateCertificateFromCsr", "RegisterThing"])(value.operation) ===
		undefined &&
	checkOneOf(FAULT_ACTIONS)(value.action) === undefined &&
	(value.times === undefined || (isNumber(value.times) && value.times > 0)) &&
	(value.milliseconds === undefined || isNumber(value.milliseconds)) &&
	(value.rejection === undefined || isRejection(value.rejection))
		? undefined
		: "a list of faults: operation, action, and perhaps times, milliseconds, rejection";

const objectOf = (properties: Readonly<Record<string, JsonSchema>>, ...required: readonly string[]): JsonSchema => ({
	type: "object",
	additionalProperties: false,
	required,
	properties,
});
const NUMBER: JsonSchema = { type: "number", minimum: 0 };
const THROTTLE = objectOf(
	{ rate: { type: "number", exclusiveMinimum: 0 }, burst: { type: "number", minimum: 1 } },
	"rate",
	"burst",
);
const FAULT = objectOf(
	{
		operation: { enum: ["CreateKeysAndCertificate", "CreateCertificateFromCsr", "RegisterThing"] },
		action: { enum: FAULT_ACTIONS },
		times: { type: "number", exclusiveMinimum: 0 },
		milliseconds: NUMBER,
		rejection: objectOf({ statusCode: NUMBER, errorCode: TEXT, errorMessage: TEXT }, "statusCode", "errorCode"),
	},
	"operation",
	"action",
);

const rejection = (statusCode: number, errorCode: string) => ({
	statusCode: number(statusCode),
	errorCode: text(errorCode),
	/** Sent instead of the message that says what is wrong. */
	errorMessage: optional<string>(isText, TEXT),
});

/** The table of all settings. Times are in ms and sizes in bytes unless a setting says otherwise. */
export const SETTINGS = {
	/** What a rejected reply says in each case. Only 400 InvalidCertificateOwnershipToken and InvalidParameters were ever seen of AWS. */
	errors: {
		/** The payload cannot be read, or lacks a member. */
		invalidPayload: rejection(400, "InvalidPayload"),
		/** The certificate signing request cannot be used. */
		invalidCsr: rejection(400, "InvalidCertificateSigningRequest"),
		/** The certificate ownership token is unknown, expired, used up or of another client. */
		invalidToken: rejection(400, "InvalidCertificateOwnershipToken"),
		/** The template's parameters do not fit. */
		invalidParameters: rejection(400, "InvalidParameters"),
		/** There is no such template. */
		unknownTemplate: rejection(404, "ResourceNotFound"),
		/** A policy, the hook or the role refuses. */
		denied: rejection(403, "AccessDenied"),
		/** What exists already stands in the way. */
		conflict: rejection(409, "ResourceConflicts"),
		/** Too many requests. */
		throttled: rejection(429, "Throttled"),
		/** The service has failed. */
		internal: rejection(500, "InternalFailure"),
	},
	/** Certificate ownership tokens. */
	token: {
		/** Characters. AWS's tokens have 464; from 128 on a token is hard enough to guess. */
		length: number(464, 128, 65_536),
		/** How long a token can be used. */
		lifetime: number(3_600_000),
		/** When a token is used up: by a RegisterThing that succeeds, by any RegisterThing that names it, or never. */
		singleUse: oneOf(["success", "attempt", "never"], "success"),
		/** What must be the same when a token is used as when it was given out. */
		boundTo: listOf<"claimCertificate" | "clientId" | "connection">(
			checkOneOf(["claimCertificate", "clientId", "connection"]),
			{ enum: ["claimCertificate", "clientId", "connection"] },
		),
	},
	/** How replies in CBOR are encoded. */
	cbor: {
		/** Maps and texts have indefinite length. AWS does not say that it never sends them so. */
		indefinite: flag(false),
		/** The members of a reply come in reverse order. */
		reverseMembers: flag(false),
	},
	/** How replies to provisioning requests are sent. */
	reply: {
		/** Which subscription a client needs to get a reply: to exactly its topic, by any filter that matches it, or none. */
		subscription: oneOf(["exact", "matching", "none"], "matching"),
		/** QoS of the replies. */
		qos: oneOf([0, 1], 1),
		/** Whether the PUBACK of a request comes before or after its reply. With `withhold` it never comes. */
		puback: oneOf(["before", "after", "withhold"], "before"),
		/** How much longer each reply takes. */
		delay: number(0),
		/** Replies are filled up to this size with a member that no device knows. 0: not at all. */
		padTo: number(0),
	},
	/** What happens to the next replies. */
	faults: listOf<ReplyFault>(isFault, FAULT),
	/** What devices see of the server in TLS. These settings are read at the start. */
	tls: {
		/**
		 * The certificates that the server has. With `both`, a client that offers RSA suites or signatures is shown the RSA
		 * certificate, any other the ECDSA one. AWS, too, lets the chain depend on the suite.
		 */
		certificates: oneOf(["rsa", "ecdsa", "both"], "both"),
		/** Where the ECDSA certificate ends: in a root of its own (AWS: Amazon Root CA 3), or in that of the RSA one. */
		ecdsaRoot: oneOf(["own", "shared"], "own"),
		/**
		 * How many authorities stand between the server's certificate and its root; theirs are sent with it. AWS sends three
		 * certificates beside its own.
		 */
		intermediates: whole(0, 5),
	},
	/** Connections of MQTT clients. */
	connection: {
		/** How much longer CONNACK takes. */
		connackDelay: number(0),
		/**
		 * What happens to packets that arrive before CONNACK has gone out: they wait for it, or the connection is closed. MQTT 3.1.1
		 * (section 3.1.4) allows clients to send them. Nobody has tried it with AWS. `close` is only certain with a `connackDelay` that
		 * is longer than the packets of one flight are apart.
		 */
		aheadOfConnack: oneOf(["wait", "close"], "wait"),
		/** What a client of MQTT 3.1.1 sees when policies refuse its CONNECT: a close without a CONNACK, or a CONNACK with this code. */
		connectDenied: oneOf(["close", 5, 7], "close"),
		/** What a client of MQTT 3.1.1 sees when policies refuse its SUBSCRIBE: a close, or a SUBACK with 0x80. */
		subscribeDenied: oneOf(["close", "suback"], "close"),
		/**
		 * How a client is refused that has no ACTIVE certificate of the account: TLS is closed properly after the handshake, or
		 * the connection is cut. (AWS might send a TLS alert. Node cannot, since it only knows after the handshake.)
		 */
		unknownCertificate: oneOf(["close", "cut"], "close"),
		/** Whether the handshake must name a server (SNI). */
		requireServerName: flag(true),
		/** Whether a persistent session or a will needs an Allow whose condition names iot:ConnectAttributes. */
		connectAttributesNeedGrant: flag(false),
		/** CONNECTs a second with one client id; 0: no limit. AWS takes 1. */
		connectsPerClientId: number(1),
		/** PUBLISHes a second that one connection may send; the rest is dropped. 0: no limit. */
		publishesPerSecond: number(100),
		/** How long a TLS handshake may take. Read at the start. */
		handshakeTimeout: number(10_000),
		/** How long a client may take to send its CONNECT. */
		connectTimeout: number(10_000),
		/** A client that reads nothing from its socket for this long is dropped. */
		drainTimeout: number(20_000),
		/** Most connections. Read at the start. */
		maximum: number(20_000),
		/** Most connections without a CONNECT. One more makes the oldest of them go. */
		maximumPending: number(1_000),
		/** How long a persistent session lives after its connection, at most. */
		persistentSession: number(3_600_000),
	},
	/** Limits of MQTT. Most are AWS's quotas. */
	limits: {
		// Payload and keep-alive must also fit into their fields in MQTT packets.
		/** Size of a message. */
		payload: whole(128 * 1024, 255 * 1024 * 1024),
		/** How many filters one SUBSCRIBE may have. */
		filtersPerSubscribe: number(8),
		/** How many subscriptions one connection may have. */
		subscriptions: number(50),
		/**
		 * How many QoS 1 messages of one connection may wait for their PUBACK; the next is not taken before. AWS takes 100. In
		 * MQTT 5, CONNACK says so as Receive Maximum.
		 */
		unacknowledged: number(100, 1, 65_535),
		/** Length of a client id. */
		clientId: number(128),
		/** Length of a topic or a filter. */
		topic: number(256),
		/** How many slashes a topic or a filter may have. */
		topicSlashes: number(7),
		/** Seconds. A shorter keep-alive is lengthened to this. */
		minimumKeepAlive: whole(30, 0xffff),
		/** Seconds. A longer keep-alive, or none, is shortened to this. */
		maximumKeepAlive: whole(1200, 0xffff),
		/** How many retained messages there may be. */
		retained: number(10_000),
		/** How many persistent sessions there may be. */
		sessions: number(10_000),
		/** How many messages may wait for one persistent session. */
		queued: number(1_000),
		/** All retained and waiting messages and all wills together. */
		storedBytes: number(64 * 1024 * 1024),
		/** Provisioning requests that one connection may have unanswered. They are worked off one after the other. */
		outstandingRequests: number(10),
		/** Certificates that wait for their RegisterThing, in the whole account. */
		pendingCertificates: number(50_000),
	},
	/** How often each provisioning operation can be called. `null` in a patch is no limit. */
	throttle: {
		/** No limit by default. */
		CreateKeysAndCertificate: optional<Throttle>(isThrottle, THROTTLE),
		/** No limit by default. */
		CreateCertificateFromCsr: optional<Throttle>(isThrottle, THROTTLE),
		/** 10 a second by default. */
		RegisterThing: optional<Throttle>(isThrottle, THROTTLE, { rate: 10, burst: 10 }),
	},
	/** The HTTP control plane. */
	controlPlane: {
		/** How often each operation can be called, by its name. One that is not named has no limit. AWS allows 10 to 100 a second for most. */
		throttle: mapOf<Throttle>(isThrottle, "throttles by operation", THROTTLE),
	},
	/** IoT policies. */
	policy: {
		/** How long it takes until an attached or detached policy takes effect. With AWS this can be minutes. */
		propagationDelay: number(0),
	},
	/** Provisioning templates. */
	template: {
		/** What happens to a property of an existing resource for which OverrideSettings says nothing. */
		overrideDefault: oneOf(["DO_NOTHING", "REPLACE", "FAIL"], "DO_NOTHING"),
		/** What happens to parameters that the template does not declare. */
		undeclaredParameters: oneOf(["ignore", "reject"], "ignore"),
		/** What happens to parameters that are not text. */
		nonTextParameters: oneOf(["reject", "stringify"], "reject"),
		/** The template's role cannot be used: every registration is denied. */
		roleBroken: flag(false),
	},
	/** Certificates of devices. */
	certificate: {
		/** Kind of key of the authority that signs them. */
		issuer: oneOf(["RSA", "EC"], "RSA"),
		/** What CreateKeysAndCertificate does with a payload that is not an object. */
		nonObjectPayload: oneOf(["reject", "ignore"], "reject"),
		/** How long it takes from RegisterThing until the certificate is ACTIVE. */
		activationDelay: number(0),
	},
	/** Pre-provisioning hooks. */
	hook: {
		/** How long a hook may take. */
		timeout: number(5_000),
		/** The URL that stands for a template's `targetArn`. A target that is an http(s) URL itself needs no entry. */
		targets: mapOf<string>(isText, "a map of texts", TEXT),
		/** Whether `allowProvisioning: "true"` counts as true. */
		acceptText: flag(true),
		/** What happens instead of a call of the hook. */
		fault: optional<"deny" | "error" | "hang">(checkOneOf(["deny", "error", "hang"]), {
			enum: ["deny", "error", "hang"],
		}),
		/** Parameters that are added to those that the hook answers. */
		override: optional<Record<string, string>>(mapOf<string>(isText, "a map of texts", TEXT).check, {
			type: "object",
			additionalProperties: TEXT,
		}),
	},
	/** Custom authorizers. What stands for their functions is found as for hooks (`hook.targets`). */
	authorizer: {
		/** How long an authorizer may take. */
		timeout: number(5_000),
		/** Least of `disconnectAfterInSeconds` and `refreshAfterInSeconds` in an answer. Lower it to see both happen in a test. */
		shortestInterval: number(300_000),
	},
	/** Certificate providers (CreateCertificateProvider). */
	certificateProvider: {
		/** How long a provider may take to sign. */
		timeout: number(5_000),
	},
	/** Temporary claim certificates (CreateProvisioningClaim). */
	temporaryClaim: {
		/** How long it can be used. */
		lifetime: number(300_000),
		/** Whether it can register with the one template that it was made for only. */
		oneTemplate: flag(true),
		/** Whether its open connections are dropped when it ends. */
		dropAtEnd: flag(true),
	},
	/** Device shadows. Numbers are AWS's quotas where it has one. */
	shadow: {
		/** Size of the two sections of a shadow's state together, as JSON. */
		documentBytes: number(8192),
		/** How many levels of objects and lists a section may have. With those around it, these are the 8 levels of AWS's quota. */
		levels: whole(6, 100),
		/** How often the shadows of one thing can be asked for. `null` in a patch is no limit. */
		requests: optional<Throttle>(isThrottle, THROTTLE, { rate: 20, burst: 20 }),
		/** How many shadows there may be in the account. AWS has no limit. */
		maximum: number(100_000),
	},
	/** Key pairs that are made in advance for CreateKeysAndCertificate. */
	keyPairs: {
		/** How many are kept in stock. */
		ahead: number(2),
		/** How many are made at a time. */
		concurrency: number(2),
	},
};

/** All settings of a cloud. Times are in ms and sizes in bytes unless a setting says otherwise. */
export interface Settings extends Values<typeof SETTINGS> {}

/** Cases in which a provisioning request is rejected. */
export type RejectionCase = keyof Settings["errors"];

/**
 * Some of the settings: sections are merged member by member, lists and maps of the user's own names are replaced. `null` takes
 * away what may be absent (a limit of `throttle`, `hook.fault`, `hook.override`, an `errorMessage`).
 */
export type SettingsPatch = { [K in keyof Settings]?: Patch<Settings[K]> };

/** A new copy of the defaults. */
export function defaultSettings(): Settings {
	return defaultsOf(SETTINGS);
}

/**
 * Changes settings in place.
 * @throws TypeError for a member that does not exist or a value that is not allowed; then nothing has changed
 */
export function changeSettings(settings: Settings, patch: SettingsPatch): void {
	checkPatch(SETTINGS, patch);
	applyPatch(SETTINGS, settings, patch, undefined);
}

/** Makes settings what they were when `saved` was copied from them. */
export function restoreSettings(settings: Settings, saved: Settings): void {
	restoreValues(SETTINGS, settings, saved);
}

/** What a patch of the settings may be, as JSON Schema. */
export const settingsSchema = (): JsonSchema => schemaOf(SETTINGS);

/** One patch that does what `first` and then `second` would. Both must have been checked. */
export function combinePatches(first: SettingsPatch, second: SettingsPatch): SettingsPatch {
	const combined = structuredClone(first);
	applyPatch(SETTINGS, combined, second, null);
	return combined;
}
