// Operations on the certificates attached to things: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { pageSize, text } from "./members.js";

const thingPrincipalType = { type: "string", enum: ["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"] } as const;
const principal = ({ principal }: { principal: string }) => [principal];
const thing = ({ thingName }: { thingName: string }) => [`thing/${thingName}`];

export const thingPrincipalOperations = {
	ListThingPrincipals: operation("GET /things/{thingName}/principals", {
		path: { thingName: forms.resourceName },
		query: { nextToken: text, maxResults: pageSize },
		resources: thing,
		handle: ({ thingPrincipals }, input) => thingPrincipals.listThingPrincipals(input),
	}),
	ListThingPrincipalsV2: operation("GET /things/{thingName}/principals-v2", {
		path: { thingName: forms.resourceName },
		query: { nextToken: text, maxResults: pageSize, thingPrincipalType },
		resources: thing,
		handle: ({ thingPrincipals }, input) => thingPrincipals.listThingPrincipalsV2(input),
	}),
	ListPrincipalThingsV2: operation("GET /principals/things-v2", {
		query: { nextToken: text, maxResults: pageSize, thingPrincipalType },
		header: { principal: "x-amzn-principal" },
		resources: principal,
		handle: ({ thingPrincipals }, input) => thingPrincipals.listPrincipalThingsV2(input),
	}),
	ListPrincipalThings: operation("GET /principals/things", {
		query: { nextToken: text, maxResults: pageSize },
		header: { principal: "x-amzn-principal" },
		resources: principal,
		handle: ({ thingPrincipals }, input) => thingPrincipals.listPrincipalThings(input),
	}),
	AttachThingPrincipal: operation("PUT /things/{thingName}/principals", {
		path: { thingName: forms.resourceName },
		query: { thingPrincipalType },
		header: { principal: "x-amzn-principal" },
		resources: (input) => [...thing(input), ...principal(input)],
		handle: ({ thingPrincipals }, input) => thingPrincipals.attachThingPrincipal(input),
	}),
	DetachThingPrincipal: operation("DELETE /things/{thingName}/principals", {
		path: { thingName: forms.resourceName },
		header: { principal: "x-amzn-principal" },
		resources: (input) => [...thing(input), ...principal(input)],
		handle: ({ thingPrincipals }, input) => thingPrincipals.detachThingPrincipal(input),
	}),
};
