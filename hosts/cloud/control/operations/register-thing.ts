// The REST operation RegisterThing: one thing from a template's body and its parameters, as for bulk registration.
// All or nothing: a certificate that was made for it is removed again when the rest fails.

import { AwsError } from "../../base/errors.js";
import type { Settings } from "../../base/settings.js";
import { applyPlan } from "../../provisioning/apply.js";
import { forms } from "../../registry/forms.js";
import type { Registry } from "../../registry/registry.js";
import {
	type CertificatePlan,
	evaluateTemplate,
	type Plan,
	parseTemplate,
	TemplateError,
} from "../../template/template.js";
import { operation } from "../operation.js";

/** The operation. */
export const registerThingOperation = {
	RegisterThing: operation("POST /things", {
		body: {
			"templateBody*": forms.templateBody,
			parameters: {
				type: "map",
				key: { type: "string", min: 0, max: 2048, pattern: "[\\s\\S]*" },
				value: { type: "string", min: 0, max: 4096, pattern: "[\\s\\S]*", opaque: true },
			},
		},
		handle: registerThing,
	}),
};

/** Registers a thing. The ARNs are by the logical names of the template's resources. @throws AwsError */
export async function registerThing(
	registry: Registry,
	{ templateBody, parameters = {} }: { templateBody: string; parameters?: Record<string, string> },
	settings: Settings,
): Promise<{ certificatePem?: string; resourceArns: Readonly<Record<string, string>> }> {
	const plan = evaluate(templateBody, parameters);
	const certificate = plan.certificate && (await certificateOf(registry, plan.certificate));
	try {
		const { resourceArns } = applyPlan(registry, plan, certificate?.certificateId, settings.template.overrideDefault);
		const record = certificate && registry.certificates.get(certificate.certificateId);
		return { ...(record && { certificatePem: record.certificatePem }), resourceArns };
	} catch (error) {
		if (certificate?.isNew) registry.certificates.remove(certificate.certificateId);
		if (!(error instanceof AwsError)) throw error;
		// This operation has two error types of its own for whatever its parts refuse (API model).
		const conflict = error.name === "ResourceConflictsException";
		throw new AwsError(
			conflict ? "ConflictingResourceUpdateException" : "ResourceRegistrationFailureException",
			error.message,
		);
	}
}

function evaluate(templateBody: string, parameters: Readonly<Record<string, string>>): Plan {
	try {
		const template = parseTemplate(templateBody, "BULK");
		return evaluateTemplate(template, { parameters: new Map(Object.entries(parameters)) });
	} catch (error) {
		if (!(error instanceof TemplateError)) throw error;
		throw new AwsError("InvalidRequestException", error.message);
	}
}

/** The certificate that a template names in one of its three forms. */
async function certificateOf(
	{ certificates }: Registry,
	plan: CertificatePlan,
): Promise<{ certificateId: string; isNew: boolean }> {
	if (plan.certificateId !== undefined) {
		const { certificateDescription } = certificates.describeCertificate({ certificateId: plan.certificateId });
		return { certificateId: certificateDescription.certificateId, isNew: false };
	}
	const { certificateSigningRequest, certificatePem = "", caCertificatePem, status } = plan;
	const { certificateId } =
		certificateSigningRequest !== undefined
			? await certificates.createCertificateFromCsr({ certificateSigningRequest, setAsActive: status === "ACTIVE" })
			: certificates.registerCertificate({
					certificatePem,
					status,
					...(caCertificatePem !== undefined && { caCertificatePem }),
				});
	return { certificateId, isNew: true };
}
