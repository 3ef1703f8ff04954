// Operations on endpoints: what a request looks like, what IAM is asked, and what the registry does.

import { operation } from "../operation.js";

export const endpointOperations = {
	DescribeEndpoint: operation("GET /endpoint", {
		query: { endpointType: { type: "string", max: 128, pattern: "[\\s\\S]*" } },
		handle: (registry, input) => registry.describeEndpoint(input),
	}),
};
