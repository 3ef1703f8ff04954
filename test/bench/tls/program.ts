// Runs in the simulator, under callgrind: one TLS handshake after the other, with the device's own socket on the SDK's TLS. Says
// when a handshake begins and ends, and when the device's own check of the server does, by a call that callgrind notices.

import cases from "bench-tls/cases";
import Timer from "timer";
import { Handshake } from "../../../hosts/moddable/tls/handshake.js";
import { openSocket } from "../../../hosts/moddable/tls/socket.js";

/** What each stretch of instructions was spent on, in the order of the profiles. */
const stretches: string[] = [];

/** Ends a stretch. Nothing else here calls Math.hypot, at which callgrind writes its profile. */
function mark(what: string): void {
	Math.hypot(0, 0);
	stretches.push(what);
}

let handshake = "";
const { received } = Handshake.prototype;
Handshake.prototype.received = function (record) {
	mark(handshake);
	received.call(this, record);
	mark(`${handshake} judging`);
};

function bytesOf(hex: string): Uint8Array {
	const bytes = new Uint8Array(hex.length / 2);
	for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
	return bytes;
}

const { port, plan } = cases;
const roots = cases.roots.map(bytesOf);

function connect(index: number): void {
	const kind = plan[index];
	if (kind === undefined) {
		for (const stretch of stretches) trace(`stretch ${stretch}\n`);
		trace("done\n");
		return;
	}
	const { certificate, key } = cases.clients[kind];
	const credentials = { certificate: bytesOf(certificate), key: bytesOf(key) };
	let open = false;
	mark("between");
	handshake = `${index} ${kind}`;
	const socket = openSocket(
		{
			host: "127.0.0.1",
			port,
			serverName: "127.0.0.1",
			credentials,
			roots,
			onReadable: () => {},
			onWritable: () => {
				if (open) return;
				open = true;
				mark(handshake);
				Timer.set(() => {
					socket.close();
					connect(index + 1);
				});
			},
			onError: ({ reason, message }) => trace(`failed ${kind}: ${reason} (${message})\n`),
		},
		(count) => new Uint8Array(count).map((_, i) => i * 37 + index),
	);
}

connect(0);
