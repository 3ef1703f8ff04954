// What stands between clients and cloud on loopback: a proxy that delays, and a wiretap that sees the MQTT packets inside TLS.
// Both treat every client alike, and change no byte.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { type ConnectionCost, Wire } from "../../hosts/cli/wire.js";

/** Passes on bytes in order, each `delay` ms after it came, and none before `notBefore` (performance.now). */
function delayLine(
	from: Duplex,
	to: Duplex,
	{ delay, notBefore = 0 }: { readonly delay: number; readonly notBefore?: number },
	count: { readonly coming?: (bytes: Buffer) => void; readonly going?: (bytes: Buffer) => void },
): void {
	let last = notBefore;
	const later = (work: () => void): void => {
		const now = performance.now();
		last = Math.max(last, now + delay);
		if (last <= now) return work();
		setTimeout(() => to.destroyed || work(), last - now);
	};
	from.on("data", (bytes: Buffer) => {
		count.coming?.(bytes);
		later(() => {
			count.going?.(bytes);
			to.write(bytes);
		});
	});
	from.on("end", () => later(() => to.end()));
	// Whoever fails takes the other with it; why, both sides tell themselves.
	from.on("error", () => to.destroy());
	from.on("close", () => later(() => to.destroy()));
}

/** Something that listens on loopback in front of a cloud. */
export interface Relay {
	readonly port: number;
	close(): void;
}

async function listening(server: Server, open: Set<Socket>): Promise<Relay> {
	server.on("connection", (socket) => {
		open.add(socket.setNoDelay(true));
		socket.on("close", () => open.delete(socket));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		port: (server.address() as AddressInfo).port,
		close() {
			server.close();
			for (const socket of open) socket.destroy();
		},
	};
}

/** Bytes over TCP, TLS included. */
export interface WireBytes {
	sent: number;
	received: number;
}

/**
 * A proxy to `port` with `delay` ms in each direction. A TCP connection is accepted at once, as the system does that, and
 * so the client's first bytes wait for a round trip more: what SYN and SYN-ACK would have taken.
 */
export function startDelay(port: number, delay: number, bytes: WireBytes): Promise<Relay> {
	const open = new Set<Socket>();
	const server = createServer((client) => {
		const cloud = connect(port, "127.0.0.1").setNoDelay(true);
		const up = ({ length }: Buffer) => {
			bytes.sent += length;
		};
		const down = ({ length }: Buffer) => {
			bytes.received += length;
		};
		delayLine(client, cloud, { delay, notBefore: performance.now() + 3 * delay }, { coming: up });
		delayLine(cloud, client, { delay }, { going: down });
	});
	return listening(server, open);
}

/** What a wiretap needs to stand between: the cloud's identity towards clients, the claim's towards the cloud. PEM. */
export interface Keys {
	readonly server: { readonly key: string; readonly cert: string };
	readonly claim: { readonly key: string; readonly cert: string };
	readonly ca: string;
}

/** What was seen of one connection. */
export interface Seen extends ConnectionCost {
	/** Version of TLS that the client agreed to. */
	readonly tls: string;
	/** The client has hung up: this is all. */
	complete: boolean;
}

/** A wiretap to `port` that delays like `startDelay`, so that packets of one flight are told from those of the next. */
export async function startWiretap(
	port: number,
	delay: number,
	keys: Keys,
): Promise<Relay & { readonly seen: Seen[] }> {
	const seen: Seen[] = [];
	const open = new Set<Socket>();
	const server = createTlsServer({ ...keys.server, requestCert: true, rejectUnauthorized: false }, (client) => {
		const cloud = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: keys.ca, ...keys.claim });
		cloud.setNoDelay(true);
		const wire = new Wire();
		wire.begin("claim");
		const cost: Seen = Object.assign(wire.connections[0]!, { tls: client.getProtocol() ?? "none", complete: false });
		seen.push(cost);
		client.on("close", () => {
			cost.complete = true;
		});
		// Both are counted at the client's end: what it sent before it could know is one flight.
		delayLine(client, cloud, { delay }, { coming: (bytes) => wire.sent(bytes) });
		delayLine(cloud, client, { delay }, { going: (bytes) => wire.received(bytes) });
	});
	return Object.assign(await listening(server, open), { seen });
}
