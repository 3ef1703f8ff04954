// Just-in-time registration and provisioning: what becomes of a certificate that the account does not know and a registered CA has
// signed. It is registered at the first CONNECT, provisioned where the CA has a template, and the connection is closed all the same.
// Facts: AWS IoT developer guide, "Automatic/Just-in-time registration", "Just-in-time provisioning".

import { X509Certificate } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { Settings } from "../base/settings.js";
import { certificateVariables } from "../mqtt/authorizer.js";
import type { Admission, Refusal } from "../mqtt/broker.js";
import type { MessagePublisher } from "../mqtt/reserved.js";
import { applyPlan } from "../provisioning/apply.js";
import type { Registry } from "../registry/registry.js";
import type { CaCertificateRecord, CertificateRecord } from "../state/state.js";
import { evaluateTemplate, parseTemplate, TemplateError } from "../template/template.js";

/** What it works with. */
export interface JustInTimeOptions {
	readonly registry: Registry;
	readonly settings: Settings;
	/** ms since 1970. */
	readonly now: () => number;
	readonly publish: MessagePublisher["publish"];
}

/** Parameters of a JITP template by the policy variables that have their values. */
const PARAMETERS: Readonly<Record<string, string>> = {
	Country: "Country",
	Organization: "Organization",
	OrganizationalUnit: "OrganizationalUnit",
	DistinguishedNameQualifier: "DistinguishedNameQualifier",
	StateName: "State",
	CommonName: "CommonName",
	SerialNumber: "SerialNumber",
};

/** Decides over certificates that the account does not know. `chain` is what the client has sent, DER, its own certificate first. */
export function findRegistration(options: JustInTimeOptions, chain: readonly Uint8Array[]): Admission | undefined {
	const { registry, now } = options;
	const [own] = chain;
	const certificate = own && new X509Certificate(own);
	const ca = certificate && registry.caCertificates.issuerOf(certificate);
	if (!ca) return undefined;
	const which = `The certificate was signed by the registered CA ${ca.certificateId}`;
	const refuse = (explanation: string) => refusal("unknown certificate", explanation);
	return async ({ clientId }) => {
		if (ca.status !== "ACTIVE") return refuse(`${which}, which is INACTIVE (UpdateCACertificate with newStatus).`);
		if (ca.autoRegistrationStatus !== "ENABLE") {
			return refuse(
				`${which}, which does not register certificates by itself (UpdateCACertificate with newAutoRegistrationStatus ENABLE).`,
			);
		}
		const sent = chain.some((one) => new X509Certificate(one).toString() === ca.certificatePem);
		if (ca.certificateMode === "DEFAULT" && !sent) {
			return refuse(
				`${which}, but the client has not sent the CA's certificate with its own: at the first connection AWS wants both in one file.`,
			);
		}
		if (Date.parse(certificate.validTo) <= now() || Date.parse(certificate.validFrom) > now())
			return refusal("certificate dates", `${which}, but is not valid at this time.`);
		return register(options, certificate, ca, clientId);
	};
}

async function register(
	options: JustInTimeOptions,
	certificate: X509Certificate,
	ca: CaCertificateRecord,
	clientId: string,
): Promise<Refusal> {
	const { registry, now, publish } = options;
	const again = "AWS closes the first connection: connect again";
	// Another connection with the same certificate may have been faster.
	const record = registry.certificates.registerJustInTime(certificate, ca);
	if (!record) return refusal("registered just in time", `The certificate has been registered meanwhile. ${again}.`);
	const { certificateId } = record;
	await publish({
		topic: `$aws/events/certificates/registered/${ca.certificateId}`,
		payload: Buffer.from(
			JSON.stringify({
				certificateId,
				caCertificateId: ca.certificateId,
				timestamp: now(),
				certificateStatus: "PENDING_ACTIVATION",
				awsAccountId: registry.state.account.accountId,
				certificateRegistrationTimestamp: null,
			}),
		),
	});
	const body = registry.caCertificates.templateBody(ca);
	if (body === undefined) {
		return refusal(
			"registered just in time",
			`The certificate ${certificateId} of ${clientId} is registered as PENDING_ACTIVATION: activate it (UpdateCertificate). ${again}.`,
		);
	}
	try {
		const thingName = provision(options, record, body);
		return refusal(
			"provisioned just in time",
			`The certificate ${certificateId} is registered, and the CA's template was carried out${thingName === undefined ? "" : ` for the thing ${thingName}`}. ${again}.`,
		);
	} catch (error) {
		if (!(error instanceof TemplateError) && !(error instanceof AwsError)) throw error;
		return refusal(
			"just-in-time provisioning",
			`The certificate ${certificateId} is registered as PENDING_ACTIVATION, but the CA's template failed: ${error.message}`,
		);
	}
}

/** Carries the template out. @throws TemplateError, AwsError; then nothing has changed */
function provision(
	{ registry, settings }: JustInTimeOptions,
	record: CertificateRecord,
	body: string,
): string | undefined {
	const variables = new Map(certificateVariables(record));
	const parameters = new Map<string, string>();
	for (const [name, part] of Object.entries(PARAMETERS)) {
		const value = variables.get(`iot:Certificate.Subject.${part}`);
		if (typeof value === "string") parameters.set(`AWS::IoT::Certificate::${name}`, value);
	}
	const { certificateId } = record;
	const plan = evaluateTemplate(parseTemplate(body, "JITP"), { parameters, certificateId });
	applyPlan(registry, plan, plan.certificate && certificateId, settings.template.overrideDefault);
	return plan.thing?.thingName;
}

const refusal = (reason: string, explanation: string): Refusal => ({ reason, explanation, silent: true });
