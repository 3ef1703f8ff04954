// A key that the device makes: it is in flash before anybody is asked about it, is asked about until a certificate for it is kept,
// is the key of that one certificate, and never leaves the device.

import { X509Certificate } from "node:crypto";
import t from "tap";
import { SimulatedDevice, type SimulatedDeviceOptions } from "../../hosts/node/device.js";
import { ecdsa } from "../../hosts/node/ecdsa.js";
import type { MemoryFlash } from "../../hosts/node/flash.js";
import { XsDevice } from "../../hosts/xs/device.js";
import { Flash } from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import { fromHex, toHex } from "../../src/base/hex.js";
import type { Configuration } from "../../src/contract/configuration.js";
import { keyPair } from "../../src/identity/ec.js";
import { ecKeyIn } from "../../src/identity/private-key.js";
import type { CertificateRecord, DeviceRecord } from "../../src/identity/record.js";
import { Store } from "../../src/identity/store.js";
import type { Fate, Passing } from "../support/virtual-cloud.js";
import { SERIAL_NUMBER, World, type WorldOptions } from "../support/world.js";
import { engineOrReason } from "../support/xs.js";

const CSR: WorldOptions = { configuration: { keyPair: "csr" } };
const load = (flash: MemoryFlash): DeviceRecord => new Store(flash, () => {}).load();
const pendingIn = (flash: MemoryFlash): Uint8Array | undefined => {
	const record = load(flash);
	return "pendingKey" in record ? fromHex(record.pendingKey!) : undefined;
};
const pointOf = (scalar: Uint8Array) => Buffer.from(keyPair("P-256", scalar, undefined, ecdsa).point).toString("hex");
const isRequest = ({ packet }: Passing) =>
	packet.cmd === "publish" && packet.topic === "$aws/certificates/create-from-csr/cbor";
const isReply = ({ packet }: Passing) =>
	packet.cmd === "publish" && packet.topic === "$aws/certificates/create-from-csr/cbor/accepted";

/** Whether these bytes are anywhere in flash, or in these places, as they are or in hexadecimal. */
const lies = (flash: MemoryFlash, bytes: Uint8Array, ...places: readonly string[]): boolean =>
	[...flash.values].some(
		([place, value]) =>
			(places.length === 0 || places.includes(place)) &&
			[Buffer.from(bytes), toHex(bytes)].some((form) => Buffer.from(value).includes(form)),
	);

/** A device of which nothing is said about key pairs. */
function unsaid(hasEcdsa: boolean, keyPair?: Configuration["keyPair"]) {
	return ({ configuration: { keyPair: _, ...rest }, ...options }: SimulatedDeviceOptions) =>
		new SimulatedDevice({ ...options, hasEcdsa, configuration: { ...rest, ...(keyPair && { keyPair }) } });
}

async function run(options: WorldOptions): Promise<World> {
	const world = await World.make(options);
	world.machine.powerOn();
	await world.play(() => world.running || world.halted);
	world.machine.powerOff();
	return world;
}

t.test(
	"given a machine that computes with EC keys, then its device makes its own unless told otherwise",
	async (test) => {
		const asked = ({ events }: World) =>
			events.flatMap((event) => (event.event === "request" ? [event.operation] : []));
		for (const [hasEcdsa, keyPair, operation] of [
			[true, undefined, "CreateCertificateFromCsr"],
			[true, "keys", "CreateKeysAndCertificate"],
			[false, undefined, "CreateKeysAndCertificate"],
		] as const)
			test.same(asked(await run({ machine: unsaid(hasEcdsa, keyPair) })), [operation, "RegisterThing"]);
		const world = await run({ machine: unsaid(false, "csr") });
		test.same(world.failures, ["KEY_PAIR_UNSUPPORTED"]);
		test.ok(world.halted);
		test.equal(world.flash.writes, 0);
	},
);

t.test(
	"given a request that goes out, then its key is in flash already; and behind it in the identity alone",
	async (test) => {
		let pending: Uint8Array | undefined;
		const world: World = await World.make({
			...CSR,
			fate: (passing) => {
				if (isRequest(passing)) pending = pendingIn(world.flash);
				return "pass";
			},
		});
		world.machine.powerOn();
		test.ok(await world.play());
		world.machine.powerOff();
		const { flash } = world;
		test.ok(world.cloud.asked[0]!.endsWith(pointOf(pending!)));
		const record = load(flash) as CertificateRecord;
		const { key } = new Store(flash, () => {}).loadCredentials(record)!;
		test.same(ecKeyIn(key, ecdsa)!.scalar, pending);
		test.notOk(lies(flash, pending!, "state.a", "state.b"));
		const told = JSON.stringify(world.events);
		for (const encoding of ["hex", "base64"] as const)
			test.notOk(told.includes(Buffer.from(pending!).toString(encoding).slice(0, 40)));
	},
);

t.test(
	"given replies that are lost, and cuts, then the same key is asked about until its certificate is kept",
	async (test) => {
		let lost = 3;
		const world = await run({
			...CSR,
			fate: (passing): Fate => (isReply(passing) && lost-- > 0 ? (lost === 1 ? "close" : "drop") : "pass"),
			cuts: [{ packet: 7, gotThrough: true }],
		});
		test.ok(world.running);
		test.equal(world.cuts, 1);
		test.ok(world.cloud.asked.length >= 4);
		test.equal(new Set(world.cloud.asked).size, 1);
	},
);

const xs = await engineOrReason("ordinary");
for (const machine of ["Node", "XS"])
	t.test(
		`given a common name of one's own, on ${machine}, then the request has it`,
		{ skip: machine === "XS" && xs.skip },
		async (test) => {
			const flash = machine === "XS" ? new Flash(xs.engine!, await deviceFirmware()) : undefined;
			test.teardown(() => flash?.close());
			for (const [commonName, subject] of [
				[undefined, SERIAL_NUMBER],
				["Zürich {SerialNumber} {Batch} 😀", `Zürich ${SERIAL_NUMBER} {Batch} 😀`],
				["日😀".repeat(32), "日😀".repeat(32)],
			] as const) {
				const world = await run({
					configuration: { keyPair: "csr", ...(commonName !== undefined && { commonName }) },
					...(flash && { machine: (options: SimulatedDeviceOptions) => new XsDevice(flash, options) }),
				});
				test.ok(world.running);
				const store = new Store(world.flash, () => {});
				const { certificate } = store.loadCredentials(store.load() as CertificateRecord)!;
				// The virtual cloud copies the subject from the request.
				test.equal(new X509Certificate(certificate).subject, `CN=${subject}`);
			}
		},
	);

t.test("given an identity that is put aside, then the next one has another key", async (test) => {
	const world = await run({
		...CSR,
		settings: {
			faults: [
				{
					operation: "RegisterThing",
					times: 1,
					action: "reject",
					rejection: { statusCode: 400, errorCode: "InvalidCertificateOwnershipToken", errorMessage: "no" },
				},
			],
		},
	});
	test.ok(world.running);
	test.equal(world.cloud.asked.length, 2);
	test.equal(new Set(world.cloud.asked).size, 2);
});

/** Flash of a device whose request has gone out and was not answered. */
async function pendingFlash(): Promise<MemoryFlash> {
	const world = await World.make({ ...CSR, fate: (passing) => (isRequest(passing) ? "drop" : "pass") });
	world.machine.powerOn();
	await world.play(() => world.failures.includes("CREATE_TIMEOUT"));
	world.machine.powerOff();
	return world.flash;
}

t.test(
	"given a pending key, when the device is to forget, then it is nowhere in flash, and another is made",
	async (test) => {
		const flash = await pendingFlash();
		const pending = pendingIn(flash)!;
		test.ok(lies(flash, pending));
		const world = await World.make({ ...CSR, flash, forget: true, issuedBefore: 1 });
		world.machine.powerOn();
		await world.play(() => world.events.some(({ event }) => event === "identity.forgotten"));
		test.notOk(lies(flash, pending));
		await world.play();
		world.machine.powerOff();
		test.notOk(lies(flash, pending));
	},
);

t.test(
	"given a proved identity, when it is forgotten, then neither its key nor a token is left in flash",
	async (test) => {
		const { flash } = await run(CSR);
		const { key } = new Store(flash, () => {}).loadCredentials(load(flash) as CertificateRecord)!;
		const { scalar } = ecKeyIn(key)!;
		test.ok(lies(flash, scalar));
		const world = await World.make({ ...CSR, flash, forget: true, issuedBefore: 1 });
		world.machine.powerOn();
		await world.play(() => world.events.some(({ event }) => event === "identity.forgotten"));
		world.machine.powerOff();
		test.notOk(lies(flash, scalar));
		test.same(
			[...flash.values.keys()].filter((key) => key.startsWith("cred")),
			[],
		);
	},
);

t.test(
	"given a pending key that is none, or is not wanted any more, then the device goes on without it",
	async (test) => {
		const flash = await pendingFlash();
		const store = new Store(flash, () => {});
		store.load();
		store.save({ state: "unprovisioned", savedAt: 0, setAsides: 0, pendingKey: "f".repeat(64) });
		test.ok((await run({ ...CSR, flash })).running);
		const other = await pendingFlash();
		const world = await run({ flash: other });
		test.ok(world.running, "by keys");
		test.same(world.cloud.asked, []);
	},
);
