// AWS's own SDK for JavaScript drives every operation the control plane has, refusals and paging included.

import { X509Certificate } from "node:crypto";
import {
	AddThingToThingGroupCommand,
	AttachPolicyCommand,
	AttachPrincipalPolicyCommand,
	AttachThingPrincipalCommand,
	CancelJobCommand,
	CancelJobExecutionCommand,
	ClearDefaultAuthorizerCommand,
	CreateAuthorizerCommand,
	CreateBillingGroupCommand,
	CreateCertificateFromCsrCommand,
	CreateCertificateProviderCommand,
	CreateJobCommand,
	CreateKeysAndCertificateCommand,
	CreatePolicyCommand,
	CreatePolicyVersionCommand,
	CreateProvisioningClaimCommand,
	CreateProvisioningTemplateCommand,
	CreateProvisioningTemplateVersionCommand,
	CreateRoleAliasCommand,
	CreateThingCommand,
	CreateThingGroupCommand,
	CreateThingTypeCommand,
	CreateTopicRuleCommand,
	DeleteAuthorizerCommand,
	DeleteBillingGroupCommand,
	DeleteCACertificateCommand,
	DeleteCertificateCommand,
	DeleteCertificateProviderCommand,
	DeleteJobCommand,
	DeleteJobExecutionCommand,
	DeletePolicyCommand,
	DeletePolicyVersionCommand,
	DeleteProvisioningTemplateCommand,
	DeleteProvisioningTemplateVersionCommand,
	DeleteRegistrationCodeCommand,
	DeleteRoleAliasCommand,
	DeleteThingCommand,
	DeleteThingGroupCommand,
	DeleteThingTypeCommand,
	DeleteTopicRuleCommand,
	DeprecateThingTypeCommand,
	DescribeAuthorizerCommand,
	DescribeBillingGroupCommand,
	DescribeCACertificateCommand,
	DescribeCertificateCommand,
	DescribeCertificateProviderCommand,
	DescribeDefaultAuthorizerCommand,
	DescribeEndpointCommand,
	DescribeEventConfigurationsCommand,
	DescribeJobCommand,
	DescribeJobExecutionCommand,
	DescribeProvisioningTemplateCommand,
	DescribeProvisioningTemplateVersionCommand,
	DescribeRoleAliasCommand,
	DescribeThingCommand,
	DescribeThingGroupCommand,
	DescribeThingTypeCommand,
	DetachPolicyCommand,
	DetachPrincipalPolicyCommand,
	DetachThingPrincipalCommand,
	DisableTopicRuleCommand,
	EnableTopicRuleCommand,
	GetIndexingConfigurationCommand,
	GetJobDocumentCommand,
	GetPolicyCommand,
	GetPolicyVersionCommand,
	GetRegistrationCodeCommand,
	GetTopicRuleCommand,
	GetV2LoggingOptionsCommand,
	type IoTClient,
	ListAttachedPoliciesCommand,
	ListAuthorizersCommand,
	ListBillingGroupsCommand,
	ListCACertificatesCommand,
	ListCertificateProvidersCommand,
	ListCertificatesByCACommand,
	ListCertificatesCommand,
	ListJobExecutionsForJobCommand,
	ListJobExecutionsForThingCommand,
	ListJobsCommand,
	ListPolicyVersionsCommand,
	ListPrincipalPoliciesCommand,
	ListPrincipalThingsCommand,
	ListPrincipalThingsV2Command,
	ListProvisioningTemplatesCommand,
	ListProvisioningTemplateVersionsCommand,
	ListRoleAliasesCommand,
	ListTagsForResourceCommand,
	ListTargetsForPolicyCommand,
	ListThingGroupsCommand,
	ListThingGroupsForThingCommand,
	ListThingPrincipalsCommand,
	ListThingPrincipalsV2Command,
	ListThingsCommand,
	ListThingsInThingGroupCommand,
	ListThingTypesCommand,
	ListTopicRulesCommand,
	paginateListCertificates,
	paginateListPolicies,
	paginateListProvisioningTemplates,
	paginateListThings,
	RegisterCACertificateCommand,
	RegisterCertificateCommand,
	RegisterCertificateWithoutCACommand,
	RegisterThingCommand,
	RemoveThingFromThingGroupCommand,
	ReplaceTopicRuleCommand,
	SetDefaultAuthorizerCommand,
	SetDefaultPolicyVersionCommand,
	SetV2LoggingOptionsCommand,
	TagResourceCommand,
	TestInvokeAuthorizerCommand,
	UntagResourceCommand,
	UpdateAuthorizerCommand,
	UpdateBillingGroupCommand,
	UpdateCACertificateCommand,
	UpdateCertificateCommand,
	UpdateCertificateProviderCommand,
	UpdateEventConfigurationsCommand,
	UpdateIndexingConfigurationCommand,
	UpdateJobCommand,
	UpdateProvisioningTemplateCommand,
	UpdateRoleAliasCommand,
	UpdateThingCommand,
	UpdateThingGroupCommand,
} from "@aws-sdk/client-iot";
import t from "tap";
import { operations } from "../../../hosts/cloud/control/operations.js";
import { makeCa } from "../gate/ca.js";
import { selfSignedCertificate, signingRequest } from "./pem.js";
import { administrator, arn, refusal, roleArn, type Started, started } from "./started.js";

const called = new Set<string>();

/** A client that notes which operations it was used for. */
function clientOf(cloud: Started): IoTClient {
	const client = cloud.client();
	client.middlewareStack.add(
		(next, context) => (args) => {
			called.add(`${context.commandName}`.replace(/Command$/, ""));
			return next(args);
		},
		{ step: "initialize" },
	);
	return client;
}

const allowAll = JSON.stringify({
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
});

function templateBody(prefix = "thing-"): string {
	return JSON.stringify({
		Parameters: { SerialNumber: { Type: "String" } },
		Resources: {
			thing: {
				Type: "AWS::IoT::Thing",
				Properties: { ThingName: { "Fn::Join": ["", [prefix, { Ref: "SerialNumber" }]] } },
			},
			certificate: {
				Type: "AWS::IoT::Certificate",
				Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
			},
			policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
		},
	});
}

const createTemplate = (templateName: string) =>
	new CreateProvisioningTemplateCommand({
		templateName,
		description: "For the tests",
		templateBody: templateBody(),
		enabled: true,
		provisioningRoleArn: roleArn,
		tags: [{ Key: "team", Value: "devices" }],
	});

t.test("a provisioning template is created, described, listed, changed and deleted", async (t) => {
	const aws = clientOf(await started(t));
	const before = Date.now();
	const created = await aws.send(createTemplate("fleet"));
	t.match(created, {
		templateName: "fleet",
		templateArn: arn("provisioningtemplate/fleet"),
		defaultVersionId: 1,
	});

	const described = await aws.send(new DescribeProvisioningTemplateCommand({ templateName: "fleet" }));
	t.match(described, {
		templateName: "fleet",
		templateArn: arn("provisioningtemplate/fleet"),
		description: "For the tests",
		defaultVersionId: 1,
		templateBody: templateBody(),
		enabled: true,
		provisioningRoleArn: roleArn,
		type: "FLEET_PROVISIONING",
	});
	t.ok(described.creationDate instanceof Date && described.creationDate.getTime() >= before - 1, "times are times");

	await aws.send(
		new UpdateProvisioningTemplateCommand({
			templateName: "fleet",
			enabled: false,
			preProvisioningHook: { targetArn: "arn:aws:lambda:eu-west-1:1:function:hook", payloadVersion: "2020-04-01" },
		}),
	);
	t.match(await aws.send(new DescribeProvisioningTemplateCommand({ templateName: "fleet" })), {
		enabled: false,
		description: "For the tests",
		preProvisioningHook: { targetArn: "arn:aws:lambda:eu-west-1:1:function:hook", payloadVersion: "2020-04-01" },
	});
	await aws.send(new UpdateProvisioningTemplateCommand({ templateName: "fleet", removePreProvisioningHook: true }));
	const unhooked = await aws.send(new DescribeProvisioningTemplateCommand({ templateName: "fleet" }));
	t.equal(unhooked.preProvisioningHook, undefined, "the hook is gone");

	for (const name of ["a", "b", "c"]) await aws.send(createTemplate(name));
	const names: (string | undefined)[] = [];
	let pages = 0;
	for await (const page of paginateListProvisioningTemplates({ client: aws, pageSize: 3 }, {})) {
		pages++;
		names.push(...page.templates!.map((template) => template.templateName));
	}
	t.same([pages, names], [2, ["a", "b", "c", "fleet"]], "four templates in pages of three");
	const [first] = (await aws.send(new ListProvisioningTemplatesCommand({ maxResults: 1 }))).templates!;
	t.match(first, { templateName: "a", enabled: true, type: "FLEET_PROVISIONING", creationDate: Date });

	await aws.send(new DeleteProvisioningTemplateCommand({ templateName: "fleet" }));
	t.match(await refusal(aws.send(new DescribeProvisioningTemplateCommand({ templateName: "fleet" }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
});

t.test("a template left without `enabled` is disabled", async (t) => {
	const aws = clientOf(await started(t));
	await aws.send(
		new CreateProvisioningTemplateCommand({
			templateName: "fleet",
			templateBody: templateBody(),
			provisioningRoleArn: roleArn,
		}),
	);
	t.match(await aws.send(new DescribeProvisioningTemplateCommand({ templateName: "fleet" })), { enabled: false });
});

t.test("a template has at most five versions, and the default one cannot be deleted", async (t) => {
	const aws = clientOf(await started(t));
	const templateName = "fleet";
	const addVersion = (setAsDefault?: boolean) =>
		aws.send(
			new CreateProvisioningTemplateVersionCommand({
				templateName,
				templateBody: templateBody("other-"),
				...(setAsDefault !== undefined && { setAsDefault }),
			}),
		);
	await aws.send(createTemplate(templateName));
	t.match(await addVersion(), { versionId: 2, isDefaultVersion: false, templateName });
	t.match(await addVersion(true), { versionId: 3, isDefaultVersion: true });
	t.match(await aws.send(new DescribeProvisioningTemplateCommand({ templateName })), {
		defaultVersionId: 3,
		templateBody: templateBody("other-"),
	});
	t.match(await aws.send(new DescribeProvisioningTemplateVersionCommand({ templateName, versionId: 1 })), {
		versionId: 1,
		isDefaultVersion: false,
		templateBody: templateBody(),
		creationDate: Date,
	});
	await aws.send(new UpdateProvisioningTemplateCommand({ templateName, defaultVersionId: 1 }));
	await addVersion();
	await addVersion();
	t.match(await refusal(addVersion()), { name: "VersionsLimitExceededException", status: 409 });

	const listed: (number | undefined)[] = [];
	let nextToken: string | undefined;
	do {
		const page = await aws.send(
			new ListProvisioningTemplateVersionsCommand({ templateName, maxResults: 2, ...(nextToken && { nextToken }) }),
		);
		listed.push(...page.versions!.map((version) => version.versionId));
		nextToken = page.nextToken;
	} while (nextToken !== undefined);
	t.same(listed, [1, 2, 3, 4, 5]);

	t.match(await refusal(aws.send(new DeleteProvisioningTemplateVersionCommand({ templateName, versionId: 1 }))), {
		name: "DeleteConflictException",
		status: 409,
	});
	await aws.send(new DeleteProvisioningTemplateVersionCommand({ templateName, versionId: 5 }));
	t.match(await addVersion(), { versionId: 6 }, "a number is not used twice");
	t.match(await refusal(aws.send(new DescribeProvisioningTemplateVersionCommand({ templateName, versionId: 5 }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
});

t.test("what breaks a limit of a template is refused in AWS's words", async (t) => {
	const aws = clientOf(await started(t));
	const good = { templateName: "fleet", templateBody: templateBody(), provisioningRoleArn: roleArn };
	const create = (change: Partial<typeof good> & Record<string, unknown>) =>
		refusal(aws.send(new CreateProvisioningTemplateCommand({ ...good, ...change } as never)));
	const invalid = { name: "InvalidRequestException", status: 400 };
	t.match(await create({ templateName: "no blanks" }), {
		...invalid,
		message:
			"1 validation error detected: Value 'no blanks' at 'templateName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9A-Za-z_-]+$",
	});
	t.match(await create({ templateName: "x".repeat(37) }), {
		...invalid,
		message: /at 'templateName' failed to satisfy constraint: Member must have length less than or equal to 36/,
	});
	t.match(await create({ templateBody: `"${"x".repeat(10_240)}"` }), { ...invalid, message: /10240/ });
	t.match(await create({ templateBody: "{" }), invalid);
	t.match(await create({ description: "x".repeat(501) }), { ...invalid, message: /'description'.*500/ });
	t.match(await create({ description: "bell\u0007" }), { ...invalid, message: /'description'/ });
	t.match(await create({ provisioningRoleArn: "short" }), { ...invalid, message: /'provisioningRoleArn'.*20/ });
	t.match(await create({ type: "OTHER" }), {
		...invalid,
		message: /'type' .*Member must satisfy enum value set: \[FLEET_PROVISIONING, JITP\]/,
	});
	t.match(await create({ preProvisioningHook: { targetArn: "arn:x", payloadVersion: "1" } }), {
		...invalid,
		message: /'preProvisioningHook.payloadVersion'/,
	});
	t.match(await create({ tags: [{ Key: "ok" }, { Key: "" }] }), { ...invalid, message: /'tags.2.member.Key'/ });
	t.match(await create({ templateName: "", description: "\u0000" }), {
		...invalid,
		message: /^3 validation errors detected: .*; .*; /,
	});
	await aws.send(createTemplate("fleet"));
	t.match(await create({}), {
		name: "ResourceAlreadyExistsException",
		status: 409,
		message: "Template with name fleet already exists",
	});
	for (const maxResults of [0, 251]) {
		t.match(await refusal(aws.send(new ListProvisioningTemplatesCommand({ maxResults }))), invalid);
	}
	t.match(await refusal(aws.send(new ListProvisioningTemplatesCommand({ nextToken: "%" }))), invalid);
});

t.test("a provisioning claim lives five minutes and is in no list", async (t) => {
	const now = 1_800_000_000_000;
	const cloud = await started(t, { now: () => now, signatures: "any" });
	const aws = clientOf(cloud);
	await aws.send(createTemplate("fleet"));
	const claim = await aws.send(new CreateProvisioningClaimCommand({ templateName: "fleet" }));
	t.equal(claim.expiration!.getTime(), now + 300_000);
	t.match(claim.certificateId, /^[0-9a-f]{64}$/);
	t.match(claim.certificatePem, /^-----BEGIN CERTIFICATE-----\n/);
	t.match(claim.keyPair?.PrivateKey, /^-----BEGIN RSA PRIVATE KEY-----\n/);
	t.match(claim.keyPair?.PublicKey, /^-----BEGIN PUBLIC KEY-----\n/);
	t.same((await aws.send(new ListCertificatesCommand({}))).certificates, []);
	t.match(await refusal(aws.send(new CreateProvisioningClaimCommand({ templateName: "other" }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
});

t.test("certificates are made, registered, activated, described, listed and deleted", async (t) => {
	const cloud = await started(t);
	const aws = clientOf(cloud);
	const made = await aws.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
	t.equal(made.certificateArn, arn(`cert/${made.certificateId}`));
	t.equal(
		new X509Certificate(made.certificatePem!).fingerprint256.replaceAll(":", "").toLowerCase(),
		made.certificateId,
		"the id is the certificate's SHA-256",
	);
	const { certificateDescription: description } = await aws.send(
		new DescribeCertificateCommand({ certificateId: made.certificateId! }),
	);
	t.match(description, {
		certificateArn: made.certificateArn,
		status: "ACTIVE",
		certificateMode: "DEFAULT",
		certificatePem: made.certificatePem,
		creationDate: Date,
		validity: { notBefore: Date, notAfter: Date },
	});

	const fromCsr = await aws.send(
		new CreateCertificateFromCsrCommand({ certificateSigningRequest: await signingRequest() }),
	);
	t.match(await aws.send(new DescribeCertificateCommand({ certificateId: fromCsr.certificateId! })), {
		certificateDescription: { status: "INACTIVE" },
	});
	t.match(await refusal(aws.send(new CreateCertificateFromCsrCommand({ certificateSigningRequest: "GibberishCsr" }))), {
		name: "InvalidRequestException",
		status: 400,
	});
	t.match(
		await refusal(aws.send(new CreateCertificateFromCsrCommand({ certificateSigningRequest: "x".repeat(4097) }))),
		{ message: /^1 validation error detected: Value at 'certificateSigningRequest'/ },
		"a long request is refused without being repeated",
	);

	const certificatePem = await selfSignedCertificate();
	const foreign = await aws.send(new RegisterCertificateWithoutCACommand({ certificatePem, status: "ACTIVE" }));
	t.match(await aws.send(new DescribeCertificateCommand({ certificateId: foreign.certificateId! })), {
		certificateDescription: { status: "ACTIVE", certificateMode: "SNI_ONLY" },
	});
	const again = aws.send(new RegisterCertificateWithoutCACommand({ certificatePem }));
	await t.rejects(again, {
		name: "ResourceAlreadyExistsException",
		resourceId: foreign.certificateId,
		resourceArn: foreign.certificateArn,
	});
	t.match(await refusal(aws.send(new RegisterCertificateWithoutCACommand({ certificatePem: "no PEM" }))), {
		name: "CertificateValidationException",
		status: 400,
	});
	t.match(await refusal(aws.send(new RegisterCertificateCommand({ certificatePem }))), {
		name: "CertificateValidationException",
		status: 400,
	});
	const ours = await cloud.issuer.createCertificateFromCsr(await signingRequest());
	const signed = await aws.send(
		new RegisterCertificateCommand({ certificatePem: ours.certificatePem, setAsActive: true }),
	);
	t.match(await aws.send(new DescribeCertificateCommand({ certificateId: signed.certificateId! })), {
		certificateDescription: { status: "ACTIVE", certificateMode: "DEFAULT" },
	});

	const ids: (string | undefined)[] = [];
	for await (const page of paginateListCertificates({ client: aws, pageSize: 3 }, { ascendingOrder: true })) {
		ids.push(...page.certificates!.map((certificate) => certificate.certificateId));
	}
	t.same(
		new Set(ids),
		new Set([made, fromCsr, foreign, signed].map(({ certificateId }) => certificateId)),
		"paging shows each once",
	);
	t.equal(ids.length, 4);

	const remove = () => aws.send(new DeleteCertificateCommand({ certificateId: made.certificateId! }));
	t.match(await refusal(remove()), { name: "CertificateStateException", status: 406 });
	for (const newStatus of ["PENDING_TRANSFER", "PENDING_ACTIVATION"] as const) {
		const update = aws.send(new UpdateCertificateCommand({ certificateId: made.certificateId!, newStatus }));
		t.match(await refusal(update), { status: 400 }, `${newStatus} is not for callers to set`);
	}
	await aws.send(new UpdateCertificateCommand({ certificateId: made.certificateId!, newStatus: "INACTIVE" }));
	await remove();
	t.match(await refusal(aws.send(new DescribeCertificateCommand({ certificateId: made.certificateId! }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
	t.match(await refusal(aws.send(new DescribeCertificateCommand({ certificateId: "abc" }))), {
		name: "InvalidRequestException",
		message: /'certificateId'.*64/,
	});
});

t.test("policies have versions, one of them the default", async (t) => {
	const aws = clientOf(await started(t));
	const policyName = "device=1,2@x.y+z_-";
	t.match(await aws.send(new CreatePolicyCommand({ policyName, policyDocument: allowAll })), {
		policyName,
		policyArn: arn(`policy/${policyName}`),
		policyDocument: allowAll,
		policyVersionId: "1",
	});
	t.match(await refusal(aws.send(new CreatePolicyCommand({ policyName, policyDocument: allowAll }))), {
		name: "ResourceAlreadyExistsException",
		status: 409,
	});
	const denyAll = allowAll.replace("Allow", "Deny");
	t.match(await aws.send(new CreatePolicyVersionCommand({ policyName, policyDocument: denyAll, setAsDefault: true })), {
		policyVersionId: "2",
		isDefaultVersion: true,
	});
	t.match(await aws.send(new GetPolicyCommand({ policyName })), {
		policyDocument: denyAll,
		defaultVersionId: "2",
		creationDate: Date,
	});
	t.match(await aws.send(new GetPolicyVersionCommand({ policyName, policyVersionId: "1" })), {
		policyDocument: allowAll,
		isDefaultVersion: false,
	});
	await aws.send(new SetDefaultPolicyVersionCommand({ policyName, policyVersionId: "1" }));
	const { policyVersions } = await aws.send(new ListPolicyVersionsCommand({ policyName }));
	t.match(policyVersions, [
		{ versionId: "1", isDefaultVersion: true, createDate: Date },
		{ versionId: "2", isDefaultVersion: false },
	]);
	t.match(await refusal(aws.send(new DeletePolicyVersionCommand({ policyName, policyVersionId: "1" }))), {
		name: "DeleteConflictException",
	});
	t.match(await refusal(aws.send(new DeletePolicyCommand({ policyName }))), {
		name: "DeleteConflictException",
		status: 409,
	});
	const more = () => aws.send(new CreatePolicyVersionCommand({ policyName, policyDocument: allowAll }));
	await more();
	await more();
	await more();
	t.match(await refusal(more()), { name: "VersionsLimitExceededException", status: 409 });
	for (const policyVersionId of ["2", "3", "4", "5"]) {
		await aws.send(new DeletePolicyVersionCommand({ policyName, policyVersionId }));
	}
	await aws.send(new DeletePolicyCommand({ policyName }));
	t.match(await refusal(aws.send(new GetPolicyCommand({ policyName }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
	const create = (policyDocument: string) =>
		refusal(aws.send(new CreatePolicyCommand({ policyName: "other", policyDocument })));
	const malformed = { name: "MalformedPolicyException", status: 400 };
	t.match(await create("{"), malformed);
	t.match(await create("{}"), malformed);
	const long = JSON.stringify({
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: "iot:*", Resource: `arn:aws:iot:${"x".repeat(2_048)}` }],
	});
	t.match(await create(long), malformed, "2048 characters and no more");
	await aws.send(new CreatePolicyCommand({ policyName: "other", policyDocument: allowAll.padEnd(4_000) }));
	t.pass("white space does not count");
});

t.test("policies are attached to certificates and groups, and both sides are listed", async (t) => {
	const aws = clientOf(await started(t));
	const names = ["a", "b", "c"];
	for (const policyName of names) await aws.send(new CreatePolicyCommand({ policyName, policyDocument: allowAll }));
	const { certificateArn: target = "", certificateId = "" } = await aws.send(new CreateKeysAndCertificateCommand({}));
	const attach = (policyName: string) => aws.send(new AttachPolicyCommand({ policyName, target }));
	for (const name of names) await attach(name);
	await attach("a");
	const first = await aws.send(new ListAttachedPoliciesCommand({ target, pageSize: 2 }));
	const second = await aws.send(new ListAttachedPoliciesCommand({ target, marker: first.nextMarker! }));
	t.same(
		[...first.policies!, ...second.policies!].map((policy) => policy.policyName),
		names,
	);
	t.same((await aws.send(new ListTargetsForPolicyCommand({ policyName: "a" }))).targets, [target]);
	t.match((await aws.send(new ListPrincipalPoliciesCommand({ principal: target }))).policies, [
		{ policyName: "a" },
		{ policyName: "b" },
		{ policyName: "c" },
	]);
	t.match(await refusal(aws.send(new DeletePolicyCommand({ policyName: "a" }))), { name: "DeleteConflictException" });
	t.match(await refusal(aws.send(new DeleteCertificateCommand({ certificateId }))), {
		name: "DeleteConflictException",
		status: 409,
	});
	await aws.send(new DetachPolicyCommand({ policyName: "a", target }));
	await aws.send(new DetachPrincipalPolicyCommand({ policyName: "b", principal: target }));
	t.match((await aws.send(new ListAttachedPoliciesCommand({ target }))).policies, [{ policyName: "c" }]);
	await aws.send(new AttachPrincipalPolicyCommand({ policyName: "a", principal: target }));

	const { thingGroupArn = "" } = await aws.send(new CreateThingGroupCommand({ thingGroupName: "parent" }));
	const child = await aws.send(new CreateThingGroupCommand({ thingGroupName: "child", parentGroupName: "parent" }));
	await aws.send(new AttachPolicyCommand({ policyName: "b", target: thingGroupArn }));
	t.same((await aws.send(new ListAttachedPoliciesCommand({ target: child.thingGroupArn! }))).policies, []);
	t.match(
		(await aws.send(new ListAttachedPoliciesCommand({ target: child.thingGroupArn!, recursive: true }))).policies,
		[{ policyName: "b" }],
	);

	t.match(await refusal(attach("none")), { name: "ResourceNotFoundException", status: 404 });
	t.match(await refusal(aws.send(new AttachPolicyCommand({ policyName: "a", target: "no ARN" }))), {
		name: "InvalidRequestException",
	});
	for (let i = 3; i <= 10; i++) {
		await aws.send(new CreatePolicyCommand({ policyName: `more-${i}`, policyDocument: allowAll }));
		await attach(`more-${i}`);
	}
	t.match(await refusal(attach("b")), { name: "LimitExceededException", status: 410 }, "ten policies and no more");
	await aws.send(new DeleteCertificateCommand({ certificateId, forceDelete: true }));

	const listed: (string | undefined)[] = [];
	for await (const page of paginateListPolicies({ client: aws, pageSize: 4 }, { ascendingOrder: true })) {
		listed.push(...page.policies!.map((policy) => policy.policyName));
	}
	t.equal(new Set(listed).size, 11);
	t.equal(listed.length, 11);
});

t.test("things have attributes, a type, a version and principals", async (t) => {
	const aws = clientOf(await started(t));
	const type = await aws.send(
		new CreateThingTypeCommand({
			thingTypeName: "lamp",
			thingTypeProperties: { thingTypeDescription: "Shines", searchableAttributes: ["colour"] },
		}),
	);
	t.match(type, { thingTypeName: "lamp", thingTypeArn: arn("thingtype/lamp"), thingTypeId: String });
	t.match(await aws.send(new DescribeThingTypeCommand({ thingTypeName: "lamp" })), {
		thingTypeProperties: { thingTypeDescription: "Shines", searchableAttributes: ["colour"] },
		thingTypeMetadata: { deprecated: false, creationDate: Date },
	});
	t.match((await aws.send(new ListThingTypesCommand({ thingTypeName: "lamp" }))).thingTypes, [
		{ thingTypeName: "lamp" },
	]);
	t.match(await refusal(aws.send(new CreateThingTypeCommand({ thingTypeName: "lamp" }))), {
		name: "ResourceAlreadyExistsException",
	});
	await aws.send(
		new CreateBillingGroupCommand({
			billingGroupName: "house",
			billingGroupProperties: { billingGroupDescription: "All rooms" },
		}),
	);
	t.match(await aws.send(new DescribeBillingGroupCommand({ billingGroupName: "house" })), {
		billingGroupArn: arn("billinggroup/house"),
		billingGroupProperties: { billingGroupDescription: "All rooms" },
	});

	const thingName = "lamp:1_a-b";
	const create = (attributes: Record<string, string>) =>
		aws.send(
			new CreateThingCommand({
				thingName,
				thingTypeName: "lamp",
				billingGroupName: "house",
				attributePayload: { attributes },
			}),
		);
	const created = await create({ colour: "red" });
	t.match(created, { thingName, thingArn: arn(`thing/${thingName}`), thingId: String });
	t.equal((await create({ colour: "red" })).thingId, created.thingId, "the same again is no error");
	t.match(await refusal(create({ colour: "blue" })), { name: "ResourceAlreadyExistsException", status: 409 });
	t.match(await aws.send(new DescribeThingCommand({ thingName })), {
		defaultClientId: thingName,
		thingTypeName: "lamp",
		billingGroupName: "house",
		attributes: { colour: "red" },
		version: 1,
	});
	await aws.send(
		new UpdateThingCommand({
			thingName,
			attributePayload: { attributes: { room: "hall" }, merge: true },
			expectedVersion: 1,
		}),
	);
	t.match(await aws.send(new DescribeThingCommand({ thingName })), {
		attributes: { colour: "red", room: "hall" },
		version: 2,
	});
	t.match(await refusal(aws.send(new UpdateThingCommand({ thingName, expectedVersion: 1 }))), {
		name: "VersionConflictException",
		status: 409,
	});

	const four = Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, "x"]));
	t.match(
		await refusal(aws.send(new CreateThingCommand({ thingName: "plain", attributePayload: { attributes: four } }))),
		{ name: "InvalidRequestException" },
		"three attributes without a type",
	);
	t.match(
		await refusal(
			aws.send(new CreateThingCommand({ thingName: "plain", attributePayload: { attributes: { a: "b c" } } })),
		),
		{ name: "InvalidRequestException", message: /'attributePayload.attributes'.*Map value must satisfy/ },
	);
	t.match(await refusal(aws.send(new CreateThingCommand({ thingName: "plain", thingTypeName: "none" }))), {
		name: "ResourceNotFoundException",
	});

	const { certificateArn: principal = "" } = await aws.send(new CreateKeysAndCertificateCommand({}));
	await aws.send(new AttachThingPrincipalCommand({ thingName, principal }));
	t.same((await aws.send(new ListThingPrincipalsCommand({ thingName }))).principals, [principal]);
	t.same((await aws.send(new ListPrincipalThingsCommand({ principal }))).things, [thingName]);
	const thingPrincipalType = "NON_EXCLUSIVE_THING";
	t.same((await aws.send(new ListThingPrincipalsV2Command({ thingName }))).thingPrincipalObjects, [
		{ principal, thingPrincipalType },
	]);
	t.same((await aws.send(new ListPrincipalThingsV2Command({ principal }))).principalThingObjects, [
		{ thingName, thingPrincipalType },
	]);
	const others = new ListThingPrincipalsV2Command({ thingName, thingPrincipalType: "EXCLUSIVE_THING" });
	t.same((await aws.send(others)).thingPrincipalObjects, []);
	t.match(await refusal(aws.send(new DeleteThingCommand({ thingName }))), { name: "InvalidRequestException" });
	t.match(
		await refusal(aws.send(new DeleteCertificateCommand({ certificateId: principal.slice(-64), forceDelete: true }))),
		{ name: "DeleteConflictException" },
	);
	await aws.send(new CreateThingCommand({ thingName: "other" }));
	const exclusive = new AttachThingPrincipalCommand({
		thingName: "other",
		principal,
		thingPrincipalType: "EXCLUSIVE_THING",
	});
	t.match(await refusal(aws.send(exclusive)), { status: 400 }, "exclusive means alone");
	await aws.send(new DetachThingPrincipalCommand({ thingName, principal }));
	t.match(await refusal(aws.send(new DeleteThingCommand({ thingName, expectedVersion: 1 }))), {
		name: "VersionConflictException",
	});
	await aws.send(new DeleteThingCommand({ thingName, expectedVersion: 2 }));
	t.match(await refusal(aws.send(new DescribeThingCommand({ thingName }))), { name: "ResourceNotFoundException" });
});

t.test(
	"types and billing groups end when nothing needs them, a type five minutes after it was deprecated",
	async (t) => {
		let minutes = 0;
		const aws = clientOf(await started(t, { now: () => Date.now() + minutes * 60_000, signatures: "any" }));
		const thingTypeName = "lamp";
		const billingGroupName = "house";
		await aws.send(new CreateThingTypeCommand({ thingTypeName }));
		await aws.send(new CreateBillingGroupCommand({ billingGroupName }));
		const create = (thingName: string) =>
			aws.send(new CreateThingCommand({ thingName, thingTypeName, billingGroupName }));
		await create("a");
		t.match((await aws.send(new ListBillingGroupsCommand({ namePrefixFilter: "ho" }))).billingGroups, [
			{ groupName: billingGroupName, groupArn: arn("billinggroup/house") },
		]);

		const invalid = { name: "InvalidRequestException", status: 400 };
		const removeType = () => aws.send(new DeleteThingTypeCommand({ thingTypeName }));
		const removeGroup = () => aws.send(new DeleteBillingGroupCommand({ billingGroupName }));
		t.match(await refusal(removeType()), invalid, "not deprecated");
		await aws.send(new DeprecateThingTypeCommand({ thingTypeName }));
		t.match(await aws.send(new DescribeThingTypeCommand({ thingTypeName })), {
			thingTypeMetadata: { deprecated: true, deprecationDate: Date },
		});
		t.match(await refusal(create("b")), invalid, "no new thing of a deprecated type");
		await aws.send(new DeprecateThingTypeCommand({ thingTypeName, undoDeprecate: true }));
		await create("b");
		await aws.send(new DeprecateThingTypeCommand({ thingTypeName }));
		t.match(await refusal(removeType()), { ...invalid, message: /5 minutes/ });
		minutes = 5;
		t.match(await refusal(removeType()), { ...invalid, message: /things/ });
		t.match(await refusal(removeGroup()), { ...invalid, message: /things/ });
		for (const thingName of ["a", "b"]) await aws.send(new DeleteThingCommand({ thingName }));
		await removeType();
		await removeGroup();
		t.same((await aws.send(new ListThingTypesCommand({}))).thingTypes, []);
		t.same((await aws.send(new ListBillingGroupsCommand({}))).billingGroups, []);
	},
);

t.test("things are listed page by page and by attribute", async (t) => {
	const aws = clientOf(await started(t));
	const names = Array.from({ length: 7 }, (_, index) => `thing-${index}`);
	for (const thingName of names) {
		const parity = Number(thingName.at(-1)) % 2 === 0 ? "even" : "odd";
		await aws.send(new CreateThingCommand({ thingName, attributePayload: { attributes: { parity } } }));
	}
	const listed: (string | undefined)[] = [];
	for await (const page of paginateListThings({ client: aws, pageSize: 3 }, {})) {
		listed.push(...page.things!.map((thing) => thing.thingName));
	}
	t.same(listed.sort(), names);
	const { nextToken } = await aws.send(new ListThingsCommand({ maxResults: 3 }));
	t.equal((await aws.send(new ListThingsCommand({ nextToken }))).things?.length, 4);
	const byHand = Buffer.from("thing-2").toString("base64url");
	for (const made of ["made-up", byHand, `${"A".repeat(22)}${byHand}`, `${nextToken}A`, nextToken!.slice(1), "é"]) {
		t.match(
			await refusal(aws.send(new ListThingsCommand({ nextToken: made }))),
			{ name: "InvalidRequestException", status: 400 },
			`a token that was never given: ${made}`,
		);
	}
	const even = await aws.send(new ListThingsCommand({ attributeName: "parity", attributeValue: "even" }));
	t.same(even.things!.map((thing) => thing.thingName).sort(), ["thing-0", "thing-2", "thing-4", "thing-6"]);
});

t.test("things join groups, ten at most and one in each hierarchy", async (t) => {
	const aws = clientOf(await started(t));
	const thingName = "lamp";
	await aws.send(new CreateThingCommand({ thingName }));
	await aws.send(new CreateThingGroupCommand({ thingGroupName: "bare" }));
	t.same(
		(await aws.send(new DescribeThingGroupCommand({ thingGroupName: "bare" }))).thingGroupProperties,
		{},
		"no attributePayload without attributes, else Terraform never settles",
	);
	t.match(await aws.send(new CreateThingGroupCommand({ thingGroupName: "house" })), {
		thingGroupArn: arn("thinggroup/house"),
		thingGroupId: String,
	});
	await aws.send(
		new CreateThingGroupCommand({
			thingGroupName: "hall",
			parentGroupName: "house",
			thingGroupProperties: { thingGroupDescription: "Ground floor", attributePayload: { attributes: { a: "b" } } },
		}),
	);
	t.match(await aws.send(new DescribeThingGroupCommand({ thingGroupName: "hall" })), {
		version: 1,
		thingGroupProperties: { thingGroupDescription: "Ground floor", attributePayload: { attributes: { a: "b" } } },
		thingGroupMetadata: {
			parentGroupName: "house",
			rootToParentThingGroups: [{ groupName: "house", groupArn: arn("thinggroup/house") }],
			creationDate: Date,
		},
	});
	const update = (expectedVersion: number) =>
		aws.send(
			new UpdateThingGroupCommand({
				thingGroupName: "hall",
				thingGroupProperties: { attributePayload: { attributes: { c: "d" }, merge: true } },
				expectedVersion,
			}),
		);
	t.match(await update(1), { version: 2 });
	t.match(await refusal(update(1)), { name: "VersionConflictException", status: 409 });
	t.match(await aws.send(new DescribeThingGroupCommand({ thingGroupName: "hall" })), {
		thingGroupProperties: {
			thingGroupDescription: "Ground floor",
			attributePayload: { attributes: { a: "b", c: "d" } },
		},
	});
	await aws.send(new AddThingToThingGroupCommand({ thingGroupName: "hall", thingName }));
	t.match(
		await refusal(aws.send(new AddThingToThingGroupCommand({ thingGroupName: "house", thingName }))),
		{ name: "InvalidRequestException" },
		"not twice in one hierarchy",
	);
	t.same((await aws.send(new ListThingsInThingGroupCommand({ thingGroupName: "house" }))).things, []);
	t.same((await aws.send(new ListThingsInThingGroupCommand({ thingGroupName: "house", recursive: true }))).things, [
		thingName,
	]);
	t.match((await aws.send(new ListThingGroupsForThingCommand({ thingName }))).thingGroups, [
		{ groupName: "hall", groupArn: arn("thinggroup/hall") },
	]);
	for (let i = 2; i <= 10; i++) {
		const { thingGroupArn } = await aws.send(new CreateThingGroupCommand({ thingGroupName: `group-${i}` }));
		await aws.send(
			new AddThingToThingGroupCommand({ thingGroupArn: thingGroupArn!, thingArn: arn(`thing/${thingName}`) }),
		);
	}
	await aws.send(new CreateThingGroupCommand({ thingGroupName: "eleventh" }));
	t.match(await refusal(aws.send(new AddThingToThingGroupCommand({ thingGroupName: "eleventh", thingName }))), {
		name: "InvalidRequestException",
	});
	t.match(
		(await aws.send(new ListThingGroupsCommand({ namePrefixFilter: "group-", maxResults: 250 }))).thingGroups?.length,
		9,
	);
	await aws.send(new RemoveThingFromThingGroupCommand({ thingGroupName: "hall", thingName }));
	await aws.send(new DeleteThingGroupCommand({ thingGroupName: "hall" }));
	t.match(await refusal(aws.send(new DescribeThingGroupCommand({ thingGroupName: "hall" }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
	t.match(await refusal(aws.send(new AddThingToThingGroupCommand({ thingGroupName: "house" }))), {
		name: "InvalidRequestException",
	});
});

t.test("tags are given at birth, added, read and taken away", async (t) => {
	const aws = clientOf(await started(t));
	await aws.send(createTemplate("fleet"));
	const resourceArn = arn("provisioningtemplate/fleet");
	await aws.send(new TagResourceCommand({ resourceArn, tags: [{ Key: "stage", Value: "test" }] }));
	t.same((await aws.send(new ListTagsForResourceCommand({ resourceArn }))).tags, [
		{ Key: "stage", Value: "test" },
		{ Key: "team", Value: "devices" },
	]);
	await aws.send(new UntagResourceCommand({ resourceArn, tagKeys: ["team"] }));
	t.same((await aws.send(new ListTagsForResourceCommand({ resourceArn }))).tags, [{ Key: "stage", Value: "test" }]);
	t.match(await refusal(aws.send(new ListTagsForResourceCommand({ resourceArn: arn("policy/none") }))), {
		name: "ResourceNotFoundException",
	});
});

t.test("the endpoint is the same at every call, and of the kind that was asked for", async (t) => {
	const aws = clientOf(await started(t));
	const ask = async (endpointType?: string) =>
		(await aws.send(new DescribeEndpointCommand({ ...(endpointType && { endpointType }) }))).endpointAddress;
	const ats = await ask("iot:Data-ATS");
	t.match(ats, /^[a-z0-9]+-ats\.iot\.eu-west-1\.amazonaws\.com$/);
	t.equal(await ask("iot:Data-ATS"), ats);
	t.equal(await ask("IOT:data-ats"), ats, "in any case of letters");
	t.equal(await ask(), ats);
	t.match(await ask("iot:CredentialProvider"), /credentials\.iot/);
	for (const endpointType of ["iot:Data", "iot:data", "iot:Jobs", "iot:Nothing", "constructor"]) {
		t.match(
			await refusal(aws.send(new DescribeEndpointCommand({ endpointType }))),
			{ name: "InvalidRequestException", status: 400 },
			endpointType,
		);
	}
});

t.test("RegisterThing makes what a template body says, for bulk registration", async (t) => {
	const cloud = await started(t);
	const aws = clientOf(cloud);
	await aws.send(new CreatePolicyCommand({ policyName: "device", policyDocument: allowAll }));
	const {
		certificateId = "",
		certificateArn,
		certificatePem,
	} = await aws.send(new CreateKeysAndCertificateCommand({}));
	const body = templateBody().replace("AWS::IoT::Certificate::Id", "CertificateId");
	const parsed = JSON.parse(body);
	parsed.Parameters.CertificateId = { Type: "String" };
	const registered = await aws.send(
		new RegisterThingCommand({
			templateBody: JSON.stringify(parsed),
			parameters: { SerialNumber: "7", CertificateId: certificateId },
		}),
	);
	t.equal(registered.certificatePem, certificatePem);
	t.match(registered.resourceArns, { thing: arn("thing/thing-7"), certificate: certificateArn });
	t.same((await aws.send(new ListThingPrincipalsCommand({ thingName: "thing-7" }))).principals, [certificateArn]);
	t.match(await refusal(aws.send(new RegisterThingCommand({ templateBody: "{" }))), { status: 400 });

	// A certificate that exists is changed as OverrideSettings say, else as the setting says; a new one is as the template says.
	const statusAfter = async (overrideDefault: "DO_NOTHING" | "REPLACE" | "FAIL", OverrideSettings?: object) => {
		cloud.settings.template.overrideDefault = overrideDefault;
		const made = await aws.send(new CreateKeysAndCertificateCommand({ setAsActive: false }));
		const resources = structuredClone(parsed.Resources);
		resources.certificate.OverrideSettings = OverrideSettings;
		resources.thing.Properties.ThingName = `of-${made.certificateId!.slice(0, 8)}`;
		const failed = await aws
			.send(
				new RegisterThingCommand({
					templateBody: JSON.stringify({ ...parsed, Resources: resources }),
					parameters: { SerialNumber: "8", CertificateId: made.certificateId! },
				}),
			)
			.then(
				() => undefined,
				(error: Error) => error.name,
			);
		const described = await aws.send(new DescribeCertificateCommand({ certificateId: made.certificateId! }));
		return failed ?? described.certificateDescription?.status;
	};
	t.equal(await statusAfter("DO_NOTHING"), "INACTIVE");
	t.equal(await statusAfter("REPLACE"), "ACTIVE");
	t.equal(await statusAfter("FAIL"), "ConflictingResourceUpdateException");
	t.equal(await statusAfter("FAIL", { Status: "REPLACE" }), "ACTIVE");
	t.equal(await statusAfter("REPLACE", { Status: "DO_NOTHING" }), "INACTIVE");
	t.equal(await statusAfter("DO_NOTHING", { Status: "FAIL" }), "ConflictingResourceUpdateException");
	cloud.settings.template.overrideDefault = "DO_NOTHING";
	for (const Status of ["ACTIVE", "INACTIVE"]) {
		const bySigning = structuredClone(parsed);
		bySigning.Parameters = { SerialNumber: { Type: "String" }, CSR: { Type: "String" } };
		bySigning.Resources.certificate.Properties = { CertificateSigningRequest: { Ref: "CSR" }, Status };
		const { resourceArns } = await aws.send(
			new RegisterThingCommand({
				templateBody: JSON.stringify(bySigning),
				parameters: { SerialNumber: `new-${Status}`, CSR: await signingRequest() },
			}),
		);
		const made = resourceArns!.certificate!.split("/").at(-1)!;
		const described = await aws.send(new DescribeCertificateCommand({ certificateId: made }));
		t.equal(described.certificateDescription?.status, Status, "a new certificate is as the template says");
	}
});

t.test("a throttled operation is refused with status 400, and the SDK tries again", async (t) => {
	let frozen: number | undefined = Date.now();
	const cloud = await started(t, { now: () => frozen ?? Date.now() });
	cloud.settings.controlPlane.throttle = { CreateThing: { rate: 100, burst: 1 } };
	const create = (aws: IoTClient, thingName: string) => aws.send(new CreateThingCommand({ thingName }));
	const once = cloud.client();
	await create(once, "a");
	t.match(await refusal(create(once, "b")), { name: "ThrottlingException", status: 400, message: "Rate exceeded" });
	frozen = undefined;
	const patient = cloud.client(administrator, { maxAttempts: 10 });
	await Promise.all(["e", "f", "g", "h"].map((name) => create(patient, name)));
	t.pass("all four were made in the end");
	await once.send(new ListThingsCommand({}));
	t.pass("another operation has no limit");
});

t.test("topic rules are kept and listed back, with a warning that nothing carries them out", async (t) => {
	const cloud = await started(t);
	const aws = clientOf(cloud);
	const republish = { republish: { roleArn, topic: "copies" } };
	const topicRulePayload = { sql: "SELECT a, b FROM 'devices/+/up' WHERE a > 3", actions: [republish] };
	const create = (ruleName: string, payload: object = {}) =>
		aws.send(
			new CreateTopicRuleCommand({
				ruleName,
				topicRulePayload: { ...topicRulePayload, ...payload },
				tags: "team=devices&area=house%20one",
			}),
		);
	await create("copy");
	t.match(cloud.events.since().at(-1), {
		event: "warning",
		message: "CreateTopicRule: kept and listed back, but it does nothing here.",
	});
	t.match(await refusal(create("copy")), { name: "ResourceAlreadyExistsException", status: 409 });
	for (const sql of ["SELECT", "SELECT * FROM devices", "DELETE FROM 'a'", "SELECT * FROM 'a' ORDER BY b"])
		t.match(await refusal(create("wrong", { sql })), { name: "SqlParseException", status: 400 }, sql);
	t.match(await refusal(create("wrong", { actions: [{ republish: { topic: "a" } as never }] })), {
		name: "InvalidRequestException",
		message: /topicRulePayload|actions\.1\.member\.republish\.roleArn/,
	});
	t.match(await refusal(create("a-b")), { name: "InvalidRequestException" });
	const { ruleArn, rule } = await aws.send(new GetTopicRuleCommand({ ruleName: "copy" }));
	t.equal(ruleArn, arn("rule/copy"));
	t.match(rule, { ruleName: "copy", ...topicRulePayload, ruleDisabled: false, awsIotSqlVersion: "2015-10-08" });
	t.ok(rule!.createdAt instanceof Date);
	t.match(await aws.send(new ListTagsForResourceCommand({ resourceArn: ruleArn! })), {
		tags: [
			{ Key: "area", Value: "house one" },
			{ Key: "team", Value: "devices" },
		],
	});
	await aws.send(new DisableTopicRuleCommand({ ruleName: "copy" }));
	t.match(await aws.send(new ListTopicRulesCommand({ ruleDisabled: true })), {
		rules: [{ ruleName: "copy", topicPattern: "devices/+/up", ruleDisabled: true }],
	});
	t.same((await aws.send(new ListTopicRulesCommand({ topic: "other" }))).rules, []);
	await aws.send(new EnableTopicRuleCommand({ ruleName: "copy" }));
	await aws.send(
		new ReplaceTopicRuleCommand({
			ruleName: "copy",
			topicRulePayload: { sql: "SELECT 1", actions: [], description: "x" },
		}),
	);
	t.match((await aws.send(new GetTopicRuleCommand({ ruleName: "copy" }))).rule, { actions: [], description: "x" });
	await aws.send(new DeleteTopicRuleCommand({ ruleName: "copy" }));
	// AWS does not say whether a rule is missing or forbidden, and Terraform takes this for missing.
	t.match(await refusal(aws.send(new GetTopicRuleCommand({ ruleName: "copy" }))), {
		name: "UnauthorizedException",
		status: 401,
	});
});

t.test("role aliases, logging, events and indexing are kept and told back; a billing group is changed", async (t) => {
	const cloud = await started(t);
	const aws = clientOf(cloud);
	const { roleAliasArn } = await aws.send(
		new CreateRoleAliasCommand({ roleAlias: "pump", roleArn, tags: [{ Key: "a", Value: "b" }] }),
	);
	t.equal(roleAliasArn, arn("rolealias/pump"));
	const again = aws.send(new CreateRoleAliasCommand({ roleAlias: "pump", roleArn }));
	t.match(await refusal(again), { name: "ResourceAlreadyExistsException" });
	await aws.send(new UpdateRoleAliasCommand({ roleAlias: "pump", credentialDurationSeconds: 900 }));
	const { roleAliasDescription } = await aws.send(new DescribeRoleAliasCommand({ roleAlias: "pump" }));
	t.match(roleAliasDescription, { roleAlias: "pump", roleAliasArn, roleArn, credentialDurationSeconds: 900 });
	t.ok(roleAliasDescription!.creationDate instanceof Date);
	t.same((await aws.send(new ListRoleAliasesCommand({ ascendingOrder: true }))).roleAliases, ["pump"]);
	t.match(await aws.send(new ListTagsForResourceCommand({ resourceArn: roleAliasArn! })), { tags: [{ Key: "a" }] });
	await aws.send(new DeleteRoleAliasCommand({ roleAlias: "pump" }));
	t.match(await refusal(aws.send(new DescribeRoleAliasCommand({ roleAlias: "pump" }))), {
		name: "ResourceNotFoundException",
	});

	t.match(await refusal(aws.send(new GetV2LoggingOptionsCommand({}))), { name: "NotConfiguredException", status: 404 });
	t.match(await refusal(aws.send(new SetV2LoggingOptionsCommand({ defaultLogLevel: "INFO" }))), {
		name: "InvalidRequestException",
	});
	await aws.send(new SetV2LoggingOptionsCommand({ roleArn, defaultLogLevel: "INFO" }));
	await aws.send(new SetV2LoggingOptionsCommand({ disableAllLogs: true }));
	const { $metadata: _, ...logging } = await aws.send(new GetV2LoggingOptionsCommand({}));
	t.same(logging, { roleArn, defaultLogLevel: "INFO", disableAllLogs: true });

	await aws.send(new UpdateEventConfigurationsCommand({ eventConfigurations: { THING: { Enabled: true } } }));
	const events = await aws.send(new DescribeEventConfigurationsCommand({}));
	t.match(events.eventConfigurations, { THING: { Enabled: true }, JOB: { Enabled: false } });
	t.equal(Object.keys(events.eventConfigurations!).length, 11);

	t.match(await aws.send(new GetIndexingConfigurationCommand({})), {
		thingIndexingConfiguration: { thingIndexingMode: "OFF" },
	});
	const thingIndexingConfiguration = {
		thingIndexingMode: "REGISTRY",
		customFields: [{ name: "attributes.batch", type: "String" }],
	} as const;
	await aws.send(
		new UpdateIndexingConfigurationCommand({
			thingIndexingConfiguration: {
				...thingIndexingConfiguration,
				customFields: [...thingIndexingConfiguration.customFields],
			},
		}),
	);
	t.match(await aws.send(new GetIndexingConfigurationCommand({})), {
		thingIndexingConfiguration,
		thingGroupIndexingConfiguration: { thingGroupIndexingMode: "OFF" },
	});

	await aws.send(new CreateBillingGroupCommand({ billingGroupName: "house" }));
	const update = (expectedVersion: number, billingGroupDescription?: string) =>
		aws.send(
			new UpdateBillingGroupCommand({
				billingGroupName: "house",
				expectedVersion,
				billingGroupProperties: { ...(billingGroupDescription !== undefined && { billingGroupDescription }) },
			}),
		);
	t.equal((await update(1, "Ours")).version, 2);
	t.match(await refusal(update(1, "Theirs")), { name: "VersionConflictException" });
	const mqtt5Configuration = { propagatingAttributes: [{ userPropertyKey: "batch", thingAttribute: "batch" }] };
	await aws.send(new CreateThingTypeCommand({ thingTypeName: "five", thingTypeProperties: { mqtt5Configuration } }));
	const { thingTypeProperties } = await aws.send(new DescribeThingTypeCommand({ thingTypeName: "five" }));
	t.match(thingTypeProperties, { mqtt5Configuration });

	t.match(await aws.send(new DescribeBillingGroupCommand({ billingGroupName: "house" })), {
		version: 2,
		billingGroupProperties: { billingGroupDescription: "Ours" },
	});
	t.equal((await update(2)).version, 3);
	const { billingGroupProperties } = await aws.send(new DescribeBillingGroupCommand({ billingGroupName: "house" }));
	t.same(billingGroupProperties, {});
});

t.test("jobs", async (t) => {
	const cloud = await started(t);
	const aws = clientOf(cloud);
	const jobId = "update-1";
	const thingName = "lamp";
	await aws.send(new CreateThingCommand({ thingName }));
	const created = await aws.send(
		new CreateJobCommand({
			jobId,
			targets: [arn("thing/lamp")],
			document: '{"a":1}',
			description: "first",
			targetSelection: "SNAPSHOT",
			tags: [{ Key: "team", Value: "blue" }],
			timeoutConfig: { inProgressTimeoutInMinutes: 10 },
			jobExecutionsRolloutConfig: { maximumPerMinute: 5 },
			jobExecutionsRetryConfig: { criteriaList: [{ failureType: "ALL", numberOfRetries: 1 }] },
			abortConfig: {
				criteriaList: [
					{ failureType: "ALL", action: "CANCEL", thresholdPercentage: 50.5, minNumberOfExecutedThings: 2 },
				],
			},
		}),
	);
	t.match(created, { jobArn: arn(`job/${jobId}`), jobId, description: "first" });
	t.match(await aws.send(new ListTagsForResourceCommand({ resourceArn: created.jobArn })), {
		tags: [{ Key: "team", Value: "blue" }],
	});
	t.match(await refusal(aws.send(new CreateJobCommand({ jobId, targets: [], document: "{}" }))), {
		name: "InvalidRequestException",
		message: /'targets' failed to satisfy constraint: Member must have length greater than or equal to 1/,
	});
	await aws.send(new UpdateJobCommand({ jobId, description: "second" }));
	const { job } = await aws.send(new DescribeJobCommand({ jobId }));
	t.match(job, {
		jobArn: arn(`job/${jobId}`),
		status: "IN_PROGRESS",
		description: "second",
		targets: [arn("thing/lamp")],
		createdAt: Date,
		abortConfig: { criteriaList: [{ thresholdPercentage: 50.5 }] },
		jobProcessDetails: { numberOfQueuedThings: 1 },
	});
	t.match(await aws.send(new GetJobDocumentCommand({ jobId })), { document: '{"a":1}' });
	t.match(await aws.send(new ListJobsCommand({ status: "IN_PROGRESS" })), { jobs: [{ jobId }] });
	t.match(await aws.send(new DescribeJobExecutionCommand({ jobId, thingName })), {
		execution: {
			jobId,
			thingArn: arn("thing/lamp"),
			status: "QUEUED",
			executionNumber: 1,
			versionNumber: 1,
			queuedAt: Date,
		},
	});
	t.match(await aws.send(new ListJobExecutionsForThingCommand({ thingName })), { executionSummaries: [{ jobId }] });
	await aws.send(new CancelJobExecutionCommand({ jobId, thingName, statusDetails: { why: "test" } }));
	t.match(await aws.send(new ListJobExecutionsForJobCommand({ jobId, status: "CANCELED" })), {
		executionSummaries: [{ thingArn: arn("thing/lamp"), jobExecutionSummary: { status: "CANCELED" } }],
	});
	t.match(await refusal(aws.send(new CancelJobExecutionCommand({ jobId, thingName }))), {
		name: "InvalidStateTransitionException",
		status: 409,
	});
	await aws.send(new DeleteJobExecutionCommand({ jobId, thingName, executionNumber: 1 }));
	await aws.send(new CreateJobCommand({ jobId: "update-2", targets: [arn("thing/lamp")], document: "{}" }));
	t.match(await aws.send(new CancelJobCommand({ jobId: "update-2", reasonCode: "WRONG", comment: "not this" })), {
		jobId: "update-2",
	});
	await aws.send(new DeleteJobCommand({ jobId: "update-2" }));
	t.match(await refusal(aws.send(new DescribeJobCommand({ jobId: "update-2" }))), {
		name: "ResourceNotFoundException",
	});
});

t.test("authorizers, CAs and certificate providers", async (t) => {
	const cloud = await started(t);
	const aws = clientOf(cloud);
	const authorizerName = "door";
	const functionArn = "arn:aws:lambda:us-east-1:123456789012:function:door";
	const authorizer = { authorizerName, authorizerFunctionArn: functionArn, signingDisabled: true } as const;
	t.match(await aws.send(new CreateAuthorizerCommand(authorizer)), { authorizerName });
	t.match(await aws.send(new DescribeAuthorizerCommand({ authorizerName })), {
		authorizerDescription: { authorizerFunctionArn: functionArn, signingDisabled: true },
	});
	await aws.send(new UpdateAuthorizerCommand({ authorizerName, status: "ACTIVE" }));
	t.match(await aws.send(new ListAuthorizersCommand({ status: "ACTIVE" })), { authorizers: [{ authorizerName }] });
	await aws.send(new SetDefaultAuthorizerCommand({ authorizerName }));
	t.match(await aws.send(new DescribeDefaultAuthorizerCommand({})), { authorizerDescription: { authorizerName } });
	const why = await refusal(aws.send(new TestInvokeAuthorizerCommand({ authorizerName, token: "a" })));
	t.match(why, { status: Number }, "its function is not here");
	await aws.send(new ClearDefaultAuthorizerCommand({}));
	await aws.send(new UpdateAuthorizerCommand({ authorizerName, status: "INACTIVE" }));
	await aws.send(new DeleteAuthorizerCommand({ authorizerName }));
	t.same((await aws.send(new ListAuthorizersCommand({}))).authorizers, []);

	t.match(await aws.send(new GetRegistrationCodeCommand({})), { registrationCode: /^[0-9a-f]{64}$/ });
	await aws.send(new DeleteRegistrationCodeCommand({}));
	const caCertificate = makeCa("Maker").certificatePem;
	const sni = { caCertificate, certificateMode: "SNI_ONLY" } as const;
	const { certificateId } = await aws.send(new RegisterCACertificateCommand(sni));
	t.match(await aws.send(new DescribeCACertificateCommand({ certificateId })), {
		certificateDescription: { status: "INACTIVE", certificateMode: "SNI_ONLY" },
	});
	await aws.send(new UpdateCACertificateCommand({ certificateId, newStatus: "ACTIVE" }));
	t.match(await aws.send(new ListCACertificatesCommand({})), { certificates: [{ certificateId, status: "ACTIVE" }] });
	t.match(await aws.send(new ListCertificatesByCACommand({ caCertificateId: certificateId })), { certificates: [] });
	await aws.send(new UpdateCACertificateCommand({ certificateId, newStatus: "INACTIVE" }));
	await aws.send(new DeleteCACertificateCommand({ certificateId }));
	t.same((await aws.send(new ListCACertificatesCommand({}))).certificates, []);

	const provider = { certificateProviderName: "own" };
	const forOperations = { accountDefaultForOperations: ["CreateCertificateFromCsr" as const] };
	const own = { ...provider, ...forOperations, lambdaFunctionArn: functionArn };
	t.match(await aws.send(new CreateCertificateProviderCommand(own)), provider);
	t.match(await aws.send(new DescribeCertificateProviderCommand(provider)), own);
	await aws.send(new UpdateCertificateProviderCommand({ ...provider, lambdaFunctionArn: `${functionArn}:2` }));
	t.match(await aws.send(new ListCertificateProvidersCommand({})), { certificateProviders: [provider] });
	await aws.send(new DeleteCertificateProviderCommand(provider));
	t.same((await aws.send(new ListCertificateProvidersCommand({}))).certificateProviders, []);
});

t.test("no operation was left out", async (t) => {
	t.same(
		Object.keys(operations).filter((name) => !called.has(name)),
		[],
	);
});
