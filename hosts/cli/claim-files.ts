// Where `fleet cloud` keeps the claim that it makes, beside its state. Must let nobody but its owner read it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Claim } from "../cloud/prepare.js";

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
