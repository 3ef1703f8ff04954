// A cloud without sockets for the fuzzer: the real registry, authority and provisioning, in memory. Only the key pairs are not real,
// because making one takes a tenth of a second.

import { randomBytes } from "node:crypto";
import type { CloudEventBody } from "../../../hosts/cloud/base/events.js";
import { provisioningTemplate } from "../../../hosts/cloud/base/samples.js";
import { changeSettings, defaultSettings } from "../../../hosts/cloud/base/settings.js";
import { type Authority, openAuthority } from "../../../hosts/cloud/pki/authority.js";
import { Provisioning } from "../../../hosts/cloud/provisioning/provisioning.js";
import { type CertificateIssuer, Registry } from "../../../hosts/cloud/registry/registry.js";
import { openState } from "../../../hosts/cloud/state/state.js";
import { Defect } from "../target.js";

export const accountId = "123456789012";
export const region = "us-east-1";
/** ARN of a resource of the account. */
export const arn = (resource: string) => `arn:aws:iot:${region}:${accountId}:${resource}`;
export const roleArn = `arn:aws:iam::${accountId}:role/provisioning`;
/** A policy that allows everything. */
export const everything = {
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
};

/** The first authority of this process. The other ones reuse its keys. */
let first: Authority | undefined;

export type World = Awaited<ReturnType<typeof openWorld>>;

/** Opens a cloud with the policy `device` and the template `T`, and without rate limits. */
export async function openWorld() {
	const state = await openState({ accountId, region });
	const now = Date.now;
	const authority = await openAuthority({
		state,
		now,
		serverNames: [],
		issuer: () => "EC",
		keyPairs: { ahead: 0, concurrency: 1 },
		...(first && { identities: first.identities }),
	});
	first ??= authority;
	const issuer: CertificateIssuer = {
		rootCertificatePem: authority.rootCertificatePem,
		createCertificateFromCsr: (csr) => authority.createCertificateFromCsr(csr),
		createKeysAndCertificate: async () => ({
			certificateId: randomBytes(32).toString("hex"),
			certificatePem: "none",
			publicKeyPem: "none",
			privateKeyPem: "none",
			notBefore: 0,
			notAfter: 4e12,
		}),
	};
	const registry = new Registry({ state, issuer, now });
	const settings = defaultSettings();
	changeSettings(settings, { connection: { connectsPerClientId: 0 }, throttle: { RegisterThing: null } });
	const faults = new Faults();
	const provisioning = new Provisioning({ registry, issuer, settings, now, report: faults.report });
	registry.policies.createPolicy({ policyName: "device", policyDocument: JSON.stringify(everything) });
	registry.templates.createProvisioningTemplate({
		templateName: "T",
		templateBody: JSON.stringify(provisioningTemplate("device")),
		enabled: true,
		provisioningRoleArn: roleArn,
	});
	return {
		registry,
		authority,
		settings,
		provisioning,
		faults,
		now,
		close: async () => {
			authority.close();
			await state.close();
		},
	};
}

/** Watches for events that report an error inside the cloud. */
export class Faults {
	#seen: string | undefined;

	/** To be given to a cloud as its `report`. */
	readonly report = (event: CloudEventBody): void => {
		// A client that does not read, more than fits, and what is kept without effect are no errors of the cloud.
		if (
			event.event === "warning" &&
			!/no room|reads too slowly|does nothing here|Development mode|^The template .* has no /.test(event.message)
		)
			this.#seen ??= event.message;
		if (event.event === "provisioning" && event.statusCode === 500)
			this.#seen ??= `${event.operation} failed: ${event.explanation}`;
	};

	/** @throws Defect when such an event has occurred since the last call */
	check(): void {
		const seen = this.#seen;
		this.#seen = undefined;
		if (seen !== undefined) throw new Defect("internal error", seen);
	}
}
