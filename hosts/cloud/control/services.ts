// The services that this HTTP server answers for. AWS has a host for each; here there is one port, and a request says by its
// signature, or by the host name that it asks for, which one it is for.

import type { Jobs } from "../jobs/jobs.js";
import type { Messages } from "../mqtt/messages.js";
import type { Shadows } from "../shadow/shadows.js";
import { headerValue, type RequestHead } from "./sigv4.js";

/** A service, by the name that requests are signed for (API models, `signingName`). */
export type ServiceName = "iot" | "iotdata" | "iot-jobs-data";

/** What the operations beyond the registry work with. */
export interface Services {
	/** Device Shadow. */
	readonly shadows: Shadows;
	readonly jobs: Jobs;
	/** Messages that are published or read over HTTPS. */
	readonly messages: Messages;
}

const SIGNING_NAME = /Credential=[^/,]+\/\d+\/[^/,]+\/([^/,]+)\/aws4_request/;

/** The service that a request is for; `undefined` when nothing says so, and only method and path can tell. */
export function serviceOf(head: RequestHead): ServiceName | undefined {
	const [, signed] = SIGNING_NAME.exec(headerValue(head, "authorization") ?? "") ?? [];
	if (signed === "iot" || signed === "iotdata" || signed === "iot-jobs-data") return signed;
	const host = headerValue(head, "host") ?? "";
	if (/\bjobs\.iot\./.test(host)) return "iot-jobs-data";
	if (/(-ats|^data)\.iot\./.test(host)) return "iotdata";
	return undefined;
}
