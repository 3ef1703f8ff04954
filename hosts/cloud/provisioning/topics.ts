// The reserved topics: those of the provisioning MQTT API (AWS IoT developer guide, "Device provisioning MQTT API"), and those of
// services that this cloud does not have (same guide, "Reserved topics").

import type { ProvisioningOperation } from "../base/settings.js";
import type { Encoding } from "./codec.js";

/** What the topic of a request says. */
export interface ProvisioningTopic {
	readonly operation: ProvisioningOperation;
	readonly encoding: Encoding;
	readonly templateName?: string;
}

/** Reads the topic of a provisioning request; `undefined` for any other topic. */
export function parseProvisioningTopic(topic: string): ProvisioningTopic | undefined {
	const created = /^\$aws\/certificates\/(create|create-from-csr)\/(json|cbor)$/.exec(topic);
	if (created) {
		return {
			operation: created[1] === "create" ? "CreateKeysAndCertificate" : "CreateCertificateFromCsr",
			encoding: created[2] as Encoding,
		};
	}
	const registered = /^\$aws\/provisioning-templates\/([0-9A-Za-z_-]{1,36})\/provision\/(json|cbor)$/.exec(topic);
	if (!registered) return undefined;
	return { operation: "RegisterThing", templateName: registered[1]!, encoding: registered[2] as Encoding };
}

/** Services of AWS IoT that this cloud does not have, by the beginning of their topics and filters. */
const SERVICES: readonly (readonly [RegExp, string])[] = [
	[/^\$aws\/things\/[^/]+\/streams(\/|$)/, "MQTT-based file delivery"],
	[/^\$aws\/things\/[^/]+\/defender(\/|$)/, "Device Defender"],
	[/^\$aws\/things\/[^/]+\/tunnels(\/|$)/, "secure tunneling"],
	[/^\$aws\/(commands|device_location|sitewise)\//, "the service behind it"],
	[/^\$aws\/rules\//, "the rules engine (Basic Ingest)"],
	[/^\$aws\/events\/job/, "job events"],
];
/** Topics that this cloud itself sends to, level by level. */
const SENT_TO: readonly (readonly RegExp[])[] = [
	[/^\$aws$/, /^certificates$/, /^(create|create-from-csr)$/, /^(json|cbor)$/, /^(accepted|rejected)$/],
	[/^\$aws$/, /^provisioning-templates$/, /./, /^provision$/, /^(json|cbor)$/, /^(accepted|rejected)$/],
	[/^\$aws$/, /^events$/, /^presence$/, /^(connected|disconnected)$/, /./],
];

/** Whether a filter matches some topic of such levels. A client id may have slashes: the last level of presence may be many. */
function mayMatch(filter: string, pattern: readonly RegExp[]): boolean {
	const levels = filter.split("/");
	const end = levels.indexOf("#");
	const fits = pattern.every((wanted, index) => {
		const level = levels[index];
		return (end >= 0 && index >= end) || level === "+" || (level !== undefined && wanted.test(level));
	});
	return fits && (levels.length <= pattern.length || pattern.at(-1)!.test("/"));
}

/** Why a publish to a reserved topic has no effect, when it is not a provisioning request. */
export function whyNotPublished(topic: string): string {
	const [, service] = SERVICES.find(([pattern]) => pattern.test(topic)) ?? [];
	return service
		? `This cloud does not have ${service}: the message is ignored, and nothing answers it.`
		: `Nothing listens to ${topic}: the message is ignored. Provisioning topics have /json or /cbor at their end.`;
}

/**
 * Why no message will come for a subscription to a reserved filter; `undefined` when one may come. `others` are the topics that
 * other services send to, level by level.
 */
export function whyNothingComes(filter: string, others: readonly (readonly RegExp[])[] = []): string | undefined {
	if (!filter.startsWith("$aws/") || [...SENT_TO, ...others].some((pattern) => mayMatch(filter, pattern)))
		return undefined;
	const [, service] = SERVICES.find(([pattern]) => pattern.test(filter)) ?? [];
	return service
		? `This cloud does not have ${service}: nothing will come for this subscription.`
		: "This cloud sends nothing to such topics: nothing will come for this subscription.";
}
