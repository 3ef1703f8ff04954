// Thousands of corrupted requests, the same in every run: each gets one of AWS's answers, never a 500, and none ends the process.

import { connect } from "node:net";
import t from "tap";
import { AWS_ERROR_STATUS } from "../../../hosts/cloud/base/errors.js";
import { type OperationName, operations } from "../../../hosts/cloud/control/operations.js";
import { type Members, plainName, type Shape } from "../../../hosts/cloud/control/shapes.js";
import { sampleSize } from "../../support/sample.js";
import { arn, roleArn, started } from "./started.js";

/** Numbers from 0 to below 1, always the same ones (xorshift). */
function dice(seed: number): () => number {
	let state = seed;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

const policy = JSON.stringify({
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
});
const template = JSON.stringify({
	Resources: {
		thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: "a" } },
		policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "a" } },
	},
});

/** Good values by member, so that many requests get past validation and to the registry. */
const good: Readonly<Record<string, readonly unknown[]>> = {
	templateName: ["a", "b"],
	templateBody: [template, template.replace("Thing", "Thin"), template.slice(0, 60)],
	provisioningRoleArn: [roleArn],
	versionId: [1, 2],
	policyDocument: [policy, policy.replace("Allow", "Deny"), policy.replace("iot:*", "iot:")],
	policyVersionId: ["1", "2"],
	target: [arn("thinggroup/a"), arn(`cert/${"0".repeat(64)}`), arn("policy/a")],
	principal: [arn(`cert/${"0".repeat(64)}`)],
	certificateId: ["0".repeat(64)],
	thingGroupArn: [arn("thinggroup/a")],
	thingArn: [arn("thing/a")],
	resourceArn: [arn("policy/a"), arn("provisioningtemplate/a")],
	nextToken: ["YQ", "!"],
	marker: ["YQ", "YQ=="],
};
const evil: readonly unknown[] = [
	null,
	true,
	0,
	-1,
	1e308,
	2 ** 53,
	"",
	" ",
	"\u0000",
	"\ud800",
	"💥".repeat(20),
	"%2e%2e%2f",
	"../a",
	"*",
	"x".repeat(3_000),
	[],
	{},
	[[[[]]]],
	{ __proto__: null, constructor: { prototype: {} } },
];

t.test("operations with members of every kind", async (t) => {
	const { url, registry, events } = await started(t, { accessKeys: [] });
	const random = dice(20_261_122);
	const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;

	const value = (shape: Shape, name: string): unknown => {
		if (random() < 0.08) return pick(evil);
		if (name in good) return pick(good[name]!);
		switch (shape.type) {
			case "string":
				return shape.enum ? pick(shape.enum) : pick(["a", "b", "a:b_c-d"]);
			case "integer":
				return pick([1, 2, 250, 251, 0]);
			case "boolean":
				return random() < 0.5;
			case "list":
				return Array.from({ length: Math.floor(random() * 4) }, () => value(shape.member, ""));
			case "map":
				return Object.fromEntries(["a", "b", "__proto__"].map((key) => [key, value(shape.value, "")]));
			case "structure":
				return structure(shape.members);
		}
	};
	const structure = (members: Members) =>
		Object.fromEntries(
			Object.entries(members)
				.filter(([name]) => name.endsWith("*") || random() < 0.5)
				.map(([name, shape]) => [plainName(name), value(shape, plainName(name))]),
		);
	const text = (given: unknown) =>
		`${typeof given === "object" ? JSON.stringify(given) : given}`.replace(/[\ud800-\udfff]/g, "");

	// Making keys takes a tenth of a second each, and has no member to spoil.
	const slow: OperationName[] = ["CreateKeysAndCertificate", "CreateProvisioningClaim"];
	const names = (Object.keys(operations) as OperationName[]).filter((name) => !slow.includes(name));
	const seen = new Map<string, number>();
	const count = sampleSize(t, 3_000, 8);
	for (let i = 0; i < count; i++) {
		const name = pick(names);
		const { method, path, pathMembers, queryMembers, bodyMembers, headerMembers } = operations[name];
		const values = structure(Object.fromEntries(Object.entries(pathMembers).map(([key, shape]) => [`${key}*`, shape])));
		const target = path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(text(values[key]) || "a"));
		const query = new URLSearchParams(
			Object.entries(structure(queryMembers)).map(([key, given]): [string, string] => [key, text(given)]),
		).toString();
		const headers: Record<string, string> = {};
		for (const [member, header] of Object.entries(headerMembers)) {
			headers[header] = text(value({ type: "string" }, member)).replace(/[^\x20-\x7e]/g, "");
		}
		const body = JSON.stringify(structure(bodyMembers));
		const response = await fetch(`${url}${target}${query && `?${query}`}`, {
			method,
			headers,
			...(method !== "GET" && { body }),
		});
		const type = response.headers.get("x-amzn-errortype") ?? "none";
		const { message } = (await response.json()) as { message?: string };
		const expected = type === "none" ? 200 : AWS_ERROR_STATUS[type as keyof typeof AWS_ERROR_STATUS];
		if (response.status !== expected || response.status >= 500) {
			t.fail(`${name} was answered with ${response.status} ${type}: ${message}`, { target, query, headers, body });
		}
		seen.set(type, (seen.get(type) ?? 0) + 1);
	}
	t.ok(seen.get("none")! > count / 10, "many succeeded");
	t.ok(seen.get("InvalidRequestException")! > count / 10, "many were refused");
	t.ok(seen.size > 6, "in many ways");
	t.equal(
		events
			.since()
			.filter(
				(event) => event.event === "warning" && !/: kept and listed back, but it does nothing/.test(event.message),
			).length,
		1,
		"nothing unexpected but development mode",
	);
	t.ok(registry.state.things.size <= 3, "nothing was made under a name that may not be");
});

t.test("requests with bytes changed, left out, doubled and cut off", async (t) => {
	const { url, port } = await started(t, { accessKeys: [] });
	const random = dice(42);
	const body = JSON.stringify({ thingTypeName: "a", attributePayload: { attributes: { a: "b" }, merge: true } });
	const seeds = [
		`POST /things/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
		"GET /things?maxResults=10&nextToken=YQ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		`POST /things/a HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n`,
		"PUT /things/a/principals HTTP/1.1\r\nHost: 127.0.0.1\r\nx-amzn-principal: arn:aws:iot\r\nConnection: close\r\n\r\n",
		"GET /_local/events?since=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
	].map((seed) => Buffer.from(seed));
	const spoilt = () => {
		let bytes = Buffer.from(seeds[Math.floor(random() * seeds.length)]!);
		for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
			const at = Math.floor(random() * bytes.length);
			const length = Math.floor(random() * 8);
			const kind = random();
			if (kind < 0.4) bytes[at] = Math.floor(random() * 256);
			else if (kind < 0.6) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
			else if (kind < 0.9) bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
			else bytes = bytes.subarray(0, at);
		}
		return bytes;
	};
	const statuses = new Map<string, number>();
	const rounds = sampleSize(t, 60, 10);
	for (let round = 0; round < rounds; round++) {
		const answers = Array.from({ length: 50 }, async () => {
			const socket = connect(port, "127.0.0.1");
			socket.on("error", () => {});
			socket.end(spoilt());
			let answer = "";
			for await (const chunk of socket) answer += chunk;
			return answer;
		});
		for (const answer of await Promise.all(answers)) {
			const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? "none";
			if (status.startsWith("5") || (status === "none" && answer !== "")) t.fail("an answer like none", { answer });
			statuses.set(status, (statuses.get(status) ?? 0) + 1);
		}
	}
	for (const status of ["200", "400", "404"])
		t.ok(statuses.get(status)! >= rounds / 2, `${status} was among the answers`);
	t.equal((await fetch(`${url}/_local/health`)).status, 200, "and it lives");
});
