// Floods: the cloud goes on answering the others, and what it keeps is bounded. No secret is in any event.

import { type Socket, connect as tcpConnect } from "node:net";
import t from "tap";
import { makeRequest } from "../csr.js";
import {
	connect,
	eventually,
	everything,
	exchange,
	identity,
	provision,
	secure,
	startRig,
	subscribeToReplies,
	topics,
} from "../rig.js";

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

t.test(
	"A burst to a subscriber that does not read costs that one messages with QoS 0, and nobody else anything",
	async (t) => {
		const rig = await startRig({ settings: { connection: { publishesPerSecond: 0 } } });
		t.teardown(() => rig.cloud.close());
		const owner = await identity(rig, "all", everything);
		const slow = await connect(rig, owner, "slow");
		await slow.subscribeAsync("burst/#", { qos: 1 });
		const other = await connect(rig, owner, "other");
		await other.subscribeAsync("mark", { qos: 1 });
		(slow.stream as unknown as Socket).pause();
		const burst = await secure(rig, owner);
		burst.write(Buffer.from([0x10, 17, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 5, ...Buffer.from("burst")]));
		const count = 20_000;
		const topic = Buffer.from("\0\x07burst/x");
		const message = Buffer.concat([Buffer.from([0x30, 0x89, 0x08]), topic, Buffer.alloc(1_024)]);
		for (let number = 0; number < count; number++) burst.write(message);
		const published = () => rig.events.filter(({ event }) => event === "published").length;
		await eventually(() => (published() >= count ? true : undefined));
		const left = rig.events.filter((event) => event.event === "warning" && /QoS 0 are left out/.test(event.message));
		t.equal(left.length, 1, "it is told once");
		t.match(left[0], { message: /\(slow\)/ });
		let heard = 0;
		let last = "";
		slow.on("message", (topic) => {
			heard++;
			last = topic;
		});
		(slow.stream as unknown as Socket).resume();
		const marked = new Promise((resolve) => other.once("message", resolve));
		await other.publishAsync("mark", "x", { qos: 1 });
		await marked;
		await other.publishAsync("burst/end", "x", { qos: 1 });
		await eventually(() => (last === "burst/end" ? true : undefined));
		t.ok(heard < count, `${heard} of ${count} waited for it`);
		burst.destroy();
		await Promise.all([slow.endAsync(), other.endAsync()]);
	},
);

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
	const before = rig.events.length;
	await (await connect(rig, owner, "away", { clean: false })).endAsync();
	await eventually(() => rig.events.slice(before).find(({ event }) => event === "disconnected"));
	// Timers of one process fire in order: the session's, of one ms, was set before.
	await new Promise((resolve) => setTimeout(resolve, 50));
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
