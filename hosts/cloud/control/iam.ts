// A small IAM: access keys, their owners, and the identity policies that say what the owners may do.
// Must never put a secret access key into an error or an answer.

import { readFileSync, statSync } from "node:fs";
import { isObject } from "../base/object.js";
import { type NamedPolicy, PolicyError, parsePolicy } from "../policy/policy.js";

/** A caller of the control plane: its credentials, its identity, and what it may do. */
export interface AccessKey {
	/** As the caller signs with it, such as `AKIA…`. */
	readonly accessKeyId: string;
	/** What requests are signed with. Secret. */
	readonly secretAccessKey: string;
	/** Present for temporary credentials, such as those of a role. The caller must send it with each request. */
	readonly sessionToken?: string;
	/** ARN of the IAM user or assumed role. */
	readonly principal: string;
	/** IAM policies of the principal. None: nothing is allowed. */
	readonly policies: readonly NamedPolicy[];
}

/** Who may call, and whether their signatures are checked. */
export interface Callers {
	/** By access key id. */
	readonly keys: ReadonlyMap<string, AccessKey>;
	/** `any`: everybody may do everything. */
	readonly signatures: "checked" | "any";
}

/** The global condition keys of IAM whose values are known here. */
export function globalConditions(
	{ principal }: Pick<AccessKey, "principal">,
	request: { readonly sourceIp: string; readonly secure: boolean; readonly region: string; readonly now: number },
): Record<string, string> {
	return {
		"aws:SourceIp": request.sourceIp,
		"aws:SecureTransport": String(request.secure),
		"aws:CurrentTime": new Date(request.now).toISOString(),
		"aws:PrincipalArn": principal,
		"aws:RequestedRegion": request.region,
		...(principal.includes(":user/") && { "aws:username": principal.replace(/^.*\//, "") }),
	};
}

/** An access key file or option that cannot be used; the message says what to change. */
export class AccessKeyError extends Error {
	override readonly name = "AccessKeyError";
}

/** A policy document that allows everything. */
export const ADMINISTRATOR_ACCESS = {
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
};

/**
 * Reads access keys from a JSON file: `{"accessKeys": [...]}`, each as `parseAccessKeys` has it.
 * @throws AccessKeyError when other users can read the file, or when it does not hold what it should
 */
export function readAccessKeys(path: string): AccessKey[] {
	let text: string;
	try {
		if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0) {
			throw new AccessKeyError(`${path} holds secrets and other users can read it: run chmod 600 ${path}.`);
		}
		text = readFileSync(path, "utf8");
	} catch (error) {
		if (error instanceof AccessKeyError) throw error;
		throw new AccessKeyError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
	}
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		// The parser's own message quotes the text, which holds secrets.
		throw new AccessKeyError(`${path} is not JSON.`);
	}
	if (!isObject(json)) throw new AccessKeyError(`${path} must hold an object with the member accessKeys.`);
	return parseAccessKeys(json.accessKeys);
}

/**
 * Checks access keys: a list of `{accessKeyId, secretAccessKey, sessionToken?, principal, policies}`, where `policies` is
 * a list of IAM policy documents.
 * @throws AccessKeyError naming the first thing wrong
 */
export function parseAccessKeys(json: unknown): AccessKey[] {
	if (!Array.isArray(json)) throw new AccessKeyError("accessKeys must be a list.");
	const seen = new Set<string>();
	return json.map((entry: unknown, index) => {
		const at = `accessKeys[${index}]`;
		if (!isObject(entry)) throw new AccessKeyError(`${at} must be an object.`);
		const { accessKeyId, secretAccessKey, sessionToken, principal, policies } = entry;
		if (typeof accessKeyId !== "string" || !/^\w{4,128}$/.test(accessKeyId)) {
			throw new AccessKeyError(`${at}.accessKeyId must be 4 to 128 letters and digits.`);
		}
		if (seen.has(accessKeyId)) throw new AccessKeyError(`${at}: the access key ${accessKeyId} is there twice.`);
		seen.add(accessKeyId);
		if (typeof secretAccessKey !== "string" || secretAccessKey === "") {
			throw new AccessKeyError(`${at}.secretAccessKey must be text.`);
		}
		if (sessionToken !== undefined && (typeof sessionToken !== "string" || sessionToken === "")) {
			throw new AccessKeyError(`${at}.sessionToken must be text.`);
		}
		if (typeof principal !== "string" || !principal.startsWith("arn:")) {
			throw new AccessKeyError(`${at}.principal must be the ARN of a user or an assumed role.`);
		}
		if (!Array.isArray(policies)) throw new AccessKeyError(`${at}.policies must be a list of IAM policies.`);
		return {
			accessKeyId,
			secretAccessKey,
			...(sessionToken !== undefined && { sessionToken }),
			principal,
			policies: policies.map((document: unknown, number) => readPolicy(document, number, accessKeyId, at)),
		};
	});
}

function readPolicy(document: unknown, number: number, accessKeyId: string, at: string): NamedPolicy {
	try {
		return { policyName: `${number + 1} of ${accessKeyId}`, policy: parsePolicy(JSON.stringify(document)) };
	} catch (error) {
		if (!(error instanceof PolicyError)) throw error;
		throw new AccessKeyError(`${at}.policies[${number}]: ${error.message}.`);
	}
}
