// What differs between an ESP32 and the desktop simulator. Contains types only: the manifest maps
// "fleet-provisioning/machine" to one of the two, or to an app's own module, and host.ts builds a Host from it.

import type { Network, Storage } from "../../src/contract/host.js";

/** The machine that the program runs on, as the module's `createMachine` returns it. */
export interface Machine {
	/** The network, which has already started to connect. Absent if there is nothing to join. */
	readonly network?: Network;
	/** Opens the device's own flash. */
	openStorage(): Storage;
	/** The serial number: written by the manufacturer, or invented once by the simulator and kept in `storage`. */
	serialNumber(storage: Storage): string;
	/** Identifies the running firmware image; differs for each build. Absent if there is no such identifier. */
	build?(): string;
	/** `count` random bytes. */
	random(count: number): Uint8Array;
	/** Whether a factory reset is requested at power-on, for example by holding a button. Called once per start. */
	resetAsked?(): boolean;
	/** Restarts the machine. Absent if the program must be started again in the same process instead. */
	restart?(): void;
	/** Releases what the machine holds, above all timers. Called after the program has ended; another machine may be created then. */
	close?(): void;
}
