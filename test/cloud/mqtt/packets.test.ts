// The shape of packets: what the standard allows passes, everything else is a FrameError before any other reader sees it.

import mqttPacket, { type Packet } from "mqtt-packet";
import t from "tap";
import { FrameError } from "../../../hosts/cloud/mqtt/frames.js";
import { type ProtocolLevel, readPacket } from "../../../hosts/cloud/mqtt/packets.js";

const userProperties = { a: ["b", "c"], d: "e" };
const connect = {
	cmd: "connect",
	protocolId: "MQTT",
	clean: true,
	clientId: "client",
	keepalive: 60,
	username: "user",
	password: Buffer.from("password"),
	will: { topic: "will", payload: Buffer.from("x"), qos: 1, retain: true },
};
const publish = { cmd: "publish", topic: "a/b", payload: "x", qos: 1, messageId: 7, retain: true, dup: true };
const subscribe = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a/+/#", qos: 1 }] };
const unsubscribe = { cmd: "unsubscribe", messageId: 1, unsubscriptions: ["#", "+", "/"] };
const good: Readonly<Record<ProtocolLevel, readonly object[]>> = {
	4: [
		connect,
		publish,
		{ ...publish, qos: 0, dup: false },
		{ ...publish, topic: "$aws/ß/\u{1f600}" },
		...["puback", "pubrec", "pubrel", "pubcomp"].map((cmd) => ({ cmd, messageId: 0xffff })),
		subscribe,
		unsubscribe,
		{ cmd: "pingreq" },
		{ cmd: "disconnect" },
	],
	5: [
		{
			...connect,
			properties: { sessionExpiryInterval: 5, receiveMaximum: 1, maximumPacketSize: 9, userProperties },
			will: { ...connect.will, properties: { willDelayInterval: 1, contentType: "t", userProperties } },
		},
		{ ...publish, properties: { responseTopic: "r", correlationData: Buffer.from("c"), userProperties } },
		{ ...publish, topic: "", properties: { topicAlias: 1 } },
		...["puback", "pubrec", "pubrel", "pubcomp"].map((cmd) => ({ cmd, messageId: 1, properties: { userProperties } })),
		{ ...subscribe, subscriptions: [{ topic: "a", qos: 1, nl: true, rap: true, rh: 2 }] },
		{ ...subscribe, properties: { subscriptionIdentifier: 1, userProperties } },
		{ ...unsubscribe, properties: { userProperties } },
		{ cmd: "pingreq" },
		{ cmd: "disconnect", reasonCode: 4, properties: { sessionExpiryInterval: 1, userProperties } },
		{ cmd: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m", authenticationData: Buffer.from("d") } },
	],
};

const encode = (packet: object, level: ProtocolLevel) =>
	mqttPacket.generate({ protocolVersion: level, ...packet } as Packet, { protocolVersion: level });

/** The packet with this body and its length. */
const framed = (first: number, body: Uint8Array) => {
	const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
	return Buffer.concat([Buffer.from([first, ...length]), body]);
};

t.test("Every kind of packet passes as the standard has it", (t) => {
	for (const level of [4, 5] as const) {
		for (const packet of good[level]) readPacket(encode(packet, level), level);
	}
	t.end();
});

t.test("A packet cut short anywhere is refused, or still one that mqtt-packet reads", (t) => {
	let refused = 0;
	for (const level of [4, 5] as const) {
		for (const packet of good[level]) {
			const frame = encode(packet, level);
			const at = frame.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
			for (let length = 0; length < frame.length - at; length++) {
				// An AUTH without a reason code is well-formed; mqtt-packet does not know that, and AUTH is not supported anyway.
				if (frame[0] === 0xf0 && length === 0) continue;
				const cut = framed(frame[0]!, frame.subarray(at, at + length));
				try {
					readPacket(cut, level);
				} catch (error) {
					t.ok(error instanceof FrameError);
					refused++;
					continue;
				}
				const parser = mqttPacket.parser({ protocolVersion: level });
				let read = 0;
				parser.on("packet", () => read++);
				parser.parse(cut);
				t.equal(read, 1, `${level}: ${cut.toString("hex")}`);
			}
		}
	}
	t.ok(refused > 300);
	t.end();
});

t.test("A byte too many and wrong flags are refused", (t) => {
	for (const level of [4, 5] as const) {
		for (const packet of good[level]) {
			const frame = encode(packet, level);
			const at = frame.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
			const first = frame[0]!;
			if (first >> 4 === 3) continue;
			t.throws(() => readPacket(framed(first ^ 1, frame.subarray(at)), level), FrameError);
			t.throws(() => readPacket(framed(first ^ 8, frame.subarray(at)), level), FrameError);
			const longer = framed(first, Buffer.concat([frame.subarray(at), Buffer.from([0])]));
			t.throws(() => readPacket(longer, level), FrameError, longer.toString("hex"));
		}
	}
	t.end();
});

t.test("What is refused, and why", (t) => {
	for (const [hex, level, why] of [
		["8200", 4, /too early/],
		["8202000a", 4, /names no filter/],
		["82060000000161" + "00", 4, /packet id must not be 0/],
		["8206000100016103", 4, /no QoS 3/],
		["8206000100016141", 4, /Reserved bits/],
		["8206000100016180", 5, /properties|too early|Reserved|variable/],
		["8205000100" + "0000", 4, /filter must not be empty/],
		["8208000100032b6162" + "00", 4, /whole level/],
		["820800010003232f61" + "00", 4, /last level/],
		["a2020001", 4, /names no filter/],
		["30030001" + "00", 4, /UTF-8|U\+0000/],
		["30030001ff", 4, /UTF-8/],
		["300500" + "03eda080", 4, /UTF-8/],
		["30020000", 4, /topic must not be empty/],
		["3003000123", 4, /no wildcards/],
		["3803000161", 4, /DUP/],
		["3603000161", 4, /no QoS 3/],
		["3205000161" + "0000", 4, /packet id must not be 0/],
		["2000", 4, /sends no packet of the type 2/],
		["f000", 4, /sends no packet of the type 15/],
		["0000", 4, /sends no packet of the type 0/],
		["40020000", 4, /packet id must not be 0/],
		["4003000100", 4, /goes on after its end/],
		["e00100", 4, /goes on after its end/],
		["c00100", 4, /goes on after its end/],
		["c08000", 5, /variable byte integer/],
		["100e00044d5154540403003c000261" + "62", 4, /reserved flag/],
		["100e00044d5154540422003c000261" + "62", 4, /will that it does not have/],
		["100e00044d5154540442003c000261" + "62", 4, /password needs/],
		["100e00044d515454041c003c000261" + "62", 4, /no QoS 3/],
		["300700016105" + "230001", 5, /too early/],
		["300700016103" + "230000", 5, /must not be 0/],
		["300a000161" + "0601000100" + "61", 5, /comes twice|too early|property/],
		["3009000161" + "050b0178" + "61", 5, /does not belong|too early|property/],
		["3006000161" + "0201" + "02", 5, /0 or 1/],
		["3005000161" + "017f", 5, /no property 127/],
	] as const) {
		t.throws(
			() => readPacket(Buffer.from(hex, "hex"), level),
			{ name: "FrameError", message: why, reasonCode: Number },
			hex,
		);
	}
	t.end();
});
