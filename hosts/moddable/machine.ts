// What differs between an ESP32 and the desktop simulator. Types only: the manifest maps "fleet-provisioning/machine" to
// the one or the other, or to an app's own, and host.ts makes a Host of it.

import type { Network, Storage } from "../../src/contract/host.js";

/** The machine that the program runs on: what `createMachine` of that module gives. */
export interface Machine {
	/** The network, which is being joined from now on. Absent where there is nothing to join. */
	readonly network?: Network;
	/** Opens the device's own flash. */
	openStorage(): Storage;
	/** What the maker burned in, or what the simulator made up once and keeps in `storage`. */
	serialNumber(storage: Storage): string;
	/** Names the image that runs: another one for each build. Absent where there is no such name. */
	build?(): string;
	/** `count` random bytes. */
	random(count: number): Uint8Array;
	/** Whether a factory reset is asked for at power-on, by a button that is held down say. Asked once. */
	resetAsked?(): boolean;
	/** Starts the machine afresh. Absent where the program must be started again in its place. */
	restart?(): void;
	/** Lets go of what the machine holds, timers above all: the program has ended, and another machine may be made. */
	close?(): void;
}
