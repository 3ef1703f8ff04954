// A peer for the stand-ins of TCP and TLS: the server's side of the handshake, record by record, and a cloud behind it.

import type { SocketOptions } from "../../../src/contract/host.js";
import type { VirtualCloud } from "../../support/virtual-cloud.js";
import { chain, change, finished, helloDone, type Party, record, serverHello, signed } from "../parties.js";
import type { Peer, Wire } from "./chip.js";

const HEAD = 5;
/** The server name for connections to a VirtualCloud. */
const CLOUD = "iot.test";

/** Splits the bytes that a device sends into records. */
export function records(each: (type: number, body: Buffer) => void): (bytes: Uint8Array) => void {
	let received = Buffer.alloc(0);
	return (bytes) => {
		received = Buffer.concat([received, bytes]);
		while (received.length >= HEAD && received.length >= HEAD + received.readUInt16BE(3)) {
			const end = HEAD + received.readUInt16BE(3);
			const [type, body] = [received[0]!, received.subarray(HEAD, end)];
			received = received.subarray(end);
			each(type, body);
		}
	};
}

/** Performs the handshake as a server with this certificate, and then passes on the data. */
export function serve(
	server: Party,
	open: (wire: Wire, send: (data: Uint8Array) => void) => Peer,
): (wire: Wire) => Peer {
	return (wire) => {
		let change_ = false;
		let behind: Peer | undefined;
		const received = records((type, body) => {
			if (behind) return type === 23 ? behind.received(body) : undefined;
			if (type === 20) change_ = true;
			else if (type === 22 && body[0] === 1 && !change_) {
				wire.send(record(22, serverHello, chain(server.certificate), signed, helloDone));
			} else if (type === 22 && change_) {
				wire.send(change);
				wire.send(finished);
				behind = open(wire, (data) => wire.send(record(23, data)));
			}
		});
		return { received, closed: () => behind?.closed?.() };
	};
}

/** Connects a device to a cloud behind the server. */
export const leadingTo = (cloud: VirtualCloud) => (wire: Wire, send: (data: Uint8Array) => void) => {
	const waiting: Uint8Array[] = [];
	let open = false;
	const socket = cloud.network(
		{
			host: CLOUD,
			port: 8883,
			serverName: CLOUD,
			credentials: { certificate: wire.certificate, key: new Uint8Array() },
			roots: [],
			onReadable() {
				for (let bytes = socket.read(); bytes; bytes = socket.read()) send(new Uint8Array(bytes));
			},
			onWritable() {
				open = true;
				for (const bytes of waiting.splice(0)) socket.write(bytes);
			},
			onError: () => wire.hangUp(),
		} satisfies SocketOptions,
		() => cloud.time.timeOfDay(),
	);
	return {
		received: (bytes: Uint8Array) => (open ? socket.write(bytes.slice()) : void waiting.push(bytes.slice())),
		closed: () => socket.close(),
	} satisfies Peer;
};
