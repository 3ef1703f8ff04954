// What the steps of a device's life share: flash, pauses, the clock, and how the device connects.

import { Backoff, backoffSeed, CONNECT_INTERVAL } from "../base/backoff.js";
import { asFailure, catalogue, Failure } from "../base/failure.js";
import type { Application, Will } from "../contract/application.js";
import type { DeviceEvent, Role } from "../contract/events.js";
import type { Credentials, Host, TimerId } from "../contract/host.js";
import { type DeviceRecord, UNPROVISIONED, type UnsavedRecord } from "../identity/record.js";
import { Store } from "../identity/store.js";
import { Connection } from "../mqtt/connection.js";
import { Exchange } from "../provisioning/exchange.js";

/** ms that the time servers have to answer. */
const CLOCK_LIMIT = 60_000;
/** ms that the network has to come up, until it is reported as down. Wi-Fi and DHCP take up to ten seconds. */
const NETWORK_LIMIT = 30_000;
/** A network that comes back ends a pause, at a random moment within so many ms: it brings many devices back at once. */
const NETWORK_SPREAD = 5_000;
/** Bytes of a packet while provisioning: AWS's longest reply has about 4 KB. */
const PROVISIONING_PACKET = 10_240;
/** Bytes of a packet for the application. */
const APPLICATION_PACKET = 16_384;

/** What comes after a step: the step of the state that is now saved, or a restart of the machine. */
export type Next = "continue" | "restart";

/** One power-on of a device. */
export class Device {
	readonly host: Host;
	readonly application: Application;
	readonly store: Store;
	readonly backoff: Backoff;
	/** What flash says. */
	record: DeviceRecord;
	/** An open visit to the provisioning API, kept from one step to the next. */
	exchange: Exchange | undefined;
	/** A connection under the thing's name, made while proving it and kept for the application. */
	connection: Connection | undefined;

	/** A factory reset that the application has asked for, at whatever moment. */
	#reset: "forget" | "keep" | undefined;
	#stopped = false;
	/** Called when a factory reset or the end is asked for: set by what is waiting at the moment. */
	#onAsked: (() => void) | undefined;
	/** The last connection that was begun. */
	#opened: Connection | undefined;
	#setByServer = false;
	/** A server's certificate was refused for its dates: the clock may be what is wrong. */
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
	 * Waits. A factory reset or the end that is asked for ends the wait; and the network does, if it was down and comes up,
	 * where `afterNetwork` says how many ms after that.
	 */
	wait(milliseconds: number, afterNetwork?: number): Promise<void> {
		const { timer, network } = this.host;
		return new Promise((resolve) => {
			const timers: TimerId[] = [];
			const end = (): void => {
				for (const id of timers) timer.clear(id);
				resolve();
			};
			const endAfter = (pause: number): void => void timers.push(timer.set(end, pause));
			this.#onAsked = end;
			if (this.#stopped) return resolve();
			endAfter(milliseconds);
			if (afterNetwork !== undefined && network?.up === false) network.whenUp(() => endAfter(afterNetwork));
		});
	}

	/** The factory reset that was asked for. The step of a proved identity carries it out. */
	get reset(): "forget" | "keep" | undefined {
		return this.#reset;
	}

	/** Asks for a factory reset. May be called at any time, whatever the device is doing. */
	askReset(identity: "forget" | "keep"): void {
		this.#reset = identity;
		this.#onAsked?.();
	}

	/** Whether the program is to end. Nothing may be begun then. */
	get stopped(): boolean {
		return this.#stopped;
	}

	/** Ends what is under way: the program is to end. */
	stop(): void {
		this.#stopped = true;
		this.#onAsked?.();
		this.leave();
		this.#opened?.close();
	}

	/** Calls back when a factory reset or the end is asked for. Replaces the callback given before. */
	whenAsked(callback: () => void): void {
		this.#onAsked = callback;
	}

	/**
	 * Writes `record` to flash, once. `credentialBytes` have been written for it already.
	 * @throws Failure of step `store`: then `this.record` is what it was
	 */
	save(record: UnsavedRecord, credentialBytes = 0): void {
		const saved = { ...record, savedAt: this.now() };
		const bytes = this.store.save(saved) + credentialBytes;
		this.record = saved;
		const certificate = "certificateId" in saved && { certificateId: saved.certificateId };
		this.report({ event: "stored", state: saved.state, bytes, ...certificate });
	}

	/** Writes `record` to flash, again and again until it works. */
	keep(record: UnsavedRecord, credentialBytes?: number): Promise<void> {
		return this.persist(() => this.save(record, credentialBytes));
	}

	/**
	 * Does what writes flash, again and again until it works: a certificate that has just been issued, or the name of a
	 * thing that has just been registered, is stored nowhere else.
	 * @throws Failure that is not about reading or writing flash
	 */
	async persist<T>(write: () => T): Promise<T> {
		for (;;) {
			try {
				// Encoding needs much stack, and a device has little: begin with an empty one.
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
	 * Gives up a certificate that leads nowhere, so that the next step asks for another. Its place in flash is used again
	 * by the certificate after the next.
	 */
	async startAgain(): Promise<Next> {
		await this.keep({ state: "unprovisioned", setAsides: this.record.setAsides });
		return "continue";
	}

	/** Reports a failure and waits as long as its class asks for, but not beyond `until` (ms since 1970) if that is in the future. */
	async pauseAfter(failure: Failure, until = 0): Promise<void> {
		this.report({ event: "failure", failure: failure.report() });
		const left = until - this.now();
		const pause = this.backoff.next(failure.class);
		const milliseconds = left > 0 ? Math.max(Math.min(pause, left), CONNECT_INTERVAL) : pause;
		this.report({ event: "pause", milliseconds, code: failure.code, attempt: this.backoff.attempts });
		const { network } = this.host;
		await this.wait(milliseconds, network && this.backoff.spread(CONNECT_INTERVAL, NETWORK_SPREAD));
	}

	/** The visit to the provisioning API that is open, or a new one under the claim. */
	async visit(): Promise<Exchange> {
		if (this.exchange !== undefined && !this.exchange.ended) return this.exchange;
		const claim = this.host.claim.read();
		if (claim === undefined) throw new Failure("CLAIM_MISSING");
		const connection = await this.#connect(
			"claim",
			`claim-${this.host.device.serialNumber}`,
			claim,
			PROVISIONING_PACKET,
		);
		this.exchange = new Exchange(this.host, connection);
		const subscribed = this.exchange.subscribe();
		// When pipelined, the request that is under way fails with the failure to subscribe.
		if (this.host.configuration.pipeline === true && this.backoff.attempts === 0) subscribed.catch(() => {});
		else await subscribed;
		return this.exchange;
	}

	/** Ends the visit, if there is one. */
	leave(): void {
		this.exchange?.close();
		this.exchange = undefined;
	}

	/** Connects under a thing's name. @throws Failure IDENTITY_REFUSED when the service will not have it, or of step `connect` */
	connectAs(thingName: string, credentials: Credentials, will?: Will): Promise<Connection> {
		return this.#connect("identity", thingName, credentials, APPLICATION_PACKET, will);
	}

	async #connect(
		role: Role,
		clientId: string,
		credentials: Credentials,
		packetLimit: number,
		will?: Will,
	): Promise<Connection> {
		// Not by `prepare`: each async function more takes its part of the stack.
		await this.#joinNetwork();
		await this.#setClock();
		if (this.#stopped) throw new Failure("CONNECTION_LOST", "the program is to end");
		this.report({ event: "connecting", role, clientId, attempt: this.backoff.attempts + 1 });
		try {
			const connection = new Connection(this.host, { role, clientId, credentials, packetLimit, will });
			this.#opened = connection;
			await connection.open();
			this.report({ event: "connected", role, clientId });
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
	 * Makes sure that the clock is not behind its floor, since TLS checks certificates against it. A clock that no time server
	 * has set since power-on must not be behind the last time saved in flash either. What a time server says is not held
	 * against that: if one had once been wrong and in the future, the device could not connect until that time had come.
	 * When a server's certificate was refused for its dates, time servers are asked again.
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
