// One device and its cloud in virtual time: the world in which a story is played.

import { SimulatedDevice, type SimulatedDeviceOptions } from "../../hosts/node/device.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { Application } from "../../src/contract/application.js";
import type { Configuration } from "../../src/contract/configuration.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import type { Storage } from "../../src/contract/host.js";
import { FailingFlash, type Tear } from "./failing-flash.js";
import { type FlashCut, NvsFlash } from "./nvs.js";
import {
	type Fate,
	makeIssuer,
	type Passing,
	TEMPLATE,
	VirtualCloud,
	type VirtualCloudOptions,
} from "./virtual-cloud.js";
import { VirtualTime } from "./virtual-time.js";

/** What stories need of a simulated machine, which is the Node host's SimulatedDevice or one in XS. */
export interface Machine {
	powerOn(): void;
	powerOff(): void;
	readonly boots: number;
	/** Whether a machine outside this process is still working, although no timer is due. Virtual time waits for it. */
	readonly busy?: boolean;
}

/** An application that publishes one message, as a device maker's first program would. */
export const hello: Application = ({ identity, connection }) => {
	connection.publish(`devices/${identity.thingName}/hello`, "hello").catch(() => {});
	return undefined;
};

/**
 * Where the power fails: in the nth write to flash after so many bytes of it, in the nth operation of the chip under an NVS
 * partition, or at the nth packet in either direction. The first is 1.
 */
export type Cut =
	| { readonly write: number; readonly bytes: number; readonly tear?: Tear }
	| FlashCut
	| { readonly packet: number; readonly gotThrough: boolean };

/** How a story differs from the plain one. */
export interface WorldOptions
	extends Partial<Pick<SimulatedDeviceOptions, "clock" | "timeServer" | "clockFloor" | "application" | "forget">>,
		Partial<Pick<VirtualCloudOptions, "settings" | "templateBody" | "templateEnabled" | "window">> {
	readonly configuration?: Partial<Configuration>;
	readonly fate?: (passing: Passing) => Fate;
	/** Where the power fails. It comes back a second later, and the next cut is counted from there. */
	readonly cuts?: readonly Cut[];
	/** Wraps the flash, to make it fail in other ways. */
	readonly storage?: (flash: MemoryFlash) => Storage;
	readonly flash?: MemoryFlash;
	/** Default: the Node host. */
	readonly machine?: (options: SimulatedDeviceOptions) => Machine;
	/** Called just before the power fails. */
	readonly onCut?: (world: World) => void;
	readonly withoutClaim?: boolean;
	/** How many certificates have been issued to others before, so that this device gets another one than in the last story. */
	readonly issuedBefore?: number;
}

const issuers = makeIssuer(24);
export const SERIAL_NUMBER = "device-1";

/** A device with empty flash, switched off, and its cloud. */
export class World {
	readonly time = new VirtualTime();
	readonly flash: MemoryFlash;
	readonly events: DeviceEvent[] = [];
	/** Exceptions that must never happen, and states that must never occur. */
	readonly defects: string[] = [];
	cloud!: VirtualCloud;
	machine!: Machine;
	cuts = 0;
	halted = false;

	private constructor(flash: MemoryFlash) {
		this.flash = flash;
	}

	static async make(options: WorldOptions = {}): Promise<World> {
		const world = new World(options.flash ?? new MemoryFlash());
		const plan = [...(options.cuts ?? [])];
		const { flash } = world;
		const whole: Storage = options.storage?.(flash) ?? (flash instanceof NvsFlash ? flash.device : flash);
		let storage = whole;
		let packetsToCut = Number.POSITIVE_INFINITY;
		let gotThrough = false;
		const arm = () => {
			const cut = plan.shift();
			packetsToCut = Number.POSITIVE_INFINITY;
			storage = whole;
			if (cut === undefined) return;
			if ("operation" in cut) (flash as NvsFlash).cutAt(cut, cutPower);
			else if ("write" in cut) storage = new FailingFlash(world.flash, { ...cut, writes: cut.write }, cutPower);
			else ({ packet: packetsToCut, gotThrough } = cut);
		};
		const cutPower = () => {
			world.cuts += 1;
			world.machine.powerOff();
			if (flash instanceof NvsFlash) flash.powerOff();
			options.onCut?.(world);
			arm();
			world.time.set(() => world.machine.powerOn(), 1000);
		};
		arm();
		const fate = (passing: Passing): Fate => {
			packetsToCut -= 1;
			if (packetsToCut === 0) return gotThrough ? "cut after" : "cut";
			return options.fate?.(passing) ?? "pass";
		};
		world.cloud = await VirtualCloud.open({
			time: world.time,
			issuer: Object.assign((await issuers)(), { issued: options.issuedBefore ?? 0 }),
			onCut: cutPower,
			fate,
			...(options.settings === undefined ? {} : { settings: options.settings }),
			...(options.window === undefined ? {} : { window: options.window }),
			...(options.templateBody === undefined ? {} : { templateBody: options.templateBody }),
			...(options.templateEnabled === undefined ? {} : { templateEnabled: options.templateEnabled }),
		});
		const { configuration, clock, timeServer, clockFloor } = options;
		const make = options.machine ?? ((given) => new SimulatedDevice(given));
		world.machine = make({
			// By keys unless a story says otherwise: signing certificates takes longer than taking them from a pool.
			configuration: { endpoint: "iot.test", template: TEMPLATE, keyPair: "keys", ...configuration },
			device: { serialNumber: SERIAL_NUMBER, firmwareVersion: "1.0.0" },
			...(options.withoutClaim === true ? {} : { claim: world.cloud.claim }),
			roots: [],
			storage: {
				read: (key) => storage.read(key),
				write: (key, value) => storage.write(key, value),
				delete: (key) => storage.delete(key),
			},
			application: options.application ?? hello,
			time: world.time,
			network: world.cloud.network,
			// Other numbers for a device that gets other certificates.
			random: seededRandom(1 + (options.issuedBefore ?? 0)),
			...(clock === undefined ? {} : { clock }),
			...(timeServer === undefined ? {} : { timeServer }),
			...(clockFloor === undefined ? {} : { clockFloor }),
			...(options.forget === undefined ? {} : { forget: options.forget }),
			onEvent: (event) => world.events.push(event),
			onHalt: () => {
				world.halted = true;
			},
			onCrash: (error) =>
				world.defects.push(`the device program threw: ${error instanceof Error ? error.stack : error}`),
		});
		return world;
	}

	/** Whether the device runs its application under its own name and the cloud has received its message. */
	get running(): boolean {
		return this.cloud.messages.some(({ clientId, topic }) => clientId === SERIAL_NUMBER && topic.endsWith("/hello"));
	}

	/** Codes of the failures so far. */
	get failures(): string[] {
		return this.events.flatMap((event) => (event.event === "failure" ? [event.failure.code] : []));
	}

	/** Lets time pass until `done`, until `limit` (ms of virtual time), or until no timer is left. Returns whether it is done. */
	async play(done: () => boolean = () => this.running, limit = 4 * 3_600_000): Promise<boolean> {
		for (;;) {
			await settle();
			while (this.cloud.busy > 0 || this.machine.busy === true) await settle();
			if (done()) return true;
			if (this.time.ticks() > limit || !this.time.advance()) return false;
		}
	}
}

/** Pseudo-random bytes that are the same in every run (Lehmer's generator). */
export function seededRandom(seed: number): (count: number) => Uint8Array {
	let state = seed;
	return (count) =>
		Uint8Array.from({ length: count }, () => {
			state = (state * 16_807) % 2_147_483_647;
			return state & 0xff;
		});
}

/** Lets all pending promises settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
