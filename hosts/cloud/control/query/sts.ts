// The Security Token Service, as far as tools ask it who they are before they begin: AWS's SDKs, its command line, Terraform.

import { createHash } from "node:crypto";
import type { AccessKey } from "../iam.js";
import type { QueryAction } from "../query.js";

export const stsActions = {
	GetCallerIdentity: {
		handle: ({ state }, _, caller) => {
			const { accountId } = state.account;
			// In development mode everything is allowed to everybody, as to the account's root user.
			if (caller === undefined) return { Arn: `arn:aws:iam::${accountId}:root`, UserId: accountId, Account: accountId };
			return { Arn: caller.principal, UserId: userId(caller), Account: accountId };
		},
	},
} as const satisfies Readonly<Record<string, QueryAction>>;

/** The unique id of a principal (IAM user guide, "IAM identifiers"): always the same for the same ARN. */
function userId({ principal }: AccessKey): string {
	const [, role, session] = /:assumed-role\/([^/]+)\/(.+)$/.exec(principal) ?? [];
	const [prefix, of] = role === undefined ? ["AIDA", principal] : ["AROA", role];
	return uniqueId(prefix, of) + (session === undefined ? "" : `:${session}`);
}

/** An id of 21 characters, formed like those of IAM. */
export function uniqueId(prefix: string, of: string): string {
	const bits = [...createHash("sha256").update(of).digest()];
	return (
		prefix +
		bits
			.slice(0, 17)
			.map((byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte & 31])
			.join("")
	);
}
