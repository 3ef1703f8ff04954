// Operations on tags: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { resourceArn, tags, text } from "./members.js";

const tagged = ({ resourceArn }: { resourceArn: string }) => [resourceArn];

export const tagOperations = {
	TagResource: operation("POST /tags", {
		body: { "resourceArn*": resourceArn, "tags*": tags },
		resources: tagged,
		handle: ({ tags }, input) => tags.tagResource(input),
	}),
	UntagResource: operation("POST /untag", {
		body: { "resourceArn*": resourceArn, "tagKeys*": { type: "list", member: forms.tagKey } },
		resources: tagged,
		handle: ({ tags }, input) => tags.untagResource(input),
	}),
	ListTagsForResource: operation("GET /tags", {
		query: { "resourceArn*": resourceArn, nextToken: text },
		resources: tagged,
		handle: ({ tags }, input) => tags.listTagsForResource(input),
	}),
};
