// Operations on thing groups and their members: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { attributePayload, boolean, expectedVersion, pageSize, resourceArn, tags, text } from "./members.js";

const thingGroupProperties = {
	type: "structure",
	members: { thingGroupDescription: forms.longDescription, attributePayload },
} as const;
const thing = ({ thingName }: { thingName: string }) => [`thing/${thingName}`];
const group = ({ thingGroupName }: { thingGroupName: string }) => [`thinggroup/${thingGroupName}`];
const members = {
	body: {
		thingGroupName: forms.resourceName,
		thingGroupArn: resourceArn,
		thingName: forms.resourceName,
		thingArn: resourceArn,
	},
	resources: (input: { thingGroupName?: string; thingGroupArn?: string; thingName?: string; thingArn?: string }) => [
		input.thingGroupArn ?? `thinggroup/${input.thingGroupName}`,
		input.thingArn ?? `thing/${input.thingName}`,
	],
};

export const thingGroupOperations = {
	CreateThingGroup: operation("POST /thing-groups/{thingGroupName}", {
		path: { thingGroupName: forms.resourceName },
		body: {
			parentGroupName: forms.resourceName,
			thingGroupProperties,
			tags,
		},
		resources: group,
		handle: ({ thingGroups }, input) => thingGroups.createThingGroup(input),
	}),
	DescribeThingGroup: operation("GET /thing-groups/{thingGroupName}", {
		path: { thingGroupName: forms.resourceName },
		resources: group,
		handle: ({ thingGroups }, input) => thingGroups.describeThingGroup(input),
	}),
	UpdateThingGroup: operation("PATCH /thing-groups/{thingGroupName}", {
		path: { thingGroupName: forms.resourceName },
		body: { "thingGroupProperties*": thingGroupProperties, expectedVersion },
		resources: group,
		handle: ({ thingGroups }, input) => thingGroups.updateThingGroup(input),
	}),
	DeleteThingGroup: operation("DELETE /thing-groups/{thingGroupName}", {
		path: { thingGroupName: forms.resourceName },
		query: { expectedVersion },
		resources: group,
		handle: ({ thingGroups }, input) => thingGroups.deleteThingGroup(input),
	}),
	ListThingGroups: operation("GET /thing-groups", {
		query: {
			nextToken: text,
			maxResults: pageSize,
			parentGroup: forms.resourceName,
			namePrefixFilter: forms.resourceName,
			recursive: boolean,
		},
		handle: ({ thingGroups }, input) => thingGroups.listThingGroups(input),
	}),
	AddThingToThingGroup: operation("PUT /thing-groups/addThingToThingGroup", {
		...members,
		body: { ...members.body, overrideDynamicGroups: boolean },
		handle: ({ thingGroups }, input) => thingGroups.addThingToThingGroup(input),
	}),
	RemoveThingFromThingGroup: operation("PUT /thing-groups/removeThingFromThingGroup", {
		...members,
		handle: ({ thingGroups }, input) => thingGroups.removeThingFromThingGroup(input),
	}),
	ListThingsInThingGroup: operation("GET /thing-groups/{thingGroupName}/things", {
		path: { thingGroupName: forms.resourceName },
		query: { recursive: boolean, nextToken: text, maxResults: pageSize },
		resources: group,
		handle: ({ thingGroups }, input) => thingGroups.listThingsInThingGroup(input),
	}),
	ListThingGroupsForThing: operation("GET /things/{thingName}/thing-groups", {
		path: { thingName: forms.resourceName },
		query: { nextToken: text, maxResults: pageSize },
		resources: thing,
		handle: ({ thingGroups }, input) => thingGroups.listThingGroupsForThing(input),
	}),
};
