// Given a server, or somebody in its place, that breaks off a connection, then the Node host says that the server refused this
// device's certificate only when the server was authenticated.

import { KeyObject } from "node:crypto";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import t, { type Test } from "tap";
import { openTlsSocket } from "../../hosts/node/socket.js";
import type { SocketError } from "../../src/contract/host.js";
import { issue, type Party, RSA, record } from "../moddable/parties.js";

const key = ({ keys }: Party, format: "pem" | "der") =>
	KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: format as "pem" });
const pem = ({ certificate }: Party) =>
	`-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64")}\n-----END CERTIFICATE-----\n`;

const root = await issue("Root", undefined, { ca: true });
const server = await issue("server", root, { names: [{ type: "ip", value: "127.0.0.1" }] });
const device = await issue("device", root, { algorithm: RSA });
const stranger = await issue("Stranger", undefined, { ca: true });

/** How a connection to that port ends. */
const ending = (port: number) =>
	new Promise<SocketError>((resolve) => {
		openTlsSocket(
			{
				...{ host: "127.0.0.1", serverName: "127.0.0.1", port, roots: [root.certificate] },
				credentials: { certificate: device.certificate, key: new Uint8Array(key(device, "der") as unknown as Buffer) },
				onReadable: () => {},
				onWritable: () => {},
				onError: resolve,
			},
			Date.now,
		);
	});

async function afterHello(t: Test, answer: (socket: Socket) => void): Promise<SocketError> {
	const listener = createServer((socket) => {
		socket.on("error", () => {});
		socket.once("data", () => answer(socket));
	});
	await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
	t.teardown(() => listener.close());
	return ending((listener.address() as AddressInfo).port);
}

async function refusedBy(t: Test, options: TlsOptions): Promise<SocketError> {
	const listener = createTlsServer({
		...{ cert: pem(server), key: key(server, "pem"), ca: pem(stranger), requestCert: true, rejectUnauthorized: true },
		...options,
	});
	await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
	t.teardown(() => listener.close());
	return ending((listener.address() as AddressInfo).port);
}

for (const alert of [40, 42, 43, 44, 45, 46, 48, 49]) {
	t.test(`alert ${alert} in place of a hello is anybody's`, async (t) => {
		const error = await afterHello(t, (socket) => socket.end(record(21, Uint8Array.of(2, alert))));
		t.equal(error.reason, "tls");
	});
}

t.test("plain text and hang-ups are no refusal", async (t) => {
	t.equal((await afterHello(t, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))).reason, "tls");
	t.equal((await afterHello(t, (socket) => socket.end())).reason, "closed");
	t.equal((await afterHello(t, (socket) => socket.resetAndDestroy())).reason, "closed");
});

t.test(
	"in TLS 1.3 the server is authenticated by the time it refuses the certificate, in TLS 1.2 it is not",
	async (t) => {
		const modern = await refusedBy(t, { minVersion: "TLSv1.3" });
		t.match(modern.reason, /^(tls-client|closed)$/, modern.message);
		const older = await refusedBy(t, { maxVersion: "TLSv1.2" });
		t.match(older.reason, /^(tls|closed)$/, older.message);
	},
);
