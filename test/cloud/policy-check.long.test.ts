// `fleet policy check`: which statements the flow needs, which it never uses, what else the claim could do.

import t from "tap";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { checkPolicies } from "../../hosts/cloud/policy-check.js";

const account = { accountId: "123456789012", region: "eu-west-1" };
const sids = (list: readonly { policy: string; index: number; sid?: string }[]) =>
	list.map(({ policy, index, sid }) => `${policy} ${sid ?? index}`);

const good = {
	claimPolicy: JSON.stringify(claimPolicy(account, "T", { creation: ["create"], clientId: "claim-*" })),
	devicePolicy: JSON.stringify(devicePolicy(account)),
	template: JSON.stringify(provisioningTemplate("DevicePolicy")),
	templateName: "T",
	parameters: { SerialNumber: "S1" },
};

t.test("The narrowed sample policies pass, need every statement, and allow nothing else", async (t) => {
	const report = await checkPolicies(good);
	t.ok(report.succeeded);
	t.equal(report.thingName, "S1");
	t.same(sids(report.needed), ["claim Connect", "claim PublishReceive", "claim Subscribe", "device Connect"]);
	t.same(report.redundant, []);
	t.same(sids(report.unused), ["device PublishReceive", "device Subscribe"]);
	t.same(report.excess, []);
	t.same(report.notes, []);
	t.equal(report.steps.at(0)?.resource, "arn:aws:iot:eu-west-1:123456789012:client/claim-S1");
	t.match(report.steps.at(-1), { identity: "device", resource: "arn:aws:iot:eu-west-1:123456789012:client/S1" });
});

t.test("A policy for everything passes, and its dangers are told", async (t) => {
	const claim = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }] };
	const report = await checkPolicies({ ...good, claimPolicy: JSON.stringify(claim) });
	t.ok(report.succeeded);
	t.equal(report.excess.length, 12);
	t.ok(report.excess.some(({ danger }) => /listen to everything/.test(danger)));
});

t.test(
	"Whoever has a shared claim can become a thing that exists: tried, and not told where it cannot be",
	async (t) => {
		const risk = /any thing that exists.*for the thing S1, and may connect as it.*hook can/;
		t.match((await checkPolicies(good)).risks, [risk]);
		const hooked = await checkPolicies({ ...good, hook: true });
		t.same(hooked.risks, []);
		t.match(hooked.notes, [/hook is taken to refuse a thing that exists/]);
		const template = provisioningTemplate("DevicePolicy") as {
			Resources: { thing: { OverrideSettings: object }; certificate: object };
		};
		const failing = structuredClone(template);
		failing.Resources.thing.OverrideSettings = { AttributePayload: "FAIL" };
		t.same((await checkPolicies({ ...good, template: JSON.stringify(failing) })).risks, [], "OverrideSettings stop it");
		const elsewhere = JSON.stringify(devicePolicy(account)).replaceAll("client/", "client/x-");
		t.same((await checkPolicies({ ...good, devicePolicy: elsewhere })).risks, [], "the device policy stops it");
	},
);

t.test("AWS's sample covers no CSR: the flow stops where it would, with what to change", async (t) => {
	const report = await checkPolicies({ ...good, creation: "create-from-csr" });
	t.notOk(report.succeeded);
	t.match(report.steps.at(-1), {
		allowed: false,
		action: "iot:Subscribe",
		resource: "arn:aws:iot:eu-west-1:123456789012:topicfilter/$aws/certificates/create-from-csr/cbor/accepted",
		explanation: /add that to its Resource/,
	});
	t.same(
		report.excess.map(({ resource }) => resource.split(":").at(-1)),
		["topic/$aws/certificates/create/json"],
	);
});

t.test("Statements that double others, or serve nothing, are found; a Deny that bites is one too many", async (t) => {
	const claim = claimPolicy(account, "T", { creation: ["create"], clientId: "claim-*" });
	const extra = {
		Sid: "Extra",
		Effect: "Allow",
		Action: "iot:Publish",
		Resource: "arn:aws:iot:eu-west-1:123456789012:topic/x",
	};
	const double = { ...claim.Statement[0], Sid: "Double" };
	const report = await checkPolicies({
		...good,
		claimPolicy: JSON.stringify({ ...claim, Statement: [...claim.Statement, double, extra] }),
	});
	t.same(sids(report.redundant), ["claim Connect", "claim Double"]);
	t.ok(sids(report.unused).includes("claim Extra"));
	const deny = { Sid: "Deny", Effect: "Deny", Action: "iot:Receive", Resource: "*" };
	const denied = await checkPolicies({
		...good,
		claimPolicy: JSON.stringify({ ...claim, Statement: [...claim.Statement, deny] }),
	});
	t.notOk(denied.succeeded);
	t.match(denied.steps.at(-1), { allowed: false, action: "iot:Receive", statement: { sid: "Deny" } });
});

t.test("A template that cannot be carried out, and a device that cannot come back, are told apart", async (t) => {
	const parameters = { SerialNumber: "not a name" };
	const broken = await checkPolicies({ ...good, parameters });
	t.notOk(broken.succeeded);
	t.match(broken.failure, /RegisterThing: .*thingName/);
	const stranger = {
		...devicePolicy(account),
		Statement: [
			{ Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:eu-west-1:123456789012:client/other" },
		],
	};
	const locked = await checkPolicies({ ...good, devicePolicy: JSON.stringify(stranger) });
	t.notOk(locked.succeeded);
	t.equal(locked.failure, undefined);
	t.match(locked.steps.at(-1), { identity: "device", allowed: false });
});

t.test("What is missing is made up and said", async (t) => {
	const { parameters: _, ...without } = good;
	const report = await checkPolicies(without);
	t.equal(report.thingName, "SerialNumber-1");
	t.match(report.notes, [/SerialNumber is taken to be "SerialNumber-1"/]);
	await t.rejects(checkPolicies({ ...good, claimPolicy: "{}" }), /malformed/);
	await t.rejects(checkPolicies({ ...good, template: "{}" }), /Resources/);
});
