// Checks AWS Signature Version 4, for a rest-json service whose clients escape the path twice (all services but S3).
// Must never let a secret or an expected signature into an error.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { AwsError } from "../base/errors.js";
import { splitOnce } from "./split.js";

/** The head of a request as it came over the wire: nothing decoded, nothing merged. */
export interface RequestHead {
	method: string;
	/** Path and query exactly as on the request line. */
	target: string;
	/** Names and values by turns, as `IncomingMessage.rawHeaders` has them. */
	rawHeaders: readonly string[];
}

/** What the Authorization header claims. Nothing of it is proved until `checkSignature` has returned. */
export interface ClaimedSignature {
	accessKeyId: string;
	/** `date/region/service/aws4_request` */
	scope: string;
	/** `YYYYMMDD'T'HHMMSS'Z'`, the text that went into the signature. */
	time: string;
	signedHeaders: readonly string[];
	signature: Buffer;
}

/** What a signature's scope may name: services and regions, the expected one first. */
export interface SigningScope {
	readonly services: readonly string[];
	readonly regions: readonly string[];
}

/** How far a client's clock may be off, ms (general AWS rule: 5 minutes). */
const MAXIMUM_SKEW = 5 * 60_000;

/**
 * Reads the Authorization header and checks all that needs no secret and no body: form, scope, signed headers, clock.
 * @throws AwsError 403 with the name AWS gives it
 */
export function readSignature(head: RequestHead, { services, regions }: SigningScope, now: number): ClaimedSignature {
	const authorization = headerValue(head, "authorization");
	if (authorization === undefined) {
		throw new AwsError("MissingAuthenticationTokenException", "Missing Authentication Token");
	}
	const [algorithm, rest] = splitOnce(authorization, " ");
	if (algorithm !== "AWS4-HMAC-SHA256") {
		throw new AwsError(
			"IncompleteSignatureException",
			"Unsupported signature algorithm: this service takes AWS4-HMAC-SHA256 in the Authorization header.",
		);
	}
	const fields = new Map(rest.split(",").map((field) => splitOnce(field.trim(), "=")));
	const credential = fields.get("Credential");
	const signature = fields.get("Signature");
	const signedHeaders = fields.get("SignedHeaders")?.split(";");
	const time = headerValue(head, "x-amz-date");
	if (!credential || !signature || !signedHeaders?.[0] || !time) {
		const missing = [
			!credential && "'Credential' parameter",
			!signature && "'Signature' parameter",
			!signedHeaders?.[0] && "'SignedHeaders' parameter",
			!time && "existence of an 'X-Amz-Date' header",
		].filter((what) => what !== false);
		throw new AwsError(
			"IncompleteSignatureException",
			missing.map((what) => `Authorization header requires ${what}.`).join(" "),
		);
	}

	const [accessKeyId = "", date, scopeRegion, service, terminator, ...excess] = credential.split("/");
	if (accessKeyId === "" || terminator !== "aws4_request" || excess.length > 0) {
		throw new AwsError(
			"IncompleteSignatureException",
			"Credential must have five parts: ACCESS_KEY_ID/DATE/REGION/SERVICE/aws4_request.",
		);
	}
	const instant = parseAmzDate(time);
	if (instant === undefined || !time.startsWith(`${date}T`)) {
		throw invalid("Date in Credential scope does not match the X-Amz-Date header, or that header is not a date.");
	}
	if (!regions.includes(scopeRegion!))
		throw invalid(`Credential should be scoped to a valid region, here '${regions[0]}'.`);
	if (!services.includes(service!)) throw invalid(`Credential should be scoped to correct service: '${services[0]}'.`);
	if (Math.abs(instant - now) > MAXIMUM_SKEW) {
		const here = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
		throw invalid(
			instant < now
				? `Signature expired: ${time} is now earlier than ${here} minus 5 min.`
				: `Signature not yet current: ${time} is still later than ${here} plus 5 min.`,
		);
	}
	for (let i = 0; i < head.rawHeaders.length; i += 2) {
		const name = head.rawHeaders[i]!.toLowerCase();
		// SDKs sign all headers of AWS's own but one, which changes on the way.
		const own = name.startsWith("x-amz") && name !== "x-amzn-trace-id";
		if ((name === "host" || own) && !signedHeaders.includes(name)) {
			throw invalid(`'${name.slice(0, 64)}' must be a 'SignedHeader' in the AWS Authorization.`);
		}
	}
	if (!signedHeaders.includes("host")) throw invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.");
	if (!/^[0-9a-f]{64}$/.test(signature)) throw mismatch();
	return {
		accessKeyId,
		scope: `${date}/${scopeRegion}/${service}/aws4_request`,
		time,
		signedHeaders,
		signature: Buffer.from(signature, "hex"),
	};
}

/**
 * Proves the claim with the secret: computes the signature over what really arrived and compares in constant time.
 * @throws AwsError 403 InvalidSignatureException
 */
export function checkSignature(claimed: ClaimedSignature, secret: string, head: RequestHead, body: Uint8Array): void {
	if (!timingSafeEqual(claimed.signature, expectedSignature(claimed, secret, head, body))) throw mismatch();
}

/** The signature that `secret` gives for this request. */
export function expectedSignature(
	claimed: Omit<ClaimedSignature, "signature">,
	secret: string,
	head: RequestHead,
	body: Uint8Array,
): Buffer {
	const [path, query] = splitOnce(head.target, "?");
	const canonicalRequest = [
		head.method,
		canonicalPath(path),
		canonicalQuery(query),
		...claimed.signedHeaders.map((name) => `${name}:${canonicalHeader(head, name)}`),
		"",
		claimed.signedHeaders.join(";"),
		createHash("sha256").update(body).digest("hex"),
	].join("\n");
	const hashed = createHash("sha256").update(canonicalRequest).digest("hex");
	const key = claimed.scope
		.split("/")
		.reduce<string | Buffer>((previous, part) => hmac(previous, part), `AWS4${secret}`);
	return hmac(key, ["AWS4-HMAC-SHA256", claimed.time, claimed.scope, hashed].join("\n"));
}

/** First value of a header, whatever the case of its name. */
export function headerValue(head: RequestHead, name: string): string | undefined {
	const at = head.rawHeaders.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
	return at < 0 ? undefined : head.rawHeaders[at + 1];
}

/** Removes dot segments and empty segments, and escapes each segment once more than it is on the wire. */
function canonicalPath(path: string): string {
	const segments: string[] = [];
	for (const segment of path.split("/")) {
		if (segment === "..") segments.pop();
		else if (segment !== "" && segment !== ".") segments.push(percentEncode(segment));
	}
	return `/${segments.join("/")}${segments.length > 0 && path.endsWith("/") ? "/" : ""}`;
}

function canonicalQuery(query: string): string {
	if (query === "") return "";
	return query
		.split("&")
		.filter((pair) => pair !== "")
		.map((pair) => splitOnce(pair, "=").map((text) => percentEncode(percentDecode(text))))
		.sort((a, b) => compare(a[0]!, b[0]!) || compare(a[1]!, b[1]!))
		.map((pair) => pair.join("="))
		.join("&");
}

function canonicalHeader(head: RequestHead, name: string): string {
	const values: string[] = [];
	for (let i = 0; i < head.rawHeaders.length; i += 2) {
		if (head.rawHeaders[i]!.toLowerCase() === name) values.push(head.rawHeaders[i + 1]!.trim().replace(/\s+/g, " "));
	}
	return values.join(",");
}

/** RFC 3986: everything but unreserved characters. */
function percentEncode(text: string): string {
	return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function percentDecode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function parseAmzDate(text: string): number | undefined {
	const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
	if (!match) return undefined;
	const [, year, month, day, hour, minute, second] = match;
	const instant = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
	return Number.isNaN(instant) ? undefined : instant;
}

function hmac(key: string | Buffer, text: string): Buffer {
	return createHmac("sha256", key).update(text).digest();
}

function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

function invalid(message: string): AwsError {
	return new AwsError("InvalidSignatureException", message);
}

function mismatch(): AwsError {
	return invalid(
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access " +
			"Key and signing method. Consult the service documentation for details.",
	);
}
