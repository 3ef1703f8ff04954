// Everything about the local cloud that AWS leaves unknown, that is a limit, or that is a fault to be tried out: plain data,
// changeable while it runs. Defaults are what AWS documents or is seen to do, else our judgement.

/** The three provisioning operations of the MQTT API. */
export type ProvisioningOperation = "CreateKeysAndCertificate" | "CreateCertificateFromCsr" | "RegisterThing";

/** Cases in which a provisioning request is rejected. */
export type RejectionCase =
	| "invalidPayload"
	| "invalidCsr"
	| "invalidToken"
	| "invalidParameters"
	| "unknownTemplate"
	| "denied"
	| "conflict"
	| "throttled"
	| "internal";

/** What a rejected reply carries. */
export interface Rejection {
	/** As in HTTP. */
	readonly statusCode: number;
	/** A name for programs, such as `InvalidParameters`. */
	readonly errorCode: string;
	/** In place of the message that tells what is wrong. */
	readonly errorMessage?: string | undefined;
}

/** A token bucket: `rate` requests a second, `burst` at once. `undefined` is no limit. */
export interface Throttle {
	/** Requests a second, in the long run. */
	rate: number;
	/** Requests that may come at once. */
	burst: number;
}

/** Something to do to the next replies to an operation. */
export interface ReplyFault {
	/** The replies to this operation. */
	operation: ProvisioningOperation;
	/** How many replies; counted down, gone at 0. Default 1. */
	times?: number;
	/** `drop`: done but not answered. `duplicate`: sent twice. `delay`: sent after `milliseconds`. `reject`: not done, `rejection` sent. `close`: done, then hung up instead of answered. */
	action: "drop" | "duplicate" | "delay" | "reject" | "close";
	/** Of `delay`. */
	milliseconds?: number;
	/** Of `reject`. */
	rejection?: Rejection;
}

/** All settings; see `defaultSettings` for the defaults. Times in ms, sizes in bytes unless said otherwise. */
export interface Settings {
	/** Error table: what each case of rejection says. Only 400 InvalidCertificateOwnershipToken and InvalidParameters were ever seen of AWS. */
	errors: Record<RejectionCase, Rejection>;
	/** The certificate ownership tokens that a device gets with its certificate and gives back in RegisterThing. */
	token: {
		/** Characters, from 128 on. AWS's have 464. */
		length: number;
		/** How long a token is taken. AWS documents one hour. */
		lifetime: number;
		/** When a token is used up: by a RegisterThing that succeeds, by any that names it, or never. */
		singleUse: "success" | "attempt" | "never";
		/** The token is good for whom: the claim certificate, the client id, the connection that got it. */
		boundTo: ("claimCertificate" | "clientId" | "connection")[];
	};
	/** How replies in CBOR are written. */
	cbor: {
		/** Maps and texts of replies in indefinite length, which the service might send for all that is known. */
		indefinite: boolean;
		/** Members of replies in reverse. */
		reverseMembers: boolean;
	};
	/** How provisioning requests are answered. */
	reply: {
		/** Which subscription is needed to get a reply: to exactly the topic, by any filter that matches, or none. */
		subscription: "exact" | "matching" | "none";
		/** QoS of replies. */
		qos: 0 | 1;
		/** Before or after the PUBACK of the request; `withhold`: the request is never acknowledged. */
		puback: "before" | "after" | "withhold";
		/** Added to each reply's time. */
		delay: number;
		/** Replies are filled up to this with an unknown member. 0: not at all. */
		padTo: number;
	};
	/** Things to happen to the next replies. */
	faults: ReplyFault[];
	/** What devices see of the server in TLS. Read at start. */
	tls: {
		/**
		 * Certificates that the server has. With `both`, a client that offers RSA suites or signatures is shown the RSA
		 * one, any other the ECDSA one; as AWS, whose chain depends on the suite.
		 */
		certificates: "rsa" | "ecdsa" | "both";
		/** Where the ECDSA certificate ends: in a root of its own (AWS: Amazon Root CA 3) or in that of the RSA one. */
		ecdsaRoot: "own" | "shared";
	};
	/** What a connection may do, and how one is refused. */
	connection: {
		/** What a client of MQTT 3.1.1 sees whose CONNECT policies refuse: nothing, or CONNACK with this code. */
		connectDenied: "close" | 5 | 7;
		/** What a client of MQTT 3.1.1 sees whose SUBSCRIBE policies refuse: a close, or SUBACK with 0x80. */
		subscribeDenied: "close" | "suback";
		/**
		 * How a client is refused that has no certificate of the account that is ACTIVE: TLS is closed properly after the
		 * handshake, or cut off without a goodbye. (AWS might send a TLS alert, which Node cannot from where it knows.)
		 */
		unknownCertificate: "close" | "cut";
		/** A handshake must name a server (SNI). */
		requireServerName: boolean;
		/** A persistent session or a will needs an Allow whose condition speaks of iot:ConnectAttributes. */
		connectAttributesNeedGrant: boolean;
		/** CONNECTs a second with one client id; 0: no limit. AWS takes 1. */
		connectsPerClientId: number;
		/** PUBLISHes a second that one connection may send, excess is dropped; 0: no limit. */
		publishesPerSecond: number;
		/** How long a TLS handshake may take. Read at start. */
		handshakeTimeout: number;
		/** How long a connection may take from its handshake to its CONNECT. */
		connectTimeout: number;
		/** A client that takes nothing off its socket for so long is dropped. */
		drainTimeout: number;
		/** Connections in all. Read at start. */
		maximum: number;
		/** Connections that have not sent CONNECT yet; the oldest of them makes room for a new one. */
		maximumPending: number;
		/** Longest life of a persistent session after its connection. */
		persistentSession: number;
	};
	/** Sizes and numbers. Defaults are AWS's where it documents one. */
	limits: {
		/** Of a PUBLISH. */
		payload: number;
		/** Topic filters in one SUBSCRIBE. */
		filtersPerSubscribe: number;
		/** Topic filters that one connection may have. */
		subscriptions: number;
		/** Of a client id, in UTF-8. */
		clientId: number;
		/** Of a topic or a filter, in UTF-8. */
		topic: number;
		/** Forward slashes in a topic. */
		topicSlashes: number;
		/** Seconds. */
		minimumKeepAlive: number;
		/** Seconds. */
		maximumKeepAlive: number;
		/** Retained messages. */
		retained: number;
		/** Persistent sessions. */
		sessions: number;
		/** Messages that wait for one persistent session. */
		queued: number;
		/** Of all that is kept: retained messages and messages that wait. */
		storedBytes: number;
		/** Provisioning requests that one connection may have unanswered; they are worked off one after the other. */
		outstandingRequests: number;
		/** Certificates that wait for their RegisterThing, in the whole account. */
		pendingCertificates: number;
	};
	/** How often each provisioning operation may be asked for; `undefined` is no limit. */
	throttle: Record<ProvisioningOperation, Throttle | undefined>;
	/** Requests to the control plane. An operation that is not named has no limit; AWS has 10 to 100 a second for most. */
	controlPlane: {
		/** By the name of the operation, such as `CreateThing`. */
		throttle: Record<string, Throttle>;
	};
	/** How policies take effect. */
	policy: {
		/** How long attaching or detaching a policy takes to take effect. AWS: up to minutes. */
		propagationDelay: number;
	};
	/** What AWS does not say about templates. */
	template: {
		/** What an existing resource's property does without OverrideSettings. */
		overrideDefault: "DO_NOTHING" | "REPLACE" | "FAIL";
		/** Parameters that the template does not declare. */
		undeclaredParameters: "ignore" | "reject";
		/** Parameters that are no text. */
		nonTextParameters: "reject" | "stringify";
		/** The role cannot be used: every registration is denied. */
		roleBroken: boolean;
	};
	/** How certificates are issued. */
	certificate: {
		/** Key of the authority that signs device certificates. */
		issuer: "RSA" | "EC";
		/** CreateKeysAndCertificate with a payload that is no object. */
		nonObjectPayload: "reject" | "ignore";
		/** Time from RegisterThing to the certificate being ACTIVE. */
		activationDelay: number;
	};
	/** Pre-provisioning hooks. */
	hook: {
		/** A hook that takes longer has failed. AWS: 5 seconds. */
		timeout: number;
		/** URL of what `targetArn` of a template stands for. A target that is an http(s) URL itself needs no entry. */
		targets: Record<string, string>;
		/** `allowProvisioning: "true"` counts as true. */
		acceptText: boolean;
		/** In place of calling the hook. */
		fault?: "deny" | "error" | "hang" | undefined;
		/** Added to what the hook answers. */
		override?: Record<string, string> | undefined;
	};
	/** The claims that CreateProvisioningClaim makes for a trusted user. */
	temporaryClaim: {
		/** How long such a claim may connect. AWS: 5 minutes. */
		lifetime: number;
		/** Only this template's RegisterThing. */
		oneTemplate: boolean;
		/** Its open connections are dropped when it ends. */
		dropAtEnd: boolean;
	};
	/** Key pairs for CreateKeysAndCertificate, which take long to make. */
	keyPairs: {
		/** How many are kept ready. */
		ahead: number;
		/** How many are made at a time. */
		concurrency: number;
	};
}

/** A new copy of the defaults. */
export function defaultSettings(): Settings {
	return {
		errors: {
			invalidPayload: { statusCode: 400, errorCode: "InvalidPayload" },
			invalidCsr: { statusCode: 400, errorCode: "InvalidCertificateSigningRequest" },
			invalidToken: { statusCode: 400, errorCode: "InvalidCertificateOwnershipToken" },
			invalidParameters: { statusCode: 400, errorCode: "InvalidParameters" },
			unknownTemplate: { statusCode: 404, errorCode: "ResourceNotFound" },
			denied: { statusCode: 403, errorCode: "AccessDenied" },
			conflict: { statusCode: 409, errorCode: "ResourceConflicts" },
			throttled: { statusCode: 429, errorCode: "Throttled" },
			internal: { statusCode: 500, errorCode: "InternalFailure" },
		},
		token: { length: 464, lifetime: 3_600_000, singleUse: "success", boundTo: [] },
		cbor: { indefinite: false, reverseMembers: false },
		reply: { subscription: "matching", qos: 1, puback: "before", delay: 0, padTo: 0 },
		faults: [],
		tls: { certificates: "both", ecdsaRoot: "own" },
		connection: {
			connectDenied: "close",
			subscribeDenied: "close",
			unknownCertificate: "close",
			requireServerName: true,
			connectAttributesNeedGrant: false,
			connectsPerClientId: 1,
			publishesPerSecond: 100,
			handshakeTimeout: 10_000,
			connectTimeout: 10_000,
			drainTimeout: 20_000,
			maximum: 20_000,
			maximumPending: 1_000,
			persistentSession: 3_600_000,
		},
		limits: {
			payload: 128 * 1024,
			filtersPerSubscribe: 8,
			subscriptions: 50,
			clientId: 128,
			topic: 256,
			topicSlashes: 7,
			minimumKeepAlive: 30,
			maximumKeepAlive: 1200,
			retained: 10_000,
			sessions: 10_000,
			queued: 1_000,
			storedBytes: 64 * 1024 * 1024,
			outstandingRequests: 10,
			pendingCertificates: 50_000,
		},
		throttle: {
			CreateKeysAndCertificate: undefined,
			CreateCertificateFromCsr: undefined,
			RegisterThing: { rate: 10, burst: 10 },
		},
		controlPlane: { throttle: {} },
		policy: { propagationDelay: 0 },
		template: {
			overrideDefault: "DO_NOTHING",
			undeclaredParameters: "ignore",
			nonTextParameters: "reject",
			roleBroken: false,
		},
		certificate: { issuer: "RSA", nonObjectPayload: "reject", activationDelay: 0 },
		hook: { timeout: 5_000, targets: {}, acceptText: true },
		temporaryClaim: { lifetime: 300_000, oneTemplate: true, dropAtEnd: true },
		keyPairs: { ahead: 2, concurrency: 2 },
	};
}

/**
 * Some of the settings: objects are merged member by member, lists and maps of the user's own names are replaced. `null` takes
 * away what may be absent (a limit of `throttle`, `hook.fault`, `hook.override`, an `errorMessage`).
 */
export type SettingsPatch = { [K in keyof Settings]?: Patch<Settings[K]> };
/** Some of the members of a setting, or the whole of a list or a value. */
export type Patch<T> = T extends readonly unknown[]
	? T
	: T extends object
		? { [K in keyof T]?: Patch<T[K]> | null | undefined }
		: T;

/** Changes settings in place. Throws TypeError for a member that does not exist or a value that will not do; then nothing has changed. */
export function changeSettings(settings: Settings, patch: SettingsPatch): void {
	if (!isObject(patch)) throw new TypeError("Settings must be an object.");
	merge(structuredClone(settings) as unknown as Json, patch, "");
	merge(settings as unknown as Json, patch, "");
}

/** Both patches in one: applied, it does what `first` and then `second` would. Both must be good. */
export function combinePatches(first: SettingsPatch, second: SettingsPatch): SettingsPatch {
	const combined = structuredClone(first);
	combine(combined as Json, second, "");
	return combined;
}

type Json = Record<string, unknown>;

/** Says what kind of value is wanted when this one will not do. */
type Check = (value: unknown) => string | undefined;

const oneOf =
	(...values: readonly unknown[]): Check =>
	(value) =>
		values.includes(value) ? undefined : `one of ${values.map((one) => String(one ?? "null")).join(", ")}`;
const listOf =
	(check: Check): Check =>
	(value) =>
		Array.isArray(value) ? value.map(check).find(Boolean) : "a list";
const textMap: Check = (value) =>
	isObject(value) && Object.values(value).every((text) => typeof text === "string") ? undefined : "a map of texts";
const optional =
	(check: Check): Check =>
	(value) =>
		value === undefined ? undefined : check(value);
const positive: Check = (value) => (isNumber(value) && value > 0 ? undefined : "a number above 0");

const upTo =
	(most: number): Check =>
	(value) =>
		isNumber(value) && Number.isInteger(value) && value <= most ? undefined : `a whole number from 0 to ${most}`;

const operations = ["CreateKeysAndCertificate", "CreateCertificateFromCsr", "RegisterThing"];

const checkThrottle: Check = (value) =>
	hasOnly(value, "rate", "burst") && !positive(value.rate) && isNumber(value.burst) && value.burst >= 1
		? undefined
		: "an object with rate above 0 and burst of at least 1";
const checkFault: Check = (value) =>
	hasOnly(value, "operation", "times", "action", "milliseconds", "rejection") &&
	operations.includes(value.operation as string) &&
	["drop", "duplicate", "delay", "reject", "close"].includes(value.action as string) &&
	(value.times === undefined || !positive(value.times)) &&
	(value.milliseconds === undefined || isNumber(value.milliseconds)) &&
	(value.rejection === undefined || isRejection(value.rejection))
		? undefined
		: "a list of faults: operation, action, and perhaps times, milliseconds, rejection";

/** What is not just "of the same kind as the default". `*` stands for one level of a path. */
const checks: Readonly<Record<string, Check>> = {
	"errors.*.errorMessage": optional((value) => (typeof value === "string" ? undefined : "text")),
	"token.length": (value) =>
		isNumber(value) && value >= 128 && value <= 65_536 ? undefined : "a number from 128 to 65536",
	"token.singleUse": oneOf("success", "attempt", "never"),
	"token.boundTo": listOf(oneOf("claimCertificate", "clientId", "connection")),
	"reply.subscription": oneOf("exact", "matching", "none"),
	"reply.qos": oneOf(0, 1),
	"reply.puback": oneOf("before", "after", "withhold"),
	faults: listOf(checkFault),
	"tls.certificates": oneOf("rsa", "ecdsa", "both"),
	"tls.ecdsaRoot": oneOf("own", "shared"),
	// What fits into the fields of MQTT.
	"limits.payload": upTo(255 * 1024 * 1024),
	"limits.minimumKeepAlive": upTo(0xffff),
	"limits.maximumKeepAlive": upTo(0xffff),
	"connection.connectDenied": oneOf("close", 5, 7),
	"connection.subscribeDenied": oneOf("close", "suback"),
	"connection.unknownCertificate": oneOf("close", "cut"),
	"throttle.*": optional(checkThrottle),
	"template.overrideDefault": oneOf("DO_NOTHING", "REPLACE", "FAIL"),
	"template.undeclaredParameters": oneOf("ignore", "reject"),
	"template.nonTextParameters": oneOf("reject", "stringify"),
	"certificate.issuer": oneOf("RSA", "EC"),
	"certificate.nonObjectPayload": oneOf("reject", "ignore"),
	"controlPlane.throttle": (value) =>
		isObject(value) ? Object.values(value).map(checkThrottle).find(Boolean) : "throttles by operation",
	"hook.targets": textMap,
	"hook.fault": oneOf("deny", "error", "hang", undefined),
	"hook.override": optional(textMap),
};
/** Members that the defaults leave out. */
const absentByDefault = /^(errors\.\w+\.errorMessage|hook\.(fault|override))$/;

/** The check of the setting `key` of what is at `path`: what has one is set as a whole. */
function checkOf(path: string, key: string): { readonly name: string; readonly check: Check | undefined } {
	const name = path ? `${path}.${key}` : key;
	return { name, check: checks[name] ?? checks[`${path}.*`] ?? checks[name.replace(/\.\w+\./, ".*.")] };
}

function combine(target: Json, patch: Json, path: string): void {
	for (const [key, given] of Object.entries(patch)) {
		const { name, check } = checkOf(path, key);
		const before = target[key];
		if (!check && isObject(before) && isObject(given)) combine(before, given, name);
		else target[key] = structuredClone(given);
	}
}

function merge(target: Json, patch: Json, path: string): void {
	for (const [key, given] of Object.entries(patch)) {
		const { name, check } = checkOf(path, key);
		const before = target[key];
		if (!Object.hasOwn(target, key) && !absentByDefault.test(name)) throw new TypeError(`There is no setting ${name}.`);
		const value = given === null ? undefined : given;
		if (!check && isObject(before) && isObject(value)) merge(before, value, name);
		else {
			const wanted = check ? check(value) : sameKind(before, value);
			if (wanted) throw new TypeError(`The setting ${name} must be ${wanted}.`);
			target[key] = structuredClone(value);
		}
	}
}

const sameKind = (before: unknown, value: unknown): string | undefined => {
	if (typeof before === "number") return isNumber(value) ? undefined : "a number that is not negative";
	return typeof before === typeof value && !isObject(before) ? undefined : `of the type ${typeof before}`;
};

function isObject(value: unknown): value is Json {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object without any other member: what is not known must not be kept. */
function hasOnly(value: unknown, ...names: readonly string[]): value is Json {
	return isObject(value) && Object.keys(value).every((name) => names.includes(name));
}

function isNumber(value: unknown): value is number {
	return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isRejection(value: unknown): boolean {
	return (
		hasOnly(value, "statusCode", "errorCode", "errorMessage") &&
		isNumber(value.statusCode) &&
		typeof value.errorCode === "string" &&
		(value.errorMessage === undefined || typeof value.errorMessage === "string")
	);
}
