// Requests and replies of the provisioning API, in CBOR and JSON. Never trusts anything in a reply.
// Source of the members and their meaning: AWS IoT developer guide, "Device provisioning MQTT API".

import { Decoder } from "cbor-x/index-no-eval";
import { checkCbor, encodeCbor } from "../base/cbor.js";
import { Failure, type FailureCode, type Rejection } from "../base/failure.js";
import { checkJson } from "../base/json.js";
import { Malformed } from "../base/malformed.js";
import { fromUtf8, toUtf8 } from "../base/utf8.js";
import type { Credentials, Ecdsa } from "../contract/host.js";
import { readCredentials } from "../identity/credentials.js";
import { decodePem } from "../identity/pem.js";
import type { Encoding } from "./topics.js";

/** Longest ownership token, characters. AWS's sample code reserves 512 to 1,024; the real length is not documented. */
const TOKEN_LIMIT = 2048;
/** Longest PEM, characters. RSA-4096 certificates of an account's own authority (a certificate provider) are shorter. */
const PEM_LIMIT = 6144;

// Names, because in flash a text takes as many bytes again wherever it stands.
const CREATE_MALFORMED = "CREATE_REPLY_MALFORMED";
const REGISTER_MALFORMED = "REGISTER_REPLY_MALFORMED";

/** The members of a reply by name. */
type Members = ReadonlyMap<string, unknown>;

/** The result of CreateKeysAndCertificate or CreateCertificateFromCsr. */
export interface IssuedCertificate {
	/** 64 lower-case hexadecimal digits. */
	readonly certificateId: string;
	readonly credentials: Credentials;
	/** Secret. It proves to RegisterThing that this device received the certificate. */
	readonly ownershipToken: string;
}

/** A private key that this device has made, and the request for a certificate for it. */
export interface OwnKey {
	/** PKCS#8, DER. Secret. */
	readonly key: Uint8Array;
	/** PKCS#10, PEM, signed with that key. */
	readonly certificateSigningRequest: string;
}

/** The result of RegisterThing. */
export interface Registration {
	readonly thingName: string;
	readonly deviceConfiguration: Readonly<Record<string, string>>;
}

/** The payload of CreateKeysAndCertificate, which is documented to be empty. */
export const encodeCreateKeys = (): Uint8Array => new Uint8Array(0);

/** The payload of CreateCertificateFromCsr; the request is PEM text. */
export const encodeCreateFromCsr = (encoding: Encoding, certificateSigningRequest: string): Uint8Array =>
	encode(encoding, { certificateSigningRequest });

/** The payload of RegisterThing. */
export const encodeRegisterThing = (
	encoding: Encoding,
	certificateOwnershipToken: string,
	parameters: Readonly<Record<string, string>>,
): Uint8Array => encode(encoding, { certificateOwnershipToken, parameters });

function encode(encoding: Encoding, message: object): Uint8Array {
	return encoding === "cbor" ? encodeCbor(message) : toUtf8(JSON.stringify(message));
}

/**
 * Reads the reply to a request for a certificate.
 * @param ownKey PKCS#8 of this device's own key, which the certificate must be for; without it the private key is in the reply
 * @param ecdsa the machine's arithmetic, for an EC key in the reply
 * @throws Failure CREATE_REPLY_MALFORMED, CERTIFICATE_MALFORMED, KEY_MISMATCH
 */
export function readIssuedCertificate(
	encoding: Encoding,
	payload: Uint8Array,
	ownKey?: Uint8Array,
	ecdsa?: Ecdsa,
): IssuedCertificate {
	const members = decode(encoding, payload, CREATE_MALFORMED);
	const text = (name: string, limit: number): string => textMember(members, name, limit, CREATE_MALFORMED);
	const certificateId = text("certificateId", 64);
	if (!/^[0-9a-f]{64}$/.test(certificateId))
		throw new Failure(CREATE_MALFORMED, "certificateId is not 64 hexadecimal digits");
	const ownershipToken = text("certificateOwnershipToken", TOKEN_LIMIT);
	if (!isPlain(ownershipToken)) throw new Failure(CREATE_MALFORMED, "certificateOwnershipToken is not plain text");
	const certificatePem = text("certificatePem", PEM_LIMIT);
	const keyPem = ownKey === undefined ? text("privateKey", PEM_LIMIT) : undefined;
	try {
		const certificate = decodePem(certificatePem);
		const key = keyPem === undefined ? ownKey! : decodePem(keyPem);
		return { certificateId, credentials: readCredentials(certificate, key, ecdsa), ownershipToken };
	} catch (error) {
		throw error instanceof Malformed ? new Failure("CERTIFICATE_MALFORMED", error.message) : error;
	}
}

/**
 * Reads the reply to RegisterThing. `deviceConfiguration` may be absent or empty; its values may be any scalar.
 * @throws Failure REGISTER_REPLY_MALFORMED, THING_NAME_MISSING
 */
export function readRegistration(encoding: Encoding, payload: Uint8Array): Registration {
	const members = decode(encoding, payload, REGISTER_MALFORMED);
	if (members.get("thingName") === undefined || members.get("thingName") === null)
		throw new Failure("THING_NAME_MISSING");
	const thingName = textMember(members, "thingName", 128, REGISTER_MALFORMED);
	if (!/^[a-zA-Z0-9:_-]+$/.test(thingName)) throw new Failure(REGISTER_MALFORMED, "thingName has other characters");

	const deviceConfiguration: Record<string, string> = {};
	const given = members.get("deviceConfiguration") ?? new Map();
	if (!(given instanceof Map)) throw new Failure(REGISTER_MALFORMED, "deviceConfiguration is not a map");
	for (const [key, value] of given) {
		if (typeof key !== "string" || (typeof value === "object" && value !== null) || value === undefined)
			throw new Failure(REGISTER_MALFORMED, "deviceConfiguration is not flat");
		// Defined, not assigned, so that a key named __proto__ is a key like any other.
		Object.defineProperty(deviceConfiguration, key, { value: String(value), enumerable: true });
	}
	return { thingName, deviceConfiguration };
}

/** Reads a `rejected` reply. One that cannot be read gets the status code 0, because it is a refusal in any case. */
export function readRejection(encoding: Encoding, payload: Uint8Array): Rejection {
	let members: Members;
	try {
		members = decode(encoding, payload, "PROTOCOL_ERROR");
	} catch {
		return { statusCode: 0, errorCode: "", errorMessage: "" };
	}
	const { statusCode, errorCode, errorMessage } = Object.fromEntries(members);
	// cbor-x reads an integer that is encoded in 64 bits as a BigInt, however small it is.
	const status = typeof statusCode === "bigint" ? Number(statusCode) : statusCode;
	return {
		statusCode: Number.isSafeInteger(status) ? (status as number) : 0,
		errorCode: typeof errorCode === "string" ? errorCode : "",
		errorMessage: typeof errorMessage === "string" ? errorMessage : "",
	};
}

/** Whether a text is printable ASCII. The pattern has no repetition: XS keeps 28 bytes for each character that one repeats over. */
const isPlain = (text: string): boolean => !/[^ -~]/.test(text);

function textMember(members: Members, name: string, limit: number, code: FailureCode): string {
	const value = members.get(name);
	if (typeof value !== "string") throw new Failure(code, `${name} is not text`);
	if (value.length === 0 || value.length > limit) throw new Failure(code, `${name} has ${value.length} characters`);
	return value;
}

function decode(encoding: Encoding, payload: Uint8Array, code: FailureCode): Members {
	try {
		return encoding === "cbor" ? decodeCbor(payload) : decodeJson(payload);
	} catch (error) {
		// A decoder's own message may quote the reply, and the reply may hold a private key.
		throw new Failure(code, error instanceof Malformed ? error.message : "the decoder refused it");
	}
}

function decodeCbor(payload: Uint8Array): Members {
	const { bytes, entries } = checkCbor(payload);
	const members = new Decoder({ useRecords: false, mapsAsObjects: false }).decode(bytes) as Map<string, unknown>;
	if (!(members instanceof Map) || members.size !== entries) throw new Malformed("CBOR has a key twice");
	return members;
}

function decodeJson(payload: Uint8Array): Members {
	const text = fromUtf8(payload);
	checkJson(text);
	const value: unknown = JSON.parse(text);
	if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed("JSON is not an object");
	return new Map(Object.entries(value).map(([key, member]) => [key, toMap(member)]));
}

/** Turns a JSON object into a map, the form that the CBOR decoder gives. Replies have no deeper levels. */
const toMap = (value: unknown): unknown =>
	typeof value === "object" && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : value;
