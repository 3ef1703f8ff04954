// Billing groups, by AWS's rules.

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { BillingGroupRecord } from "../state/state.js";
import { arn, type RegistryContext, requireRow, seconds } from "./context.js";
import { forms } from "./forms.js";
import { checkBillingGroupName, checkDescription, demand, requireVersion, type Tag } from "./limits.js";
import { type Paging, page } from "./paging.js";
import type { Tags } from "./tags.js";

/** Operations on billing groups. Requests and responses are those of the AWS operation of the same name. */
export class BillingGroups {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes a billing group. The same name again is an error only with another description. */
	createBillingGroup(request: {
		billingGroupName: string;
		billingGroupProperties?: { billingGroupDescription?: string };
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const billingGroupName = checkBillingGroupName(request.billingGroupName);
		const description = request.billingGroupProperties?.billingGroupDescription;
		if (description !== undefined) checkDescription(description, "billingGroupDescription", forms.longDescription);
		const billingGroupArn = arn(state, "billinggroup", billingGroupName);
		const before = state.billingGroups.get(billingGroupName);
		if (before && before.description !== description) {
			throw new AwsError("ResourceAlreadyExistsException", `Billing group ${billingGroupName} already exists`, {
				resourceId: before.billingGroupId,
				resourceArn: billingGroupArn,
			});
		}
		const record = before ?? {
			billingGroupName,
			billingGroupId: randomUUID(),
			...(description !== undefined && { description }),
			creationDate: now(),
		};
		if (!before) {
			state.transaction(() => {
				state.billingGroups.put(billingGroupName, record);
				this.#tags.set(billingGroupArn, request.tags);
			});
		}
		return { billingGroupName, billingGroupArn, billingGroupId: record.billingGroupId };
	}

	/** Changes the description, or takes it away. */
	updateBillingGroup(request: {
		billingGroupName: string;
		billingGroupProperties: { billingGroupDescription?: string };
		expectedVersion?: number;
	}) {
		const { state } = this.#context;
		const { description: _, ...record } = this.requireBillingGroup(request.billingGroupName);
		const before = record.version ?? 1;
		requireVersion(before, request.expectedVersion, "billing group");
		const { billingGroupDescription: description } = request.billingGroupProperties;
		if (description !== undefined) checkDescription(description, "billingGroupDescription", forms.longDescription);
		const version = before + 1;
		state.transaction(() =>
			state.billingGroups.put(record.billingGroupName, {
				...record,
				...(description !== undefined && { description }),
				version,
			}),
		);
		return { version };
	}

	/** A billing group with its description. */
	describeBillingGroup(request: { billingGroupName: string }) {
		const { state } = this.#context;
		const record = this.requireBillingGroup(request.billingGroupName);
		const name = record.billingGroupName;
		return {
			billingGroupName: name,
			billingGroupArn: arn(state, "billinggroup", name),
			billingGroupId: record.billingGroupId,
			version: record.version ?? 1,
			billingGroupProperties: {
				...(record.description !== undefined && { billingGroupDescription: record.description }),
			},
			billingGroupMetadata: { creationDate: seconds(record.creationDate) },
		};
	}

	/** Billing groups ordered by name; all, or those whose name has a prefix. */
	listBillingGroups(request: Paging & { namePrefixFilter?: string } = {}) {
		const { state } = this.#context;
		const { namePrefixFilter = "" } = request;
		const names = [...state.billingGroups.keys()].filter((name) => name.startsWith(namePrefixFilter));
		const { items, next } = page(names, (name) => name, request.maxResults, request.nextToken);
		return {
			billingGroups: items.map((groupName) => ({ groupName, groupArn: arn(state, "billinggroup", groupName) })),
			...(next && { nextToken: next }),
		};
	}

	/**
	 * Deletes a billing group. Refused while a thing is in it, which is our assumption, since AWS does not document it. Not an
	 * error when there is no such group, because the API's model has no error for that.
	 */
	deleteBillingGroup(request: { billingGroupName: string; expectedVersion?: number }): void {
		const { state } = this.#context;
		const name = checkBillingGroupName(request.billingGroupName);
		if (!state.billingGroups.has(name)) return;
		requireVersion(state.billingGroups.get(name)?.version ?? 1, request.expectedVersion, "billing group");
		for (const thing of state.things.values()) {
			demand(thing.billingGroupName !== name, `There are things in the billing group ${name}`);
		}
		state.transaction(() => {
			state.billingGroups.delete(name);
			this.#tags.remove(arn(state, "billinggroup", name));
		});
	}

	/** @throws AwsError InvalidRequestException for a malformed name, ResourceNotFoundException when there is no such group */
	requireBillingGroup(billingGroupName: unknown): BillingGroupRecord {
		const name = checkBillingGroupName(billingGroupName);
		return requireRow(this.#context.state.billingGroups.get(name), `Billing group ${name} not found`);
	}
}
