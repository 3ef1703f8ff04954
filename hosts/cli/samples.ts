// `fleet samples`: writes the three documents that a real AWS account needs as JSON files, and a text beside them that says what
// each grants, because JSON has no comments. Never replaces an existing file without --force.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	type AccountNames,
	type CreationTopic,
	claimPolicy,
	devicePolicy,
	type PolicyDocument,
	provisioningTemplate,
} from "../cloud/base/samples.js";
import { CLAIM_CLIENT_IDS, policyNames } from "../cloud/prepare.js";
import { CommandError, command } from "./command.js";
import { printedCall, quote } from "./invocation.js";
import { columns } from "./terminal.js";
import { accountId, region as regionName, templateName } from "./values.js";

/** Names of the files. */
const FILES = {
	claimPolicy: "claim-policy.json",
	devicePolicy: "device-policy.json",
	template: "template.json",
	explanation: "what-they-grant.md",
} as const;

export const samples = command({
	options: {
		account: { type: "string", value: "NUMBER", required: true, help: "the AWS account's id, 12 digits" },
		region: { type: "string", value: "REGION", required: true, help: "the region, such as eu-west-1" },
		template: { type: "string", value: "NAME", required: true, help: "what the provisioning template is to be called" },
		keys: { type: "boolean", help: "AWS makes the key pairs: the claim may use create, not create-from-csr" },
		out: { type: "string", value: "FOLDER", default: ".", help: "where to write them; made when absent" },
		force: { type: "boolean", help: "replace files that are there already" },
		json: { type: "boolean", help: "print one JSON object with the paths that were written" },
	},
	details: `Writes ${FILES.claimPolicy}, ${FILES.devicePolicy} and ${FILES.template}, and ${FILES.explanation}, which says what each statement grants and how to create them with AWS's command line. Each grants what provisioning needs and no more. Touches no account.`,
	async run({ account, region, template, keys, out, force, json }) {
		accountId(account);
		regionName(region);
		templateName(template);
		const creation = keys ? "create" : "create-from-csr";
		const documents = sampleDocuments({ accountId: account, region }, template, creation);
		const texts: Record<keyof typeof FILES, string> = {
			claimPolicy: asJson(documents.claimPolicy),
			devicePolicy: asJson(documents.devicePolicy),
			template: asJson(documents.template),
			explanation: explanation(documents, { account, region, template, keys }),
		};
		const paths = Object.fromEntries(
			Object.entries(FILES).map(([document, file]) => [document, join(out, file)]),
		) as Record<keyof typeof FILES, string>;
		write(
			out,
			Object.entries(texts).map(([document, text]) => [paths[document as keyof typeof FILES], text] as const),
			force,
		);
		if (json) console.log(JSON.stringify(paths, undefined, "\t"));
		else
			console.log(`Written:
${columns([
	[paths.claimPolicy, "what a claim certificate may do"],
	[paths.devicePolicy, "what a device may do once it has its identity"],
	[paths.template, `the provisioning template ${template}`],
	[paths.explanation, "what each statement grants, and how to create all of it in the account"],
])}

Try them before they are in an account:
${policyCheckCall(out, template, keys)}`);
		return 0;
	},
});

interface Documents {
	readonly claimPolicy: PolicyDocument;
	readonly devicePolicy: PolicyDocument;
	readonly template: object;
}

/** The three documents for one account and one of the two ways to get a certificate. */
export const sampleDocuments = (account: AccountNames, template: string, creation: CreationTopic): Documents => ({
	claimPolicy: claimPolicy(account, template, { creation: [creation], clientId: CLAIM_CLIENT_IDS }),
	devicePolicy: devicePolicy(account),
	template: provisioningTemplate(policyNames(template).device),
});

const asJson = (document: object): string => `${JSON.stringify(document, undefined, "\t")}\n`;

/** Writes all files, or none when one of them exists already. @throws CommandError */
function write(folder: string, files: readonly (readonly [path: string, text: string])[], force: boolean): void {
	const existing = files.map(([path]) => path).filter((path) => existsSync(path));
	if (existing.length > 0 && !force)
		throw new CommandError(
			`${existing.join(", ")} ${existing.length === 1 ? "exists" : "exist"} already: --force replaces existing files`,
		);
	try {
		mkdirSync(folder, { recursive: true });
		for (const [path, text] of files) writeFileSync(path, text);
	} catch (error) {
		const { code, path = folder } = error as NodeJS.ErrnoException;
		if (code === "EEXIST" || code === "ENOTDIR") throw new CommandError(`${folder} is not a folder`);
		if (code === "EISDIR") throw new CommandError(`${path} is a folder, not a file`);
		throw error;
	}
}

const policyCheckCall = (out: string, template: string, keys: boolean): string =>
	printedCall("policy check", {
		"claim-policy": join(out, FILES.claimPolicy),
		"device-policy": join(out, FILES.devicePolicy),
		template,
		"template-body": join(out, FILES.template),
	}) + (keys ? " --keys" : "");

/** What the statements of the sample policies grant, by `Sid`. */
const GRANTS: Readonly<Record<"claimPolicy" | "devicePolicy", Readonly<Record<string, string>>>> = {
	claimPolicy: {
		Connect:
			"A device with the claim certificate may connect, with client ids that begin with `claim-`. With `*`, whoever takes the claim out of one device could connect under the name of any other and interrupt it.",
		PublishReceive:
			"It may ask for a certificate and for registration with this one template, and receive the replies. It may use no other topic and no other template.",
		Subscribe:
			"It may subscribe to the replies. The resources are `topicfilter/…`, not `topic/…`: the most frequent mistake in such policies.",
	},
	devicePolicy: {
		Connect:
			"A device may connect only under the name of the thing that its certificate is attached to, so no device can pass for another.",
		PublishReceive:
			"It may publish and receive below `devices/`, followed by its own thing name. Change this to the topics of your application.",
		Subscribe: "It may subscribe to the same topics. Change this together with the statement above.",
	},
};

interface Given {
	readonly account: string;
	readonly region: string;
	readonly template: string;
	readonly keys: boolean;
}

function explanation(documents: Documents, { account, region, template, keys }: Given): string {
	const names = policyNames(template);
	const role = `${template}-provisioning`;
	const statements = (which: "claimPolicy" | "devicePolicy"): string =>
		documents[which].Statement.map(({ Sid, Action, Resource }) => {
			const resources = [Resource].flat().map((resource) => `  - \`${resource}\``);
			return `- **${Sid}** (${[Action].flat().join(", ")}): ${GRANTS[which][Sid!]}\n${resources.join("\n")}`;
		}).join("\n");
	const trust = JSON.stringify({
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Principal: { Service: "iot.amazonaws.com" }, Action: "sts:AssumeRole" }],
	});
	return `# What these documents grant

Made by \`fleet samples\` for account ${account} in ${region}. ${
		keys
			? "AWS IoT makes each device's key pair and sends it (`create`)."
			: "Devices make their own key pair and send a certificate signing request (`create-from-csr`); for devices whose key pair AWS makes, use `fleet samples --keys`."
	}

## ${FILES.claimPolicy}: the policy of the claim certificate, ${names.claim}

Every device carries the claim, so assume that somebody will extract it from a device.

${statements("claimPolicy")}

## ${FILES.devicePolicy}: the policy of each device, ${names.device}

\`\${iot:Connection.Thing.ThingName}\` is a variable that AWS IoT replaces. It has a value only while the certificate is attached
to the thing whose name is the client id.

${statements("devicePolicy")}

## ${FILES.template}: the provisioning template, ${template}

For each device, AWS IoT makes a thing that is named by the device's serial number, activates the certificate and attaches the
policy ${names.device}. A device that registers again keeps its thing groups; its attributes are merged. The role lets AWS IoT
do this in your account, and the template must be enabled: a disabled one denies every device.

## How to create them

In this folder, with AWS's command line and the rights of an administrator:

\`\`\`sh
export AWS_DEFAULT_REGION=${region}
aws iam create-role --role-name ${role} --assume-role-policy-document ${quote(trust)}
aws iam attach-role-policy --role-name ${role} \\
    --policy-arn arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration
aws iot create-policy --policy-name ${names.device} --policy-document file://${FILES.devicePolicy}
aws iot create-policy --policy-name ${names.claim} --policy-document file://${FILES.claimPolicy}
aws iot create-provisioning-template --template-name ${template} --enabled --template-body file://${FILES.template} \\
    --provisioning-role-arn arn:aws:iam::${account}:role/${role}
ARN=$(aws iot create-keys-and-certificate --set-as-active --certificate-pem-outfile claim.pem \\
    --private-key-outfile claim.key --query certificateArn --output text)
aws iot attach-policy --policy-name ${names.claim} --target "$ARN"
\`\`\`

\`claim.key\` is a secret. A local cloud of this account accepts all these lines too: start it with
\`fleet cloud --account ${account} --region ${region}\`, and before the lines run
\`export AWS_ENDPOINT_URL=http://127.0.0.1:8880 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any\`.
`;
}
