// STS and IAM on the control plane's port: who the caller is, as AWS's SDK asks it, and the role of a provisioning template.

import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import t from "tap";
import type { AccessKey } from "../../../hosts/cloud/control/iam.js";
import { accessKey, accountId, administrator, region, type Started, started } from "./started.js";

function sts(cloud: Started, key: AccessKey, clientRegion = region): STSClient {
	return new STSClient({
		region: clientRegion,
		endpoint: cloud.url,
		maxAttempts: 1,
		credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
	});
}

/** A call of the query protocol without a signature. */
async function call(cloud: Started, parameters: Record<string, string>): Promise<{ status: number; text: string }> {
	const response = await fetch(cloud.url, { method: "POST", body: new URLSearchParams(parameters) });
	return { status: response.status, text: await response.text() };
}

t.test("GetCallerIdentity answers for the account, with the caller's own name", async (t) => {
	const reader = accessKey("reader");
	const cloud = await started(t, { accessKeys: [administrator, reader] });
	// It needs no permission, and SDKs sign it for us-east-1 where they use the global endpoint.
	for (const [key, name] of [
		[administrator, "administrator"],
		[reader, "reader"],
	] as const)
		for (const signedFor of [region, "us-east-1"]) {
			const answer = await sts(cloud, key, signedFor).send(new GetCallerIdentityCommand({}));
			t.match(answer, {
				Account: accountId,
				Arn: `arn:aws:iam::${accountId}:user/${name}`,
				UserId: /^AIDA[A-Z2-7]{17}$/,
			});
		}
});

t.test("a wrong secret, an unknown key and a missing signature have the names that STS gives them", async (t) => {
	const cloud = await started(t);
	const wrong = { ...administrator, secretAccessKey: "another" };
	await t.rejects(sts(cloud, wrong).send(new GetCallerIdentityCommand({})), { name: "SignatureDoesNotMatch" });
	await t.rejects(sts(cloud, accessKey("nobody")).send(new GetCallerIdentityCommand({})), {
		name: "InvalidClientTokenId",
	});
	const unsigned = await call(cloud, { Action: "GetCallerIdentity", Version: "2011-06-15" });
	t.equal(unsigned.status, 403);
	t.match(unsigned.text, "<Code>MissingAuthenticationToken</Code>");
	t.match(cloud.events.since().at(-1), { event: "unauthorized", action: "sts:GetCallerIdentity" });
});

t.test(
	"in development mode the caller is the account's root user, and an unknown action is InvalidAction",
	async (t) => {
		const cloud = await started(t, { accessKeys: [], signatures: "any" });
		const { Arn, Account } = await sts(cloud, accessKey("any")).send(new GetCallerIdentityCommand({}));
		t.same({ Arn, Account }, { Arn: `arn:aws:iam::${accountId}:root`, Account: accountId });
		const unknown = await call(cloud, { Action: "<Assume>", Version: "2011-06-15" });
		t.equal(unknown.status, 400);
		t.match(unknown.text, "<Code>InvalidAction</Code>");
		t.match(unknown.text, "&#60;Assume&#62;");
		t.notMatch(unknown.text, "<Assume>");
	},
);

t.test(
	"a role is made, kept, listed back and deleted by the rules of IAM, with a warning that it does nothing",
	async (t) => {
		const cloud = await started(t, { accessKeys: [], signatures: "any" });
		const iam = (Action: string, parameters: Record<string, string> = {}) =>
			call(cloud, { Action, Version: "2010-05-08", RoleName: "provisioning", ...parameters });
		const PolicyArn = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration";
		const trust = (principal: object) => ({
			AssumeRolePolicyDocument: JSON.stringify({
				Version: "2012-10-17",
				Statement: [{ Effect: "Allow", ...principal, Action: "sts:AssumeRole" }],
			}),
		});
		const document = trust({ Principal: { Service: "iot.amazonaws.com" } });
		t.match((await iam("CreateRole", trust({}))).text, "<Code>MalformedPolicyDocument</Code>");
		t.match((await iam("CreateRole", { ...document, RoleName: "a b" })).text, "<Code>ValidationError</Code>");
		t.match((await iam("GetRole")).text, "<Code>NoSuchEntity</Code>");
		t.equal((await iam("CreateRole", document)).status, 200);
		t.match(cloud.events.since().at(-1), { event: "warning", message: /^CreateRole: kept and listed back/ });
		t.equal((await iam("CreateRole", document)).status, 409);
		const shown = await iam("GetRole");
		t.match(shown.text, `<Arn>arn:aws:iam::${accountId}:role/provisioning</Arn>`);
		t.match(decodeURIComponent(shown.text), document.AssumeRolePolicyDocument);
		await iam("AttachRolePolicy", { PolicyArn });
		t.match((await iam("ListAttachedRolePolicies")).text, `<PolicyArn>${PolicyArn}</PolicyArn>`);
		t.match((await iam("DeleteRole")).text, "<Code>DeleteConflict</Code>");
		await iam("DetachRolePolicy", { PolicyArn });
		t.match((await iam("DetachRolePolicy", { PolicyArn })).text, "<Code>NoSuchEntity</Code>");
		for (const list of ["ListRolePolicies", "ListInstanceProfilesForRole"])
			t.equal((await iam(list)).status, 200, list);
		t.match((await iam("ListRoles")).text, "<RoleName>provisioning</RoleName>");
		t.equal((await iam("DeleteRole")).status, 200);
		t.equal((await iam("GetRole")).status, 404);
	},
);
