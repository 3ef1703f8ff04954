// Given an account and a region of one's own, then the cloud is that account: in its state, to its callers, in what it explains.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { startCloud } from "../../hosts/cloud/cloud.js";
import { checkPolicies } from "../../hosts/cloud/policy-check.js";
import { OtherAccountError } from "../../hosts/cloud/state/state.js";
import { connect, eventually, last, newCertificate, startRig } from "./rig.js";

const own = { accountId: "123456789012", region: "eu-west-1" };

t.test("a directory keeps its account and region, and is refused to another", async (t) => {
	const directory = mkdtempSync(join(tmpdir(), "fleet-account-"));
	t.teardown(() => rmSync(directory, { recursive: true, force: true }));
	const first = await startCloud({ directory, ...own });
	t.match(first.registry.state.account, own);
	t.match(first.endpoint, /-ats\.iot\.eu-west-1\.amazonaws\.com$/);
	const { endpoint } = first;
	await first.close();
	for (const [asked, words] of [
		[{ accountId: "210987654321" }, /for account 123456789012 in eu-west-1, not for account 210987654321 in eu-west-1/],
		[{ region: "us-east-1" }, /not for account 123456789012 in us-east-1: ask for what it was made for/],
	] as const) {
		await t.rejects(startCloud({ directory, ...asked }), { constructor: OtherAccountError, message: words });
	}
	const again = await startCloud({ directory });
	t.match(again.registry.state.account, own, "nobody who does not ask is refused");
	t.equal(again.endpoint, endpoint);
	await again.close();
	const asked = await startCloud({ directory, ...own });
	t.match(asked.registry.state.account, own);
	await asked.close();
});

t.test("what is no account or region is a TypeError before anything is opened", async (t) => {
	await t.rejects(startCloud({ accountId: "1234" }), {
		name: "TypeError",
		message: /^accountId must be the 12 digits/,
	});
	await t.rejects(startCloud({ region: "Ireland" }), { name: "TypeError", message: /^region must be the code/ });
	await t.rejects(startCloud({ region: "cn-north-1" }), { name: "TypeError", message: /outside China/ });
});

t.test(
	"a policy of another account or region: the refusal names both accounts, and does not say to add something",
	async (t) => {
		const rig = await startRig(own);
		t.teardown(() => rig.cloud.close());
		const { policies } = rig.cloud.registry;
		for (const [policyName, account, named] of [
			["other-account", { ...own, accountId: "210987654321" }, "account 210987654321 in eu-west-1"],
			["other-region", { ...own, region: "us-east-1" }, "account 123456789012 in us-east-1"],
		] as const) {
			const credentials = await newCertificate(rig.cloud.registry);
			policies.createPolicy({ policyName, policyDocument: JSON.stringify(claimPolicy(account, "fleet")) });
			policies.attachPolicy({ policyName, target: credentials.certificateArn });
			await t.rejects(connect(rig, credentials, "somebody"));
			const denied = await eventually(() => {
				const event = last(rig, "denied");
				return event?.event === "denied" && event.principal === credentials.certificateId ? event : undefined;
			});
			t.match(denied, {
				explanation:
					`Statement 1 (Connect) of the policy ${policyName} allows iot:Connect on resources of ${named}, but this cloud is ` +
					"account 123456789012 in eu-west-1: write arn:aws:iot:eu-west-1:123456789012:client/somebody, or use a cloud of the " +
					"policy's account and region.",
			});
		}
		t.throws(
			() => policies.attachPolicy({ policyName: "claim", target: "arn:aws:iot:eu-west-1:210987654321:cert/1" }),
			/must be a certificate or a thing group of account 123456789012 in eu-west-1/,
		);
	},
);

t.test(
	"policy check says so, too: of a device policy of another account, and of both when the account is given",
	async (t) => {
		const documents = {
			claimPolicy: JSON.stringify(claimPolicy(own, "fleet", { clientId: "claim-*" })),
			devicePolicy: JSON.stringify(devicePolicy({ ...own, accountId: "210987654321" })),
			template: JSON.stringify(provisioningTemplate("device")),
			templateName: "fleet",
		};
		const mixed = await checkPolicies(documents);
		t.notOk(mixed.succeeded);
		t.match(mixed.steps.at(-1), {
			identity: "device",
			allowed: false,
			explanation: /of account 210987654321 in eu-west-1, but this cloud is account 123456789012 in eu-west-1/,
		});
		const given = await checkPolicies({ ...documents, accountId: "210987654321" });
		t.match(given.steps.at(-1), {
			identity: "claim",
			explanation: /of account 123456789012 in eu-west-1, but this cloud is account 210987654321 in eu-west-1/,
		});
	},
);
