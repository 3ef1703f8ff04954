// Operations on certificates: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, marker, pageSize } from "./members.js";

const certificateStatus = {
	type: "string",
	enum: ["ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE", "PENDING_ACTIVATION"],
} as const;
// In lower case, as the registry has it: otherwise a Deny would not match the certificate that is meant.
const certificate = ({ certificateId }: { certificateId: string }) => [`cert/${certificateId.toLowerCase()}`];

export const certificateOperations = {
	CreateKeysAndCertificate: operation("POST /keys-and-certificate", {
		query: { setAsActive: boolean },
		handle: ({ certificates }, input) => certificates.createKeysAndCertificate(input),
	}),
	CreateCertificateFromCsr: operation("POST /certificates", {
		query: { setAsActive: boolean },
		body: { "certificateSigningRequest*": forms.certificateSigningRequest },
		handle: ({ certificates }, input) => certificates.createCertificateFromCsr(input),
	}),
	RegisterCertificateWithoutCA: operation("POST /certificate/register-no-ca", {
		body: { "certificatePem*": forms.certificatePem, status: certificateStatus },
		handle: ({ certificates }, input) => certificates.registerCertificateWithoutCA(input),
	}),
	RegisterCertificate: operation("POST /certificate/register", {
		query: { setAsActive: boolean },
		body: {
			"certificatePem*": forms.certificatePem,
			caCertificatePem: forms.certificatePem,
			status: certificateStatus,
		},
		handle: ({ certificates }, input) => certificates.registerCertificate(input),
	}),
	UpdateCertificate: operation("PUT /certificates/{certificateId}", {
		path: { certificateId: forms.certificateId },
		query: { "newStatus*": certificateStatus },
		resources: certificate,
		handle: ({ certificates }, input) => certificates.updateCertificate(input),
	}),
	DescribeCertificate: operation("GET /certificates/{certificateId}", {
		path: { certificateId: forms.certificateId },
		resources: certificate,
		handle: ({ certificates }, input) => certificates.describeCertificate(input),
	}),
	ListCertificates: operation("GET /certificates", {
		query: { pageSize, marker, isAscendingOrder: boolean },
		handle: ({ certificates }, input) => certificates.listCertificates(input),
	}),
	DeleteCertificate: operation("DELETE /certificates/{certificateId}", {
		path: { certificateId: forms.certificateId },
		query: { forceDelete: boolean },
		resources: certificate,
		handle: ({ certificates }, input) => certificates.deleteCertificate(input),
	}),
};
