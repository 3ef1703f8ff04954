// Policy evaluation: Deny over Allow, wildcards, variables, conditions, and what is said when nothing allows.

import t from "tap";
import {
	evaluate,
	matches,
	type NamedPolicy,
	type PolicyVariables,
	parsePolicy,
} from "../../../hosts/cloud/policy/policy.js";

const arn = (rest: string) => `arn:aws:iot:us-east-1:123456789012:${rest}`;

interface Written {
	Sid?: string;
	Effect?: string;
	Action?: string | string[];
	NotAction?: string | string[];
	Resource?: string | string[];
	NotResource?: string | string[];
	Condition?: object;
}

function policy(...statements: Written[]): NamedPolicy {
	const Statement = statements.map((statement) => ({ Effect: "Allow", ...statement }));
	return { policyName: "P", policy: parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement })) };
}

function decide(
	policies: NamedPolicy | NamedPolicy[],
	action: string,
	resource: string,
	values: Record<string, string | string[]> = {},
) {
	const variables: PolicyVariables = new Map(Object.entries(values));
	return evaluate([policies].flat(), { action: `iot:${action}`, resource: arn(resource), variables });
}

t.test("Nothing is allowed by default", async (t) => {
	const { allowed, statement, explanation } = decide([], "Connect", "client/a");
	t.notOk(allowed);
	t.equal(statement, undefined);
	t.match(explanation, /No policy is attached.*arn:aws:iot:us-east-1:123456789012:client\/a/);
});

t.test("A Deny beats every Allow, in whatever order they stand", async (t) => {
	const allow = { Sid: "Yes", Action: "iot:*", Resource: "*" };
	const deny = { Sid: "No", Effect: "Deny", Action: "iot:Publish", Resource: arn("topic/secret") };
	for (const policies of [policy(allow, deny), policy(deny, allow), [policy(allow), policy(deny)]]) {
		const refused = decide(policies, "Publish", "topic/secret");
		t.notOk(refused.allowed);
		t.equal(refused.statement?.sid, "No");
		t.match(refused.explanation, /No\) of the policy P denies iot:Publish on .*topic\/secret/);
		t.equal(decide(policies, "Publish", "topic/open").statement?.sid, "Yes");
	}
});

t.test("* is any run of characters with slashes, ? is one, + and # are themselves (AWS: pub-sub-policy)", async (t) => {
	for (const [pattern, text, expected] of [
		["topicfilter/a/#", "topicfilter/a/#", true],
		["topicfilter/a/#", "topicfilter/a/b", false],
		["topicfilter/a/*", "topicfilter/a/#", true],
		["topicfilter/a/*", "topicfilter/a/+/c", true],
		["topicfilter/a/*", "topicfilter/a/b/c", true],
		["topicfilter/a/*", "topicfilter/a", false],
		["topic/a?", "topic/ab", true],
		["topic/a?", "topic/a", false],
		["topic/a?", "topic/abc", false],
		["topic/*/end", "topic/x/y/end", true],
		["topic/*/end", "topic/end", false],
		["*", "", true],
		["", "a", false],
		["a**b", "ab", true],
	] as const) {
		t.equal(matches(pattern, text), expected, `${pattern} and ${text}`);
	}
	t.notOk(matches(`${"*a".repeat(1000)}b`, "a".repeat(5000)), "a hostile pattern comes to an end");
});

t.test("The kind of resource matters: subscribing is about topicfilter/, publishing about topic/", async (t) => {
	const wrong = policy({ Action: "iot:Subscribe", Resource: arn("topic/a") });
	const refused = decide(wrong, "Subscribe", "topicfilter/a");
	t.notOk(refused.allowed);
	t.match(refused.explanation, /iot:Subscribe is about topicfilter\/…: write .*topicfilter\/a/);
});

t.test("Variables stand for the connection's values", async (t) => {
	const own = policy({ Action: "iot:Connect", Resource: arn(`client/\${iot:Connection.Thing.ThingName}`) });
	t.ok(decide(own, "Connect", "client/t1", { "iot:Connection.Thing.ThingName": "t1" }).allowed);
	t.notOk(decide(own, "Connect", "client/t2", { "iot:Connection.Thing.ThingName": "t1" }).allowed);
	const without = decide(own, "Connect", "client/t1");
	t.notOk(without.allowed, "a variable without a value matches nothing");
	t.match(without.explanation, /must be attached to a thing whose name is the client id/);
	const topic = policy({ Action: "iot:Publish", Resource: arn(`topic/\${iot:ClientId}/*`) });
	t.ok(decide(topic, "Publish", "topic/c1/x", { "iot:ClientId": "c1" }).allowed);
	for (const value of ["*", "a*", "a?b", "a$b", "a+", "a#", "x".repeat(1025)]) {
		t.notOk(decide(topic, "Publish", `topic/${value}/x`, { "iot:ClientId": value }).allowed, "is not substituted");
	}
});

t.test("A variable without a value does not match its own text", async (t) => {
	const open = `topicfilter/\${iot:Connection.Thing.ThingName}/a`;
	t.notOk(decide(policy({ Action: "iot:Subscribe", Resource: arn(open) }), "Subscribe", open).allowed);
	const but = { Action: "iot:Subscribe", NotResource: arn(open) };
	t.notOk(decide(policy(but), "Subscribe", "topicfilter/b").allowed, "nor does an Allow reach beyond what is unknown");
	const denied = policy({ Action: "iot:*", Resource: "*" }, { ...but, Effect: "Deny" });
	t.notOk(decide(denied, "Subscribe", open).allowed, "but a Deny does");
	const condition = { StringEquals: { "iot:ClientId": `\${absent}` } };
	const own = policy({ Action: "iot:*", Resource: "*", Condition: condition });
	t.notOk(decide(own, "Connect", "client/a", { "iot:ClientId": `\${absent}` }).allowed);
});

t.test("NotAction and NotResource are about all others", async (t) => {
	const others = policy({ NotAction: ["iot:Publish", "iot:Connect"], Resource: "*" });
	t.notOk(decide(others, "Publish", "topic/a").allowed);
	t.ok(decide(others, "Subscribe", "topicfilter/a").allowed);
	const elsewhere = policy({ Action: "iot:Publish", NotResource: arn("topic/secret/*") });
	t.notOk(decide(elsewhere, "Publish", "topic/secret/a").allowed);
	t.ok(decide(elsewhere, "Publish", "topic/open").allowed);
	t.ok(decide(policy({ Action: "IOT:pub*", Resource: "*" }), "Publish", "topic/a").allowed, "actions ignore case");
});

t.test("Conditions must all hold", async (t) => {
	const under = (condition: object, values: Record<string, string | string[]>) =>
		decide(policy({ Action: "iot:*", Resource: "*", Condition: condition }), "Connect", "client/a", values).allowed;
	const attached = { Bool: { "iot:Connection.Thing.IsAttached": ["true"] } };
	t.ok(under(attached, { "iot:Connection.Thing.IsAttached": "true" }));
	t.notOk(under(attached, { "iot:Connection.Thing.IsAttached": "false" }));
	t.notOk(under(attached, {}));
	t.ok(under({ StringEquals: { "iot:ClientId": ["a", "b"] } }, { "iot:ClientId": "b" }));
	t.notOk(under({ StringEquals: { "iot:ClientId": "a" } }, { "iot:ClientId": "b" }));
	t.ok(under({ StringNotEquals: { "iot:ClientId": "a" } }, { "iot:ClientId": "b" }));
	const other = { StringNotEquals: { "iot:ClientId": `\${iot:Connection.Thing.ThingName}` } };
	t.ok(under(other, { "iot:ClientId": "b", "iot:Connection.Thing.ThingName": "a" }));
	t.notOk(under(other, { "iot:ClientId": "a", "iot:Connection.Thing.ThingName": "a" }));
	t.notOk(under(other, { "iot:ClientId": "b" }), "nothing differs from what is not known");
	t.notOk(under(other, {}));
	t.ok(under({ StringLike: { "iot:ClientId": "dev-*" } }, { "iot:ClientId": "dev-7" }));
	t.notOk(under({ StringNotLike: { "iot:ClientId": "dev-*" } }, { "iot:ClientId": "dev-7" }));
	t.ok(under({ IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:SourceIp": "10.1.2.3" }));
	t.notOk(under({ IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "::1"] } }, { "aws:SourceIp": "11.1.2.3" }));
	t.ok(under({ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, { "aws:SourceIp": "11.1.2.3" }));
	t.ok(under({ NumericLessThan: { n: "10" } }, { n: "9" }));
	t.notOk(under({ NumericGreaterThanEquals: { n: "10" } }, { n: "9" }));
	t.ok(under({ StringEqualsIfExists: { absent: "x" } }, {}));
	t.ok(under({ Null: { absent: "true" } }, {}));
	const persistent = { "ForAllValues:StringEquals": { "iot:ConnectAttributes": ["PersistentConnect"] } };
	t.ok(under(persistent, { "iot:ConnectAttributes": [] }));
	t.ok(under(persistent, { "iot:ConnectAttributes": ["PersistentConnect"] }));
	t.notOk(under(persistent, { "iot:ConnectAttributes": ["PersistentConnect", "LastWill"] }));
	const will = { "ForAnyValue:StringEquals": { "iot:ConnectAttributes": ["LastWill"] } };
	t.notOk(under(will, { "iot:ConnectAttributes": [] }));
	t.ok(under(will, { "iot:ConnectAttributes": ["PersistentConnect", "LastWill"] }));
	const { explanation } = decide(
		policy({ Action: "iot:*", Resource: "*", Condition: attached }),
		"Connect",
		"client/a",
	);
	t.match(explanation, /its condition Bool on iot:Connection.Thing.IsAttached is not met/);
});

t.test("What is near is said to be near", async (t) => {
	const near = policy({ Action: "iot:Subscribe", Resource: arn("topicfilter/a/#") });
	t.match(decide(near, "Subscribe", "topicfilter/a/b").explanation, /the wildcard is \*/);
	t.match(
		decide(near, "Receive", "topic/a/b").explanation,
		/No statement of the policy P allows the action iot:Receive/,
	);
});

t.test("A document that is no policy is refused with the reason", async (t) => {
	const good = { Effect: "Allow", Action: "iot:Connect", Resource: "*" };
	for (const [statement, reason] of [
		[{ ...good, Effect: "Maybe" }, /Effect of statement 1/],
		[{ ...good, Action: undefined }, /either Action or NotAction/],
		[{ ...good, NotAction: "iot:Publish" }, /either Action or NotAction/],
		[{ ...good, Action: [] }, /is empty/],
		[{ ...good, Action: "connect" }, /is not an action/],
		[{ ...good, Resource: "client/a" }, /neither an ARN/],
		[{ ...good, Principal: "*" }, /unknown member Principal/],
		[{ ...good, Condition: { Like: { a: "b" } } }, /unknown condition operator Like/],
		[null, /must be an object/],
	] as const) {
		t.throws(() => parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: [statement] })), reason);
	}
	t.throws(() => parsePolicy("{"), /not JSON/);
	t.throws(() => parsePolicy(JSON.stringify({ Version: "2013-01-01", Statement: [good] })), /Version/);
	t.throws(() => parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: [] })), /no Statement/);
});
