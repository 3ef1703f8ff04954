// Operations on things: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { attributePayload, boolean, expectedVersion, pageSize, text } from "./members.js";

const thing = ({ thingName }: { thingName: string }) => [`thing/${thingName}`];

export const thingOperations = {
	CreateThing: operation("POST /things/{thingName}", {
		path: { thingName: forms.resourceName },
		body: { thingTypeName: forms.resourceName, attributePayload, billingGroupName: forms.resourceName },
		resources: thing,
		handle: ({ things }, input) => things.createThing(input),
	}),
	DescribeThing: operation("GET /things/{thingName}", {
		path: { thingName: forms.resourceName },
		resources: thing,
		handle: ({ things }, input) => things.describeThing(input),
	}),
	UpdateThing: operation("PATCH /things/{thingName}", {
		path: { thingName: forms.resourceName },
		body: {
			thingTypeName: forms.resourceName,
			attributePayload,
			expectedVersion,
			removeThingType: boolean,
		},
		resources: thing,
		handle: ({ things }, input) => things.updateThing(input),
	}),
	ListThings: operation("GET /things", {
		query: {
			nextToken: text,
			maxResults: pageSize,
			attributeName: forms.attributeName,
			attributeValue: forms.attributeValue,
			thingTypeName: forms.resourceName,
			usePrefixAttributeValue: boolean,
		},
		handle: ({ things }, input) => things.listThings(input),
	}),
	DeleteThing: operation("DELETE /things/{thingName}", {
		path: { thingName: forms.resourceName },
		query: { expectedVersion },
		resources: thing,
		handle: ({ things }, input) => things.deleteThing(input),
	}),
};
