// The control plane as a target: bytes on a TCP connection to its real server. They are requests for each operation, with members
// of every kind, which are then damaged.

import { once } from "node:events";
import { connect } from "node:net";
import { AWS_ERROR_STATUS } from "../../../hosts/cloud/base/errors.js";
import { EventLog, Metrics } from "../../../hosts/cloud/base/events.js";
import { provisioningTemplate } from "../../../hosts/cloud/base/samples.js";
import { type OperationName, operations } from "../../../hosts/cloud/control/operations.js";
import { startControlPlane } from "../../../hosts/cloud/control/server.js";
import { type Members, plainName, type Shape } from "../../../hosts/cloud/control/shapes.js";
import { type accessKey, administrator, servicesOf } from "../../cloud/control/started.js";
import { anything } from "../json.js";
import { mutate, type Random } from "../mutate.js";
import { Defect, type Target } from "../target.js";
import { arn, everything, openWorld, roleArn } from "./world.js";

const certificateId = "0".repeat(64);
/** Good values by member, so that many requests pass validation and reach the registry. */
const good: Readonly<Record<string, readonly unknown[]>> = {
	templateName: ["a", "T"],
	templateBody: [JSON.stringify(provisioningTemplate("device"))],
	provisioningRoleArn: [roleArn],
	versionId: [1, 2],
	policyName: ["a", "device"],
	policyDocument: [JSON.stringify(everything)],
	policyVersionId: ["1", "2"],
	target: [arn("thinggroup/a"), arn(`cert/${certificateId}`)],
	principal: [arn(`cert/${certificateId}`)],
	certificateId: [certificateId],
	thingGroupArn: [arn("thinggroup/a")],
	thingArn: [arn("thing/a")],
	resourceArn: [arn("policy/a"), arn("provisioningtemplate/a")],
	nextToken: ["YQ"],
	marker: ["YQ"],
};

function memberOf(random: Random, shape: Shape, name: string): unknown {
	if (random.once(12)) return anything(random);
	if (Object.hasOwn(good, name)) return random.pick(good[name]!);
	switch (shape.type) {
		case "string":
			return shape.enum ? random.pick(shape.enum) : random.pick(["a", "b", "a:b_c-d"]);
		case "integer":
			return random.pick([1, 2, 250, 251, 0]);
		case "boolean":
			return random.once(2);
		case "list":
			return Array.from({ length: random.next(4) }, () => memberOf(random, shape.member, ""));
		case "map":
			return Object.fromEntries(["a", "b", "__proto__"].map((key) => [key, memberOf(random, shape.value, "")]));
		case "structure":
			return structureOf(random, shape.members);
	}
}

function structureOf(random: Random, members: Members): Record<string, unknown> {
	return Object.fromEntries(
		Object.entries(members)
			.filter(([name]) => name.endsWith("*") || random.once(2))
			.map(([name, shape]) => [plainName(name), memberOf(random, shape, plainName(name))]),
	);
}

const text = (value: unknown) =>
	(typeof value === "object" ? JSON.stringify(value) : `${value}`).replaceAll(/\p{Surrogate}/gu, "");

// Left out: making a key takes a tenth of a second, and the request has no interesting member.
const names = (Object.keys(operations) as OperationName[]).filter(
	(name) => name !== "CreateKeysAndCertificate" && name !== "CreateProvisioningClaim",
);
const local = [
	"GET /_local/health",
	"GET /_local/metrics",
	"GET /_local/settings",
	"GET /_local/events?since=1",
	"GET /_local/refusals?event=denied",
	"PATCH /_local/settings",
	"GET /../things",
	"OPTIONS *",
	"CONNECT a:1",
	"TRACE /things",
];
const headers = [
	"Accept: text/event-stream",
	"Last-Event-ID: 9e99",
	"Expect: 100-continue",
	"Transfer-Encoding: chunked",
	"Transfer-Encoding: gzip, chunked",
	"Content-Length: 5",
	"Content-Length: 999999999999",
	"Upgrade: websocket",
	"Connection: keep-alive, Upgrade",
	"Origin: http://evil.example",
	"Sec-Fetch-Site: cross-site",
	"X-Amz-Date: 20261124T000000Z",
	`Authorization: AWS4-HMAC-SHA256 Credential=${administrator.accessKeyId}/20261124/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`,
	"Authorization: AWS4-HMAC-SHA256 Credential=//////, SignedHeaders=;;, Signature=",
	`X-Amz-Security-Token: ${"t".repeat(100)}`,
	`X-Long: ${"x".repeat(20_000)}`,
	"Host: 127.0.0.1:1",
	"Host:",
];

/** One request as bytes. */
function request(random: Random, close: boolean): Buffer {
	const extra = Array.from({ length: random.pick([0, 0, 0, 1, 2]) }, () => random.pick(headers));
	let line: string;
	let body = "";
	if (random.once(8)) {
		line = random.pick(local);
		body = JSON.stringify(anything(random));
	} else {
		const { method, path, pathMembers, queryMembers, bodyMembers, headerMembers } = operations[random.pick(names)];
		const inPath = structureOf(
			random,
			Object.fromEntries(Object.entries(pathMembers).map(([key, shape]) => [`${key}*`, shape])),
		);
		const target = path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(text(inPath[key])) || "a");
		const query = new URLSearchParams(
			Object.entries(structureOf(random, queryMembers)).map(([key, value]): [string, string] => [key, text(value)]),
		).toString();
		line = `${method} ${target}${query && `?${query}`}`;
		for (const [member, header] of Object.entries(headerMembers))
			extra.push(`${header}: ${text(memberOf(random, { type: "string" }, member)).replaceAll(/[^\x20-\x7e]/g, "")}`);
		if (method !== "GET") body = JSON.stringify(structureOf(random, bodyMembers));
	}
	const length = Buffer.byteLength(body);
	const head = [
		`${line} HTTP/1.1`,
		"Host: 127.0.0.1",
		`Content-Length: ${length}`,
		...(close ? ["Connection: close"] : []),
		...extra,
	];
	return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** What comes back on one connection, and whether the fuzzer had to close it. */
async function exchange(port: number, bytes: Uint8Array): Promise<string> {
	const socket = connect(port, "127.0.0.1");
	socket.on("error", () => {});
	let answer = "";
	socket.setEncoding("latin1");
	socket.on("data", (chunk: string) => {
		answer += chunk;
		// A live stream of events never ends by itself.
		if (answer.includes("text/event-stream")) socket.destroy();
	});
	const late = setTimeout(() => socket.destroy(new Error("late")), 60_000);
	const closed = once(socket, "close");
	socket.end(bytes);
	await closed.catch((error: Error) => {
		if (error.message === "late") throw new Defect("hang", "a request got no answer and no end");
	});
	clearTimeout(late);
	return answer;
}

/** One to three requests on a connection, some of them damaged. The first byte decides whether signatures are checked. */
export const httpTarget: Target = {
	name: "HTTP requests",
	unit: "connections",
	life: 200,
	weight: 2,
	maximumCpu: 3_000,
	form: "bytes",
	generate: (random) => {
		const count = random.pick([1, 1, 1, 2, 3]);
		const whole = Buffer.concat(Array.from({ length: count }, (_, index) => request(random, index === count - 1)));
		const damaged = random.once(3) ? mutate(random, [whole, request(random, true)]) : whole;
		return Uint8Array.from([random.once(5) ? 1 : 0, ...damaged]);
	},
	open: async () => {
		const world = await openWorld();
		const { registry, settings, faults } = world;
		const events = new EventLog(Date.now);
		events.listen(faults.report);
		const start = (accessKeys: readonly ReturnType<typeof accessKey>[]) =>
			startControlPlane({
				registry,
				services: servicesOf(registry, settings, events),
				events,
				metrics: new Metrics(),
				settings,
				accessKeys,
				requestTimeout: 20_000,
			});
		const planes = [await start([]), await start([administrator])] as const;
		const port = (index: number) => Number(new URL(planes[index % 2]!.url).port);
		let count = 0;
		return {
			close: async () => {
				for (const plane of planes) await plane.close();
				await world.close();
			},
			run: async (input) => {
				const [kind = 0] = input;
				const answer = await exchange(port(kind), input.subarray(1));
				if (answer !== "" && !answer.startsWith("HTTP/1.1 ")) throw new Defect("wrong", "an answer that is no HTTP");
				for (const [, status, head = ""] of answer.matchAll(
					/HTTP\/1\.1 (\d{3}) [^\r\n]*((?:\r\n[^\r\n]+)*)\r\n\r\n/g,
				)) {
					const type = /^x-amzn-errortype: (.*)$/im.exec(head)?.[1];
					const expected = type === undefined ? undefined : AWS_ERROR_STATUS[type as keyof typeof AWS_ERROR_STATUS];
					// A request head that Node's parser refuses is answered with a status of HTTP itself.
					if (status === "431" || status === "408") continue;
					if (status === "500" || (expected !== undefined && `${expected}` !== status))
						throw new Defect("wrong", `answered with ${status} ${type}`);
					if (kind % 2 === 1 && status === "200" && !/_local/.test(Buffer.from(input).toString("latin1")))
						throw new Defect("privilege", "a request without a right signature was carried out");
				}
				faults.check();
				if (++count % 20 === 0) {
					const health = await exchange(
						port(0),
						Buffer.from("GET /_local/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
					);
					if (!health.startsWith("HTTP/1.1 200 ")) throw new Defect("hang", "no answer to a good request");
				}
				return 1;
			},
		};
	},
};
