// What differs between an ESP32 and the desktop simulator. Types only: the manifest maps "fleet-provisioning/machine" to
// the one or the other, and host.ts makes a Host of it.

import type { Storage } from "../../src/host.js";

/** One kind of machine. Nothing is opened before a member is called: the object itself is made at build time, in flash. */
export interface Machine {
	/** Joins the network, stays in it, and calls back once it is up for the first time. */
	connect(ready: () => void): void;
	/** Opens the device's own flash. */
	openStorage(): Storage;
	/** What the maker burned in, or what the simulator made up once and keeps in `storage`. Call after `connect` has called back. */
	serialNumber(storage: Storage): string;
	/** `count` random bytes. */
	random(count: number): Uint8Array;
	/** Starts the machine afresh. Absent where the program must be started again in its place. */
	readonly restart?: () => void;
}
