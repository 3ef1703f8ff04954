// Bad bytes, slow and half-open clients, floods: the cloud goes on answering the others, and forgets nothing but them.

import { type Socket, connect as tcpConnect } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import t from "tap";
import { makeRequest } from "./csr.js";
import {
	connect,
	eventually,
	exchange,
	identity,
	last,
	type PemCredentials,
	type Rig,
	startRig,
	subscribeToReplies,
	topics,
} from "./rig.js";

const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }] };

/** Numbers that look random and are the same each time. */
function* numbers(seed: number): Generator<number, never> {
	for (let state = seed; ; ) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		yield state / 2 ** 32;
	}
}

function secure(rig: Rig, { certificatePem, privateKeyPem }: PemCredentials): Promise<TLSSocket> {
	return new Promise((resolve, reject) => {
		const socket = tlsConnect(
			{
				host: rig.cloud.host,
				port: rig.cloud.port,
				servername: rig.cloud.endpoint,
				ca: rig.cloud.rootCertificate,
				cert: certificatePem,
				key: privateKeyPem,
			},
			() => resolve(socket),
		);
		socket.on("error", reject);
	});
}

const ended = (socket: Socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()).resume());

/** A whole provisioning, as proof that the cloud still does its work. */
async function provision(rig: Rig, serial: string): Promise<boolean> {
	const client = await connect(rig, rig.claim, `claim-${serial}`);
	await subscribeToReplies(client, topics.create("json"), topics.register("json"));
	const { payload } = await exchange(client, topics.create("json"), "");
	const { certificateOwnershipToken } = JSON.parse(payload.toString());
	const parameters = { SerialNumber: serial };
	const reply = await exchange(
		client,
		topics.register("json"),
		JSON.stringify({ certificateOwnershipToken, parameters }),
	);
	await client.endAsync();
	return reply.accepted;
}

t.test("Bytes that are no MQTT end their own connection and nothing else", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const good = Buffer.from([0x10, 15, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 3, 0x72, 0x61, 0x77]);
	const cases: Buffer[] = [
		Buffer.from("GET / HTTP/1.1\r\n\r\n"),
		Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff]),
		Buffer.concat([good, Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])]),
		Buffer.concat([good, Buffer.from([0x30, 2, 0xff, 0xff])]),
		Buffer.concat([good, Buffer.from([0x36, 4, 0, 1, 0x61, 0])]),
		Buffer.concat([good, Buffer.from([0x82, 5, 0, 1, 0, 9, 0x61])]),
		Buffer.concat([good, Buffer.from([0xf0, 0])]),
		Buffer.concat([good, Buffer.from([0x20, 2, 0, 0])]),
		Buffer.concat([good, Buffer.from([0x62, 2, 0, 1])]),
		Buffer.from([0x10, 0]),
		Buffer.from([0x10, 2, 0, 0]),
	];
	const random = numbers(7);
	const five = Buffer.from([0x10, 16, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 3, 0x72, 0x61, 0x77]);
	for (let index = 0; index < 120; index++) {
		const bytes = Buffer.from(index < 60 ? good : five);
		const noise = Buffer.from(Array.from({ length: 40 }, () => Math.floor(random.next().value * 256)));
		if (index % 2) bytes[Math.floor(random.next().value * bytes.length)]! ^= 1 << Math.floor(random.next().value * 8);
		cases.push(Buffer.concat([bytes, noise]));
	}
	for (const bytes of cases) {
		const socket = await secure(rig, rig.claim);
		socket.on("error", () => {});
		socket.write(bytes);
		socket.end();
		await ended(socket);
	}
	t.ok(await provision(rig, "after-noise"));
	t.equal(rig.cloud.connections(), 0, "and none of them is left");
});

t.test("Requests of every malformed kind are rejected, and the next is answered", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const claim = await connect(rig, rig.claim, "fuzz");
	const requests = [topics.csr("cbor"), topics.register("cbor"), topics.register("json")];
	for (const request of requests) await subscribeToReplies(claim, request);
	rig.cloud.changeSettings({ throttle: { RegisterThing: null }, connection: { publishesPerSecond: 0 } });
	const random = numbers(11);
	for (const request of requests) {
		const payloads = [
			"81".repeat(60_000),
			"9fff",
			"bf",
			"a1",
			"ff",
			"a17818636572746966696361746553",
			"5b7fffffffffffffff",
			"bb7fffffffffffffff",
			"c249010000000000000000",
			"fb7ff0000000000000",
			"a1f6f6",
			"a2616161626161",
		].map((hex) => Buffer.from(hex, "hex"));
		for (let index = 0; index < 100; index++) {
			payloads.push(Buffer.from(Array.from({ length: 1 + (index % 50) }, () => Math.floor(random.next().value * 256))));
		}
		for (const payload of payloads) t.notOk((await exchange(claim, request, payload)).accepted);
	}
	t.equal(rig.cloud.registry.state.things.size, 0);
	t.notOk(rig.events.some((event) => event.event === "provisioning" && event.statusCode === 500));
	await claim.endAsync();
	t.ok(await provision(rig, "after-fuzz"));
});

t.test("Clients that dawdle are let go: before the handshake, before CONNECT, while reading", async (t) => {
	const rig = await startRig({
		settings: { connection: { handshakeTimeout: 2_000, connectTimeout: 2_000, drainTimeout: 1_000 } },
	});
	t.teardown(() => rig.cloud.close());
	await t.test(
		"a TCP connection that says nothing, a TLS connection without CONNECT, or with half of one",
		async (t) => {
			const silent = tcpConnect(rig.cloud.port, rig.cloud.host);
			const secured = await Promise.all([secure(rig, rig.claim), secure(rig, rig.claim)]);
			secured[1].write(Buffer.from([0x10, 100, 0]));
			await Promise.all([silent, ...secured].map(ended));
			t.match(last(rig, "violation"), { explanation: /CONNECT did not come in time/ });
		},
	);
	await t.test("a subscriber that reads nothing", async (t) => {
		const owner = await identity(rig, "all", everything);
		const lazy = await connect(rig, owner, "lazy");
		await lazy.subscribeAsync("flood");
		const socket = lazy.stream as unknown as Socket;
		socket.pause();
		rig.cloud.changeSettings({ connection: { publishesPerSecond: 0 } });
		const loud = await connect(rig, owner, "loud");
		const payload = Buffer.alloc(100_000);
		const dropped = eventually(() =>
			rig.events.find((event) => event.event === "violation" && /takes nothing|does not take/.test(event.explanation)),
		);
		for (let gone = false; !gone; ) {
			await loud.publishAsync("flood", payload, { qos: 1 });
			gone = await Promise.race([
				dropped.then(() => true),
				new Promise<false>((resolve) => setTimeout(resolve, 5, false)),
			]);
		}
		t.match(await dropped, { clientId: "lazy" });
		t.ok(loud.connected, "the publisher has not waited for it");
		lazy.end(true);
		await loud.endAsync();
	});
});

t.test("A flood of connections from one peer leaves room for the others", async (t) => {
	const rig = await startRig({ settings: { connection: { maximumPending: 20 } } });
	t.teardown(() => rig.cloud.close());
	const silent = Array.from({ length: 300 }, () => {
		const socket = tcpConnect(rig.cloud.port, rig.cloud.host);
		socket.on("error", () => {});
		return socket;
	});
	const half = await Promise.allSettled(Array.from({ length: 40 }, () => secure(rig, rig.claim)));
	t.ok(await provision(rig, "in-the-flood"));
	for (const socket of silent) socket.destroy();
	for (const result of half) if (result.status === "fulfilled") result.value.destroy();
	t.ok(await provision(rig, "after-the-flood"));
});

t.test("A flood of requests from one connection keeps no other waiting, and fills no memory", async (t) => {
	const rig = await startRig({ settings: { limits: { pendingCertificates: 20 } } });
	t.teardown(() => rig.cloud.close());
	const flooder = await connect(rig, rig.claim, "flooder");
	const other = await connect(rig, rig.claim, "other");
	await subscribeToReplies(other, topics.create("json"));
	for (let number = 0; number < 60; number++) flooder.publish(topics.create("json"), "");
	const rejected = () => rig.events.filter((event) => event.event === "provisioning" && event.clientId === "flooder");
	await eventually(() => (rejected().length >= 50 ? true : undefined));
	t.ok(rejected().every((event) => event.event === "provisioning" && event.statusCode === 429));
	t.ok((await exchange(other, topics.create("json"), "")).accepted);
	const before = rig.events.findIndex((event) => event.event === "provisioning" && event.clientId === "other");
	t.ok(
		rig.events.slice(0, before).filter((event) => event.event === "provisioning" && event.status === "Success").length <
			10,
		"it was answered before the flood was worked off",
	);
	await flooder.endAsync();
	const request = JSON.stringify({ certificateSigningRequest: makeRequest("x").csr });
	await subscribeToReplies(other, topics.csr("json"));
	let accepted = true;
	for (let number = 0; number < 25 && accepted; number++)
		({ accepted } = await exchange(other, topics.csr("json"), request));
	t.notOk(accepted);
	t.equal(rig.cloud.registry.state.tokens.size, 20);
	await other.endAsync();
});

t.test("What sessions leave behind is bounded, and ends", async (t) => {
	const rig = await startRig({
		settings: {
			limits: { queued: 5, storedBytes: 10_000, retained: 3 },
			connection: { publishesPerSecond: 0 },
		},
	});
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything);
	const away = await connect(rig, owner, "away", { clean: false });
	await away.subscribeAsync("news", { qos: 1 });
	await away.endAsync();
	const writer = await connect(rig, owner, "writer");
	for (let number = 0; number < 20; number++) await writer.publishAsync("news", String(number), { qos: 1 });
	const back = await connect(rig, owner, "away", { clean: false, resubscribe: false });
	const heard: string[] = [];
	back.on("message", (_, payload) => heard.push(payload.toString()));
	await eventually(() => (heard.includes("4") ? true : undefined));
	await writer.publishAsync("news", "end", { qos: 1 });
	await eventually(() => (heard.includes("end") ? true : undefined));
	t.same(heard, ["0", "1", "2", "3", "4", "end"], "the first five waited");
	await back.endAsync();
	for (let number = 0; number < 10; number++) {
		await writer.publishAsync(`kept/${number}`, Buffer.alloc(100), { qos: 1, retain: true });
	}
	const reader = await connect(rig, owner, "reader");
	const kept: string[] = [];
	reader.on("message", (topic) => kept.push(topic));
	for (let number = 0; number < 10; number += 5) {
		await reader.subscribeAsync(Array.from({ length: 5 }, (_, index) => `kept/${number + index}`));
	}
	await reader.subscribeAsync("mark");
	await reader.publishAsync("mark", "");
	await eventually(() => (kept.includes("mark") ? true : undefined));
	t.same(kept, ["kept/0", "kept/1", "kept/2", "mark"]);
	rig.cloud.changeSettings({ connection: { persistentSession: 1 } });
	await (await connect(rig, owner, "away", { clean: false })).endAsync();
	await new Promise((resolve) => setTimeout(resolve, 200));
	await writer.publishAsync("news", "lost", { qos: 1 });
	const anew = await connect(rig, owner, "away", { clean: false, resubscribe: false });
	anew.on("message", (_, payload) => heard.push(payload.toString()));
	await anew.subscribeAsync("mark");
	await anew.publishAsync("mark", "end");
	await eventually(() => (heard.filter((text) => text === "end").length === 2 ? true : undefined));
	t.notOk(heard.includes("lost"), "the session had ended");
	await anew.endAsync();
	await Promise.all([reader.endAsync(), writer.endAsync()]);
});

t.test("No key, token or PEM body is in any event", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	await provision(rig, "secret");
	const client = await connect(rig, rig.claim, "bad");
	await subscribeToReplies(client, topics.register("json"), topics.csr("json"));
	await exchange(client, topics.register("json"), JSON.stringify({ certificateOwnershipToken: "t0ken".repeat(90) }));
	await exchange(client, topics.csr("json"), JSON.stringify({ certificateSigningRequest: rig.claim.privateKeyPem }));
	await client.endAsync();
	const told = JSON.stringify(rig.events);
	t.ok(rig.events.length > 10);
	t.notMatch(told, /BEGIN|t0kent0ken|MII[A-Za-z0-9+/]{20}|[A-Za-z0-9_-]{200}/);
});
