// Who may call the control plane: signatures as AWS's own SDK makes them, right and spoilt, and what IAM policies allow.

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as sdk from "@aws-sdk/client-iot";
import {
	CreatePolicyCommand,
	CreateProvisioningClaimCommand,
	CreateProvisioningTemplateCommand,
	CreateThingCommand,
	DescribeCertificateCommand,
	DescribeThingCommand,
	GetPolicyCommand,
	type IoTClient,
	ListThingsCommand,
} from "@aws-sdk/client-iot";
import t from "tap";
import { AccessKeyError, parseAccessKeys, readAccessKeys } from "../../../hosts/cloud/control/iam.js";
import { operations } from "../../../hosts/cloud/control/operations.js";
import { expectedSignature } from "../../../hosts/cloud/control/sigv4.js";
import { accessKey, accountId, administrator, arn, refusal, region, roleArn, started } from "./started.js";

interface SignedRequest {
	method: string;
	path: string;
	query: Record<string, string>;
	headers: Record<string, string>;
	body?: Uint8Array;
}

/** Has a client change its requests after they were signed. */
function spoil(client: IoTClient, change: (request: SignedRequest) => void): IoTClient {
	client.middlewareStack.add(
		(next) => (args) => {
			change((args as { request: SignedRequest }).request);
			return next(args);
		},
		{ step: "finalizeRequest", priority: "low", name: "spoil" },
	);
	return client;
}

const policy = (...statements: object[]) => ({
	Version: "2012-10-17",
	Statement: statements.map((statement) => ({ Effect: "Allow", Resource: "*", ...statement })),
});
const forbidden = { name: "AccessDeniedException", status: 403 };

t.test("signatures are those of AWS's published test suite", async (t) => {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	const signature = (method: string, target: string) =>
		expectedSignature(
			{
				accessKeyId: "AKIDEXAMPLE",
				scope: "20150830/us-east-1/service/aws4_request",
				time: "20150830T123600Z",
				signedHeaders: ["host", "x-amz-date"],
			},
			secret,
			{ method, target, rawHeaders: ["Host", "example.amazonaws.com", "X-Amz-Date", "20150830T123600Z"] },
			new Uint8Array(),
		).toString("hex");
	t.equal(signature("GET", "/"), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "get-vanilla");
	t.equal(signature("POST", "/"), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "post-vanilla");
	t.equal(
		signature("GET", "/?Param2=value2&Param1=value1"),
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		"get-vanilla-query-order-key-case",
	);
	t.equal(
		signature("GET", "/example/../"),
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		"get-relative",
	);
});

t.test("a request with names that need escaping is signed right", async (t) => {
	const aws = (await started(t)).client();
	const policyName = "a=1,b@c.d+e_-";
	await aws.send(new CreatePolicyCommand({ policyName, policyDocument: JSON.stringify(policy({ Action: "iot:*" })) }));
	t.equal((await aws.send(new GetPolicyCommand({ policyName }))).policyName, policyName);
	await aws.send(new CreateThingCommand({ thingName: "a:b_c-d" }));
	t.equal((await aws.send(new DescribeThingCommand({ thingName: "a:b_c-d" }))).thingName, "a:b_c-d");
	const search = { attributeName: "a.,@/:#-", attributeValue: "=[x]/@:#" };
	t.same((await aws.send(new ListThingsCommand(search))).things, [], "in the query too");
});

t.test("whatever is changed after signing makes the signature wrong", async (t) => {
	const cloud = await started(t);
	const wrong = { name: "InvalidSignatureException", status: 403, message: /^The request signature we calculated/ };
	const send = (change: (request: SignedRequest) => void) =>
		refusal(
			spoil(cloud.client(), change).send(
				new CreateThingCommand({ thingName: "a", attributePayload: { attributes: { b: "c" } } }),
			),
		);
	t.match(
		await send((request) => (request.body = Buffer.from(new TextDecoder().decode(request.body).replace('"c"', '"d"')))),
		wrong,
		"body",
	);
	t.match(await send((request) => (request.path = "/things/b")), wrong, "path");
	t.match(await send((request) => (request.query = { x: "y" })), wrong, "query");
	t.match(await send((request) => (request.headers["content-type"] = "text/plain")), wrong, "signed header");
	t.match(
		await send((request) => {
			request.headers.authorization = request.headers.authorization!.replace(/.$/, (c) => (c === "0" ? "1" : "0"));
		}),
		wrong,
		"signature",
	);
	for (const name of ["x-amz-more", "x-amzn-principal"]) {
		t.match(await send((request) => (request.headers[name] = "1")), {
			name: "InvalidSignatureException",
			message: `'${name}' must be a 'SignedHeader' in the AWS Authorization.`,
		});
	}
	t.equal(cloud.registry.things.get("a"), undefined, "and nothing was done");
	t.equal(cloud.events.since().filter(({ event }) => event === "unauthorized").length, 7, "each was reported");
	await spoil(cloud.client(), (request) => (request.headers["user-agent"] = "other")).send(new ListThingsCommand({}));
	t.pass("a header that is not signed may change on the way");
});

t.test("a wrong secret, an unknown key and a missing session token are told apart as AWS does", async (t) => {
	const guest = { ...accessKey("guest", policy({ Action: "iot:*" })), sessionToken: "session-of-guest" };
	const cloud = await started(t, { accessKeys: [administrator, guest] });
	const list = (key: typeof guest | typeof administrator) => cloud.client(key).send(new ListThingsCommand({}));
	t.match(await refusal(list({ ...administrator, secretAccessKey: "wrong" })), {
		name: "InvalidSignatureException",
		status: 403,
	});
	const unknown = { name: "UnrecognizedClientException", status: 403 };
	for (const accessKeyId of ["AKIANOBODY", "a", "any", "with-dashes.and+more", "A".repeat(200), "A".repeat(5_000)])
		t.match(await refusal(list({ ...administrator, accessKeyId })), unknown, `${accessKeyId.length} characters`);
	t.ok(
		cloud.events.since().every((event) => event.event !== "unauthorized" || event.principal.length <= 128),
		"and no event repeats more than 128 of them",
	);
	const { sessionToken, ...noToken } = guest;
	t.match(await refusal(list(noToken)), unknown);
	t.match(await refusal(list({ ...guest, sessionToken: "other" })), unknown);
	t.match(
		await refusal(list({ ...administrator, sessionToken })),
		unknown,
		"nor is a token taken that belongs to another",
	);
	await list(guest);
	t.match(cloud.events.since()[0], {
		event: "unauthorized",
		principal: administrator.accessKeyId,
		action: "iot:ListThings",
		error: "InvalidSignatureException",
		explanation: /Signature Version 4/,
	});
	t.notMatch(JSON.stringify(cloud.events.since()), /secret-of|session-of|wrong/, "no secret in any event");
});

t.test("a signature is good for five minutes, this region and this service", async (t) => {
	for (const [minutes, message] of [
		[6, /^Signature expired: \d{8}T\d{6}Z is now earlier than/],
		[-6, /^Signature not yet current: \d{8}T\d{6}Z is still later than/],
	] as const) {
		const cloud = await started(t, { now: () => Date.now() + minutes * 60_000 });
		const sent = cloud.client().send(new ListThingsCommand({}));
		t.match(await refusal(sent), { name: "InvalidSignatureException", status: 403, message });
	}
	const cloud = await started(t, { now: () => Date.now() + 4 * 60_000 });
	await cloud.client().send(new ListThingsCommand({}));
	t.match(await refusal(cloud.client(administrator, { region: "us-east-1" }).send(new ListThingsCommand({}))), {
		name: "InvalidSignatureException",
		message: /valid region/,
	});
	const other = spoil(cloud.client(), ({ headers }) => {
		headers.authorization = headers.authorization!.replace("/iot/", "/s3/");
	});
	t.match(await refusal(other.send(new ListThingsCommand({}))), {
		name: "InvalidSignatureException",
		message: "Credential should be scoped to correct service: 'iot'.",
	});
});

t.test("older clients sign for execute-api", async (t) => {
	const { url, port } = await started(t);
	const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
	const { accessKeyId, secretAccessKey } = administrator;
	const scope = `${time.slice(0, 8)}/${region}/execute-api/aws4_request`;
	const signedHeaders = ["host", "x-amz-date"];
	const signature = expectedSignature(
		{ accessKeyId, scope, time, signedHeaders },
		secretAccessKey,
		{ method: "GET", target: "/things", rawHeaders: ["host", `127.0.0.1:${port}`, "x-amz-date", time] },
		new Uint8Array(),
	).toString("hex");
	const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`;
	t.equal((await fetch(`${url}/things`, { headers: { authorization, "x-amz-date": time } })).status, 200);
});

t.test("what is no signature at all gets the name AWS has for it", async (t) => {
	const { url } = await started(t);
	const ask = async (headers: Record<string, string>) => {
		const response = await fetch(`${url}/things`, { headers });
		return [response.status, response.headers.get("x-amzn-errortype"), ((await response.json()) as Error).message];
	};
	t.same(await ask({}), [403, "MissingAuthenticationTokenException", "Missing Authentication Token"]);
	const incomplete = [403, "IncompleteSignatureException"];
	const date = { "x-amz-date": "20260101T000000Z" };
	for (const authorization of [
		"Bearer x",
		"AWS4-HMAC-SHA256",
		"AWS4-HMAC-SHA256 ,,,===",
		"AWS4-HMAC-SHA256 Credential=AKIA/b/c/d/e, SignedHeaders=host",
		"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0",
		"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/iot/aws4_request/x, SignedHeaders=host, Signature=0",
	]) {
		t.same((await ask({ authorization, ...date })).slice(0, 2), incomplete, authorization);
	}
	const credential = `Credential=AKIA/20260101/${region}/iot/aws4_request`;
	const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=0`;
	t.same(await ask({ authorization }), [
		...incomplete,
		"Authorization header requires existence of an 'X-Amz-Date' header.",
	]);
	for (const time of ["20260101", "20260102T000000Z", "20260199T000000Z", "20260101T250000Z"]) {
		t.equal((await ask({ authorization, "x-amz-date": time }))[1], "InvalidSignatureException", time);
	}
});

t.test("the trusted user may make claims for one template, and do nothing else whatever", async (t) => {
	const templateArn = arn("provisioningtemplate/fleet");
	const installer = accessKey("installer", policy({ Action: "iot:CreateProvisioningClaim", Resource: templateArn }));
	const cloud = await started(t, { accessKeys: [administrator, installer] });
	const template = {
		templateBody: JSON.stringify({
			Resources: {
				certificate: {
					Type: "AWS::IoT::Certificate",
					Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" } },
				},
			},
		}),
		provisioningRoleArn: roleArn,
		enabled: true,
	};
	for (const templateName of ["fleet", "fleet2"]) {
		await cloud.client().send(new CreateProvisioningTemplateCommand({ ...template, templateName }));
	}
	const aws = cloud.client(installer);
	const claim = await aws.send(new CreateProvisioningClaimCommand({ templateName: "fleet" }));
	t.match(claim.certificateId, /^[0-9a-f]{64}$/);
	t.match(await refusal(aws.send(new CreateProvisioningClaimCommand({ templateName: "fleet2" }))), {
		...forbidden,
		message:
			`User: ${installer.principal} is not authorized to perform: iot:CreateProvisioningClaim on resource: ${templateArn}2 ` +
			"because no identity-based policy allows the iot:CreateProvisioningClaim action",
	});

	// One object with every required member that any operation has: each command takes what it needs of it.
	const input = {
		...template,
		templateName: "fleet",
		versionId: 1,
		certificateId: "0".repeat(64),
		certificatePem: "-",
		certificateSigningRequest: "-",
		newStatus: "ACTIVE",
		policyName: "a",
		policyDocument: "{}",
		policyVersionId: "1",
		target: arn("thinggroup/a"),
		principal: arn(`cert/${"0".repeat(64)}`),
		thingName: "a",
		thingGroupName: "a",
		thingGroupProperties: {},
		thingTypeName: "a",
		billingGroupName: "a",
		resourceArn: templateArn,
		tags: [{ Key: "a", Value: "b" }],
		tagKeys: ["a"],
		ruleName: "a",
		topicRulePayload: { sql: "SELECT * FROM 'a'", actions: [] },
		roleAlias: "a",
		roleArn,
		billingGroupProperties: {},
		jobId: "a",
		targets: [arn("thing/a")],
		document: "{}",
		executionNumber: 1,
		authorizerName: "a",
		authorizerFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:a",
		caCertificate: "-",
		caCertificateId: "0".repeat(64),
		certificateProviderName: "a",
		lambdaFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:a",
		accountDefaultForOperations: ["CreateCertificateFromCsr"],
	};
	const commands = new Map<string, unknown>(Object.entries(sdk));
	const before = cloud.registry.state.certificates.size;
	for (const name of Object.keys(operations)) {
		if (name === "CreateProvisioningClaim") continue;
		const Command = commands.get(`${name}Command`) as typeof ListThingsCommand;
		// There, tags are a text in a header.
		const asked = name === "CreateTopicRule" ? { ...input, tags: "a=b" } : input;
		t.match(await refusal(aws.send(new Command(asked as object))), forbidden, name);
	}
	t.equal(cloud.registry.state.certificates.size, before);
	await refusal(aws.send(new sdk.ListTagsForResourceCommand({ resourceArn: templateArn })));
	t.match(cloud.events.since().at(-1), {
		event: "unauthorized",
		principal: installer.principal,
		resource: templateArn,
		explanation: String,
	});
});

t.test("IAM policies decide: Deny beats Allow, and conditions and tags count", async (t) => {
	const keys = {
		nobody: accessKey("nobody"),
		denied: accessKey(
			"denied",
			policy(
				{ Action: "*" },
				{ Effect: "Deny", Action: "iot:create*", Resource: arn("thing/secret*") },
				{ Effect: "Deny", Action: "iot:DescribeCertificate", Resource: arn(`cert/${"a".repeat(64)}`) },
			),
		),
		notAction: accessKey("notaction", policy({ NotAction: "iot:CreateThing" })),
		notResource: accessKey(
			"notresource",
			policy({ Action: "iot:*", Resource: undefined, NotResource: arn("thing/a") }),
		),
		here: accessKey("here", policy({ Action: "iot:*", Condition: { IpAddress: { "aws:SourceIp": "127.0.0.0/8" } } })),
		elsewhere: accessKey(
			"elsewhere",
			policy({ Action: "iot:*", Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } }),
		),
		tagging: accessKey(
			"tagging",
			policy({ Action: "iot:*", Condition: { StringEquals: { "aws:RequestTag/team": "a" } } }),
		),
		// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
		own: accessKey("own", policy({ Action: "iot:*", Resource: arn("thing/${aws:username}-*") })),
		roleless: accessKey("roleless", policy({ Action: "iot:*" })),
		passing: accessKey(
			"passing",
			policy(
				{ Action: "iot:*" },
				{
					Action: "iam:PassRole",
					Resource: roleArn,
					Condition: { StringEquals: { "iam:PassedToService": "iot.amazonaws.com" } },
				},
			),
		),
	};
	const cloud = await started(t, { accessKeys: Object.values(keys) });
	const thing = (key: keyof typeof keys, thingName = "a") =>
		cloud.client(keys[key]).send(new CreateThingCommand({ thingName }));
	t.match(await refusal(thing("nobody")), forbidden);
	await thing("denied");
	t.match(await refusal(thing("denied", "secret-1")), {
		...forbidden,
		message: /with an explicit deny in an identity-based policy$/,
	});
	t.match(cloud.events.since().at(-1), { statement: { index: 1 } }, "the event names the statement");
	for (const certificateId of ["a".repeat(64), "A".repeat(64)]) {
		const described = cloud.client(keys.denied).send(new DescribeCertificateCommand({ certificateId }));
		t.match(await refusal(described), forbidden, "in whatever letters it is asked for");
	}
	t.match(await refusal(thing("notAction")), forbidden);
	await cloud.client(keys.notAction).send(new DescribeThingCommand({ thingName: "a" }));
	t.match(await refusal(thing("notResource")), forbidden);
	await thing("notResource", "b");
	await thing("here");
	t.match(await refusal(thing("elsewhere")), forbidden);
	await thing("own", "own-1");
	t.match(await refusal(thing("own", "other-1")), forbidden);

	const tagged = (team: string) =>
		cloud.client(keys.tagging).send(
			new CreatePolicyCommand({
				policyName: team,
				policyDocument: JSON.stringify(policy({ Action: "iot:*" })),
				tags: [{ Key: "team", Value: team }],
			}),
		);
	await tagged("a");
	t.match(await refusal(tagged("b")), forbidden);

	const template = (key: keyof typeof keys, provisioningRoleArn: string) =>
		cloud.client(keys[key]).send(
			new CreateProvisioningTemplateCommand({
				templateName: key,
				templateBody: JSON.stringify({
					Resources: { policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "a" } } },
				}),
				provisioningRoleArn,
			}),
		);
	t.match(await refusal(template("roleless", roleArn)), { ...forbidden, message: /iam:PassRole on resource: .*:role/ });
	t.match(await refusal(template("passing", `${roleArn}2`)), forbidden);
	await template("passing", roleArn);
});

t.test("without access keys any signature does, but on loopback only", async (t) => {
	const open = await started(t, { accessKeys: [] });
	await open.client(accessKey("anybody")).send(new ListThingsCommand({}));
	t.equal((await fetch(`${open.url}/things`)).status, 200, "none is needed");
	const wide = await started(t, { accessKeys: [], host: "0.0.0.0" });
	const client = wide.client(accessKey("anybody"), { endpoint: `http://127.0.0.1:${wide.port}` });
	t.match(await refusal(client.send(new ListThingsCommand({}))), { name: "UnrecognizedClientException" });
});

t.test("without signatures no web page may call", async (t) => {
	const { url, port } = await started(t, { accessKeys: [] });
	const ask = async (headers: Record<string, string>) =>
		(await fetch(`${url}/keys-and-certificate`, { method: "POST", headers })).status;
	t.equal(await ask({ origin: "http://evil.example" }), 403);
	t.equal(await ask({ origin: "null" }), 403);
	t.equal(await ask({ "sec-fetch-site": "cross-site" }), 403);
	t.equal(await ask({ origin: `http://127.0.0.1:${port}` }), 200);
});

t.test("an access key file that others can read, or that is not understood wholly, is refused", async (t) => {
	const directory = t.testdir();
	const file = join(directory, "keys.json");
	const key = {
		accessKeyId: "AKIAFILE",
		secretAccessKey: "secret-of-file",
		principal: `arn:aws:iam::${accountId}:user/file`,
		policies: [policy({ Action: "iot:*" })],
	};
	writeFileSync(file, JSON.stringify({ accessKeys: [key] }), { mode: 0o600 });
	t.match(readAccessKeys(file), [{ accessKeyId: "AKIAFILE", principal: key.principal }]);
	chmodSync(file, 0o640);
	t.throws(() => readAccessKeys(file), { name: "AccessKeyError", message: /chmod 600/ });
	t.throws(() => readAccessKeys(join(directory, "none")), { name: "AccessKeyError", message: /ENOENT/ });
	writeFileSync(join(directory, "bad"), `{"secretAccessKey": "secret-of-file", `, { mode: 0o600 });
	t.throws(() => readAccessKeys(join(directory, "bad")), { name: "AccessKeyError", message: /is not JSON/ });

	for (const [wrong, message] of [
		[[{ ...key, accessKeyId: "a b" }], /accessKeyId/],
		[[{ ...key, secretAccessKey: 1 }], /secretAccessKey/],
		[[{ ...key, sessionToken: "" }], /sessionToken/],
		[[{ ...key, principal: "file" }], /principal/],
		[[{ ...key, policies: undefined }], /policies/],
		[[{ ...key, policies: [{}] }], /policies\[0\]/],
		[[{ ...key, policies: [policy({ Action: "iot:*", Resources: "*" })] }], /policies\[0\]/],
		[[{ ...key, policies: [policy({ Action: "iot:*", Effect: "Permit" })] }], /policies\[0\]/],
		[[{ ...key, policies: [policy({ Action: "iot:*", Condition: { StringIs: { a: "b" } } })] }], /StringIs/],
		[[key, key], /twice/],
		[key, /list/],
		[["key"], /object/],
	] as const) {
		try {
			parseAccessKeys(wrong);
			t.fail("taken", { wrong });
		} catch (error) {
			t.ok(error instanceof AccessKeyError);
			t.match((error as Error).message, message);
			t.notMatch((error as Error).message, /secret-of/);
		}
	}
});
