// The Host of this machine: wires the contract of src/contract/host.ts to the SDK's modules. Decides nothing itself. Lets no
// exception out of a timer, which on a device would be a restart.

import config from "mc/config";
import Timer from "timer";
import type { DeviceEvent } from "../../src/contract/events.js";
import type { Host, Socket } from "../../src/contract/host.js";
import { embeddedClaim, embeddedRoots, type GivenClaim, givenClaim } from "./claim.js";
import { createClock } from "./clock.js";
import { readConfiguration } from "./configuration.js";
import type { Machine } from "./machine.js";
import { signsWithEc } from "./tls/certificateVerify.js";
import { ecdsa } from "./tls/ecdsa.js";
import { sha256 } from "./tls/sha256.js";
import { openSocket } from "./tls/socket.js";

/** What a Host is made of, beside its machine. */
export interface HostOptions {
	/** What a trusted user has handed over; else the firmware's own is used. */
	readonly claim?: GivenClaim | undefined;
	/** A factory reset was asked for at power-on. */
	readonly forget: boolean;
	/** Settles when the program is to end. */
	readonly stop: Promise<void>;
	/** The will of the application's connections. */
	readonly will?: Host["will"];
	/** Takes note of an event. Never throws. */
	report(event: DeviceEvent): void;
	/** Starts the program again, for a machine that cannot restart: this Host is dead by then. */
	again(): void;
}

/** Makes the Host. @throws Failure CONFIGURATION_INVALID, or what the machine's flash throws */
export function createHost(machine: Machine, { claim, forget, stop, will, report, again }: HostOptions): Host {
	const storage = machine.openStorage();
	const clock = createClock();
	stop.then(clock.close);
	let dead = false;
	/** The program has one connection at a time. */
	let socket: Socket | undefined;
	return {
		configuration: readConfiguration(),
		device: {
			serialNumber: config.serialNumber ? String(config.serialNumber) : machine.serialNumber(storage),
			firmwareVersion: String(config.firmwareVersion),
			...(machine.build && { build: machine.build() }),
		},
		forget,
		claim: claim ? givenClaim(claim) : embeddedClaim(storage),
		roots: embeddedRoots(),
		storage,
		clock,
		timer: {
			set: (callback, milliseconds) =>
				Timer.set(() => {
					if (dead) return;
					try {
						callback();
					} catch (error) {
						trace(`a timer: ${(error as Error).message}\n`);
					}
				}, milliseconds),
			clear: (id) => Timer.clear(id as Parameters<typeof Timer.clear>[0]),
		},
		...(machine.network && { network: machine.network }),
		stop,
		...(will && { will }),
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
		report,
		...(signsWithEc && { ecdsa }),
		sha256,
	};
}
