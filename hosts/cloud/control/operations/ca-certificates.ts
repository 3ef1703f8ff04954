// Operations on CA certificates and certificate providers: what a request looks like, what IAM is asked, and what the registry does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, marker, pageSize, tags } from "./members.js";

const ca = ({ certificateId }: { certificateId: string }) => [`cacert/${certificateId.toLowerCase()}`];
const provider = ({ certificateProviderName }: { certificateProviderName: string }) => [
	`certificateprovider/${certificateProviderName}`,
];
const registrationConfig = {
	type: "structure",
	members: { templateBody: forms.templateBody, roleArn: forms.roleArn, templateName: forms.templateName },
} as const;
const providerOperations = {
	type: "list",
	member: { type: "string", enum: ["CreateCertificateFromCsr"] },
} as const;

export const caCertificateOperations = {
	GetRegistrationCode: operation("GET /registrationcode", {
		handle: ({ caCertificates }) => caCertificates.getRegistrationCode(),
	}),
	DeleteRegistrationCode: operation("DELETE /registrationcode", {
		handle: ({ caCertificates }) => caCertificates.deleteRegistrationCode(),
	}),
	RegisterCACertificate: operation("POST /cacertificate", {
		query: { setAsActive: boolean, allowAutoRegistration: boolean },
		body: {
			"caCertificate*": forms.certificatePem,
			verificationCertificate: forms.certificatePem,
			registrationConfig,
			tags,
			certificateMode: { type: "string", enum: ["DEFAULT", "SNI_ONLY"] },
		},
		handle: ({ caCertificates }, input) => caCertificates.registerCACertificate(input),
	}),
	DescribeCACertificate: operation("GET /cacertificate/{certificateId}", {
		path: { certificateId: forms.certificateId },
		resources: ca,
		handle: ({ caCertificates }, input) => caCertificates.describeCACertificate(input),
	}),
	UpdateCACertificate: operation("PUT /cacertificate/{certificateId}", {
		path: { certificateId: forms.certificateId },
		query: {
			newStatus: { type: "string", enum: ["ACTIVE", "INACTIVE"] },
			newAutoRegistrationStatus: { type: "string", enum: ["ENABLE", "DISABLE"] },
		},
		body: { registrationConfig, removeAutoRegistration: boolean },
		resources: ca,
		handle: ({ caCertificates }, input) => caCertificates.updateCACertificate(input),
	}),
	DeleteCACertificate: operation("DELETE /cacertificate/{certificateId}", {
		path: { certificateId: forms.certificateId },
		resources: ca,
		handle: ({ caCertificates }, input) => caCertificates.deleteCACertificate(input),
	}),
	ListCACertificates: operation("GET /cacertificates", {
		query: { pageSize, marker, isAscendingOrder: boolean, templateName: forms.templateName },
		handle: ({ caCertificates }, input) => caCertificates.listCACertificates(input),
	}),
	ListCertificatesByCA: operation("GET /certificates-by-ca/{caCertificateId}", {
		path: { caCertificateId: forms.certificateId },
		query: { pageSize, marker, isAscendingOrder: boolean },
		handle: ({ caCertificates }, input) => caCertificates.listCertificatesByCA(input),
	}),
	CreateCertificateProvider: operation("POST /certificate-providers/{certificateProviderName}", {
		path: { certificateProviderName: forms.authorizerName },
		body: {
			"lambdaFunctionArn*": forms.functionArn,
			"accountDefaultForOperations*": providerOperations,
			clientToken: forms.clientToken,
			tags,
		},
		resources: provider,
		handle: ({ certificateProviders }, input) => certificateProviders.createCertificateProvider(input),
	}),
	DescribeCertificateProvider: operation("GET /certificate-providers/{certificateProviderName}", {
		path: { certificateProviderName: forms.authorizerName },
		resources: provider,
		handle: ({ certificateProviders }, input) => certificateProviders.describeCertificateProvider(input),
	}),
	UpdateCertificateProvider: operation("PUT /certificate-providers/{certificateProviderName}", {
		path: { certificateProviderName: forms.authorizerName },
		body: { lambdaFunctionArn: forms.functionArn, accountDefaultForOperations: providerOperations },
		resources: provider,
		handle: ({ certificateProviders }, input) => certificateProviders.updateCertificateProvider(input),
	}),
	DeleteCertificateProvider: operation("DELETE /certificate-providers/{certificateProviderName}", {
		path: { certificateProviderName: forms.authorizerName },
		resources: provider,
		handle: ({ certificateProviders }, input) => certificateProviders.deleteCertificateProvider(input),
	}),
	ListCertificateProviders: operation("GET /certificate-providers", {
		query: { nextToken: marker, isAscendingOrder: boolean },
		handle: ({ certificateProviders }) => certificateProviders.listCertificateProviders(),
	}),
};
