// Tries a provisioning template: does what a device does, with a key pair that is thrown away. All that a template decides
// (parameters, hook, throttle) decides here too; only MQTT, and with it the policies of a claim, are left out.

import { AwsError } from "../base/errors.js";
import type { CloudEvent, EventLog } from "../base/events.js";
import { isObject } from "../base/object.js";
import type { Provisioning } from "../provisioning/provisioning.js";

/** Stands for the client in events and for the claim in the request to a hook. */
const CLIENT_ID = "web-page";
const CLAIM = "0".repeat(64);

/** What somebody has filled in. */
interface Trial {
	readonly templateName: string;
	readonly parameters: Readonly<Record<string, string>>;
}

/** How it went: what a device would have been told, and the explanation that only the cloud has. */
export interface TrialResult {
	readonly accepted: boolean;
	/** Members of the reply; without the token. */
	readonly reply: Readonly<Record<string, unknown>>;
	/** The certificate that the thing got. */
	readonly certificateId?: string;
	readonly explanation?: string;
}

/** @throws AwsError InvalidRequestException for a body that is not a trial */
export async function tryTemplate(
	provisioning: Provisioning,
	events: EventLog,
	body: Readonly<Record<string, unknown>>,
): Promise<TrialResult> {
	const { templateName, parameters } = trialIn(body);
	const request = {
		encoding: "json",
		claimCertificateId: CLAIM,
		clientId: CLIENT_ID,
		connectionId: `${CLIENT_ID}-${performance.now()}`,
	} as const;
	let explanation: string | undefined;
	const stop = events.listen((event) => {
		if (isOwn(event) && event.status === "Failure") explanation = event.explanation;
	});
	try {
		const created = await provisioning.handle({
			...request,
			operation: "CreateKeysAndCertificate",
			payload: Buffer.from(JSON.stringify({})),
		});
		const { certificateOwnershipToken, certificateId, ...rest } = JSON.parse(Buffer.from(created.payload).toString());
		if (!created.accepted) return { accepted: false, reply: rest, ...(explanation !== undefined && { explanation }) };
		const registered = await provisioning.handle({
			...request,
			operation: "RegisterThing",
			templateName,
			payload: Buffer.from(JSON.stringify({ certificateOwnershipToken, parameters })),
		});
		return {
			accepted: registered.accepted,
			reply: JSON.parse(Buffer.from(registered.payload).toString()),
			certificateId,
			...(!registered.accepted && explanation !== undefined && { explanation }),
		};
	} finally {
		stop();
	}
}

function isOwn(event: CloudEvent): event is CloudEvent & { readonly event: "provisioning" } {
	return event.event === "provisioning" && event.principal === CLAIM && event.clientId === CLIENT_ID;
}

function trialIn({ templateName, parameters }: Readonly<Record<string, unknown>>): Trial {
	if (
		typeof templateName !== "string" ||
		!isObject(parameters) ||
		!Object.values(parameters).every((value) => typeof value === "string")
	)
		throw new AwsError("InvalidRequestException", "A trial has a templateName, and parameters that are all text.");
	return { templateName, parameters: parameters as Readonly<Record<string, string>> };
}
