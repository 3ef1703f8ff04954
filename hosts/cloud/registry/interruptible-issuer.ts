// An issuer whose unfinished work can be given up. What waits for a signature or a key while the cloud is reset must not write into
// the state that was brought back: it is refused instead.

import { AwsError } from "../base/errors.js";
import type { CertificateIssuer } from "./context.js";

/** Passes everything on to another issuer. */
export class InterruptibleIssuer implements CertificateIssuer {
	readonly #issuer: CertificateIssuer;
	#interruptions = 0;

	constructor(issuer: CertificateIssuer) {
		this.#issuer = issuer;
	}

	get rootCertificatePem(): string | undefined {
		return this.#issuer.rootCertificatePem;
	}

	/** Everything that has begun is refused when it is done. */
	interrupt(): void {
		this.#interruptions++;
	}

	createKeysAndCertificate() {
		return this.#unlessInterrupted(this.#issuer.createKeysAndCertificate());
	}

	createCertificateFromCsr(certificateSigningRequest: string) {
		return this.#unlessInterrupted(this.#issuer.createCertificateFromCsr(certificateSigningRequest));
	}

	async #unlessInterrupted<T>(work: Promise<T>): Promise<T> {
		const before = this.#interruptions;
		const result = await work;
		if (before === this.#interruptions) return result;
		throw new AwsError("ServiceUnavailableException", "The cloud was reset meanwhile.");
	}
}
