// Packets that a client sends ahead of CONNACK, which MQTT 3.1.1 (section 3.1.4) allows: they are answered after it and in order, or
// the connection is closed, as the setting says.

import t from "tap";
import { FrameReader } from "../../../hosts/cloud/mqtt/frames.js";
import { eventually, everything, identity, secure, startRig } from "../rig.js";

const rig = await startRig();
t.teardown(() => rig.cloud.close());
const owner = await identity(rig, "all", everything);

/** CONNECT in this version, SUBSCRIBE to `a`, PUBLISH with QoS 1 to `a`, PINGREQ; without properties. */
const flight = (level: 4 | 5) => {
	const none = level === 5 ? [0] : [];
	const packet = (first: number, ...body: readonly number[]) => [first, body.length, ...body];
	return Buffer.from([
		...packet(0x10, 0, 4, 0x4d, 0x51, 0x54, 0x54, level, 2, 0, 60, ...none, 0, 1, 0x61 + level),
		...packet(0x82, 0, 1, ...none, 0, 1, 0x61, 0),
		...packet(0x32, 0, 1, 0x61, 0, 2, ...none, 0x78),
		...packet(0xc0),
	]);
};

/** Types of the packets that answer, the message's own included, until there are so many or the connection ends. */
async function answers(level: 4 | 5, count: number): Promise<number[]> {
	const socket = await secure(rig, owner);
	const frames = new FrameReader();
	const types: number[] = [];
	socket.write(flight(level));
	for await (const chunk of socket) {
		for (const frame of frames.read(chunk as Buffer, 10_000)) types.push(frame[0]! >> 4);
		if (types.length >= count) break;
	}
	socket.destroy();
	return types;
}

for (const level of [4, 5] as const)
	for (const connackDelay of [0, 400])
		t.test(`given MQTT ${level} and CONNACK after ${connackDelay} ms, then CONNACK is the first answer`, async (t) => {
			rig.cloud.changeSettings({ connection: { connackDelay, connectsPerClientId: 0 } });
			const [first, ...rest] = await answers(level, 5);
			t.equal(first, 2, "CONNACK");
			const [message, puback, suback, pingresp] = [3, 4, 9, 13];
			t.same(
				rest.sort((a, b) => a - b),
				[message, puback, suback, pingresp],
			);
		});

t.test("given the setting, then the connection is closed, and the cloud says why", async (t) => {
	rig.cloud.changeSettings({ connection: { connackDelay: 400, aheadOfConnack: "close" } });
	const from = rig.events.length;
	t.same(await answers(4, 1), [], "no answer");
	const told = await eventually(() => rig.events.slice(from).find(({ event }) => event === "violation"));
	t.match(told, { explanation: /ahead of CONNACK/ });
});

t.test("given a client that hangs up before its CONNACK, then nothing is left of it", async (t) => {
	rig.cloud.changeSettings({ connection: { connackDelay: 100, aheadOfConnack: "wait" } });
	const from = rig.events.length;
	const socket = await secure(rig, owner);
	socket.write(flight(4));
	await eventually(() => rig.events.slice(from).find(({ event }) => event === "connected"));
	socket.destroy();
	await eventually(() => rig.events.slice(from).find(({ event }) => event === "disconnected"));
	t.notOk(rig.events.slice(from).some(({ event }) => event === "warning"));
});
