// Provisioning without TLS, MQTT, key generation and wall time, for tests of its decisions.

import { randomBytes } from "node:crypto";
import { type CloudEventBody, Metrics } from "../../hosts/cloud/base/events.js";
import { provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { changeSettings, defaultSettings, type SettingsPatch } from "../../hosts/cloud/base/settings.js";
import type { HookCaller } from "../../hosts/cloud/provisioning/hook.js";
import { Provisioning, type ProvisioningRequest } from "../../hosts/cloud/provisioning/provisioning.js";
import { type CertificateIssuer, Registry } from "../../hosts/cloud/registry/registry.js";
import { openState } from "../../hosts/cloud/state/state.js";

/** Issues made-up certificates at once. */
const issuer: CertificateIssuer = {
	rootCertificatePem: "",
	createKeysAndCertificate: async () => ({ ...issued(), publicKeyPem: "public\n", privateKeyPem: "private\n" }),
	createCertificateFromCsr: async () => issued(),
};

function issued() {
	const certificateId = randomBytes(32).toString("hex");
	return { certificateId, certificatePem: `certificate ${certificateId}\n`, notBefore: 0, notAfter: 4e12 };
}

export type Core = Awaited<ReturnType<typeof startCore>>;

/** `body` is the template's, as an object; the policy "device" exists. The clock stands still until it is moved. */
export async function startCore(
	body: object = provisioningTemplate("device"),
	patch: SettingsPatch = {},
	callHook?: HookCaller,
) {
	const clock = { now: Date.UTC(2026, 0, 1) };
	const now = () => clock.now;
	const settings = defaultSettings();
	changeSettings(settings, patch);
	const state = await openState();
	const registry = new Registry({ state, issuer, now });
	const events: CloudEventBody[] = [];
	const metrics = new Metrics();
	const later: { callback: () => void; at: number }[] = [];
	const provisioning = new Provisioning({
		registry,
		issuer,
		settings,
		now,
		report: (event) => events.push(event),
		metrics,
		later: (callback, milliseconds) => later.push({ callback, at: clock.now + milliseconds }),
		...(callHook && { callHook }),
	});
	registry.policies.createPolicy({
		policyName: "device",
		policyDocument: JSON.stringify({
			Version: "2012-10-17",
			Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
		}),
	});
	registry.templates.createProvisioningTemplate({
		templateName: "T",
		templateBody: JSON.stringify(body),
		enabled: true,
		provisioningRoleArn: `arn:aws:iam::${state.account.accountId}:role/provisioning`,
	});
	const ask = async (
		operation: ProvisioningRequest["operation"],
		payload: unknown,
		more: Partial<ProvisioningRequest> = {},
	) => {
		const reply = await provisioning.handle({
			operation,
			encoding: "json",
			...(operation === "RegisterThing" && { templateName: "T" }),
			payload:
				payload instanceof Uint8Array ? payload : Buffer.from(payload === undefined ? "" : JSON.stringify(payload)),
			claimCertificateId: "c".repeat(64),
			clientId: "claim-1",
			connectionId: "connection-1",
			...more,
		});
		return { accepted: reply.accepted, ...JSON.parse(Buffer.from(reply.payload).toString()) };
	};
	return {
		clock,
		/** Moves the clock, and does what has become due. */
		pass: (milliseconds: number) => {
			clock.now += milliseconds;
			for (const { callback, at } of later.splice(0)) if (at <= clock.now) callback();
		},
		settings,
		registry,
		events,
		metrics,
		provisioning,
		ask,
		/** A token and the id of its certificate. */
		create: async () => {
			const { certificateOwnershipToken, certificateId } = await ask("CreateKeysAndCertificate", undefined);
			return { certificateOwnershipToken, certificateId } as {
				certificateOwnershipToken: string;
				certificateId: string;
			};
		},
		/** Registers with a new certificate. */
		register: async (parameters: Record<string, unknown> = { SerialNumber: "S1" }) => {
			const { certificateOwnershipToken } = await ask("CreateKeysAndCertificate", undefined);
			return ask("RegisterThing", { certificateOwnershipToken, parameters });
		},
	};
}
