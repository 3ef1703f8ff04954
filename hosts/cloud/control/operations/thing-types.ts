// Operations on thing types: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, pageSize, tags, text } from "./members.js";

const type = ({ thingTypeName }: { thingTypeName: string }) => [`thingtype/${thingTypeName}`];

export const thingTypeOperations = {
	CreateThingType: operation("POST /thing-types/{thingTypeName}", {
		path: { thingTypeName: forms.resourceName },
		body: {
			thingTypeProperties: {
				type: "structure",
				members: {
					thingTypeDescription: forms.longDescription,
					searchableAttributes: { type: "list", member: forms.attributeName },
					mqtt5Configuration: {
						type: "structure",
						members: {
							propagatingAttributes: {
								type: "list",
								member: {
									type: "structure",
									members: {
										userPropertyKey: { type: "string", max: 128, pattern: "[a-zA-Z0-9:$.]+" },
										thingAttribute: forms.attributeName,
										connectionAttribute: { type: "string", max: 128, pattern: "[a-zA-Z0-9:$.]+" },
									},
								},
							},
						},
					},
				},
			},
			tags,
		},
		resources: type,
		handle: ({ thingTypes }, input) => thingTypes.createThingType(input),
	}),
	DescribeThingType: operation("GET /thing-types/{thingTypeName}", {
		path: { thingTypeName: forms.resourceName },
		resources: type,
		handle: ({ thingTypes }, input) => thingTypes.describeThingType(input),
	}),
	DeprecateThingType: operation("POST /thing-types/{thingTypeName}/deprecate", {
		path: { thingTypeName: forms.resourceName },
		body: { undoDeprecate: boolean },
		resources: type,
		handle: ({ thingTypes }, input) => thingTypes.deprecateThingType(input),
	}),
	DeleteThingType: operation("DELETE /thing-types/{thingTypeName}", {
		path: { thingTypeName: forms.resourceName },
		resources: type,
		handle: ({ thingTypes }, input) => thingTypes.deleteThingType(input),
	}),
	ListThingTypes: operation("GET /thing-types", {
		query: { nextToken: text, maxResults: pageSize, thingTypeName: forms.resourceName },
		handle: ({ thingTypes }, input) => thingTypes.listThingTypes(input),
	}),
};
