// CA certificates of the customer's own, by AWS's rules: registered with a proof that their key is at hand, and asked which of them has
// issued a device's certificate. Facts: AWS IoT developer guide, "Register your CA certificate", "Just-in-time provisioning".

import { randomBytes, randomUUID, X509Certificate } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { CaCertificateRecord, RegistrationConfig } from "../state/state.js";
import { parseTemplate } from "../template/template.js";
import { type Certificates, fingerprint, parseCertificate } from "./certificates.js";
import { arn, type RegistryContext, requireRow, seconds } from "./context.js";
import { checkCertificateId, demand, type Tag } from "./limits.js";
import { page } from "./paging.js";
import type { Tags } from "./tags.js";
import type { Templates } from "./templates.js";

/** Operations on CA certificates. Requests and responses are those of the AWS operation of the same name. */
export class CaCertificates {
	readonly #context: RegistryContext;
	readonly #tags: Tags;
	readonly #templates: Templates;
	readonly #certificates: Certificates;

	constructor(context: RegistryContext, tags: Tags, templates: Templates, certificates: Certificates) {
		this.#context = context;
		this.#tags = tags;
		this.#templates = templates;
		this.#certificates = certificates;
	}

	/** The CommonName of a verification certificate. Made up on first use. */
	getRegistrationCode(): { registrationCode: string } {
		const { state } = this.#context;
		const registrationCode = state.account.registrationCode ?? randomBytes(32).toString("hex");
		if (state.account.registrationCode === undefined)
			state.transaction(() => state.accounts.put("account", { ...state.account, registrationCode }));
		return { registrationCode };
	}

	/** Makes the next registration code another one. */
	deleteRegistrationCode(): void {
		const { state } = this.#context;
		requireRow(state.account.registrationCode, "There is no registration code");
		const { registrationCode: _, ...account } = state.account;
		state.transaction(() => state.accounts.put("account", account));
	}

	/** Registers a CA. Without `certificateMode` SNI_ONLY, a certificate for the registration code proves that its key is at hand. */
	registerCACertificate(request: {
		caCertificate: string;
		verificationCertificate?: string;
		setAsActive?: boolean;
		allowAutoRegistration?: boolean;
		registrationConfig?: RegistrationConfig;
		certificateMode?: string;
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const ca = parseCertificate(request.caCertificate);
		const certificateMode = request.certificateMode === "SNI_ONLY" ? "SNI_ONLY" : "DEFAULT";
		if (!ca.ca) throw new AwsError("CertificateValidationException", "The certificate is not one of a CA (CA:TRUE)");
		if (certificateMode === "DEFAULT") this.#verify(ca, request.verificationCertificate);
		else demand(request.verificationCertificate === undefined, "With SNI_ONLY there is no verificationCertificate");
		const certificateId = fingerprint(ca.raw);
		const certificateArn = arn(state, "cacert", certificateId);
		if (state.caCertificates.has(certificateId)) {
			throw new AwsError("ResourceAlreadyExistsException", "The CA certificate is registered already", {
				resourceId: certificateId,
				resourceArn: certificateArn,
			});
		}
		const { registrationConfig } = request;
		if (registrationConfig) this.#checkConfig(registrationConfig);
		state.transaction(() => {
			state.caCertificates.put(certificateId, {
				certificateId,
				certificatePem: ca.toString(),
				status: request.setAsActive ? "ACTIVE" : "INACTIVE",
				autoRegistrationStatus: request.allowAutoRegistration ? "ENABLE" : "DISABLE",
				...(registrationConfig && { registrationConfig }),
				certificateMode,
				creationDate: now(),
				lastModifiedDate: now(),
				customerVersion: 1,
				generationId: randomUUID(),
			});
			this.#tags.set(certificateArn, request.tags);
		});
		return { certificateArn, certificateId };
	}

	/** A CA certificate with its PEM, its status and what it registers devices with. */
	describeCACertificate(request: { certificateId: string }) {
		const { state } = this.#context;
		const record = this.#require(request.certificateId);
		const { registrationConfig, creationDate, lastModifiedDate, ...rest } = record;
		const { validFrom, validTo } = new X509Certificate(record.certificatePem);
		return {
			certificateDescription: {
				...rest,
				certificateArn: arn(state, "cacert", record.certificateId),
				ownedBy: state.account.accountId,
				creationDate: seconds(creationDate),
				lastModifiedDate: seconds(lastModifiedDate),
				validity: { notBefore: seconds(Date.parse(validFrom)), notAfter: seconds(Date.parse(validTo)) },
			},
			...(registrationConfig && { registrationConfig }),
		};
	}

	/** The CA certificates, newest first unless `isAscendingOrder`; those with a template when one is named. */
	listCACertificates(
		request: { pageSize?: number; marker?: string; isAscendingOrder?: boolean; templateName?: string } = {},
	) {
		const { state } = this.#context;
		const { templateName } = request;
		const listed = [...state.caCertificates.values()].filter(
			({ registrationConfig }) => templateName === undefined || registrationConfig?.templateName === templateName,
		);
		const { items, next } = page(listed, byAge, request.pageSize, request.marker, request.isAscendingOrder === true);
		return {
			certificates: items.map(({ certificateId, status, creationDate }) => ({
				certificateArn: arn(state, "cacert", certificateId),
				...{ certificateId, status },
				creationDate: seconds(creationDate),
			})),
			...(next !== undefined && { nextMarker: next }),
		};
	}

	/** Changes what is given. */
	updateCACertificate(request: {
		certificateId: string;
		newStatus?: string;
		newAutoRegistrationStatus?: string;
		registrationConfig?: RegistrationConfig;
		removeAutoRegistration?: boolean;
	}): void {
		const { state, now } = this.#context;
		const { registrationConfig: before, ...record } = this.#require(request.certificateId);
		const { newStatus, newAutoRegistrationStatus, registrationConfig = before, removeAutoRegistration } = request;
		if (request.registrationConfig) this.#checkConfig(request.registrationConfig);
		state.transaction(() =>
			state.caCertificates.put(record.certificateId, {
				...record,
				...(newStatus !== undefined && { status: newStatus as CaCertificateRecord["status"] }),
				...(newAutoRegistrationStatus !== undefined && {
					autoRegistrationStatus: newAutoRegistrationStatus as CaCertificateRecord["autoRegistrationStatus"],
				}),
				...(registrationConfig && !removeAutoRegistration && { registrationConfig }),
				lastModifiedDate: now(),
				customerVersion: record.customerVersion + 1,
			}),
		);
	}

	/** Deletes a CA certificate, which must be INACTIVE. The certificates that it has issued stay. */
	deleteCACertificate(request: { certificateId: string }): void {
		const { state } = this.#context;
		const { certificateId, status } = this.#require(request.certificateId);
		if (status === "ACTIVE") {
			throw new AwsError(
				"CertificateStateException",
				`CA certificate must be deactivated (not ACTIVE) before deletion. Id: ${certificateId}`,
			);
		}
		state.transaction(() => {
			state.caCertificates.delete(certificateId);
			this.#tags.remove(arn(state, "cacert", certificateId));
		});
	}

	/** The device certificates that were registered with a CA, newest first unless `isAscendingOrder`. */
	listCertificatesByCA(request: {
		caCertificateId: string;
		pageSize?: number;
		marker?: string;
		isAscendingOrder?: boolean;
	}) {
		const caCertificateId = checkCertificateId(request.caCertificateId);
		const listed = [...this.#context.state.certificates.values()].filter(
			(record) => record.caCertificateId === caCertificateId,
		);
		const { items, next } = page(listed, byAge, request.pageSize, request.marker, request.isAscendingOrder === true);
		return {
			certificates: items.map((record) => this.#certificates.listed(record)),
			...(next !== undefined && { nextMarker: next }),
		};
	}

	/** The registered CA that has signed a certificate: an active one, where there are several. */
	issuerOf(certificate: X509Certificate): CaCertificateRecord | undefined {
		const found = [...this.#context.state.caCertificates.values()].filter(({ certificatePem }) => {
			const ca = new X509Certificate(certificatePem);
			return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
		});
		return found.find(({ status }) => status === "ACTIVE") ?? found[0];
	}

	/** The template that a CA registers devices with. */
	templateBody({ registrationConfig }: CaCertificateRecord): string | undefined {
		if (registrationConfig?.templateName === undefined) return registrationConfig?.templateBody;
		return this.#templates.body(registrationConfig.templateName);
	}

	#verify(ca: X509Certificate, verificationCertificate: string | undefined): void {
		demand(
			verificationCertificate !== undefined,
			"verificationCertificate is required unless certificateMode is SNI_ONLY",
		);
		const proof = parseCertificate(verificationCertificate);
		if (!proof.checkIssued(ca) || !proof.verify(ca.publicKey)) {
			throw new AwsError("CertificateValidationException", "The verification certificate was not signed by the CA");
		}
		const { registrationCode } = this.#context.state.account;
		const names = proof.subject?.split("\n") ?? [];
		if (registrationCode !== undefined && names.includes(`CN=${registrationCode}`)) return;
		throw new AwsError(
			"RegistrationCodeValidationException",
			"The CommonName of the verification certificate is not the registration code (GetRegistrationCode)",
		);
	}

	#checkConfig({ templateName, templateBody, roleArn }: RegistrationConfig): void {
		demand(
			(templateName !== undefined) !== (templateBody !== undefined),
			"registrationConfig must have either templateName or templateBody",
		);
		if (templateName !== undefined) {
			const template = requireRow(this.#templates.get(templateName), `Template ${templateName} does not exist`);
			demand(template.type === "JITP", `The template ${templateName} is not of the type JITP`);
			return;
		}
		demand(roleArn !== undefined, "registrationConfig with templateBody needs roleArn");
		try {
			parseTemplate(templateBody!, "JITP");
		} catch (error) {
			throw new AwsError("InvalidRequestException", `Invalid registration template. ${(error as Error).message}`);
		}
	}

	#require(certificateId: string): CaCertificateRecord {
		const record = this.#context.state.caCertificates.get(checkCertificateId(certificateId));
		return requireRow(record, "The CA certificate does not exist");
	}
}

const byAge = ({ creationDate, certificateId }: { creationDate: number; certificateId: string }) =>
	`${String(creationDate).padStart(16, "0")} ${certificateId}`;
