// A simulated ESP32 whose program runs in the real XS engine, in as much memory as an ESP32 has. Has the options of the Node
// host's SimulatedDevice, so that a story can be played on either. TLS, flash and time are Node's.

import { createHash, randomBytes } from "node:crypto";
import { Failure } from "../../src/base/failure.js";
import type {
	Application,
	ApplicationConnection,
	ApplicationContext,
	Identity,
	MessageHandler,
	Stop,
} from "../../src/contract/application.js";
import type { DeviceEvent } from "../../src/contract/events.js";
import type { Credentials, CurveName, Socket, SocketError, TimerId } from "../../src/contract/host.js";
import { Routes } from "../../src/mqtt/routes.js";
import { SimulatedClock } from "../node/clock.js";
import type { SimulatedDeviceOptions } from "../node/device.js";
import { ecdsa } from "../node/ecdsa.js";
import { openTlsSocket } from "../node/socket.js";
import { realTime, type Time } from "../node/time.js";
import type { Frame } from "./channel.js";
import {
	type Answer,
	type Ending,
	type Flash,
	type Life,
	type MemoryReport,
	type Preset,
	presets,
	Resource,
} from "./engine.js";
import * as kinds from "./firmware/kinds.js";

/** ms from power-on to the device program's first line, as on an ESP32. */
const BOOT_TIME = 300;

/** What a simulated device in XS is made of. */
export interface XsDeviceOptions extends SimulatedDeviceOptions {
	/** Default `esp32`. */
	readonly preset?: Preset;
	/** Called when a life has ended, for whatever reason, with its memory. */
	onLifeEnd?(ending: Ending): void;
}

/** A machine that runs the device program in XS. A new one is switched off. While on, it has the flash for itself. */
export class XsDevice {
	readonly #flash: Flash;
	readonly #options: XsDeviceOptions;
	#power: PowerOn | undefined;
	#bootTimer: TimerId;
	#boots = 0;
	#claimErased = false;

	constructor(flash: Flash, options: XsDeviceOptions) {
		this.#flash = flash;
		this.#options = options;
	}

	/** How often the device program has been started. */
	get boots(): number {
		return this.#boots;
	}

	/** What the heap holds after a collection; `undefined` when it is off. */
	measure(): MemoryReport | undefined {
		return this.#power?.measure();
	}

	/** Switches on. Does nothing when it is on already. */
	powerOn(): void {
		if (this.#power !== undefined || this.#bootTimer !== undefined) return;
		const { time = realTime, bootTime = BOOT_TIME } = this.#options;
		this.#bootTimer = time.set(() => {
			this.#bootTimer = undefined;
			this.#boots += 1;
			this.#power = new PowerOn(this.#flash, this.#options, {
				claimErased: () => this.#claimErased,
				eraseClaim: () => {
					this.#claimErased = true;
				},
				ended: (ending) => this.#ended(ending),
			});
			this.#power.begin();
		}, bootTime);
	}

	/** Cuts the power: the device program stops at once. */
	powerOff(): void {
		if (this.#bootTimer !== undefined) (this.#options.time ?? realTime).clear(this.#bootTimer);
		this.#bootTimer = undefined;
		const power = this.#power;
		this.#power = undefined;
		power?.end();
	}

	#ended(ending: Ending): void {
		this.#options.onLifeEnd?.(ending);
		// There is no PowerOn any more when it was switched off.
		const power = this.#power;
		this.#power = undefined;
		power?.end();
		if (power === undefined) return;
		if (ending.reason === "restart") this.powerOn();
		else this.#options.onCrash?.(new Error(`${ending.reason} (exit code ${ending.code})\n${ending.detail ?? ""}`));
	}
}

/** What of a device outlives a power-on, besides its flash. */
interface Board {
	claimErased(): boolean;
	eraseClaim(): void;
	ended(ending: Ending): void;
}

/** A connection as the application outside sees it. */
interface RemoteConnection {
	readonly connection: ApplicationConnection;
	readonly routes: Routes<MessageHandler>;
	stop?: Stop | undefined;
	ended: boolean;
}

/** One power-on: answers what the device asks. */
class PowerOn {
	readonly #options: XsDeviceOptions;
	readonly #board: Board;
	readonly #life: Life;
	readonly #time: Time;
	readonly #clock: SimulatedClock;
	readonly #timers = new Map<number, TimerId>();
	readonly #sockets = new Map<number, Socket>();
	readonly #connections = new Map<number, RemoteConnection>();
	readonly #calls = new Map<number, { resolve(): void; reject(error: Error): void }>();
	#lastCall = 0;
	#off = false;
	#storageKey = "";
	#certificate: Uint8Array = new Uint8Array(0);
	#key: Uint8Array = new Uint8Array(0);
	#roots: Uint8Array[] = [];

	constructor(flash: Flash, options: XsDeviceOptions, board: Board) {
		this.#options = options;
		this.#board = board;
		this.#time = options.time ?? realTime;
		this.#clock = new SimulatedClock(this.#time, options);
		this.#life = flash.life({
			answer: (frame) => this.#answer(frame),
			take: (frame) => this.#take(frame),
			ended: board.ended,
		});
	}

	begin(): void {
		this.#life.begin(this.#options.preset ?? presets.esp32);
	}

	measure(): MemoryReport | undefined {
		return this.#life.measure();
	}

	end(): void {
		if (this.#off) return;
		this.#off = true;
		this.#life.powerOff();
		for (const id of this.#timers.values()) this.#time.clear(id);
		for (const socket of this.#sockets.values()) socket.close();
		this.#timers.clear();
		this.#sockets.clear();
	}

	/** Lets something happen to the device, unless it is off by then. */
	#event(kind: number, id = 0, number = 0, bytes?: Uint8Array | string): void {
		if (!this.#off) this.#life.event(kind, id, number, bytes);
	}

	#answer({ kind, id, number, bytes }: Frame): Answer {
		const { claim, roots, storage } = this.#options;
		const read = (value: ArrayBuffer | undefined) => (value === undefined ? undefined : new Uint8Array(value));
		try {
			switch (kind) {
				case kinds.SETTINGS: {
					const { configuration, device, clockFloor = 0, hasEcdsa = true } = this.#options;
					const settings: kinds.Settings = {
						configuration,
						device,
						floor: clockFloor,
						hasEcdsa,
					};
					return Buffer.from(asciiJson(settings));
				}
				case kinds.CLAIM_CERTIFICATE:
					return claim === undefined || this.#board.claimErased() ? undefined : new Resource(claim.certificate);
				case kinds.CLAIM_KEY:
					return claim === undefined || this.#board.claimErased() ? undefined : new Resource(claim.key);
				case kinds.CLAIM_ERASE:
					this.#board.eraseClaim();
					return undefined;
				case kinds.ROOT: {
					const root = roots[id];
					return root === undefined ? undefined : new Resource(root);
				}
				case kinds.STORAGE_READ:
					return read(storage.read(bytes.toString()));
				case kinds.STORAGE_WRITE:
					storage.write(this.#storageKey, new Uint8Array(bytes).buffer);
					return undefined;
				case kinds.STORAGE_DELETE:
					storage.delete(bytes.toString());
					return undefined;
				case kinds.CLOCK_NOW:
					return this.#clock.now();
				case kinds.CLOCK_TICKS:
					return this.#clock.ticks();
				case kinds.RANDOM:
					return this.#options.random?.(number) ?? randomBytes(number);
				case kinds.SOCKET_OPEN:
					this.#openSocket(id, number, JSON.parse(bytes.toString()));
					return undefined;
				case kinds.SOCKET_READ:
					return read(this.#sockets.get(id)?.read());
				case kinds.SHA256:
					return createHash("sha256").update(bytes).digest();
				case kinds.PUBLIC_KEY:
					return ecdsa.publicKey(`P-${number}` as CurveName, bytes);
				case kinds.SIGN:
					return ecdsa.sign(`P-${number}` as CurveName, bytes.subarray(0, number / 8), bytes.subarray(number / 8));
				default:
					throw new Error(`the device asks a question of the unknown kind ${kind}`);
			}
		} catch (error) {
			return error as Error;
		}
	}

	#take({ kind, id, number, bytes }: Frame): void {
		switch (kind) {
			case kinds.REPORT:
				this.#options.onEvent?.(JSON.parse(bytes.toString()) as DeviceEvent);
				break;
			case kinds.HALTED:
				this.#options.onHalt?.();
				break;
			case kinds.SOCKET_WRITE:
				this.#sockets.get(id)?.write(new Uint8Array(bytes));
				break;
			case kinds.SOCKET_CLOSE:
				this.#sockets.get(id)?.close();
				this.#sockets.delete(id);
				break;
			case kinds.SOCKET_CERTIFICATE:
				this.#certificate = new Uint8Array(bytes);
				break;
			case kinds.SOCKET_KEY:
				this.#key = new Uint8Array(bytes);
				break;
			case kinds.SOCKET_ROOT:
				this.#roots.push(new Uint8Array(bytes));
				break;
			case kinds.STORAGE_KEY:
				this.#storageKey = bytes.toString();
				break;
			case kinds.TIMER_SET:
				this.#timers.set(
					id,
					this.#time.set(() => {
						this.#timers.delete(id);
						this.#event(kinds.TIMER_FIRED, id);
					}, number),
				);
				break;
			case kinds.TIMER_CLEAR:
				this.#time.clear(this.#timers.get(id));
				this.#timers.delete(id);
				break;
			case kinds.CLOCK_SYNCHRONIZE:
				this.#clock.synchronize(
					(error) => this.#event(kinds.CLOCK_SYNCHRONIZED, 0, 0, error?.message),
					(callback, milliseconds) => this.#time.set(callback, milliseconds),
				);
				break;
			default:
				this.#takeFromApplication(kind, id, bytes);
		}
	}

	#openSocket(id: number, port: number, options: { host: string; serverName: string; protocols?: string[] }): void {
		const credentials: Credentials = { certificate: this.#certificate, key: this.#key };
		const roots = this.#roots;
		this.#roots = [];
		const { traffic, network = (o, n) => openTlsSocket(o, n, traffic) } = this.#options;
		const socket = network(
			{
				...options,
				port,
				credentials,
				roots,
				onReadable: (count) => this.#event(kinds.SOCKET_READABLE, id, count),
				onWritable: (count) => this.#event(kinds.SOCKET_WRITABLE, id, count),
				onError: (error: SocketError) => {
					this.#sockets.delete(id);
					this.#event(kinds.SOCKET_ERROR, id, 0, JSON.stringify(error));
				},
			},
			() => this.#clock.now(),
		);
		this.#sockets.set(id, socket);
	}

	/* The application runs here and is trusted. One that may throw must be in the device's flash instead. */

	#takeFromApplication(kind: number, id: number, bytes: Buffer): void {
		const remote = this.#connections.get(id);
		switch (kind) {
			case kinds.APPLICATION:
				this.#runApplication(id, JSON.parse(bytes.toString()));
				break;
			case kinds.MESSAGE: {
				const end = bytes.indexOf(10);
				const topic = bytes.toString("utf8", 0, end);
				const handlers = remote?.routes.find(topic) ?? [];
				if (handlers.length === 0 && remote?.connection.onMessage) handlers.push(remote.connection.onMessage);
				for (const handler of handlers) handler(topic, new Uint8Array(bytes.subarray(end + 1)));
				break;
			}
			case kinds.CONNECTION_ENDED:
				if (remote !== undefined) remote.ended = true;
				remote?.stop?.();
				this.#connections.delete(id);
				break;
			case kinds.RETURNED: {
				const call = this.#calls.get(id);
				this.#calls.delete(id);
				if (bytes.length === 0) call?.resolve();
				else {
					const failure = JSON.parse(bytes.toString());
					call?.reject(Object.assign(new Error(failure.message), failure));
				}
			}
		}
	}

	#runApplication(
		id: number,
		given: Omit<ApplicationContext, "connection" | "factoryReset"> & { identity: Identity; clientId: string },
	): void {
		const call = (kind: number, number: number, bytes: Uint8Array | string): Promise<void> =>
			new Promise((resolve, reject) => {
				if (remote.ended) throw new Failure("CONNECTION_LOST", "it had ended before");
				const callId = ++this.#lastCall;
				this.#calls.set(callId, { resolve, reject });
				this.#event(kind, callId, number, bytes);
			});
		const { clientId, ...context } = given;
		const remote: RemoteConnection = {
			ended: false,
			routes: new Routes(),
			connection: {
				clientId,
				onMessage: undefined,
				get ended() {
					return remote.ended;
				},
				subscribe: (filters: readonly string[], handler?: MessageHandler) => {
					if (handler) remote.routes.set(filters, handler);
					return call(kinds.SUBSCRIBE, 0, JSON.stringify(filters));
				},
				unsubscribe: (filters: readonly string[]) => {
					remote.routes.delete(filters);
					return call(kinds.UNSUBSCRIBE, 0, JSON.stringify(filters));
				},
				publish: (topic: string, payload: Uint8Array | string, qos: 0 | 1 = 1, retain = false) =>
					call(
						kinds.PUBLISH,
						qos + (retain ? kinds.RETAIN : 0),
						Buffer.concat([Buffer.from(`${topic}\n`), Buffer.from(payload)]),
					),
				close: () => {
					if (!remote.ended) this.#event(kinds.CONNECTION_CLOSE);
				},
			},
		};
		this.#connections.set(id, remote);
		const application: Application = this.#options.application;
		const stop = application({
			...context,
			connection: remote.connection,
			factoryReset: (identity) => this.#event(kinds.FACTORY_RESET, 0, 0, identity),
		});
		if (typeof stop === "function") remote.stop = stop;
	}
}

/** JSON that the engine reads right: its `String.fromArrayBuffer` takes each byte for a character. */
const asciiJson = (value: object): string =>
	JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
