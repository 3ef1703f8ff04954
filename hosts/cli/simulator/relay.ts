// The network between a device and a cloud: a TCP relay that can be cut, can swallow all data, and can be restored. Does not
// look at the data.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * - `up`: forwards everything.
 * - `down`: refuses connections, and cuts existing ones.
 * - `hang`: accepts and keeps connections, but forwards nothing.
 */
export type Network = "up" | "down" | "hang";

/** Where to forward connections. */
export interface RelayOptions {
	readonly host: string;
	readonly port: number;
}

/** A relay on the loopback address. */
export class Relay {
	/** The port, which stays the same in every state. */
	readonly port: number;
	#to: RelayOptions;
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

	/** Leads connections that are made from now on to another server. */
	lead(to: RelayOptions): void {
		this.#to = to;
	}

	/**
	 * Settles when the change has taken effect. @throws the system's error when another program has taken the port in the
	 * meantime
	 */
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

/** A connection from a device, together with the relay's connection to the cloud. */
class Pair {
	readonly #near: Socket;
	readonly #to: RelayOptions;
	readonly #onEnd: () => void;
	/** Opened only once the network is up. */
	#far: Socket | undefined;

	constructor(near: Socket, to: RelayOptions, onEnd: () => void) {
		this.#near = near;
		this.#to = to;
		this.#onEnd = onEnd;
		near.pause();
		near.on("error", () => this.cut());
		near.on("close", () => this.cut());
	}

	/** Forwards data, or holds it back. */
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

/** Does not use `pipe`, which would resume a paused socket as soon as the other side has drained. */
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

/** The TCP address on which a server listens. */
export const addressOf = (server: Server): AddressInfo => server.address() as AddressInfo;
