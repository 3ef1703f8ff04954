// What the steps of a device's life share: saving to flash, pauses, the clock, and connecting.

import { Backoff, backoffSeed, CONNECT_INTERVAL } from "../base/backoff.js";
import { asFailure, catalogue, Failure } from "../base/failure.js";
import type { Application, Will } from "../contract/application.js";
import type { DeviceEvent, Role } from "../contract/events.js";
import type { Credentials, Host, TimerId } from "../contract/host.js";
import { type DeviceRecord, UNPROVISIONED, type UnsavedRecord } from "../identity/record.js";
import { Store } from "../identity/store.js";
import { Connection } from "../mqtt/connection.js";
import { Exchange } from "../provisioning/exchange.js";

/** Longest wait for the time servers to answer, ms. */
const CLOCK_LIMIT = 60_000;
/** Longest wait for the network to come up before it is reported as down, ms. Wi-Fi and DHCP take up to ten seconds. */
const NETWORK_LIMIT = 30_000;
/** When the network comes back, a pause ends at a random moment within this many ms, because many devices come back at once. */
const NETWORK_SPREAD = 5_000;
/** Longest packet accepted while provisioning, bytes. AWS's longest reply has about 4 KB. */
const PROVISIONING_PACKET = 10_240;
/** Longest packet accepted for the application, bytes. */
const APPLICATION_PACKET = 16_384;

/** What follows a step: `continue` with the step of the state that is now saved, or a restart of the machine. */
export type Next = "continue" | "restart";

/** The device, from one power-on to the next. */
export class Device {
	readonly host: Host;
	readonly application: Application;
	readonly store: Store;
	readonly backoff: Backoff;
	/** The record that flash holds. */
	record: DeviceRecord;
	/** An open connection to the provisioning API, kept from one step to the next. */
	exchange: Exchange | undefined;
	/** A connection under the thing's name, made while proving it and kept for the application. */
	connection: Connection | undefined;

	/** A factory reset that the application has requested. */
	#reset: "forget" | "keep" | undefined;
	#stopped = false;
	/** Called when a factory reset or the end of the program is requested. Set by whatever is waiting at the moment. */
	#onAsked: (() => void) | undefined;
	/** The most recent connection, whether it is open or not. */
	#opened: Connection | undefined;
	#setByServer = false;
	/** `pipeline` has been tried since power-on. */
	#pipelined = false;
	/** A server's certificate was refused because of its dates, so the clock itself may be wrong. */
	#clockDoubted = false;

	constructor(host: Host, application: Application) {
		this.host = host;
		this.application = application;
		this.store = new Store(host.storage, (event) => this.report(event));
		this.backoff = new Backoff(backoffSeed(host.device.serialNumber, host.random(4)));
		this.record = UNPROVISIONED;
	}

	report(event: DeviceEvent): void {
		this.host.report(event);
	}

	/** Time of day in ms; only after `setClock`. */
	now(): number {
		return this.host.clock.now() ?? 0;
	}

	/**
	 * Waits so many ms. A request for a factory reset or for the end of the program ends the wait early. With `afterNetwork`, so
	 * does the network: if it is down now, the wait ends that many ms after the network has come up.
	 */
	wait(milliseconds: number, afterNetwork?: number): Promise<void> {
		const { timer, network } = this.host;
		return new Promise((resolve) => {
			const timers: TimerId[] = [];
			const end = (): void => {
				for (const id of timers) timer.clear(id);
				this.#onAsked = undefined;
				resolve();
			};
			const endAfter = (pause: number): void => void timers.push(timer.set(end, pause));
			this.#onAsked = end;
			if (this.#stopped) return resolve();
			endAfter(milliseconds);
			if (afterNetwork !== undefined && network?.up === false) network.whenUp(() => endAfter(afterNetwork));
		});
	}

	/** The factory reset that was requested. The step of a proved identity (run.ts) carries it out. */
	get reset(): "forget" | "keep" | undefined {
		return this.#reset;
	}

	/** Requests a factory reset. May be called at any time, whatever the device is doing. */
	askReset(identity: "forget" | "keep"): void {
		this.#reset = identity;
		this.#onAsked?.();
	}

	/** Whether the program has been asked to end. Nothing new may be started then. */
	get stopped(): boolean {
		return this.#stopped;
	}

	/** Makes the program end: stops the current wait and closes the open connections. */
	stop(): void {
		this.#stopped = true;
		this.#onAsked?.();
		this.closeExchange();
		this.#opened?.close();
	}

	/** Calls back when a factory reset or the end of the program is requested, until another callback or none is given. */
	whenAsked(callback?: () => void): void {
		this.#onAsked = callback;
	}

	/**
	 * Writes `record` to flash, once. `credentialBytes` is how many bytes of credentials have been written for it already.
	 * @throws Failure of step `store`; `this.record` is then unchanged
	 */
	save(record: UnsavedRecord, credentialBytes = 0): void {
		const saved = { ...record, savedAt: this.now() };
		const bytes = this.store.save(saved) + credentialBytes;
		this.record = saved;
		const certificate = "certificateId" in saved && { certificateId: saved.certificateId };
		this.report({ event: "stored", state: saved.state, bytes, ...certificate });
	}

	/** Writes `record` to flash, and repeats that until it succeeds. */
	keep(record: UnsavedRecord, credentialBytes?: number): Promise<void> {
		return this.persist(() => this.save(record, credentialBytes));
	}

	/**
	 * Calls `write`, which writes to flash, and repeats that until it succeeds: a certificate that has just been issued, or the
	 * name of a thing that has just been registered, is stored nowhere else.
	 * @throws Failure that is not about reading or writing flash
	 */
	async persist<T>(write: () => T): Promise<T> {
		for (;;) {
			try {
				// In a later turn, with an empty stack: encoding a record needs much of it, and it is small.
				await undefined;
				return write();
			} catch (error) {
				const failure = asFailure(error);
				if (catalogue[failure.code].step !== "store" || this.#stopped) throw failure;
				await this.pauseAfter(failure);
			}
		}
	}

	/**
	 * Gives up a certificate that cannot be used, so that the next step asks for another. The certificate after that one
	 * overwrites its place in flash.
	 */
	async startAgain(): Promise<Next> {
		await this.keep({ state: "unprovisioned", setAsides: this.record.setAsides });
		return "continue";
	}

	/** Reports a failure and waits as long as its class demands, but not beyond `until` (ms since 1970) if that is in the future. */
	async pauseAfter(failure: Failure, until = 0): Promise<void> {
		this.report({ event: "failure", failure: failure.report() });
		const left = until - this.now();
		const pause = this.backoff.next(failure.class);
		const milliseconds = left > 0 ? Math.max(Math.min(pause, left), CONNECT_INTERVAL) : pause;
		this.report({ event: "pause", milliseconds, code: failure.code, attempt: this.backoff.attempts });
		const { network } = this.host;
		await this.wait(milliseconds, network && this.backoff.spread(CONNECT_INTERVAL, NETWORK_SPREAD));
	}

	/** The open connection to the provisioning API, or a new one that uses the claim. */
	async openExchange(): Promise<Exchange> {
		if (this.exchange !== undefined && !this.exchange.ended) return this.exchange;
		const claim = this.host.claim.read();
		if (claim === undefined) throw new Failure("CLAIM_MISSING");
		// Once only, so that a service that does not take it costs one attempt for each power-on.
		const { pipeline = "none" } = this.#pipelined ? {} : this.host.configuration;
		const connection = await this.#connect(
			"claim",
			`claim-${this.host.device.serialNumber}`,
			claim,
			PROVISIONING_PACKET,
			undefined,
			pipeline === "connect",
		);
		this.#pipelined = true;
		this.exchange = new Exchange(this.host, connection);
		const subscribed = this.exchange.subscribe();
		// When pipelined, nobody awaits the subscription: if it fails, the request in progress fails as well.
		if (pipeline === "none") await subscribed;
		else subscribed.catch(() => {});
		return this.exchange;
	}

	/** Closes the connection to the provisioning API, if there is one. */
	closeExchange(): void {
		this.exchange?.close();
		this.exchange = undefined;
	}

	/** Connects under a thing's name. @throws Failure IDENTITY_REFUSED when the service refuses it, or of step `connect` */
	connectAs(thingName: string, credentials: Credentials, will?: Will): Promise<Connection> {
		return this.#connect("identity", thingName, credentials, APPLICATION_PACKET, will);
	}

	async #connect(
		role: Role,
		clientId: string,
		credentials: Credentials,
		packetLimit: number,
		will?: Will,
		ahead = false,
	): Promise<Connection> {
		// Not by `prepare`: each async function more takes its part of the stack.
		await this.#joinNetwork();
		await this.#setClock();
		if (this.#stopped) throw new Failure("CONNECTION_LOST", "the program is to end");
		this.report({ event: "connecting", role, clientId, attempt: this.backoff.attempts + 1 });
		try {
			const connection = new Connection(this.host, { role, clientId, credentials, packetLimit, will });
			this.#opened = connection;
			if (ahead) await connection.secure();
			const opened = connection.open().then(() => this.report({ event: "connected", role, clientId }));
			// Ahead of CONNACK, nobody awaits it: if it does not come, the request in progress fails.
			if (ahead) opened.catch(() => {});
			else await opened;
			return connection;
		} catch (error) {
			this.#clockDoubted = asFailure(error).code === "SERVER_DATES";
			throw error;
		}
	}

	/**
	 * Waits for what every connection needs: the network, and the time of day.
	 * @throws Failure of step `network` or `clock`
	 */
	async prepare(): Promise<void> {
		await this.#joinNetwork();
		await this.#setClock();
	}

	/** Waits until the network is up, where the machine joins one. @throws Failure NETWORK_DOWN, NETWORK_REFUSED */
	async #joinNetwork(): Promise<void> {
		const { network } = this.host;
		if (network === undefined || network.up) return;
		await this.wait(NETWORK_LIMIT, 0);
		if (network.up) return;
		const { refused, message } = network.problem;
		throw new Failure(refused ? "NETWORK_REFUSED" : "NETWORK_DOWN", message);
	}

	/**
	 * Makes sure that the clock is not behind its floor, because TLS checks certificates against it. As long as no time server has
	 * set it since power-on, the clock must not be behind the last time saved in flash either. A time from a time server is not
	 * compared with the saved time: if a server once told a time in the future, the device could not connect until that time.
	 * After a server's certificate was refused because of its dates, the time servers are asked again.
	 * @throws Failure CLOCK_UNSET, CLOCK_BEHIND
	 */
	async #setClock(): Promise<void> {
		const { clock, timer } = this.host;
		const before = this.#clockDoubted ? undefined : clock.now();
		if (before !== undefined && before >= Math.max(clock.floor, this.#setByServer ? 0 : this.record.savedAt)) return;
		this.report({ event: "clock.synchronizing" });
		await new Promise<void>((resolve, reject) => {
			const limit = timer.set(() => reject(new Failure("CLOCK_UNSET", "no answer")), CLOCK_LIMIT);
			this.#onAsked = () => {
				if (!this.#stopped) return;
				timer.clear(limit);
				reject(new Failure("CLOCK_UNSET", "the program is to end"));
			};
			clock.synchronize((error) => {
				timer.clear(limit);
				this.#onAsked = undefined;
				if (error === undefined) resolve();
				else reject(new Failure("CLOCK_UNSET", error.message));
			});
		});
		const now = clock.now();
		if (now === undefined) throw new Failure("CLOCK_UNSET");
		if (now < clock.floor) throw new Failure("CLOCK_BEHIND", `by ${Math.ceil((clock.floor - now) / 1000)} s`);
		this.#setByServer = true;
		this.#clockDoubted = false;
		this.report({ event: "clock.set", now });
	}
}
