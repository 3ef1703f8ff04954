// The local administration path `/_local/…`, which AWS does not have: settings, events, metrics, health. For programs and
// people on this machine only: it needs no signature, and must never answer a peer that is not on loopback.

import type { IncomingMessage, ServerResponse } from "node:http";
import { AwsError } from "../errors.js";

/** What can be seen and changed from outside while the cloud runs. Nothing of it is secret. */
export interface LocalAdministration {
	/** All settings as they are. */
	settings(): object;
	/** Changes some settings. Throws an error with a message for the caller when a name or a value is not good; nothing has changed then. */
	changeSettings(change: Readonly<Record<string, unknown>>): void;
	/** What happened lately, oldest first. */
	events(): readonly LocalEvent[];
	/** Calls `listener` with everything that happens from now on. Returns what ends that. */
	follow(listener: (event: LocalEvent) => void): () => void;
	/** Metrics by their AWS names. */
	metrics(): object;
}

/** Something that happened. `kind` names what; a refusal's is `refusal`. */
export interface LocalEvent {
	readonly kind: string;
}

/** Bytes that may wait for a reader of the live stream, and how many such readers there may be. */
const maximumBacklog = 1_048_576;
const maximumStreams = 32;
const heartbeat = 15_000;

let streams = 0;

export function isLocalPath(target: string): boolean {
	return target === "/_local" || target.startsWith("/_local/");
}

/** Answers a request under `/_local/`. @throws AwsError (also by rejecting) when it is refused */
export async function answerLocally(
	local: LocalAdministration,
	request: IncomingMessage,
	response: ServerResponse,
	receive: () => Promise<Buffer>,
): Promise<void> {
	if (!/^(::ffff:)?127\.|^::1$/.test(request.socket.remoteAddress ?? "")) {
		throw new AwsError("AccessDeniedException", "The local administration is for programs on this machine.");
	}
	const { pathname, searchParams } = new URL(request.url!, "http://localhost");
	const wanted = searchParams.get("kind");
	const fits = ({ kind }: LocalEvent) => wanted === null || wanted === kind;
	switch (`${request.method} ${pathname}`) {
		case "GET /_local/health":
			return send(response, { status: "ok" });
		case "GET /_local/metrics":
			return send(response, local.metrics());
		case "GET /_local/settings":
			return send(response, local.settings());
		case "PATCH /_local/settings":
			change(local, await receive());
			return send(response, local.settings());
		case "GET /_local/events":
			if (request.headers.accept?.includes("text/event-stream")) return stream(local, fits, response);
			return send(response, { events: local.events().filter(fits) });
		default:
			throw new AwsError("UnknownOperationException", `There is no ${request.method} ${pathname.slice(0, 256)} here.`);
	}
}

function change(local: LocalAdministration, body: Buffer): void {
	let json: unknown;
	try {
		json = JSON.parse(body.toString());
	} catch {
		throw new AwsError("SerializationException", "The request body is not JSON.");
	}
	if (typeof json !== "object" || json === null || Array.isArray(json)) {
		throw new AwsError("SerializationException", "The request body must be a JSON object.");
	}
	try {
		local.changeSettings(json as Record<string, unknown>);
	} catch (error) {
		throw new AwsError("InvalidRequestException", (error as Error).message);
	}
}

/** Server-sent events (HTML standard, section 9.2): one `data:` line of JSON for each. */
function stream(local: LocalAdministration, fits: (event: LocalEvent) => boolean, response: ServerResponse): void {
	if (streams >= maximumStreams) {
		throw new AwsError("ServiceUnavailableException", `At most ${maximumStreams} live streams at once.`);
	}
	streams++;
	response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
	response.write(": connected\n\n");
	const write = (text: string) => {
		// A reader that does not read is dropped rather than remembered for.
		if (response.writableLength > maximumBacklog) response.destroy();
		else response.write(text);
	};
	const end = local.follow((event) => {
		if (fits(event)) write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
	});
	const timer = setInterval(() => write(": still here\n\n"), heartbeat);
	response.once("close", () => {
		streams--;
		clearInterval(timer);
		end();
	});
}

function send(response: ServerResponse, body: object): void {
	const text = `${JSON.stringify(body)}\n`;
	response.writeHead(200, {
		"Content-Type": "application/json",
		"Content-Length": Buffer.byteLength(text),
		"Cache-Control": "no-store",
	});
	response.end(text);
}
