// Certificate providers, by AWS's rules: what stands for a Lambda function signs the certificates of CreateCertificateFromCsr.
// Facts: AWS IoT developer guide, "Self-managed certificate signing using AWS IoT Core certificate provider".

import { X509Certificate } from "node:crypto";
import { AwsError } from "../base/errors.js";
import { isObject } from "../base/object.js";
import type { CertificateProviderRecord } from "../state/state.js";
import { fingerprint } from "./certificates.js";
import { arn, type IssuedCertificate, type RegistryContext, requireRow, seconds } from "./context.js";
import { demand, type Tag } from "./limits.js";
import type { Tags } from "./tags.js";

/** Operations on certificate providers. Requests and responses are those of the AWS operation of the same name. */
export class CertificateProviders {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes the provider of the account: there may be one. */
	createCertificateProvider(request: {
		certificateProviderName: string;
		lambdaFunctionArn: string;
		accountDefaultForOperations: readonly string[];
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const { certificateProviderName, lambdaFunctionArn, accountDefaultForOperations, tags } = request;
		const certificateProviderArn = arn(state, "certificateprovider", certificateProviderName);
		if (state.certificateProviders.has(certificateProviderName)) {
			throw new AwsError("ResourceAlreadyExistsException", "The certificate provider exists already", {
				resourceId: certificateProviderName,
				resourceArn: certificateProviderArn,
			});
		}
		if (state.certificateProviders.size > 0)
			throw new AwsError("LimitExceededException", "An account may have one certificate provider");
		demand(accountDefaultForOperations.length === 1, "accountDefaultForOperations must name CreateCertificateFromCsr");
		const creationDate = now();
		state.transaction(() => {
			state.certificateProviders.put(certificateProviderName, {
				...{ certificateProviderName, lambdaFunctionArn, creationDate },
				lastModifiedDate: creationDate,
			});
			this.#tags.set(certificateProviderArn, tags);
		});
		return { certificateProviderName, certificateProviderArn };
	}

	/** A provider with the ARN of its function. */
	describeCertificateProvider(request: { certificateProviderName: string }) {
		const record = this.#require(request.certificateProviderName);
		return {
			...this.#named(record),
			lambdaFunctionArn: record.lambdaFunctionArn,
			accountDefaultForOperations: ["CreateCertificateFromCsr"],
			creationDate: seconds(record.creationDate),
			lastModifiedDate: seconds(record.lastModifiedDate),
		};
	}

	/** Changes what is given. */
	updateCertificateProvider(request: {
		certificateProviderName: string;
		lambdaFunctionArn?: string;
		accountDefaultForOperations?: readonly string[];
	}) {
		const { state, now } = this.#context;
		const record = this.#require(request.certificateProviderName);
		const { lambdaFunctionArn = record.lambdaFunctionArn, accountDefaultForOperations: operations } = request;
		demand(
			operations === undefined || operations.length === 1,
			"accountDefaultForOperations must name CreateCertificateFromCsr",
		);
		state.transaction(() =>
			state.certificateProviders.put(record.certificateProviderName, {
				...record,
				lambdaFunctionArn,
				lastModifiedDate: now(),
			}),
		);
		return this.#named(record);
	}

	/** Deletes a provider. From now on the cloud signs again. */
	deleteCertificateProvider(request: { certificateProviderName: string }): void {
		const { state } = this.#context;
		const { certificateProviderName } = this.#require(request.certificateProviderName);
		state.transaction(() => {
			state.certificateProviders.delete(certificateProviderName);
			this.#tags.remove(arn(state, "certificateprovider", certificateProviderName));
		});
	}

	/** All providers: there is one at most, so there are no pages. */
	listCertificateProviders() {
		const records = [...this.#context.state.certificateProviders.values()];
		return { certificateProviders: records.map((record) => this.#named(record)) };
	}

	/** Whether a provider signs in place of the cloud. */
	get signs(): boolean {
		return this.#context.state.certificateProviders.size > 0;
	}

	/** A certificate that the provider has signed. Rejects with what is wrong: with the call, or with the answer. */
	async sign(event: {
		readonly certificateSigningRequest: string;
		readonly principalId: string;
		readonly clientId: string;
	}): Promise<IssuedCertificate> {
		const [record] = this.#context.state.certificateProviders.values();
		const text = await this.#context.invoke(record!.lambdaFunctionArn, event, "certificateProvider");
		let certificate: X509Certificate;
		try {
			const json: unknown = JSON.parse(text);
			certificate = new X509Certificate(isObject(json) ? `${json.certificatePem}` : "");
		} catch {
			// The parsers' messages would quote the answer.
			throw new Error("the answer of the certificate provider is not JSON with a certificatePem");
		}
		return {
			certificateId: fingerprint(certificate.raw),
			certificatePem: certificate.toString(),
			notBefore: Date.parse(certificate.validFrom),
			notAfter: Date.parse(certificate.validTo),
		};
	}

	#require(certificateProviderName: string): CertificateProviderRecord {
		const record = this.#context.state.certificateProviders.get(certificateProviderName);
		return requireRow(record, `Certificate provider ${certificateProviderName} does not exist`);
	}

	#named({ certificateProviderName }: CertificateProviderRecord) {
		const certificateProviderArn = arn(this.#context.state, "certificateprovider", certificateProviderName);
		return { certificateProviderName, certificateProviderArn };
	}
}
