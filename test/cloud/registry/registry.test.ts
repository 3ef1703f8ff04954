// The registry's rules where several resources are concerned, and that what fails has changed nothing.

import t from "tap";
import { startCore } from "../core.js";

const document = JSON.stringify({
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }],
});

t.test("A transaction that fails leaves every table and lookup as it was", async (t) => {
	const { registry, create } = await startCore();
	const { state, policies, things, thingPrincipals, certificates } = registry;
	const { certificateId } = await create();
	const target = certificates.arn(certificateId);
	policies.attachPolicy({ policyName: "device", target });
	things.createThing({ thingName: "kept", attributePayload: { attributes: { a: "1" } } });
	const changes: unknown[] = [];
	state.onChange((list) => changes.push(...list));
	t.throws(
		() =>
			state.transaction(() => {
				things.createThing({ thingName: "new" });
				thingPrincipals.attachThingPrincipal({ thingName: "new", principal: target });
				things.updateThing({ thingName: "kept", attributePayload: { attributes: { a: "2" } } });
				policies.detachPolicy({ policyName: "device", target });
				certificates.setStatus(certificateId, "ACTIVE");
				things.createThing({ thingName: "not a name" });
			}),
		{ name: "InvalidRequestException" },
	);
	t.equal(things.get("new"), undefined);
	t.same(thingPrincipals.attachedTo(target), []);
	t.same(things.get("kept")?.attributes, { a: "1" });
	t.same(policies.listTargetsForPolicy({ policyName: "device" }).targets, [target]);
	t.equal(certificates.get(certificateId)?.status, "PENDING_ACTIVATION");
	t.same(changes, [], "and nobody was told");
	t.throws(() => state.things.put("x", {} as never), /outside a transaction/);
});

t.test("What something hangs on cannot be deleted", async (t) => {
	const { registry, create } = await startCore();
	const { policies, things, thingPrincipals, certificates } = registry;
	const { certificateId } = await create();
	const target = certificates.arn(certificateId);
	certificates.setStatus(certificateId, "ACTIVE");
	policies.attachPolicy({ policyName: "device", target });
	things.createThing({ thingName: "thing" });
	thingPrincipals.attachThingPrincipal({ thingName: "thing", principal: target });
	t.throws(() => policies.deletePolicy({ policyName: "device" }), { name: "DeleteConflictException" });
	t.throws(() => things.deleteThing({ thingName: "thing" }), { name: "InvalidRequestException" });
	t.throws(() => certificates.deleteCertificate({ certificateId }), { name: "CertificateStateException", status: 406 });
	certificates.updateCertificate({ certificateId, newStatus: "INACTIVE" });
	const conflict = { name: "DeleteConflictException", status: 409 };
	t.throws(() => certificates.deleteCertificate({ certificateId }), conflict);
	t.throws(() => certificates.deleteCertificate({ certificateId, forceDelete: true }), conflict, "a thing is attached");
	thingPrincipals.detachThingPrincipal({ thingName: "thing", principal: target });
	t.throws(() => certificates.deleteCertificate({ certificateId }), conflict, "a policy is attached");
	certificates.deleteCertificate({ certificateId, forceDelete: true });
	t.same(policies.listTargetsForPolicy({ policyName: "device" }).targets, []);
	policies.deletePolicy({ policyName: "device" });
	things.deleteThing({ thingName: "thing" });
});

t.test("A thing is in at most 10 groups, none of one hierarchy; groups are at most 7 deep", async (t) => {
	const { things, thingGroups } = (await startCore()).registry;
	things.createThing({ thingName: "t" });
	for (let depth = 0; depth < 7; depth++) {
		thingGroups.createThingGroup({
			thingGroupName: `d${depth}`,
			...(depth > 0 && { parentGroupName: `d${depth - 1}` }),
		});
	}
	t.throws(() => thingGroups.createThingGroup({ thingGroupName: "d7", parentGroupName: "d6" }), /at most 7 deep/);
	thingGroups.addThingToThingGroup({ thingName: "t", thingGroupName: "d3" });
	t.throws(() => thingGroups.addThingToThingGroup({ thingName: "t", thingGroupName: "d6" }), /same hierarchy/);
	for (let number = 1; number < 10; number++) {
		thingGroups.createThingGroup({ thingGroupName: `g${number}` });
		thingGroups.addThingToThingGroup({ thingName: "t", thingGroupName: `g${number}` });
	}
	thingGroups.createThingGroup({ thingGroupName: "one-more" });
	t.throws(
		() => thingGroups.addThingToThingGroup({ thingName: "t", thingGroupName: "one-more" }),
		/10 thing groups already/,
	);
});

t.test("Limits of the fact sheet, section 2.6", async (t) => {
	const { registry, create } = await startCore();
	const { things, thingTypes, thingGroups, policies, templates, certificates } = registry;
	const attributes = (count: number) => ({
		attributes: Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, "v"])),
	});
	things.createThing({ thingName: "three", attributePayload: attributes(3) });
	t.throws(() => things.createThing({ thingName: "four", attributePayload: attributes(4) }), /at most 3/);
	thingTypes.createThingType({ thingTypeName: "type" });
	things.createThing({ thingName: "fifty", thingTypeName: "type", attributePayload: attributes(50) });
	const tooMany = { thingName: "more", thingTypeName: "type", attributePayload: attributes(51) };
	t.throws(() => things.createThing(tooMany), /at most 50/);
	t.same(
		things.listThings({ attributeName: "constructor", attributeValue: "x", usePrefixAttributeValue: true }).things,
		[],
	);
	thingGroups.createThingGroup({ thingGroupName: "tagged", tags: [{ Key: "constructor", Value: "x" }] });
	const blank = { thingName: "blank", attributePayload: { attributes: { a: "no blanks" } } };
	t.throws(() => things.createThing(blank), { name: "InvalidRequestException" });
	for (const thingName of ["", "x".repeat(129), "a b", "a/b"]) t.throws(() => things.createThing({ thingName }));
	t.throws(() => things.createThing({ thingName: "t", thingTypeName: "absent" }), {
		name: "ResourceNotFoundException",
	});

	const padded = (length: number) => `${document.slice(0, -1)},"Id":"${"x".repeat(length)}"}`;
	const bare = document.replace(/\s/g, "").length + ',"Id":""'.length;
	policies.createPolicy({ policyName: "long", policyDocument: padded(2048 - bare) + " ".repeat(5_000) });
	t.throws(() => policies.createPolicy({ policyName: "longer", policyDocument: padded(2049 - bare) }), {
		name: "MalformedPolicyException",
	});
	for (let version = 2; version <= 5; version++) {
		policies.createPolicyVersion({ policyName: "long", policyDocument: document });
	}
	t.throws(() => policies.createPolicyVersion({ policyName: "long", policyDocument: document }), {
		name: "VersionsLimitExceededException",
		message: "The policy long already has the maximum number of versions (5)",
	});
	const target = certificates.arn((await create()).certificateId);
	for (let number = 0; number < 10; number++) {
		policies.createPolicy({ policyName: `p${number}`, policyDocument: document });
		policies.attachPolicy({ policyName: `p${number}`, target });
	}
	policies.attachPolicy({ policyName: "p0", target });
	t.throws(() => policies.attachPolicy({ policyName: "device", target }), {
		name: "LimitExceededException",
		status: 410,
	});

	const templateBody = templates.body("T")!;
	for (let version = 2; version <= 5; version++) {
		templates.createProvisioningTemplateVersion({ templateName: "T", templateBody });
	}
	t.throws(() => templates.createProvisioningTemplateVersion({ templateName: "T", templateBody }), {
		name: "VersionsLimitExceededException",
	});
	templates.deleteProvisioningTemplateVersion({ templateName: "T", versionId: 5 });
	const { versionId } = templates.createProvisioningTemplateVersion({ templateName: "T", templateBody });
	t.equal(versionId, 6, "a number is not used again");
	const provisioningRoleArn = `arn:aws:iam::${registry.state.account.accountId}:role/r`;
	for (const templateName of ["", "x".repeat(37), "a.b"]) {
		t.throws(() => templates.createProvisioningTemplate({ templateName, templateBody, provisioningRoleArn }));
	}
	const large = templateBody + " ".repeat(10_241 - templateBody.length);
	t.throws(() => templates.createProvisioningTemplate({ templateName: "L", templateBody: large, provisioningRoleArn }));
	templates.createProvisioningTemplate({ templateName: "L", templateBody: large.slice(0, -1), provisioningRoleArn });
	t.equal(templates.describeProvisioningTemplate({ templateName: "L" }).enabled, false, "left out means disabled");
});

t.test("Pages follow one another without gap or repetition, whatever comes and goes between", async (t) => {
	const { things } = (await startCore()).registry;
	for (let number = 10; number < 60; number++) things.createThing({ thingName: `t${number}` });
	const seen: string[] = [];
	let nextToken: string | undefined;
	do {
		const page = things.listThings({ maxResults: 7, ...(nextToken && { nextToken }) });
		seen.push(...page.things.map(({ thingName }) => thingName));
		nextToken = page.nextToken;
		if (seen.length === 14) {
			things.deleteThing({ thingName: "t23" });
			things.createThing({ thingName: "t00" });
		}
	} while (nextToken);
	t.same(
		seen,
		Array.from({ length: 50 }, (_, index) => `t${index + 10}`),
	);
	for (const maxResults of [0, 251, 1.5]) t.throws(() => things.listThings({ maxResults }), /1 to 250/);
	t.throws(() => things.listThings({ nextToken: "%%" }), /not valid/);
});

t.test("An exclusive attachment allows its certificate on no other thing", async (t) => {
	const { registry, create } = await startCore();
	const { things, thingPrincipals, certificates } = registry;
	const principal = certificates.arn((await create()).certificateId);
	for (const thingName of ["a", "b"]) things.createThing({ thingName });
	thingPrincipals.attachThingPrincipal({ thingName: "a", principal, thingPrincipalType: "EXCLUSIVE_THING" });
	t.throws(() => thingPrincipals.attachThingPrincipal({ thingName: "b", principal }), /exclusive/);
	thingPrincipals.detachThingPrincipal({ thingName: "a", principal });
	thingPrincipals.attachThingPrincipal({ thingName: "b", principal });
	thingPrincipals.attachThingPrincipal({ thingName: "a", principal });
});
