// Where `fleet cloud` and `fleet demo` keep the claim that they make, beside the cloud's state. Only its owner may read it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Claim } from "../cloud/prepare.js";

/** The files of a template's claim, in the folder of a cloud's state. */
export const claimFiles = (directory: string, templateName: string) => ({
	certificate: join(directory, `${templateName}-claim.pem`),
	key: join(directory, `${templateName}-claim-key.pem`),
});

/** Writes a claim, readable by its owner only. */
export function writeClaim(directory: string, templateName: string, claim: Claim): void {
	const files = claimFiles(directory, templateName);
	writeFileSync(files.certificate, claim.certificatePem, { mode: 0o600 });
	writeFileSync(files.key, claim.privateKeyPem, { mode: 0o600 });
}
