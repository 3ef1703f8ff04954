// Topic rules, by AWS's rules: kept and listed back. No rule is carried out.

import { AwsError } from "../base/errors.js";
import type { TopicRuleRecord } from "../state/state.js";
import { arn, type RegistryContext, seconds } from "./context.js";
import { demand, type Tag } from "./limits.js";
import { type Paging, page } from "./paging.js";
import type { Tags } from "./tags.js";

/** What a rule does, as the API writes it. */
export interface TopicRulePayload {
	/** A statement such as `SELECT * FROM 'devices/+/up' WHERE level > 3`. */
	readonly sql: string;
	/** What to do, each with one member named after its kind. */
	readonly actions: readonly object[];
	readonly description?: string;
	readonly ruleDisabled?: boolean;
	readonly awsIotSqlVersion?: string;
	readonly errorAction?: object;
}

/** Most actions of a rule (AWS IoT Core quotas). */
const MOST_ACTIONS = 10;

/** Operations on topic rules. Requests and responses are those of the AWS operation of the same name. */
export class TopicRules {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes a rule. @throws AwsError SqlParseException for a statement that is none, ResourceAlreadyExistsException */
	createTopicRule(request: { ruleName: string; tags?: readonly Tag[] } & TopicRulePayload): void {
		const { state } = this.#context;
		const { ruleName, tags, ...payload } = request;
		if (state.topicRules.has(ruleName)) {
			throw new AwsError("ResourceAlreadyExistsException", `Rule with name ${ruleName} already exists`, {
				resourceId: ruleName,
				resourceArn: this.#arn(ruleName),
			});
		}
		this.#put(ruleName, payload, () => this.#tags.set(this.#arn(ruleName), tags));
	}

	/** Replaces what a rule does. Its time of creation is then that of the replacement, as with AWS. */
	replaceTopicRule({ ruleName, ...payload }: { ruleName: string } & TopicRulePayload): void {
		this.#require(ruleName);
		this.#put(ruleName, payload);
	}

	/** A rule with its statement and actions. */
	getTopicRule({ ruleName }: { ruleName: string }) {
		const { creationDate, ...record } = this.#require(ruleName);
		return { ruleArn: this.#arn(ruleName), rule: { ...record, createdAt: seconds(creationDate) } };
	}

	/** Rules ordered by name; all, or those on a topic, or those that are enabled or not. */
	listTopicRules(request: Paging & { topic?: string; ruleDisabled?: boolean } = {}) {
		const rules = [...this.#context.state.topicRules.values()].filter(
			({ sql, ruleDisabled }) =>
				(request.topic === undefined || topicOf(sql) === request.topic) &&
				(request.ruleDisabled === undefined || ruleDisabled === request.ruleDisabled),
		);
		const { items, next } = page(rules, ({ ruleName }) => ruleName, request.maxResults, request.nextToken);
		return {
			rules: items.map(({ ruleName, sql, creationDate, ruleDisabled }) => ({
				ruleArn: this.#arn(ruleName),
				ruleName,
				topicPattern: topicOf(sql),
				createdAt: seconds(creationDate),
				ruleDisabled,
			})),
			...(next && { nextToken: next }),
		};
	}

	/** Enables or disables a rule. */
	setDisabled(ruleName: string, ruleDisabled: boolean): void {
		const record = this.#require(ruleName);
		this.#context.state.transaction(() => this.#context.state.topicRules.put(ruleName, { ...record, ruleDisabled }));
	}

	/** Deletes a rule. */
	deleteTopicRule({ ruleName }: { ruleName: string }): void {
		const { state } = this.#context;
		this.#require(ruleName);
		state.transaction(() => {
			state.topicRules.delete(ruleName);
			this.#tags.remove(this.#arn(ruleName));
		});
	}

	#put(ruleName: string, payload: TopicRulePayload, more: () => void = () => {}): void {
		const { state, now } = this.#context;
		const { sql, actions, errorAction, ruleDisabled = false, awsIotSqlVersion = "2015-10-08", description } = payload;
		if (topicOf(sql) === undefined)
			throw new AwsError(
				"SqlParseException",
				"Expected a statement SELECT … FROM 'topic filter', perhaps with WHERE …",
			);
		demand(actions.length <= MOST_ACTIONS, `A rule may have at most ${MOST_ACTIONS} actions`);
		for (const action of [...actions, ...(errorAction === undefined ? [] : [errorAction])])
			demand(Object.keys(action).length === 1, "An action must have exactly one kind");
		state.transaction(() => {
			state.topicRules.put(ruleName, {
				ruleName,
				sql,
				actions,
				ruleDisabled,
				awsIotSqlVersion,
				...(description !== undefined && { description }),
				...(errorAction !== undefined && { errorAction }),
				creationDate: now(),
			});
			more();
		});
	}

	#arn(ruleName: string): string {
		return arn(this.#context.state, "rule", ruleName);
	}

	/** AWS does not tell a rule that is not there from one that the caller may not see. */
	#require(ruleName: string): TopicRuleRecord {
		const record = this.#context.state.topicRules.get(ruleName);
		if (record === undefined)
			throw new AwsError("UnauthorizedException", `Access to topic rule '${ruleName}' was denied`);
		return record;
	}
}

/** The topic filter of a rule's statement: `undefined` when that is not `SELECT … FROM '…'`; empty when it has none (Basic Ingest). */
function topicOf(sql: string): string | undefined {
	if (!/^\s*SELECT\s/i.test(sql)) return undefined;
	const from = /\sFROM\s+/i.exec(sql);
	if (from === null) return "";
	const rest = sql.slice(from.index + from[0].length);
	const quoted = /^'([^']*)'|^"([^"]*)"/.exec(rest);
	if (quoted === null) return undefined;
	const after = rest.slice(quoted[0].length).trim();
	return after === "" || /^WHERE\s/i.test(after) ? (quoted[1] ?? quoted[2]) : undefined;
}
