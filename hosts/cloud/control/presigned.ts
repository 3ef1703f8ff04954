// Signature Version 4 in the query of a URL, as AWS's SDKs and browsers open a WebSocket with it (IoT developer guide, "MQTT over the
// WebSocket protocol"). Must never let a secret or an expected signature into an error.

import { AwsError } from "../base/errors.js";
import { parseQuery } from "./router.js";
import {
	type ClaimedSignature,
	checkClock,
	checkSignature,
	invalid,
	MAXIMUM_SKEW,
	mismatch,
	type RequestHead,
	readScope,
	type SigningScope,
} from "./sigv4.js";
import { splitOnce } from "./split.js";

/** Longest life of a presigned URL: seven days, in seconds (general rule of AWS). */
const LONGEST_LIFE = 604_800;
const SIGNATURE = "X-Amz-Signature";
const TOKEN = "X-Amz-Security-Token";

/** What the query of a presigned URL claims. */
export interface PresignedClaim extends ClaimedSignature {
	readonly sessionToken?: string;
}

/** Whether a query has a signature, or a part of one. */
export function isPresigned(query: ReadonlyMap<string, string>): boolean {
	return [...query.keys()].some((name) => name === "X-Amz-Algorithm" || name === SIGNATURE);
}

/**
 * Reads the query of a presigned URL and checks all that needs no secret: form, scope, clock, signed headers.
 * @throws AwsError 403 with the name AWS gives it
 */
export function readPresigned(head: RequestHead, scope: SigningScope, now: number): PresignedClaim {
	const query = parseQuery(splitOnce(head.target, "?")[1]);
	const missing = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", SIGNATURE].filter(
		(name) => !query.get(name),
	);
	if (missing.length > 0) {
		throw new AwsError("IncompleteSignatureException", `The query of the URL lacks ${missing.join(", ")}.`);
	}
	if (query.get("X-Amz-Algorithm") !== "AWS4-HMAC-SHA256") {
		throw new AwsError("IncompleteSignatureException", "X-Amz-Algorithm must be AWS4-HMAC-SHA256.");
	}
	const time = query.get("X-Amz-Date")!;
	const { accessKeyId, text, instant } = readScope(query.get("X-Amz-Credential")!, time, scope);
	const expires = query.get("X-Amz-Expires");
	const life = expires === undefined ? MAXIMUM_SKEW : Number(expires) * 1000;
	if (expires !== undefined && (!/^\d{1,6}$/.test(expires) || Number(expires) < 1 || Number(expires) > LONGEST_LIFE)) {
		throw invalid(`X-Amz-Expires must be a number of seconds from 1 to ${LONGEST_LIFE}.`);
	}
	checkClock(instant, now, life, time);
	const signedHeaders = query.get("X-Amz-SignedHeaders")!.split(";");
	if (!signedHeaders.includes("host")) throw invalid("X-Amz-SignedHeaders must include host.");
	const signature = query.get(SIGNATURE)!;
	if (!/^[0-9a-f]{64}$/.test(signature)) throw mismatch();
	const sessionToken = query.get(TOKEN);
	return {
		...{ accessKeyId, scope: text, time, signedHeaders },
		signature: Buffer.from(signature, "hex"),
		...(sessionToken !== undefined && { sessionToken }),
	};
}

/**
 * Proves the claim with the secret. AWS IoT differs from other services in one point: the session token is not signed, but appended
 * to the URL afterwards.
 * @throws AwsError 403 InvalidSignatureException
 */
export function checkPresigned(claimed: PresignedClaim, secret: string, head: RequestHead): void {
	const nothing = new Uint8Array();
	try {
		checkSignature(claimed, secret, without(head, SIGNATURE, TOKEN), nothing);
	} catch (error) {
		if (claimed.sessionToken === undefined || !proves(claimed, secret, without(head, SIGNATURE))) throw error;
		throw invalid(
			`The signature covers ${TOKEN}. AWS IoT wants it appended to the URL after signing, with its value escaped.`,
		);
	}
}

function proves(claimed: PresignedClaim, secret: string, head: RequestHead): boolean {
	try {
		checkSignature(claimed, secret, head, new Uint8Array());
		return true;
	} catch {
		return false;
	}
}

/** The head without some parameters of the query. */
function without(head: RequestHead, ...names: readonly string[]): RequestHead {
	const [path, query] = splitOnce(head.target, "?");
	const kept = query.split("&").filter((pair) => !names.includes(splitOnce(pair, "=")[0]));
	return { ...head, target: `${path}?${kept.join("&")}` };
}
