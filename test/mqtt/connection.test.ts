// Edge cases of one connection. The host has only a clock and a socket, whose other end is in the test's hands.

import { generate, type Packet } from "mqtt-packet";
import t from "tap";
import type { Failure } from "../../src/base/failure.js";
import type { Host, SocketOptions } from "../../src/contract/host.js";
import { Connection } from "../../src/mqtt/connection.js";
import { VirtualTime } from "../support/virtual-time.js";

const settle = () => new Promise(setImmediate);

/** A connection that is being opened, and the other end of its socket. */
function open() {
	const time = new VirtualTime();
	const written: Uint8Array[] = [];
	let incoming: Buffer[] = [];
	let options: SocketOptions | undefined;
	let closed = false;
	const host = {
		configuration: { endpoint: "iot.test", template: "t", keepAlive: 60 },
		roots: [],
		timer: time,
		openSocket: (given: SocketOptions) => {
			options = given;
			return {
				read: () => {
					const bytes = incoming.shift();
					return bytes && new Uint8Array(bytes).buffer;
				},
				write: (bytes: Uint8Array) => void written.push(bytes),
				close: () => {
					closed = true;
				},
			};
		},
	} as unknown as Host;
	const credentials = { certificate: new Uint8Array(1), key: new Uint8Array(1) };
	const connection = new Connection(host, { role: "identity", clientId: "thing", credentials, packetLimit: 1000 });
	return {
		time,
		connection,
		written,
		socket: () => options!,
		isClosed: () => closed,
		send: (...packets: Packet[]) => {
			incoming = [Buffer.concat(packets.map((packet) => generate(packet)))];
			options!.onReadable(incoming[0]!.length);
		},
	};
}

const CONNACK: Packet = { cmd: "connack", returnCode: 0, sessionPresent: false };
const message = (messageId: number): Packet => ({
	cmd: "publish",
	topic: "a",
	payload: "x",
	qos: 1,
	messageId,
	dup: false,
	retain: false,
});

async function connected(window: number) {
	const end = open();
	const done = end.connection.open();
	end.socket().onWritable(window);
	await settle();
	end.send(CONNACK);
	await done;
	return end;
}

t.test("given CONNACK, then nothing but CONNECT was sent before it", async (test) => {
	const end = open();
	const done = end.connection.open();
	await settle();
	test.equal(end.written.length, 0, "nothing before TLS is up");
	end.socket().onWritable(1000);
	await settle();
	test.equal(end.written.length, 1);
	test.equal(end.written[0]![0]! >> 4, 1, "CONNECT");
	end.send(CONNACK);
	await done;
	end.connection.close();
	test.same([...end.written.at(-1)!], [0xe0, 0], "DISCONNECT");
	test.ok(end.isClosed());
	test.equal(end.time.advance(), false, "no timer is left");
});

t.test(
	"given a caller that does not wait for CONNACK, then all goes out once TLS is up, CONNECT first",
	async (test) => {
		const end = open();
		const secured = end.connection.secure();
		end.socket().onWritable(1000);
		await secured;
		const opened = end.connection.open();
		const subscribed = end.connection.subscribe(["a"]);
		const published = end.connection.publish("b", "x");
		await settle();
		test.same(
			end.written.map((bytes) => bytes[0]! >> 4),
			[1, 8, 3],
		);
		end.send(CONNACK, { cmd: "suback", messageId: 1, granted: [1] }, { cmd: "puback", messageId: 2 });
		await Promise.all([opened, subscribed, published]);
		end.connection.close();
		test.equal(end.time.advance(), false, "no timer is left");
	},
);

t.test("given TLS that does not come up, then waiting for it ends", async (test) => {
	const end = open();
	const secured = end.connection.secure();
	end.time.advance();
	await test.rejects(secured, { code: "CONNECT_TIMEOUT" });
	const other = open();
	const refused = other.connection.secure();
	other.socket().onError({ reason: "tls-dates", message: "" });
	await test.rejects(refused, { code: "SERVER_DATES" });
});

t.test(
	"given a hang-up before CONNACK, then it is a refusal, unless something else went out that may be the reason",
	async (test) => {
		for (const [more, code] of [
			[false, "IDENTITY_REFUSED"],
			[true, "CONNECTION_LOST"],
		] as const) {
			const end = open();
			end.socket().onWritable(1000);
			const opened = end.connection.open();
			if (more) end.connection.subscribe(["a"]).catch(() => {});
			await settle();
			end.socket().onError({ reason: "closed", message: "" });
			await test.rejects(opened, { code });
		}
	},
);

t.test(
	"given a connection that ends in the read that brought CONNACK, then it is not taken for a good one",
	async (test) => {
		const end = open();
		const done = end.connection.open();
		end.socket().onWritable(1000);
		await settle();
		end.send(CONNACK, { cmd: "connack", returnCode: 0, sessionPresent: false });
		await test.rejects(done, { code: "CONNECTION_LOST" });
		test.equal(end.time.advance(), false, "no timer is left");
	},
);

t.test("given a hundred messages in one read, then each is acknowledged", async (test) => {
	const end = await connected(100_000);
	let seen = 0;
	end.connection.onMessage = () => {
		seen += 1;
	};
	end.written.length = 0;
	end.send(...Array.from({ length: 100 }, (_, i) => message(i + 1)));
	await settle();
	test.equal(seen, 100);
	test.equal(end.written.filter((bytes) => bytes[0]! >> 4 === 4).length, 100);
	test.equal(end.connection.ended, false);
	end.connection.close();
});

t.test(
	"given a socket that takes nothing any more and a queue that is full, then the keep-alive ends the connection",
	async (test) => {
		const end = await connected(100);
		let failure: Failure | undefined;
		end.connection.onEnd = (given) => {
			failure = given;
		};
		const refused = await Promise.allSettled(
			Array.from({ length: 80 }, () => end.connection.publish("a", "x".repeat(50), 0)),
		);
		test.ok(
			refused.some(({ status }) => status === "rejected"),
			"the queue is full",
		);
		while (failure === undefined && end.time.advance()) await settle();
		test.equal(failure?.code, "KEEP_ALIVE_TIMEOUT");
		test.ok(end.connection.ended);
	},
);

t.test(
	"given a malformed packet, a packet ahead of CONNACK, or one that only clients send, then the connection ends so",
	async (test) => {
		const early = open();
		const done = early.connection.open();
		early.socket().onWritable(1000);
		await settle();
		early.send({ cmd: "pingresp" });
		await test.rejects(done, { code: "PROTOCOL_ERROR" });
		for (const packet of [{ cmd: "pingreq" } as const, { ...message(1), qos: 2 } as Packet]) {
			const end = await connected(1000);
			let code: string | undefined;
			end.connection.onEnd = (failure) => {
				code = failure.code;
			};
			end.send(packet);
			test.equal(code, "PROTOCOL_ERROR");
		}
	},
);

t.test(
	"given a connection that ends before CONNACK, then only the end of one whose server is known is a refusal",
	async (test) => {
		for (const [secured, reason, code] of [
			[false, "tls", "TLS_FAILED"],
			[false, "tls-server", "SERVER_UNTRUSTED"],
			[false, "closed", "CONNECTION_LOST"],
			[true, "closed", "IDENTITY_REFUSED"],
			[false, "tls-client", "IDENTITY_REFUSED"],
		] as const) {
			const end = open();
			const done = end.connection.open();
			if (secured) end.socket().onWritable(1000);
			end.socket().onError({ reason, message: "over" });
			await test.rejects(done, { code });
		}
	},
);

t.test("given UNSUBACK, then unsubscribing is done; without one, the connection ends", async (test) => {
	const end = await connected(1000);
	end.written.length = 0;
	const done = end.connection.unsubscribe(["a/+", "b"]);
	await settle();
	const [bytes] = end.written;
	test.equal(bytes![0], 0xa2, "UNSUBSCRIBE");
	// Length, packet id, then each filter behind its length (MQTT 3.1.1, 3.10).
	test.same([...bytes!.subarray(1)], [10, 0, 1, 0, 3, 0x61, 0x2f, 0x2b, 0, 1, 0x62]);
	end.send({ cmd: "unsuback", messageId: 7 } as Packet);
	end.send({ cmd: "unsuback", messageId: 1 } as Packet);
	await done;
	const silent = end.connection.unsubscribe(["b"]);
	end.time.advance();
	await test.rejects(silent, { code: "UNSUBSCRIBE_TIMEOUT" });
	test.ok(end.connection.ended);
});

t.test("given 64 acknowledgements that are waited for, then no more is sent, and a ping still is", async (test) => {
	const end = await connected(100_000);
	const publishes = Array.from({ length: 64 }, () => end.connection.publish("a", ""));
	for (const promise of publishes) promise.catch(() => {});
	await settle();
	await test.rejects(end.connection.publish("a", ""), { code: "SEND_QUEUE_FULL" });
	await test.rejects(end.connection.subscribe(["a"]), { code: "SEND_QUEUE_FULL" });
	await test.rejects(end.connection.unsubscribe(["a"]), { code: "SEND_QUEUE_FULL" });
	end.written.length = 0;
	test.ok(end.time.advance(), "half the keep-alive time passes");
	await settle();
	test.same([...end.written[0]!], [0xc0, 0], "PINGREQ");
	end.send({ cmd: "pingresp" }, { cmd: "puback", messageId: 1 } as Packet);
	end.connection.publish("a", "").catch(() => {});
	await settle();
	test.equal(end.connection.ended, false);
	end.connection.close();
});
