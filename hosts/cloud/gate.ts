// Stands between a client's socket and the MQTT broker: hands on whole packets only, as many as may be, and bounds what a
// slow client can make the cloud hold. Never looks into a payload.

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { FrameError, FrameReader } from "./frames.js";

/** Decides over packets, and sets the bounds. */
export interface GateKeeper {
	/** Largest packet taken, bytes. */
	readonly maximumPacket: number;
	/** Most that may wait to be taken by the client, bytes; and for how long, ms. */
	readonly maximumOutgoing: number;
	readonly drainTimeout: number;
	/** What the broker gets for a packet of the client, if anything. May close the gate. Throws FrameError to have it closed. */
	incoming(frame: Buffer): Buffer | undefined;
	/** What the client gets for a packet of the broker, if anything. */
	outgoing(frame: Buffer): Buffer | undefined;
	/** The client broke the protocol (with a reason code of MQTT 5, if known), or takes too long; the gate closes. */
	broken(explanation: string, code?: number): void;
	/** The last that the client gets, if anything. */
	farewell(): Buffer | undefined;
}

/** The broker's side of a connection. */
export class Gate extends Duplex {
	readonly #socket: TLSSocket;
	readonly #keeper: GateKeeper;
	readonly #fromClient = new FrameReader();
	readonly #fromBroker = new FrameReader();
	#draining: NodeJS.Timeout | undefined;

	constructor(socket: TLSSocket, keeper: GateKeeper) {
		super({ allowHalfOpen: false, writableHighWaterMark: keeper.maximumOutgoing });
		this.#socket = socket;
		this.#keeper = keeper;
		socket.on("data", (chunk: Buffer) => this.#receive(chunk));
		socket.on("end", () => this.push(null));
		// The broker learns of the end only; why it ended is nothing that it could help.
		socket.on("error", () => this.destroy());
		socket.on("close", () => this.destroy());
		socket.on("drain", () => {
			clearTimeout(this.#draining);
			this.#draining = undefined;
		});
	}

	/** Sends bytes past the broker, so long as the gate is open. */
	send(bytes: Uint8Array): void {
		if (!this.#socket.writable) return;
		if (this.#socket.writableLength > this.#keeper.maximumOutgoing) {
			this.#keeper.broken("The client does not take what is sent to it.");
			this.destroy();
			return;
		}
		if (this.#socket.write(bytes)) return;
		this.#draining ??= setTimeout(() => {
			this.#keeper.broken("The client takes nothing off its socket.");
			this.#socket.destroy();
		}, this.#keeper.drainTimeout);
	}

	override _read(): void {
		this.#socket.resume();
	}

	override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
		// What the broker writes is bounded by maximumOutgoing, not by a wait: one slow client must not hold up the others.
		try {
			for (const frame of this.#fromBroker.read(chunk, Number.POSITIVE_INFINITY)) {
				const bytes = this.#keeper.outgoing(frame);
				if (bytes) this.send(bytes);
			}
		} catch (error) {
			this.#broken(error);
		}
		callback();
	}

	override _final(callback: (error?: Error | null) => void): void {
		this.#socket.end();
		callback();
	}

	override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
		clearTimeout(this.#draining);
		const farewell = this.#socket.writable ? this.#keeper.farewell() : undefined;
		if (farewell) this.#socket.write(farewell);
		// What was written last, such as a CONNACK that refuses, may still go out.
		this.#socket.end();
		const socket = this.#socket;
		if (!socket.destroyed) {
			const late = setTimeout(() => socket.destroy(), 1_000);
			socket.once("close", () => clearTimeout(late));
			socket.resume();
		}
		callback(error);
	}

	#receive(chunk: Buffer): void {
		if (this.destroyed) return;
		try {
			for (const frame of this.#fromClient.read(chunk, this.#keeper.maximumPacket)) {
				const bytes = this.#keeper.incoming(frame);
				if (this.destroyed) return;
				if (bytes && !this.push(bytes)) this.#socket.pause();
			}
		} catch (error) {
			this.#broken(error);
		}
	}

	#broken(error: unknown): void {
		if (!(error instanceof FrameError)) throw error;
		this.#keeper.broken(error.message, error.reasonCode);
		this.destroy();
	}
}
