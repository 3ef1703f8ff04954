// What a device's MQTT connections cost in bytes, packets and round trips, counted from the bytes on the wire.

import { type Packet, parser } from "mqtt-packet";
import type { Role } from "../../src/contract/events.js";
import type { Traffic } from "../node/socket.js";

/** The cost of one connection so far. Bytes are those of MQTT, without TLS. */
export interface ConnectionCost {
	readonly role: Role;
	bytesSent: number;
	bytesReceived: number;
	packetsSent: number;
	packetsReceived: number;
	/** How often, after TLS, the device sent a CONNECT, SUBSCRIBE or PUBLISH and then had to wait for the other side. */
	roundTrips: number;
	/** The same without those that CONNECT was part of. */
	roundTripsAfterConnack: number;
}

/** Observes a device's traffic. `begin` must be called before each connection. */
export class Wire implements Traffic {
	readonly connections: ConnectionCost[] = [];
	#up = parser();
	#down = parser();

	/** Starts counting for a new connection. A packet that the last connection left unfinished is dropped. */
	begin(role: Role): void {
		const cost: ConnectionCost = {
			role,
			bytesSent: 0,
			bytesReceived: 0,
			packetsSent: 0,
			packetsReceived: 0,
			roundTrips: 0,
			roundTripsAfterConnack: 0,
		};
		this.connections.push(cost);
		let waiting = false;
		this.#up = parser();
		this.#down = parser();
		this.#up.on("packet", ({ cmd }: Packet) => {
			cost.packetsSent += 1;
			if (waiting || (cmd !== "connect" && cmd !== "subscribe" && cmd !== "publish")) return;
			waiting = true;
			cost.roundTrips += 1;
			if (cmd !== "connect") cost.roundTripsAfterConnack += 1;
		});
		this.#down.on("packet", () => {
			cost.packetsReceived += 1;
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
