// Given TCP and TLS that behave as the SDK's sources say, then the device's socket reports the end of a connection once,
// with the right reason, and lets no exception escape from a callback.

import "./sdk/install.js";
import { verify, X509Certificate } from "node:crypto";
import t from "tap";
import type { Credentials, Socket, SocketError } from "../../src/contract/host.js";
import { encodeEcKey } from "../../src/identity/ec.js";
import { ecKeyIn } from "../../src/identity/private-key.js";
import { issueCertificate, KEY_KINDS, newKey } from "../support/credentials.js";
import { DAY, issue, names, record, SERVER } from "./parties.js";
import { Chip, machine, type Peer, type Wire } from "./sdk/chip.js";
import { SIGNED } from "./sdk/modules.js";
import { records, serve } from "./sdk/server.js";

const { openSocket } = await import("../../hosts/moddable/tls/socket.js");

const epoch = new Chip().time.timeOfDay();
const valid = { from: epoch / DAY - 1, to: epoch / DAY + 30 };
const root = await issue("Root", undefined, { ca: true, ...valid });
const server = await issue("server", root, { names, ...valid });
const [rsa, ec, ec384] = await Promise.all(
	KEY_KINDS.map(async (kind) => (await issueCertificate(newKey(kind))).credentials),
);

/** The socket's owner. Records its callbacks in order. */
class Owner {
	readonly chip = new Chip();
	readonly told: string[] = [];
	readonly errors: SocketError[] = [];
	socket!: Socket;
	credentials: Credentials = rsa!;
	received = "";
	/** Called additionally at each callback. */
	also = (_what: string): void => {};

	constructor(listener?: (wire: Wire) => Peer) {
		machine.chip = this.chip;
		Object.assign(this.chip, { address: true, associated: true, clockOffset: epoch });
		this.chip.names.set(SERVER, "10.0.0.1");
		this.chip.listener = listener;
	}

	open(host = SERVER): void {
		const tell = (what: string): void => {
			this.told.push(what);
			this.also(what);
		};
		this.socket = openSocket(
			{
				host,
				port: 8883,
				serverName: SERVER,
				credentials: this.credentials,
				roots: [root.certificate],
				onReadable: () => {
					for (let bytes = this.socket.read(); bytes; bytes = this.socket.read())
						this.received += Buffer.from(bytes).toString();
					tell("readable");
				},
				onWritable: () => tell("writable"),
				onError: (error) => {
					this.errors.push(error);
					tell("error");
				},
			},
			(count) => new Uint8Array(count).fill(7),
		);
	}

	/** Writes first, as in MQTT. The SDK's TLS loses data that a server sends together with its Finished message. */
	speak(): void {
		const { also } = this;
		let spoken = false;
		this.also = (what) => {
			if (what === "writable" && !spoken) {
				spoken = true;
				this.socket.write(text("hello"));
			}
			also(what);
		};
	}

	/** Opens the socket, and lets a minute pass. */
	async play(host?: string): Promise<void> {
		this.open(host);
		await this.chip.pass(60_000);
	}
}

/** A peer that is not a TLS server. Calls `atOnce` when it is connected to, and `then` when it receives bytes. */
const strange =
	(atOnce: (wire: Wire) => void, then: (wire: Wire) => void = () => {}) =>
	(wire: Wire): Peer => {
		atOnce(wire);
		return { received: () => then(wire) };
	};
const nothing = (): void => {};
const text = (words: string) => new Uint8Array(Buffer.from(words));
/** A server without faults, and what is behind it. */
const good = (behind: (wire: Wire, send: (data: Uint8Array) => void) => Peer = () => ({ received: nothing })) =>
	serve(server, behind);

const cases: {
	what: string;
	listener?: (wire: Wire) => Peer;
	before?: (owner: Owner) => void;
	host?: string;
	reason: string;
	message: RegExp;
	/** Upper limit in ms of virtual time. */
	within?: number;
}[] = [
	{ what: "nobody there", reason: "connect", message: /no TCP connection/ },
	{
		what: "a name without an address",
		before: ({ chip }) => chip.names.clear(),
		reason: "resolve",
		message: /no address for endpoint\.example\.com/,
	},
	{
		what: "a network that goes after the name was resolved, so that the SDK's constructor throws",
		// An address is not resolved.
		host: "10.0.0.1",
		before: ({ chip }) => void Object.assign(chip, { address: false }),
		reason: "connect",
		message: /no network/,
	},
	{
		what: "a greeting in plain text",
		listener: strange((wire) => wire.send(text("220 mail ready\r\n"))),
		reason: "tls",
		message: /does not speak TLS/,
	},
	{
		what: "an answer in plain text",
		listener: strange(nothing, (wire) => wire.send(text("HTTP/1.1 400 Bad Request\r\n\r\n"))),
		reason: "tls",
		message: /does not speak TLS/,
	},
	{
		what: "plain text shorter than a record's head, by a server that goes on waiting",
		listener: strange(nothing, (wire) => wire.send(text("+OK"))),
		reason: "tls",
		message: /does not speak TLS/,
	},
	{
		what: "a CONNACK in the clear",
		listener: strange(nothing, (wire) => wire.send(Uint8Array.of(0x20, 2, 0, 5))),
		reason: "tls",
		message: /does not speak TLS/,
	},
	{
		what: "a record's type, and then what is no version of TLS",
		listener: strange((wire) => wire.send(Uint8Array.of(22, 4))),
		reason: "tls",
		message: /does not speak TLS/,
	},
	{
		what: "a hang-up at once",
		listener: strange((wire) => wire.hangUp()),
		reason: "tls",
		message: /closed the connection during the handshake/,
	},
	{
		what: "an alert about the client's certificate, from anybody",
		listener: strange(nothing, (wire) => wire.send(record(21, Uint8Array.of(2, 42)))),
		reason: "tls",
		message: /alert: 2, 42: this certificate is refused, by a server not proved yet/,
	},
	{
		what: "an alert about the client's certificate, from the server itself",
		listener: good((wire) => {
			wire.send(record(21, Uint8Array.of(2, 48)));
			return { received: nothing };
		}),
		reason: "tls-client",
		message: /^alert: 2, 48$/,
	},
	{
		what: "a close_notify instead of a hello",
		listener: strange(nothing, (wire) => wire.send(record(21, Uint8Array.of(1, 0)))),
		reason: "tls",
		message: /broke off/,
	},
	{
		what: "a network that is lost in the handshake",
		listener: strange((_wire) => machine.chip.post(() => machine.chip.loseWiFi(), 3)),
		reason: "tls",
		message: /closed the connection during the handshake/,
	},
	{
		what: "a hang-up later",
		listener: good((wire) => {
			wire.hangUp();
			return { received: nothing };
		}),
		reason: "closed",
		message: /closed the connection/,
	},
	{
		what: "a network that is lost later",
		listener: good(() => {
			machine.chip.post(() => machine.chip.loseWiFi(), 30);
			return { received: nothing };
		}),
		reason: "closed",
		message: /closed the connection/,
	},
];

for (const { what, listener, before, host, reason, message, within = 1_000 } of cases) {
	t.test(`given ${what}, the owner hears of it once, at once`, async (t) => {
		const owner = new Owner(listener);
		before?.(owner);
		let at = 0;
		owner.also = (told) => {
			if (told === "error") at = owner.chip.time.ticks();
		};
		await owner.play(host);
		t.match(owner.errors, [{ reason, message }]);
		t.equal(owner.errors.length, 1, "once");
		t.equal(owner.told.at(-1), "error", "and last of all");
		t.ok(at <= within, `after ${at} ms`);
		t.equal(owner.chip.sockets, 0, "no socket is left");
		t.equal(owner.chip.timers, 0, "nor a timer");
		t.same(owner.chip.aborts, []);
	});
}

/** A server without faults that records the CertificateVerify message that it receives. */
function noting(noted: Buffer[]): (wire: Wire) => Peer {
	return (wire) => {
		const peer = good()(wire);
		// Whatever follows ChangeCipherSpec is encrypted: there, a first byte of 15 says nothing.
		let encrypted = false;
		const note = records((type, body) => {
			encrypted ||= type === 20;
			if (!encrypted && type === 22 && body[0] === 15) noted.push(body);
		});
		return {
			received(bytes) {
				note(bytes);
				peer.received(bytes);
			},
		};
	};
}

for (const [kind, credentials] of [
	["P-256", ec],
	["P-384", ec384],
] as const)
	t.test(`given a ${kind} key, the device proves itself with ECDSA, as its certificate says`, async (t) => {
		const noted: Buffer[] = [];
		const owner = new Owner(noting(noted));
		owner.credentials = credentials!;
		await owner.play();
		t.same(owner.errors, []);
		t.equal(noted.length, 1);
		const [message] = noted as [Buffer];
		t.equal(message.readUIntBE(1, 3), message.length - 4);
		t.equal(message.readUInt16BE(4), 0x0403, "ECDSA with SHA-256");
		t.equal(message.readUInt16BE(6), message.length - 8);
		const { publicKey } = new X509Certificate(credentials!.certificate);
		t.ok(verify("sha256", Buffer.from(SIGNED), publicKey, message.subarray(8)));
	});

t.test("given an RSA key, the SDK's own message proves it", async (t) => {
	const noted: Buffer[] = [];
	const owner = new Owner(noting(noted));
	await owner.play();
	t.same(owner.errors, []);
	t.same(
		noted.map((message) => message.readUInt16BE(4)),
		[0x0401],
	);
});

t.test("given a private key that cannot be read, nobody is spoken to, and the owner hears why", async (t) => {
	let spoken = 0;
	const owner = new Owner(strange(nothing, () => void spoken++));
	owner.credentials = { ...ec!, key: ec!.key.slice(0, -1) };
	await owner.play();
	t.match(owner.errors, [{ reason: "tls", message: /^this device's private key: DER/ }]);
	t.equal(spoken, 0);
	t.same(owner.chip.aborts, []);
});

t.test("given a private key with another's point, the owner hears that it did not sign", async (t) => {
	const owner = new Owner(good());
	const key = ecKeyIn(ec!.key)!;
	const other = ecKeyIn((await issueCertificate(newKey("P-256"))).credentials.key)!;
	owner.credentials = { ...ec!, key: encodeEcKey({ ...key, point: other.point }) };
	await owner.play();
	t.match(owner.errors, [{ reason: "tls", message: "the signature does not verify" }]);
	t.same(owner.chip.aborts, []);
});

t.test("given data ahead of a hang-up, they are read first", async (t) => {
	const owner = new Owner(
		good((wire, send) => ({
			received() {
				send(text("first "));
				send(text("second "));
				send(text("third"));
				wire.hangUp();
			},
		})),
	);
	owner.speak();
	await owner.play();
	t.equal(owner.received, "first second third");
	t.match(owner.errors, [{ reason: "closed" }]);
	t.same(owner.chip.aborts, []);
});

t.test("given an open connection, bytes go both ways, as many as are allowed", async (t) => {
	const heard: Uint8Array[] = [];
	const owner = new Owner(
		good((_wire, send) => ({
			received: (bytes) => {
				heard.push(bytes);
				send(text("echo"));
			},
		})),
	);
	owner.also = (what) => {
		if (what !== "writable" || heard.length > 0) return;
		t.throws(() => owner.socket.write(new Uint8Array(100_000)), /more written than/);
		owner.socket.write(text("hello"));
	};
	await owner.play();
	t.same(Buffer.concat(heard).toString(), "hello");
	t.equal(owner.received, "echo");
	owner.socket.close();
	owner.socket.close();
	await owner.chip.pass(1_000);
	t.equal(owner.chip.sockets, 0);
	t.same(owner.errors, [], "the owner's own hang-up is no error");
	t.same(owner.chip.aborts, []);
});

t.test(
	"given an owner that closes in a callback, or throws there, nothing comes after it and nothing leaves it",
	async (t) => {
		const chatty = good((wire, send) => ({
			received() {
				send(text("data"));
				wire.hangUp();
			},
		}));
		for (const when of ["writable", "readable", "error"]) {
			const closing = new Owner(chatty);
			closing.also = (what) => {
				if (what === when) closing.socket.close();
			};
			closing.speak();
			await closing.play();
			t.equal(closing.told.indexOf(when), closing.told.length - 1, `closed when ${when}`);
			const throwing = new Owner(chatty);
			throwing.also = (what) => {
				if (what === when) throw new Error("the owner");
			};
			throwing.speak();
			await throwing.play();
			t.equal(throwing.errors.length, 1, `thrown when ${when}`);
			for (const { chip } of [closing, throwing]) {
				t.equal(chip.sockets, 0);
				t.same(chip.aborts, []);
			}
		}
	},
);

t.test("given a close at any moment, no callback comes after it", async (t) => {
	for (let moment = 0; moment < 300; moment += 5) {
		const owner = new Owner(good((_wire, send) => ({ received: () => send(text("echo")) })));
		owner.open();
		await owner.chip.pass(moment);
		owner.socket.close();
		const { length } = owner.told;
		await owner.chip.pass(10_000);
		t.equal(owner.told.length, length, `closed after ${moment} ms`);
		t.equal(owner.chip.sockets, 0);
		t.same(owner.chip.aborts, []);
	}
});

t.test("given localhost, no name server is asked", async (t) => {
	const owner = new Owner();
	const asked: string[] = [];
	owner.chip.listener = (_wire, address) => {
		asked.push(address);
		return undefined;
	};
	await owner.play("localhost");
	t.same(asked, ["127.0.0.1"]);
});
