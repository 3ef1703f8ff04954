// Certificates of the account: made, registered, activated, attached, deleted, by AWS's rules. Knows no MQTT and no HTTP.

import { createHash, randomUUID, X509Certificate } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { CaCertificateRecord, CertificateRecord, CertificateStatus } from "../state/state.js";
import { arn, type IssuedCertificate, nameInArn, type RegistryContext, requireRow, seconds } from "./context.js";
import { forms, isOfForm } from "./forms.js";
import { checkCertificateId, checkTemplateName, demand } from "./limits.js";
import { page } from "./paging.js";

/** Operations on certificates. Requests and responses are those of the AWS operation of the same name; times in seconds. */
export class Certificates {
	readonly #context: RegistryContext;

	constructor(context: RegistryContext) {
		this.#context = context;
	}

	/** The certificate with this id, temporary ones included. Its status alone says whether it may connect. */
	get(certificateId: string): CertificateRecord | undefined {
		return this.#context.state.certificates.get(certificateId);
	}

	/** ARN of a certificate. */
	arn(certificateId: string): string {
		return arn(this.#context.state, "cert", certificateId);
	}

	/** Id of the existing certificate that an ARN names. @throws AwsError InvalidRequestException or ResourceNotFoundException */
	requireCertificateId(principal: unknown): string {
		const { state } = this.#context;
		const id = typeof principal === "string" ? nameInArn(state, "cert", principal) : undefined;
		demand(id !== undefined, "The principal must be the ARN of a certificate of this account");
		return requireRow(state.certificates.get(id), `Principal ${principal} does not exist`).certificateId;
	}

	/** A new certificate together with its new key pair. INACTIVE unless `setAsActive`. */
	async createKeysAndCertificate(request: { setAsActive?: boolean } = {}) {
		const issued = await this.#context.issuer.createKeysAndCertificate();
		this.add(issued, request.setAsActive ? "ACTIVE" : "INACTIVE");
		return {
			...this.#named(issued),
			keyPair: { PublicKey: issued.publicKeyPem, PrivateKey: issued.privateKeyPem },
		};
	}

	/** A new certificate for the key of a certificate signing request. INACTIVE unless `setAsActive`. */
	async createCertificateFromCsr(request: { certificateSigningRequest: string; setAsActive?: boolean }) {
		const csr: unknown = request.certificateSigningRequest;
		demand(
			isOfForm(csr, forms.certificateSigningRequest),
			`certificateSigningRequest must be text of 1 to ${forms.certificateSigningRequest.max} characters`,
		);
		const issued = await this.#context.issuer.createCertificateFromCsr(csr);
		this.add(issued, request.setAsActive ? "ACTIVE" : "INACTIVE");
		return this.#named(issued);
	}

	/** Registers a certificate of any CA, which need not be known. INACTIVE unless `status` is given. */
	registerCertificateWithoutCA(request: { certificatePem: string; status?: string }) {
		return this.#register(request.certificatePem, request.status ?? "INACTIVE", "SNI_ONLY", undefined);
	}

	/** Registers a certificate whose CA is registered: one of the customer's own, or the cloud's. */
	registerCertificate(request: {
		certificatePem: string;
		caCertificatePem?: string;
		status?: string;
		setAsActive?: boolean;
	}) {
		const { rootCertificatePem } = this.#context.issuer;
		const certificate = parseCertificate(request.certificatePem);
		const given = request.caCertificatePem === undefined ? undefined : parseCertificate(request.caCertificatePem);
		const registered = given
			? this.#context.state.caCertificates.get(fingerprint(given.raw))
			: this.findIssuer?.(certificate);
		const pem = registered?.certificatePem ?? rootCertificatePem;
		const ca = pem === undefined ? undefined : new X509Certificate(pem);
		if (ca === undefined || (given && !ca.raw.equals(given.raw))) {
			throw new AwsError("CertificateValidationException", "The CA certificate is not registered");
		}
		if (!certificate.checkIssued(ca) || !certificate.verify(ca.publicKey)) {
			throw new AwsError("CertificateValidationException", "The certificate was not signed by the CA certificate");
		}
		if (registered?.status === "INACTIVE")
			throw new AwsError("CertificateValidationException", "The CA certificate is not active");
		const status = request.status ?? (request.setAsActive ? "ACTIVE" : "INACTIVE");
		// Seen of AWS in September 2026.
		if (status === "PENDING_ACTIVATION") {
			throw new AwsError(
				"CertificateStateException",
				"Not allowed to register certificate with PENDING_ACTIVATION status",
			);
		}
		return this.#register(request.certificatePem, status, "DEFAULT", fingerprint(ca.raw));
	}

	/** Finds the registered CA that has signed a certificate. Set by the registry. */
	findIssuer: ((certificate: X509Certificate) => CaCertificateRecord | undefined) | undefined;

	/** Registers a certificate at its first connection, as PENDING_ACTIVATION. `undefined` when it is registered already. */
	registerJustInTime(certificate: X509Certificate, ca: CaCertificateRecord): CertificateRecord | undefined {
		const certificateId = fingerprint(certificate.raw);
		if (this.get(certificateId)) return undefined;
		return this.add(
			{
				certificateId,
				certificatePem: certificate.toString(),
				notBefore: Date.parse(certificate.validFrom),
				notAfter: Date.parse(certificate.validTo),
			},
			"PENDING_ACTIVATION",
			{ caCertificateId: ca.certificateId, ...(ca.certificateMode === "SNI_ONLY" && { certificateMode: "SNI_ONLY" }) },
		);
	}

	/** Sets the status to ACTIVE, INACTIVE or REVOKED. The broker drops connections that are not allowed any more. */
	updateCertificate(request: { certificateId: string; newStatus: string }): void {
		const certificate = this.#requireCertificate(request.certificateId);
		demand(
			["ACTIVE", "INACTIVE", "REVOKED"].includes(request.newStatus),
			`The status of a certificate cannot be set to ${request.newStatus}`,
		);
		this.setStatus(certificate.certificateId, request.newStatus as CertificateStatus);
	}

	/** A certificate with its PEM, status and times. */
	describeCertificate(request: { certificateId: string }) {
		const { state } = this.#context;
		const record = this.#requireCertificate(request.certificateId);
		return {
			certificateDescription: {
				...this.listed(record),
				...(record.caCertificateId && { caCertificateId: record.caCertificateId }),
				certificatePem: record.certificatePem,
				ownedBy: state.account.accountId,
				lastModifiedDate: seconds(record.lastModifiedDate),
				customerVersion: record.customerVersion,
				transferData: {},
				generationId: record.generationId,
				validity: { notBefore: seconds(record.notBefore), notAfter: seconds(record.notAfter) },
			},
		};
	}

	/** The certificates, newest first unless `isAscendingOrder`. Temporary claim certificates are not listed. */
	listCertificates(request: { pageSize?: number; marker?: string; isAscendingOrder?: boolean } = {}) {
		const listed = [...this.#context.state.certificates.values()].filter((record) => !record.temporaryClaim);
		const { items, next } = page(
			listed,
			(record) => `${String(record.creationDate).padStart(16, "0")} ${record.certificateId}`,
			request.pageSize,
			request.marker,
			request.isAscendingOrder === true,
		);
		return { certificates: items.map((record) => this.listed(record)), ...(next && { nextMarker: next }) };
	}

	/** Deletes a certificate. Refused while it is ACTIVE or attached to a thing or, without `forceDelete`, has policies. */
	deleteCertificate(request: { certificateId: string; forceDelete?: boolean }): void {
		const { state } = this.#context;
		const { certificateId, status } = this.#requireCertificate(request.certificateId);
		if (status === "ACTIVE") {
			throw new AwsError(
				"CertificateStateException",
				`Certificate must be deactivated (not ACTIVE) before deletion. Id: ${certificateId}`,
			);
		}
		const principal = this.arn(certificateId);
		if (state.thingPrincipals.by("principal", principal).length > 0) {
			throw new AwsError("DeleteConflictException", `Things must be detached before deletion (arn: ${principal})`);
		}
		if (!request.forceDelete && state.attachments.by("target", principal).length > 0) {
			throw new AwsError(
				"DeleteConflictException",
				`Certificate policies must be detached before deletion (arn: ${principal})`,
			);
		}
		this.remove(certificateId);
	}

	/** Makes the certificate that a trusted user gets for five minutes: ACTIVE at once, for one template, not listed. */
	async createProvisioningClaim(request: { templateName: string }) {
		const { state, issuer, now, temporaryClaimLifetime } = this.#context;
		const templateName = checkTemplateName(request.templateName);
		requireRow(state.templates.get(templateName), `Template with name ${templateName} does not exist`);
		const issued = await issuer.createKeysAndCertificate();
		const expiration = now() + temporaryClaimLifetime();
		this.add(issued, "ACTIVE", { temporaryClaim: { templateName, expiration } });
		return {
			certificateId: issued.certificateId,
			certificatePem: issued.certificatePem,
			keyPair: { PublicKey: issued.publicKeyPem, PrivateKey: issued.privateKeyPem },
			expiration: seconds(expiration),
		};
	}

	/** Adds an issued certificate to the account. */
	add(
		issued: IssuedCertificate,
		status: CertificateStatus,
		more: Pick<CertificateRecord, "temporaryClaim" | "caCertificateId"> & { certificateMode?: "SNI_ONLY" } = {},
	): CertificateRecord {
		const { state } = this.#context;
		const now = this.#context.now();
		const record: CertificateRecord = {
			certificateId: issued.certificateId,
			certificatePem: issued.certificatePem,
			notBefore: issued.notBefore,
			notAfter: issued.notAfter,
			status,
			certificateMode: "DEFAULT",
			creationDate: now,
			lastModifiedDate: now,
			generationId: randomUUID(),
			customerVersion: 1,
			...more,
		};
		state.transaction(() => state.certificates.put(record.certificateId, record));
		return record;
	}

	/** Sets any status, without the rules of UpdateCertificate. Does nothing when the certificate has it already. */
	setStatus(certificateId: string, status: CertificateStatus): void {
		const { state, now } = this.#context;
		state.transaction(() => {
			const record = state.certificates.get(certificateId)!;
			if (record.status === status) return;
			state.certificates.put(certificateId, {
				...record,
				status,
				lastModifiedDate: now(),
				customerVersion: record.customerVersion + 1,
			});
		});
	}

	/** Deletes a certificate with its attachments and tokens, without the rules of DeleteCertificate. */
	remove(certificateId: string): void {
		const { state } = this.#context;
		const principal = this.arn(certificateId);
		state.transaction(() => {
			for (const { policyName } of state.attachments.by("target", principal)) {
				state.attachments.delete(`${policyName} ${principal}`);
			}
			for (const { thingName } of state.thingPrincipals.by("principal", principal)) {
				state.thingPrincipals.delete(`${thingName} ${principal}`);
			}
			for (const { hash } of state.tokens.by("certificateId", certificateId)) state.tokens.delete(hash);
			state.certificates.delete(certificateId);
		});
	}

	#register(pem: unknown, status: string, mode: "DEFAULT" | "SNI_ONLY", caCertificateId: string | undefined) {
		const { state } = this.#context;
		demand(
			["ACTIVE", "INACTIVE", "REGISTER_INACTIVE", "PENDING_ACTIVATION"].includes(status),
			`A certificate cannot be registered as ${status}`,
		);
		const certificate = parseCertificate(pem);
		const certificateId = fingerprint(certificate.raw);
		if (state.certificates.has(certificateId)) {
			throw new AwsError("ResourceAlreadyExistsException", "The certificate is already provisioned or registered", {
				resourceId: certificateId,
				resourceArn: this.arn(certificateId),
			});
		}
		const record = this.add(
			{
				certificateId,
				certificatePem: certificate.toString(),
				notBefore: Date.parse(certificate.validFrom),
				notAfter: Date.parse(certificate.validTo),
			},
			status === "REGISTER_INACTIVE" ? "INACTIVE" : (status as CertificateStatus),
			{ ...(mode === "SNI_ONLY" && { certificateMode: mode }), ...(caCertificateId && { caCertificateId }) },
		);
		return { certificateArn: this.arn(record.certificateId), certificateId: record.certificateId };
	}

	#requireCertificate(certificateId: unknown): CertificateRecord {
		const id = checkCertificateId(certificateId);
		const record = this.#context.state.certificates.get(id);
		return requireRow(
			record?.temporaryClaim ? undefined : record,
			"The certificate given in the certificateId does not exist",
		);
	}

	#named(issued: IssuedCertificate) {
		return {
			certificateArn: this.arn(issued.certificateId),
			certificateId: issued.certificateId,
			certificatePem: issued.certificatePem,
		};
	}

	/** How a certificate appears in listings. */
	listed(record: CertificateRecord) {
		return {
			certificateArn: this.arn(record.certificateId),
			certificateId: record.certificateId,
			status: record.status,
			certificateMode: record.certificateMode,
			creationDate: seconds(record.creationDate),
		};
	}
}

/** The id of a certificate: the SHA-256 of its DER, in lower-case hex. */
export function fingerprint(der: Uint8Array): string {
	return createHash("sha256").update(der).digest("hex");
}

/** Reads a certificate. @throws AwsError */
export function parseCertificate(pem: unknown): X509Certificate {
	demand(
		isOfForm(pem, forms.certificatePem),
		`A certificate must be PEM text of 1 to ${forms.certificatePem.max} characters`,
	);
	try {
		return new X509Certificate(pem);
	} catch {
		throw new AwsError(
			"CertificateValidationException",
			"The certificate is not a valid X.509 certificate in PEM form",
		);
	}
}
