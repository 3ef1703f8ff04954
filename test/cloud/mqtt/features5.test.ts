// What MQTT 5 adds: properties from end to end, expiry, flow control, aliases, will delay, options; and shared subscriptions, which
// both versions have. The clients are MQTT.js.

import type { Socket } from "node:net";
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import mqttPacket, { type Packet } from "mqtt-packet";
import t from "tap";
import {
	clientOptions,
	closed,
	connect,
	eventually,
	everything,
	identity,
	last,
	type Rig,
	secure,
	startRig,
	topics,
} from "../rig.js";

type Owner = Awaited<ReturnType<typeof identity>>;

async function start(t: { teardown(fn: () => unknown): void }, settings: Parameters<typeof startRig>[0] = {}) {
	const rig = await startRig(settings);
	t.teardown(() => rig.cloud.close());
	return { rig, owner: await identity(rig, "all", everything) };
}

const five = (rig: Rig, owner: Owner, clientId: string, more: Partial<IClientOptions> = {}) =>
	connect(rig, owner, clientId, { protocolVersion: 5, ...more });

/** Connects, and keeps each PUBLISH that comes, from the first on. */
async function listen(rig: Rig, owner: Owner, clientId: string, more: Partial<IClientOptions> = {}) {
	const packets: IPublishPacket[] = [];
	const client = mqtt.connect(clientOptions(rig, owner, clientId, { protocolVersion: 5, ...more }));
	client.on("packetreceive", (packet) => void (packet.cmd === "publish" && packets.push(packet)));
	await new Promise<void>((resolve, reject) => {
		client.once("connect", () => resolve());
		client.once("error", reject);
	});
	return {
		client,
		packets,
		heard: (count: number) => eventually(() => (packets.length >= count ? packets : undefined)),
	};
}

const farewell = async (client: MqttClient) => {
	let code: number | undefined;
	client.on("disconnect", (packet) => {
		code = packet.reasonCode;
	});
	await closed(client);
	return code;
};

t.test(
	"given a message with every property, when it is live, retained or waits, then subscribers get them as they were",
	async (t) => {
		const { rig, owner } = await start(t);
		const live = await listen(rig, owner, "live");
		await live.client.subscribeAsync("p/+", { qos: 1 });
		const keep = { clean: false, properties: { sessionExpiryInterval: 600 } };
		const away = await five(rig, owner, "away", keep);
		await away.subscribeAsync("p/x", { qos: 1 });
		await away.endAsync();
		const old = await connect(rig, owner, "old");
		const oldHeard: string[] = [];
		old.on("message", (topic, payload) => oldHeard.push(`${topic} ${payload}`));
		await old.subscribeAsync("p/x", { qos: 1 });
		const properties = {
			payloadFormatIndicator: true,
			contentType: "text/plain",
			responseTopic: "p/answer",
			correlationData: Buffer.from([0, 255]),
			userProperties: { b: ["1", "2"], a: "ü" },
		};
		const sender = await five(rig, owner, "sender");
		await sender.publishAsync("p/x", "hello", { qos: 1, retain: true, properties });
		const late = await listen(rig, owner, "late");
		await late.client.subscribeAsync("p/x", { qos: 1 });
		const back = await listen(rig, owner, "away", keep);
		for (const [who, listener, retain] of [
			["live", live, false],
			["late", late, true],
			["away", back, false],
		] as const) {
			const [packet] = await listener.heard(1);
			t.match(packet, { topic: "p/x", payload: Buffer.from("hello"), qos: 1, retain, properties }, who);
			t.same(Object.keys(packet!.properties!.userProperties!), ["b", "a"], "in their order");
		}
		await eventually(() => oldHeard[0]);
		t.same(oldHeard, ["p/x hello"], "3.1.1 gets the message without them");
		await Promise.all([live.client, late.client, back.client, old, sender].map((client) => client.endAsync()));
	},
);

t.test("given a message that expires, then what is left of its time is told, and nobody gets it later", async (t) => {
	let now = Date.now();
	const { rig, owner } = await start(t, { now: () => now });
	const keep = { clean: false, properties: { sessionExpiryInterval: 3_000 } };
	await Promise.all(
		["first", "second"].map(async (name) => {
			const client = await five(rig, owner, name, keep);
			await client.subscribeAsync("e/x", { qos: 1 });
			await client.endAsync();
		}),
	);
	const sender = await five(rig, owner, "sender");
	const properties = { messageExpiryInterval: 100 };
	await sender.publishAsync("e/x", "short", { qos: 1, retain: true, properties });
	await sender.publishAsync("e/x", "long", { qos: 1 });
	now += 40_000;
	const first = await listen(rig, owner, "first", keep);
	const [short, long] = await first.heard(2);
	t.match(short, { payload: Buffer.from("short"), properties: { messageExpiryInterval: 60 } });
	t.equal(long!.properties?.messageExpiryInterval, undefined);
	now += 60_000;
	const second = await listen(rig, owner, "second", keep);
	await second.heard(1);
	t.same(
		second.packets.map(({ payload }) => String(payload)),
		["long"],
	);
	await sender.publishAsync("e/y", "short", { qos: 1, retain: true, properties });
	now += 100_000;
	await second.client.subscribeAsync("e/y", { qos: 1 });
	await second.client.subscribeAsync("mark", { qos: 1 });
	await second.client.publishAsync("mark", "", { qos: 1 });
	await second.heard(2);
	t.equal(second.packets[1]!.topic, "mark", "a retained message expires, too");
	await Promise.all([first.client, second.client, sender].map((client) => client.endAsync()));
});

t.test(
	"given a Receive Maximum of two, then the third message waits for a PUBACK, and more than ours ends a connection",
	async (t) => {
		const { rig, owner } = await start(t, {
			settings: { limits: { unacknowledged: 3 }, reply: { puback: "after", delay: 500 } },
		});
		// MQTT.js would acknowledge at once.
		const slow = await secure(rig, owner);
		const parser = mqttPacket.parser({ protocolVersion: 5 });
		const packets: Packet[] = [];
		parser.on("packet", (packet) => packets.push(packet));
		slow.on("data", (chunk: Buffer) => parser.parse(chunk));
		const send = (packet: object) => slow.write(mqttPacket.generate(packet as Packet, { protocolVersion: 5 }));
		const got = () => packets.flatMap((packet) => (packet.cmd === "publish" ? [String(packet.payload)] : []));
		const properties = { receiveMaximum: 2 };
		send({
			...{
				cmd: "connect",
				protocolId: "MQTT",
				protocolVersion: 5,
				clientId: "slow",
				clean: true,
				keepalive: 60,
				properties,
			},
		});
		send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "r", qos: 1 }] });
		await eventually(() => packets.find(({ cmd }) => cmd === "suback"));
		const sender = await five(rig, owner, "sender");
		for (const text of ["1", "2", "3", "4"]) await sender.publishAsync("r", text, { qos: 1 });
		send({ cmd: "pingreq" });
		await eventually(() => packets.find(({ cmd }) => cmd === "pingresp"));
		t.same(got(), ["1", "2"], "a round trip later still two");
		send({ cmd: "puback", messageId: packets.find(({ cmd }) => cmd === "publish")!.messageId });
		await eventually(() => (got().length > 2 ? true : undefined));
		t.same(got(), ["1", "2", "3"]);
		slow.destroy();
		const told = farewell(sender);
		// MQTT.js would keep to the maximum itself.
		const topic = Buffer.from(topics.csr("json"));
		const request = (packetId: number) =>
			Buffer.concat([Buffer.from([0x32, topic.length + 5, 0, topic.length]), topic, Buffer.from([0, packetId, 0])]);
		(sender.stream as unknown as Socket).write(Buffer.concat([1, 2, 3, 4].map(request)));
		t.equal(await told, 0x93);
		t.match(last(rig, "violation"), { explanation: /More than 3 messages wait for their PUBACK/ });
		sender.end(true);
	},
);

t.test(
	"given topic aliases, then eight are taken in each direction, and one that was never set ends the connection",
	async (t) => {
		const { rig, owner } = await start(t);
		const receiver = await listen(rig, owner, "receiver", { properties: { topicAliasMaximum: 2 } });
		await receiver.client.subscribeAsync("alias/+", { qos: 1 });
		const sender = await five(rig, owner, "sender", { properties: { topicAliasMaximum: 0 } });
		const publish = (topic: string, topicAlias?: number) =>
			sender.publishAsync(topic, "x", { qos: 1, ...(topicAlias !== undefined && { properties: { topicAlias } }) });
		await publish("alias/a", 8);
		await publish("", 8);
		await publish("alias/b", 8);
		await publish("", 8);
		await publish("alias/c");
		const packets = await receiver.heard(5);
		t.same(
			packets.map(({ topic, properties }) => [topic, properties?.topicAlias]),
			[
				["alias/a", 1],
				["", 1],
				["alias/b", 2],
				["", 2],
				["alias/c", undefined],
			],
		);
		const bad = await five(rig, owner, "bad");
		// MQTT.js would refuse it.
		(bad.stream as unknown as Socket).write(Buffer.from([0x30, 8, 0, 1, 0x61, 3, 0x23, 0, 9, 0x78]));
		t.equal(await farewell(bad), 0x94);
		t.match(last(rig, "violation"), { explanation: /8 topic aliases, not 9/ });
		await Promise.all([receiver.client, sender].map((client) => client.endAsync()));
	},
);

t.test(
	"given a will that waits, then a client that comes back in time has none, and one whose session ends has it at once",
	async (t) => {
		const { rig, owner } = await start(t);
		const observer = await listen(rig, owner, "observer");
		await observer.client.subscribeAsync("will/+", { qos: 1 });
		const will = (topic: string, willDelayInterval: number) => ({
			will: {
				topic,
				payload: Buffer.from("x"),
				qos: 1,
				retain: false,
				properties: { willDelayInterval, contentType: "t" },
			} as const,
			clean: false,
		});
		const keep = { properties: { sessionExpiryInterval: 600 } };
		const back = await five(rig, owner, "back", { ...will("will/back", 600), ...keep });
		back.stream.destroy();
		await closed(back);
		await (await five(rig, owner, "back", { clean: false, ...keep })).endAsync();
		const brief = await five(rig, owner, "brief", { ...will("will/brief", 1), ...keep });
		brief.stream.destroy();
		await closed(brief);
		await observer.heard(1);
		const gone = await five(rig, owner, "gone", {
			...will("will/gone", 600),
			properties: { sessionExpiryInterval: 1 },
		});
		gone.stream.destroy();
		await closed(gone);
		const asked = await five(rig, owner, "asked", will("will/asked", 0));
		await asked.endAsync(false, { reasonCode: 4 });
		const quiet = await five(rig, owner, "quiet", will("will/quiet", 0));
		await quiet.endAsync();
		await observer.heard(3);
		t.same(observer.packets.map(({ topic }) => topic).sort(), ["will/asked", "will/brief", "will/gone"]);
		t.match(observer.packets[0], { properties: { contentType: "t" } });
		await observer.client.endAsync();
	},
);

t.test(
	"given the options of subscriptions, then No Local, Retain As Published and Retain Handling are kept to",
	async (t) => {
		const { rig, owner } = await start(t);
		const self = await listen(rig, owner, "self");
		await self.client.subscribeAsync("o/own", { qos: 1, nl: true });
		await self.client.subscribeAsync("o/kept", { qos: 1, rap: true });
		await self.client.publishAsync("o/own", "x", { qos: 1 });
		await self.client.publishAsync("o/kept", "x", { qos: 1, retain: true });
		const [kept] = await self.heard(1);
		t.match(kept, { topic: "o/kept", retain: true });
		const reader = await listen(rig, owner, "reader");
		for (const [rh, count] of [
			[2, 0],
			[1, 0],
			[0, 1],
			[1, 1],
			[0, 2],
		] as const) {
			await reader.client.subscribeAsync("o/kept", { qos: 1, rh });
			await reader.client.subscribeAsync("mark", { qos: 1 });
			await reader.client.publishAsync("mark", "", { qos: 1 });
			await eventually(() => (reader.packets.at(-1)?.topic === "mark" ? true : undefined));
			reader.packets.splice(0, reader.packets.length, ...reader.packets.filter(({ topic }) => topic !== "mark"));
			t.equal(reader.packets.length, count, `retain handling ${rh}`);
		}
		await reader.client.unsubscribeAsync("o/kept");
		await reader.client.subscribeAsync("o/kept", { qos: 1, rh: 1 });
		await reader.heard(3);
		await Promise.all([self.client, reader.client].map((client) => client.endAsync()));
	},
);

t.test("given a client that takes only small packets, then larger messages are left out for it alone", async (t) => {
	const { rig, owner } = await start(t);
	const small = await listen(rig, owner, "small", { properties: { maximumPacketSize: 100 } });
	await small.client.subscribeAsync("s", { qos: 1 });
	const sender = await five(rig, owner, "sender");
	await sender.publishAsync("s", Buffer.alloc(200), { qos: 1 });
	await sender.publishAsync("s", "fits", { qos: 1 });
	await small.heard(1);
	t.same(
		small.packets.map(({ payload }) => String(payload)),
		["fits"],
	);
	await Promise.all([small.client, sender].map((client) => client.endAsync()));
});

t.test("given a client that asks for enhanced authentication, then it is refused", async (t) => {
	const { rig, owner } = await start(t);
	await t.rejects(five(rig, owner, "a", { properties: { authenticationMethod: "m" } }), { code: 0x8c });
	const client = await five(rig, owner, "b");
	(client.stream as unknown as Socket).write(Buffer.from([0xf0, 0]));
	t.equal(await farewell(client), 0x82, "DISCONNECT has no other code for it");
});

for (const protocolVersion of [4, 5] as const) {
	t.test(
		`given a group in version ${protocolVersion}, then each message goes to one member, and waits while all are away`,
		async (t) => {
			const { rig, owner } = await start(t);
			const keep = {
				...{ protocolVersion, clean: false },
				...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 600 } }),
			};
			const members = await Promise.all(["m1", "m2", "m3"].map((name) => listen(rig, owner, name, keep)));
			for (const { client } of members) await client.subscribeAsync("$share/team/work/#", { qos: 1 });
			const all = await listen(rig, owner, "all", { protocolVersion });
			await all.client.subscribeAsync("work/+", { qos: 1 });
			const sender = await connect(rig, owner, "sender", { protocolVersion });
			const send = async (count: number) => {
				for (let index = 0; index < count; index++) await sender.publishAsync("work/x", "x", { qos: 1 });
			};
			await send(60);
			await all.heard(60);
			const total = () => members.reduce((sum, { packets }) => sum + packets.length, 0);
			await eventually(() => (total() >= 60 ? true : undefined));
			t.equal(total(), 60, "each once");
			t.ok(
				members.every(({ packets }) => packets.length > 5),
				"and to all of them",
			);
			for (const { client } of members.slice(1)) await client.endAsync();
			await send(5);
			await eventually(() => (total() >= 65 ? true : undefined));
			await members[0]!.client.endAsync();
			await send(5);
			const back = await listen(rig, owner, "m2", keep);
			await back.heard(5);
			t.equal(back.packets.length, 5, "whoever comes first gets what has waited");
			const granted = await identity(rig, `narrow-${protocolVersion}`, {
				...everything,
				Statement: [
					{ Effect: "Allow", Action: "iot:Connect", Resource: "*" },
					{
						Effect: "Allow",
						Action: "iot:Subscribe",
						Resource: rig.cloud.registry.arn("topicfilter", "$share/other/work/x"),
					},
					{ Effect: "Allow", Action: "iot:Receive", Resource: rig.cloud.registry.arn("topic", "$share/other/work/x") },
				],
			});
			const narrow = await listen(rig, granted, "narrow", { protocolVersion });
			await narrow.client.subscribeAsync("$share/other/work/x", { qos: 1 });
			await send(1);
			await narrow.heard(1);
			t.pass("policies name the topic with the group before it");
			await Promise.all([all.client, back.client, narrow.client, sender].map((client) => client.endAsync()));
		},
	);
}
