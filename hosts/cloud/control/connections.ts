// How many connections the HTTP server holds: past the limit the longest idle one of whoever has most gives way,
// so that a flood from one peer shuts nobody out. Knows no HTTP beyond "busy" and "idle".

import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Keeps `server` at `limit` connections or fewer. A connection is busy while a complete request head waits for its answer. */
export function limitConnections(server: Server, limit: number): void {
	/** Requests in progress by connection; in the order of last use, so that the first idle one is the longest idle. */
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
