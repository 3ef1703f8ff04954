// The topics of the provisioning MQTT API (AWS IoT developer guide, "Device provisioning MQTT API").

import type { PayloadFormat } from "./codec.js";
import type { ProvisioningOperation } from "./settings.js";

/** What a request's topic says. */
export interface ProvisioningTopic {
	readonly operation: ProvisioningOperation;
	readonly format: PayloadFormat;
	readonly templateName?: string;
}

/** Reads a topic that a request is published to; `undefined` when it is none. */
export function parseProvisioningTopic(topic: string): ProvisioningTopic | undefined {
	const created = /^\$aws\/certificates\/(create|create-from-csr)\/(json|cbor)$/.exec(topic);
	if (created) {
		return {
			operation: created[1] === "create" ? "CreateKeysAndCertificate" : "CreateCertificateFromCsr",
			format: created[2] as PayloadFormat,
		};
	}
	const registered = /^\$aws\/provisioning-templates\/([0-9A-Za-z_-]{1,36})\/provision\/(json|cbor)$/.exec(topic);
	if (!registered) return undefined;
	return { operation: "RegisterThing", templateName: registered[1]!, format: registered[2] as PayloadFormat };
}
