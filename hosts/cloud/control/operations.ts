// The operations of AWS IoT that this cloud has, as data: method, path, members with their limits, and what IAM is asked.
// Shapes and limits are those of the service's API model (version 2015-05-28). Behaviour is the registry's, never this file's.

import type { Members, Shape, Structure, Value } from "./shapes.js";

const boolean = { type: "boolean" } as const;
const text = { type: "string" } as const;
/** The model gives ARNs no limit; without one a caller could fill answers and events with a mebibyte each. */
const resourceArn = { type: "string", max: 2048 } as const;
const pageSize = { type: "integer", min: 1, max: 250 } as const;
const marker = { type: "string", max: 1024, pattern: "[A-Za-z0-9+/]+={0,2}" } as const;
const registryName = { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9:_-]+" } as const;
const attributeName = { type: "string", max: 128, pattern: "[a-zA-Z0-9_.,@/:#-]+" } as const;
const attributeValue = { type: "string", max: 800, pattern: "[a-zA-Z0-9_.,@/:#=\\[\\]-]*" } as const;
const longDescription = { type: "string", max: 2028, pattern: "[\\p{Graph}\\x20]*" } as const;
const attributePayload = {
	type: "structure",
	members: { attributes: { type: "map", key: attributeName, value: attributeValue }, merge: boolean },
} as const;
const tagKey = { type: "string", min: 1, max: 128, pattern: "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$" } as const;
const tags = {
	type: "list",
	member: { type: "structure", members: { "Key*": tagKey, Value: { type: "string", min: 0, max: 256 } } },
} as const;

const thingPrincipalType = { type: "string", enum: ["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"] } as const;
const expectedVersion = { type: "integer" } as const;
const thingGroupProperties = {
	type: "structure",
	members: { thingGroupDescription: longDescription, attributePayload },
} as const;

const templateName = { type: "string", min: 1, max: 36, pattern: "^[0-9A-Za-z_-]+$" } as const;
const templateBody = { type: "string", min: 0, max: 10_240, pattern: "[\\s\\S]*" } as const;
const templateDescription = { type: "string", min: 0, max: 500, pattern: "[^\\p{C}]*" } as const;
const versionId = { type: "integer" } as const;
const roleArn = { type: "string", min: 20, max: 2048 } as const;
const provisioningHook = {
	type: "structure",
	members: {
		payloadVersion: { type: "string", min: 10, max: 32, pattern: "^[0-9-]+$" },
		"targetArn*": { type: "string", max: 2048 },
	},
} as const;

const certificateId = { type: "string", min: 64, max: 64, pattern: "(0x)?[a-fA-F0-9]+" } as const;
const certificatePem = { type: "string", min: 1, max: 65_536, pattern: "[\\s\\S]*", opaque: true } as const;
const csr = { type: "string", min: 1, max: 4096, pattern: "[\\s\\S]*", opaque: true } as const;
const certificateStatus = {
	type: "string",
	enum: ["ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE", "PENDING_ACTIVATION"],
} as const;

const policyName = { type: "string", min: 1, max: 128, pattern: "[\\w+=,.@-]+" } as const;
const policyDocument = { type: "string", min: 0, max: 404_600, pattern: "[\\s\\S]*" } as const;
const policyVersionId = { type: "string", pattern: "[0-9]+" } as const;

type Empty = Record<never, never>;
/** `Members`, but shallow: the compiler need not follow shapes into shapes to infer them. */
type ShapesByName = Readonly<Record<string, { readonly type: Shape["type"] }>>;

/** One operation, as the router, the validation and IAM see it. */
export interface Operation {
	readonly method: string;
	/** Path; a member in braces is one segment. */
	readonly path: string;
	readonly pathMembers: Members;
	readonly queryMembers: Members;
	readonly bodyMembers: Members;
	/** Required text in a header: member name → header name. */
	readonly headerMembers: Readonly<Record<string, string>>;
	/** The resources that IAM must allow the action on: whole ARNs, or what follows `arn:aws:iot:REGION:ACCOUNT:`. None: `*`. */
	resources(input: Readonly<Record<string, unknown>>): readonly string[];
}

interface Parts<P, Q, B, H> {
	path?: P;
	query?: Q;
	body?: B;
	header?: H;
	resources?(input: OperationInput<P, Q, B, H>): readonly string[];
}

type OperationInput<P, Q, B, H> = { [K in keyof P]: Value<P[K]> } & { [K in keyof H]: string } & Structure<Q> &
	Structure<B>;

type TypedOperation<P, Q, B, H> = Operation & { readonly input?: OperationInput<P, Q, B, H> };

function operation<
	P extends ShapesByName = Empty,
	Q extends ShapesByName = Empty,
	B extends ShapesByName = Empty,
	H extends Record<string, string> = Empty,
>(http: `${string} /${string}`, parts: Parts<P, Q, B, H> = {}): TypedOperation<P, Q, B, H> {
	const [method, path] = http.split(" ") as [string, string];
	return {
		method,
		path,
		pathMembers: (parts.path ?? {}) as Members,
		queryMembers: (parts.query ?? {}) as Members,
		bodyMembers: (parts.body ?? {}) as Members,
		headerMembers: parts.header ?? {},
		// The input was read and checked by the members of this very operation.
		resources: (input) => parts.resources?.(input as never) ?? [],
	};
}

const template = ({ templateName }: { templateName: string }) => [`provisioningtemplate/${templateName}`];
// In lower case, as the registry has it: else a Deny would not be about what is meant.
const certificate = ({ certificateId }: { certificateId: string }) => [`cert/${certificateId.toLowerCase()}`];
const policy = ({ policyName }: { policyName: string }) => [`policy/${policyName}`];
const target = ({ target }: { target: string }) => [target];
const principal = ({ principal }: { principal: string }) => [principal];
const thing = ({ thingName }: { thingName: string }) => [`thing/${thingName}`];
const group = ({ thingGroupName }: { thingGroupName: string }) => [`thinggroup/${thingGroupName}`];
const type = ({ thingTypeName }: { thingTypeName: string }) => [`thingtype/${thingTypeName}`];
const billingGroup = ({ billingGroupName }: { billingGroupName: string }) => [`billinggroup/${billingGroupName}`];
const tagged = ({ resourceArn }: { resourceArn: string }) => [resourceArn];

const members = {
	body: { thingGroupName: registryName, thingGroupArn: resourceArn, thingName: registryName, thingArn: resourceArn },
	resources: (input: { thingGroupName?: string; thingGroupArn?: string; thingName?: string; thingArn?: string }) => [
		input.thingGroupArn ?? `thinggroup/${input.thingGroupName}`,
		input.thingArn ?? `thing/${input.thingName}`,
	],
};

/** Every operation by its name, which is also the IAM action's. */
export const operations = {
	CreateProvisioningTemplate: operation("POST /provisioning-templates", {
		body: {
			"templateName*": templateName,
			description: templateDescription,
			"templateBody*": templateBody,
			enabled: boolean,
			"provisioningRoleArn*": roleArn,
			preProvisioningHook: provisioningHook,
			tags,
			type: { type: "string", enum: ["FLEET_PROVISIONING", "JITP"] },
		} as const,
		resources: template,
	}),
	CreateProvisioningTemplateVersion: operation("POST /provisioning-templates/{templateName}/versions", {
		path: { templateName },
		query: { setAsDefault: boolean },
		body: { "templateBody*": templateBody },
		resources: template,
	}),
	DescribeProvisioningTemplate: operation("GET /provisioning-templates/{templateName}", {
		path: { templateName },
		resources: template,
	}),
	DescribeProvisioningTemplateVersion: operation("GET /provisioning-templates/{templateName}/versions/{versionId}", {
		path: { templateName, versionId },
		resources: template,
	}),
	ListProvisioningTemplates: operation("GET /provisioning-templates", {
		query: { maxResults: pageSize, nextToken: text },
	}),
	ListProvisioningTemplateVersions: operation("GET /provisioning-templates/{templateName}/versions", {
		path: { templateName },
		query: { maxResults: pageSize, nextToken: text },
		resources: template,
	}),
	UpdateProvisioningTemplate: operation("PATCH /provisioning-templates/{templateName}", {
		path: { templateName },
		body: {
			description: templateDescription,
			enabled: boolean,
			defaultVersionId: versionId,
			provisioningRoleArn: roleArn,
			preProvisioningHook: provisioningHook,
			removePreProvisioningHook: boolean,
		},
		resources: template,
	}),
	DeleteProvisioningTemplateVersion: operation("DELETE /provisioning-templates/{templateName}/versions/{versionId}", {
		path: { templateName, versionId },
		resources: template,
	}),
	DeleteProvisioningTemplate: operation("DELETE /provisioning-templates/{templateName}", {
		path: { templateName },
		resources: template,
	}),
	CreateProvisioningClaim: operation("POST /provisioning-templates/{templateName}/provisioning-claim", {
		path: { templateName },
		resources: template,
	}),

	CreateKeysAndCertificate: operation("POST /keys-and-certificate", { query: { setAsActive: boolean } }),
	CreateCertificateFromCsr: operation("POST /certificates", {
		query: { setAsActive: boolean },
		body: { "certificateSigningRequest*": csr },
	}),
	RegisterCertificateWithoutCA: operation("POST /certificate/register-no-ca", {
		body: { "certificatePem*": certificatePem, status: certificateStatus },
	}),
	RegisterCertificate: operation("POST /certificate/register", {
		query: { setAsActive: boolean },
		body: { "certificatePem*": certificatePem, caCertificatePem: certificatePem, status: certificateStatus },
	}),
	UpdateCertificate: operation("PUT /certificates/{certificateId}", {
		path: { certificateId },
		query: { "newStatus*": certificateStatus },
		resources: certificate,
	}),
	DescribeCertificate: operation("GET /certificates/{certificateId}", {
		path: { certificateId },
		resources: certificate,
	}),
	ListCertificates: operation("GET /certificates", { query: { pageSize, marker, isAscendingOrder: boolean } }),
	DeleteCertificate: operation("DELETE /certificates/{certificateId}", {
		path: { certificateId },
		query: { forceDelete: boolean },
		resources: certificate,
	}),

	CreatePolicy: operation("POST /policies/{policyName}", {
		path: { policyName },
		body: { "policyDocument*": policyDocument, tags },
		resources: policy,
	}),
	GetPolicy: operation("GET /policies/{policyName}", { path: { policyName }, resources: policy }),
	DeletePolicy: operation("DELETE /policies/{policyName}", { path: { policyName }, resources: policy }),
	CreatePolicyVersion: operation("POST /policies/{policyName}/version", {
		path: { policyName },
		query: { setAsDefault: boolean },
		body: { "policyDocument*": policyDocument },
		resources: policy,
	}),
	GetPolicyVersion: operation("GET /policies/{policyName}/version/{policyVersionId}", {
		path: { policyName, policyVersionId },
		resources: policy,
	}),
	ListPolicyVersions: operation("GET /policies/{policyName}/version", { path: { policyName }, resources: policy }),
	SetDefaultPolicyVersion: operation("PATCH /policies/{policyName}/version/{policyVersionId}", {
		path: { policyName, policyVersionId },
		resources: policy,
	}),
	DeletePolicyVersion: operation("DELETE /policies/{policyName}/version/{policyVersionId}", {
		path: { policyName, policyVersionId },
		resources: policy,
	}),
	ListPolicies: operation("GET /policies", { query: { marker, pageSize, isAscendingOrder: boolean } }),
	AttachPolicy: operation("PUT /target-policies/{policyName}", {
		path: { policyName },
		body: { "target*": resourceArn },
		resources: target,
	}),
	DetachPolicy: operation("POST /target-policies/{policyName}", {
		path: { policyName },
		body: { "target*": resourceArn },
		resources: target,
	}),
	AttachPrincipalPolicy: operation("PUT /principal-policies/{policyName}", {
		path: { policyName },
		header: { principal: "x-amzn-iot-principal" },
		resources: principal,
	}),
	DetachPrincipalPolicy: operation("DELETE /principal-policies/{policyName}", {
		path: { policyName },
		header: { principal: "x-amzn-iot-principal" },
		resources: principal,
	}),
	ListPrincipalPolicies: operation("GET /principal-policies", {
		query: { marker, pageSize, isAscendingOrder: boolean },
		header: { principal: "x-amzn-iot-principal" },
		resources: principal,
	}),
	ListAttachedPolicies: operation("POST /attached-policies/{target}", {
		path: { target: resourceArn },
		query: { recursive: boolean, marker, pageSize },
		resources: target,
	}),
	ListTargetsForPolicy: operation("POST /policy-targets/{policyName}", {
		path: { policyName },
		query: { marker, pageSize },
		resources: policy,
	}),

	CreateThing: operation("POST /things/{thingName}", {
		path: { thingName: registryName },
		body: { thingTypeName: registryName, attributePayload, billingGroupName: registryName },
		resources: thing,
	}),
	DescribeThing: operation("GET /things/{thingName}", { path: { thingName: registryName }, resources: thing }),
	UpdateThing: operation("PATCH /things/{thingName}", {
		path: { thingName: registryName },
		body: {
			thingTypeName: registryName,
			attributePayload,
			expectedVersion,
			removeThingType: boolean,
		},
		resources: thing,
	}),
	ListThings: operation("GET /things", {
		query: {
			nextToken: text,
			maxResults: pageSize,
			attributeName,
			attributeValue,
			thingTypeName: registryName,
			usePrefixAttributeValue: boolean,
		},
	}),
	DeleteThing: operation("DELETE /things/{thingName}", {
		path: { thingName: registryName },
		query: { expectedVersion },
		resources: thing,
	}),
	ListThingPrincipals: operation("GET /things/{thingName}/principals", {
		path: { thingName: registryName },
		query: { nextToken: text, maxResults: pageSize },
		resources: thing,
	}),
	ListThingPrincipalsV2: operation("GET /things/{thingName}/principals-v2", {
		path: { thingName: registryName },
		query: { nextToken: text, maxResults: pageSize, thingPrincipalType },
		resources: thing,
	}),
	ListPrincipalThingsV2: operation("GET /principals/things-v2", {
		query: { nextToken: text, maxResults: pageSize, thingPrincipalType },
		header: { principal: "x-amzn-principal" },
		resources: principal,
	}),
	ListPrincipalThings: operation("GET /principals/things", {
		query: { nextToken: text, maxResults: pageSize },
		header: { principal: "x-amzn-principal" },
		resources: principal,
	}),
	AttachThingPrincipal: operation("PUT /things/{thingName}/principals", {
		path: { thingName: registryName },
		query: { thingPrincipalType },
		header: { principal: "x-amzn-principal" },
		resources: (input) => [...thing(input), ...principal(input)],
	}),
	DetachThingPrincipal: operation("DELETE /things/{thingName}/principals", {
		path: { thingName: registryName },
		header: { principal: "x-amzn-principal" },
		resources: (input) => [...thing(input), ...principal(input)],
	}),

	CreateThingGroup: operation("POST /thing-groups/{thingGroupName}", {
		path: { thingGroupName: registryName },
		body: {
			parentGroupName: registryName,
			thingGroupProperties,
			tags,
		},
		resources: group,
	}),
	DescribeThingGroup: operation("GET /thing-groups/{thingGroupName}", {
		path: { thingGroupName: registryName },
		resources: group,
	}),
	UpdateThingGroup: operation("PATCH /thing-groups/{thingGroupName}", {
		path: { thingGroupName: registryName },
		body: { "thingGroupProperties*": thingGroupProperties, expectedVersion },
		resources: group,
	}),
	DeleteThingGroup: operation("DELETE /thing-groups/{thingGroupName}", {
		path: { thingGroupName: registryName },
		query: { expectedVersion },
		resources: group,
	}),
	ListThingGroups: operation("GET /thing-groups", {
		query: {
			nextToken: text,
			maxResults: pageSize,
			parentGroup: registryName,
			namePrefixFilter: registryName,
			recursive: boolean,
		},
	}),
	AddThingToThingGroup: operation("PUT /thing-groups/addThingToThingGroup", {
		...members,
		body: { ...members.body, overrideDynamicGroups: boolean },
	}),
	RemoveThingFromThingGroup: operation("PUT /thing-groups/removeThingFromThingGroup", members),
	ListThingsInThingGroup: operation("GET /thing-groups/{thingGroupName}/things", {
		path: { thingGroupName: registryName },
		query: { recursive: boolean, nextToken: text, maxResults: pageSize },
		resources: group,
	}),
	ListThingGroupsForThing: operation("GET /things/{thingName}/thing-groups", {
		path: { thingName: registryName },
		query: { nextToken: text, maxResults: pageSize },
		resources: thing,
	}),

	CreateThingType: operation("POST /thing-types/{thingTypeName}", {
		path: { thingTypeName: registryName },
		body: {
			thingTypeProperties: {
				type: "structure",
				members: {
					thingTypeDescription: longDescription,
					searchableAttributes: { type: "list", member: attributeName },
				},
			},
			tags,
		} as const,
		resources: type,
	}),
	DescribeThingType: operation("GET /thing-types/{thingTypeName}", {
		path: { thingTypeName: registryName },
		resources: type,
	}),
	DeprecateThingType: operation("POST /thing-types/{thingTypeName}/deprecate", {
		path: { thingTypeName: registryName },
		body: { undoDeprecate: boolean },
		resources: type,
	}),
	DeleteThingType: operation("DELETE /thing-types/{thingTypeName}", {
		path: { thingTypeName: registryName },
		resources: type,
	}),
	ListThingTypes: operation("GET /thing-types", {
		query: { nextToken: text, maxResults: pageSize, thingTypeName: registryName },
	}),
	CreateBillingGroup: operation("POST /billing-groups/{billingGroupName}", {
		path: { billingGroupName: registryName },
		body: {
			billingGroupProperties: {
				type: "structure",
				members: { billingGroupDescription: longDescription },
			},
			tags,
		} as const,
		resources: billingGroup,
	}),
	DeleteBillingGroup: operation("DELETE /billing-groups/{billingGroupName}", {
		path: { billingGroupName: registryName },
		query: { expectedVersion },
		resources: billingGroup,
	}),
	ListBillingGroups: operation("GET /billing-groups", {
		query: { nextToken: text, maxResults: pageSize, namePrefixFilter: registryName },
	}),
	DescribeBillingGroup: operation("GET /billing-groups/{billingGroupName}", {
		path: { billingGroupName: registryName },
		resources: billingGroup,
	}),

	DescribeEndpoint: operation("GET /endpoint", {
		query: { endpointType: { type: "string", max: 128, pattern: "[\\s\\S]*" } } as const,
	}),

	RegisterThing: operation("POST /things", {
		body: {
			"templateBody*": templateBody,
			parameters: {
				type: "map",
				key: { type: "string", min: 0, max: 2048, pattern: "[\\s\\S]*" },
				value: { type: "string", min: 0, max: 4096, pattern: "[\\s\\S]*", opaque: true },
			},
		} as const,
	}),

	TagResource: operation("POST /tags", { body: { "resourceArn*": resourceArn, "tags*": tags }, resources: tagged }),
	UntagResource: operation("POST /untag", {
		body: { "resourceArn*": resourceArn, "tagKeys*": { type: "list", member: tagKey } } as const,
		resources: tagged,
	}),
	ListTagsForResource: operation("GET /tags", {
		query: { "resourceArn*": resourceArn, nextToken: text },
		resources: tagged,
	}),
};

/** Name of an operation. */
export type OperationName = keyof typeof operations;

/** What the handler of an operation is given, by the operation's name. */
export type Input<N extends OperationName> = NonNullable<(typeof operations)[N]["input"]>;
