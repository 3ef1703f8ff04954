// Bounds what one peer can ask of the HTTP server at once. A connection's requests are answered one after the other. Past the
// limit of connections, the peer with the most of them loses its longest idle one, so that a flood shuts nobody else out.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Answers the requests of a connection one after the other, each when the client has read the answer before: a client that
 * sends many requests and reads nothing gets one answer. A connection with more than `most` waiting requests is dropped.
 */
export function oneAfterTheOther(answer: Answer, most: number): Answer {
	const queues = new WeakMap<Socket, { waiting: number; last: Promise<void> }>();
	return async (request, response) => {
		const { socket } = request;
		const queue = queues.get(socket) ?? { waiting: 0, last: Promise.resolve() };
		queues.set(socket, queue);
		if (socket.destroyed) return;
		if (queue.waiting >= most) {
			socket.destroy();
			return;
		}
		queue.waiting++;
		const before = queue.last;
		// The next one waits a turn of the event loop, in which the other connections are served.
		queue.last = new Promise((resolve) => response.once("close", () => setImmediate(resolve)));
		await before;
		queue.waiting--;
		if (!socket.destroyed) await answer(request, response);
	};
}

/** Keeps `server` at `limit` connections or fewer. A connection is busy while a complete request head waits for its answer. */
export function limitConnections(server: Server, limit: number): void {
	/** Number of requests in progress by connection, in the order of last use: the first idle one has been idle longest. */
	const busy = new Map<Socket, number>();

	server.on("connection", (socket: Socket) => {
		busy.set(socket, 0);
		socket.once("close", () => busy.delete(socket));
		if (busy.size > limit) giveWay(socket);
	});
	server.on("request", ({ socket }: { socket: Socket }, response: ServerResponse) => {
		touch(socket, +1);
		response.once("close", () => touch(socket, -1));
	});

	function touch(socket: Socket, change: number): void {
		const requests = busy.get(socket);
		if (requests === undefined) return;
		busy.delete(socket);
		busy.set(socket, requests + change);
	}

	function giveWay(newcomer: Socket): void {
		const counts = new Map<string | undefined, number>();
		for (const { remoteAddress } of busy.keys()) counts.set(remoteAddress, (counts.get(remoteAddress) ?? 0) + 1);
		let victim: Socket | undefined;
		let most = 0;
		for (const [socket, requests] of busy) {
			const count = counts.get(socket.remoteAddress)!;
			if (socket !== newcomer && requests === 0 && count > most) {
				victim = socket;
				most = count;
			}
		}
		(victim ?? newcomer).destroy();
	}
}
