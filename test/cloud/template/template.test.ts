// The template language, with examples of AWS's developer guide ("Provisioning templates") and what they stand for.

import { createHash } from "node:crypto";
import t from "tap";
import { evaluateTemplate, parseTemplate, type TemplateUse } from "../../../hosts/cloud/template/template.js";

const certificate = {
	Type: "AWS::IoT::Certificate",
	Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
};
const thing = { Type: "AWS::IoT::Thing", Properties: { ThingName: "t" } };

function work(template: object, parameters: Record<string, string> = {}, use?: TemplateUse) {
	return evaluateTemplate(parseTemplate(JSON.stringify(template), use), {
		parameters: new Map(Object.entries(parameters)),
		certificateId: "c1",
	});
}

/** What a value in DeviceConfiguration becomes. */
function value(expression: unknown, parameters: Record<string, string> = {}, mappings: object = {}) {
	const Parameters = { A: { Type: "String" }, D: { Type: "String", Default: "d" } };
	return work(
		{ Parameters, Mappings: mappings, Resources: { thing }, DeviceConfiguration: { value: expression } },
		parameters,
	).deviceConfiguration.value;
}

t.test("Functions give what AWS's guide says", async (t) => {
	t.equal(value({ Ref: "A" }, { A: "a" }), "a");
	t.equal(value({ Ref: "D" }), "d", "the default");
	t.equal(value({ Ref: "D" }, { D: "sent" }), "sent");
	t.equal(value({ "Fn::Join": [":", ["a", "b", "c"]] }), "a:b:c");
	t.equal(value({ "Fn::Join": ["", ["ThingPrefix_", { Ref: "A" }]] }, { A: "7" }), "ThingPrefix_7");
	const fruit = ["apples", "grapes", "oranges", "mangoes"];
	t.equal(value({ "Fn::Select": ["1", fruit] }), "grapes");
	t.equal(value({ "Fn::Select": [1, fruit] }), "grapes");
	t.throws(() => value({ "Fn::Select": ["4", fruit] }), /Fn::Select/);
	t.throws(() => value({ "Fn::Select": ["0", [null]] }), /Fn::Select/);
	t.equal(value({ "Fn::Select": ["2", { "Fn::Split": ["|", "a|b|c"] }] }), "c");
	const map = { LocationTable: { Seattle: { LocationUrl: "https://example.aws" } } };
	t.equal(
		value({ "Fn::FindInMap": ["LocationTable", { Ref: "A" }, "LocationUrl"] }, { A: "Seattle" }, map),
		"https://example.aws",
	);
	t.throws(() => value({ "Fn::FindInMap": ["LocationTable", "__proto__", "x"] }, {}, map), /Fn::FindInMap/);
	t.throws(() => value({ "Fn::FindInMap": ["toString", "name", "x"] }, {}, map), /Fn::FindInMap/);
	t.equal(value({ "Fn::Sub": `https://\${A}.example` }, { A: "x" }), "https://x.example");
	t.equal(value({ "Fn::Sub": [`\${A}/\${B}/\${!C}`, { B: { Ref: "D" } }] }, { A: "x" }), `x/d/\${C}`);
	t.equal(value(7), "7");
	t.equal(value(true), "true");
});

t.test("A reference that nothing resolves is named as AWS names it", async (t) => {
	t.throws(() => value({ Ref: "AWS::Region" }), { message: "Cannot resolve reference value: AWS::Region" });
	t.throws(() => value({ Ref: "A" }), { message: "Cannot resolve reference value: A" });
	t.throws(() => value({ Ref: "thing" }), /Cannot resolve/, "a resource's logical name");
	t.throws(() => value({ Ref: "Undeclared" }, { Undeclared: "x" }), /Cannot resolve/, "sent, but not declared");
});

t.test("AWS's fleet sample becomes a thing, a certificate and a policy", async (t) => {
	const PolicyDocument = {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: ["iot:Publish"], Resource: ["arn:aws:iot:us-east-1:123456789012:topic/foo/bar"] },
		],
	};
	const sample = {
		Parameters: { ThingName: { Type: "String" }, SerialNumber: { Type: "String" }, DeviceLocation: { Type: "String" } },
		Mappings: { LocationTable: { Seattle: { LocationUrl: "https://example.aws" } } },
		Resources: {
			thing: {
				Type: "AWS::IoT::Thing",
				Properties: {
					AttributePayload: { version: "v1", serialNumber: "serialNumber" },
					ThingName: { Ref: "ThingName" },
					ThingTypeName: { "Fn::Join": ["", ["ThingPrefix_", { Ref: "SerialNumber" }]] },
					ThingGroups: ["v1-lightbulbs", "WA"],
					BillingGroup: "LightBulbBillingGroup",
				},
				OverrideSettings: { AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" },
			},
			certificate,
			policy: { Type: "AWS::IoT::Policy", Properties: { PolicyDocument } },
		},
		DeviceConfiguration: {
			FallbackUrl: "https://www.example.com/test-site",
			LocationUrl: { "Fn::FindInMap": ["LocationTable", { Ref: "DeviceLocation" }, "LocationUrl"] },
		},
	};
	const plan = work(sample, { ThingName: "bulb", SerialNumber: "12", DeviceLocation: "Seattle" });
	t.same(plan.thing, {
		logicalName: "thing",
		thingName: "bulb",
		attributes: { version: "v1", serialNumber: "serialNumber" },
		thingTypeName: "ThingPrefix_12",
		thingGroups: ["v1-lightbulbs", "WA"],
		billingGroup: "LightBulbBillingGroup",
		override: { AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" },
	});
	t.same(plan.certificate, { logicalName: "certificate", certificateId: "c1", status: "ACTIVE" });
	t.same(plan.deviceConfiguration, {
		FallbackUrl: "https://www.example.com/test-site",
		LocationUrl: "https://example.aws",
	});
	const text = structuredClone(sample);
	Object.assign(text.Resources.policy.Properties, { PolicyDocument: JSON.stringify(PolicyDocument, undefined, 2) });
	const again = work(text, { ThingName: "bulb", SerialNumber: "12", DeviceLocation: "Seattle" });
	t.equal(again.policies[0]?.policyName, plan.policies[0]?.policyName, "an object and its text are the same policy");
	t.match(plan.policies[0]?.policyName, /^[0-9a-f]{64}$/);
	t.not(plan.policies[0]?.policyName, createHash("sha256").update("").digest("hex"));
});

t.test("A device cannot put another certificate in the place of its own", async (t) => {
	const plan = work(
		{ Parameters: { "AWS::IoT::Certificate::Id": { Type: "String" } }, Resources: { certificate } },
		{ "AWS::IoT::Certificate::Id": "somebody-elses" },
	);
	t.equal(plan.certificate?.certificateId, "c1");
});

t.test("A thing may have package versions, a certificate a kind of attachment, both with functions", async (t) => {
	const Parameters = { Kind: { Type: "String" }, Version: { Type: "String", Default: "1.0" } };
	const withBoth = (ThingPrincipalType: unknown, PackageVersions: unknown = { app: { Ref: "Version" } }) => ({
		Parameters,
		Resources: {
			thing: { ...thing, Properties: { ...thing.Properties, PackageVersions } },
			certificate: { ...certificate, Properties: { ...certificate.Properties, ThingPrincipalType } },
		},
	});
	const plan = work(withBoth({ Ref: "Kind" }), { Kind: "EXCLUSIVE_THING" });
	t.equal(plan.certificate?.thingPrincipalType, "EXCLUSIVE_THING");
	t.same(plan.thing?.packageVersions, { app: "1.0" });
	t.equal(work(withBoth("NON_EXCLUSIVE_THING")).certificate?.thingPrincipalType, "NON_EXCLUSIVE_THING");
	t.throws(() => work(withBoth("exclusive")), /ThingPrincipalType must be EXCLUSIVE_THING or NON_EXCLUSIVE_THING/);
	t.throws(() => work(withBoth({ Ref: "Kind" })), /Cannot resolve reference value: Kind/);
	t.throws(() => work(withBoth("EXCLUSIVE_THING", "app:1.0")), /PackageVersions must be an object/);
	t.throws(() => work(withBoth("EXCLUSIVE_THING", { app: ["1.0"] })), /must be text/);
	t.throws(
		() => work({ Resources: { thing: { ...thing, Properties: { ...thing.Properties, ThingPrincipalType: "x" } } } }),
		/unknown property ThingPrincipalType/,
	);
});

t.test("OverrideSettings are spelt either way", async (t) => {
	const OverrideSettings = { ATTRIBUTE_PAYLOAD: "MERGE", THING_TYPE_NAME: "FAIL", THING_GROUPS: "REPLACE" };
	const plan = work({ Resources: { thing: { ...thing, OverrideSettings } } });
	t.same(plan.thing?.override, { AttributePayload: "MERGE", ThingTypeName: "FAIL", ThingGroups: "REPLACE" });
});

t.test("A body that is no template is refused with the reason", async (t) => {
	for (const [body, reason] of [
		["{", /not JSON/],
		["[]", /must be an object/],
		[{ Resources: {} }, /Resources is empty/],
		[{ Resources: { thing }, Outputs: {} }, /Unknown section Outputs/],
		[{ Resources: { thing: { Type: "AWS::IoT::Thing", Properties: {} } } }, /no ThingName/],
		[{ Resources: { x: { Type: "AWS::S3::Bucket", Properties: {} } } }, /must have the type/],
		[{ Resources: { a: thing, b: thing } }, /only one AWS::IoT::Thing/],
		[
			{ Resources: { policy: { Type: "AWS::IoT::Policy", Properties: {} } } },
			/Neither policyName nor policyDocument is present in the Template/,
		],
		[
			{ Resources: { c: { Type: "AWS::IoT::Certificate", Properties: { CertificateSigningRequest: "x" } } } },
			/CertificateId, the only form/,
		],
		[{ Parameters: { P: { Type: "Number" } }, Resources: { thing } }, /type String/],
		[{ Resources: { thing }, Mappings: { M: { a: { b: { Ref: "x" } } } } }, /literals only/],
		[{ Resources: { thing }, DeviceConfiguration: { a: { b: "c" } } }, /nested objects/],
		[{ Resources: { thing }, DeviceConfiguration: { a: { "Fn::If": [] } } }, /unknown function Fn::If/],
		[{ Resources: { thing }, DeviceConfiguration: { a: { "Fn::Join": ["x"] } } }, /wrong arguments/],
		[{ Resources: { thing: { ...thing, OverrideSettings: { ThingTypeName: "MERGE" } } } }, /must be one of/],
		[{ Resources: { thing: { ...thing, OverrideSettings: { Name: "FAIL" } } } }, /unknown member Name/],
		[
			`{"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":${"[".repeat(500)}${"]".repeat(500)}}}}}`,
			/too deeply/,
		],
	] as const) {
		t.throws(() => parseTemplate(typeof body === "string" ? body : JSON.stringify(body)), reason);
	}
	t.doesNotThrow(() =>
		parseTemplate(JSON.stringify({ Resources: { thing: { ...thing, Properties: { ThingName: { Ref: "X" } } } } })),
	);
});

t.test("Nested Fn::Sub cost no more than they are long", async (t) => {
	const nested = (levels: number, twice: string): unknown =>
		levels === 0 ? "x".repeat(100) : { "Fn::Sub": [twice, { v: nested(levels - 1, twice) }] };
	t.throws(() => value(nested(4, `\${v}`.repeat(20))), /too long/);
	t.equal(value(nested(10, `\${v}\${v}`)), "x".repeat(102_400));
});
