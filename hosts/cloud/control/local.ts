// The local administration path `/_local/…`, which AWS does not have: settings, events, metrics, health, reset. It needs no
// signature, so it must never answer a peer that is not on loopback, unless that has the token; but for the health, which tells
// nothing.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { AwsError } from "../base/errors.js";
import type { CloudEvent, EventLog, Metrics } from "../base/events.js";
import { isObject } from "../base/object.js";
import { changeSettings, type Settings, type SettingsPatch } from "../base/settings.js";
import type { Console } from "../console/console.js";
import { PROMETHEUS_TYPE } from "./prometheus.js";

/** What can be seen and changed from outside while the cloud runs. Nothing of it is secret. */
export interface LocalAdministration {
	readonly settings: Settings;
	changeSettings?(patch: SettingsPatch): void;
	readonly events: EventLog;
	readonly metrics: Metrics;
	reset?(): Promise<void>;
	/** All numbers in the format of Prometheus. */
	prometheus(): string;
	/** Needed for every change, and for every request from another machine. Without it there are none from other machines. */
	readonly localToken?: string;
	/** Needed for every change that a browser asks for. It is `localToken` where there is one. */
	readonly pageToken: string;
	/** Answers the web page. */
	readonly console: Console;
}

/** Bytes that may wait for a reader of the live stream. */
const MAXIMUM_BACKLOG = 1_048_576;
/** Most readers of the live stream at a time. */
const MAXIMUM_STREAMS = 32;
/** How often a live stream shows that it is alive, ms. */
const HEARTBEAT = 15_000;

let streams = 0;

/** Whether a request is for the local administration. */
export function isLocalPath(target: string): boolean {
	return target.startsWith("/_local/");
}

const CONSOLE = "/_local/console/";

/**
 * Answers a request under `/_local/`:
 *
 * - `GET health`, `GET metrics` (for Prometheus; as JSON with AWS's names when that is accepted), `GET settings`;
 * - `POST reset`, which answers when the state of the last checkpoint is back;
 * - `PATCH settings` with some of the settings: objects are merged, lists replaced; answers with all of them;
 * - `GET events` and `GET refusals` (those that refuse something, or come to nothing here), after `?since=SEQUENCE`, of `?event=NAME`; as a live
 *   stream when server-sent events are accepted, which a client may take up again with `Last-Event-ID`;
 * - `console/…`: what the web page asks.
 *
 * @throws AwsError when the request is refused
 */
export async function answerLocally(
	{ settings, events, metrics, ...administration }: LocalAdministration,
	request: IncomingMessage,
	target: string,
	response: ServerResponse,
	receive: () => Promise<Buffer>,
): Promise<void> {
	const { pathname, searchParams } = new URL(target, "http://localhost");
	const mayChange = pathname !== "/_local/health" && authorize(administration, request);
	if (pathname.startsWith(CONSOLE)) {
		const asked = { request, path: pathname.slice(CONSOLE.length), query: searchParams, mayChange, receive };
		const answer = await administration.console.answer(asked, response);
		return answer === undefined ? undefined : send(response, answer, "application/json");
	}
	switch (`${request.method} ${pathname}`) {
		case "GET /_local/health":
			return send(response, { status: "ok" });
		case "GET /_local/metrics":
			if (request.headers.accept?.includes("application/json")) return send(response, { metrics: metrics.list() });
			return send(response, administration.prometheus(), PROMETHEUS_TYPE);
		case "POST /_local/reset":
			if (!administration.reset) throw new AwsError("UnknownOperationException", "There is nothing to reset here.");
			await administration.reset();
			return send(response, { status: "ok" });
		case "PATCH /_local/settings":
			change(administration.changeSettings ?? ((patch) => changeSettings(settings, patch)), await receive());
			return send(response, settings);
		case "GET /_local/settings":
			return send(response, settings);
		case "GET /_local/events":
		case "GET /_local/refusals": {
			const name = searchParams.get("event");
			const fits = (event: CloudEvent) =>
				(name === null || event.event === name) && (pathname === "/_local/events" || isRefusal(event));
			const since = Number(request.headers["last-event-id"] ?? searchParams.get("since") ?? Number.NaN);
			if (request.headers.accept?.includes("text/event-stream")) return stream(events, fits, since, response);
			return send(response, { events: events.since(since || 0).filter(fits) });
		}
		default:
			throw new AwsError("UnknownOperationException", `There is no ${request.method} ${pathname.slice(0, 256)} here.`);
	}
}

/**
 * Whether the request comes with the token. A change by a browser always needs it: a page that somebody opens must not be able to
 * change anything merely because it is on this machine.
 * @throws AwsError AccessDeniedException unless the peer is on this machine, or has the token where it is needed
 */
function authorize(
	{ localToken, pageToken }: Pick<LocalAdministration, "localToken" | "pageToken">,
	request: IncomingMessage,
): boolean {
	// The host name is checked, too, because behind a proxy on this machine every request comes from loopback.
	const fromHere =
		/^(::ffff:)?127\.|^::1$/.test(request.socket.remoteAddress ?? "") &&
		/^(127\.[\d.]+|\[::1\]|localhost)(:\d+)?$/.test(request.headers.host ?? "");
	if (localToken === undefined && !fromHere)
		throw new AwsError("AccessDeniedException", "The local administration is for programs on this machine.");
	const [, given = ""] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
	if (timingSafeEqual(digest(given), digest(pageToken))) return true;
	const { origin, "sec-fetch-site": site } = request.headers;
	const fromBrowser = origin !== undefined || site !== undefined || request.url!.includes(CONSOLE);
	if (fromHere && (request.method === "GET" || (localToken === undefined && !fromBrowser))) return false;
	throw new AwsError("AccessDeniedException", "This needs the token of this cloud: Authorization: Bearer TOKEN.");
}

function digest(text: string): Buffer {
	return createHash("sha256").update(text).digest();
}

/** Whether an event refuses something, or says that it came to nothing here. */
export function isRefusal(event: CloudEvent): boolean {
	return (
		["refused", "denied", "violation", "unauthorized", "unsupported"].includes(event.event) ||
		event.event === "job.rejected" ||
		(event.event === "shadow" && event.status === "rejected") ||
		(event.event === "provisioning" && event.status === "Failure")
	);
}

function change(apply: (patch: SettingsPatch) => void, body: Buffer): void {
	let patch: unknown;
	try {
		patch = JSON.parse(body.toString());
	} catch {
		throw new AwsError("SerializationException", "The request body is not JSON.");
	}
	if (!isObject(patch)) {
		throw new AwsError("SerializationException", "The request body must be a JSON object.");
	}
	try {
		apply(patch);
	} catch (error) {
		if (!(error instanceof TypeError)) throw error;
		throw new AwsError("InvalidRequestException", (error as Error).message);
	}
}

/** Server-sent events (HTML standard, section 9.2): those after `since` when it is a number, then each as it happens. */
function stream(events: EventLog, fits: (event: CloudEvent) => boolean, since: number, response: ServerResponse): void {
	if (streams >= MAXIMUM_STREAMS) {
		throw new AwsError("ServiceUnavailableException", `At most ${MAXIMUM_STREAMS} live streams at once.`);
	}
	streams++;
	response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
	const write = (text: string) => {
		// A reader that does not read is dropped, so that events do not pile up for it.
		if (response.writableLength > MAXIMUM_BACKLOG) response.destroy();
		else response.write(text);
	};
	const show = (event: CloudEvent) => {
		if (fits(event)) write(`id: ${event.sequence}\nevent: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`);
	};
	write(": connected\n\n");
	if (!Number.isNaN(since)) events.since(since).forEach(show);
	const end = events.listen(show);
	const timer = setInterval(() => write(": still here\n\n"), HEARTBEAT);
	response.once("close", () => {
		streams--;
		clearInterval(timer);
		end();
	});
}

function send(response: ServerResponse, body: object | string, type = "application/json"): void {
	const text = typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
	response.writeHead(200, {
		"Content-Type": type,
		"Content-Length": Buffer.byteLength(text),
		"Cache-Control": "no-store",
	});
	response.end(text);
}
