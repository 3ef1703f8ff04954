// IoT policies: parses them, and decides whether they allow an action on a resource, and why. Pure; knows no registry.
// Semantics: AWS IoT developer guide, "AWS IoT Core policies", "policy actions", "policy variables".

import { BlockList, isIP } from "node:net";
import { isObject } from "../base/object.js";

/** A policy document is malformed. The message says what is wrong with it. */
export class PolicyError extends Error {
	override readonly name = "PolicyError";
}

/** One statement as written, but with lists in place of single values. */
export interface Statement {
	/** A name for people. */
	readonly sid?: string;
	/** Place in the document, from 0. */
	readonly index: number;
	/** Whether it allows or denies. */
	readonly effect: "Allow" | "Deny";
	/** Such as `iot:Connect`, with wildcards. */
	readonly actions: readonly string[];
	/** Whether it is about all actions but `actions`. */
	readonly notAction: boolean;
	/** ARNs, with wildcards and policy variables. */
	readonly resources: readonly string[];
	/** Whether it is about all resources but `resources`. */
	readonly notResource: boolean;
	/** All of them must be fulfilled. */
	readonly conditions: readonly Condition[];
}

/** One condition of a statement. */
export interface Condition {
	/** As written, such as `ForAllValues:StringEquals`. */
	readonly operator: string;
	/** What is compared, such as `iot:Connection.Thing.IsAttached`. */
	readonly key: string;
	/** What it is compared with: one of them must fit. */
	readonly values: readonly string[];
}

/** A policy document. */
export interface Policy {
	/** In the order of the document. */
	readonly statements: readonly Statement[];
}

/** A policy with the name under which it is attached. */
export interface NamedPolicy {
	/** Its name in the account. */
	readonly policyName: string;
	/** Its document, read. */
	readonly policy: Policy;
}

/** Values of policy variables and condition keys by name without `${}`: text, or several texts. */
export type PolicyVariables = ReadonlyMap<string, string | readonly string[]>;

/** What is to be allowed or not. */
export interface PolicyRequest {
	/** Such as `iot:Publish`. */
	readonly action: string;
	/** ARN of the client, topic or topic filter. */
	readonly resource: string;
	readonly variables: PolicyVariables;
}

/** Whether a request is allowed, by which statement, and what to change. */
export interface Decision {
	readonly allowed: boolean;
	/** The Allow or Deny that decided; absent when no statement was about it. */
	readonly statement?: { readonly policyName: string; readonly index: number; readonly sid?: string };
	/** Why, and what to change when it should be otherwise. */
	readonly explanation: string;
}

const OPERATORS = [
	"StringEquals",
	"StringNotEquals",
	"StringEqualsIgnoreCase",
	"StringNotEqualsIgnoreCase",
	"StringLike",
	"StringNotLike",
	"ArnEquals",
	"ArnNotEquals",
	"ArnLike",
	"ArnNotLike",
	"NumericEquals",
	"NumericNotEquals",
	"NumericLessThan",
	"NumericLessThanEquals",
	"NumericGreaterThan",
	"NumericGreaterThanEquals",
	"DateEquals",
	"DateNotEquals",
	"DateLessThan",
	"DateLessThanEquals",
	"DateGreaterThan",
	"DateGreaterThanEquals",
	"Bool",
	"Null",
	"IpAddress",
	"NotIpAddress",
];

/** Parses a policy document. @throws PolicyError */
export function parsePolicy(document: string): Policy {
	let value: unknown;
	try {
		value = JSON.parse(document);
	} catch {
		throw new PolicyError("the document is not JSON");
	}
	const policy = object(value, "the document");
	for (const member of Object.keys(policy)) {
		if (!["Version", "Id", "Statement"].includes(member)) throw new PolicyError(`unknown member ${member}`);
	}
	if (policy.Version !== "2012-10-17" && policy.Version !== "2008-10-17") {
		throw new PolicyError('Version must be "2012-10-17"');
	}
	const statements = Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement];
	if (statements.length === 0) throw new PolicyError("there is no Statement");
	return { statements: statements.map(parseStatement) };
}

function parseStatement(value: unknown, index: number): Statement {
	const where = `statement ${index + 1}`;
	const statement = object(value, where);
	for (const member of Object.keys(statement)) {
		if (!["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"].includes(member)) {
			throw new PolicyError(`${where} has an unknown member ${member}`);
		}
	}
	const { Sid: sid, Effect: effect, Condition: condition } = statement;
	if (effect !== "Allow" && effect !== "Deny") throw new PolicyError(`Effect of ${where} must be Allow or Deny`);
	if (sid !== undefined && typeof sid !== "string") throw new PolicyError(`Sid of ${where} must be text`);
	const either = (name: "Action" | "Resource") => {
		const not = statement[`Not${name}`] !== undefined;
		if (not === (statement[name] !== undefined)) {
			throw new PolicyError(`${where} must have either ${name} or Not${name}`);
		}
		return { not, texts: texts(statement[not ? `Not${name}` : name], `${name} of ${where}`) };
	};
	const action = either("Action");
	const resource = either("Resource");
	for (const name of action.texts) {
		if (name !== "*" && !/^[a-zA-Z0-9*?-]+:[a-zA-Z0-9*?]+$/.test(name)) {
			throw new PolicyError(`${where}: ${name} is not an action`);
		}
	}
	for (const name of resource.texts) {
		if (name !== "*" && !name.startsWith("arn:")) {
			throw new PolicyError(`${where}: ${name} is neither an ARN nor "*"`);
		}
	}
	return {
		...(sid !== undefined && { sid }),
		index,
		effect,
		actions: action.texts,
		notAction: action.not,
		resources: resource.texts,
		notResource: resource.not,
		conditions: condition === undefined ? [] : parseConditions(condition, where),
	};
}

function parseConditions(value: unknown, where: string): Condition[] {
	return Object.entries(object(value, `Condition of ${where}`)).flatMap(([operator, keys]) => {
		const { base } = splitOperator(operator);
		if (!OPERATORS.includes(base)) throw new PolicyError(`${where}: unknown condition operator ${operator}`);
		return Object.entries(object(keys, `${operator} of ${where}`)).map(([key, wanted]) => ({
			operator,
			key,
			values: texts(wanted, `${operator} of ${where}`),
		}));
	});
}

function object(value: unknown, what: string): Record<string, unknown> {
	if (!isObject(value)) throw new PolicyError(`${what} must be an object`);
	return value;
}

function texts(value: unknown, what: string): string[] {
	const list = Array.isArray(value) ? value : [value];
	if (list.length === 0) throw new PolicyError(`${what} is empty`);
	return list.map((item) => {
		if (typeof item === "boolean" || typeof item === "number") return String(item);
		if (typeof item !== "string" || item === "") throw new PolicyError(`${what} must be text or a list of texts`);
		return item;
	});
}

/** Decides over a request. A Deny overrides every Allow, and nothing is allowed by default. */
export function evaluate(policies: readonly NamedPolicy[], request: PolicyRequest): Decision {
	let allow: { policyName: string; statement: Statement } | undefined;
	for (const { policyName, policy } of policies) {
		for (const statement of policy.statements) {
			if (statement.effect === "Allow" && allow) continue;
			if (!isAbout(statement, request)) continue;
			if (statement.effect === "Deny") {
				return {
					allowed: false,
					statement: deciding(policyName, statement),
					explanation: `${name(policyName, statement)} denies ${request.action} on ${request.resource}: remove or narrow it.`,
				};
			}
			allow = { policyName, statement };
		}
	}
	if (allow) {
		return {
			allowed: true,
			statement: deciding(allow.policyName, allow.statement),
			explanation: `${name(allow.policyName, allow.statement)} allows ${request.action} on ${request.resource}.`,
		};
	}
	return { allowed: false, explanation: explainSilence(policies, request) };
}

function deciding(policyName: string, { index, sid }: Statement): NonNullable<Decision["statement"]> {
	return { policyName, index, ...(sid !== undefined && { sid }) };
}

function name(policyName: string, { index, sid }: Statement): string {
	return `Statement ${index + 1}${sid === undefined ? "" : ` (${sid})`} of the policy ${policyName}`;
}

function isAbout(statement: Statement, request: PolicyRequest): boolean {
	return (
		aboutAction(statement, request) &&
		aboutResource(statement, request) &&
		statement.conditions.every((condition) => holds(condition, request.variables, statement.effect))
	);
}

function aboutAction({ actions, notAction }: Statement, { action }: PolicyRequest): boolean {
	const wanted = action.toLowerCase();
	return actions.some((pattern) => matches(pattern.toLowerCase(), wanted)) !== notAction;
}

function aboutResource({ effect, resources, notResource }: Statement, { resource, variables }: PolicyRequest): boolean {
	const patterns = substitute(resources, variables);
	// An Allow with NotResource does not apply unless all the resources that it leaves out are known.
	if (notResource && effect === "Allow" && patterns.length < resources.length) return false;
	return patterns.some((pattern) => matches(pattern, resource)) !== notResource;
}

const VARIABLE = /\$\{([^}]*)\}/g;

/** Replaces `${…}` by values. A pattern with a variable that has no value matches nothing, so it is left out. */
function substitute(patterns: readonly string[], variables: PolicyVariables): string[] {
	return patterns
		.filter((pattern) => openVariable(pattern, variables) === undefined)
		.map((pattern) => pattern.replace(VARIABLE, (_, key: string) => textOf(key, variables)!));
}

/** The first `${…}` without a value. */
function openVariable(pattern: string, variables: PolicyVariables): string | undefined {
	return [...pattern.matchAll(VARIABLE)].map(([, key]) => key!).find((key) => textOf(key, variables) === undefined);
}

/** The value of a variable. One that has `* $ + ? #` in it, or more than 1024 characters, does not count. */
function textOf(key: string, variables: PolicyVariables): string | undefined {
	const value = variables.get(key);
	const text = typeof value === "string" ? value : value?.[0];
	return text === undefined || text.length > 1024 || /[*$+?#]/.test(text) ? undefined : text;
}

/**
 * Whether a text matches a pattern. `*` stands for any characters, slashes included, and `?` for exactly one. `+` and `#` have no
 * special meaning. Linear in practice, never exponential.
 */
export function matches(pattern: string, text: string): boolean {
	let p = 0;
	let star = -1;
	let resume = 0;
	for (let t = 0; t < text.length; ) {
		if (pattern[p] === "*") {
			star = p++;
			resume = t;
		} else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
			p++;
			t++;
		} else if (star >= 0) {
			p = star + 1;
			t = ++resume;
		} else return false;
	}
	while (pattern[p] === "*") p++;
	return p === pattern.length;
}

function splitOperator(operator: string) {
	const set = /^(ForAllValues|ForAnyValue):/.exec(operator)?.[1];
	const rest = set ? operator.slice(set.length + 1) : operator;
	const ifExists = rest.endsWith("IfExists");
	return { set, base: ifExists ? rest.slice(0, -"IfExists".length) : rest, ifExists };
}

function holds(condition: Condition, variables: PolicyVariables, effect: Statement["effect"]): boolean {
	const { set, base, ifExists } = splitOperator(condition.operator);
	const key = /^\$\{(.*)\}$/.exec(condition.key)?.[1] ?? condition.key;
	const found = variables.get(key) ?? (key.startsWith("aws:") ? caseless(key, variables) : undefined);
	const values = found === undefined ? [] : typeof found === "string" ? [found] : found;
	if (base === "Null") {
		const absent = values.length === 0;
		return condition.values.some((value) => (value.toLowerCase() === "true") === absent);
	}
	const negated = /Not/.test(base);
	const positive = base.replace("Not", "");
	const wanted = substitute(condition.values, variables);
	// An Allow with a negated operator does not hold unless all its values are known.
	if (negated && effect === "Allow" && wanted.length < condition.values.length) return false;
	const one = (value: string) => wanted.some((pattern) => compare(positive, pattern, value)) !== negated;
	if (set === "ForAllValues") return values.every(one);
	if (set === "ForAnyValue") return values.some(one);
	if (values.length === 0) return ifExists || negated;
	return negated ? values.every(one) : values.some(one);
}

function caseless(key: string, variables: PolicyVariables) {
	for (const [name, value] of variables) if (name.toLowerCase() === key.toLowerCase()) return value;
	return undefined;
}

function compare(operator: string, wanted: string, value: string): boolean {
	switch (operator) {
		case "StringEquals":
			return wanted === value;
		case "StringEqualsIgnoreCase":
		case "Bool":
			return wanted.toLowerCase() === value.toLowerCase();
		case "StringLike":
		case "ArnEquals":
		case "ArnLike":
			return matches(wanted, value);
		case "IpAddress":
			return inNetwork(wanted, value);
	}
	const [, kind, relation] = /^(Numeric|Date)(.*)$/.exec(operator)!;
	const number = (text: string) => (kind === "Numeric" || /^\d+$/.test(text) ? Number(text) : Date.parse(text));
	const [a, b] = [number(value), number(wanted)];
	switch (relation) {
		case "LessThan":
			return a < b;
		case "LessThanEquals":
			return a <= b;
		case "GreaterThan":
			return a > b;
		case "GreaterThanEquals":
			return a >= b;
		default:
			return a === b;
	}
}

function inNetwork(network: string, address: string): boolean {
	const [base = "", prefix] = network.split("/");
	const family = (text: string) => (isIP(text) === 6 ? "ipv6" : "ipv4");
	if (!isIP(base) || !isIP(address)) return false;
	const list = new BlockList();
	try {
		if (prefix === undefined) list.addAddress(base, family(base));
		else list.addSubnet(base, Number(prefix), family(base));
	} catch {
		return false;
	}
	return list.check(address, family(address));
}

/** Explains why no statement allowed a request: which one came closest, and what it lacks. */
function explainSilence(policies: readonly NamedPolicy[], request: PolicyRequest): string {
	const { action, resource, variables } = request;
	if (policies.length === 0) {
		return `No policy is attached to the certificate or to a group of its thing: attach one that allows ${action} on ${resource}.`;
	}
	const allows = policies.flatMap(({ policyName, policy }) =>
		policy.statements.filter(({ effect }) => effect === "Allow").map((statement) => ({ policyName, statement })),
	);
	const near = allows.filter(({ statement }) => aboutAction(statement, request));
	const sufficient = near.find(({ statement }) => aboutResource(statement, request));
	if (sufficient) {
		const failed = sufficient.statement.conditions.find((condition) => !holds(condition, variables, "Allow"))!;
		return `${name(sufficient.policyName, sufficient.statement)} would allow ${action} on ${resource}, but its condition ${failed.operator} on ${failed.key} is not met.`;
	}
	const [first] = near;
	if (!first) {
		return `No statement of ${listed(policies)} allows the action ${action}: add one with Resource ${resource}.`;
	}
	const where = name(first.policyName, first.statement);
	const patterns = near.flatMap(({ statement }) => statement.resources);
	const open = patterns.map((pattern) => openVariable(pattern, variables)).find((key) => key !== undefined);
	if (open !== undefined) {
		const hint = open.startsWith("iot:Connection.Thing.")
			? ": the certificate must be attached to a thing whose name is the client id"
			: "";
		return `${where} allows ${action} on resources with \${${open}}, which has no value on this connection${hint}. Wanted: ${resource}.`;
	}
	const elsewhere = explainElsewhere(patterns, resource);
	if (elsewhere !== undefined) return `${where} allows ${action} on ${elsewhere}`;
	const kind = resource.split(":")[5]?.split("/")[0] ?? "";
	const kinds = new Set(patterns.map((pattern) => pattern.split(":")[5]?.split("/")[0]));
	if (!kinds.has(kind) && !kinds.has(undefined)) {
		return `${where} allows ${action} on ${[...kinds].join(", ")}/… resources, but ${action} is about ${kind}/…: write ${resource}.`;
	}
	const mqttWildcard = patterns.some((pattern) => /[#+]/.test(pattern))
		? " In a policy + and # are ordinary characters; the wildcard is *."
		: "";
	return `${where} allows ${action}, but not on ${resource}: add that to its Resource.${mqttWildcard}`;
}

/** The region and the account of an ARN, as a policy may write them: with wildcards. */
function placeOf(arn: string): readonly [region: string, account: string] | undefined {
	const [, , , region, account, ...rest] = arn.split(":");
	return region === undefined || account === undefined || rest.length === 0 ? undefined : [region, account];
}

/** Explains that all these patterns are of other accounts or regions than the resource; `undefined` when they are not. */
function explainElsewhere(patterns: readonly string[], resource: string): string | undefined {
	const here = placeOf(resource);
	const first = placeOf(patterns[0] ?? "");
	if (here === undefined || first === undefined) return undefined;
	const [region, account] = here;
	const isHere = (pattern: string) => {
		const place = placeOf(pattern);
		return place === undefined || (matches(place[0], region) && matches(place[1], account));
	};
	if (patterns.some(isHere)) return undefined;
	return (
		`resources of account ${first[1]} in ${first[0]}, but this cloud is account ${account} in ${region}: write ${resource}, ` +
		`or use a cloud of the policy's account and region.`
	);
}

function listed(policies: readonly NamedPolicy[]): string {
	return policies.map(({ policyName }) => `the policy ${policyName}`).join(", ");
}
