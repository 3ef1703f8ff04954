// Events in plain words. Names in them become links, never markup.

import { certificateLink, count, thingLink } from "./dom.js";

/** @typedef {{ event: string, sequence: number, time: number } & Record<string, any>} CloudEvent */
/** @typedef {{ mood: "good" | "bad" | "quiet" | "plain", label: string, words: import("./dom.js").Child[] }} Told */

const REFUSALS = new Set(["refused", "denied", "violation", "unauthorized", "unsupported", "job.rejected"]);

/** @param {CloudEvent} event */
export const isRefusal = (event) =>
	REFUSALS.has(event.event) ||
	(event.event === "shadow" && event.status === "rejected") ||
	(event.event === "provisioning" && event.status === "Failure");

const OUTCOMES = {
	unsubscribed: "but it has not subscribed to the topic of the answer",
	dropped: "but the answer is dropped, as a fault says",
	delayed: "later, as a fault says",
	duplicated: "twice, as a fault says",
	closed: "by hanging up, as a fault says",
	gone: "but it has gone",
};

/** @type {Readonly<Record<string, (event: CloudEvent) => Told>>} */
const TELL = {
	connected: ({ clientId, principal }) => quiet("connected", name(clientId), " connects with ", certificate(principal)),
	disconnected: ({ clientId, disconnectReason }) => quiet("gone", name(clientId), ` is gone (${disconnectReason})`),
	subscribed: ({ clientId, filters }) => quiet("subscribed", name(clientId), ` subscribes to ${filters.join(", ")}`),
	published: ({ clientId, topic, bytes, qos }) =>
		quiet("message", name(clientId), ` publishes ${count(bytes)} bytes to ${topic} (QoS ${qos})`),
	denied: ({ clientId, action, resource }) =>
		bad("denied", name(clientId), ` may not ${action} on ${shortArn(resource)}`),
	refused: ({ clientId, reason }) =>
		bad("refused", clientId ? name(clientId) : "A client", ` is not let in: ${reason}`),
	violation: ({ clientId }) => bad("violation", clientId ? name(clientId) : "A client", " breaks a rule"),
	unauthorized: ({ principal, action, error }) =>
		bad("unauthorized", `${shortArn(principal)} may not call ${action} (${error})`),
	unsupported: ({ clientId, topic }) => bad("not here", name(clientId), ` uses ${topic}, which nothing serves here`),
	"session.expired": ({ clientId }) => quiet("session", `The session of `, name(clientId), " has expired"),
	"certificate.expired": ({ certificateId }) =>
		quiet("expired", "Certificate ", certificate(certificateId), " has expired unused and is deleted"),
	provisioning: tellProvisioning,
	reply: ({ clientId, operation, outcome }) =>
		outcome === "sent"
			? quiet("answer", `${operation} of `, name(clientId), " is answered")
			: bad("answer", `${operation} of `, name(clientId), ` is answered, ${outcomeOf(outcome)}`),
	shadow: ({ operation, thingName, shadowName, status, version }) => ({
		mood: status === "rejected" ? "bad" : "plain",
		label: "shadow",
		words: [
			`${operation} of ${shadowName ? `the shadow ${shadowName}` : "the shadow"} of `,
			thingLink(thingName),
			` is ${status}${version === undefined ? "" : `, version ${version}`}`,
		],
	}),
	job: ({ jobId, status }) => ({ mood: "plain", label: "job", words: [`Job ${jobId} is ${words(status)}`] }),
	"job.execution": ({ jobId, thingName, status }) => ({
		mood: status === "SUCCEEDED" ? "good" : /FAILED|TIMED_OUT|REJECTED/.test(status) ? "bad" : "plain",
		label: "job",
		words: [`Job ${jobId} is ${words(status)} on `, thingLink(thingName)],
	}),
	"job.rejected": ({ thingName, code }) => bad("job", "A request of ", thingLink(thingName), ` is rejected (${code})`),
	reset: ({ milliseconds }) => ({
		mood: "plain",
		label: "reset",
		words: [`Everything is as it was at the start (${milliseconds} ms)`],
	}),
	warning: ({ message }) => ({ mood: "plain", label: "warning", words: [message] }),
};

/** @param {CloudEvent} event @returns {Told} */
export function tell(event) {
	return (
		TELL[event.event]?.(event) ?? {
			mood: "plain",
			label: event.event,
			words: [
				Object.entries(event)
					.filter(([key]) => !["event", "sequence", "time"].includes(key))
					.map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`)
					.join(", "),
			],
		}
	);
}

/** @param {CloudEvent} event @returns {Told} */
function tellProvisioning({
	operation,
	status,
	clientId,
	thingName,
	certificateId,
	statusCode,
	errorCode,
	templateName,
}) {
	if (status === "Failure")
		return bad("rejected", `${operation} of `, name(clientId), ` is rejected with ${statusCode} ${errorCode}`);
	if (thingName !== undefined)
		return {
			mood: "good",
			label: "provisioned",
			words: [
				thingLink(thingName),
				" is provisioned with ",
				certificate(certificateId),
				` by template ${templateName}`,
			],
		};
	return {
		mood: "plain",
		label: "certificate",
		words: [name(clientId), " gets certificate ", certificate(certificateId)],
	};
}

/** @param {string} label @param {...import("./dom.js").Child} words @returns {Told} */
const quiet = (label, ...words) => ({ mood: "quiet", label, words });
/** @param {string} label @param {...import("./dom.js").Child} words @returns {Told} */
const bad = (label, ...words) => ({ mood: "bad", label, words });
/** @param {string} outcome */
const outcomeOf = (outcome) => /** @type {Record<string, string>} */ (OUTCOMES)[outcome] ?? outcome;
/** @param {string} status */
const words = (status) => status.toLowerCase().replaceAll("_", " ");

/** @param {string} clientId */
function name(clientId) {
	const strong = document.createElement("strong");
	strong.textContent = clientId === "" ? "(no client id)" : clientId;
	return strong;
}

/** @param {string} id */
const certificate = (id) => certificateLink(id);

/**
 * An ARN without what all of them share.
 * @param {string} arn
 */
export const shortArn = (arn) => arn.replace(/^arn:aws:\w+:[\w-]*:\d*:/, "");
