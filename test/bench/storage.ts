// What a device writes to flash: while it is provisioned, and in its ordinary life after that, in virtual time.

import type { MemoryFlash } from "../../hosts/node/flash.js";
import { World } from "../support/world.js";

/** Writes, deletes included, and the bytes of all values written. */
export interface Written {
	readonly writes: number;
	readonly bytes: number;
}

export interface StorageResult {
	readonly keyPair: "keys" | "csr";
	/** From empty flash until the application has sent its first message. */
	readonly provisioning: Written;
	/** How many power-ons after that were watched, and what they wrote in all. */
	readonly boots: number;
	readonly ordinary: Written;
	/** What lies in flash at the end: bytes of all values. */
	readonly kept: number;
}

const written = ({ writes, bytesWritten }: MemoryFlash): Written => ({ writes, bytes: bytesWritten });

/** @throws Error when the device does not come up */
export async function measureStorage(keyPair: "keys" | "csr", boots: number): Promise<StorageResult> {
	const world = await World.make({ configuration: { keyPair } });
	const { flash, machine, cloud } = world;
	/** Lets the device say hello once more than it has. */
	const untilHello = async (): Promise<void> => {
		const before = cloud.messages.length;
		if (!(await world.play(() => cloud.messages.length > before, Number.POSITIVE_INFINITY)))
			throw new Error(`the device does not come up: ${world.failures.join(", ")}`);
	};
	machine.powerOn();
	await untilHello();
	const provisioning = written(flash);
	for (let boot = 0; boot < boots; boot++) {
		machine.powerOff();
		machine.powerOn();
		await untilHello();
	}
	machine.powerOff();
	const after = written(flash);
	let kept = 0;
	for (const value of flash.values.values()) kept += value.length;
	return {
		keyPair,
		provisioning,
		boots,
		ordinary: { writes: after.writes - provisioning.writes, bytes: after.bytes - provisioning.bytes },
		kept,
	};
}
