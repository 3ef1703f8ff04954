// A simulated machine, as seen through the Moddable SDK's modules: one task that runs one callback after another, timers,
// Wi-Fi that can fail, name servers, time servers, a TCP peer, flash. An exception that escapes from a callback counts as an
// abort, as in XS. Written from the SDK's sources (8.2.3); docs/sdk-modules.md names the source of each rule.

import { VirtualTime } from "../../support/virtual-time.js";

/** How long joining Wi-Fi, DHCP and a name server's answer take, in ms. */
export const AIR = 2_000;
export const DHCP = 1_000;
export const DNS = 100;

/** The values of wifi_err_reason_t that the tests use. */
export const reasons = { leave: 8, wrongPassword: 15, beaconsLost: 200, notFound: 201 } as const;

export interface AccessPoint {
	readonly ssid: string;
	readonly password?: string;
	/** Whether its DHCP server answers. Default true. */
	dhcp?: boolean;
	/** Whether it neither accepts nor refuses the device. */
	hangs?: boolean;
}

/** What a time server answers: the right time, another time (seconds since 1970), nothing, or data that is not NTP. */
export type TimeServer = number | "right" | "silent" | "garbage";

/** The far end of a TCP connection. */
export interface Peer {
	/** Called with bytes that the device has written. */
	received(bytes: Uint8Array): void;
	/** Called when the device has closed the connection. */
	closed?(): void;
}

/** What a peer can do with a connection. */
export interface Wire {
	send(bytes: Uint8Array): void;
	/** FIN or RST: the SDK's TCP class over lwIP reports both as the same error. */
	hangUp(): void;
	/** The client's certificate, which the TLS stand-in passes on directly. */
	readonly certificate: Uint8Array;
}

export class Chip {
	readonly time = new VirtualTime();
	/** Exceptions that escaped from a callback. On a device each one would be an abort and a restart. */
	readonly aborts: unknown[] = [];
	/** Lines traced. */
	readonly traced: string[] = [];
	/** The contents of `mc/config`. */
	readonly config: Record<string, unknown> = {};
	readonly resources = new Map<string, Uint8Array>();
	readonly files = new Map<string, Uint8Array>();
	readonly nvs = new Map<string, ArrayBuffer>();
	readonly names = new Map<string, string>();
	readonly timeServers = new Map<string, TimeServer>();
	/** The lines of text on the screen, from top to bottom. While `broken` is true, drawing throws. */
	readonly screen = { width: 240, height: 320, broken: false, lines: [] as { text: string; x: number; y: number }[] };
	/** Returns the peer at an address and port. Without a listener or a peer, nobody answers. */
	listener: ((wire: Wire, address: string, port: number) => Peer | undefined) | undefined;
	accessPoint: AccessPoint | undefined;
	/** ms since 1970 minus the ticks, according to the chip's own clock. 0 means that it was not set since power-on. */
	clockOffset = 0;
	/** Whether `Time.set` has an effect. */
	clockCanBeSet = true;
	restarts = 0;
	/** The network's state, as the stand-ins for Wi-Fi and TCP see it. */
	associated = false;
	address = false;
	reason = 0;
	/** Whether virtual time must stand still, because the peer is doing work that takes no virtual time. */
	waits = (): boolean => false;
	/** Number of calls of `esp_wifi_connect`. */
	joins = 0;
	/** Whether `esp_wifi_connect` returns an error. */
	wifiFails = false;
	/** Number of open UDP and TCP sockets. */
	sockets = 0;
	/** Number of timers that have not fired yet. */
	timers = 0;
	readonly stations = new Set<(event: "connected" | "disconnected" | "address") => void>();
	readonly connections = new Set<() => void>();
	/** The client's certificate for the TLS session that is opened next. */
	certificate = new Uint8Array();
	#powerOn = 0;
	powered = true;

	/** Runs a callback later on the machine's task, unless the power is cut before. Returns a function that cancels it. */
	post(callback: () => void, milliseconds = 0): () => void {
		// esp_restart does not return. Here it has to, so what its caller starts afterwards is ignored.
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

	/** Switches the power on. */
	powerOn(): void {
		this.powered = true;
	}

	/** Cuts the power: everything pending is dropped, and nothing new starts. */
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

	/** `esp_netif_get_default_netif()`: without a network the SDK creates no socket. */
	get hasNetwork(): boolean {
		return this.address;
	}

	/** The access point disappears, or disconnects this device. */
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
		// lwIP ends all open connections when the interface goes down.
		for (const end of this.connections) end();
	}

	#tell(event: "connected" | "disconnected" | "address"): void {
		for (const station of this.stations) this.post(() => station(event));
	}

	/**
	 * Lets virtual time pass until `done` returns true, the limit in ms is over, or nothing is pending. Returns whether it is
	 * done.
	 */
	async play(done: () => boolean, limit = 3_600_000): Promise<boolean> {
		const end = this.time.ticks() + limit;
		for (;;) {
			await settle();
			while (this.waits()) await settle();
			if (done()) return true;
			if (this.time.ticks() > end || !this.time.advance()) return false;
		}
	}

	/** Lets this many ms of virtual time pass. */
	async pass(milliseconds: number): Promise<void> {
		let over = false;
		this.time.set(() => {
			over = true;
		}, milliseconds);
		await this.play(() => over);
	}
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The only machine of this process. The stand-ins for the SDK's modules use it. */
export const machine: { chip: Chip; create: () => object } = { chip: new Chip(), create: () => ({}) };
