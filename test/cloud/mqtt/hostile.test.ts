// Bad bytes, slow and half-open clients: the cloud goes on answering the others, and forgets nothing but them.

import { type Socket, connect as tcpConnect } from "node:net";
import type { MqttClient } from "mqtt";
import t from "tap";
import {
	closed,
	connect,
	eventually,
	everything,
	exchange,
	identity,
	last,
	provision,
	secure,
	startRig,
	subscribeToReplies,
	topics,
} from "../rig.js";

/** Numbers that look random and are the same each time. */
function* numbers(seed: number): Generator<number, never> {
	for (let state = seed; ; ) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		yield state / 2 ** 32;
	}
}

const ended = (socket: Socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()).resume());

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
		// SUBSCRIBE, UNSUBSCRIBE, PUBACK and their like without their packet id, and with half of it.
		...[0x82, 0xa2, 0x40, 0x50, 0x62, 0x70].flatMap((type) => [
			Buffer.concat([good, Buffer.from([type, 0])]),
			Buffer.concat([good, Buffer.from([type, 1, 0])]),
		]),
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

t.test("An error in handling one connection ends that connection, with a warning that says where", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything);
	const { policies } = rig.cloud.registry;
	const sound = policies.document;
	const broken = () => {
		throw new Error("broken on purpose");
	};
	const warned = (where: RegExp) =>
		eventually(() => rig.events.find((event) => event.event === "warning" && where.test(event.message)));
	policies.document = broken;
	await t.rejects(connect(rig, owner, "one"));
	await warned(/one\) failed in CONNECT: broken on purpose/);
	for (const [act, where] of [
		[(client: MqttClient) => client.publish("x", "x"), /two\) failed in PUBLISH: broken/],
		[(client: MqttClient) => client.subscribe("x"), /two\) failed in SUBSCRIBE: broken/],
	] as const) {
		policies.document = sound;
		const client = await connect(rig, owner, "two");
		policies.document = broken;
		act(client);
		await closed(client);
		await warned(where);
	}
	policies.document = sound;
	const { provisioning } = rig.cloud;
	const { handle } = provisioning;
	provisioning.handle = broken;
	const claim = await connect(rig, rig.claim, "claim");
	claim.publish(topics.csr("json"), "{}");
	await closed(claim);
	await warned(/claim\) failed in a request for CreateCertificateFromCsr: broken/);
	provisioning.handle = handle;
	t.ok(await provision(rig, "after-errors"));
	t.equal(rig.cloud.connections(), 0);
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

t.test("A client has only so many messages taken before it has the PUBACKs of the first", async (t) => {
	const unacknowledged = 3;
	const rig = await startRig({ settings: { limits: { unacknowledged }, reply: { puback: "after", delay: 500 } } });
	t.teardown(() => rig.cloud.close());
	const client = await connect(rig, rig.claim, "hasty");
	const ask = () => client.publishAsync(topics.create("json"), "{}", { qos: 1 });
	const events = (name: string) => rig.events.filter(({ event }) => event === name);
	const first = Array.from({ length: unacknowledged }, ask);
	await eventually(() => (events("published").length === unacknowledged ? true : undefined));
	await Promise.all([...first, ask()]);
	const order = rig.events.flatMap(({ event }) => (["published", "provisioning"].includes(event) ? [event] : []));
	t.equal(order.indexOf("provisioning"), unacknowledged, "the fourth is taken when a request has been answered");
	t.equal(order.filter((event) => event === "published").length, unacknowledged + 1, "and is not lost");
	await client.endAsync();
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
