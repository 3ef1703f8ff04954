// Stands between a client's socket and the MQTT broker: passes on only whole packets that its keeper allows, and bounds how much
// a slow client can make the cloud hold. Never looks into a payload.

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type Failed, guarded, LONGEST_TIMER } from "../base/guard.js";
import { FrameError, FrameReader, isQos0Publish } from "./frames.js";

/** Decides which packets pass a gate, and sets its bounds. */
export interface GateKeeper {
	/** Largest packet that is accepted, bytes. */
	readonly maximumPacket: number;
	/** Most bytes that may wait for the client. Beyond half of them messages with QoS 0 are left out; beyond all, the gate closes. */
	readonly maximumOutgoing: number;
	/** How long they may wait, ms. */
	readonly drainTimeout: number;
	/** What the broker gets for a packet from the client, if anything. May close the gate. @throws FrameError to have it closed */
	incoming(frame: Buffer): Buffer | undefined;
	/** What the client gets for a packet from the broker, if anything. */
	outgoing(frame: Buffer): Buffer | undefined;
	/** The client broke the protocol (with a reason code of MQTT 5, if known), or reads too slowly. The gate closes. */
	broken(explanation: string, code?: number): void;
	/** From now on messages with QoS 0 are left out, until the client has read what waits for it. */
	slow(): void;
	/** Called with an unexpected error in the handling of this connection. The keeper ends the connection. */
	readonly failed: Failed;
	/** The last packet that the client gets, if any. */
	farewell(): Buffer | undefined;
}

/** The broker's side of a connection. */
export class Gate extends Duplex {
	readonly #socket: TLSSocket;
	readonly #keeper: GateKeeper;
	readonly #fromClient = new FrameReader();
	readonly #fromBroker = new FrameReader();
	#draining: NodeJS.Timeout | undefined;
	#leavingOut = false;
	#holding = false;

	constructor(socket: TLSSocket, keeper: GateKeeper) {
		// No high-water mark: `send` bounds what may wait, at the socket. If the broker had to wait for one client, the messages to
		// all others would wait as well, without a bound.
		super({ allowHalfOpen: false, writableHighWaterMark: Number.MAX_SAFE_INTEGER });
		this.#socket = socket;
		this.#keeper = keeper;
		const on = <A extends unknown[]>(event: string, handler: (...args: A) => void) =>
			socket.on(event, guarded(`the socket's ${event}`, keeper.failed, handler) as (...args: unknown[]) => void);
		on("data", (chunk: Buffer) => this.takeFrames(this.#fromClient.read(chunk, keeper.maximumPacket)));
		on("end", () => this.push(null));
		// The broker learns only that the connection has ended. It could do nothing about the reason.
		on("error", () => this.destroy());
		on("close", () => this.destroy());
		on("drain", () => {
			clearTimeout(this.#draining);
			this.#draining = undefined;
			this.#leavingOut = false;
		});
	}

	/** Keeps the broker's errors in this connection: all that it does for the connection, it does in events of this stream. */
	override emit(event: string | symbol, ...args: unknown[]): boolean {
		const emit = guarded(`the broker's ${String(event)}`, this.#keeper.failed, () =>
			super.emit(event as "data", ...(args as [unknown])),
		);
		return emit() ?? true;
	}

	/** Sends bytes to the client without the broker, as long as the gate is open. */
	send(bytes: Uint8Array): void {
		if (!this.#socket.writable) return;
		const { maximumOutgoing, drainTimeout, failed } = this.#keeper;
		const waiting = this.#socket.writableLength;
		if (waiting > maximumOutgoing / 2 && isQos0Publish(bytes)) {
			if (!this.#leavingOut) this.#keeper.slow();
			this.#leavingOut = true;
			return;
		}
		if (waiting > maximumOutgoing) {
			this.#keeper.broken("The client does not take what is sent to it: too much is waiting.");
			this.destroy();
			return;
		}
		if (this.#socket.write(bytes)) return;
		const late = () => {
			this.#keeper.broken("The client takes nothing from its socket.");
			this.#socket.destroy();
		};
		this.#draining ??= setTimeout(
			guarded("the wait for the client", failed, late),
			Math.min(drainTimeout, LONGEST_TIMER),
		);
	}

	/** Takes nothing more off the client's socket until `release`, but for what has already come off it. */
	hold(): void {
		if (this.destroyed) return;
		this.#holding = true;
		this.#socket.pause();
	}

	release(): void {
		if (!this.#holding) return;
		this.#holding = false;
		this.#socket.resume();
	}

	override _read(): void {
		if (!this.#holding) this.#socket.resume();
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
		const socket = this.#socket;
		guarded("the end", this.#keeper.failed, () => {
			const farewell = socket.writable ? this.#keeper.farewell() : undefined;
			if (farewell) socket.write(farewell);
			// What was written last, such as a CONNACK that refuses, still has time to go out.
			socket.end();
			if (socket.destroyed) return;
			const late = setTimeout(() => socket.destroy(), 1_000);
			socket.once("close", () => clearTimeout(late));
			socket.resume();
		})();
		callback(error);
	}

	/** Takes packets from the client, as if they came now. */
	takeFrames(frames: Iterable<Buffer>): void {
		if (this.destroyed) return;
		try {
			for (const frame of frames) {
				const bytes = this.#keeper.incoming(frame);
				if (this.destroyed) return;
				if (bytes && !this.push(bytes)) this.#socket.pause();
			}
		} catch (error) {
			this.#broken(error);
		}
	}

	#broken(error: unknown): void {
		if (!(error instanceof FrameError)) {
			this.#keeper.failed("a packet", error);
			return;
		}
		this.#keeper.broken(error.message, error.reasonCode);
		this.destroy();
	}
}
