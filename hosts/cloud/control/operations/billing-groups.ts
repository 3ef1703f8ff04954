// Operations on billing groups: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { expectedVersion, pageSize, tags, text } from "./members.js";

const billingGroup = ({ billingGroupName }: { billingGroupName: string }) => [`billinggroup/${billingGroupName}`];

export const billingGroupOperations = {
	CreateBillingGroup: operation("POST /billing-groups/{billingGroupName}", {
		path: { billingGroupName: forms.resourceName },
		body: {
			billingGroupProperties: {
				type: "structure",
				members: { billingGroupDescription: forms.longDescription },
			},
			tags,
		},
		resources: billingGroup,
		handle: ({ billingGroups }, input) => billingGroups.createBillingGroup(input),
	}),
	DeleteBillingGroup: operation("DELETE /billing-groups/{billingGroupName}", {
		path: { billingGroupName: forms.resourceName },
		query: { expectedVersion },
		resources: billingGroup,
		handle: ({ billingGroups }, input) => billingGroups.deleteBillingGroup(input),
	}),
	ListBillingGroups: operation("GET /billing-groups", {
		query: { nextToken: text, maxResults: pageSize, namePrefixFilter: forms.resourceName },
		handle: ({ billingGroups }, input) => billingGroups.listBillingGroups(input),
	}),
	UpdateBillingGroup: operation("PATCH /billing-groups/{billingGroupName}", {
		path: { billingGroupName: forms.resourceName },
		body: {
			"billingGroupProperties*": {
				type: "structure",
				members: { billingGroupDescription: forms.longDescription },
			},
			expectedVersion,
		},
		resources: billingGroup,
		handle: ({ billingGroups }, input) => billingGroups.updateBillingGroup(input),
	}),
	DescribeBillingGroup: operation("GET /billing-groups/{billingGroupName}", {
		path: { billingGroupName: forms.resourceName },
		resources: billingGroup,
		handle: ({ billingGroups }, input) => billingGroups.describeBillingGroup(input),
	}),
};
