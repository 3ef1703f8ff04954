// A simulated ESP32 in this process: the device program on a machine that can be switched on and off like a real one.
// Nothing survives a restart but flash (and the clock chip, when the simulated board is said to have one).

import { createHash, randomBytes } from "node:crypto";
import { boot } from "../../src/boot.js";
import type { Application } from "../../src/contract/application.js";
import type { Configuration } from "../../src/contract/configuration.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import type {
	Credentials,
	DeviceFacts,
	Host,
	Socket,
	SocketOptions,
	Storage,
	TimerId,
} from "../../src/contract/host.js";
import { type ClockOptions, SimulatedClock } from "./clock.js";
import { ecdsa } from "./ecdsa.js";
import { openTlsSocket, type Traffic } from "./socket.js";
import { realTime, type Time } from "./time.js";

/** ms from power-on to the device program's first line, as on an ESP32. */
const BOOT_TIME = 300;

/** Opens the sockets of a device: with node:tls, or on a network in memory. */
export type Network = (options: SocketOptions, now: () => number | undefined) => Socket;

/** What a simulated device is made of. */
export interface SimulatedDeviceOptions extends ClockOptions {
	/** What the maker of the device decided. */
	readonly configuration: Configuration;
	/** What the device knows of itself from manufacture. */
	readonly device: DeviceFacts;
	/** Absent: the device left the factory without one. */
	readonly claim?: Credentials;
	/** Root certificates that the device trusts, DER. */
	readonly roots: readonly Uint8Array[];
	/** Its flash, the only thing that survives power cuts. */
	readonly storage: Storage;
	/** What it runs once it has its identity. */
	readonly application: Application;
	/** Default: the machine's own. */
	readonly time?: Time;
	/** No earlier time can be right, ms since 1970. Default 0. */
	readonly clockFloor?: number;
	/** Default: TLS over TCP. */
	readonly network?: Network;
	/** Is told the MQTT bytes of the default network, to count them. */
	readonly traffic?: Traffic;
	/** Whether the machine computes with EC keys, and so can make one of its own. Default true. */
	readonly hasEcdsa?: boolean;
	/** Default: the machine's own random bytes. Tests give a seeded source. */
	readonly random?: (count: number) => Uint8Array;
	/** Whether a button is held down at the first power-on, which makes the device forget its identity. */
	readonly forget?: boolean;
	/** ms from power-on to the first line of the program. Default 300, as on an ESP32. */
	readonly bootTime?: number;
	/** Called with every event that the device program reports. */
	onEvent?(event: DeviceEvent): void;
	/** Called when the device program has ended without a restart, after a failure of class `fatal`. */
	onHalt?(): void;
	/** Called when the device program has thrown, which it must never do. */
	onCrash?(error: unknown): void;
}

/**
 * A machine that runs the device program. A new one is switched off.
 *
 * @example
 * A device that provisions itself, and publishes once it has its identity:
 * ```ts
 * import { createClaim, prepareTemplate, startCloud } from "moddable-fleet-provisioning/cloud";
 * import { certificateFromPem, credentialsFromPem, MemoryFlash, SimulatedDevice } from "moddable-fleet-provisioning/node";
 *
 * const cloud = await startCloud();
 * prepareTemplate(cloud, "fleet");
 * const { certificatePem, privateKeyPem } = await createClaim(cloud, "fleet");
 * const device = new SimulatedDevice({
 * 	configuration: { endpoint: cloud.host, port: cloud.port, serverName: cloud.endpoint, template: "fleet" },
 * 	device: { serialNumber: "0001", firmwareVersion: "1.0.0" },
 * 	claim: credentialsFromPem(certificatePem, privateKeyPem),
 * 	roots: [certificateFromPem(cloud.rootCertificate)],
 * 	storage: new MemoryFlash(),
 * 	application({ identity, connection }) {
 * 		connection.publish(`devices/${identity.thingName}/hello`, "hello");
 * 		return undefined;
 * 	},
 * 	onEvent: (event) => console.log(event.event),
 * });
 * device.powerOn();
 * ```
 */
export class SimulatedDevice {
	readonly #options: SimulatedDeviceOptions;
	#power: PowerOn | undefined;
	#boots = 0;
	#claimErased = false;

	/** Nothing happens before `powerOn`. */
	constructor(options: SimulatedDeviceOptions) {
		this.#options = options;
	}

	/** How often the device program has been started. */
	get boots(): number {
		return this.#boots;
	}

	/** Whether the device program has erased its claim; it stays erased when the power is cut. */
	get claimErased(): boolean {
		return this.#claimErased;
	}

	/** Switches on. Does nothing when it is on already. */
	powerOn(): void {
		if (this.#power !== undefined) return;
		const power = new PowerOn(this.#options, {
			restart: () => {
				this.powerOff();
				this.powerOn();
			},
			forget: this.#boots === 0 && this.#options.forget === true,
			claimErased: () => this.#claimErased,
			eraseClaim: () => {
				this.#claimErased = true;
			},
		});
		this.#power = power;
		power.timer.set(() => {
			this.#boots += 1;
			power.begin();
		}, this.#options.bootTime ?? BOOT_TIME);
	}

	/** Cuts the power: the device program stops at once. */
	powerOff(): void {
		this.#power?.end();
		this.#power = undefined;
	}
}

/** What of a device outlives a power-on, besides its flash. */
interface Board {
	readonly forget: boolean;
	restart(): void;
	claimErased(): boolean;
	eraseClaim(): void;
}

/** One power-on: the host that the device program sees, and its end. */
class PowerOn {
	readonly #options: SimulatedDeviceOptions;
	readonly #board: Board;
	readonly #time: Time;
	readonly #clock: SimulatedClock;
	readonly #timers = new Set<TimerId>();
	readonly #sockets = new Set<Socket>();
	#ended = false;

	constructor(options: SimulatedDeviceOptions, board: Board) {
		this.#options = options;
		this.#board = board;
		this.#time = options.time ?? realTime;
		this.#clock = new SimulatedClock(this.#time, options);
	}

	begin(): void {
		boot(this.#host(), this.#options.application).then(
			() => this.#ended || this.#options.onHalt?.(),
			(error: unknown) => this.#ended || this.#options.onCrash?.(error),
		);
	}

	end(): void {
		this.#ended = true;
		for (const id of this.#timers) this.#time.clear(id);
		for (const socket of this.#sockets) socket.close();
		this.#timers.clear();
		this.#sockets.clear();
	}

	/** Timers that end with the power. */
	readonly timer = {
		set: (callback: () => void, milliseconds: number): TimerId => {
			if (this.#ended) return undefined;
			const id = this.#time.set(() => {
				this.#timers.delete(id);
				callback();
			}, milliseconds);
			this.#timers.add(id);
			return id;
		},
		clear: (id: TimerId): void => {
			this.#timers.delete(id);
			this.#time.clear(id);
		},
	};

	#host(): Host {
		const { configuration, device, claim, roots, storage, hasEcdsa = true, random, clockFloor } = this.#options;
		const now = () => this.#clock.now();
		return {
			configuration,
			device,
			forget: this.#board.forget,
			roots,
			claim: {
				read: () => (this.#board.claimErased() ? undefined : claim),
				erase: () => this.#board.eraseClaim(),
			},
			// A device that is off does nothing more, not even what it had begun.
			storage: {
				read: (key) => this.#living(() => storage.read(key)),
				write: (key, value) => this.#living(() => storage.write(key, value)),
				delete: (key) => this.#living(() => storage.delete(key)),
			},
			clock: {
				now,
				ticks: () => this.#clock.ticks(),
				floor: clockFloor ?? 0,
				synchronize: (done) => this.#clock.synchronize(done, this.timer.set),
			},
			timer: this.timer,
			openSocket: (options) => this.#openSocket(options, now),
			random: random ?? ((count) => new Uint8Array(randomBytes(count))),
			restart: () => {
				if (!this.#ended) this.#board.restart();
			},
			report: (event) => {
				if (!this.#ended) this.#options.onEvent?.(event);
			},
			...(hasEcdsa ? { ecdsa } : {}),
			sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
		};
	}

	#living<T>(work: () => T): T {
		if (this.#ended) throw new Error("the machine is off");
		return work();
	}

	#openSocket(options: SocketOptions, now: () => number | undefined): Socket {
		if (this.#ended) return { read: () => undefined, write: () => {}, close: () => {} };
		const { traffic, network = (o, n) => openTlsSocket(o, n, traffic) } = this.#options;
		const alive =
			<A extends unknown[]>(callback: (...given: A) => void) =>
			(...given: A): void => {
				if (!this.#ended) callback(...given);
			};
		const socket = network(
			{
				...options,
				onReadable: alive(options.onReadable),
				onWritable: alive(options.onWritable),
				onError: alive(options.onError),
			},
			now,
		);
		this.#sockets.add(socket);
		return {
			read: () => socket.read(),
			write: (bytes) => this.#living(() => socket.write(bytes)),
			close: () => {
				this.#sockets.delete(socket);
				socket.close();
			},
		};
	}
}
