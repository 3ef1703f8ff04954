// Sample documents to start with, as data: AWS's sample claim policy narrowed to one template, a policy for devices, and a
// template that names things by their serial number.

/** Account and region that ARNs are made of. */
export interface AccountNames {
	/** 12 digits. */
	readonly accountId: string;
	/** Such as `eu-west-1`. */
	readonly region: string;
}

/** A policy document as an object; `JSON.stringify` it for the API. */
export interface PolicyDocument {
	/** The only version whose variables AWS IoT replaces. */
	readonly Version: "2012-10-17";
	/** Together they decide: a Deny wins, and without an Allow nothing is allowed. */
	readonly Statement: readonly {
		/** A name for people. */
		readonly Sid?: string;
		/** Whether the statement allows or denies. */
		readonly Effect: "Allow" | "Deny";
		/** Such as `iot:Connect`. */
		readonly Action: string | readonly string[];
		/** ARNs, in which `*` and `?` are wildcards. */
		readonly Resource: string | readonly string[];
	}[];
}

/** How a claim gets its certificate. */
export type CreationTopic = "create" | "create-from-csr";

/**
 * What a claim certificate needs to provision with one template, and nothing else.
 * AWS's own sample covers `create` only and connects as any client id; see `clientId` and `creation`.
 */
export function claimPolicy(
	account: AccountNames,
	templateName: string,
	{
		creation = ["create", "create-from-csr"],
		clientId = "*",
	}: { readonly creation?: readonly CreationTopic[]; readonly clientId?: string } = {},
): PolicyDocument {
	const arn = (rest: string) => `arn:aws:iot:${account.region}:${account.accountId}:${rest}`;
	const topics = [
		...creation.map((topic) => `$aws/certificates/${topic}/*`),
		`$aws/provisioning-templates/${templateName}/provision/*`,
	];
	return {
		Version: "2012-10-17",
		Statement: [
			{ Sid: "Connect", Effect: "Allow", Action: "iot:Connect", Resource: arn(`client/${clientId}`) },
			{
				Sid: "PublishReceive",
				Effect: "Allow",
				Action: ["iot:Publish", "iot:Receive"],
				Resource: topics.map((topic) => arn(`topic/${topic}`)),
			},
			{
				Sid: "Subscribe",
				Effect: "Allow",
				Action: "iot:Subscribe",
				Resource: topics.map((topic) => arn(`topicfilter/${topic}`)),
			},
		],
	};
}

/** What a temporary claim may do. It has no policy attached, and AWS does not say what it may do: this is our assumption. */
export function temporaryClaimPolicy(account: AccountNames, templateName: string): PolicyDocument {
	return claimPolicy(account, templateName);
}

/** Lets a device connect only under its thing's name, and use only the topics below `devices/` and that name. */
export function devicePolicy(account: AccountNames): PolicyDocument {
	const arn = (rest: string) => `arn:aws:iot:${account.region}:${account.accountId}:${rest}`;
	const thing = `\${iot:Connection.Thing.ThingName}`;
	return {
		Version: "2012-10-17",
		Statement: [
			{ Sid: "Connect", Effect: "Allow", Action: "iot:Connect", Resource: arn(`client/${thing}`) },
			{
				Sid: "PublishReceive",
				Effect: "Allow",
				Action: ["iot:Publish", "iot:Receive"],
				Resource: arn(`topic/devices/${thing}/*`),
			},
			{
				Sid: "Subscribe",
				Effect: "Allow",
				Action: "iot:Subscribe",
				Resource: arn(`topicfilter/devices/${thing}/*`),
			},
		],
	};
}

/** A template that makes a thing named `<prefix><SerialNumber>`, activates its certificate and attaches a policy that exists. */
export function provisioningTemplate(policyName: string, prefix = ""): object {
	return {
		Parameters: {
			SerialNumber: { Type: "String" },
			"AWS::IoT::Certificate::Id": { Type: "String" },
		},
		Resources: {
			thing: {
				Type: "AWS::IoT::Thing",
				Properties: {
					ThingName: { "Fn::Join": ["", [prefix, { Ref: "SerialNumber" }]] },
					AttributePayload: { serialNumber: { Ref: "SerialNumber" } },
				},
				OverrideSettings: { AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" },
			},
			certificate: {
				Type: "AWS::IoT::Certificate",
				Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
			},
			policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: policyName } },
		},
	};
}
