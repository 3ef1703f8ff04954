// The stories of a device's life, each told once, as data: what is given, and what must come of it. Every host plays
// them all; a story that ends well on one and not on another is a defect.

import type { Packet } from "mqtt-packet";
import type { FailureCode } from "../../src/base/failure.js";
import { type Fate, type Passing, templateBody } from "../support/virtual-cloud.js";
import type { Cut, World, WorldOptions } from "../support/world.js";
import type { ApplicationName } from "./applications.js";

/** A story and its end. */
export interface Story {
	readonly name: string;
	/** What is in its flash beside the device program. Default: an application that says hello. */
	readonly application?: ApplicationName;
	readonly given?: Omit<WorldOptions, "machine" | "storage" | "application" | "onCut">;
	/** Done to the world before power-on. */
	readonly before?: (world: World) => void;
	/** Codes of the failures, each once, in the order of their first coming. Default: none. */
	readonly failures?: readonly FailureCode[];
	/** `running` (default): connected under its own name, and heard. `halted`: stopped for good. `waiting`: neither, within ten minutes. */
	readonly end?: "running" | "halted" | "waiting";
	/** Certificates issued. Default 1. */
	readonly certificates?: number;
	/** Power-ons, where they are certain. */
	readonly boots?: number;
}

/** The nth reply to an operation. */
const reply = (operation: "create" | "register", nth = 1) => {
	let seen = 0;
	return ({ direction, packet }: Passing): boolean => {
		if (direction !== "down" || packet.cmd !== "publish") return false;
		if (packet.topic.includes("/provision/") !== (operation === "register")) return false;
		seen += 1;
		return seen === nth;
	};
};

/** A fate for one reply, the plain one for everything else. */
const to = (which: (passing: Passing) => boolean, fate: Fate) => (): ((passing: Passing) => Fate) => (passing) =>
	which(passing) ? fate : "pass";

const always = { times: 1_000_000, action: "reject" } as const;
const once = { times: 1, action: "reject" } as const;
const RegisterThing = "RegisterThing" as const;
const CreateKeysAndCertificate = "CreateKeysAndCertificate" as const;
const rejection = (statusCode: number, errorCode: string) => ({ statusCode, errorCode, errorMessage: "no" });

/** `{"statusCode": 403}`, with an integer longer than it need be: well-formed (RFC 8949, 4.1). */
const deniedIn64Bits: Packet = {
	cmd: "publish",
	topic: "$aws/provisioning-templates/fleet/provision/cbor/rejected",
	payload: Buffer.from("a16a737461747573436f64651b0000000000000193", "hex"),
	qos: 1,
	messageId: 1,
	dup: false,
	retain: false,
};

/** The power fails while RegisterThing's reply is on its way. */
const replyLostInCut: Cut = { packet: 11, gotThrough: false };

/** A broker that takes no packet ahead of CONNACK. */
const HANGS_UP = { connection: { aheadOfConnack: "close" as const } };

export const stories: readonly Story[] = [
	{ name: "by keys, in CBOR", boots: 2 },
	{ name: "by keys, in JSON", given: { configuration: { encoding: "json" } }, boots: 2 },
	{ name: "by signing request, in CBOR", given: { configuration: { keyPair: "csr" } }, boots: 2 },
	{ name: "by signing request, in JSON", given: { configuration: { keyPair: "csr", encoding: "json" } }, boots: 2 },
	{ name: "asked in the same flight as subscribed", given: { configuration: { pipeline: "subscribe" } }, boots: 2 },
	{
		name: "asked in the same flight, but the answer is missed",
		given: { configuration: { pipeline: "subscribe" }, fate: to(reply("create"), "drop")() },
		failures: ["CREATE_TIMEOUT"],
		certificates: 2,
	},
	{ name: "in two flights, by keys", given: { configuration: { pipeline: "connect" } }, boots: 2 },
	{
		name: "in two flights, by signing request",
		given: { configuration: { pipeline: "connect", keyPair: "csr" } },
		boots: 2,
	},
	{
		name: "in two flights, to a broker that takes its time for CONNACK",
		given: { configuration: { pipeline: "connect" }, settings: { connection: { connackDelay: 5000 } } },
		boots: 2,
	},
	{
		name: "in two flights, by keys, to a broker that hangs up on packets ahead of CONNACK",
		given: { configuration: { pipeline: "connect" }, settings: HANGS_UP },
		failures: ["CREATE_HUNG_UP"],
		boots: 2,
	},
	{
		name: "in two flights, by signing request, to a broker that hangs up on packets ahead of CONNACK",
		given: { configuration: { pipeline: "connect", keyPair: "csr" }, settings: HANGS_UP },
		failures: ["CREATE_HUNG_UP"],
		boots: 2,
	},
	{
		name: "in two flights, but the answer is missed",
		given: { configuration: { pipeline: "connect" }, fate: to(reply("create"), "drop")() },
		failures: ["CREATE_TIMEOUT"],
		certificates: 2,
	},
	{
		name: "in two flights, with a claim that is revoked",
		given: { configuration: { pipeline: "connect" } },
		before: ({ cloud }) =>
			cloud.registry.certificates.updateCertificate({ certificateId: cloud.claimCertificateId, newStatus: "REVOKED" }),
		failures: ["CREATE_HUNG_UP", "CLAIM_REFUSED"],
		end: "waiting",
		certificates: 0,
	},
	{
		name: "in two flights, and the power fails while RegisterThing's reply is on its way",
		given: { configuration: { pipeline: "connect" }, cuts: [replyLostInCut] },
		failures: ["TOKEN_REFUSED"],
		boots: 2,
	},
	{
		name: "a common name of one's own",
		given: { configuration: { keyPair: "csr", commonName: "sensor Zürich {SerialNumber}" } },
		boots: 2,
	},
	{
		name: "a common name of 65 characters",
		given: { configuration: { keyPair: "csr", commonName: "é".repeat(65) } },
		failures: ["CONFIGURATION_INVALID"],
		end: "halted",
		certificates: 0,
	},
	{ name: "on port 443", given: { configuration: { port: 443 } }, boots: 2 },
	{
		name: "replies in CBOR of indefinite length, members in reverse",
		given: { settings: { cbor: { indefinite: true, reverseMembers: true } } },
	},
	{ name: "replies filled up to 8,000 bytes", given: { settings: { reply: { padTo: 8000 } } } },
	{ name: "a socket that takes seven bytes at a time", given: { window: 7 } },
	{
		name: "every packet byte by byte",
		given: { fate: ({ direction }) => (direction === "down" ? { pieces: 1 } : "pass") },
	},
	{
		name: "a template without device configuration",
		given: { templateBody: templateBody("ACTIVE") },
	},
	{ name: "the clock is unset at power-on", given: { clock: "unset" }, boots: 2 },
	{ name: "the clock says 1970 at power-on", given: { clock: 0, clockFloor: Date.UTC(2026, 0, 1) }, boots: 2 },
	{
		name: "no time server answers",
		given: { clock: "unset", timeServer: "silent" },
		failures: ["CLOCK_UNSET"],
		end: "waiting",
		certificates: 0,
	},
	{
		name: "the time server lives in the past",
		given: { clock: "unset", timeServer: 1000, clockFloor: Date.UTC(2026, 0, 1) },
		failures: ["CLOCK_BEHIND"],
		end: "waiting",
		certificates: 0,
	},
	{ name: "no claim", given: { withoutClaim: true }, failures: ["CLAIM_MISSING"], end: "waiting", certificates: 0 },
	{
		name: "no such host",
		given: { configuration: { endpoint: "nowhere.test" } },
		failures: ["HOST_UNKNOWN"],
		end: "waiting",
		certificates: 0,
	},
	{
		name: "a template name that cannot be",
		given: { configuration: { template: "no blanks" } },
		failures: ["CONFIGURATION_INVALID"],
		end: "halted",
		certificates: 0,
	},
	{
		name: "the claim is revoked",
		before: ({ cloud }) =>
			cloud.registry.certificates.updateCertificate({ certificateId: cloud.claimCertificateId, newStatus: "REVOKED" }),
		failures: ["CLAIM_REFUSED"],
		end: "waiting",
		certificates: 0,
	},
	{
		name: "the template is disabled",
		given: { templateEnabled: false },
		failures: ["REGISTER_DENIED"],
		end: "waiting",
	},
	{
		name: "no such template",
		given: { configuration: { template: "other" } },
		failures: ["TEMPLATE_UNKNOWN"],
		end: "waiting",
	},
	{
		name: "a template that wants a parameter which the device does not send",
		given: {
			templateBody: {
				Parameters: { Batch: { Type: "String" } },
				Resources: { thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "Batch" } } } },
			},
		},
		failures: ["REGISTER_INVALID"],
		end: "waiting",
	},
	{
		name: "RegisterThing is throttled once",
		given: { settings: { faults: [{ operation: RegisterThing, ...once, rejection: rejection(429, "Throttled") }] } },
		failures: ["REGISTER_THROTTLED"],
	},
	{
		name: "the certificate request is throttled once",
		given: {
			settings: { faults: [{ operation: CreateKeysAndCertificate, ...once, rejection: rejection(429, "Throttled") }] },
		},
		failures: ["CREATE_THROTTLED"],
	},
	{
		name: "the service fails once at each",
		given: {
			settings: {
				faults: [
					{ operation: CreateKeysAndCertificate, ...once, rejection: rejection(500, "InternalFailure") },
					{ operation: RegisterThing, ...once, rejection: rejection(503, "ServiceUnavailable") },
				],
			},
		},
		failures: ["CREATE_FAULT", "REGISTER_FAULT"],
	},
	{
		name: "a certificate is denied for good",
		given: {
			settings: {
				faults: [{ operation: CreateKeysAndCertificate, ...always, rejection: rejection(403, "AccessDenied") }],
			},
		},
		failures: ["CREATE_DENIED"],
		end: "waiting",
		certificates: 0,
	},
	{
		name: "a resource conflict, once",
		given: {
			settings: { faults: [{ operation: RegisterThing, ...once, rejection: rejection(409, "ResourceConflicts") }] },
		},
		failures: ["RESOURCE_CONFLICT"],
	},
	{
		name: "the token is refused although it never was used",
		given: {
			settings: {
				faults: [{ operation: RegisterThing, ...once, rejection: rejection(400, "InvalidCertificateOwnershipToken") }],
			},
		},
		failures: ["TOKEN_REFUSED"],
		certificates: 2,
	},
	{
		name: "a denial whose status code has 64 bits",
		given: { fate: to(reply("register"), { replace: deniedIn64Bits })() },
		failures: ["REGISTER_DENIED", "TOKEN_REFUSED"],
	},
	{
		name: "the first certificate reply is lost",
		given: { fate: to(reply("create"), "drop")() },
		failures: ["CREATE_TIMEOUT"],
		certificates: 2,
	},
	{
		name: "RegisterThing's reply is lost, tokens good for once",
		given: { fate: to(reply("register"), "drop")() },
		failures: ["REGISTER_TIMEOUT", "TOKEN_REFUSED"],
	},
	{
		name: "RegisterThing's reply is lost, tokens good for ever",
		given: { fate: to(reply("register"), "drop")(), settings: { token: { singleUse: "never" } } },
		failures: ["REGISTER_TIMEOUT"],
	},
	{
		name: "the service hangs up in place of RegisterThing's reply",
		given: { fate: to(reply("register"), "close")() },
		failures: ["REGISTER_HUNG_UP", "TOKEN_REFUSED"],
	},
	{
		name: "the power fails while RegisterThing's reply is on its way",
		given: { cuts: [replyLostInCut] },
		failures: ["TOKEN_REFUSED"],
		boots: 2,
	},
	{
		name: "both replies come twice",
		given: {
			fate: ({ direction, packet }) => (direction === "down" && packet.cmd === "publish" ? "duplicate" : "pass"),
		},
	},
	{
		name: "the new identity is INACTIVE, until somebody activates it",
		given: { templateBody: templateBody("INACTIVE") },
		failures: ["IDENTITY_REFUSED"],
		end: "waiting",
	},
	{
		name: "the certificate becomes active only after three minutes",
		given: { settings: { certificate: { activationDelay: 180_000 } } },
		failures: ["IDENTITY_REFUSED"],
	},
	{
		name: "the application closes its connection three times",
		application: "closes",
		failures: ["APPLICATION_CLOSED"],
	},
	{
		name: "the application throws whatever can be thrown when it is called",
		application: "throws",
		failures: ["APPLICATION_FAILED"],
	},
	{
		name: "the application is async, and rejects at once and later",
		application: "rejects",
		failures: ["APPLICATION_FAILED"],
	},
	{
		name: "the application throws at each message, and is given the next all the same",
		application: "throwsAtMessages",
		failures: ["APPLICATION_FAILED"],
	},
	{
		name: "the application throws when it is stopped",
		application: "throwsWhenStopped",
		failures: ["APPLICATION_FAILED", "APPLICATION_CLOSED"],
	},
	{
		name: "the application publishes without bound, and takes no care of what is refused",
		application: "publishesWithoutBound",
	},
	{ name: "the application subscribes, unsubscribes and hears no more", application: "unsubscribes" },
	{ name: "the application gives arguments that cannot be right", application: "misuses" },
	{
		name: "the application sets, deletes and freezes what it sees, calls all twice and keeps what has ended",
		application: "vandalizes",
		failures: ["APPLICATION_CLOSED"],
	},
];
