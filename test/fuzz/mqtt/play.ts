// Plays a script against a broker, checks what the clients receive, and tests afterwards whether the broker still serves a good
// client.

import { setImmediate as turn } from "node:timers/promises";
import { Defect } from "../target.js";
import { parseScript } from "./script.js";
import type { ClientEnd, Take } from "./socket.js";

/** What the player needs of a broker. */
export interface Stage {
	/** Connects with the certificate of an identity. */
	connect(identity: string, take: Take): ClientEnd;
	setStatus(identity: string, status: "ACTIVE" | "INACTIVE"): void;
	changeSettings(patch: string): void;
	/** Undoes the changes of status and settings. */
	restore(): void;
	/** How many MQTT connections are open. */
	connections(): number;
}

/** After this time without an answer, ms, none is expected any more. */
const patience = 30_000;

/** A client that subscribes to the replies to everybody's requests, and makes no requests itself. */
const replyFilters = [
	"$aws/certificates/create/#",
	"$aws/certificates/create-from-csr/#",
	"$aws/provisioning-templates/T/provision/#",
];
const replyTopic = /^(\$aws\/(?:certificates|provisioning-templates)\/.*)\/(accepted|rejected)$/;

/** Whether the policies of an identity allow it to receive a message on this topic. */
function mayReceive(identity: string, topic: string): boolean {
	switch (identity) {
		case "claim":
			return replyTopic.test(topic);
		case "dev-a":
		case "dev-b":
			return topic.startsWith(`devices/${identity}/`);
		case "open":
			return topic.startsWith("open/");
		case "good":
			return topic.startsWith("good/");
		case "all":
			return true;
		default:
			return false;
	}
}

/** One client, with what it has sent and received. */
class Player {
	readonly identity: string;
	readonly end: ClientEnd;
	/** Called with each packet that arrives. */
	onPacket: (packet: Buffer) => void = () => {};
	defect: Defect | undefined;
	readonly #sent: Buffer[] = [];
	#received = Buffer.alloc(0);

	constructor(stage: Stage, identity: string) {
		this.identity = identity;
		this.end = stage.connect(identity, (bytes) => this.#take(Buffer.from(bytes)));
	}

	send(bytes: Buffer): void {
		this.#sent.push(bytes);
		this.end.write(bytes);
	}

	#take(bytes: Buffer): void {
		this.#received = Buffer.concat([this.#received, bytes]);
		for (;;) {
			let length = 0;
			let at = 1;
			let byte: number | undefined;
			do {
				byte = this.#received[at];
				if (byte === undefined) return;
				length += (byte & 0x7f) * 128 ** (at - 1);
				at++;
			} while (byte >= 0x80 && at < 6);
			if (this.#received.length < at + length) return;
			const packet = this.#received.subarray(0, at + length);
			this.#received = this.#received.subarray(at + length);
			const type = packet[0]! >> 4;
			if (![2, 3, 4, 9, 11, 13, 14].includes(type))
				this.defect ??= new Defect("wrong", `a client got a packet of type ${type}`);
			if (type === 3) this.#check(packet.toString("utf8", at + 2, at + 2 + packet.readUInt16BE(at)));
			this.onPacket(packet);
		}
	}

	#check(topic: string): void {
		if (!mayReceive(this.identity, topic))
			this.defect ??= new Defect("privilege", `${this.identity} got a message on ${topic}`);
		const request = replyTopic.exec(topic)?.[1];
		if (request !== undefined && !Buffer.concat(this.#sent).includes(request))
			this.defect ??= new Defect("privilege", `${this.identity} got a reply on ${topic} and has asked nothing`);
	}
}

/** A packet of MQTT 3.1.1. Its body consists of texts, each with its length before it, and of numbers, each one byte. */
function packet(first: number, ...body: readonly (string | number)[]): Buffer {
	const bytes = Buffer.concat(
		body.map((part) =>
			typeof part === "number"
				? Buffer.of(part)
				: Buffer.concat([Buffer.of(Buffer.byteLength(part) >> 8, Buffer.byteLength(part) & 0xff), Buffer.from(part)]),
		),
	);
	const long = bytes.length > 127;
	return Buffer.concat([
		Buffer.of(first, ...(long ? [(bytes.length & 0x7f) | 0x80, bytes.length >> 7] : [bytes.length])),
		bytes,
	]);
}

/** Waits for a packet of a type. @throws Defect when it does not arrive */
async function answer(player: Player, type: number, send: Buffer, what: string): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	await new Promise<void>((resolve, reject) => {
		timer = setTimeout(() => reject(new Defect("hang", `a good client got no ${what}`)), patience);
		void player.end.closed.then(() => reject(new Defect("hang", `a good client was dropped before ${what}`)));
		player.onPacket = (packet) => {
			if (packet[0]! >> 4 === type) resolve();
		};
		player.send(send);
	}).finally(() => clearTimeout(timer));
}

async function within(promise: Promise<unknown>, what: string): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Defect("leak", what)), patience);
	});
	await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

let good = 0;

/** Plays a script and returns the number of its connections. @throws Defect */
export async function play(stage: Stage, text: string): Promise<number> {
	const players = new Map<number, Player>();
	const clientId = `good-${good++}`;
	const witness = new Player(stage, "claim");
	await answer(witness, 2, packet(0x10, "MQTT", 4, 2, 0, 0, `${clientId}-witness`), "CONNACK");
	await answer(witness, 9, packet(0x82, 0, 1, ...replyFilters.flatMap((filter) => [filter, 0])), "SUBACK");
	let connections = 0;
	for (const step of parseScript(text)) {
		const player = "connection" in step ? players.get(step.connection) : undefined;
		switch (step.what) {
			case "open":
				if (player) break;
				players.set(step.connection, new Player(stage, step.identity));
				connections++;
				break;
			case "data":
				for (let left = player ? step.times : 0; left > 0; left--) player!.send(step.bytes);
				break;
			case "turn":
				await turn();
				await turn();
				break;
			case "status":
				stage.setStatus(step.identity, step.status);
				break;
			case "set":
				stage.changeSettings(step.patch);
				break;
			default:
				player?.end[step.what]();
		}
	}
	await turn();
	stage.restore();
	for (const { end } of players.values()) end.end();
	await within(
		Promise.all([...players.values()].map(({ end }) => end.closed)),
		"a connection stays though its client is gone",
	);
	const fresh = new Player(stage, "good");
	await answer(fresh, 2, packet(0x10, "MQTT", 4, 2, 0, 60, clientId), "CONNACK");
	await answer(fresh, 9, packet(0x82, 0, 1, `good/${clientId}`, 1), "SUBACK");
	await answer(fresh, 3, packet(0x30, `good/${clientId}`, 1), "message of its own");
	await answer(fresh, 13, packet(0xc0), "PINGRESP");
	// Any reply would have arrived by now, and this client must not have received one, because it made no request.
	await answer(witness, 13, packet(0xc0), "PINGRESP");
	for (const { end } of [witness, fresh]) end.end();
	await within(Promise.all([witness, fresh].map(({ end }) => end.closed)), "a good client's connection stays");
	for (const end = Date.now() + patience; stage.connections() > 0; ) {
		if (Date.now() > end) throw new Defect("leak", `${stage.connections()} MQTT connections are left`);
		await turn();
	}
	for (const { defect } of [witness, fresh, ...players.values()]) if (defect) throw defect;
	return connections;
}
