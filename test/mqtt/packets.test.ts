// Packets against mqtt-packet's own generator: whole, in pieces, too large, and not MQTT at all.

import { generate, type Packet } from "mqtt-packet";
import t from "tap";
import { Failure } from "../../src/base/failure.js";
import { encodePacket, PacketReader } from "../../src/mqtt/packets.js";
import { seededRandom } from "../support/world.js";

const publish = (size: number): Packet => ({
	cmd: "publish",
	topic: "a/ü",
	payload: Buffer.alloc(size, 7),
	qos: 1,
	messageId: 9,
	dup: false,
	retain: false,
});

const packets: Packet[] = [
	{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId: "claim-ü", keepalive: 300 },
	{
		cmd: "subscribe",
		messageId: 65_535,
		subscriptions: [
			{ topic: "$aws/a", qos: 1 },
			{ topic: "b", qos: 0 },
		],
	},
	{ cmd: "puback", messageId: 3 },
	{ cmd: "pingreq" },
	{ cmd: "disconnect" },
	publish(0),
	publish(127),
	publish(5000),
];

t.test("given any packet that a device sends, then its bytes are those that mqtt-packet makes", async (test) => {
	for (const packet of packets) test.same([...encodePacket(packet)], [...generate(packet)], packet.cmd);
	const bytes: Packet = { ...(publish(3) as object), payload: Uint8Array.of(1, 2, 3) } as unknown as Packet;
	test.same([...encodePacket(bytes)].slice(-3), [1, 2, 3], "a payload may be any bytes");
});

t.test("given packets in pieces of any size, then they are delivered whole and in order", async (test) => {
	const stream = Buffer.concat([
		generate({ cmd: "connack", returnCode: 0, sessionPresent: false }),
		generate(publish(300)),
		generate({ cmd: "pingresp" }),
		generate(publish(0)),
	]);
	for (let size = 1; size <= stream.length; size++) {
		const seen: string[] = [];
		const reader = new PacketReader(1000, ({ cmd }) => seen.push(cmd));
		for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
		if (seen.join() !== "connack,publish,pingresp,publish") test.fail(`${size}: ${seen}`);
	}
	test.pass(`${stream.length} sizes`);
});

t.test("given a packet over the limit, then it is refused on its header alone", async (test) => {
	const whole = generate(publish(900));
	new PacketReader(whole.length, () => {}).push(whole);
	test.throws(() => new PacketReader(whole.length - 1, () => {}).push(whole.subarray(0, 3)), /PACKET_TOO_LARGE/);
	test.throws(
		() => new PacketReader(1000, () => {}).push(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f)),
		/PACKET_TOO_LARGE/,
	);
	test.throws(
		() => new PacketReader(1000, () => {}).push(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff)),
		/PROTOCOL_ERROR/,
	);
});

t.test("given random bytes, then packets or a typed failure come of them", async (test) => {
	const random = seededRandom(11);
	const codes = new Set<string>();
	for (let round = 0; round < 20_000; round++) {
		const bytes = random(2 + (round % 40));
		if (round % 2 === 0) bytes[1] = bytes.length - 2;
		try {
			new PacketReader(200, () => codes.add("packet")).push(bytes);
		} catch (error) {
			if (!(error instanceof Failure)) throw error;
			codes.add(error.code);
		}
	}
	test.same([...codes].sort(), ["PACKET_TOO_LARGE", "PROTOCOL_ERROR", "packet"]);
});
