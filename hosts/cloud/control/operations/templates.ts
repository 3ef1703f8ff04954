// Operations on provisioning templates and temporary claims: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, pageSize, tags, text } from "./members.js";

const versionId = { type: "integer" } as const;
const provisioningHook = {
	type: "structure",
	members: {
		payloadVersion: forms.hookPayloadVersion,
		"targetArn*": forms.hookTarget,
	},
} as const;
const template = ({ templateName }: { templateName: string }) => [`provisioningtemplate/${templateName}`];

export const templateOperations = {
	CreateProvisioningTemplate: operation("POST /provisioning-templates", {
		body: {
			"templateName*": forms.templateName,
			description: forms.description,
			"templateBody*": forms.templateBody,
			enabled: boolean,
			"provisioningRoleArn*": forms.roleArn,
			preProvisioningHook: provisioningHook,
			tags,
			type: { type: "string", enum: ["FLEET_PROVISIONING", "JITP"] },
		},
		resources: template,
		handle: ({ templates }, input) => templates.createProvisioningTemplate(input),
	}),
	CreateProvisioningTemplateVersion: operation("POST /provisioning-templates/{templateName}/versions", {
		path: { templateName: forms.templateName },
		query: { setAsDefault: boolean },
		body: { "templateBody*": forms.templateBody },
		resources: template,
		handle: ({ templates }, input) => templates.createProvisioningTemplateVersion(input),
	}),
	DescribeProvisioningTemplate: operation("GET /provisioning-templates/{templateName}", {
		path: { templateName: forms.templateName },
		resources: template,
		handle: ({ templates }, input) => templates.describeProvisioningTemplate(input),
	}),
	DescribeProvisioningTemplateVersion: operation("GET /provisioning-templates/{templateName}/versions/{versionId}", {
		path: { templateName: forms.templateName, versionId },
		resources: template,
		handle: ({ templates }, input) => templates.describeProvisioningTemplateVersion(input),
	}),
	ListProvisioningTemplates: operation("GET /provisioning-templates", {
		query: { maxResults: pageSize, nextToken: text },
		handle: ({ templates }, input) => templates.listProvisioningTemplates(input),
	}),
	ListProvisioningTemplateVersions: operation("GET /provisioning-templates/{templateName}/versions", {
		path: { templateName: forms.templateName },
		query: { maxResults: pageSize, nextToken: text },
		resources: template,
		handle: ({ templates }, input) => templates.listProvisioningTemplateVersions(input),
	}),
	UpdateProvisioningTemplate: operation("PATCH /provisioning-templates/{templateName}", {
		path: { templateName: forms.templateName },
		body: {
			description: forms.description,
			enabled: boolean,
			defaultVersionId: versionId,
			provisioningRoleArn: forms.roleArn,
			preProvisioningHook: provisioningHook,
			removePreProvisioningHook: boolean,
		},
		resources: template,
		handle: ({ templates }, input) => templates.updateProvisioningTemplate(input),
	}),
	DeleteProvisioningTemplateVersion: operation("DELETE /provisioning-templates/{templateName}/versions/{versionId}", {
		path: { templateName: forms.templateName, versionId },
		resources: template,
		handle: ({ templates }, input) => templates.deleteProvisioningTemplateVersion(input),
	}),
	DeleteProvisioningTemplate: operation("DELETE /provisioning-templates/{templateName}", {
		path: { templateName: forms.templateName },
		resources: template,
		handle: ({ templates }, input) => templates.deleteProvisioningTemplate(input),
	}),
	CreateProvisioningClaim: operation("POST /provisioning-templates/{templateName}/provisioning-claim", {
		path: { templateName: forms.templateName },
		resources: template,
		handle: ({ certificates }, input) => certificates.createProvisioningClaim(input),
	}),
};
