// Operations on topic rules: what a request looks like, what IAM is asked, and what the registry does.

import { operation } from "../operation.js";
import type { Shape } from "../shapes.js";
import { boolean, tags, text } from "./members.js";
import { topicRuleAction } from "./topic-rule-actions.js";

const ruleName = { type: "string", min: 1, max: 128, pattern: "^[a-zA-Z0-9_]+$" } as const;
/** Typed as an object of no known members, which is all that is done with it. */
const action: Shape = { type: "structure", members: topicRuleAction };
const anAction = action as { type: "structure"; members: Record<never, never> };
const payload = {
	"sql*": text,
	"actions*": { type: "list", member: anAction },
	description: text,
	ruleDisabled: boolean,
	awsIotSqlVersion: text,
	errorAction: anAction,
} as const;
const rule = ({ ruleName }: { ruleName: string }) => [`rule/${ruleName}`];

export const topicRuleOperations = {
	CreateTopicRule: operation("POST /rules/{ruleName}", {
		path: { ruleName },
		// The payload is the whole body, and the tags are in a header.
		body: { ...payload, tags },
		tagsHeader: "x-amz-tagging",
		idle: true,
		resources: rule,
		handle: ({ topicRules }, input) => topicRules.createTopicRule(input),
	}),
	GetTopicRule: operation("GET /rules/{ruleName}", {
		path: { ruleName },
		resources: rule,
		handle: ({ topicRules }, input) => topicRules.getTopicRule(input),
	}),
	ListTopicRules: operation("GET /rules", {
		query: {
			topic: text,
			maxResults: { type: "integer", min: 1, max: 10_000 },
			nextToken: text,
			ruleDisabled: boolean,
		},
		handle: ({ topicRules }, input) => topicRules.listTopicRules(input),
	}),
	ReplaceTopicRule: operation("PATCH /rules/{ruleName}", {
		path: { ruleName },
		body: payload,
		idle: true,
		resources: rule,
		handle: ({ topicRules }, input) => topicRules.replaceTopicRule(input),
	}),
	DeleteTopicRule: operation("DELETE /rules/{ruleName}", {
		path: { ruleName },
		resources: rule,
		handle: ({ topicRules }, input) => topicRules.deleteTopicRule(input),
	}),
	EnableTopicRule: operation("POST /rules/{ruleName}/enable", {
		path: { ruleName },
		idle: true,
		resources: rule,
		handle: ({ topicRules }, { ruleName }) => topicRules.setDisabled(ruleName, false),
	}),
	DisableTopicRule: operation("POST /rules/{ruleName}/disable", {
		path: { ruleName },
		resources: rule,
		handle: ({ topicRules }, { ruleName }) => topicRules.setDisabled(ruleName, true),
	}),
};
