// Shapes of members that operations on several subjects have in common.

import { forms } from "../../registry/forms.js";
import { limits } from "../../registry/limits.js";

export const boolean = { type: "boolean" } as const;
export const text = { type: "string" } as const;
export const expectedVersion = { type: "integer" } as const;
/** The model gives ARNs no limit; without one a caller could fill answers and events with a mebibyte each. */
export const resourceArn = { type: "string", max: 2048 } as const;
export const pageSize = { type: "integer", min: 1, max: limits.pageSize } as const;
export const marker = { type: "string", max: 1024, pattern: "[A-Za-z0-9+/]+={0,2}" } as const;
export const attributePayload = {
	type: "structure",
	members: {
		attributes: { type: "map", key: forms.attributeName, value: forms.attributeValue },
		merge: boolean,
	},
} as const;
export const tags = {
	type: "list",
	member: { type: "structure", members: { "Key*": forms.tagKey, Value: forms.tagValue } },
} as const;
