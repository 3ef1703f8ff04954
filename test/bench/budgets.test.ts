// Given the limits in limits.json, then nothing that is measured exceeds them. Only counts, which are the same on every machine,
// and never times.

import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { areaIn, Flash } from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import { engineOrReason } from "../support/xs.js";
import { clients } from "./clients.js";
import { BenchCloud } from "./cloud.js";
import { bytecode, completesIn, machine, measureStories } from "./memory.js";
import { countPackets, UNLIMITED } from "./round-trips.js";
import { measureStorage } from "./storage.js";

type Limit = { readonly most: number; readonly why: string };
const limits: Record<string, Limit> = JSON.parse(readFileSync(new URL("limits.json", import.meta.url), "utf8"));
const used = new Set<string>();

/** The limit of that name. */
function most(name: string): number {
	const limit = limits[name];
	if (limit === undefined) throw new Error(`limits.json has no ${name}`);
	used.add(name);
	return limit.most;
}

/** Fails with the measured number and the reason for the limit. */
function within(test: Test, measured: number, name: string): void {
	const limit = most(name);
	test.ok(measured <= limit, `${name}: ${measured}, at most ${limit}. ${limits[name]!.why}`);
}

/** The limit for each way in which the device program sends its requests. */
const ROUND_TRIPS: Readonly<Record<string, string>> = {
	"this project": "roundTrips",
	"this project, pipelined": "roundTripsPipelined",
	"this project, in two flights": "roundTripsInTwoFlights",
};

t.test("a provisioning takes no more round trips and bytes than it must", async (test) => {
	const cloud = await BenchCloud.start(UNLIMITED);
	test.teardown(() => cloud.close());
	for (const client of clients.filter(({ name }) => name.startsWith("this project"))) {
		const { roundTrips, bytesSent, bytesReceived, name, encoding, keyPair } = await countPackets(cloud, client);
		test.comment(
			`${name}, ${encoding}, ${keyPair}: ${roundTrips} round trips, ${bytesSent} bytes sent, ${bytesReceived} received`,
		);
		// Neither more nor less: with less, the device would not have waited for what it must wait for.
		test.equal(roundTrips, most(ROUND_TRIPS[name]!), `round trips of ${name}`);
		if (encoding !== "cbor" || keyPair !== "keys") continue;
		within(test, bytesSent, "bytesSent");
		within(test, bytesReceived, "bytesReceived");
	}
});

t.test("flash is written little while a device is provisioned, and never after that", async (test) => {
	for (const keyPair of ["keys", "csr"] as const) {
		const { provisioning, ordinary } = await measureStorage(keyPair, 20);
		within(test, provisioning.writes, keyPair === "keys" ? "writesToProvision" : "writesWithOwnKey");
		within(test, provisioning.bytes, keyPair === "keys" ? "bytesToProvision" : "bytesWithOwnKey");
		test.comment(`by ${keyPair}: ${provisioning.writes} writes, ${provisioning.bytes} bytes`);
		within(test, ordinary.writes, "writesInOrdinaryLife");
	}
});

const stress = await engineOrReason("stress");
t.test("in XS, all that is alive at once fits, and so does the bytecode", { skip: stress.skip }, async (test) => {
	const { stories, flash } = await measureStories(stress.engine!, ["esp32", "esp32c3", "tight"], () => {});
	for (const { preset, keyPair, completed, fault, least } of stories) {
		test.ok(completed, `preset ${preset} by ${keyPair}: ${fault ?? "it gets its identity"}`);
		within(test, least, keyPair === "keys" ? "memoryAlive" : "memoryAliveWithOwnKey");
	}
	within(test, bytecode(flash).total, "bytecode");
});

const device = await engineOrReason("device");
t.test("in XS, a device gets its identity in a small area with a small stack", { skip: device.skip }, async (test) => {
	const flash = new Flash(device.engine!, await deviceFirmware());
	test.teardown(() => flash.close());
	const stack = most("stack");
	for (const keyPair of ["keys", "csr"] as const) {
		const name = keyPair === "keys" ? "memoryArea" : "memoryAreaWithOwnKey";
		const area = areaIn(device.engine, machine(most(name), stack));
		const fits = await completesIn(flash, { area, stack, keyPair });
		test.ok(fits, `by ${keyPair} in ${area} bytes with ${stack} slots. ${limits[name]!.why}`);
		if (device.engine.wide) test.comment(`a 64-bit engine: ${most(name)} bytes on the ESP32 are ${area} here`);
	}
});

t.test("no limit is left that nothing is held to", { skip: stress.skip || device.skip }, async (test) => {
	test.same(
		Object.keys(limits).filter((name) => !used.has(name)),
		[],
	);
});
