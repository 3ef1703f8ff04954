// What differs between an ESP32 and the desktop simulator. Types only: the manifest maps "fleet-provisioning/machine" to
// the one or the other, and host.ts makes a Host of it.

import type { Storage } from "../../src/contract/host.js";

/** The machine that the program runs on: what `createMachine` of that module gives. */
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
	restart?(): void;
}
