// Creates this machine's Host: connects the contract in src/contract/host.ts to the SDK's modules. Makes no decisions of its
// own. Lets no exception escape from a timer, which would restart a device.

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

/** What a Host needs besides its machine. */
export interface HostOptions {
	/** A claim from a trusted user. Without it, the claim built into the firmware is used. */
	readonly claim?: GivenClaim | undefined;
	/** Whether a factory reset was requested at power-on. */
	readonly forget: boolean;
	/** Settles when the program must end. */
	readonly stop: Promise<void>;
	/** The MQTT will of the application's connections. */
	readonly will?: Host["will"];
	/** Records an event. Never throws. */
	report(event: DeviceEvent): void;
	/** Starts the program again on a machine that cannot restart. This Host is no longer used by then. */
	again(): void;
}

/** Creates the Host. @throws Failure CONFIGURATION_INVALID, or whatever opening or reading the machine's flash throws */
export function createHost(machine: Machine, { claim, forget, stop, will, report, again }: HostOptions): Host {
	const storage = machine.openStorage();
	const clock = createClock();
	stop.then(clock.close);
	let dead = false;
	/** The latest socket. The program has only one connection at a time. */
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
