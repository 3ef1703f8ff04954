// Things, their principals, groups, types and billing groups, by AWS's rules.

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { ThingGroupRecord, ThingPrincipalRecord, ThingRecord, ThingTypeRecord } from "../state/state.js";
import type { Certificates } from "./certificates.js";
import { arn, found, nameInArn, type RegistryContext, seconds } from "./context.js";
import {
	checkAttributes,
	checkBillingGroupName,
	checkDescription,
	checkThingGroupName,
	checkThingName,
	checkThingTypeName,
	demand,
	limits,
	page,
	type Tag,
} from "./limits.js";
import type { Tags } from "./tags.js";

interface Paging {
	nextToken?: string;
	maxResults?: number;
}

/** Operations on things and what orders them. Requests and responses are those of the AWS operation of the same name. */
export class Things {
	readonly #context: RegistryContext;
	readonly #certificates: Certificates;
	readonly #tags: Tags;

	constructor(context: RegistryContext, certificates: Certificates, tags: Tags) {
		this.#context = context;
		this.#certificates = certificates;
		this.#tags = tags;
	}

	get(thingName: string): ThingRecord | undefined {
		return this.#context.state.things.get(thingName);
	}

	/** The same name with the same configuration is no error; with another it is. */
	createThing(request: {
		thingName: string;
		thingTypeName?: string;
		attributePayload?: { attributes?: Record<string, string>; merge?: boolean };
		billingGroupName?: string;
	}) {
		const { state } = this.#context;
		const thingName = checkThingName(request.thingName);
		const { thingTypeName, billingGroupName } = this.#checkTypeAndBilling(request);
		const attributes = withoutEmpty(
			checkAttributes(request.attributePayload?.attributes ?? {}, thingTypeName !== undefined),
		);
		const before = state.things.get(thingName);
		if (before) {
			const same =
				before.thingTypeName === thingTypeName &&
				before.billingGroupName === billingGroupName &&
				equal(before.attributes, attributes);
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

	/** What UpdateThing changes; attributes with an empty value are removed. */
	updateThing(request: {
		thingName: string;
		thingTypeName?: string;
		attributePayload?: { attributes?: Record<string, string>; merge?: boolean };
		expectedVersion?: number;
		removeThingType?: boolean;
		billingGroupName?: string;
	}): void {
		const { state } = this.#context;
		const before = this.#existing(request.thingName);
		checkVersion(before.version, request.expectedVersion, "thing");
		demand(
			!(request.removeThingType && request.thingTypeName !== undefined),
			"removeThingType and thingTypeName exclude each other",
		);
		const asked = this.#checkTypeAndBilling(request);
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

	describeThing(request: { thingName: string }) {
		const record = this.#existing(request.thingName);
		return {
			defaultClientId: record.thingName,
			...this.#named(record),
			...(record.thingTypeName !== undefined && { thingTypeName: record.thingTypeName }),
			attributes: record.attributes,
			version: record.version,
			...(record.billingGroupName !== undefined && { billingGroupName: record.billingGroupName }),
		};
	}

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

	deleteThing(request: { thingName: string; expectedVersion?: number }): void {
		const { state } = this.#context;
		const { thingName, version } = this.#existing(request.thingName);
		checkVersion(version, request.expectedVersion, "thing");
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

	/** Idempotent. An exclusive attachment allows the certificate on no other thing. */
	attachThingPrincipal(request: { thingName: string; principal: string; thingPrincipalType?: string }): void {
		const { state } = this.#context;
		const type = request.thingPrincipalType ?? "NON_EXCLUSIVE_THING";
		demand(
			type === "EXCLUSIVE_THING" || type === "NON_EXCLUSIVE_THING",
			"thingPrincipalType must be EXCLUSIVE_THING or NON_EXCLUSIVE_THING",
		);
		const { thingName } = this.#existing(request.thingName);
		this.#certificates.idOfPrincipal(request.principal);
		const others = state.thingPrincipals
			.by("principal", request.principal)
			.filter((row) => row.thingName !== thingName);
		demand(
			others.length === 0 ||
				(type === "NON_EXCLUSIVE_THING" && others.every((row) => row.thingPrincipalType === "NON_EXCLUSIVE_THING")),
			"The principal is attached to another thing, and one of the attachments is exclusive",
		);
		const key = `${thingName} ${request.principal}`;
		if (state.thingPrincipals.get(key)?.thingPrincipalType === type) return;
		state.transaction(() =>
			state.thingPrincipals.put(key, { thingName, principal: request.principal, thingPrincipalType: type }),
		);
	}

	detachThingPrincipal(request: { thingName: string; principal: string }): void {
		const { state } = this.#context;
		const { thingName } = this.#existing(request.thingName);
		const key = `${thingName} ${request.principal}`;
		found(state.thingPrincipals.get(key), `The principal is not attached to the thing ${thingName}`);
		state.transaction(() => state.thingPrincipals.delete(key));
	}

	listThingPrincipals(request: Paging & { thingName: string }) {
		const { thingName } = this.#existing(request.thingName);
		const principals = this.#context.state.thingPrincipals.by("thingName", thingName).map((row) => row.principal);
		const { items, next } = page(principals, (principal) => principal, request.maxResults, request.nextToken);
		return { principals: items, ...(next && { nextToken: next }) };
	}

	listPrincipalThings(request: Paging & { principal: string }) {
		this.#certificates.idOfPrincipal(request.principal);
		const things = this.attachedTo(request.principal).map((row) => row.thingName);
		const { items, next } = page(things, (thing) => thing, request.maxResults, request.nextToken);
		return { things: items, ...(next && { nextToken: next }) };
	}

	listThingPrincipalsV2(request: Paging & { thingName: string; thingPrincipalType?: string }) {
		const { thingName } = this.#existing(request.thingName);
		const rows = ofType(this.#context.state.thingPrincipals.by("thingName", thingName), request.thingPrincipalType);
		const { items, next } = page(rows, (row) => row.principal, request.maxResults, request.nextToken);
		return {
			thingPrincipalObjects: items.map(({ principal, thingPrincipalType }) => ({ principal, thingPrincipalType })),
			...(next && { nextToken: next }),
		};
	}

	listPrincipalThingsV2(request: Paging & { principal: string; thingPrincipalType?: string }) {
		this.#certificates.idOfPrincipal(request.principal);
		const rows = ofType(this.attachedTo(request.principal), request.thingPrincipalType);
		const { items, next } = page(rows, (row) => row.thingName, request.maxResults, request.nextToken);
		return {
			principalThingObjects: items.map(({ thingName, thingPrincipalType }) => ({ thingName, thingPrincipalType })),
			...(next && { nextToken: next }),
		};
	}

	/** The things that a certificate (by ARN) is attached to. */
	attachedTo(principal: string): ThingPrincipalRecord[] {
		return this.#context.state.thingPrincipals.by("principal", principal);
	}

	createThingGroup(request: {
		thingGroupName: string;
		parentGroupName?: string;
		thingGroupProperties?: {
			thingGroupDescription?: string;
			attributePayload?: { attributes?: Record<string, string> };
		};
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const thingGroupName = checkThingGroupName(request.thingGroupName);
		const { parentGroupName } = request;
		const properties = request.thingGroupProperties ?? {};
		const attributes = checkAttributes(properties.attributePayload?.attributes ?? {}, true);
		const description =
			properties.thingGroupDescription === undefined
				? undefined
				: checkDescription(properties.thingGroupDescription, "thingGroupDescription", 2028);
		if (parentGroupName !== undefined) {
			const parent = this.#existingGroup(parentGroupName);
			if (this.ancestors(parent.thingGroupName).length + 1 > limits.groupDepth) {
				throw new AwsError("InvalidRequestException", `Thing groups can be nested at most ${limits.groupDepth} deep`);
			}
		}
		const before = state.thingGroups.get(thingGroupName);
		if (before) {
			const same =
				before.parentGroupName === parentGroupName &&
				before.description === description &&
				equal(before.attributes, attributes);
			if (!same) {
				throw new AwsError("ResourceAlreadyExistsException", `Thing group ${thingGroupName} already exists`, {
					resourceId: before.thingGroupId,
					resourceArn: this.groupArn(thingGroupName),
				});
			}
			return this.#namedGroup(before);
		}
		const record: ThingGroupRecord = {
			thingGroupName,
			thingGroupId: randomUUID(),
			...(parentGroupName !== undefined && { parentGroupName }),
			...(description !== undefined && { description }),
			attributes,
			creationDate: now(),
			version: 1,
		};
		state.transaction(() => {
			state.thingGroups.put(thingGroupName, record);
			this.#tags.set(this.groupArn(thingGroupName), request.tags);
		});
		return this.#namedGroup(record);
	}

	describeThingGroup(request: { thingGroupName: string }) {
		const record = this.#existingGroup(request.thingGroupName);
		const parents = this.ancestors(record.thingGroupName).slice(1).reverse();
		return {
			...this.#namedGroup(record),
			version: record.version,
			thingGroupProperties: {
				...(record.description !== undefined && { thingGroupDescription: record.description }),
				// AWS leaves it out when it is empty: Terraform would see a change for ever.
				...(Object.keys(record.attributes).length > 0 && { attributePayload: { attributes: record.attributes } }),
			},
			thingGroupMetadata: {
				...(record.parentGroupName !== undefined && { parentGroupName: record.parentGroupName }),
				rootToParentThingGroups: parents.map((groupName) => ({ groupName, groupArn: this.groupArn(groupName) })),
				creationDate: seconds(record.creationDate),
			},
		};
	}

	/** Properties that are given take the place of those before; attributes are merged when they say so. */
	updateThingGroup(request: {
		thingGroupName: string;
		thingGroupProperties: {
			thingGroupDescription?: string;
			attributePayload?: { attributes?: Record<string, string>; merge?: boolean };
		};
		expectedVersion?: number;
	}): { version: number } {
		const record = this.#existingGroup(request.thingGroupName);
		checkVersion(record.version, request.expectedVersion, "thing group");
		const { thingGroupDescription, attributePayload } = request.thingGroupProperties;
		const given = attributePayload?.attributes;
		const attributes = attributePayload?.merge ? { ...record.attributes, ...given } : (given ?? record.attributes);
		const after: ThingGroupRecord = {
			...record,
			...(thingGroupDescription !== undefined && {
				description: checkDescription(thingGroupDescription, "thingGroupDescription", 2028),
			}),
			attributes: withoutEmpty(checkAttributes(attributes, true)),
			version: record.version + 1,
		};
		this.#context.state.transaction(() => this.#context.state.thingGroups.put(record.thingGroupName, after));
		return { version: after.version };
	}

	/** Refused while it has children. Members and attached policies go with it. */
	deleteThingGroup(request: { thingGroupName: string; expectedVersion?: number }): void {
		const { state } = this.#context;
		const name = checkThingGroupName(request.thingGroupName);
		const record = state.thingGroups.get(name);
		// The API's model lists no ResourceNotFoundException for this operation.
		if (!record) return;
		checkVersion(record.version, request.expectedVersion, "thing group");
		for (const other of state.thingGroups.values()) {
			demand(other.parentGroupName !== name, `The thing group ${name} has child groups`);
		}
		state.transaction(() => {
			for (const { thingName } of state.groupMembers.by("thingGroupName", name)) {
				state.groupMembers.delete(`${name} ${thingName}`);
			}
			for (const { policyName, target } of state.attachments.by("target", this.groupArn(name))) {
				state.attachments.delete(`${policyName} ${target}`);
			}
			state.thingGroups.delete(name);
			this.#tags.remove(this.groupArn(name));
		});
	}

	listThingGroups(request: Paging & { parentGroup?: string; namePrefixFilter?: string; recursive?: boolean } = {}) {
		const { parentGroup, namePrefixFilter = "", recursive = true } = request;
		if (parentGroup !== undefined) this.#existingGroup(parentGroup);
		const names = [...this.#context.state.thingGroups.values()].filter((group) => {
			if (!group.thingGroupName.startsWith(namePrefixFilter)) return false;
			if (parentGroup === undefined) return recursive || group.parentGroupName === undefined;
			return recursive
				? this.ancestors(group.thingGroupName).slice(1).includes(parentGroup)
				: group.parentGroupName === parentGroup;
		});
		return this.#listedGroups(
			names.map((group) => group.thingGroupName),
			request,
		);
	}

	/** At most 10 groups for a thing, and no two of them in the same hierarchy. Idempotent. */
	addThingToThingGroup(request: {
		thingGroupName?: string;
		thingGroupArn?: string;
		thingName?: string;
		thingArn?: string;
	}): void {
		const { state } = this.#context;
		const { thingName, thingGroupName } = this.#member(request);
		const groups = state.groupMembers.by("thingName", thingName).map((row) => row.thingGroupName);
		if (groups.includes(thingGroupName)) return;
		demand(
			groups.length < limits.groupsPerThing,
			`The thing ${thingName} is in ${limits.groupsPerThing} thing groups already`,
		);
		const root = this.ancestors(thingGroupName).at(-1);
		const clash = groups.find((group) => this.ancestors(group).at(-1) === root);
		demand(
			clash === undefined,
			`The thing ${thingName} is in the thing group ${clash} of the same hierarchy as ${thingGroupName}`,
		);
		state.transaction(() => state.groupMembers.put(`${thingGroupName} ${thingName}`, { thingGroupName, thingName }));
	}

	removeThingFromThingGroup(request: {
		thingGroupName?: string;
		thingGroupArn?: string;
		thingName?: string;
		thingArn?: string;
	}): void {
		const { thingName, thingGroupName } = this.#member(request);
		const { state } = this.#context;
		state.transaction(() => state.groupMembers.delete(`${thingGroupName} ${thingName}`));
	}

	/** With `recursive` those in groups below it too. */
	listThingsInThingGroup(request: Paging & { thingGroupName: string; recursive?: boolean }) {
		const { state } = this.#context;
		const { thingGroupName } = this.#existingGroup(request.thingGroupName);
		const groups = request.recursive
			? [...state.thingGroups.keys()].filter((name) => this.ancestors(name).includes(thingGroupName))
			: [thingGroupName];
		const names = new Set(
			groups.flatMap((name) => state.groupMembers.by("thingGroupName", name).map((row) => row.thingName)),
		);
		const { items, next } = page([...names], (name) => name, request.maxResults, request.nextToken);
		return { things: items, ...(next && { nextToken: next }) };
	}

	listThingGroupsForThing(request: Paging & { thingName: string }) {
		const { thingName } = this.#existing(request.thingName);
		return this.#listedGroups(this.groupsOf(thingName), request);
	}

	/** Names of the groups that a thing is a direct member of. */
	groupsOf(thingName: string): string[] {
		return this.#context.state.groupMembers.by("thingName", thingName).map((row) => row.thingGroupName);
	}

	/** A group's name, its parent's, and so on up to the root. */
	ancestors(thingGroupName: string): string[] {
		const names: string[] = [];
		for (let name: string | undefined = thingGroupName; name !== undefined; ) {
			names.push(name);
			name = this.#context.state.thingGroups.get(name)?.parentGroupName;
		}
		return names;
	}

	groupArn(thingGroupName: string): string {
		return arn(this.#context.state, "thinggroup", thingGroupName);
	}

	createThingType(request: {
		thingTypeName: string;
		thingTypeProperties?: { thingTypeDescription?: string; searchableAttributes?: readonly string[] };
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const thingTypeName = checkThingTypeName(request.thingTypeName);
		const { thingTypeDescription, searchableAttributes = [] } = request.thingTypeProperties ?? {};
		demand(
			Array.isArray(searchableAttributes) && searchableAttributes.length <= 3,
			"A thing type may have at most 3 searchable attributes",
		);
		const thingTypeArn = arn(state, "thingtype", thingTypeName);
		const before = state.thingTypes.get(thingTypeName);
		if (before) {
			throw new AwsError("ResourceAlreadyExistsException", `Thing type ${thingTypeName} already exists`, {
				resourceId: before.thingTypeId,
				resourceArn: thingTypeArn,
			});
		}
		const record = {
			thingTypeName,
			thingTypeId: randomUUID(),
			...(thingTypeDescription !== undefined && {
				description: checkDescription(thingTypeDescription, "thingTypeDescription", 2028),
			}),
			searchableAttributes: [...searchableAttributes],
			creationDate: now(),
		};
		state.transaction(() => {
			state.thingTypes.put(thingTypeName, record);
			this.#tags.set(thingTypeArn, request.tags);
		});
		return { thingTypeName, thingTypeArn, thingTypeId: record.thingTypeId };
	}

	describeThingType(request: { thingTypeName: string }) {
		return this.#listedType(this.#existingType(request.thingTypeName));
	}

	/** From now on no new thing can be of it; or, with `undoDeprecate`, again. */
	deprecateThingType(request: { thingTypeName: string; undoDeprecate?: boolean }): void {
		const { state, now } = this.#context;
		const { deprecationDate, ...record } = this.#existingType(request.thingTypeName);
		const after = request.undoDeprecate ? record : { ...record, deprecationDate: deprecationDate ?? now() };
		state.transaction(() => state.thingTypes.put(record.thingTypeName, after));
	}

	/** Five minutes after it was deprecated at the earliest, and with no thing of it left. */
	deleteThingType(request: { thingTypeName: string }): void {
		const { state, now } = this.#context;
		const { thingTypeName, deprecationDate } = this.#existingType(request.thingTypeName);
		demand(deprecationDate !== undefined, `Thing type ${thingTypeName} must be deprecated before it is deleted`);
		demand(now() - deprecationDate >= 300_000, "Please wait for 5 minutes after deprecation and then retry");
		for (const thing of state.things.values()) {
			demand(thing.thingTypeName !== thingTypeName, `There are things of the thing type ${thingTypeName}`);
		}
		state.transaction(() => {
			state.thingTypes.delete(thingTypeName);
			this.#tags.remove(arn(state, "thingtype", thingTypeName));
		});
	}

	listThingTypes(request: Paging & { thingTypeName?: string } = {}) {
		const types = [...this.#context.state.thingTypes.values()].filter(
			({ thingTypeName }) => request.thingTypeName === undefined || request.thingTypeName === thingTypeName,
		);
		const { items, next } = page(types, (type) => type.thingTypeName, request.maxResults, request.nextToken);
		return { thingTypes: items.map((type) => this.#listedType(type)), ...(next && { nextToken: next }) };
	}

	createBillingGroup(request: {
		billingGroupName: string;
		billingGroupProperties?: { billingGroupDescription?: string };
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const billingGroupName = checkBillingGroupName(request.billingGroupName);
		const description = request.billingGroupProperties?.billingGroupDescription;
		if (description !== undefined) checkDescription(description, "billingGroupDescription", 2028);
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

	/** Refused while a thing is in it (judged). Not an error when there is none: the API's model has no error for that. */
	deleteBillingGroup(request: { billingGroupName: string; expectedVersion?: number }): void {
		const { state } = this.#context;
		const name = checkBillingGroupName(request.billingGroupName);
		if (!state.billingGroups.has(name)) return;
		checkVersion(1, request.expectedVersion, "billing group");
		for (const thing of state.things.values()) {
			demand(thing.billingGroupName !== name, `There are things in the billing group ${name}`);
		}
		state.transaction(() => {
			state.billingGroups.delete(name);
			this.#tags.remove(arn(state, "billinggroup", name));
		});
	}

	describeBillingGroup(request: { billingGroupName: string }) {
		const { state } = this.#context;
		const name = checkBillingGroupName(request.billingGroupName);
		const record = found(state.billingGroups.get(name), `Billing group ${name} not found`);
		return {
			billingGroupName: name,
			billingGroupArn: arn(state, "billinggroup", name),
			billingGroupId: record.billingGroupId,
			version: 1,
			billingGroupProperties: {
				...(record.description !== undefined && { billingGroupDescription: record.description }),
			},
			billingGroupMetadata: { creationDate: seconds(record.creationDate) },
		};
	}

	#listedType(record: ThingTypeRecord) {
		return {
			thingTypeName: record.thingTypeName,
			thingTypeArn: arn(this.#context.state, "thingtype", record.thingTypeName),
			thingTypeId: record.thingTypeId,
			thingTypeProperties: {
				...(record.description !== undefined && { thingTypeDescription: record.description }),
				searchableAttributes: record.searchableAttributes,
			},
			thingTypeMetadata: {
				deprecated: record.deprecationDate !== undefined,
				...(record.deprecationDate !== undefined && { deprecationDate: seconds(record.deprecationDate) }),
				creationDate: seconds(record.creationDate),
			},
		};
	}

	#existingType(thingTypeName: unknown): ThingTypeRecord {
		const name = checkThingTypeName(thingTypeName);
		return found(this.#context.state.thingTypes.get(name), `Thing type ${name} not found`);
	}

	#checkTypeAndBilling(request: { thingTypeName?: string; billingGroupName?: string }): {
		thingTypeName?: string;
		billingGroupName?: string;
	} {
		const { state } = this.#context;
		const { thingTypeName, billingGroupName } = request;
		if (thingTypeName !== undefined) {
			const { deprecationDate } = this.#existingType(thingTypeName);
			demand(deprecationDate === undefined, `Thing type ${thingTypeName} is deprecated`);
		}
		if (billingGroupName !== undefined) {
			const name = checkBillingGroupName(billingGroupName);
			found(state.billingGroups.get(name), `Billing group ${billingGroupName} not found`);
		}
		return {
			...(thingTypeName !== undefined && { thingTypeName }),
			...(billingGroupName !== undefined && { billingGroupName }),
		};
	}

	#member(request: { thingGroupName?: string; thingGroupArn?: string; thingName?: string; thingArn?: string }) {
		const { state } = this.#context;
		const pick = (name: unknown, value: unknown, kind: "thing" | "thinggroup", what: string) => {
			const ofArn = typeof value === "string" ? nameInArn(state, kind, value) : undefined;
			demand(value === undefined || ofArn !== undefined, `${what}Arn is not an ARN of this account`);
			demand(name !== undefined || ofArn !== undefined, `${what}Name or ${what}Arn is needed`);
			demand(name === undefined || ofArn === undefined || name === ofArn, `${what}Name and ${what}Arn do not agree`);
			return name ?? ofArn;
		};
		const group = pick(request.thingGroupName, request.thingGroupArn, "thinggroup", "thingGroup");
		const thing = pick(request.thingName, request.thingArn, "thing", "thing");
		return {
			thingGroupName: this.#existingGroup(group).thingGroupName,
			thingName: this.#existing(thing).thingName,
		};
	}

	#listedGroups(names: readonly string[], request: Paging) {
		const { items, next } = page(names, (name) => name, request.maxResults, request.nextToken);
		return {
			thingGroups: items.map((groupName) => ({ groupName, groupArn: this.groupArn(groupName) })),
			...(next && { nextToken: next }),
		};
	}

	#arn(thingName: string): string {
		return arn(this.#context.state, "thing", thingName);
	}

	#named(record: ThingRecord) {
		return { thingName: record.thingName, thingArn: this.#arn(record.thingName), thingId: record.thingId };
	}

	#namedGroup(record: ThingGroupRecord) {
		return {
			thingGroupName: record.thingGroupName,
			thingGroupArn: this.groupArn(record.thingGroupName),
			thingGroupId: record.thingGroupId,
		};
	}

	#existing(thingName: unknown): ThingRecord {
		const name = checkThingName(thingName);
		return found(this.#context.state.things.get(name), `Thing ${name} not found.`);
	}

	#existingGroup(thingGroupName: unknown): ThingGroupRecord {
		const name = checkThingGroupName(thingGroupName);
		return found(this.#context.state.thingGroups.get(name), `Thing group ${name} not found.`);
	}
}

function ofType(rows: readonly ThingPrincipalRecord[], type: string | undefined): readonly ThingPrincipalRecord[] {
	return type === undefined ? rows : rows.filter((row) => row.thingPrincipalType === type);
}

function withoutEmpty(attributes: Record<string, string>): Record<string, string> {
	return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
}

function equal(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
	const keys = Object.keys(a);
	return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function checkVersion(version: number, expected: number | undefined, what: string): void {
	if (expected !== undefined && expected !== version) {
		throw new AwsError("VersionConflictException", `The ${what} has version ${version}, not ${expected}`);
	}
}
