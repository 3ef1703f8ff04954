// The HTTP control plane: takes a request as the AWS SDKs send it, finds out who the caller is and what it may do, checks the
// members, calls the registry, and answers as AWS does. No rule about resources is here.

import { randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP, type Socket } from "node:net";
import { AwsError } from "../base/errors.js";
import type { EventLog, Metrics } from "../base/events.js";
import { type Failed, guarded } from "../base/guard.js";
import { listen } from "../base/listen.js";
import { isObject } from "../base/object.js";
import type { Settings, SettingsPatch } from "../base/settings.js";
import { Throttles } from "../base/throttle.js";
import { Console } from "../console/console.js";
import { isPagePath, sendPage } from "../console/files.js";
import { evaluate, type PolicyVariables } from "../policy/policy.js";
import type { Provisioning } from "../provisioning/provisioning.js";
import type { Registry } from "../registry/registry.js";
import { limitConnections, oneAfterTheOther } from "./connections.js";
import { type AccessKey, globalConditions } from "./iam.js";
import { answerLocally, isLocalPath, isRefusal, type LocalAdministration } from "./local.js";
import type { Operation } from "./operation.js";
import { EventCounts, prometheusText } from "./prometheus.js";
import { answerXml, errorXml, isQuery, type QueryRequest, queryServices, readQuery } from "./query.js";
import { decode, parseQuery, type Route, route } from "./router.js";
import { type Services, serviceOf } from "./services.js";
import { fromText, membersFromJson, plainName, violations } from "./shapes.js";
import { checkSignature, headerValue, type RequestHead, readSignature, type SigningScope } from "./sigv4.js";

/** How to start the control plane. */
export interface ControlPlaneOptions {
	/** Carries the operations out. */
	registry: Registry;
	/** Carry out the operations of the data planes. */
	services: Services;
	/** Refusals are reported here. Served under `/_local/`, like the two members that follow. */
	events: EventLog;
	/** Served as `GET /_local/metrics`. */
	metrics: Metrics;
	/** Served as `GET /_local/settings`. */
	settings: Settings;
	/** Carries out `PATCH /_local/settings`. Default: changes them for this run only. @throws TypeError */
	changeSettings?(patch: SettingsPatch): void;
	/** Carries out `POST /_local/reset`, which is refused without it. */
	reset?(): Promise<void>;
	/** Number of MQTT connections, for `GET /_local/metrics` and the web page. */
	connections?(): number;
	/** Lets the web page try templates. */
	provisioning?: Provisioning;
	/**
	 * A secret that `/_local/` asks for, as `Authorization: Bearer …`: for every change, and for every request from another machine.
	 * Without it, only programs on this machine may use `/_local/`.
	 */
	localToken?: string;
	/** Host names, besides localhost and addresses, by which this port may be called where no signature protects it. */
	hostNames?: readonly string[];
	/** The callers. Default: none. */
	accessKeys?: readonly AccessKey[];
	/**
	 * `checked`: a request needs a valid signature by a known access key, and a policy that allows it. `any`: development
	 * mode, in which every request is allowed everything. Default: `any` on a loopback address when no access keys are given,
	 * otherwise `checked`.
	 */
	signatures?: "checked" | "any";
	/** Address to listen on. Default 127.0.0.1. */
	host?: string;
	/** Default 0: any free port. */
	port?: number;
	/** ms since 1970. Default `Date.now`. */
	now?(): number;
	/** How long a client may take to send a request, ms. Default 30 000. */
	requestTimeout?: number;
}

/** A running control plane. */
export interface ControlPlane {
	/** `http://127.0.0.1:PORT`, what `--endpoint-url` takes. */
	readonly url: string;
	/** How requests are authenticated. */
	readonly signatures: "checked" | "any";
	/** The token with which the web page may change things: `localToken`, or made up for this run. Secret. */
	readonly pageToken: string;
	/** Forgets how often operations were called. */
	forgetThrottles(): void;
	/** Stops listening and drops all connections. */
	close(): Promise<void>;
}

/** Largest body of a request, bytes. */
const MAXIMUM_BODY = 1_048_576;
/** Bytes of all bodies that are being received. Past this, a request with a large body is told to try again later. */
const MAXIMUM_BODIES = 32 * MAXIMUM_BODY;
/** Bodies up to this size are not large, bytes. */
const SMALL_BODY = 16_384;
const MAXIMUM_CONNECTIONS = 256;
/** Most requests of one connection that wait for earlier ones. AWS's clients never send ahead. */
const MAXIMUM_WAITING = 32;

/** Starts the control plane. @throws the system's error when it cannot listen on the address */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
	const { host = "127.0.0.1", port = 0, requestTimeout = 30_000, accessKeys = [] } = options;
	const signatures = options.signatures ?? (isLoopback(host) && accessKeys.length === 0 ? "any" : "checked");
	const report = options.events.report.bind(options.events);
	const failed = (socket?: Socket): Failed => {
		return (where, error) => {
			socket?.destroy();
			report({ event: "warning", message: failure(where, error) });
		};
	};
	const throttles = { current: new Throttles(options.now ?? Date.now) };
	const counts = new EventCounts(options.events);
	const { registry, metrics, connections } = options;
	const prometheus = () => prometheusText({ registry, metrics, connections, counts });
	const pageToken = options.localToken ?? randomBytes(16).toString("base64url");
	const page = new Console({ ...options, canReset: options.reset !== undefined, isRefusal });
	const own = { signatures, prometheus, pageToken, console: page };
	const answer = oneAfterTheOther(answerer({ ...options, ...own }, throttles), MAXIMUM_WAITING);
	if (signatures === "any") {
		const message =
			"Development mode: the control plane accepts any signature, or none. Give it access keys to have signatures checked.";
		report({ event: "warning", message });
	}

	const server = createServer(
		{
			maxHeaderSize: 16_384,
			headersTimeout: requestTimeout,
			requestTimeout,
			connectionsCheckingInterval: Math.min(5_000, requestTimeout),
			keepAliveTimeout: 60_000,
		},
		(request, response) => void guarded("an answer", failed(request.socket), answer)(request, response),
	);
	// A client that reads nothing of its answer for this long is gone. Long enough that one whose request takes too long has its
	// answer before, on a busy machine too.
	server.timeout = 4 * requestTimeout;
	limitConnections(server, MAXIMUM_CONNECTIONS);
	server.on("clientError", (error, socket: Socket) => {
		guarded("the refusal of a malformed request", failed(socket), refuseMalformed)(error, socket);
	});
	await listen(server, { host, port });
	// Once the server listens, an error is a connection that could not be accepted, for lack of file descriptors.
	server.on("error", (error) => failed()("accept", error));
	const bound = server.address() as AddressInfo;
	return {
		url: `http://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`,
		signatures,
		pageToken,
		forgetThrottles: () => {
			throttles.current = new Throttles(options.now ?? Date.now);
		},
		close: () => {
			counts.close();
			page.close();
			return close(server);
		},
	};
}

function close(server: Server): Promise<void> {
	return new Promise((resolve) => {
		server.close(() => resolve());
		server.closeAllConnections();
	});
}

/** The path and query of a request's target, which a client may put behind scheme and host as for a proxy (RFC 9112 section 3.2.2). */
const originForm = (target: string): string => target.replace(/^https?:\/\/[^/?#]*(?=\/)/i, "");

function answerer(
	options: ControlPlaneOptions & { signatures: "checked" | "any" } & Pick<
			LocalAdministration,
			"prometheus" | "pageToken" | "console"
		>,
	throttles: { readonly current: Throttles },
) {
	const { registry, signatures, events } = options;
	const { now = Date.now } = options;
	const keys = new Map(options.accessKeys?.map((key) => [key.accessKeyId, key]));
	let receiving = 0;

	return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		// A client that disconnects is not our error. What it left unfinished ends by itself.
		request.on("error", () => {});
		response.on("error", () => {});
		try {
			const target = originForm(request.url!);
			if (isPagePath(request.method!, target)) {
				refuseForeignSites(request, options.hostNames);
				sendPage(request.method!, target, response);
				return;
			}
			if (isLocalPath(target)) {
				refuseForeignSites(request, options.hostNames);
				await answerLocally(options, request, target, response, () => receive(request));
				return;
			}
			if (signatures === "any") refuseForeignSites(request, options.hostNames);
			if (isQuery(request.method!, target, request.headers["content-type"])) {
				const requestId = randomUUID();
				const asked = await query(request, target);
				sendXml(response, 200, answerXml(asked.request, asked.members, requestId), requestId);
				return;
			}
			const answer = (await perform(request, target)) ?? {};
			if (answer instanceof Uint8Array) sendBytes(response, 200, answer);
			else sendJson(response, 200, answer);
		} catch (error) {
			if (!(error instanceof AwsError)) {
				const [path] = request.url!.split("?") as [string];
				events.report({ event: "warning", message: failure(`${request.method} ${path.slice(0, 128)}`, error) });
			}
			sendError(request, response, error);
		}
	};

	async function perform(request: IncomingMessage, target: string): Promise<unknown> {
		const head: RequestHead = { method: request.method!, target, rawHeaders: request.rawHeaders };
		const found = route(request.method!, target, serviceOf(head));
		const { operation } = found;
		// IAM has a prefix of its own for one of the services (service authorization reference).
		const action = `${found.service === "iot-jobs-data" ? "iotjobsdata" : "iot"}:${found.name}`;
		const { caller, body } = await authenticate(request, head, action, {
			// Older clients (AWS command line 2.9) sign for `execute-api`.
			services: ["iot", "iotdata", "iot-jobs-data", "execute-api"],
			regions: [registry.state.account.region],
		});
		if (!throttles.current.take(action, options.settings.controlPlane.throttle[found.name])) {
			throw new AwsError("ThrottlingException", "Rate exceeded");
		}
		const input = readInput(operation, found, head, body);
		if (caller) authorize(caller, operation, action, input, request);
		const answer = await operation.handle(registry, input, options.settings, options.services);
		if (operation.idle) reportIdle(found.name);
		return answer;
	}

	/** Carries out an action of STS or IAM. */
	async function query(request: IncomingMessage, target: string) {
		const head: RequestHead = { method: request.method!, target, rawHeaders: request.rawHeaders };
		const { caller, body } = await authenticate(request, head, "sts:GetCallerIdentity", {
			services: Object.keys(queryServices),
			// Clients sign for us-east-1 where a service has one endpoint for all regions.
			regions: [registry.state.account.region, "us-east-1"],
		});
		const asked: QueryRequest = readQuery(body);
		const { serviceName, name, action, parameters } = asked;
		const resource = action.resource?.(registry, parameters);
		if (caller && resource !== undefined) {
			const known = requestContext(caller, request, registry.state.account.region, now());
			demand(caller, `${serviceName}:${name}`, resource, new Map(Object.entries(known)));
		}
		const members = action.handle(registry, parameters, caller);
		if (action.idle) reportIdle(name);
		return { request: asked, members };
	}

	/** Says that what was kept has no effect, so that nobody waits for one. */
	function reportIdle(name: string): void {
		events.report({ event: "warning", message: `${name}: kept and listed back, but it does nothing here.` });
	}

	/** The caller, absent in development mode, and the body that the signature covers. */
	async function authenticate(
		request: IncomingMessage,
		head: RequestHead,
		action: string,
		scope: SigningScope,
	): Promise<{ caller?: AccessKey; body: Buffer }> {
		if (signatures === "any") return { body: await receive(request) };
		let principal = "anonymous";
		try {
			const claimed = readSignature(head, scope, now());
			principal = claimed.accessKeyId.slice(0, 128);
			const caller = keys.get(claimed.accessKeyId);
			const token = headerValue(head, "x-amz-security-token");
			// The body of an unknown caller is not even read.
			if (!caller || caller.sessionToken !== token) {
				throw new AwsError("UnrecognizedClientException", "The security token included in the request is invalid.");
			}
			const body = await receive(request);
			checkSignature(claimed, caller.secretAccessKey, head, body);
			return { caller, body };
		} catch (error) {
			if (error instanceof AwsError && error.status === 403) {
				const unknown = error.name === "UnrecognizedClientException";
				events.report({
					event: "unauthorized",
					principal,
					action,
					error: error.name,
					explanation: unknown
						? "Use an access key of this cloud (and the session token that belongs to it), or add this one to it."
						: `${error.message} Sign with AWS Signature Version 4 for the service ${scope.services[0]} in ${scope.regions[0]}.`,
				});
			}
			throw error;
		}
	}

	function authorize(
		caller: AccessKey,
		operation: Operation,
		action: string,
		input: Readonly<Record<string, unknown>>,
		request: IncomingMessage,
	): void {
		const { region, accountId } = registry.state.account;
		const resources = operation
			.resources(input)
			.map((resource) => (resource.startsWith("arn:") ? resource : `arn:aws:iot:${region}:${accountId}:${resource}`));
		const known = new Map(Object.entries(requestContext(caller, request, region, now())));
		for (const resource of resources.length > 0 ? resources : ["*"]) {
			demand(caller, action, resource, new Map([...known, ...tagContext(registry, resource, input)]));
		}
		// Passing a role to AWS IoT needs a permission of its own (IAM user guide, "Passing a role to an AWS service").
		const role = input.provisioningRoleArn ?? input.roleArn;
		if (typeof role === "string") {
			known.set("iam:PassedToService", "iot.amazonaws.com");
			demand(caller, "iam:PassRole", role, known);
		}
	}

	function demand(caller: AccessKey, action: string, resource: string, variables: PolicyVariables): void {
		const { allowed, statement, explanation } = evaluate(caller.policies, { action, resource, variables });
		if (allowed) return;
		const why = statement
			? "with an explicit deny in an identity-based policy"
			: `because no identity-based policy allows the ${action} action`;
		const message = `User: ${caller.principal} is not authorized to perform: ${action} on resource: ${resource} ${why}`;
		const error = "AccessDeniedException";
		const { principal } = caller;
		events.report({
			event: "unauthorized",
			principal,
			action,
			resource,
			error,
			...(statement && { statement }),
			explanation,
		});
		throw new AwsError(error, message);
	}

	/** The whole body. @throws AwsError when it is too large or incomplete, or too much is being received already */
	async function receive(request: IncomingMessage): Promise<Buffer> {
		const received = await new Promise<Buffer[]>((resolve, reject) => {
			const chunks: Buffer[] = [];
			let length = 0;
			const settle = (error?: AwsError) => {
				request.off("data", take);
				receiving -= length;
				length = 0;
				if (error) reject(error);
				// The caller joins the chunks, because nobody would catch an exception here.
				else resolve(chunks);
			};
			const take = (chunk: Buffer) => {
				length += chunk.length;
				receiving += chunk.length;
				chunks.push(chunk);
				if (length > MAXIMUM_BODY) settle(tooLarge());
				else if (receiving > MAXIMUM_BODIES && length > SMALL_BODY) {
					settle(new AwsError("ServiceUnavailableException", "Too many large requests at once. Try again later."));
				}
			};
			if (Number(request.headers["content-length"] ?? 0) > MAXIMUM_BODY) return settle(tooLarge());
			request.on("data", take);
			request.once("end", () => settle());
			request.once("close", () => settle(new AwsError("RequestTimeoutException", "The request broke off.")));
		});
		return Buffer.concat(received);
	}
}

/** Reads members from path, query, header and body. @throws AwsError when they are not of their types or break a limit */
function readInput(operation: Operation, found: Route, head: RequestHead, body: Buffer): Record<string, unknown> {
	const input = membersFromJson(
		operation.bodyMembers,
		Object.keys(operation.bodyMembers).length > 0 ? parseJson(body) : {},
	);
	if (operation.payloadMember !== undefined) input[operation.payloadMember] = body;
	const query = parseQuery(found.query);
	for (const [starred, shape] of Object.entries(operation.queryMembers)) {
		const name = plainName(starred);
		const text = query.get(name);
		if (text !== undefined) input[name] = fromText(shape, text, name);
	}
	if (operation.tagsHeader !== undefined) {
		const tags = new URLSearchParams(headerValue(head, operation.tagsHeader) ?? "");
		input.tags = [...tags].map(([Key, Value]) => ({ Key, Value }));
	}
	for (const [name, header] of Object.entries({ ...operation.headerMembers, ...operation.optionalHeaderMembers })) {
		const text = headerValue(head, header);
		if (text !== undefined) input[name] = text;
	}
	for (const [name, shape] of Object.entries(operation.pathMembers)) {
		input[name] = fromText(shape, decode(found.path[name]!), name);
	}
	const required = Object.fromEntries(Object.keys(operation.headerMembers).map((name) => [`${name}*`, principal]));
	const wrong = [operation.pathMembers, operation.queryMembers, required, operation.bodyMembers].flatMap((members) =>
		violations(members, input),
	);
	if (wrong.length > 0) {
		const count = wrong.length === 1 ? "1 validation error" : `${wrong.length} validation errors`;
		throw new AwsError("InvalidRequestException", `${count} detected: ${wrong.slice(0, 10).join("; ")}`);
	}
	return input;
}

/** All members in headers that must be there are principals. Node bounds the head they come in. */
const principal = { type: "string", max: 2048 } as const;
const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseJson(body: Buffer): object {
	if (body.length === 0) return {};
	let json: unknown;
	try {
		json = JSON.parse(utf8.decode(body));
	} catch {
		// The parser's own message quotes the body.
		throw new AwsError("SerializationException", "The request body is not JSON in UTF-8.");
	}
	if (isObject(json)) return json;
	throw new AwsError("SerializationException", "The request body must be a JSON object.");
}

/** What IAM's conditions may ask of a request. */
function requestContext(caller: AccessKey, request: IncomingMessage, region: string, now: number) {
	const sourceIp = (request.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
	return globalConditions(caller, { sourceIp, secure: false, region, now });
}

/** `aws:RequestTag/…`, `aws:TagKeys` of the tags sent along, `aws:ResourceTag/…` of those the resource has. */
function tagContext(registry: Registry, resource: string, input: Readonly<Record<string, unknown>>): PolicyVariables {
	const sent = (input.tags ?? []) as readonly { Key: string; Value?: string }[];
	const keys = [...sent.map(({ Key }) => Key), ...((input.tagKeys ?? []) as readonly string[])];
	return new Map<string, string | readonly string[]>([
		...sent.map(({ Key, Value = "" }) => [`aws:RequestTag/${Key}`, Value] as const),
		...(keys.length > 0 ? [["aws:TagKeys", keys] as const] : []),
		...Object.entries(registry.state.tags.get(resource)?.tags ?? {}).map(
			([key, value]) => [`aws:ResourceTag/${key}`, value] as const,
		),
	]);
}

/**
 * Protects what needs no signature from web pages. A page of another site must not reach it through a browser on this
 * machine, not even by a host name that points at 127.0.0.1 (DNS rebinding).
 * @throws AwsError AccessDeniedException
 */
function refuseForeignSites(request: IncomingMessage, hostNames: readonly string[] = []): void {
	const { origin, host = "" } = request.headers;
	const site = request.headers["sec-fetch-site"];
	const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
	if (isIP(name) === 0 && name !== "localhost" && !hostNames.includes(name.toLowerCase())) {
		throw new AwsError(
			"AccessDeniedException",
			"Without a signature this host must be called by its address, or by a name that it was given (--host-name).",
		);
	}
	if (
		(origin !== undefined && origin !== `http://${host}`) ||
		(site !== undefined && !["same-origin", "none"].includes(`${site}`))
	) {
		throw new AwsError("AccessDeniedException", "Requests from other web sites are refused.");
	}
}

function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
	sendBytes(response, status, Buffer.from(JSON.stringify(body)), headers);
}

/** Sends bytes, which are JSON. */
function sendBytes(
	response: ServerResponse,
	status: number,
	body: Uint8Array,
	headers: Record<string, string> = {},
): void {
	response.writeHead(status, {
		"Content-Type": "application/json",
		"Content-Length": body.length,
		"x-amzn-RequestId": randomUUID(),
		"Cache-Control": "no-store",
		...headers,
	});
	response.end(body);
}

function sendXml(response: ServerResponse, status: number, text: string, requestId: string): void {
	response.writeHead(status, {
		"Content-Type": "text/xml",
		"Content-Length": Buffer.byteLength(text),
		"x-amzn-RequestId": requestId,
		"Cache-Control": "no-store",
	});
	response.end(text);
}

function sendError(request: IncomingMessage, response: ServerResponse, error: unknown): void {
	if (response.headersSent) {
		response.destroy();
		return;
	}
	const known =
		error instanceof AwsError ? error : new AwsError("InternalFailureException", "An unexpected error has occurred.");
	if (isQuery(request.method!, originForm(request.url!), request.headers["content-type"])) {
		const requestId = randomUUID();
		const { status, text } = errorXml(known, requestId);
		sendXml(response, status, text, requestId);
	} else {
		const { name, status, message, members } = known;
		const { method = "", url = "", rawHeaders } = request;
		const service = serviceOf({ method, target: url, rawHeaders });
		// The data planes have another status for this error (API models).
		const code = name === "ThrottlingException" && (service ?? "iot") !== "iot" ? 429 : status;
		sendJson(response, code, { message, ...members }, { "x-amzn-ErrorType": name });
	}
	drain(request);
}

/** Says what failed, and where in the program. Leaves out the error's own message, which may quote the request. */
function failure(where: string, error: unknown): string {
	const { name, stack = "" } = error instanceof Error ? error : { name: `a thrown ${typeof error}` };
	const line = /^\s*(at .*)$/m.exec(stack)?.[1] ?? "";
	return `The control plane failed unexpectedly in ${where}: ${name} ${line}`.trimEnd();
}

/** Reads what still comes of a refused request, within bounds, since hanging up at once would lose the answer. */
function drain(request: IncomingMessage): void {
	let left = 8 * MAXIMUM_BODY;
	request.on("data", (chunk: Buffer) => {
		left -= chunk.length;
		if (left < 0) request.socket.destroy();
	});
}

/** Answers a request that is not HTTP, came too slowly, or has too long a head, and hangs up. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
	if (error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	const [status, type, message] =
		error.code === "ERR_HTTP_REQUEST_TIMEOUT"
			? ["408 Request Timeout", "RequestTimeoutException", "The request took too long."]
			: error.code === "HPE_HEADER_OVERFLOW"
				? ["431 Request Header Fields Too Large", "InvalidRequestException", "The request's head is too long."]
				: ["400 Bad Request", "InvalidRequestException", "The request is not HTTP."];
	const body = JSON.stringify({ message });
	socket.end(
		`HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
			`x-amzn-ErrorType: ${type}\r\nConnection: close\r\n\r\n${body}`,
		() => socket.destroy(),
	);
}

function tooLarge(): AwsError {
	return new AwsError("RequestEntityTooLargeException", `A request may have at most ${MAXIMUM_BODY} bytes.`);
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || /^127\./.test(host);
}
