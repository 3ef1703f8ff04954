// Operations on policies and what they are attached to: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, marker, pageSize, resourceArn, tags } from "./members.js";

const policyDocument = { type: "string", min: 0, max: 404_600, pattern: "[\\s\\S]*" } as const;
const policyVersionId = { type: "string", pattern: "[0-9]+" } as const;
const policy = ({ policyName }: { policyName: string }) => [`policy/${policyName}`];
const target = ({ target }: { target: string }) => [target];
const principal = ({ principal }: { principal: string }) => [principal];

export const policyOperations = {
	CreatePolicy: operation("POST /policies/{policyName}", {
		path: { policyName: forms.policyName },
		body: { "policyDocument*": policyDocument, tags },
		resources: policy,
		handle: ({ policies }, input) => policies.createPolicy(input),
	}),
	GetPolicy: operation("GET /policies/{policyName}", {
		path: { policyName: forms.policyName },
		resources: policy,
		handle: ({ policies }, input) => policies.getPolicy(input),
	}),
	DeletePolicy: operation("DELETE /policies/{policyName}", {
		path: { policyName: forms.policyName },
		resources: policy,
		handle: ({ policies }, input) => policies.deletePolicy(input),
	}),
	CreatePolicyVersion: operation("POST /policies/{policyName}/version", {
		path: { policyName: forms.policyName },
		query: { setAsDefault: boolean },
		body: { "policyDocument*": policyDocument },
		resources: policy,
		handle: ({ policies }, input) => policies.createPolicyVersion(input),
	}),
	GetPolicyVersion: operation("GET /policies/{policyName}/version/{policyVersionId}", {
		path: { policyName: forms.policyName, policyVersionId },
		resources: policy,
		handle: ({ policies }, input) => policies.getPolicyVersion(input),
	}),
	ListPolicyVersions: operation("GET /policies/{policyName}/version", {
		path: { policyName: forms.policyName },
		resources: policy,
		handle: ({ policies }, input) => policies.listPolicyVersions(input),
	}),
	SetDefaultPolicyVersion: operation("PATCH /policies/{policyName}/version/{policyVersionId}", {
		path: { policyName: forms.policyName, policyVersionId },
		resources: policy,
		handle: ({ policies }, input) => policies.setDefaultPolicyVersion(input),
	}),
	DeletePolicyVersion: operation("DELETE /policies/{policyName}/version/{policyVersionId}", {
		path: { policyName: forms.policyName, policyVersionId },
		resources: policy,
		handle: ({ policies }, input) => policies.deletePolicyVersion(input),
	}),
	ListPolicies: operation("GET /policies", {
		query: { marker, pageSize, isAscendingOrder: boolean },
		handle: ({ policies }, input) => policies.listPolicies(input),
	}),
	AttachPolicy: operation("PUT /target-policies/{policyName}", {
		path: { policyName: forms.policyName },
		body: { "target*": resourceArn },
		resources: target,
		handle: ({ policies }, input) => policies.attachPolicy(input),
	}),
	DetachPolicy: operation("POST /target-policies/{policyName}", {
		path: { policyName: forms.policyName },
		body: { "target*": resourceArn },
		resources: target,
		handle: ({ policies }, input) => policies.detachPolicy(input),
	}),
	AttachPrincipalPolicy: operation("PUT /principal-policies/{policyName}", {
		path: { policyName: forms.policyName },
		header: { principal: "x-amzn-iot-principal" },
		resources: principal,
		handle: ({ policies }, { policyName, principal }) => policies.attachPolicy({ policyName, target: principal }),
	}),
	DetachPrincipalPolicy: operation("DELETE /principal-policies/{policyName}", {
		path: { policyName: forms.policyName },
		header: { principal: "x-amzn-iot-principal" },
		resources: principal,
		handle: ({ policies }, { policyName, principal }) => policies.detachPolicy({ policyName, target: principal }),
	}),
	ListPrincipalPolicies: operation("GET /principal-policies", {
		query: { marker, pageSize, isAscendingOrder: boolean },
		header: { principal: "x-amzn-iot-principal" },
		resources: principal,
		handle: ({ policies }, { principal, ...input }) => policies.listAttachedPolicies({ ...input, target: principal }),
	}),
	ListAttachedPolicies: operation("POST /attached-policies/{target}", {
		path: { target: resourceArn },
		query: { recursive: boolean, marker, pageSize },
		resources: target,
		handle: ({ policies }, input) => policies.listAttachedPolicies(input),
	}),
	ListTargetsForPolicy: operation("POST /policy-targets/{policyName}", {
		path: { policyName: forms.policyName },
		query: { marker, pageSize },
		resources: policy,
		handle: ({ policies }, input) => policies.listTargetsForPolicy(input),
	}),
};
