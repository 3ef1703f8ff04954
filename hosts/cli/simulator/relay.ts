// The network between a device and a cloud: a TCP relay that can be cut, or swallow everything, and be whole again. Reads nothing
// of what it passes on.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * - `up`: passes everything on.
 * - `down`: nobody answers, and what was connected is cut.
 * - `hang`: connections are taken and kept, and nothing arrives.
 */
export type Network = "up" | "down" | "hang";

/** Where to. */
export interface RelayOptions {
	readonly host: string;
	readonly port: number;
}

/** A relay on the loopback address. */
export class Relay {
	/** Where it listens, up or not. */
	readonly port: number;
	readonly #to: RelayOptions;
	#server: Server | undefined;
	#network: Network = "up";
	readonly #pairs = new Set<Pair>();

	private constructor(to: RelayOptions, server: Server) {
		this.#to = to;
		this.#server = server;
		this.port = addressOf(server).port;
		server.on("connection", (socket) => this.#accept(socket));
	}

	static async open(to: RelayOptions): Promise<Relay> {
		return new Relay(to, await listen(0));
	}

	get network(): Network {
		return this.#network;
	}

	/** Settles when it is so. @throws the system's error when somebody else has taken the port in the meantime */
	async change(network: Network): Promise<void> {
		this.#network = network;
		if (network === "down") {
			this.#close();
			return;
		}
		if (this.#server === undefined) {
			this.#server = await listen(this.port);
			this.#server.on("connection", (socket) => this.#accept(socket));
		}
		for (const pair of this.#pairs) pair.pass(network === "up");
	}

	close(): void {
		this.#network = "down";
		this.#close();
	}

	#close(): void {
		this.#server?.close();
		this.#server = undefined;
		for (const pair of this.#pairs) pair.cut();
	}

	#accept(near: Socket): void {
		const pair = new Pair(near, this.#to, () => this.#pairs.delete(pair));
		this.#pairs.add(pair);
		pair.pass(this.#network === "up");
	}
}

/** One connection of a device, and the one to the cloud behind it. */
class Pair {
	readonly #near: Socket;
	readonly #to: RelayOptions;
	readonly #onEnd: () => void;
	/** Made only when the network lets it. */
	#far: Socket | undefined;

	constructor(near: Socket, to: RelayOptions, onEnd: () => void) {
		this.#near = near;
		this.#to = to;
		this.#onEnd = onEnd;
		near.pause();
		near.on("error", () => this.cut());
		near.on("close", () => this.cut());
	}

	/** Passes on what comes, or holds it back. */
	pass(open: boolean): void {
		if (!open) {
			this.#near.pause();
			this.#far?.pause();
			return;
		}
		if (this.#far === undefined) {
			const far = connect({ ...this.#to, allowHalfOpen: true });
			this.#far = far;
			far.on("error", () => this.cut());
			far.on("close", () => this.cut());
			join(this.#near, far);
			join(far, this.#near);
		}
		this.#near.resume();
		this.#far.resume();
	}

	cut(): void {
		this.#near.destroy();
		this.#far?.destroy();
		this.#onEnd();
	}
}

/** Not `pipe`, which would let what was held back go on as soon as the other side has drained. */
function join(from: Socket, to: Socket): void {
	from.on("data", (bytes) => to.write(bytes));
	from.on("end", () => to.end());
}

function listen(port: number): Promise<Server> {
	return new Promise((resolve, reject) => {
		const server = createServer({ allowHalfOpen: true });
		server.once("error", reject);
		server.listen(port, "127.0.0.1", () => resolve(server));
	});
}

/** Where a server listens on TCP. */
export const addressOf = (server: Server): AddressInfo => server.address() as AddressInfo;
