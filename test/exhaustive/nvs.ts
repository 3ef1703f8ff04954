// NVS partitions in the condition in which devices in the field have them, and power cuts in the operations of their flash chip, for
// the tests on Node and in XS.

import { Store } from "../../src/identity/store.js";
import { type FlashCut, NvsFlash } from "../support/nvs.js";
import { World } from "../support/world.js";

/** Who makes the key pair: see Configuration. */
export type KeyPair = "keys" | "csr";

/** A partition of so many pages with what the SDK's Wi-Fi keeps in it: the calibration of the radio, once and for all. */
export function newPartition(pages: number, keys?: Uint8Array): NvsFlash {
	const flash = new NvsFlash(pages, keys);
	flash.writeIn("phy", "cal_data", new Uint8Array(1904).fill(0x55));
	flash.writeIn("phy", "cal_mac", new Uint8Array(6).fill(0x66));
	flash.writeIn("phy", "cal_version", new Uint8Array(4).fill(0x77));
	flash.powerOff();
	return flash;
}

/** Provisions a device on this flash, for the nth time, from 0. @throws Error when it does not come up: why */
export async function provision(flash: NvsFlash, nth: number, keyPair: KeyPair = "keys"): Promise<void> {
	const world = await World.make({ flash, issuedBefore: nth % 20, configuration: { keyPair } });
	world.machine.powerOn();
	const running = await world.play(undefined, 600_000);
	world.machine.powerOff();
	if (!running) throw new Error(world.failures.join());
}

/** Gives up the identity, as a device does whose identity is refused. Its credentials stay in flash. */
export function startAgain(flash: NvsFlash): void {
	const store = new Store(flash.device, () => {});
	store.load();
	store.save({ state: "unprovisioned", savedAt: 0, setAsides: 0 });
}

/** Forgets the identity, as a factory reset does. */
export function forget(flash: NvsFlash): void {
	const store = new Store(flash.device, () => {});
	store.load();
	store.save({ state: "unprovisioned", savedAt: 0, setAsides: 0, forgotten: true });
	store.eraseSecrets();
}

/** The bytes of a partition on which a device was provisioned so many times, and its identity then forgotten or given up. */
export async function agedPartition(pages: number, times: number): Promise<Uint8Array> {
	const flash = newPartition(pages);
	for (let i = 0; i < times; i++) {
		await provision(flash, i);
		if (i % 2 === 0) forget(flash);
		else startAgain(flash);
	}
	return flash.image;
}

/** How many certificates are issued to others before the story with the cut. */
export const NEXT = 20;

/** Cuts in each operation of the chip in the plain story on a copy of this partition: before it, in its middle, after it. */
export async function cutsOn(
	image: Uint8Array,
	keyPair: KeyPair = "keys",
): Promise<{ cuts: FlashCut[]; erases: number }> {
	const flash = new NvsFlash(image);
	await provision(flash, NEXT, keyPair);
	const cuts = flash.sizes.flatMap((size, i) =>
		[...new Set([0, size >> 1, size])].map((bytes) => ({ operation: i + 1, bytes })),
	);
	return { cuts, erases: flash.erases };
}
