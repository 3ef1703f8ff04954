// The HTTPS port: MQTT over WebSocket (`/mqtt`), and publishing a message with a client certificate (`POST /topics/TOPIC`). Finds out
// who a client is and hands it to the broker. Bounds what strangers may hold; whatever they send, only their own connection ends.

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { AwsError } from "../base/errors.js";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import type { Callers } from "../control/iam.js";
import { decode, parseQuery } from "../control/router.js";
import type { RequestHead } from "../control/sigv4.js";
import { splitOnce } from "../control/split.js";
import { type Broker, type BrokerClient, sourceIpOf } from "../mqtt/broker.js";
import type { CloudMessage, MessageProperties } from "../mqtt/reserved.js";
import { whyTooLong } from "../mqtt/topics.js";
import type { CustomAuthorizers } from "./custom-authorizer.js";
import { iamClient, isSigned } from "./iam-client.js";

/** What the HTTPS port works with. */
export interface HttpsGateOptions {
	readonly settings: Settings;
	readonly region: string;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
	/** Who may sign, as of now. */
	readonly callers: () => Callers;
	readonly authorizers: CustomAuthorizers;
	/** The broker of now; absent during a reset. */
	readonly broker: () => Broker | undefined;
}

/** Takes the sockets of the HTTPS port. */
export interface HttpsGate {
	/** Takes a socket whose TLS handshake is done. */
	accept(socket: TLSSocket): void;
	/** Ends what is open of HTTP. WebSockets are the broker's. */
	close(): void;
}

/** Bytes of a WebSocket message besides the payload of the MQTT packet in it. */
const FRAME_OVERHEAD = 16 * 1024;
const SUBPROTOCOLS = ["mqtt", "mqttv3.1"];
/** Most connections that are in the middle of HTTP, each of which may hold a payload. One more makes the oldest of them go. */
const MAXIMUM_OPEN = 256;

/** An answer to a request over HTTPS that is not carried out. */
class HttpError extends Error {
	readonly status: number;

	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

/** Makes the HTTPS port's HTTP. It opens no port: pass it the sockets. */
export function openHttpsGate(options: HttpsGateOptions): HttpsGate {
	const { settings, report } = options;
	/** Sockets in the middle of HTTP, oldest first, with the timers that end them. */
	const open = new Map<Duplex, NodeJS.Timeout>();
	const failed: Failed = (where, error) =>
		report({ event: "warning", message: `The HTTPS port failed in ${where}: ${messageOf(error)}` });
	const server = createServer({ maxHeaderSize: 16_384 });
	server.maxRequestsPerSocket = 1_000;
	const maximum = settings.limits.payload + FRAME_OVERHEAD;
	const sockets = new WebSocketServer({
		...{ noServer: true, clientTracking: false, perMessageDeflate: false },
		// A packet may have a frame of its own, or share it with others. More than this is never waited for.
		...{ maxPayload: maximum, maxFragments: 1_024, maxBufferedChunks: 16_384 },
		handleProtocols: (asked) => SUBPROTOCOLS.find((name) => asked.has(name)) ?? false,
	});

	/** Gives a socket so long for its next request, or its first one. */
	const watch = (socket: Duplex) => {
		clearTimeout(open.get(socket));
		const late = () => {
			report({
				event: "refused",
				connectionId: "",
				reason: "HTTP timeout",
				explanation: "A request did not come in time.",
			});
			socket.destroy();
		};
		open.set(socket, setTimeout(late, Math.min(settings.connection.connectTimeout, LONGEST_TIMER)));
	};
	const release = (socket: Duplex) => {
		clearTimeout(open.get(socket));
		open.delete(socket);
	};
	const accept = (socket: TLSSocket) => {
		socket.on("error", () => socket.destroy());
		socket.once("close", () => release(socket));
		if (open.size >= MAXIMUM_OPEN) {
			const [oldest] = open.keys();
			oldest?.destroy();
		}
		watch(socket);
		server.emit("connection", socket);
	};

	server.on("upgrade", (request: IncomingMessage, socket: TLSSocket, head: Buffer) => {
		const refuse = (error: unknown) => {
			const { status, name, message } = describe(error, failed);
			const body = JSON.stringify({ message, traceId: randomUUID() });
			if (!socket.writable) return socket.destroy();
			socket.end(
				`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
					`Content-Length: ${Buffer.byteLength(body)}\r\nx-amzn-ErrorType: ${name}\r\nConnection: close\r\n\r\n${body}`,
				() => socket.destroy(),
			);
		};
		try {
			const { broker, client } = admit(options, request, socket);
			sockets.handleUpgrade(request, socket, head, (webSocket) => {
				release(socket);
				const stream = streamOf(webSocket, (explanation) => {
					report({ event: "violation", connectionId: "", explanation });
				});
				guarded("a new WebSocket", failed, () => broker.open({ ...client, stream }))();
			});
		} catch (error) {
			reportRefusal(report, error, `${request.method} ${pathOf(request)}`);
			refuse(error);
		}
	});
	sockets.on("wsClientError", (error: Error, socket: Duplex) => {
		report({ event: "refused", connectionId: "", reason: "WebSocket handshake", explanation: `${error.message}.` });
		socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", () => socket.destroy());
	});
	server.on("request", (request: IncomingMessage, response: ServerResponse) => {
		request.on("error", () => {});
		response.on("error", () => {});
		const { socket } = request;
		response.once("close", () => {
			if (open.has(socket) && !socket.destroyed) watch(socket);
		});
		const send = (status: number, body: object, headers: Record<string, string> = {}) => {
			const text = JSON.stringify({ ...body, traceId: randomUUID() });
			response.writeHead(status, {
				"Content-Type": "application/json",
				"Content-Length": Buffer.byteLength(text),
				"Cache-Control": "no-store",
				...headers,
			});
			response.end(text);
		};
		publish(options, request).then(
			() => send(200, { message: "OK" }),
			(error: unknown) => {
				reportRefusal(report, error, `${request.method} ${pathOf(request)}`);
				if (response.headersSent || socket.destroyed) return socket.destroy();
				const { status, name, message } = describe(error, failed);
				// What still comes of a refused request is not waited for.
				send(status, { message }, { "x-amzn-ErrorType": name, Connection: "close" });
			},
		);
	});
	server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
		if (error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
		const explanation =
			"What came is not HTTP. MQTT without WebSocket has ports of its own; on AWS's port 443 it needs the ALPN protocol x-amzn-mqtt-ca.";
		report({ event: "refused", connectionId: "", reason: "not HTTP", explanation });
		socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", () => socket.destroy());
	});
	return {
		accept: guarded("a new connection", failed, accept),
		close() {
			for (const socket of open.keys()) socket.destroy();
			sockets.close();
		},
	};
}

/** The client that a request to open a WebSocket proves. @throws AwsError, HttpError */
function admit(
	{ broker: current, callers, region, now, authorizers }: HttpsGateOptions,
	request: IncomingMessage,
	socket: TLSSocket,
): { broker: Broker; client: Omit<BrokerClient, "stream"> } {
	const head: RequestHead = { method: request.method!, target: request.url!, rawHeaders: request.rawHeaders };
	if (pathOf(request) !== "/mqtt") throw new HttpError(404, "MQTT over WebSocket has the path /mqtt.");
	const asked = `${request.headers["sec-websocket-protocol"] ?? ""}`.split(",").map((name) => name.trim());
	if (!asked.some((name) => SUBPROTOCOLS.includes(name)))
		throw new HttpError(400, "The WebSocket must be opened with the subprotocol mqtt.");
	const broker = current();
	if (!broker) throw new HttpError(503, "The cloud is being reset: try again.");
	const sourceIp = sourceIpOf(socket);
	const known = callers();
	if (authorizers.isNamed(head) || (!isSigned(head) && authorizers.hasDefault)) {
		const admission = authorizers.byRequest(head, tlsOf(socket));
		return { broker, client: { sourceIp, principal: "", admission } };
	}
	if (known.signatures === "any") refuseForeignSite(request);
	else if (!isSigned(head)) {
		throw new AwsError(
			"MissingAuthenticationTokenException",
			"Missing Authentication Token: sign the URL with AWS Signature Version 4 for the service iotdevicegateway.",
		);
	}
	const client = iamClient({ head, callers: known, region, now, sourceIp });
	return { broker, client: { sourceIp, ...client } };
}

/** A page of another site must not reach a cloud without signatures through a browser on this machine. @throws HttpError */
function refuseForeignSite({ headers: { origin } }: IncomingMessage): void {
	if (origin === undefined) return;
	const host = URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[(.*)\]$/, "$1") : "";
	if (host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))) return;
	throw new HttpError(
		403,
		"In development mode only pages of this machine may connect: give the cloud access keys (--access-key) for other sites.",
	);
}

/** Bytes of a WebSocket. A text message ends it: MQTT is in binary ones (MQTT 3.1.1 section 6). */
function streamOf(webSocket: WebSocket, violated: (explanation: string) => void): Duplex {
	const stream = createWebSocketStream(webSocket);
	stream.on("error", () => {});
	webSocket.prependListener("message", (_, isBinary) => {
		if (isBinary) return;
		violated("A WebSocket message is text; MQTT needs binary ones.");
		webSocket.terminate();
	});
	webSocket.on("error", (error) => violated(`The WebSocket broke a rule: ${error.message}.`));
	return stream;
}

/** Carries out `POST /topics/TOPIC`. @throws AwsError, HttpError */
async function publish(options: HttpsGateOptions, request: IncomingMessage): Promise<void> {
	const { settings, broker: current } = options;
	const socket = request.socket as TLSSocket;
	const path = pathOf(request);
	if (path === "/mqtt") throw new HttpError(426, "MQTT over WebSocket needs an Upgrade.");
	if (!path.startsWith("/topics/"))
		throw new HttpError(404, "Only /mqtt (WebSocket) and POST /topics/TOPIC are served on this port.");
	if (request.method !== "POST") throw new HttpError(405, "A message is published with POST.");
	const broker = current();
	if (!broker) throw new HttpError(503, "The cloud is being reset: try again.");
	const head: RequestHead = { method: "POST", target: request.url!, rawHeaders: request.rawHeaders };
	if (isSigned(head)) {
		throw new HttpError(
			403,
			"On this port a message is published with a client certificate. Signed requests (the operation Publish) go to the control plane.",
		);
	}
	const message = readMessage(request, settings);
	const client = await identify(options, broker, head, socket);
	const payload = await receive(request, settings.limits.payload);
	const decision = await broker.publishFor({ sourceIp: sourceIpOf(socket), ...client }, { ...message, payload });
	if (!decision.allowed) throw new DeniedError(decision.explanation);
}

/** Who publishes: a custom authorizer decides where one is named, or where there is a default one for clients without certificate. */
async function identify(
	{ authorizers }: HttpsGateOptions,
	broker: Broker,
	head: RequestHead,
	socket: TLSSocket,
): Promise<Pick<BrokerClient, "principal" | "own">> {
	if (authorizers.isNamed(head) || (!socket.getPeerX509Certificate() && authorizers.hasDefault))
		return authorizers.forPublish(head, tlsOf(socket));
	const proof = broker.identify(socket);
	if ("reason" in proof) throw new HttpError(403, proof.explanation);
	return { principal: proof.principal };
}

function tlsOf({ servername }: TLSSocket): { serverName?: string } {
	return servername ? { serverName: `${servername}` } : {};
}

/** Policies refused a publish; the broker has reported it. */
class DeniedError extends HttpError {
	constructor(explanation: string) {
		super(403, `Forbidden. ${explanation}`);
	}
}

function readMessage(request: IncomingMessage, { limits }: Settings): Omit<CloudMessage, "payload"> {
	const topic = decode(pathOf(request).slice("/topics/".length));
	const query = parseQuery(splitOnce(request.url!, "?")[1]);
	const wrong = topic === "" || /[+#\0]/.test(topic) ? "A topic must not be empty and has no wildcards." : undefined;
	const long = whyTooLong(topic, limits);
	if (wrong ?? long) throw new HttpError(400, (wrong ?? long)!);
	const qos = query.get("qos") ?? "0";
	if (qos !== "0" && qos !== "1") throw new HttpError(400, "qos must be 0 or 1.");
	const retain = query.get("retain") ?? "false";
	if (retain !== "true" && retain !== "false") throw new HttpError(400, "retain must be true or false.");
	if (topic.startsWith("$") && !topic.startsWith("$aws/"))
		throw new HttpError(400, `Nothing can be published to the reserved topic ${topic.slice(0, 256)}.`);
	if (retain === "true" && topic.startsWith("$")) throw new HttpError(400, "RETAIN is not allowed on reserved topics.");
	const properties = readProperties(request, query);
	return { topic, qos: qos === "1" ? 1 : 0, retain: retain === "true", ...(properties && { properties }) };
}

/** What MQTT 5 adds to a message, as the API's operation Publish has it. */
function readProperties(request: IncomingMessage, query: ReadonlyMap<string, string>): MessageProperties | undefined {
	const header = (name: string) => request.headers[`x-amz-mqtt5-${name}`];
	const contentType = query.get("contentType");
	const responseTopic = query.get("responseTopic");
	const expiry = query.get("messageExpiry");
	if (expiry !== undefined && !/^\d{1,9}$/.test(expiry)) throw new HttpError(400, "messageExpiry must be seconds.");
	const indicator = header("payload-format-indicator");
	const correlation = header("correlation-data");
	const user = header("user-properties");
	const properties: MessageProperties = {
		...(contentType !== undefined && { contentType }),
		...(responseTopic !== undefined && { responseTopic }),
		...(expiry !== undefined && { messageExpiryInterval: Number(expiry) }),
		...(indicator !== undefined && { payloadFormatIndicator: indicator === "UTF8_DATA" }),
		...(correlation !== undefined && { correlationData: Buffer.from(`${correlation}`, "base64") }),
		...(user !== undefined && { userProperties: readUserProperties(`${user}`) }),
	};
	return Object.keys(properties).length > 0 ? properties : undefined;
}

/** Base64 of a JSON list of objects with one member each. */
function readUserProperties(header: string): [string, string][] {
	const wrong = () =>
		new HttpError(400, 'x-amz-mqtt5-user-properties must be base64 of a JSON list such as [{"name": "value"}].');
	let list: unknown;
	try {
		list = JSON.parse(Buffer.from(header, "base64").toString());
	} catch {
		throw wrong();
	}
	if (!Array.isArray(list)) throw wrong();
	return list.flatMap((entry: unknown) => {
		if (typeof entry !== "object" || entry === null) throw wrong();
		return Object.entries(entry).map(([name, value]): [string, string] => {
			if (typeof value !== "string") throw wrong();
			return [name, value];
		});
	});
}

/** The whole body. Rejects when it is larger than `maximum`, bytes, or breaks off. */
function receive(request: IncomingMessage, maximum: number): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const tooLarge = () => new HttpError(413, `The payload is larger than ${maximum} bytes.`);
		if (Number(request.headers["content-length"] ?? 0) > maximum) return reject(tooLarge());
		const chunks: Buffer[] = [];
		let length = 0;
		request.on("data", (chunk: Buffer) => {
			length += chunk.length;
			if (length <= maximum) chunks.push(chunk);
			else reject(tooLarge());
		});
		request.once("end", () => resolve(Buffer.concat(chunks)));
		request.once("close", () => reject(new HttpError(400, "The request broke off.")));
	});
}

function pathOf(request: IncomingMessage): string {
	return splitOnce(request.url!, "?")[0];
}

/** Status, AWS's name and message of an answer that refuses. */
function describe(error: unknown, failed: Failed): { status: number; name: string; message: string } {
	if (error instanceof AwsError) return { status: error.status, name: error.name, message: error.message };
	if (error instanceof HttpError) {
		const name = error.status === 403 ? "ForbiddenException" : "InvalidRequestException";
		return { status: error.status, name, message: error.message };
	}
	failed("an answer", error);
	return { status: 500, name: "InternalFailureException", message: "An unexpected error has occurred." };
}

function reportRefusal(report: (event: CloudEventBody) => void, error: unknown, what: string): void {
	if (error instanceof DeniedError) return;
	if (!(error instanceof AwsError) && !(error instanceof HttpError)) return;
	report({
		event: "refused",
		connectionId: "",
		reason: `HTTP ${error.status}`,
		explanation: `${what.slice(0, 128)}: ${error.message}`,
	});
}
