// The flash format is a promise: images that version 1 wrote are read as what they were, written again byte for byte, and a
// device that finds one goes on from there.

import { X509Certificate } from "node:crypto";
import t from "tap";
import { ecdsa } from "../../hosts/node/ecdsa.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { DeviceState } from "../../src/contract/events.js";
import { publicKeyOf } from "../../src/identity/private-key.js";
import { type DeviceRecord, decodeCredentials, encodeCredentials, encodeRecord } from "../../src/identity/record.js";
import { Store } from "../../src/identity/store.js";
import { World } from "../support/world.js";
import {
	CERTIFICATE_ID,
	CREDENTIALS,
	EC_CERTIFICATE_ID,
	EC_CREDENTIALS,
	MARKER,
	PENDING_KEY,
	PENDING_RECORD,
	RECORDS,
} from "./golden.js";

const savedAt = Date.UTC(2026, 10, 24);
const certificate = { certificateId: CERTIFICATE_ID, slot: "a" } as const;
const token = { ownershipToken: "a-token-that-was-never-good", deadline: Date.UTC(2026, 10, 24, 1) };
const thing = { thingName: "device-1", deviceConfiguration: { color: "blue" } };

/** What each image says. */
const meant: Readonly<Record<DeviceState, DeviceRecord>> = {
	unprovisioned: { state: "unprovisioned", savedAt, setAsides: 2 },
	created: { state: "created", savedAt, setAsides: 0, ...certificate, ...token },
	registering: { state: "registering", savedAt, setAsides: 0, ...certificate, ...token },
	registered: { state: "registered", savedAt, setAsides: 1, ...certificate, ...thing, refusals: 3 },
	refused: { state: "refused", savedAt, setAsides: 1, ...certificate, ...thing, refusals: 11 },
	proved: { state: "proved", savedAt, setAsides: 0, ...certificate, ...thing },
};
const states = Object.keys(meant) as DeviceState[];

const bytes = (image: string): Uint8Array => new Uint8Array(Buffer.from(image, "hex"));
const hex = (buffer: ArrayBuffer): string => Buffer.from(buffer).toString("hex");

/** Flash as a device in the field has it. */
function flashOf(state: DeviceState): MemoryFlash {
	const flash = new MemoryFlash();
	flash.values.set("state.a", bytes(RECORDS[state]));
	flash.values.set("state.live", bytes(MARKER));
	if (state !== "unprovisioned") flash.values.set("cred.a", bytes(CREDENTIALS));
	return flash;
}

// A comparison that fails prints neither side: the images hold a key.
const same = (one: string, other: string): boolean => one === other;

for (const state of states) {
	t.test(`given an image of version 1 in state ${state}, then it is read as what was written`, async (test) => {
		const damaged: string[] = [];
		const store = new Store(flashOf(state), (event) => damaged.push(event.event));
		const record = store.load();
		test.same(record, meant[state]);
		if (record.state === "unprovisioned") return;
		const credentials = store.loadCredentials(record);
		test.ok(credentials, "and so are the credentials");
		const { fingerprint256 } = new X509Certificate(credentials!.certificate);
		test.equal(fingerprint256.replaceAll(":", "").toLowerCase(), CERTIFICATE_ID);
		test.ok(
			same(hex(encodeCredentials(CERTIFICATE_ID, credentials!)), CREDENTIALS),
			"written again, they are the same",
		);
		test.same(damaged, []);
	});

	t.test(`given what the image in state ${state} says, then it is written byte for byte`, async (test) => {
		test.ok(same(hex(encodeRecord(meant[state], 1)), RECORDS[state]));
	});

	t.test(`given an image in state ${state} with any one byte changed, then it is damaged`, async (test) => {
		const flash = flashOf(state);
		const good = bytes(RECORDS[state]);
		const taken: number[] = [];
		for (let at = 0; at < good.length; at++) {
			const changed = good.slice();
			changed[at]! ^= 0x10;
			flash.values.set("state.a", changed);
			const reported: string[] = [];
			const record = new Store(flash, (event) => reported.push(event.event)).load();
			if (record.savedAt === savedAt || !reported.includes("store.damaged")) taken.push(at);
		}
		test.same(taken, []);
	});

	t.test(`given an image in state ${state}, then a device boots into that state`, async (test) => {
		const world = await World.make({ flash: flashOf(state) });
		world.machine.powerOn();
		await world.play(() => world.events.some(({ event }) => event === "boot"));
		const thingName = "thingName" in meant[state] ? { thingName: "device-1" } : {};
		test.same(world.events[0], { event: "boot", state, firmwareVersion: "1.0.0", ...thingName });
		await world.play(() => world.events.some(({ event }) => event === "connecting"));
		const connecting = world.events.find((event) => event.event === "connecting");
		const role = ["registered", "refused", "proved"].includes(state) ? "identity" : "claim";
		test.match(connecting, { role });
		test.notOk(world.events.some(({ event }) => event === "store.damaged"));
		world.machine.powerOff();
	});
}

t.test(
	"given a marker that names the other place, or a credentials' byte that is changed, then it is told",
	async (test) => {
		const flash = flashOf("proved");
		flash.values.set("state.live", Uint8Array.of(0x63));
		const damaged: string[] = [];
		const store = new Store(flash, (event) => void (event.event === "store.damaged" && damaged.push(event.key)));
		const record = store.load();
		if (record.state !== "proved") return test.fail("it is read as what was written");
		test.same(damaged, ["state.live"]);
		const changed = bytes(CREDENTIALS);
		changed[50]! ^= 1;
		flash.values.set("cred.a", changed);
		test.equal(store.loadCredentials(record), undefined);
		test.same(damaged, ["state.live", "cred.a"]);
	},
);

t.test(
	"given an image of credentials with an EC key, then they are read, whole, and written byte for byte",
	async (test) => {
		const read = decodeCredentials(bytes(EC_CREDENTIALS).buffer as ArrayBuffer, EC_CERTIFICATE_ID);
		if (read.is !== "good") return test.fail(read.is);
		const certificate = new X509Certificate(read.value.certificate);
		test.equal(certificate.fingerprint256.replaceAll(":", "").toLowerCase(), EC_CERTIFICATE_ID);
		const spki = certificate.publicKey.export({ type: "spki", format: "der" });
		test.equal(Buffer.from(publicKeyOf(read.value.key, ecdsa)).compare(spki), 0, "the key is the certificate's");
		test.ok(same(hex(encodeCredentials(EC_CERTIFICATE_ID, read.value)), EC_CREDENTIALS));
	},
);

t.test("given an image of a record with a pending key, then it is read, and written byte for byte", async (test) => {
	const record = { state: "unprovisioned", savedAt, setAsides: 2, pendingKey: PENDING_KEY } as const;
	const flash = new MemoryFlash();
	flash.values.set("state.a", bytes(PENDING_RECORD));
	flash.values.set("state.live", bytes(MARKER));
	test.same(new Store(flash, () => {}).load(), record);
	test.ok(same(hex(encodeRecord(record, 1)), PENDING_RECORD));
});
