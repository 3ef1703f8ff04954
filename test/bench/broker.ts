// The broker's throughput beside others: the same messages, from the same publishers to the same subscribers, over mutual TLS on
// loopback. What is taken at a time is bounded, so that nothing is dropped; every message sent is counted at its subscriber.

import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer, type TLSSocket, connect as tlsConnect } from "node:tls";
import { fileURLToPath } from "node:url";
import { narrateCloud } from "../../hosts/cli/narration.js";
import { clockTime, hanging, line } from "../../hosts/cli/terminal.js";
import { startCloud } from "../../hosts/cloud/cloud.js";

/** One broker's figures. */
export interface BrokerResult {
	readonly broker: string;
	/** Messages a second: published, delivered and, with QoS 1, acknowledged on both sides. Median of the runs. */
	readonly qos0: number;
	readonly qos1: number;
	/** Bytes of resident memory for each idle connection. */
	readonly idleConnection: number;
}

/** What a client must know of a broker. */
interface Endpoint {
	readonly port: number;
	readonly servername: string;
	readonly ca: string;
	readonly cert: string;
	readonly key: string;
}

/** A broker in a process of its own. */
interface Running {
	readonly endpoint: Endpoint;
	/** Bytes of resident memory. */
	memory(): number;
	close(): void;
}

export interface BrokerPlan {
	/** Messages of each run. */
	readonly messages: number;
	readonly runs: number;
	readonly idle: number;
	/** Payload, bytes. */
	readonly size: number;
}

/** Publishers, each with a subscriber of its own. */
const PAIRS = 4;
/** Messages that one publisher may have on the way to its subscriber. */
const WINDOW = 100;

const varint = (value: number): number[] =>
	value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))];
const text = (value: string): Buffer => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
const packet = (first: number, ...body: readonly Uint8Array[]): Buffer => {
	const bytes = Buffer.concat(body);
	return Buffer.concat([Buffer.from([first, ...varint(bytes.length)]), bytes]);
};

/** A client that costs as little as can be, so that the broker is measured: it tells only the types of packets that come. */
class BareClient {
	readonly socket: TLSSocket;
	/** Called with the type, the first byte's flags and the packet id of each packet (0 where there is none). */
	onPacket: (type: number, flags: number, packetId: number) => void = () => {};
	#held: Buffer = Buffer.alloc(0);

	private constructor(socket: TLSSocket) {
		this.socket = socket;
		socket.on("error", () => {});
		socket.on("data", (chunk: Buffer) => this.#take(chunk));
	}

	static async connect({ port, servername, ca, cert, key }: Endpoint, clientId: string): Promise<BareClient> {
		const socket = tlsConnect({ host: "127.0.0.1", port, servername, ca, cert, key });
		const client = new BareClient(socket);
		await new Promise<void>((resolve, reject) => {
			socket.once("secureConnect", resolve);
			socket.once("close", () => reject(new Error("closed")));
		});
		socket.setNoDelay(true);
		await client.ask(packet(0x10, text("MQTT"), Buffer.from([4, 2, 4, 176]), text(clientId)), 2);
		return client;
	}

	/** Sends a packet and waits for one of this type. */
	ask(bytes: Buffer, type: number): Promise<void> {
		return new Promise((resolve, reject) => {
			this.socket.once("close", () => reject(new Error("closed")));
			this.onPacket = (came) => came === type && resolve();
			this.socket.write(bytes);
		});
	}

	#take(chunk: Buffer): void {
		const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
		let at = 0;
		for (;;) {
			let length = 0;
			let end = at + 1;
			let shift = 1;
			let byte: number | undefined;
			do {
				byte = bytes[end++];
				if (byte === undefined) break;
				length += (byte & 0x7f) * shift;
				shift *= 128;
			} while (byte >= 0x80);
			if (byte === undefined || bytes.length < end + length) break;
			const type = bytes[at]! >> 4;
			const flags = bytes[at]! & 15;
			const idAt = type === 3 ? end + 2 + bytes.readUInt16BE(end) : end;
			this.onPacket(type, flags, (type === 3 && (flags & 6) > 0) || type === 4 ? bytes.readUInt16BE(idAt) : 0);
			at = end + length;
		}
		this.#held = bytes.subarray(at);
	}
}

/** Messages a second through a broker, with this QoS. @throws Error when a message is lost */
async function throughput(endpoint: Endpoint, qos: 0 | 1, { messages, size }: BrokerPlan): Promise<number> {
	const each = Math.ceil(messages / PAIRS);
	const pairs = await Promise.all(
		Array.from({ length: PAIRS }, async (_, index) => {
			const topic = `bench/${index}`;
			const [publisher, subscriber] = await Promise.all([
				BareClient.connect(endpoint, `p${index}-${qos}`),
				BareClient.connect(endpoint, `s${index}-${qos}`),
			]);
			await subscriber.ask(packet(0x82, Buffer.from([0, 1]), text(topic), Buffer.of(qos)), 9);
			return { publisher, subscriber, topic };
		}),
	);
	const started = performance.now();
	await Promise.all(
		pairs.map(
			({ publisher, subscriber, topic }) =>
				new Promise<void>((resolve, reject) => {
					let sent = 0;
					let received = 0;
					let acknowledged = qos === 0 ? each : 0;
					const payload = Buffer.alloc(size, 0x2e);
					const send = () => {
						const due = Math.min(each, Math.min(received, qos === 0 ? each : acknowledged) + WINDOW) - sent;
						if (due <= 0) return;
						const batch: Buffer[] = [];
						for (let count = 0; count < due; count++) {
							const id = (sent++ % 0xffff) + 1;
							const head = qos === 0 ? [text(topic)] : [text(topic), Buffer.from([id >> 8, id & 0xff])];
							batch.push(packet(0x30 | (qos << 1), ...head, payload));
						}
						publisher.socket.write(Buffer.concat(batch));
					};
					const done = () => {
						if (received >= each && acknowledged >= each) resolve();
						// In batches, as a busy network would bring them.
						else if (sent - received <= WINDOW / 2) send();
					};
					let pubacks: Buffer[] = [];
					subscriber.onPacket = (type, flags, packetId) => {
						if (type !== 3) return;
						received++;
						if ((flags & 6) > 0) {
							if (pubacks.length === 0)
								setImmediate(() => {
									subscriber.socket.write(Buffer.concat(pubacks));
									pubacks = [];
								});
							pubacks.push(Buffer.from([0x40, 2, packetId >> 8, packetId & 0xff]));
						}
						done();
					};
					publisher.onPacket = (type) => {
						if (type === 4) acknowledged++;
						done();
					};
					for (const { socket } of [publisher, subscriber])
						socket.once("close", () => reject(new Error(`a client was dropped after ${received} messages`)));
					send();
				}),
		),
	);
	const seconds = (performance.now() - started) / 1000;
	for (const { publisher, subscriber } of pairs)
		for (const { socket } of [publisher, subscriber]) {
			socket.removeAllListeners("close");
			socket.destroy();
		}
	return (each * PAIRS) / seconds;
}

/** Bytes that each idle connection adds to the broker's process. */
async function idleConnection(broker: Running, { idle }: BrokerPlan): Promise<number> {
	const first = await Promise.all(
		Array.from({ length: 20 }, (_, index) => BareClient.connect(broker.endpoint, `w${index}`)),
	);
	await sleep(500);
	const before = broker.memory();
	const clients: BareClient[] = [];
	for (let at = 0; at < idle; at += 20)
		clients.push(
			...(await Promise.all(
				Array.from({ length: 20 }, (_, index) => BareClient.connect(broker.endpoint, `i${at + index}`)),
			)),
		);
	await sleep(500);
	const after = broker.memory();
	for (const { socket } of [...first, ...clients]) socket.destroy();
	return Math.max(0, (after - before) / clients.length);
}

const rss = (pid: number): number => Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)])) * 1024;

/** Starts this file as another process in the part of a broker. */
async function forked(part: string, given: object = {}): Promise<Running> {
	const child: ChildProcess = fork(fileURLToPath(import.meta.url), [part, JSON.stringify(given)], {
		execArgv: ["--import", "tsx"],
		// The narration goes to a pipe that nobody reads slowly: its own costs count, a terminal's do not.
		stdio: ["ignore", "pipe", "inherit", "ipc"],
	});
	child.stdout!.resume();
	const endpoint = await new Promise<Endpoint>((resolve, reject) => {
		child.once("message", (message) => resolve(message as Endpoint));
		child.once("exit", (code) => reject(new Error(`${part} ended with ${code}`)));
	});
	return { endpoint, memory: () => rss(child.pid!), close: () => void child.kill() };
}

async function mosquitto(
	{ ca, cert, key, servername }: Endpoint,
	server: { key: string; cert: string },
): Promise<Running> {
	const folder = mkdtempSync(join(tmpdir(), "fleet-bench-"));
	const file = (name: string, content: string) => {
		writeFileSync(join(folder, name), content);
		return join(folder, name);
	};
	const port = 20_000 + (process.pid % 10_000);
	const configuration = [
		`listener ${port} 127.0.0.1`,
		"allow_anonymous true",
		`cafile ${file("ca.pem", ca + cert)}`,
		`certfile ${file("server.pem", server.cert)}`,
		`keyfile ${file("server.key", server.key)}`,
		"persistence false",
		"log_type error",
		"max_inflight_messages 100",
	];
	const child = spawn("mosquitto", ["-c", file("mosquitto.conf", `${configuration.join("\n")}\n`)], {
		stdio: "inherit",
	});
	await new Promise<void>((resolve, reject) => {
		child.once("error", reject);
		setTimeout(resolve, 1_000);
	});
	return {
		endpoint: { port, ca, cert, key, servername },
		memory: () => rss(child.pid!),
		close: () => {
			child.kill();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}

const has = (program: string): boolean => {
	try {
		execFileSync(program, ["-h"], { stdio: "ignore" });
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ENOENT";
	}
};

/** Measures all brokers by turns, so that what else the machine does hits each alike. */
export async function measureBrokers(plan: BrokerPlan, log: (line: string) => void): Promise<BrokerResult[]> {
	const ours = await forked("ours");
	const narrated = await forked("narrated");
	const brokers = new Map<string, Running>([
		["this project", ours],
		["this project, narrated", narrated],
	]);
	const server = (ours.endpoint as Endpoint & { server: { key: string; cert: string } }).server;
	brokers.set("aedes", await forked("aedes", { ...ours.endpoint, server }));
	if (has("mosquitto")) brokers.set("mosquitto", await mosquitto(ours.endpoint, server));
	else log("mosquitto is left out: it is not installed");
	try {
		const found = new Map([...brokers.keys()].map((name) => [name, { 0: [] as number[], 1: [] as number[] }]));
		for (let run = 0; run < plan.runs; run++)
			for (const [name, { endpoint }] of brokers)
				for (const qos of [0, 1] as const) {
					const rate = await throughput(endpoint, qos, plan);
					found.get(name)![qos].push(rate);
					log(`${name}, QoS ${qos}: ${Math.round(rate)} messages a second`);
				}
		const median = (rates: number[]) => Math.round(rates.sort((a, b) => a - b)[rates.length >> 1]!);
		const results: BrokerResult[] = [];
		for (const [broker, running] of brokers) {
			const rates = found.get(broker)!;
			const idle = Math.round(await idleConnection(running, plan));
			results.push({ broker, qos0: median(rates[0]), qos1: median(rates[1]), idleConnection: idle });
		}
		return results;
	} finally {
		for (const { close } of brokers.values()) close();
	}
}

async function serveOurs(narrates: boolean): Promise<void> {
	const cloud = await startCloud({
		settings: {
			connection: { publishesPerSecond: 0, connectsPerClientId: 0 },
			keyPairs: { ahead: 0 },
			tls: { certificates: "ecdsa" },
		},
		...(narrates && {
			onEvent: (event) => {
				const told = narrateCloud(event);
				if (told !== undefined) console.log(hanging(`${clockTime()}  `, line(told)));
			},
		}),
	});
	const { certificates, policies } = cloud.registry;
	const made = await certificates.createKeysAndCertificate({ setAsActive: true });
	policies.createPolicy({
		policyName: "all",
		policyDocument: JSON.stringify({
			Version: "2012-10-17",
			Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
		}),
	});
	policies.attachPolicy({ policyName: "all", target: made.certificateArn });
	process.send!({
		port: cloud.port,
		servername: cloud.endpoint,
		ca: cloud.rootCertificate,
		cert: made.certificatePem,
		key: made.keyPair.PrivateKey,
		server: cloud.authority.servers.ecdsa,
	});
}

async function serveAedes({
	server,
	...endpoint
}: Endpoint & { server: { key: string; cert: string } }): Promise<void> {
	const { Aedes } = await import("aedes");
	const aedes = await Aedes.createBroker();
	const listening = createServer(
		{ ...server, ca: [endpoint.cert], requestCert: true, rejectUnauthorized: false, noDelay: true },
		aedes.handle,
	);
	await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
	process.send!({ ...endpoint, port: (listening.address() as { port: number }).port });
}

const [, file, part, given] = process.argv;
if (file === fileURLToPath(import.meta.url) && process.send !== undefined) {
	if (part === "aedes") await serveAedes(JSON.parse(given!));
	else await serveOurs(part === "narrated");
}
