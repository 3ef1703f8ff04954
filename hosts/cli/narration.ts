// The events of devices and of the local cloud in plain words, one line each. Events hold no secrets, so these lines hold none.

import type { FailureReport } from "../../src/base/failure.js";
import type { DeviceEvent, DeviceState, Operation } from "../../src/contract/events.js";
import type { CloudEvent } from "../cloud/base/events.js";
import { failureWords } from "./failure-words.js";
import { bytes, type Line, short } from "./terminal.js";

const POWER_ON: Readonly<Record<DeviceState, string>> = {
	unprovisioned: "flash is empty, no identity yet",
	created: "a certificate is in flash but not registered yet",
	registering: "a certificate is in flash; whether it was registered is not known",
	registered: "a new identity is in flash but not proved yet",
	refused: "an identity is in flash that the service refused",
	proved: "an identity is in flash",
};

const ASKS: Readonly<Record<Operation, string>> = {
	CreateKeysAndCertificate: "asks for a key pair and a certificate (CreateKeysAndCertificate)",
	CreateCertificateFromCsr: "asks for a certificate for its own key (CreateCertificateFromCsr)",
	RegisterThing: "asks to be registered (RegisterThing)",
};

const GETS: Readonly<Record<Operation, string>> = {
	CreateKeysAndCertificate: "gets a key pair, a certificate and an ownership token",
	CreateCertificateFromCsr: "gets a certificate and an ownership token",
	RegisterThing: "gets its name",
};

const KEEPS: Readonly<Record<DeviceState, string>> = {
	unprovisioned: "keeps nothing of an identity in flash",
	created: "keeps certificate, key and token in flash",
	registering: "notes in flash that registration is under way",
	registered: "keeps its name in flash",
	refused: "notes in flash that the identity was refused",
	proved: "notes in flash that the identity works",
};

/** An event of a device in words. */
export function narrateDevice(event: DeviceEvent): Line {
	switch (event.event) {
		case "boot":
			return { text: `starts; ${POWER_ON[event.state]}${event.thingName === undefined ? "" : `: ${event.thingName}`}` };
		case "clock.synchronizing":
			return { text: "asks a time server for the time", mood: "quiet" };
		case "clock.set":
			return { text: `sets its clock to ${new Date(event.now).toISOString()}`, mood: "quiet" };
		case "connecting":
			return {
				text:
					`connects with ${event.role === "claim" ? "the claim certificate" : "its own certificate"}` +
					` as ${event.clientId}${event.attempt > 1 ? `, attempt ${event.attempt}` : ""}`,
			};
		case "connected":
			return { text: "is connected: TLS is up, CONNACK is here", mood: "quiet" };
		case "disconnected":
			return event.code === undefined
				? { text: "hangs up", mood: "quiet" }
				: { text: `loses the connection (${event.code})`, mood: "bad" };
		case "subscribed":
			return { text: `subscribes to the ${event.filters} reply topics`, mood: "quiet" };
		case "request":
			return { text: ASKS[event.operation], up: event.bytes };
		case "reply":
			return event.accepted
				? { text: GETS[event.operation], down: event.bytes }
				: { text: `is refused (${event.operation})`, down: event.bytes, mood: "bad" };
		case "certificate.id-mismatch":
			return { text: `notes that the certificate id is not its SHA-256: ${short(event.certificateId)}…`, mood: "bad" };
		case "stored":
			return { text: `${KEEPS[event.state]} (${bytes(event.bytes)} written)`, mood: "quiet" };
		case "store.damaged":
			return { text: `finds ${event.key} in flash damaged and leaves it alone`, mood: "bad" };
		case "provisioned":
			return { text: `is thing ${event.thingName} with certificate ${short(event.certificateId)}…`, mood: "good" };
		case "proved":
			return { text: "has proved its identity: the claim is not needed any more", mood: "good" };
		case "set-aside":
			return { text: `sets certificate ${short(event.certificateId)}… aside (${event.code})`, mood: "bad" };
		case "claim.erased":
			return { text: "erases the claim" };
		case "identity.forgotten":
			return { text: "has forgotten its identity" };
		case "failure":
			return { text: narrateFailure(event.failure), mood: "bad" };
		case "pause":
			return { text: `waits ${(event.milliseconds / 1000).toFixed(1)} s before it tries again`, mood: "quiet" };
		case "restart":
			return { text: event.reason === "provisioned" ? "restarts as what it is now" : "restarts after a factory reset" };
	}
}

/** A failure: its meaning, what AWS said, and what to do. */
export function narrateFailure({ code, detail, rejection }: FailureReport): string {
	const { meaning, advice } = failureWords[code];
	const said =
		rejection === undefined
			? ""
			: `; it said ${rejection.statusCode} ${rejection.errorCode}: ${rejection.errorMessage.replace(/\.$/, "")}`;
	return `${code}: ${meaning}${detail === undefined ? "" : ` (${detail})`}${said}. What to do: ${advice}`;
}

/** An event of the cloud in words; `undefined` for events that do not interest somebody who watches. */
export function narrateCloud(event: CloudEvent): Line | undefined {
	switch (event.event) {
		case "connected":
			return { text: `lets ${whoIs(event.principal)} in as ${event.clientId}`, mood: "quiet" };
		case "disconnected":
			return { text: `${event.clientId} is gone (${event.disconnectReason})`, mood: "quiet" };
		case "subscribed":
			return undefined;
		case "reply":
			return narrateReply(event);
		case "unauthorized":
			return {
				text: `refuses ${event.principal} ${event.action} over HTTP (${event.error}): ${event.explanation}`,
				mood: "bad",
			};
		case "published":
			return event.topic.startsWith("$")
				? undefined
				: { text: `takes ${bytes(event.bytes)} from ${event.clientId} on ${event.topic}`, mood: "good" };
		case "provisioning":
			return narrateProvisioning(event);
		case "denied":
			return { text: narrateDenial(event), mood: "bad" };
		case "refused":
			return {
				text: `refuses ${event.clientId ?? "a client"} (${event.reason}): ${event.explanation}`,
				mood: "bad",
			};
		case "violation":
			return { text: `${event.clientId ?? "a client"} breaks a rule: ${event.explanation}`, mood: "bad" };
		case "unsupported":
			return { text: `has nothing behind ${event.topic} for ${event.clientId}: ${event.explanation}`, mood: "bad" };
		case "session.expired":
			return { text: `ends the session of ${event.clientId}, which has expired`, mood: "quiet" };
		case "shadow":
			return narrateShadow(event);
		case "job":
			return { text: `${JOB[event.status]} job ${event.jobId}` };
		case "job.execution":
			return narrateExecution(event);
		case "job.rejected":
			return {
				text: `rejects ${event.topic} of ${event.clientId ?? "HTTPS"} with ${event.code}: ${event.explanation}`,
				mood: "bad",
			};
		case "certificate.expired":
			return { text: `deletes certificate ${short(event.certificateId)}…, which has expired`, mood: "quiet" };
		case "warning":
			return { text: event.message, mood: "bad" };
		case "reset":
			return { text: "is as it was at the start again: a reset", took: event.milliseconds };
		default:
			return event satisfies never;
	}
}

/** A client by what it has proved: a certificate, or a name that IAM or a custom authorizer knows it by. */
function whoIs(principal: string): string {
	return /^[0-9a-f]{64}$/.test(principal) ? `certificate ${short(principal)}…` : principal;
}

/** Why a device got no proper reply: it had not subscribed, had gone, or a fault was set. `undefined` when the reply was sent. */
function narrateReply(event: CloudEvent & { readonly event: "reply" }): Line | undefined {
	const { operation, clientId, topic, outcome } = event;
	if (outcome === "sent") return undefined;
	const what = { ...OUTCOMES, unsubscribed: `${OUTCOMES.unsubscribed} ${topic}` }[outcome];
	return { text: `answers ${operation} of ${clientId}, but ${what}`, mood: "bad" };
}

function narrateShadow(event: CloudEvent & { readonly event: "shadow" }): Line {
	const { operation, thingName, shadowName, clientId = "HTTPS", version, delta, code, explanation } = event;
	const shadow = `the shadow ${shadowName === undefined ? "" : `${shadowName} `}of ${thingName}`;
	if (event.status === "rejected") {
		return { text: `rejects ${operation} of ${shadow} by ${clientId} with ${code}: ${explanation}`, mood: "bad" };
	}
	if (operation === "delete") return { text: `deletes ${shadow} for ${clientId}` };
	const differs = delta ? `; desired and not reported: ${delta.slice(0, 5).join(", ")}` : "";
	return { text: `updates ${shadow} for ${clientId} to version ${version}${differs}`, mood: "good" };
}

const JOB = { IN_PROGRESS: "starts", COMPLETED: "has completed", CANCELED: "cancels", DELETED: "deletes" } as const;

function narrateExecution(event: CloudEvent & { readonly event: "job.execution" }): Line {
	const { jobId, thingName, executionNumber, status, explanation } = event;
	const attempt = executionNumber === 1 ? "" : ` (execution ${executionNumber})`;
	const why = explanation === undefined ? "" : `: ${explanation}`;
	const text =
		status === "QUEUED"
			? `queues job ${jobId}${attempt} for ${thingName}`
			: `job ${jobId}${attempt} of ${thingName} is ${status}${why}`;
	if (status === "SUCCEEDED") return { text, mood: "good" };
	return ["FAILED", "TIMED_OUT", "REJECTED"].includes(status) ? { text, mood: "bad" } : { text };
}

const OUTCOMES = {
	unsubscribed: "it has not subscribed to",
	dropped: "drops the answer, as the settings say",
	delayed: "later, as the settings say",
	duplicated: "twice, as the settings say",
	closed: "hangs up instead, as the settings say",
	gone: "it has gone",
} as const;

function narrateDenial(event: CloudEvent & { readonly event: "denied" }): string {
	const { clientId, principal, action, resource, explanation } = event;
	// Most explanations name the resource already.
	const what = explanation.includes(resource) ? "" : ` ${action} on ${resource}`;
	return `denies ${clientId} (certificate ${short(principal)}…)${what}: ${explanation}`;
}

function narrateProvisioning(event: CloudEvent & { readonly event: "provisioning" }): Line {
	const { operation, status, certificateId = "", thingName, clientId, errorCode, statusCode, explanation } = event;
	if (status === "Failure") {
		const why = explanation === undefined ? "" : `: ${explanation}`;
		return { text: `rejects ${operation} of ${clientId} with ${statusCode} ${errorCode}${why}`, mood: "bad" };
	}
	if (operation === "RegisterThing")
		return {
			text: `provisions thing ${thingName} with certificate ${short(certificateId)}…`,
			mood: "good",
		};
	return { text: `issues certificate ${short(certificateId)}…, pending activation` };
}
