// The documents that strangers give to the cloud, as targets: payloads of provisioning, template bodies, policies, and requests for
// certificates. The real registry, provisioning and authority read them, and may refuse them only with AWS's errors.

import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { AwsError } from "../../../hosts/cloud/base/errors.js";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../../hosts/cloud/base/samples.js";
import { registerThing } from "../../../hosts/cloud/control/operations/register-thing.js";
import { Authorizer } from "../../../hosts/cloud/mqtt/authorizer.js";
import { evaluate, parsePolicy } from "../../../hosts/cloud/policy/policy.js";
import { damagedCbor, damagedJson } from "../json.js";
import { mutate, type Random } from "../mutate.js";
import { Defect, type Target } from "../target.js";
import { isWellFormed } from "./cbor.js";
import { accountId, arn, everything, openWorld, region, roleArn, type World } from "./world.js";

const seed = (name: string) => readFileSync(new URL(`../seeds/${name}.pem`, import.meta.url));
const csrs = [seed("ec.csr"), seed("rsa.csr")];
const certificates = [seed("certificate"), seed("ed25519.certificate")];

/** Calls it. One of AWS's errors is an answer like any other. */
async function refusable<T>(call: () => T | Promise<T>): Promise<T | undefined> {
	try {
		return await call();
	} catch (error) {
		if (error instanceof AwsError) return undefined;
		throw error;
	}
}

/** A new certificate's ownership token, as a device would get it. */
async function token({ provisioning }: World): Promise<string> {
	const { payload } = await provisioning.handle({
		operation: "CreateKeysAndCertificate",
		encoding: "json",
		payload: new Uint8Array(),
		...asker,
	});
	return JSON.parse(Buffer.from(payload).toString()).certificateOwnershipToken as string;
}

const asker = { claimCertificateId: "c".repeat(64), clientId: "fuzz", connectionId: "fuzz" };
const TOKEN = "the-token";

const payloads: readonly unknown[] = [
	{ certificateSigningRequest: csrs[0]!.toString() },
	{ certificateOwnershipToken: TOKEN, parameters: { SerialNumber: "s1", other: "é" } },
	{},
];

/** The first byte selects operation and encoding; the rest is the payload. Some payloads contain a valid token. */
export const payloadTarget: Target = {
	name: "provisioning payloads",
	unit: "payloads",
	life: 400,
	weight: 1,
	maximumCpu: 3_000,
	form: "bytes",
	generate: (random) => {
		const kind = random.next(6);
		const damaged = kind % 2 === 0 ? damagedCbor(random, payloads) : damagedJson(random, payloads);
		return Uint8Array.from([kind, ...damaged]);
	},
	open: async () => {
		const world = await openWorld();
		return {
			close: world.close,
			run: async (input) => {
				const [kind = 0, ...rest] = input;
				const encoding = kind % 2 === 0 ? "cbor" : "json";
				const operation = (["CreateKeysAndCertificate", "CreateCertificateFromCsr", "RegisterThing"] as const)[
					(kind >> 1) % 3
				]!;
				let payload = new Uint8Array(rest);
				if (operation === "RegisterThing" && encoding === "json") {
					const text = Buffer.from(payload)
						.toString("latin1")
						.replace(TOKEN, await token(world));
					payload = new Uint8Array(Buffer.from(text, "latin1"));
				}
				const reply = await world.provisioning.handle({
					operation,
					encoding,
					...(operation === "RegisterThing" && { templateName: "T" }),
					payload,
					...asker,
				});
				world.faults.check();
				if (encoding === "cbor" && !isWellFormed(reply.payload)) throw new Defect("wrong", "a reply that is no CBOR");
				if (encoding === "json") JSON.parse(Buffer.from(reply.payload).toString());
				if (reply.accepted && encoding === "cbor" && payload.length > 0 && !isWellFormed(payload))
					throw new Defect("wrong", `${operation} takes CBOR that is not well-formed`);
				return 1;
			},
		};
	},
};

const templates: readonly unknown[] = [
	provisioningTemplate("device"),
	{
		Parameters: {
			SerialNumber: { Type: "String", Default: "d" },
			Place: { Type: "String" },
			"AWS::IoT::Certificate::Id": { Type: "String" },
		},
		Mappings: { Places: { berlin: { group: "g", urls: ["a", "b"] }, rome: { group: "g" } } },
		Resources: {
			thing: {
				Type: "AWS::IoT::Thing",
				Properties: {
					ThingName: {
						"Fn::Sub": [
							`t-\${a}-\${!b}-\${SerialNumber}`,
							{ a: { "Fn::Select": ["1", { "Fn::Split": ["-", "x-y-z"] }] } },
						],
					},
					AttributePayload: { version: "v1", place: { Ref: "Place" } },
					ThingGroups: [{ "Fn::FindInMap": ["Places", { Ref: "Place" }, "group"] }],
				},
				OverrideSettings: { AttributePayload: "REPLACE", ThingTypeName: "FAIL", ThingGroups: "MERGE" },
			},
			certificate: {
				Type: "AWS::IoT::Certificate",
				Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
			},
			policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: JSON.stringify(everything) } },
			other: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: everything } },
		},
		DeviceConfiguration: { url: { "Fn::Join": ["/", ["https://a", { Ref: "SerialNumber" }]] }, color: "blue" },
	},
	{
		Parameters: { SerialNumber: { Type: "String" } },
		Resources: {
			thing: {
				Type: "AWS::IoT::Thing",
				Properties: { ThingName: { Ref: "SerialNumber" }, ThingTypeName: "y", BillingGroup: "b" },
			},
			certificate: {
				Type: "AWS::IoT::Certificate",
				Properties: { CertificateSigningRequest: csrs[0]!.toString(), Status: "ACTIVE" },
			},
		},
	},
];

/** A template's body. A template is made of it, which a device and the REST operation RegisterThing then use. */
export const templateTarget: Target = {
	name: "template bodies",
	unit: "bodies",
	life: 400,
	weight: 1,
	maximumCpu: 3_000,
	form: "bytes",
	generate: (random) => damagedJson(random, templates),
	open: async () => {
		const world = await openWorld();
		const { registry, provisioning, settings, faults } = world;
		return {
			close: world.close,
			run: async (input) => {
				const templateBody = Buffer.from(input).toString();
				const parameters = { SerialNumber: "s-1", Place: "berlin" };
				await refusable(() => registerThing(registry, { templateBody, parameters }, settings));
				const made = await refusable(() =>
					registry.templates.createProvisioningTemplate({
						templateName: "F",
						templateBody,
						enabled: true,
						provisioningRoleArn: roleArn,
					}),
				);
				if (!made) return 1;
				const payload = Buffer.from(JSON.stringify({ certificateOwnershipToken: await token(world), parameters }));
				await provisioning.handle({
					operation: "RegisterThing",
					encoding: "json",
					templateName: "F",
					payload,
					...asker,
				});
				await registry.templates.deleteProvisioningTemplate({ templateName: "F" });
				faults.check();
				return 1;
			},
		};
	},
};

const account = { accountId, region };
const policies: readonly unknown[] = [
	everything,
	claimPolicy(account, "T"),
	devicePolicy(account),
	{
		Version: "2012-10-17",
		Id: "i",
		Statement: [
			{
				Sid: "s",
				Effect: "Allow",
				Action: ["iot:Conn*", "iot:Publi?h"],
				NotResource: [arn(`topic/a/\${iot:Connection.Thing.Attributes[place]}/*`), arn(`client/\${iot:ClientId}`)],
				Condition: {
					Bool: { "iot:Connection.Thing.IsAttached": "true" },
					"ForAllValues:StringLike": { "iot:ConnectAttributes": ["Persist*", "LastWill"] },
					IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "::1/128"] },
					StringEqualsIgnoreCaseIfExists: { "iot:Certificate.Subject.CommonName": `\${iot:ClientId}` },
				},
			},
			{
				Effect: "Deny",
				NotAction: "iot:Connect",
				Resource: "*",
				Condition: {
					NumericLessThanEquals: { a: 1 },
					DateGreaterThan: { "aws:CurrentTime": "2026-01-01T00:00:00Z" },
					Null: { "iot:Certificate.Issuer.Country": "true" },
					"ForAnyValue:ArnNotLike": { b: [arn("*")] },
				},
			},
		],
	},
];
const denial = parsePolicy(
	JSON.stringify({ ...everything, Statement: [{ Effect: "Deny", Action: "*", Resource: "*" }] }),
);
const asked = [
	["iot:Connect", "client", "dev-a", ["PersistentConnect", "LastWill"]],
	["iot:Publish", "topic", "a/b/c", []],
	["iot:Receive", "topic", "devices/dev-a/é\0", []],
	["iot:Subscribe", "topicfilter", "a/+/#", []],
	["iot:RetainPublish", "topic", "a".repeat(256), []],
] as const;

/** A policy document, which is stored, attached and evaluated. */
export const policyTarget: Target = {
	name: "policy documents",
	unit: "documents",
	life: 400,
	weight: 1,
	maximumCpu: 3_000,
	form: "bytes",
	generate: (random) => damagedJson(random, policies),
	open: async () => {
		const world = await openWorld();
		const { registry, settings, now } = world;
		const authorizer = new Authorizer(registry, settings, now);
		const { certificateId, certificateArn: target } = registry.certificates.registerCertificateWithoutCA({
			certificatePem: certificates[0]!.toString(),
			status: "ACTIVE",
		});
		registry.things.createThing({ thingName: "dev-a", attributePayload: { attributes: { place: "b" } } });
		registry.thingPrincipals.attachThingPrincipal({ thingName: "dev-a", principal: target });
		return {
			close: async () => {
				authorizer.close();
				await world.close();
			},
			run: async (input) => {
				const policyDocument = Buffer.from(input).toString();
				const policyName = "fuzzed";
				if (!(await refusable(() => registry.policies.createPolicy({ policyName, policyDocument })))) return 1;
				registry.policies.attachPolicy({ policyName, target });
				for (const clientId of ["dev-a", "c1", "*"]) {
					for (const [action, kind, name, attributes] of asked) {
						const facts = { principal: certificateId, clientId, sourceIp: "127.0.0.1" };
						const { allowed, statement, explanation } = authorizer.decide(facts, action, kind, name, attributes);
						if (typeof allowed !== "boolean" || explanation === "")
							throw new Defect("wrong", "a decision that is none");
						if (allowed && !statement) throw new Defect("privilege", `${action} is allowed by no statement`);
						const denied = evaluate(
							[
								{ policyName, policy: parsePolicy(policyDocument) },
								{ policyName: "denial", policy: denial },
							],
							{ action, resource: arn(`${kind}/${name}`), variables: new Map([["iot:ClientId", clientId]]) },
						);
						if (denied.allowed) throw new Defect("privilege", `${action} is allowed beside a Deny of everything`);
					}
				}
				registry.policies.detachPolicy({ policyName, target });
				registry.policies.deletePolicy({ policyName });
				return 1;
			},
		};
	},
};

/** PEM whose content has been damaged, and in some cases the PEM text as well. */
function spoiltPem(random: Random, seeds: readonly Buffer[]): Uint8Array {
	const pem = random.pick(seeds).toString();
	const [, label = "", body = ""] = /-----BEGIN (.+?)-----([^-]+)-----END/.exec(pem) ?? [];
	const der = Buffer.from(body, "base64");
	const damaged = Buffer.from(
		mutate(random, [
			der,
			...seeds.map((other) => Buffer.from(other.toString().replaceAll(/-----.*?-----/g, ""), "base64")),
		]),
	);
	const lines = damaged.toString("base64").replaceAll(/.{64}/g, "$&\n");
	const text = Buffer.from(`-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`);
	return random.once(6) ? mutate(random, [text, ...seeds]) : new Uint8Array(text);
}

/** A signing request or a certificate in PEM, as devices and operators send them. */
export const pemTarget: Target = {
	name: "requests and certificates",
	unit: "PEM texts",
	life: 300,
	weight: 1,
	maximumCpu: 3_000,
	form: "bytes",
	generate: (random) => spoiltPem(random, random.once(3) ? certificates : csrs),
	open: async () => {
		const world = await openWorld();
		const { registry, authority } = world;
		return {
			close: world.close,
			run: async (input) => {
				const pem = Buffer.from(input).toString("latin1");
				const issued = await refusable(() => authority.createCertificateFromCsr(pem));
				if (issued) {
					const made = new X509Certificate(issued.certificatePem);
					if (createHash("sha256").update(made.raw).digest("hex") !== issued.certificateId)
						throw new Defect("wrong", "a certificate whose id is another's");
				}
				await refusable(() =>
					registry.certificates.registerCertificate({ certificatePem: pem, caCertificatePem: pem }),
				);
				await refusable(() => registry.certificates.registerCertificate({ certificatePem: pem }));
				const kept = await refusable(() =>
					registry.certificates.registerCertificateWithoutCA({ certificatePem: pem, status: "ACTIVE" }),
				);
				if (kept) {
					const authorizer = new Authorizer(registry, world.settings, world.now);
					const facts = { principal: kept.certificateId, clientId: "c", sourceIp: "127.0.0.1" };
					if (authorizer.decide(facts, "iot:Connect", "client", "c").allowed)
						throw new Defect("privilege", "a certificate without a policy may connect");
					authorizer.close();
				}
				return 1;
			},
		};
	},
};
