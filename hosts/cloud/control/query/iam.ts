// Identity and Access Management, as far as the role of a provisioning template needs it. Roles are kept and listed back; nobody
// assumes them, and their policies decide nothing here.

import type { Registry } from "../../registry/registry.js";
import type { RoleRecord } from "../../registry/roles.js";
import { type QueryAction, type QueryValue, required } from "../query.js";
import { uniqueId } from "./sts.js";

type Parameters = ReadonlyMap<string, string>;

const role = ({ roles }: Registry, parameters: Parameters) => roles.arn(parameters.get("RoleName") ?? "*");

export const iamActions = {
	CreateRole: {
		resource: role,
		idle: true,
		handle: ({ roles }, parameters) => ({
			Role: shown(
				roles.createRole({
					roleName: required(parameters, "RoleName"),
					assumeRolePolicyDocument: required(parameters, "AssumeRolePolicyDocument"),
					...(parameters.has("Description") && { description: parameters.get("Description")! }),
					...(parameters.has("Path") && { path: parameters.get("Path")! }),
					...(parameters.has("MaxSessionDuration") && {
						maxSessionDuration: Number(parameters.get("MaxSessionDuration")),
					}),
				}),
			),
		}),
	},
	GetRole: {
		resource: role,
		handle: ({ roles }, parameters) => ({ Role: shown(roles.requireRole(required(parameters, "RoleName"))) }),
	},
	ListRoles: {
		resource: role,
		handle: ({ roles }) => ({ Roles: roles.list().map(shown), IsTruncated: "false" }),
	},
	DeleteRole: {
		resource: role,
		handle: ({ roles }, parameters) => void roles.deleteRole(required(parameters, "RoleName")),
	},
	AttachRolePolicy: {
		resource: role,
		idle: true,
		handle: ({ roles }, parameters) =>
			void roles.attachPolicy(required(parameters, "RoleName"), required(parameters, "PolicyArn")),
	},
	DetachRolePolicy: {
		resource: role,
		handle: ({ roles }, parameters) =>
			void roles.detachPolicy(required(parameters, "RoleName"), required(parameters, "PolicyArn")),
	},
	ListAttachedRolePolicies: {
		resource: role,
		handle: ({ roles }, parameters) => ({
			AttachedPolicies: roles.requireRole(required(parameters, "RoleName")).policyArns.map((PolicyArn) => ({
				PolicyName: PolicyArn.slice(PolicyArn.lastIndexOf("/") + 1),
				PolicyArn,
			})),
			IsTruncated: "false",
		}),
	},
	// Terraform asks for these two before it deletes a role. There are none here.
	ListRolePolicies: {
		resource: role,
		handle: ({ roles }, parameters) => {
			roles.requireRole(required(parameters, "RoleName"));
			return { PolicyNames: [], IsTruncated: "false" };
		},
	},
	ListInstanceProfilesForRole: {
		resource: role,
		handle: ({ roles }, parameters) => {
			roles.requireRole(required(parameters, "RoleName"));
			return { InstanceProfiles: [], IsTruncated: "false" };
		},
	},
} as const satisfies Readonly<Record<string, QueryAction>>;

function shown(record: RoleRecord & { readonly arn: string }): QueryValue {
	return {
		Path: record.path,
		RoleName: record.roleName,
		RoleId: uniqueId("AROA", record.roleName),
		Arn: record.arn,
		CreateDate: new Date(record.creationDate).toISOString(),
		// As IAM answers, the document is percent-encoded (IAM API reference, Role).
		AssumeRolePolicyDocument: encodeURIComponent(record.assumeRolePolicyDocument),
		Description: record.description,
		MaxSessionDuration: String(record.maxSessionDuration),
	};
}
