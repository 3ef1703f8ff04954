// Who opens a WebSocket with an access key: checks the signature of the URL or of the header, and gives the client the IAM policies of
// the key's owner. What they may do is decided at CONNECT and after it, as for every client.

import { AwsError } from "../base/errors.js";
import { type AccessKey, ADMINISTRATOR_ACCESS, type Callers, globalConditions } from "../control/iam.js";
import { checkPresigned, isPresigned, readPresigned } from "../control/presigned.js";
import { parseQuery } from "../control/router.js";
import { checkSignature, headerValue, type RequestHead, readSignature } from "../control/sigv4.js";
import { splitOnce } from "../control/split.js";
import type { OwnPolicies } from "../mqtt/authorizer.js";
import { parsePolicy } from "../policy/policy.js";

/** Name of the service in a signature's scope. */
const SERVICE = "iotdevicegateway";

/** Everybody, where signatures are not checked. */
const ANYBODY: Pick<AccessKey, "principal" | "policies"> = {
	principal: "anonymous",
	policies: [{ policyName: "development mode", policy: parsePolicy(JSON.stringify(ADMINISTRATOR_ACCESS)) }],
};

/** What is known of a request to open a WebSocket. */
export interface SignedRequest {
	readonly head: RequestHead;
	readonly callers: Callers;
	readonly region: string;
	/** ms since 1970. */
	readonly now: () => number;
	readonly sourceIp: string;
}

/** Whether a request has a signature of AWS's. */
export function isSigned(head: RequestHead): boolean {
	if (headerValue(head, "authorization")?.startsWith("AWS4-")) return true;
	return isPresigned(parseQuery(splitOnce(head.target, "?")[1]));
}

/** The client that a request proves. @throws AwsError 403 with the name AWS gives it */
export function iamClient(request: SignedRequest): { readonly principal: string; readonly own: OwnPolicies } {
	const { callers, region, now, sourceIp } = request;
	const caller = callers.signatures === "any" ? ANYBODY : authenticate(request);
	return {
		principal: caller.principal,
		own: {
			kind: "iam",
			policies: caller.policies,
			variables: () =>
				new Map(Object.entries(globalConditions(caller, { sourceIp, secure: true, region, now: now() }))),
		},
	};
}

function authenticate({ head, callers, region, now }: SignedRequest): AccessKey {
	const scope = { services: [SERVICE], regions: [region] };
	const known = (accessKeyId: string, sessionToken: string | undefined) => {
		const key = callers.keys.get(accessKeyId);
		if (key && key.sessionToken === sessionToken) return key;
		throw new AwsError("UnrecognizedClientException", "The security token included in the request is invalid.");
	};
	if (!isPresigned(parseQuery(splitOnce(head.target, "?")[1]))) {
		const claimed = readSignature(head, scope, now());
		const key = known(claimed.accessKeyId, headerValue(head, "x-amz-security-token"));
		checkSignature(claimed, key.secretAccessKey, head, new Uint8Array());
		return key;
	}
	const claimed = readPresigned(head, scope, now());
	const key = known(claimed.accessKeyId, claimed.sessionToken);
	checkPresigned(claimed, key.secretAccessKey, head);
	return key;
}
