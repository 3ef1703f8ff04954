// What a cloud needs before a device can provision itself: a template, a policy for devices, and a claim certificate that
// may do nothing but provision with that template. Must never change what already exists.

import { claimPolicy, devicePolicy, provisioningTemplate } from "./base/samples.js";
import type { Cloud } from "./cloud.js";
import { newCredentials } from "./pki/credentials.js";

/** A claim certificate with its key, which is secret. */
export interface Claim {
	/** Hex SHA-256 of the certificate. */
	readonly certificateId: string;
	/** The certificate. */
	readonly certificatePem: string;
	/** RSA, PKCS#1; or EC, SEC 1. Secret. */
	readonly privateKeyPem: string;
}

/** What a claim is to be like. */
export interface ClaimOptions {
	/** The kind of its key: RSA-2048, which AWS makes (default); or EC on P-256, certified by a signing request. */
	readonly key?: "rsa" | "ec" | undefined;
}

/** Client ids that a claim may use. AWS's own sample allows any, which lets a claim connect as any device. */
export const CLAIM_CLIENT_IDS = "claim-*";

export const policyNames = (templateName: string) => ({
	claim: `${templateName}-claim`,
	device: `${templateName}-device`,
});

/**
 * Makes the template and both policies where they are missing.
 * @throws AwsError when the name is not allowed
 * @example
 * ```ts
 * import { prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
 *
 * const cloud = await startCloud();
 * prepareTemplate(cloud, "fleet"); // the template fleet, with the policies fleet-claim and fleet-device
 * console.log(cloud.registry.policies.getPolicy({ policyName: "fleet-device" }).policyDocument);
 * await cloud.close();
 * ```
 */
export function prepareTemplate({ registry }: Cloud, templateName: string): void {
	const { account } = registry.state;
	const { claim, device } = policyNames(templateName);
	const policies = {
		[claim]: claimPolicy(account, templateName, { clientId: CLAIM_CLIENT_IDS }),
		[device]: devicePolicy(account),
	};
	for (const [policyName, document] of Object.entries(policies))
		if (registry.policies.document(policyName) === undefined)
			registry.policies.createPolicy({ policyName, policyDocument: JSON.stringify(document) });
	if (registry.templates.get(templateName) === undefined)
		registry.templates.createProvisioningTemplate({
			templateName,
			templateBody: JSON.stringify(provisioningTemplate(device)),
			enabled: true,
			provisioningRoleArn: `arn:aws:iam::${account.accountId}:role/provisioning`,
		});
}

/**
 * Makes a claim certificate that may provision with this template: `prepareTemplate` must have made its policy.
 * @throws AwsError when there is no such policy
 * @example
 * ```ts
 * import { createClaim, prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
 * import { credentialsFromPem } from "moddable-fleet-provisioning/node";
 *
 * const cloud = await startCloud();
 * prepareTemplate(cloud, "fleet");
 * const { certificatePem, privateKeyPem } = await createClaim(cloud, "fleet");
 * const claim = credentialsFromPem(certificatePem, privateKeyPem); // what a SimulatedDevice takes
 * ```
 */
export async function createClaim(
	{ registry }: Cloud,
	templateName: string,
	{ key = "rsa" }: ClaimOptions = {},
): Promise<Claim> {
	const { certificateArn, ...claim } = await newCredentials(registry.certificates, key, true);
	registry.policies.attachPolicy({ policyName: policyNames(templateName).claim, target: certificateArn });
	return claim;
}
