// A machine as far as the Moddable SDK's modules show it: one task that takes one callback after another, timers, a Wi-Fi
// that comes and goes, name servers, time servers, a far end for TCP, flash. What leaves a callback is an abort, as in XS.
// Written from the SDK's sources (8.2.3); docs/sdk-modules.md says where each rule stands there.

import { VirtualTime } from "../../support/virtual-time.js";

/** ms that the air, DHCP, a name server and a time server take. */
export const AIR = 2_000;
export const DHCP = 1_000;
export const DNS = 100;

/** wifi_err_reason_t, as far as the tests use it. */
export const reasons = { leave: 8, wrongPassword: 15, beaconsLost: 200, notFound: 201 } as const;

export interface AccessPoint {
	readonly ssid: string;
	readonly password?: string;
	/** Whether its DHCP server answers. Default true. */
	dhcp?: boolean;
	/** Neither lets in nor refuses. */
	hangs?: boolean;
}

/** What a time server answers: the time, other seconds since 1970, nothing, or what is no NTP packet. */
export type TimeServer = number | "right" | "silent" | "garbage";

/** The far end of a TCP connection. */
export interface Peer {
	/** Bytes that the device has written. */
	received(bytes: Uint8Array): void;
	/** The device has closed. */
	closed?(): void;
}

/** What a far end may do. */
export interface Wire {
	send(bytes: Uint8Array): void;
	/** FIN or RST: lwIP's class has one error for both. */
	hangUp(): void;
	/** The client's certificate, which the stand-in of TLS passes by hand. */
	readonly certificate: Uint8Array;
}

export class Chip {
	readonly time = new VirtualTime();
	/** Exceptions that have left a callback: on a device each is an abort and a restart. */
	readonly aborts: unknown[] = [];
	/** Lines traced. */
	readonly traced: string[] = [];
	/** `mc/config`. */
	readonly config: Record<string, unknown> = {};
	readonly resources = new Map<string, Uint8Array>();
	readonly files = new Map<string, Uint8Array>();
	readonly nvs = new Map<string, ArrayBuffer>();
	readonly names = new Map<string, string>();
	readonly timeServers = new Map<string, TimeServer>();
	/** What is on the screen: the lines of text, from the top. While it is broken, drawing throws. */
	readonly screen = { width: 240, height: 320, broken: false, lines: [] as { text: string; x: number; y: number }[] };
	/** Tells what leads to an address and port; without it nobody answers. */
	listener: ((wire: Wire, address: string, port: number) => Peer | undefined) | undefined;
	accessPoint: AccessPoint | undefined;
	/** ms since 1970 less the ticks, as the chip's own clock has it. 0: not set since power-on. */
	clockOffset = 0;
	/** Whether `Time.set` does anything. */
	clockCanBeSet = true;
	restarts = 0;
	/** What the stand-ins of Wi-Fi and TCP hold of the network. */
	associated = false;
	address = false;
	reason = 0;
	/** Whether time must not pass: a far end is at work for which none passes. */
	waits = (): boolean => false;
	/** Calls of `esp_wifi_connect`. */
	joins = 0;
	/** `esp_wifi_connect` does not return ESP_OK. */
	wifiFails = false;
	/** Sockets that are open: of UDP and TCP. */
	sockets = 0;
	/** Timers that have not gone off. */
	timers = 0;
	readonly stations = new Set<(event: "connected" | "disconnected" | "address") => void>();
	readonly connections = new Set<() => void>();
	/** The client's certificate of the TLS session that is about to be opened. */
	certificate = new Uint8Array();
	#powerOn = 0;
	powered = true;

	/** Calls back on the machine's task: later, and not any more after the power was cut. */
	post(callback: () => void, milliseconds = 0): () => void {
		// esp_restart does not return. Here it has to: what its caller begins afterwards comes to nothing.
		if (!this.powered) return () => {};
		const powerOn = this.#powerOn;
		const id = this.time.set(() => {
			if (powerOn !== this.#powerOn) return;
			try {
				callback();
			} catch (error) {
				this.aborts.push(error);
			}
		}, milliseconds);
		return () => this.time.clear(id);
	}

	/** Where an app begins. */
	powerOn(): void {
		this.powered = true;
	}

	/** Cuts the power: nothing that was begun goes on, and nothing begins. */
	powerOff(): void {
		this.powered = false;
		this.#powerOn += 1;
		this.sockets = this.timers = this.reason = 0;
		this.associated = this.address = false;
		this.clockOffset = 0;
		this.stations.clear();
		this.connections.clear();
	}

	now(): number {
		return this.clockOffset + this.time.ticks();
	}

	/** `esp_netif_get_default_netif()`: without it the SDK makes no socket. */
	get hasNetwork(): boolean {
		return this.address;
	}

	/** The access point is gone, or lets go of this device. */
	loseWiFi(reason: number = reasons.beaconsLost): void {
		if (!this.associated) return;
		this.#disconnected(reason);
	}

	/** `esp_wifi_connect` */
	join(ssid: string, password: string | undefined): void {
		this.joins += 1;
		const point = this.accessPoint;
		this.post(() => {
			if (point?.hangs) return;
			if (point !== this.accessPoint || point?.ssid !== ssid) return this.#disconnected(reasons.notFound);
			if (point.password !== password) return this.#disconnected(reasons.wrongPassword);
			this.associated = true;
			this.#tell("connected");
			if (point.dhcp === false) return;
			this.post(() => {
				if (!this.associated) return;
				this.address = true;
				this.#tell("address");
			}, DHCP);
		}, AIR);
	}

	/** `esp_wifi_disconnect` */
	leave(): void {
		if (this.associated) this.post(() => this.#disconnected(reasons.leave));
	}

	#disconnected(reason: number): void {
		this.associated = this.address = false;
		this.reason = reason;
		this.#tell("disconnected");
		// lwIP ends what is open once the interface is gone.
		for (const end of this.connections) end();
	}

	#tell(event: "connected" | "disconnected" | "address"): void {
		for (const station of this.stations) this.post(() => station(event));
	}

	/** Lets time pass until `done`, or the limit in ms, or nothing is left to happen. Gives whether it is done. */
	async play(done: () => boolean, limit = 3_600_000): Promise<boolean> {
		const end = this.time.ticks() + limit;
		for (;;) {
			await settle();
			while (this.waits()) await settle();
			if (done()) return true;
			if (this.time.ticks() > end || !this.time.advance()) return false;
		}
	}

	/** Lets so many ms pass. */
	async pass(milliseconds: number): Promise<void> {
		let over = false;
		this.time.set(() => {
			over = true;
		}, milliseconds);
		await this.play(() => over);
	}
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The one machine of this process; the stand-ins of the SDK's modules work on it. */
export const machine: { chip: Chip; create: () => object } = { chip: new Chip(), create: () => ({}) };
