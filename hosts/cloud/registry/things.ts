// Things, by AWS's rules: made, changed, found and deleted. What they belong to is in the files beside this one.

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { ThingRecord } from "../state/state.js";
import type { BillingGroups } from "./billing-groups.js";
import { arn, type RegistryContext, requireRow } from "./context.js";
import { checkAttributes, checkThingName, demand, equalAttributes, requireVersion, withoutEmpty } from "./limits.js";
import { type Paging, page } from "./paging.js";
import type { ThingTypes } from "./thing-types.js";

/** Operations on things. Requests and responses are those of the AWS operation of the same name. */
export class Things {
	readonly #context: RegistryContext;
	readonly #types: ThingTypes;
	readonly #billingGroups: BillingGroups;

	constructor(context: RegistryContext, types: ThingTypes, billingGroups: BillingGroups) {
		this.#context = context;
		this.#types = types;
		this.#billingGroups = billingGroups;
	}

	/** The thing of this name, if there is one. */
	get(thingName: string): ThingRecord | undefined {
		return this.#context.state.things.get(thingName);
	}

	/** Makes a thing. The same name again is an error only with another configuration. */
	createThing(request: {
		thingName: string;
		thingTypeName?: string;
		attributePayload?: { attributes?: Record<string, string>; merge?: boolean };
		billingGroupName?: string;
	}) {
		const { state } = this.#context;
		const thingName = checkThingName(request.thingName);
		const { thingTypeName, billingGroupName } = this.#requireTypeAndBilling(request);
		const attributes = withoutEmpty(
			checkAttributes(request.attributePayload?.attributes ?? {}, thingTypeName !== undefined),
		);
		const before = state.things.get(thingName);
		if (before) {
			const same =
				before.thingTypeName === thingTypeName &&
				before.billingGroupName === billingGroupName &&
				equalAttributes(before.attributes, attributes);
			if (!same) {
				throw new AwsError(
					"ResourceAlreadyExistsException",
					`Thing ${thingName} already exists in account with different attributes`,
					{ resourceId: before.thingId, resourceArn: this.#arn(thingName) },
				);
			}
			return this.#named(before);
		}
		const record: ThingRecord = {
			thingName,
			thingId: randomUUID(),
			...(thingTypeName !== undefined && { thingTypeName }),
			...(billingGroupName !== undefined && { billingGroupName }),
			attributes,
			version: 1,
		};
		state.transaction(() => state.things.put(thingName, record));
		return this.#named(record);
	}

	/** Changes a thing. Attributes with an empty value are removed. */
	updateThing(request: {
		thingName: string;
		thingTypeName?: string;
		attributePayload?: { attributes?: Record<string, string>; merge?: boolean };
		expectedVersion?: number;
		removeThingType?: boolean;
		billingGroupName?: string;
	}): void {
		const { state } = this.#context;
		const before = this.requireThing(request.thingName);
		requireVersion(before.version, request.expectedVersion, "thing");
		demand(
			!(request.removeThingType && request.thingTypeName !== undefined),
			"removeThingType and thingTypeName exclude each other",
		);
		const asked = this.#requireTypeAndBilling(request);
		const thingTypeName = request.removeThingType ? undefined : (asked.thingTypeName ?? before.thingTypeName);
		const billingGroupName = asked.billingGroupName ?? before.billingGroupName;
		const given = request.attributePayload?.attributes;
		const attributes = withoutEmpty(
			checkAttributes(
				given === undefined
					? before.attributes
					: request.attributePayload?.merge
						? { ...before.attributes, ...given }
						: given,
				thingTypeName !== undefined,
			),
		);
		state.transaction(() =>
			state.things.put(before.thingName, {
				thingName: before.thingName,
				thingId: before.thingId,
				...(thingTypeName !== undefined && { thingTypeName }),
				...(billingGroupName !== undefined && { billingGroupName }),
				attributes,
				version: before.version + 1,
			}),
		);
	}

	/** A thing with its attributes, type, billing group and version. */
	describeThing(request: { thingName: string }) {
		const record = this.requireThing(request.thingName);
		return {
			defaultClientId: record.thingName,
			...this.#named(record),
			...(record.thingTypeName !== undefined && { thingTypeName: record.thingTypeName }),
			attributes: record.attributes,
			version: record.version,
			...(record.billingGroupName !== undefined && { billingGroupName: record.billingGroupName }),
		};
	}

	/** Things ordered by name; all, or those with an attribute (of a value) or of a type. */
	listThings(
		request: Paging & {
			attributeName?: string;
			attributeValue?: string;
			thingTypeName?: string;
			usePrefixAttributeValue?: boolean;
		} = {},
	) {
		const { attributeName, attributeValue, thingTypeName, usePrefixAttributeValue } = request;
		demand(
			attributeValue === undefined || attributeName !== undefined,
			"attributeValue cannot be given without attributeName",
		);
		const wanted = [...this.#context.state.things.values()].filter((thing) => {
			if (thingTypeName !== undefined && thing.thingTypeName !== thingTypeName) return false;
			if (attributeName === undefined) return true;
			const value = Object.hasOwn(thing.attributes, attributeName) ? thing.attributes[attributeName] : undefined;
			if (value === undefined || attributeValue === undefined) return value !== undefined;
			return usePrefixAttributeValue ? value.startsWith(attributeValue) : value === attributeValue;
		});
		const { items, next } = page(wanted, (thing) => thing.thingName, request.maxResults, request.nextToken);
		return {
			things: items.map((thing) => ({
				thingName: thing.thingName,
				...(thing.thingTypeName !== undefined && { thingTypeName: thing.thingTypeName }),
				thingArn: this.#arn(thing.thingName),
				attributes: thing.attributes,
				version: thing.version,
			})),
			...(next && { nextToken: next }),
		};
	}

	/** Deletes a thing and its memberships in groups. Refused while principals are attached to it. */
	deleteThing(request: { thingName: string; expectedVersion?: number }): void {
		const { state } = this.#context;
		const { thingName, version } = this.requireThing(request.thingName);
		requireVersion(version, request.expectedVersion, "thing");
		demand(
			state.thingPrincipals.by("thingName", thingName).length === 0,
			`Cannot delete the thing ${thingName}: principals are still attached to it`,
		);
		state.transaction(() => {
			for (const { thingGroupName } of state.groupMembers.by("thingName", thingName)) {
				state.groupMembers.delete(`${thingGroupName} ${thingName}`);
			}
			state.things.delete(thingName);
		});
	}

	/** @throws AwsError InvalidRequestException for a malformed name, ResourceNotFoundException when there is no such thing */
	requireThing(thingName: unknown): ThingRecord {
		const name = checkThingName(thingName);
		return requireRow(this.#context.state.things.get(name), `Thing ${name} not found.`);
	}

	#requireTypeAndBilling(request: { thingTypeName?: string; billingGroupName?: string }): {
		thingTypeName?: string;
		billingGroupName?: string;
	} {
		const { thingTypeName, billingGroupName } = request;
		if (thingTypeName !== undefined) {
			const { deprecationDate } = this.#types.requireThingType(thingTypeName);
			demand(deprecationDate === undefined, `Thing type ${thingTypeName} is deprecated`);
		}
		if (billingGroupName !== undefined) {
			this.#billingGroups.requireBillingGroup(billingGroupName);
		}
		return {
			...(thingTypeName !== undefined && { thingTypeName }),
			...(billingGroupName !== undefined && { billingGroupName }),
		};
	}

	#arn(thingName: string): string {
		return arn(this.#context.state, "thing", thingName);
	}

	#named(record: ThingRecord) {
		return { thingName: record.thingName, thingArn: this.#arn(record.thingName), thingId: record.thingId };
	}
}
