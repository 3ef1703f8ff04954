// Stands between a client's socket and the MQTT broker: hands on whole packets only, as many as may be, and bounds what a
// slow client can make the cloud hold. Never looks into a payload.

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type Failed, guarded, longestTimer } from "../base/guard.js";
import { FrameError, FrameReader, isQos0Publish } from "./frames.js";

/** Decides over packets, and sets the bounds. */
export interface GateKeeper {
	/** Largest packet taken, bytes. */
	readonly maximumPacket: number;
	/**
	 * Most that may wait to be taken by the client, bytes: from half of it on, messages with QoS 0 are left out; beyond it the
	 * gate closes. And how long it may wait, ms.
	 */
	readonly maximumOutgoing: number;
	readonly drainTimeout: number;
	/** What the broker gets for a packet of the client, if anything. May close the gate. Throws FrameError to have it closed. */
	incoming(frame: Buffer): Buffer | undefined;
	/** What the client gets for a packet of the broker, if anything. */
	outgoing(frame: Buffer): Buffer | undefined;
	/** The client broke the protocol (with a reason code of MQTT 5, if known), or takes too long; the gate closes. */
	broken(explanation: string, code?: number): void;
	/** Messages with QoS 0 are left out from now on, until the client takes what waits for it. */
	slow(): void;
	/** Handling this connection has gone wrong in a way that nobody thought of; the keeper ends it. */
	readonly failed: Failed;
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
	#leavingOut = false;

	constructor(socket: TLSSocket, keeper: GateKeeper) {
		// No high-water mark: what may wait is bounded at the socket, by `send`. Were the broker told to wait for one client, all
		// messages to the others would wait with it, without a bound.
		super({ allowHalfOpen: false, writableHighWaterMark: Number.MAX_SAFE_INTEGER });
		this.#socket = socket;
		this.#keeper = keeper;
		const on = <A extends unknown[]>(event: string, handler: (...args: A) => void) =>
			socket.on(event, guarded(`the socket's ${event}`, keeper.failed, handler) as (...args: unknown[]) => void);
		on("data", (chunk: Buffer) => this.#receive(chunk));
		on("end", () => this.push(null));
		// The broker learns of the end only; why it ended is nothing that it could help.
		on("error", () => this.destroy());
		on("close", () => this.destroy());
		on("drain", () => {
			clearTimeout(this.#draining);
			this.#draining = undefined;
			this.#leavingOut = false;
		});
	}

	/** Everything that the broker does for this connection, it does in events of this stream: none of its errors goes further. */
	override emit(event: string | symbol, ...args: unknown[]): boolean {
		const emit = guarded(`the broker's ${String(event)}`, this.#keeper.failed, () =>
			super.emit(event as "data", ...(args as [unknown])),
		);
		return emit() ?? true;
	}

	/** Sends bytes past the broker, so long as the gate is open. */
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
			this.#keeper.broken("The client does not take what is sent to it.");
			this.destroy();
			return;
		}
		if (this.#socket.write(bytes)) return;
		const late = () => {
			this.#keeper.broken("The client takes nothing off its socket.");
			this.#socket.destroy();
		};
		this.#draining ??= setTimeout(
			guarded("the wait for the client", failed, late),
			Math.min(drainTimeout, longestTimer),
		);
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
		const socket = this.#socket;
		guarded("the end", this.#keeper.failed, () => {
			const farewell = socket.writable ? this.#keeper.farewell() : undefined;
			if (farewell) socket.write(farewell);
			// What was written last, such as a CONNACK that refuses, may still go out.
			socket.end();
			if (socket.destroyed) return;
			const late = setTimeout(() => socket.destroy(), 1_000);
			socket.once("close", () => clearTimeout(late));
			socket.resume();
		})();
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
		if (!(error instanceof FrameError)) {
			this.#keeper.failed("a packet", error);
			return;
		}
		this.#keeper.broken(error.message, error.reasonCode);
		this.destroy();
	}
}
