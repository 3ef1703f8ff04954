// What a device's MQTT connections cost, measured on their bytes: round trips are counted on the wire, not taken on trust.

import { type Packet, parser } from "mqtt-packet";
import type { Role } from "../../src/contract/events.js";
import type { Traffic } from "../node/socket.js";

/** One connection so far. Bytes are MQTT's, without TLS. */
export interface ConnectionCost {
	readonly role: Role;
	bytesSent: number;
	bytesReceived: number;
	packetsSent: number;
	packetsReceived: number;
	/** Times that the device, after CONNACK, asked for something and had to wait for an answer before it asked again. */
	roundTripsAfterConnack: number;
}

/** Listens to a device's traffic. `begin` is to be called before each connection. */
export class Wire implements Traffic {
	readonly connections: ConnectionCost[] = [];
	#up = parser();
	#down = parser();

	/** A new connection: its packets are cut anew, whatever the last one left unfinished. */
	begin(role: Role): void {
		const cost: ConnectionCost = {
			role,
			bytesSent: 0,
			bytesReceived: 0,
			packetsSent: 0,
			packetsReceived: 0,
			roundTripsAfterConnack: 0,
		};
		this.connections.push(cost);
		let accepted = false;
		let waiting = false;
		this.#up = parser();
		this.#down = parser();
		this.#up.on("packet", ({ cmd }: Packet) => {
			cost.packetsSent += 1;
			if (!accepted || waiting || (cmd !== "subscribe" && cmd !== "publish")) return;
			waiting = true;
			cost.roundTripsAfterConnack += 1;
		});
		this.#down.on("packet", ({ cmd }: Packet) => {
			cost.packetsReceived += 1;
			if (cmd === "connack") accepted = true;
			waiting = false;
		});
	}

	sent(bytes: Uint8Array): void {
		this.#last.bytesSent += bytes.length;
		this.#up.parse(Buffer.from(bytes));
	}

	received(bytes: Uint8Array): void {
		this.#last.bytesReceived += bytes.length;
		this.#down.parse(Buffer.from(bytes));
	}

	get #last(): ConnectionCost {
		return this.connections.at(-1)!;
	}
}
