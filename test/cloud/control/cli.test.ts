// AWS's command line with `--endpoint-url` sets up what a fleet needs, by the commands of docs/real-account.md.

import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { accessKey, administrator, arn, region, roleArn, started } from "./started.js";

const run = promisify(execFile);
const installed = await run("aws", ["--version"]).then(
	() => true,
	() => false,
);
const skip = installed ? false : "the AWS command line is not installed (Debian: apt-get install awscli)";

t.test("template, policy, claim certificate and provisioning claim", { skip }, async (t) => {
	const stranger = accessKey("stranger");
	const cloud = await started(t, { accessKeys: [administrator, stranger] });
	const directory = t.testdir();
	const aws = async (args: string[], key = administrator): Promise<Record<string, unknown>> => {
		const { stdout } = await run("aws", ["--endpoint-url", cloud.url, "--output", "json", "iot", ...args], {
			cwd: directory,
			env: {
				PATH: process.env.PATH,
				HOME: directory,
				AWS_REGION: region,
				AWS_DEFAULT_REGION: region,
				AWS_ACCESS_KEY_ID: key.accessKeyId,
				AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
				AWS_PAGER: "",
				AWS_EC2_METADATA_DISABLED: "true",
			},
		});
		return stdout.trim() === "" ? {} : JSON.parse(stdout);
	};
	const policy = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });
	const operations = ["$aws/certificates/create*", "$aws/provisioning-templates/fleet/provision/*"];
	const allow = (Action: string | string[], Resource: string[]) => ({ Effect: "Allow", Action, Resource });
	writeFileSync(
		join(directory, "claim-policy.json"),
		policy(
			allow("iot:Connect", [arn("client/*")]),
			allow(
				["iot:Publish", "iot:Receive"],
				operations.map((topic) => arn(`topic/${topic}`)),
			),
			allow(
				"iot:Subscribe",
				operations.map((filter) => arn(`topicfilter/${filter}`)),
			),
		),
	);
	// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
	const own = "client/${iot:Connection.Thing.ThingName}";
	writeFileSync(join(directory, "device-policy.json"), policy(allow("iot:Connect", [arn(own)])));
	writeFileSync(
		join(directory, "template.json"),
		JSON.stringify({
			Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
			Resources: {
				thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
				certificate: {
					Type: "AWS::IoT::Certificate",
					Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
				},
				policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
			},
		}),
	);

	await aws(["create-policy", "--policy-name", "claim", "--policy-document", "file://claim-policy.json"]);
	await aws(["create-policy", "--policy-name", "device", "--policy-document", "file://device-policy.json"]);
	const { certificateArn, certificateId } = await aws([
		"create-keys-and-certificate",
		"--set-as-active",
		"--certificate-pem-outfile",
		"claim.pem",
		"--private-key-outfile",
		"claim.key",
	]);
	const pem = readFileSync(join(directory, "claim.pem"), "utf8");
	t.equal(new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase(), certificateId);
	t.match(readFileSync(join(directory, "claim.key"), "utf8"), /^-----BEGIN RSA PRIVATE KEY-----\n/);
	await aws(["attach-policy", "--policy-name", "claim", "--target", `${certificateArn}`]);
	t.match(await aws(["list-attached-policies", "--target", `${certificateArn}`]), {
		policies: [{ policyName: "claim" }],
	});

	const template = ["--template-name", "fleet"];
	t.match(
		await aws([
			"create-provisioning-template",
			...template,
			"--template-body",
			"file://template.json",
			"--provisioning-role-arn",
			roleArn,
			"--enabled",
		]),
		{ templateArn: arn("provisioningtemplate/fleet"), defaultVersionId: 1 },
	);
	t.match(await aws(["describe-provisioning-template", ...template]), { enabled: true, templateName: "fleet" });
	const claim = await aws(["create-provisioning-claim", ...template]);
	t.match(claim, { certificateId: /^[0-9a-f]{64}$/, keyPair: { PrivateKey: /BEGIN RSA PRIVATE KEY/ } });
	const { certificates } = (await aws(["list-certificates"])) as { certificates: object[] };
	t.match(certificates, [{ certificateArn, status: "ACTIVE" }]);
	t.equal(certificates.length, 1, "the provisioning claim is not listed");
	t.match(await aws(["describe-endpoint", "--endpoint-type", "iot:Data-ATS"]), { endpointAddress: /-ats\.iot\./ });

	for (let i = 0; i < 5; i++) await aws(["create-thing", "--thing-name", `thing-${i}`]);
	const { things } = (await aws(["list-things", "--page-size", "2"])) as { things: object[] };
	t.equal(things.length, 5, "the command line follows the pages");

	const complaint = (...call: Parameters<typeof aws>) =>
		aws(...call).then(
			() => "no complaint",
			({ stderr }: { stderr: string }) => stderr,
		);
	t.match(
		await complaint(["describe-thing", "--thing-name", "none"]),
		/An error occurred \(ResourceNotFoundException\) when calling the DescribeThing operation: Thing none not found/,
	);
	t.match(
		await complaint(["list-things"], stranger),
		/\(AccessDeniedException\) when calling the ListThings operation: User: .*stranger is not authorized/,
	);
	t.match(
		await complaint(["list-things"], { ...administrator, secretAccessKey: "wrong" }),
		/\(InvalidSignatureException\)/,
	);
});
