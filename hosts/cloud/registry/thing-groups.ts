// Static thing groups, their hierarchy and their members, by AWS's rules.

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { ThingGroupRecord } from "../state/state.js";
import { arn, nameInArn, type RegistryContext, requireRow, seconds } from "./context.js";
import { forms } from "./forms.js";
import {
	checkAttributes,
	checkDescription,
	checkThingGroupName,
	demand,
	equalAttributes,
	limits,
	requireVersion,
	type Tag,
	withoutEmpty,
} from "./limits.js";
import { type Paging, page } from "./paging.js";
import type { Tags } from "./tags.js";
import type { Things } from "./things.js";

/** Operations on thing groups. Requests and responses are those of the AWS operation of the same name. */
export class ThingGroups {
	readonly #context: RegistryContext;
	readonly #things: Things;
	readonly #tags: Tags;

	constructor(context: RegistryContext, things: Things, tags: Tags) {
		this.#context = context;
		this.#things = things;
		this.#tags = tags;
	}

	/** Makes a static group, below a parent or on its own. The same name with the same properties is no error. */
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
				: checkDescription(properties.thingGroupDescription, "thingGroupDescription", forms.longDescription);
		if (parentGroupName !== undefined) {
			const parent = this.requireThingGroup(parentGroupName);
			if (this.ancestors(parent.thingGroupName).length + 1 > limits.groupDepth) {
				throw new AwsError("InvalidRequestException", `Thing groups can be nested at most ${limits.groupDepth} deep`);
			}
		}
		const before = state.thingGroups.get(thingGroupName);
		if (before) {
			const same =
				before.parentGroupName === parentGroupName &&
				before.description === description &&
				equalAttributes(before.attributes, attributes);
			if (!same) {
				throw new AwsError("ResourceAlreadyExistsException", `Thing group ${thingGroupName} already exists`, {
					resourceId: before.thingGroupId,
					resourceArn: this.arn(thingGroupName),
				});
			}
			return this.#named(before);
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
			this.#tags.set(this.arn(thingGroupName), request.tags);
		});
		return this.#named(record);
	}

	/** A group with its properties, its parents and its version. */
	describeThingGroup(request: { thingGroupName: string }) {
		const record = this.requireThingGroup(request.thingGroupName);
		const parents = this.ancestors(record.thingGroupName).slice(1).reverse();
		return {
			...this.#named(record),
			version: record.version,
			thingGroupProperties: {
				...(record.description !== undefined && { thingGroupDescription: record.description }),
				// AWS leaves it out when it is empty. Otherwise Terraform would see a change each time.
				...(Object.keys(record.attributes).length > 0 && { attributePayload: { attributes: record.attributes } }),
			},
			thingGroupMetadata: {
				...(record.parentGroupName !== undefined && { parentGroupName: record.parentGroupName }),
				rootToParentThingGroups: parents.map((groupName) => ({ groupName, groupArn: this.arn(groupName) })),
				creationDate: seconds(record.creationDate),
			},
		};
	}

	/** Replaces the properties that are given. With `merge`, attributes are merged. */
	updateThingGroup(request: {
		thingGroupName: string;
		thingGroupProperties: {
			thingGroupDescription?: string;
			attributePayload?: { attributes?: Record<string, string>; merge?: boolean };
		};
		expectedVersion?: number;
	}): { version: number } {
		const record = this.requireThingGroup(request.thingGroupName);
		requireVersion(record.version, request.expectedVersion, "thing group");
		const { thingGroupDescription, attributePayload } = request.thingGroupProperties;
		const given = attributePayload?.attributes;
		const attributes = attributePayload?.merge ? { ...record.attributes, ...given } : (given ?? record.attributes);
		const after: ThingGroupRecord = {
			...record,
			...(thingGroupDescription !== undefined && {
				description: checkDescription(thingGroupDescription, "thingGroupDescription", forms.longDescription),
			}),
			attributes: withoutEmpty(checkAttributes(attributes, true)),
			version: record.version + 1,
		};
		this.#context.state.transaction(() => this.#context.state.thingGroups.put(record.thingGroupName, after));
		return { version: after.version };
	}

	/** Deletes a group with its memberships and its attachments of policies. Refused while it has child groups. */
	deleteThingGroup(request: { thingGroupName: string; expectedVersion?: number }): void {
		const { state } = this.#context;
		const name = checkThingGroupName(request.thingGroupName);
		const record = state.thingGroups.get(name);
		// The API's model lists no ResourceNotFoundException for this operation.
		if (!record) return;
		requireVersion(record.version, request.expectedVersion, "thing group");
		for (const other of state.thingGroups.values()) {
			demand(other.parentGroupName !== name, `The thing group ${name} has child groups`);
		}
		state.transaction(() => {
			for (const { thingName } of state.groupMembers.by("thingGroupName", name)) {
				state.groupMembers.delete(`${name} ${thingName}`);
			}
			for (const { policyName, target } of state.attachments.by("target", this.arn(name))) {
				state.attachments.delete(`${policyName} ${target}`);
			}
			state.thingGroups.delete(name);
			this.#tags.remove(this.arn(name));
		});
	}

	/** Groups ordered by name; all, or those below a parent, or those whose name has a prefix. */
	listThingGroups(request: Paging & { parentGroup?: string; namePrefixFilter?: string; recursive?: boolean } = {}) {
		const { parentGroup, namePrefixFilter = "", recursive = true } = request;
		if (parentGroup !== undefined) this.requireThingGroup(parentGroup);
		const names = [...this.#context.state.thingGroups.values()].filter((group) => {
			if (!group.thingGroupName.startsWith(namePrefixFilter)) return false;
			if (parentGroup === undefined) return recursive || group.parentGroupName === undefined;
			return recursive
				? this.ancestors(group.thingGroupName).slice(1).includes(parentGroup)
				: group.parentGroupName === parentGroup;
		});
		return this.#listed(
			names.map((group) => group.thingGroupName),
			request,
		);
	}

	/** Adds a thing to a group. It may be in at most 10 groups, no two of them in the same hierarchy. Idempotent. */
	addThingToThingGroup(request: {
		thingGroupName?: string;
		thingGroupArn?: string;
		thingName?: string;
		thingArn?: string;
	}): void {
		const { state } = this.#context;
		const { thingName, thingGroupName } = this.#requireThingAndGroup(request);
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

	/** Takes a thing out of a group. Not an error when it is not a member. */
	removeThingFromThingGroup(request: {
		thingGroupName?: string;
		thingGroupArn?: string;
		thingName?: string;
		thingArn?: string;
	}): void {
		const { thingName, thingGroupName } = this.#requireThingAndGroup(request);
		const { state } = this.#context;
		state.transaction(() => state.groupMembers.delete(`${thingGroupName} ${thingName}`));
	}

	/** The things in a group; with `recursive`, also those in the groups below it. */
	listThingsInThingGroup(request: Paging & { thingGroupName: string; recursive?: boolean }) {
		const { state } = this.#context;
		const { thingGroupName } = this.requireThingGroup(request.thingGroupName);
		const names = request.recursive
			? this.thingsOf(thingGroupName)
			: state.groupMembers.by("thingGroupName", thingGroupName).map(({ thingName }) => thingName);
		const { items, next } = page(names, (name) => name, request.maxResults, request.nextToken);
		return { things: items, ...(next && { nextToken: next }) };
	}

	/** Names of the things in a group and in the groups below it. */
	thingsOf(thingGroupName: string): string[] {
		const { state } = this.#context;
		const groups = [...state.thingGroups.keys()].filter((name) => this.ancestors(name).includes(thingGroupName));
		return [
			...new Set(groups.flatMap((name) => state.groupMembers.by("thingGroupName", name).map((row) => row.thingName))),
		];
	}

	/** The groups that a thing is a direct member of. */
	listThingGroupsForThing(request: Paging & { thingName: string }) {
		const { thingName } = this.#things.requireThing(request.thingName);
		return this.#listed(this.groupsOf(thingName), request);
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

	/** ARN of a group. */
	arn(thingGroupName: string): string {
		return arn(this.#context.state, "thinggroup", thingGroupName);
	}

	/** @throws AwsError InvalidRequestException for a malformed name, ResourceNotFoundException when there is no such group */
	requireThingGroup(thingGroupName: unknown): ThingGroupRecord {
		const name = checkThingGroupName(thingGroupName);
		return requireRow(this.#context.state.thingGroups.get(name), `Thing group ${name} not found.`);
	}

	#requireThingAndGroup(request: {
		thingGroupName?: string;
		thingGroupArn?: string;
		thingName?: string;
		thingArn?: string;
	}) {
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
			thingGroupName: this.requireThingGroup(group).thingGroupName,
			thingName: this.#things.requireThing(thing).thingName,
		};
	}

	#listed(names: readonly string[], request: Paging) {
		const { items, next } = page(names, (name) => name, request.maxResults, request.nextToken);
		return {
			thingGroups: items.map((groupName) => ({ groupName, groupArn: this.arn(groupName) })),
			...(next && { nextToken: next }),
		};
	}

	#named(record: ThingGroupRecord) {
		return {
			thingGroupName: record.thingGroupName,
			thingGroupArn: this.arn(record.thingGroupName),
			thingGroupId: record.thingGroupId,
		};
	}
}
