// A TLS connection in memory, as far as the broker looks at one: fast enough for hundreds of streams a second.

import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

/** The client's end of a connection. */
export interface ClientEnd {
	write(bytes: Uint8Array): void;
	/** Sends no more, and takes what still comes. */
	end(): void;
	/** Breaks the connection off. */
	reset(): void;
	/** Takes nothing any more, until `free`. */
	hold(): void;
	free(): void;
	/** Resolves when the connection has ended. */
	readonly closed: Promise<void>;
}

/** What a client does with what it gets. */
export type Take = (bytes: Uint8Array) => void;

/** The broker's end. `pair` gives it with the client's. */
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
		// The other side hangs up, too, unless it has stopped listening.
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
			// As a socket does: not before write() has returned.
			setImmediate(done);
		};
		if (this.#held) this.#waiting = go;
		else go();
	}
}

/** A connection whose client shows this certificate (DER). `take` gets what the client gets. */
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
					// What a real socket's listener throws reaches nobody.
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
