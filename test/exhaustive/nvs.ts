// NVS partitions in the condition in which devices in the field have them, and power cuts in the operations of their flash chip, for
// the tests on Node and in XS.

import { Store } from "../../src/identity/store.js";
import { type FlashCut, NvsFlash } from "../support/nvs.js";
import { World } from "../support/world.js";

/** A partition of so many pages that holds what the SDK's Wi-Fi stores there once: the calibration of the radio. */
export function newPartition(pages: number, keys?: Uint8Array): NvsFlash {
	const flash = new NvsFlash(pages, keys);
	flash.writeIn("phy", "cal_data", new Uint8Array(1904).fill(0x55));
	flash.writeIn("phy", "cal_mac", new Uint8Array(6).fill(0x66));
	flash.writeIn("phy", "cal_version", new Uint8Array(4).fill(0x77));
	flash.powerOff();
	return flash;
}

/** Provisions a device on this flash for the nth time (the first is 0). @throws Error with the reason when it does not run */
export async function provision(flash: NvsFlash, nth: number): Promise<void> {
	const world = await World.make({ flash, issuedBefore: nth % 20 });
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
	store.eraseCredentials();
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

/** Cuts before, in the middle of and after each operation of the chip, in the plain story on a copy of this partition. */
export async function cutsOn(image: Uint8Array): Promise<{ cuts: FlashCut[]; erases: number }> {
	const flash = new NvsFlash(image);
	await provision(flash, NEXT);
	const cuts = flash.sizes.flatMap((size, i) =>
		[...new Set([0, size >> 1, size])].map((bytes) => ({ operation: i + 1, bytes })),
	);
	return { cuts, erases: flash.erases };
}
