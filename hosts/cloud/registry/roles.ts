// Roles of IAM, as far as provisioning templates name them: kept and listed back. Nobody assumes them here.

import { AwsError } from "../base/errors.js";
import { isObject } from "../base/object.js";
import type { RoleRecord } from "../state/state.js";
import { type RegistryContext, requireRow } from "./context.js";
import { demand } from "./limits.js";

export type { RoleRecord } from "../state/state.js";

/** Operations on roles, by the rules of IAM. */
export class Roles {
	readonly #context: RegistryContext;

	constructor(context: RegistryContext) {
		this.#context = context;
	}

	/** ARN of the role of this name, or of one that is not there, which then has the path `/`. */
	arn(roleName: string): string {
		const { state } = this.#context;
		return `arn:aws:iam::${state.account.accountId}:role${state.roles.get(roleName)?.path ?? "/"}${roleName}`;
	}

	/** Makes a role. @throws AwsError for a name or document that IAM does not take, and when the role exists */
	createRole(request: {
		roleName: string;
		assumeRolePolicyDocument: string;
		path?: string;
		description?: string;
		maxSessionDuration?: number;
	}) {
		const { state, now } = this.#context;
		const { roleName, assumeRolePolicyDocument, path = "/", description, maxSessionDuration = 3600 } = request;
		demand(
			/^[\w+=,.@-]{1,64}$/.test(roleName),
			"The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
		);
		demand(
			/^\/(?:[\x21-\x7e]{1,510}\/)?$/.test(path),
			"The specified value for path is invalid. It must begin and end with /",
		);
		demand(
			Number.isInteger(maxSessionDuration) && maxSessionDuration >= 3600 && maxSessionDuration <= 43_200,
			"MaxSessionDuration must be from 3600 to 43200",
		);
		requireTrust(assumeRolePolicyDocument);
		if (state.roles.has(roleName))
			throw new AwsError("ResourceAlreadyExistsException", `Role with name ${roleName} already exists.`);
		const record: RoleRecord = {
			roleName,
			path,
			assumeRolePolicyDocument,
			maxSessionDuration,
			...(description !== undefined && { description }),
			policyArns: [],
			creationDate: now(),
		};
		state.transaction(() => state.roles.put(roleName, record));
		return this.requireRole(roleName);
	}

	/** All roles, ordered by name. */
	list() {
		return [...this.#context.state.roles.keys()].sort().map((roleName) => this.requireRole(roleName));
	}

	/** Deletes a role. Refused while policies are attached to it. */
	deleteRole(roleName: string): void {
		const { policyArns } = this.requireRole(roleName);
		if (policyArns.length > 0)
			throw new AwsError("DeleteConflictException", "Cannot delete entity, must detach all policies first.");
		this.#context.state.transaction(() => this.#context.state.roles.delete(roleName));
	}

	/** Attaches a managed policy by its ARN. Idempotent. */
	attachPolicy(roleName: string, policyArn: string): void {
		const { policyArns } = this.requireRole(roleName);
		demand(/^arn:aws:iam::(?:aws|\d{12}):policy\/.+/.test(policyArn), `ARN ${policyArn.slice(0, 256)} is not valid.`);
		if (!policyArns.includes(policyArn)) this.#setPolicies(roleName, [...policyArns, policyArn]);
	}

	/** Detaches a managed policy. */
	detachPolicy(roleName: string, policyArn: string): void {
		const { policyArns } = this.requireRole(roleName);
		const left = policyArns.filter((attached) => attached !== policyArn);
		requireRow(
			left.length < policyArns.length ? policyArn : undefined,
			`Policy ${policyArn.slice(0, 256)} was not found.`,
		);
		this.#setPolicies(roleName, left);
	}

	/** The role with its ARN. @throws AwsError ResourceNotFoundException when there is none */
	requireRole(roleName: string): RoleRecord & { readonly arn: string } {
		const record = requireRow(
			this.#context.state.roles.get(roleName),
			`The role with name ${roleName.slice(0, 64)} cannot be found.`,
		);
		return { ...record, arn: this.arn(roleName) };
	}

	#setPolicies(roleName: string, policyArns: readonly string[]): void {
		const { state } = this.#context;
		state.transaction(() => state.roles.put(roleName, { ...state.roles.get(roleName)!, policyArns }));
	}
}

/** @throws AwsError MalformedPolicyException for what is not a trust policy */
function requireTrust(document: string): void {
	let json: unknown;
	try {
		json = JSON.parse(document);
	} catch {
		throw new AwsError("MalformedPolicyException", "This policy contains invalid Json");
	}
	const statements = isObject(json) ? [json.Statement].flat() : [];
	if (statements.length === 0 || !statements.every((statement) => isObject(statement) && "Principal" in statement))
		throw new AwsError("MalformedPolicyException", "A trust policy must have statements with a Principal.");
}
