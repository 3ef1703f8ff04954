// The bundles that replace cbor-x and mqtt-packet on the device behave like the packages, as far as the device uses them.

import * as cbor from "cbor-x/index-no-eval";
import * as mqtt from "mqtt-packet";
import t from "tap";
import { buildPackages, bundles } from "../../hosts/moddable/packages/build.js";

// functions of XS that the bundles rely on
Object.assign(String, {
	fromArrayBuffer: (buffer: ArrayBuffer, offset = 0, length = buffer.byteLength - offset) =>
		new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, offset, length)),
});
Object.assign(ArrayBuffer, { fromString: (text: string) => new TextEncoder().encode(text).buffer });

await buildPackages();
const load = async (specifier: string) => import(bundles.find((bundle) => bundle.specifier === specifier)!.path);
const device = {
	...((await load("cbor-x/index-no-eval")) as Pick<typeof cbor, "Encoder" | "Decoder">),
	...((await load("mqtt-packet")) as Pick<typeof mqtt, "generate" | "parser" | "writeToStream">),
};
mqtt.writeToStream.cacheNumbers = false;

const values: Record<string, unknown>[] = [
	{},
	{ certificateOwnershipToken: "t".repeat(500), parameters: { SerialNumber: "240ac4000001", Größe: "ä€😀" } },
	{
		a: 0,
		b: 23,
		c: 24,
		d: 255,
		e: 256,
		f: 65_536,
		g: 4_294_967_295,
		h: -1,
		i: -25,
		j: -70_000,
		k: 1.5,
		l: -0.1,
		m: 1e300,
	},
	{ a: true, b: false, c: null, d: [1, [2, "x"], {}], e: "x".repeat(70_000), f: new Uint8Array([1, 2, 3]) },
	Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, "v".repeat(i)])),
];

for (const options of [
	{ useRecords: false, mapsAsObjects: true, variableMapSize: true },
	{ useRecords: false, mapsAsObjects: false },
] as const) {
	const given = { ...options, tagUint8Array: false };
	t.test(`cbor-x with ${JSON.stringify(given)} writes and reads the same bytes`, async (test) => {
		const [theirs, ours] = [new cbor.Encoder(given), new device.Encoder(given)];
		const [reader, ourReader] = [new cbor.Decoder(given), new device.Decoder(given)];
		for (const value of values) {
			const bytes = new Uint8Array(theirs.encode(value));
			test.equal(Buffer.compare(new Uint8Array(ours.encode(value)), bytes), 0, `${bytes.length} bytes`);
			test.same(ourReader.decode(bytes), reader.decode(bytes));
		}
	});
}

t.test("cbor-x fails where the package fails, on every truncation and every changed byte of a reply", async (test) => {
	const given = { useRecords: false, mapsAsObjects: false } as const;
	const [reader, ourReader] = [new cbor.Decoder(given), new device.Decoder(given)];
	const reply = new Uint8Array(
		new cbor.Encoder(given).encode({ id: "a".repeat(64), list: [1, -2, 1.5, null, true], text: "ä€" }),
	);
	const outcome = (decoder: { decode(bytes: Uint8Array): unknown }, bytes: Uint8Array): unknown => {
		try {
			return decoder.decode(bytes);
		} catch {
			return "fails";
		}
	};
	let compared = 0;
	for (let i = 0; i < reply.length; i++) {
		test.same(outcome(ourReader, reply.slice(0, i)), outcome(reader, reply.slice(0, i)));
		for (let bit = 0; bit < 8; bit++) {
			const changed = reply.slice();
			changed[i]! ^= 1 << bit;
			const [theirs, ours] = [outcome(reader, changed), outcome(ourReader, changed)];
			// the device rejects more: tags, and text that is not UTF-8
			if (ours === "fails") continue;
			compared += 1;
			test.same(ours, theirs);
		}
	}
	test.ok(compared > reply.length * 3, `${compared} changed replies were read`);
});

t.test("cbor-x reads each of the 65,536 floats of 16 bits as the package does", async (test) => {
	const given = { useRecords: false, mapsAsObjects: true } as const;
	const [reader, ourReader] = [new cbor.Decoder(given), new device.Decoder(given)];
	const different: number[] = [];
	for (let float = 0; float < 65_536; float++) {
		const bytes = () => new Uint8Array([0xf9, float >> 8, float & 0xff]);
		if (!Object.is(ourReader.decode(bytes()), reader.decode(bytes()))) different.push(float);
	}
	test.same(different, []);
});

t.test("the prototypes of the bundles' classes are frozen, so that in flash they cost no RAM", async (test) => {
	const parser = device.parser({}) as unknown as { packet: object; _list: object };
	const instances = [
		new device.Encoder({ useRecords: false }),
		parser,
		parser.packet,
		parser._list,
		device.generate(packets[5]!),
	];
	const prototypes = new Set<object>();
	const builtIn = [Object.prototype, Uint8Array.prototype];
	for (let one of instances)
		for (one = Object.getPrototypeOf(one); !builtIn.includes(one); one = Object.getPrototypeOf(one))
			prototypes.add(one);
	test.equal(prototypes.size, 7, "Encoder, Decoder, Parser, EventEmitter, Packet, BufferList, Buffer");
	for (const prototype of prototypes) test.ok(Object.isFrozen(prototype), prototype.constructor.name);
});

t.test("cbor-x refuses what the bundle does not hold, and says what", async (test) => {
	test.throws(
		() => new device.Encoder({ useRecords: false, structuredClone: true }),
		/option structuredClone is not provided/,
	);
	test.throws(() => new device.Decoder({}), /useRecords must be false/);
	const encoder = new device.Encoder({ useRecords: false });
	test.throws(() => encoder.encode(new Map([[1, 2]])), /only plain objects, arrays and bytes/);
	test.throws(() => encoder.encode(new Date()), /only plain objects, arrays and bytes/);
	test.throws(
		() => new device.Decoder({ useRecords: false }).decode(new Uint8Array([0xc1, 0x00])),
		/tags are not provided/,
	);
});

const packets: mqtt.Packet[] = [
	{ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId: "claim-ä", keepalive: 300 },
	{
		cmd: "subscribe",
		messageId: 1,
		subscriptions: [
			{ topic: "a/+", qos: 1 },
			{ topic: "b/#", qos: 0 },
		],
	},
	{ cmd: "publish", topic: "a/b", payload: "text", qos: 1, messageId: 65_535, dup: false, retain: false },
	{ cmd: "publish", topic: "a/ä", payload: Buffer.alloc(20_000, 7), qos: 0, dup: false, retain: true },
	{ cmd: "puback", messageId: 258 },
	{ cmd: "pingreq" },
	{ cmd: "disconnect" },
];

t.test("mqtt-packet writes the same bytes", async (test) => {
	for (const packet of packets) {
		const bytes = new Uint8Array(device.generate(packet));
		test.equal(Buffer.compare(bytes, mqtt.generate(packet)), 0, packet.cmd);
	}
});

t.test("mqtt-packet takes any Uint8Array as payload", async (test) => {
	const payload = new Uint8Array([1, 2, 3]);
	const packet = { cmd: "publish", topic: "a", payload: payload as Buffer, qos: 0, dup: false, retain: false } as const;
	test.equal(
		Buffer.compare(
			new Uint8Array(device.generate(packet)),
			mqtt.generate({ ...packet, payload: Buffer.from(payload) }),
		),
		0,
	);
});

t.test("mqtt-packet reads the same packets, however the stream is cut", async (test) => {
	const stream = Buffer.concat([
		mqtt.generate({ cmd: "connack", returnCode: 0, sessionPresent: false }),
		mqtt.generate({ cmd: "suback", messageId: 1, granted: [1, 128] }),
		mqtt.generate({ cmd: "puback", messageId: 7 }),
		mqtt.generate({
			cmd: "publish",
			topic: "t/ö",
			payload: Buffer.alloc(300, 65),
			qos: 1,
			messageId: 9,
			dup: true,
			retain: false,
		}),
		mqtt.generate({ cmd: "publish", topic: "t", payload: "", qos: 0, dup: false, retain: false }),
		mqtt.generate({ cmd: "pingresp" }),
	]);
	const read = (make: typeof mqtt.parser, size: number): unknown[] => {
		const found: unknown[] = [];
		const parser = make({ protocolVersion: 4 });
		parser.on("packet", (packet) => {
			const payload = "payload" in packet && packet.payload !== null ? [...(packet.payload as Buffer)] : undefined;
			found.push({ ...packet, payload });
		});
		for (let at = 0; at < stream.length; at += size)
			parser.parse(new Uint8Array(stream.subarray(at, at + size)) as Buffer);
		return found;
	};
	const whole = read(mqtt.parser, stream.length);
	test.equal(whole.length, 6);
	for (const size of [1, 2, 3, 7, 100, stream.length])
		test.same(read(device.parser, size), whole, `${size} bytes at a time`);
});

t.test("mqtt-packet refuses packets that a client does not send or get", async (test) => {
	for (const cmd of ["connack", "suback", "unsuback"] as const)
		test.throws(
			() => device.generate({ cmd, messageId: 1, granted: [1], returnCode: 0, sessionPresent: false } as mqtt.Packet),
			cmd,
		);
	for (const packet of packets.slice(0, 2)) {
		const parser = device.parser({ protocolVersion: 4 });
		const errors: Error[] = [];
		parser.on("error", (error) => errors.push(error as Error));
		parser.parse(new Uint8Array(mqtt.generate(packet)) as Buffer);
		test.match(errors, [{ message: "Not supported" }], packet.cmd);
	}
});

t.test("what the shims of Node do not provide, they refuse by name", async (test) => {
	const bytes = device.generate({ cmd: "pingreq" });
	test.throws(() => bytes.toString, /Buffer: toString is not provided/);
	test.throws(() => bytes.slice, /Buffer: slice is not provided/);
	test.throws(() => device.parser({}).once, /EventEmitter: once is not provided/);
});
