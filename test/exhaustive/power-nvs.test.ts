// Power cuts in every operation of the flash chip under an NVS partition. A torn write under ESP-IDF's NVS has other effects than in
// the other sets: the key that is being written may be gone, and the cut may happen while a page is being moved.

import t from "tap";
import type { CertificateRecord } from "../../src/identity/record.js";
import { Store } from "../../src/identity/store.js";
import { NvsFlash } from "../support/nvs.js";
import { playCut } from "../support/safety.js";
import { sample } from "../support/sample.js";
import { type Cut, World } from "../support/world.js";
import { agedPartition, cutsOn, forget, NEXT, newPartition, provision, startAgain } from "./nvs.js";

for (const { pages, times, keyPair } of [
	{ pages: 6, times: 0, keyPair: "keys" },
	{ pages: 6, times: 0, keyPair: "csr" },
	{ pages: 6, times: 4, keyPair: "keys" },
	{ pages: 5, times: 3, keyPair: "keys" },
	{ pages: 4, times: 2, keyPair: "keys" },
	{ pages: 4, times: 2, keyPair: "csr" },
	{ pages: 4, times: 7, keyPair: "keys" },
	{ pages: 4, times: 7, keyPair: "csr" },
] as const)
	t.test(
		`given NVS of ${pages * 4} KB after ${times} provisionings, by ${keyPair}, when the power fails in any operation, then the device recovers`,
		async (test) => {
			const image = await agedPartition(pages, times);
			const { cuts, erases } = await cutsOn(image, keyPair);
			const played = sample(test, cuts, 251);
			const wrong: string[] = [];
			for (const cut of played) {
				const configuration = { keyPair };
				const defects = await playCut([cut], { flash: new NvsFlash(image), issuedBefore: NEXT, configuration });
				if (defects.length > 0) wrong.push(`${JSON.stringify(cut)}: ${defects.join("; ")}`);
			}
			test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played.length} stories end wrong`);
			test.comment(`${played.length} cuts at ${cuts.length} points, ${erases} pages erased`);
		},
	);

t.test("given NVS, when the power fails twice, then the device recovers", async (test) => {
	const image = await agedPartition(4, 3);
	const { cuts } = await cutsOn(image);
	const pairs = cuts.flatMap((first, i) => cuts.filter((_, j) => (i + j) % 23 === 0).map((second) => [first, second]));
	const played = sample(test, pairs, 1997);
	const wrong: string[] = [];
	for (const pair of played) {
		const defects = await playCut(pair, { flash: new NvsFlash(image), issuedBefore: NEXT });
		if (defects.length > 0) wrong.push(`${JSON.stringify(pair)}: ${defects.join("; ")}`);
	}
	test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played.length} stories end wrong`);
});

t.test(
	"given a proved identity, when the power fails while it is being forgotten, then it is forgotten or unchanged",
	async (test) => {
		const flash = newPartition(6);
		await provision(flash, 0);
		const play = async (given: NvsFlash, cuts: readonly Cut[]) => {
			const world = await World.make({ flash: given, cuts, forget: true });
			world.machine.powerOn();
			await world.play(() => world.events.some(({ event }) => event === "connecting"), 60_000);
			world.machine.powerOff();
			return world;
		};
		const plain = new NvsFlash(flash.image);
		await play(plain, []);
		const found: Record<string, number> = {};
		for (const [i, size] of plain.sizes.entries())
			for (const bytes of new Set([0, size >> 1, size])) {
				const given = new NvsFlash(flash.image);
				const world = await play(given, [{ operation: i + 1, bytes }]);
				const connecting = world.events.find((event) => event.event === "connecting");
				const role = connecting?.event === "connecting" ? connecting.role : "nobody";
				const kept = ["cred.a", "cred.b"].filter((key) => given.read(key) !== undefined).length;
				found[`${role} with ${kept}`] = (found[`${role} with ${kept}`] ?? 0) + 1;
				test.same(world.defects, []);
			}
		test.same(Object.keys(found).sort(), ["claim with 0", "identity with 2"], JSON.stringify(found));
	},
);

t.test("given NVS of 24, 20 and 16 KB, then a device can be provisioned any number of times", async (test) => {
	const times = sample(
		test,
		Array.from({ length: 40 }, (_, i) => i),
		5,
	).length;
	for (const pages of [6, 5, 4]) {
		const flash = newPartition(pages);
		let operations = 0;
		for (let i = 0; i < times; i++) {
			const before = flash.operations;
			await provision(flash, i);
			operations = Math.max(operations, flash.operations - before);
			if (i % 2 === 0) forget(flash);
			else startAgain(flash);
		}
		test.comment(
			`${pages * 4} KB: ${(flash.erases / times).toFixed(2)} pages erased a provisioning, at most ${operations} operations`,
		);
		test.ok(flash.erases / times < 2.5, "and wears it out slowly");
	}
});

t.test("given NVS of 12 KB, then a second certificate does not fit, and the device says so", async (test) => {
	const flash = newPartition(3);
	await provision(flash, 0);
	startAgain(flash);
	const world = await World.make({ flash, issuedBefore: 1 });
	world.machine.powerOn();
	await world.play(() => false, 3_000_000);
	world.machine.powerOff();
	test.ok(world.failures.length > 3 && world.failures.every((code) => code === "STORE_FULL"), world.failures.join());
	test.equal(world.cloud.issued, 1);
	test.ok(world.halted === false && world.defects.length === 0);
});

/** 64 bytes, such as the partition `nvs_keys` holds. */
const KEYS = Uint8Array.from({ length: 64 }, (_, i) => i * 37 + 1);

t.test(
	"given an identity that is forgotten, then its key is still in the partition, unless that is encrypted",
	async (test) => {
		for (const keys of [undefined, KEYS]) {
			const flash = newPartition(6, keys);
			await provision(flash, 0);
			const record = new Store(flash, () => {}).load();
			const { key } = new Store(flash, () => {}).loadCredentials(record as CertificateRecord)!;
			const lies = () => Buffer.from(flash.image).includes(Buffer.from(key.subarray(200, 400)));
			test.equal(lies(), keys === undefined, "while it is in use");
			forget(flash);
			test.equal(flash.read("cred.a") ?? flash.read("cred.b"), undefined);
			test.equal(lies(), keys === undefined, "after it was forgotten");
		}
	},
);

t.test(
	"given encrypted NVS, when the power fails in any operation, then the device recovers as it does without",
	async (test) => {
		const flash = newPartition(4, KEYS);
		await provision(flash, 0);
		startAgain(flash);
		flash.powerOff();
		const { image } = flash;
		const plain = new NvsFlash(image, KEYS);
		await provision(plain, NEXT);
		const cuts = plain.sizes.flatMap((size, i) => [0, size >> 1, size].map((bytes) => ({ operation: i + 1, bytes })));
		const played = sample(test, cuts, 167);
		const wrong: string[] = [];
		for (const cut of played) {
			const defects = await playCut([cut], { flash: new NvsFlash(image, KEYS), issuedBefore: NEXT });
			if (defects.length > 0) wrong.push(`${JSON.stringify(cut)}: ${defects.join("; ")}`);
		}
		test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played.length} stories end wrong`);
	},
);
