// A TLS connection in memory, with everything that the broker uses of one: fast enough for hundreds of streams a second.

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

/** The client's end of a connection. */
export interface ClientEnd {
	write(bytes: Uint8Array): void;
	/** Stops sending, and still receives. */
	end(): void;
	/** Resets the connection. */
	reset(): void;
	/** Stops reading until `free`. */
	hold(): void;
	free(): void;
	/** Resolves when the connection has ended. */
	readonly closed: Promise<void>;
}

/** Called with what a client receives. */
export type Take = (bytes: Uint8Array) => void;

/** The broker's end. `pair` returns it together with the client's. */
class MemorySocket extends Duplex {
	readonly servername = "fuzz.invalid";
	readonly alpnProtocol = false;
	readonly remoteAddress = "127.0.0.1";
	readonly #certificate: Buffer | undefined;
	readonly #take: Take;
	#held = false;
	#waiting: (() => void) | undefined;

	constructor(certificate: Buffer | undefined, take: Take) {
		super({ allowHalfOpen: false });
		this.#certificate = certificate;
		this.#take = take;
		this.on("error", () => {});
	}

	getPeerX509Certificate(): { readonly raw: Buffer } | undefined {
		return this.#certificate && { raw: this.#certificate };
	}

	hold(): void {
		this.#held = true;
	}

	free(): void {
		this.#held = false;
		const waiting = this.#waiting;
		this.#waiting = undefined;
		waiting?.();
	}

	override _read(): void {}

	override _write(chunk: Buffer, _encoding: string, done: () => void): void {
		this.#deliver([chunk], done);
	}

	override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
		this.#deliver(
			chunks.map(({ chunk }) => chunk),
			done,
		);
	}

	override _final(done: () => void): void {
		done();
		// The other side closes its end as well, unless it has stopped reading.
		setImmediate(() => {
			if (!this.#held && !this.readableEnded && !this.destroyed) this.push(null);
		});
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.#waiting = undefined;
		done(error);
	}

	#deliver(chunks: readonly Buffer[], done: () => void): void {
		const go = () => {
			for (const chunk of chunks) this.#take(chunk);
			// Like a real socket, not before write() has returned.
			setImmediate(done);
		};
		if (this.#held) this.#waiting = go;
		else go();
	}
}

/** A connection whose client uses this certificate (DER). `take` is called with what the client receives. */
export function pair(
	certificate: Buffer | undefined,
	take: Take,
): { readonly socket: TLSSocket; readonly client: ClientEnd } {
	const socket = new MemorySocket(certificate, take);
	let ended = false;
	const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
	return {
		socket: socket as unknown as TLSSocket,
		client: {
			closed,
			write: (bytes) => {
				if (ended || socket.destroyed) return;
				try {
					socket.push(Buffer.from(bytes));
				} catch (error) {
					// With a real socket, no caller gets an exception of a listener.
					setImmediate(() => {
						throw error;
					});
				}
			},
			end: () => {
				socket.free();
				if (!ended && !socket.destroyed) socket.push(null);
				ended = true;
			},
			reset: () => {
				socket.free();
				socket.destroy(new Error("ECONNRESET"));
			},
			hold: () => socket.hold(),
			free: () => socket.free(),
		},
	};
}
