// The Host of this machine: wires the contract of src/contract/host.ts to the SDK's modules. Decides nothing itself.

import config from "mc/config";
import Timer from "timer";
import type { Host, Socket } from "../../src/contract/host.js";
import { embeddedClaim, embeddedRoots, type GivenClaim, givenClaim, sha256 } from "./claim.js";
import { createClock } from "./clock.js";
import { readConfiguration } from "./configuration.js";
import type { Machine } from "./machine.js";
import { openSocket } from "./tls/socket.js";

/**
 * Makes the Host. Call when the machine's network is up.
 * @param claim what a trusted user has handed over; else the firmware's own is used
 * @param forget a factory reset was asked for at power-on
 * @param again starts the program again, for a machine that cannot restart: this Host is dead by then
 * @throws when the firmware was built without a root certificate, or with settings that cannot be read
 */
export function createHost(machine: Machine, claim: GivenClaim | undefined, forget: boolean, again: () => void): Host {
	const storage = machine.openStorage();
	let dead = false;
	/** The program has one connection at a time. */
	let socket: Socket | undefined;
	return {
		configuration: readConfiguration(),
		device: {
			serialNumber: config.serialNumber ? String(config.serialNumber) : machine.serialNumber(storage),
			firmwareVersion: String(config.firmwareVersion),
		},
		forget,
		claim: claim ? givenClaim(claim) : embeddedClaim(storage),
		roots: embeddedRoots(),
		storage,
		clock: createClock(),
		timer: {
			set: (callback, milliseconds) => Timer.set(() => dead || callback(), milliseconds),
			clear: (id) => Timer.clear(id as object),
		},
		openSocket(options) {
			socket = openSocket(options, machine.random);
			return socket;
		},
		random: machine.random,
		restart() {
			machine.restart?.();
			dead = true;
			socket?.close();
			Timer.set(again);
		},
		report: (event) => trace(JSON.stringify(event), "\n"),
		sha256,
	};
}
