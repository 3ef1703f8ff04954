// Which method of the registry does an operation. The compiler checks that each takes what the API's members are.

import type { Settings } from "../base/settings.js";
import type { Registry } from "../registry/registry.js";
import type { Input, OperationName } from "./operations.js";
import { registerThing } from "./register-thing.js";

type Handler<N extends OperationName> = (registry: Registry, input: Input<N>, settings: Settings) => unknown;

/** The response's members, or nothing for an empty response; a promise where a certificate is signed. Throws AwsError. */
export const handlers: { readonly [N in OperationName]: Handler<N> } = {
	CreateProvisioningTemplate: ({ templates }, input) => templates.createProvisioningTemplate(input),
	CreateProvisioningTemplateVersion: ({ templates }, input) => templates.createProvisioningTemplateVersion(input),
	DescribeProvisioningTemplate: ({ templates }, input) => templates.describeProvisioningTemplate(input),
	DescribeProvisioningTemplateVersion: ({ templates }, input) => templates.describeProvisioningTemplateVersion(input),
	ListProvisioningTemplates: ({ templates }, input) => templates.listProvisioningTemplates(input),
	ListProvisioningTemplateVersions: ({ templates }, input) => templates.listProvisioningTemplateVersions(input),
	UpdateProvisioningTemplate: ({ templates }, input) => templates.updateProvisioningTemplate(input),
	DeleteProvisioningTemplateVersion: ({ templates }, input) => templates.deleteProvisioningTemplateVersion(input),
	DeleteProvisioningTemplate: ({ templates }, input) => templates.deleteProvisioningTemplate(input),
	CreateProvisioningClaim: ({ certificates }, input) => certificates.createProvisioningClaim(input),

	CreateKeysAndCertificate: ({ certificates }, input) => certificates.createKeysAndCertificate(input),
	CreateCertificateFromCsr: ({ certificates }, input) => certificates.createCertificateFromCsr(input),
	RegisterCertificateWithoutCA: ({ certificates }, input) => certificates.registerCertificateWithoutCA(input),
	RegisterCertificate: ({ certificates }, input) => certificates.registerCertificate(input),
	UpdateCertificate: ({ certificates }, input) => certificates.updateCertificate(input),
	DescribeCertificate: ({ certificates }, input) => certificates.describeCertificate(input),
	ListCertificates: ({ certificates }, input) => certificates.listCertificates(input),
	DeleteCertificate: ({ certificates }, input) => certificates.deleteCertificate(input),

	CreatePolicy: ({ policies }, input) => policies.createPolicy(input),
	GetPolicy: ({ policies }, input) => policies.getPolicy(input),
	DeletePolicy: ({ policies }, input) => policies.deletePolicy(input),
	CreatePolicyVersion: ({ policies }, input) => policies.createPolicyVersion(input),
	GetPolicyVersion: ({ policies }, input) => policies.getPolicyVersion(input),
	ListPolicyVersions: ({ policies }, input) => policies.listPolicyVersions(input),
	SetDefaultPolicyVersion: ({ policies }, input) => policies.setDefaultPolicyVersion(input),
	DeletePolicyVersion: ({ policies }, input) => policies.deletePolicyVersion(input),
	ListPolicies: ({ policies }, input) => policies.listPolicies(input),
	AttachPolicy: ({ policies }, input) => policies.attachPolicy(input),
	DetachPolicy: ({ policies }, input) => policies.detachPolicy(input),
	AttachPrincipalPolicy: ({ policies }, { policyName, principal }) =>
		policies.attachPolicy({ policyName, target: principal }),
	DetachPrincipalPolicy: ({ policies }, { policyName, principal }) =>
		policies.detachPolicy({ policyName, target: principal }),
	ListPrincipalPolicies: ({ policies }, { principal, ...input }) =>
		policies.listAttachedPolicies({ ...input, target: principal }),
	ListAttachedPolicies: ({ policies }, input) => policies.listAttachedPolicies(input),
	ListTargetsForPolicy: ({ policies }, input) => policies.listTargetsForPolicy(input),

	CreateThing: ({ things }, input) => things.createThing(input),
	DescribeThing: ({ things }, input) => things.describeThing(input),
	UpdateThing: ({ things }, input) => things.updateThing(input),
	ListThings: ({ things }, input) => things.listThings(input),
	DeleteThing: ({ things }, input) => things.deleteThing(input),
	ListThingPrincipals: ({ things }, input) => things.listThingPrincipals(input),
	ListPrincipalThings: ({ things }, input) => things.listPrincipalThings(input),
	ListThingPrincipalsV2: ({ things }, input) => things.listThingPrincipalsV2(input),
	ListPrincipalThingsV2: ({ things }, input) => things.listPrincipalThingsV2(input),
	AttachThingPrincipal: ({ things }, input) => things.attachThingPrincipal(input),
	DetachThingPrincipal: ({ things }, input) => things.detachThingPrincipal(input),
	CreateThingGroup: ({ things }, input) => things.createThingGroup(input),
	DescribeThingGroup: ({ things }, input) => things.describeThingGroup(input),
	UpdateThingGroup: ({ things }, input) => things.updateThingGroup(input),
	DeleteThingGroup: ({ things }, input) => things.deleteThingGroup(input),
	ListThingGroups: ({ things }, input) => things.listThingGroups(input),
	AddThingToThingGroup: ({ things }, input) => things.addThingToThingGroup(input),
	RemoveThingFromThingGroup: ({ things }, input) => things.removeThingFromThingGroup(input),
	ListThingsInThingGroup: ({ things }, input) => things.listThingsInThingGroup(input),
	ListThingGroupsForThing: ({ things }, input) => things.listThingGroupsForThing(input),
	CreateThingType: ({ things }, input) => things.createThingType(input),
	DescribeThingType: ({ things }, input) => things.describeThingType(input),
	DeprecateThingType: ({ things }, input) => things.deprecateThingType(input),
	DeleteThingType: ({ things }, input) => things.deleteThingType(input),
	ListThingTypes: ({ things }, input) => things.listThingTypes(input),
	CreateBillingGroup: ({ things }, input) => things.createBillingGroup(input),
	DeleteBillingGroup: ({ things }, input) => things.deleteBillingGroup(input),
	ListBillingGroups: ({ things }, input) => things.listBillingGroups(input),
	DescribeBillingGroup: ({ things }, input) => things.describeBillingGroup(input),

	DescribeEndpoint: (registry, input) => registry.describeEndpoint(input),
	RegisterThing: registerThing,

	TagResource: ({ tags }, input) => tags.tagResource(input),
	UntagResource: ({ tags }, input) => tags.untagResource(input),
	ListTagsForResource: ({ tags }, input) => tags.listTagsForResource(input),
};
