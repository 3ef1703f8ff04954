// Role aliases, by AWS's rules: kept and listed back. There is no credentials provider that would use them.

import { AwsError } from "../base/errors.js";
import type { RoleAliasRecord } from "../state/state.js";
import { arn, type RegistryContext, requireRow, seconds } from "./context.js";
import { checkRoleArn, demand, type Tag } from "./limits.js";
import { page } from "./paging.js";
import type { Tags } from "./tags.js";

/** Operations on role aliases. Requests and responses are those of the AWS operation of the same name. */
export class RoleAliases {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes an alias of a role. */
	createRoleAlias(request: {
		roleAlias: string;
		roleArn: string;
		credentialDurationSeconds?: number;
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const { roleAlias, credentialDurationSeconds = 3600 } = request;
		if (state.roleAliases.has(roleAlias)) {
			throw new AwsError("ResourceAlreadyExistsException", `Role alias ${roleAlias} already exists`, {
				resourceId: roleAlias,
				resourceArn: this.#arn(roleAlias),
			});
		}
		const record: RoleAliasRecord = {
			roleAlias,
			roleArn: checkRoleArn(request.roleArn),
			credentialDurationSeconds,
			creationDate: now(),
			lastModifiedDate: now(),
		};
		state.transaction(() => {
			state.roleAliases.put(roleAlias, record);
			this.#tags.set(this.#arn(roleAlias), request.tags);
		});
		return { roleAlias, roleAliasArn: this.#arn(roleAlias) };
	}

	/** Changes an alias. */
	updateRoleAlias(request: { roleAlias: string; roleArn?: string; credentialDurationSeconds?: number }) {
		const { state, now } = this.#context;
		const { roleAlias, roleArn, credentialDurationSeconds } = request;
		const before = this.#require(roleAlias);
		demand(
			roleArn !== undefined || credentialDurationSeconds !== undefined,
			"roleArn or credentialDurationSeconds must be given",
		);
		state.transaction(() =>
			state.roleAliases.put(roleAlias, {
				...before,
				...(roleArn !== undefined && { roleArn: checkRoleArn(roleArn) }),
				...(credentialDurationSeconds !== undefined && { credentialDurationSeconds }),
				lastModifiedDate: now(),
			}),
		);
		return { roleAlias, roleAliasArn: this.#arn(roleAlias) };
	}

	/** An alias with its role. */
	describeRoleAlias(request: { roleAlias: string }) {
		const { creationDate, lastModifiedDate, ...record } = this.#require(request.roleAlias);
		return {
			roleAliasDescription: {
				...record,
				roleAliasArn: this.#arn(record.roleAlias),
				owner: this.#context.state.account.accountId,
				creationDate: seconds(creationDate),
				lastModifiedDate: seconds(lastModifiedDate),
			},
		};
	}

	/** Names of aliases, descending unless `ascending`. */
	listRoleAliases(request: { pageSize?: number; marker?: string; ascending?: boolean } = {}) {
		const names = [...this.#context.state.roleAliases.keys()];
		const { items, next } = page(names, (name) => name, request.pageSize, request.marker, request.ascending === true);
		return { roleAliases: items, ...(next && { nextMarker: next }) };
	}

	/** Deletes an alias. */
	deleteRoleAlias(request: { roleAlias: string }): void {
		const { state } = this.#context;
		const { roleAlias } = this.#require(request.roleAlias);
		state.transaction(() => {
			state.roleAliases.delete(roleAlias);
			this.#tags.remove(this.#arn(roleAlias));
		});
	}

	#arn(roleAlias: string): string {
		return arn(this.#context.state, "rolealias", roleAlias);
	}

	#require(roleAlias: string): RoleAliasRecord {
		return requireRow(this.#context.state.roleAliases.get(roleAlias), `Role alias ${roleAlias} not found`);
	}
}
