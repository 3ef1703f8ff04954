// Generates scripts of MQTT clients, with packets of both versions, valid and invalid.

import { generate, type Packet } from "mqtt-packet";
import { anything, damagedCbor, damagedJson } from "../json.js";
import { mutate, type Random } from "../mutate.js";

/** The identities whose certificates the clients in scripts use; `none` has no policy. */
const identities = ["claim", "claim", "dev-a", "dev-b", "open", "open", "all", "all", "none"] as const;

const clientIds = ["c1", "c2", "c3", "dev-a", "dev-b", "", "$a", "x".repeat(128), "x".repeat(129), "a\0b", "é", "a/b"];
const requests = ["create/json", "create/cbor", "create-from-csr/json", "create-from-csr/cbor"]
	.map((rest) => `$aws/certificates/${rest}`)
	.concat(["json", "cbor"].map((format) => `$aws/provisioning-templates/T/provision/${format}`));
const topics = [
	"open/a",
	"open/b/c",
	"devices/dev-a/x",
	"devices/dev-b/y",
	"a",
	"",
	"/",
	"//",
	"open/",
	"open/é",
	"open/\0",
	"open/+",
	"#",
	"a/b/c/d/e/f/g/h",
	"a/b/c/d/e/f/g/h/i",
	"x".repeat(256),
	"x".repeat(257),
	"$SYS/a",
	"$share/g/open/a",
	"$aws",
	"$aws/",
	"$aws/things/dev-a/shadow/update",
	"$aws/rules/r/open/a",
	"$aws/rules/r",
	"$aws/events/presence/connected/c1",
	"$aws/provisioning-templates/none/provision/json",
	"$aws/provisioning-templates/T/provision/xml",
];
const filters = [
	"#",
	"+",
	"+/+",
	"+/#",
	"open/#",
	"open/+",
	"open/#/x",
	"open+",
	"devices/dev-a/#",
	"devices/+/x",
	"$aws/#",
]
	.concat(["$aws/events/#", "$aws/certificates/create/+", "$SYS/#", "$share/g/#", "/#", "+/b/#"])
	.concat([
		"$share/g/open/+",
		"$share/h/open/#",
		"$share/g/devices/dev-a/x",
		"$share/g/",
		"$share/+/a",
		"$share/g/$aws/#",
	])
	.concat(requests.flatMap((topic) => [`${topic}/accepted`, `${topic}/rejected`, `${topic}/#`]));
const payloads: readonly unknown[] = [
	{},
	{ certificateSigningRequest: "-----BEGIN CERTIFICATE REQUEST-----\nMAo=\n-----END CERTIFICATE REQUEST-----" },
	{ certificateOwnershipToken: "a".repeat(40), parameters: { SerialNumber: "s" } },
];
const settings = [
	{ reply: { puback: "before" } },
	{ reply: { puback: "after" } },
	{ reply: { puback: "withhold" } },
	{ reply: { subscription: "none" } },
	{ reply: { subscription: "exact", qos: 0 } },
	{ reply: { padTo: 5_000 } },
	{ connection: { subscribeDenied: "suback", connectDenied: 5 } },
	{ connection: { subscribeDenied: "close", connectDenied: "close" } },
	{ connection: { publishesPerSecond: 0 } },
	{ connection: { publishesPerSecond: 100 } },
	{ connection: { connectAttributesNeedGrant: true } },
	{ limits: { sessions: 3, retained: 3, queued: 3 } },
	{ limits: { payload: 300, storedBytes: 3_000 } },
	{ faults: [{ operation: "CreateKeysAndCertificate", action: "duplicate" }] },
	{ faults: [{ operation: "RegisterThing", action: "close" }] },
];

type Version = 4 | 5;

function textOf(random: Random, of: readonly string[]): string {
	return random.pick(of);
}

function payload(random: Random, topic: string): Buffer {
	if (topic.endsWith("cbor")) return Buffer.from(damagedCbor(random, payloads));
	if (topic.endsWith("json")) return Buffer.from(damagedJson(random, payloads));
	return Buffer.alloc(random.once(200) ? 70_000 : random.pick([0, 1, 10, 100, 1_000]), random.next(256));
}

/** Properties of MQTT 5, both those that the packet may have and others. */
function properties(random: Random): object {
	const all: readonly object[] = [
		{ sessionExpiryInterval: random.pick([0, 1, 60, 2 ** 32 - 1]) },
		{ receiveMaximum: random.pick([0, 1, 2, 65_535]) },
		{ maximumPacketSize: random.pick([0, 1, 20, 200, 2 ** 32 - 1]) },
		{ topicAliasMaximum: random.pick([0, 10]) },
		{ requestResponseInformation: random.once(2) },
		{ requestProblemInformation: random.once(2) },
		{ userProperties: { a: "b", c: ["d", "e"], [random.pick(["", "__proto__", "é"])]: "f" } },
		{ authenticationMethod: "m", authenticationData: Buffer.from("d") },
		{ payloadFormatIndicator: random.once(2) },
		{ messageExpiryInterval: random.pick([0, 1, 2 ** 32 - 1]) },
		{ topicAlias: random.pick([0, 1, 1, 2, 8, 9, 65_535]) },
		{ responseTopic: textOf(random, topics) },
		{ correlationData: Buffer.from("c") },
		{ subscriptionIdentifier: random.pick([1, 268_435_455]) },
		{ contentType: "t" },
		{ reasonString: "r" },
	];
	return Object.assign({}, ...Array.from({ length: random.next(3) }, () => random.pick(all)));
}

function connect(random: Random, version: Version): object {
	const clientId = random.once(2) ? random.pick(["c1", "c2", "c3"]) : textOf(random, clientIds);
	return {
		cmd: "connect",
		protocolId: "MQTT",
		protocolVersion: version,
		clientId,
		clean: clientId === "" || random.once(2),
		keepalive: random.pick([0, 1, 30, 1_200, 65_535]),
		...(random.once(5) && { username: "u?SDK=x" }),
		...(random.once(9) && { username: "u", password: Buffer.from("p") }),
		...(random.once(3) && {
			will: {
				topic: textOf(random, topics),
				payload: Buffer.from("will"),
				qos: random.next(3),
				retain: random.once(3),
				...(version === 5 && random.once(2) && { properties: { willDelayInterval: random.pick([0, 1, 1e6]) } }),
			},
		}),
		...(version === 5 && { properties: properties(random) }),
	};
}

/** One packet of a connected client. */
function packet(random: Random, version: Version): object {
	const messageId = random.pick([1, 1, 2, 3, 255, 65_535]);
	const extra = version === 5 ? { properties: properties(random) } : {};
	switch (random.next(14)) {
		case 0:
		case 1:
		case 2:
		case 3: {
			const topic = random.once(2)
				? random.pick(random.once(2) ? requests : topics.slice(0, 4))
				: textOf(random, topics);
			const qos = random.pick([0, 0, 1, 1, 1, 2]);
			return {
				cmd: "publish",
				topic,
				payload: payload(random, topic),
				qos,
				messageId,
				retain: random.once(5),
				dup: qos > 0 && random.once(6),
				...extra,
			};
		}
		case 4:
		case 5:
		case 6:
			return {
				cmd: "subscribe",
				messageId,
				subscriptions: Array.from({ length: random.pick([1, 1, 2, 4, 8, 9]) }, () => ({
					topic: textOf(random, random.once(3) ? topics : filters),
					qos: random.pick([0, 1, 1, 2]),
					...(version === 5 && { nl: random.once(2), rap: random.once(2), rh: random.next(3) }),
				})),
				...extra,
			};
		case 7:
			return {
				cmd: "unsubscribe",
				messageId,
				unsubscriptions: Array.from({ length: 1 + random.next(3) }, () => textOf(random, filters)),
				...extra,
			};
		case 8:
			return {
				cmd: random.pick(["puback", "pubrec", "pubrel", "pubcomp"]),
				messageId,
				...(version === 5 && { reasonCode: random.pick([0, 16, 0x80]) }),
			};
		case 9:
			return { cmd: "pingreq" };
		case 10:
			return { cmd: "disconnect", ...(version === 5 && { reasonCode: random.pick([0, 4, 0x80]), ...extra }) };
		case 11:
			return random.pick([
				{ cmd: "connack", returnCode: 0, reasonCode: 0, sessionPresent: false },
				{ cmd: "suback", messageId, granted: [0] },
				{ cmd: "unsuback", messageId, granted: [0] },
				{ cmd: "pingresp" },
				{ cmd: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } },
			]);
		default:
			return { cmd: "subscribe", messageId, subscriptions: [{ topic: random.pick(filters), qos: 1 }] };
	}
}

/** A packet as bytes. When the library refuses to encode it, a frame with a random body takes its place. */
function bytesOf(random: Random, made: object, version: Version): Buffer {
	try {
		return generate(made as Packet, { protocolVersion: version });
	} catch {
		return frame(random.next(256), Buffer.from(String(anything(random, 0))));
	}
}

function frame(first: number, body: Buffer): Buffer {
	const length: number[] = [];
	for (let left = body.length; ; left >>= 7) {
		if (left < 0x80) {
			length.push(left);
			break;
		}
		length.push((left & 0x7f) | 0x80);
	}
	return Buffer.concat([Buffer.from([first, ...length]), body]);
}

/** A frame with a correct length and a wrong body: shortened, lengthened or damaged. */
function damagedFrame(random: Random, bytes: Buffer): Buffer {
	let at = 1;
	while (at < bytes.length && bytes[at]! >= 0x80) at++;
	const body = bytes.subarray(at + 1);
	const first = random.once(3) ? random.next(256) : bytes[0]!;
	switch (random.next(4)) {
		case 0:
			return frame(first, body.subarray(0, random.next(body.length + 1)));
		case 1:
			return frame(first, Buffer.concat([body, Buffer.alloc(random.next(8), random.next(256))]));
		default:
			return frame(first, Buffer.from(mutate(random, [body])));
	}
}

/** What one client sends from first to last. */
function stream(random: Random): Buffer[] {
	const version: Version = random.once(2) ? 4 : 5;
	const packets: object[] = random.once(25) ? [] : [connect(random, version)];
	for (let left = random.pick([0, 1, 2, 4, 8, 12]); left > 0; left--) packets.push(packet(random, version));
	if (random.once(25)) packets.push(connect(random, version));
	// Most CONNECTs are good, because otherwise the broker would never read what follows them.
	const parts = packets.map((made, index) => {
		const bytes = bytesOf(random, made, random.once(40) ? 5 : version);
		return random.once(index === 0 ? 12 : 5) ? damagedFrame(random, bytes) : bytes;
	});
	const whole = random.once(6) ? [Buffer.from(mutate(random, parts.length > 0 ? parts : [Buffer.of(0)]))] : parts;
	if (random.once(3)) return whole;
	// Splits the bytes at random places.
	let rest = Buffer.concat(whole);
	const pieces: Buffer[] = [];
	while (rest.length > 0) {
		const length = random.once(3) ? 1 + random.next(4) : 1 + random.next(rest.length);
		pieces.push(rest.subarray(0, length));
		rest = rest.subarray(length);
		if (pieces.length === 30) break;
	}
	return rest.length > 0 ? [...pieces, rest] : pieces;
}

/** A script with so many connections, of which a few are open at a time. `first` is the number of the first one. */
export function script(random: Random, connections: number): Uint8Array {
	const lines: string[] = [];
	const say = (line: string) => void lines.push(line);
	const first = random.next(1e6) * 1_000;
	const running: { readonly name: number; readonly pieces: Buffer[] }[] = [];
	let opened = 0;
	if (random.once(2)) say(`set ${JSON.stringify(random.pick(settings))}`);
	while (opened < connections || running.length > 0) {
		if (opened < connections && (running.length === 0 || (running.length < 6 && random.once(3)))) {
			const name = first + opened++;
			// A connection with an unknown certificate stays open for a second, so there are few of them.
			say(`open ${name} ${random.once(5_000) ? "stranger" : random.pick(identities)}`);
			running.push({ name, pieces: stream(random) });
			continue;
		}
		const index = random.next(running.length);
		const { name, pieces } = running[index]!;
		const piece = pieces.shift();
		if (piece) {
			const burst = random.once(400) && piece.length < 2_000 ? random.pick([10, 200, 3_000]) : 1;
			say(`data ${name} ${burst} ${piece.toString("hex")}`);
			if (random.once(2)) say("turn");
			if (random.once(60)) say(`${random.pick(["hold", "free"])} ${name}`);
			if (random.once(200))
				say(`status ${random.pick(["dev-a", "open", "all`])} ${random.pick([`ACTIVE", "INACTIVE"])}`);
			if (random.once(200)) say(`set ${JSON.stringify(random.pick(settings))}`);
			continue;
		}
		running.splice(index, 1);
		// The other connections stay open until the end of the script.
		if (!random.once(4)) say(`${random.once(3) ? "reset" : "end"} ${name}`);
	}
	return new Uint8Array(Buffer.from(`${lines.join("\n")}\n`));
}
