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
	...((await load("mqtt-packet")) as Pick<typeof mqtt, "parser" | "writeToStream">),
};
mqtt.writeToStream.cacheNumbers = false;

/** Encodes a packet as the device does: the chunks of a stream, which are texts, bytes or plain arrays. */
function generate(packet: mqtt.Packet): Buffer {
	const chunks: Buffer[] = [];
	device.writeToStream(packet, {
		write: (chunk: string | Uint8Array) => chunks.push(Buffer.from(chunk as string)),
		destroy(error: Error) {
			throw error;
		},
	} as unknown as Parameters<typeof device.writeToStream>[1]);
	return Buffer.concat(chunks);
}

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
	{ useRecords: false, mapsAsObjects: false, variableMapSize: true },
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
	const instances = [new device.Encoder({ useRecords: false }), parser, parser.packet, parser._list];
	const prototypes = new Set<object>();
	const builtIn: object[] = [Object.prototype];
	for (let one of instances)
		for (one = Object.getPrototypeOf(one); !builtIn.includes(one); one = Object.getPrototypeOf(one))
			prototypes.add(one);
	test.equal(prototypes.size, 6, "Encoder, Decoder, Parser, EventEmitter, Packet, BufferList");
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
	test.throws(() => new device.Decoder({ useRecords: false }).decode(new Uint8Array([0xc1, 0x00])), "a tag");
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
		test.equal(Buffer.compare(generate(packet), mqtt.generate(packet)), 0, packet.cmd);
	}
});

t.test("mqtt-packet takes any Uint8Array as payload", async (test) => {
	const payload = new Uint8Array([1, 2, 3]);
	const packet = { cmd: "publish", topic: "a", payload: payload as Buffer, qos: 0, dup: false, retain: false } as const;
	test.equal(Buffer.compare(generate(packet), mqtt.generate({ ...packet, payload: Buffer.from(payload) })), 0);
});

t.test("mqtt-packet reads the same packets, each given whole", async (test) => {
	const stream: mqtt.Packet[] = [
		{ cmd: "connack", returnCode: 0, sessionPresent: false },
		{ cmd: "suback", messageId: 1, granted: [1, 128] },
		{ cmd: "unsuback", messageId: 1 } as mqtt.Packet,
		{ cmd: "puback", messageId: 7 },
		{ cmd: "publish", topic: "t/ö", payload: Buffer.alloc(300, 65), qos: 1, messageId: 9, dup: true, retain: false },
		{ cmd: "publish", topic: "t", payload: "", qos: 0, dup: false, retain: false },
		{ cmd: "pingresp" },
	];
	const read = (make: typeof mqtt.parser): unknown[] => {
		const found: unknown[] = [];
		const parser = make({ protocolVersion: 4 });
		parser.on("packet", (packet) => {
			const payload = "payload" in packet && packet.payload !== null ? [...(packet.payload as Buffer)] : undefined;
			found.push({ ...packet, payload });
		});
		for (const packet of stream) parser.parse(new Uint8Array(mqtt.generate(packet)) as Buffer);
		return found;
	};
	const found = read(device.parser);
	test.equal(found.length, stream.length);
	test.same(found, read(mqtt.parser));
});

t.test(
	"mqtt-packet's parser fails where the package fails, on every truncation and every changed byte",
	async (test) => {
		const hex = (packet: object): string =>
			"payload" in packet && packet.payload ? Buffer.from(packet.payload as Buffer).toString("hex") : "";
		const outcome = (make: typeof mqtt.parser, bytes: Uint8Array): unknown => {
			const found: unknown[] = [];
			let failed = false;
			const parser = make({ protocolVersion: 4 });
			parser.on("packet", ({ ...packet }) => void found.push({ ...packet, payload: hex(packet) }));
			parser.on("error", () => {
				failed = true;
			});
			try {
				parser.parse(bytes as Buffer);
			} catch {
				failed = true;
			}
			return failed || found.length !== 1 ? "fails" : found;
		};
		let [compared, refused] = [0, 0];
		for (const packet of [
			{ cmd: "connack", returnCode: 5, sessionPresent: false },
			{ cmd: "suback", messageId: 513, granted: [1, 128, 0] },
			{ cmd: "puback", messageId: 700 },
			{ cmd: "publish", topic: "a/b", payload: "text", qos: 1, messageId: 9, dup: true, retain: false },
			{ cmd: "pingresp" },
		] as mqtt.Packet[]) {
			const whole = new Uint8Array(mqtt.generate(packet));
			const changed = Array.from({ length: whole.length * 256 }, (_, i) =>
				whole.map((byte, at) => (at === i >> 8 ? i & 255 : byte)),
			);
			for (const bytes of [...changed, ...Array.from(whole, (_, end) => whole.slice(0, end))]) {
				const [theirs, ours] = [outcome(mqtt.parser, bytes), outcome(device.parser, bytes)];
				// The device reads fewer kinds of packet, and refuses text that is not UTF-8.
				if (ours === "fails") refused += 1;
				else {
					compared += 1;
					if (JSON.stringify(ours) !== JSON.stringify(theirs))
						test.same(ours, theirs, Buffer.from(bytes).toString("hex"));
				}
			}
		}
		test.ok(compared > 3000 && refused > 3000, `${compared} packets read, ${refused} refused`);
	},
);

t.test("mqtt-packet refuses packets that a client does not send or get", async (test) => {
	for (const cmd of ["connack", "suback", "unsuback"] as const)
		test.throws(
			() => generate({ cmd, messageId: 1, granted: [1], returnCode: 0, sessionPresent: false } as mqtt.Packet),
			cmd,
		);
	test.throws(() => generate({ ...packets[0], username: "a" } as mqtt.Packet), "a user name");
	test.throws(() => generate({ ...packets[0], protocolVersion: 5 } as mqtt.Packet), "MQTT 5");
	for (const packet of packets.slice(0, 2)) {
		const parser = device.parser({ protocolVersion: 4 });
		const errors: Error[] = [];
		parser.on("error", (error) => errors.push(error as Error));
		parser.parse(new Uint8Array(mqtt.generate(packet)) as Buffer);
		test.equal(errors.length, 1, packet.cmd);
	}
});

t.test("of the packages' errors no text is left, which might quote what came from the network", async (test) => {
	const parser = device.parser({ protocolVersion: 4 });
	const errors: Error[] = [];
	parser.on("error", (error) => errors.push(error as Error));
	parser.parse(new Uint8Array([0x21, 2, 0, 0]) as Buffer);
	test.match(errors, [{ message: "" }]);
	const decoder = new device.Decoder({ useRecords: false });
	for (const bytes of [[], [0x61], [0xff], [0x1c], [0xc1, 0], [1, 1]])
		test.throws(() => decoder.decode(new Uint8Array(bytes)), { message: "" }, bytes.join(" "));
});
