// What a local cloud needs before a device can provision itself: a template, a policy for devices, and a claim certificate
// that may do nothing but provision with that template. What is there already is left as it is.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../cloud/base/samples.js";
import type { Cloud } from "../cloud/cloud.js";

/** A claim certificate with its key: secret. */
export interface Claim {
	readonly certificateId: string;
	readonly certificatePem: string;
	readonly privateKeyPem: string;
}

/** Client ids of claim connections. AWS's own sample allows any, so that a claim could pass for any device. */
export const CLAIM_CLIENT_IDS = "claim-*";

export const policyNames = (templateName: string) => ({
	claim: `${templateName}-claim`,
	device: `${templateName}-device`,
});

/** Makes the template and both policies where they are missing. @throws AwsError when the name will not do */
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

/** Makes a claim certificate that may provision with this template. */
export async function createClaim({ registry }: Cloud, templateName: string): Promise<Claim> {
	const { certificateId, certificatePem, certificateArn, keyPair } =
		await registry.certificates.createKeysAndCertificate({ setAsActive: true });
	registry.policies.attachPolicy({ policyName: policyNames(templateName).claim, target: certificateArn });
	return { certificateId, certificatePem, privateKeyPem: keyPair.PrivateKey };
}

/** Where a claim is kept beside a cloud's state. */
export const claimFiles = (directory: string, templateName: string) => ({
	certificate: join(directory, `${templateName}-claim.pem`),
	key: join(directory, `${templateName}-claim-key.pem`),
});

/** Writes a claim for its owner alone. */
export function writeClaim(directory: string, templateName: string, claim: Claim): void {
	const files = claimFiles(directory, templateName);
	writeFileSync(files.certificate, claim.certificatePem, { mode: 0o600 });
	writeFileSync(files.key, claim.privateKeyPem, { mode: 0o600 });
}
