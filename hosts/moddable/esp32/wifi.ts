// Wi-Fi as the device program's network: joins it, and after a pause joins again whenever the connection is lost or refused.
// Lets no exception escape from an SDK callback, which would restart the device. Never has more than one attempt or timer
// running.

import WiFi from "embedded:network/interface/wifi";
import Timer from "timer";
import type { Network, NetworkProblem } from "../../../src/contract/host.js";

/** ms between two attempts to join. */
const RETRY = 5_000;
/** ms from the start of an attempt until there is an IP address: Wi-Fi may hang, and a DHCP server may never answer. */
const JOIN_LIMIT = 30_000;

// Values of `connection` in the SDK's class.
const ADDRESS = 500;
const ASSOCIATED = 400;
const DISCONNECTED = 200;

/**
 * ESP-IDF's reasons (wifi_err_reason_t) that mean that the access point exists but refuses this device: MIC_FAILURE,
 * 4WAY_HANDSHAKE_TIMEOUT (the usual one for a wrong password), 802_1X_AUTH_FAILED, AUTH_FAIL, HANDSHAKE_TIMEOUT,
 * NO_AP_FOUND_W_COMPATIBLE_SECURITY, NO_AP_FOUND_IN_AUTHMODE_THRESHOLD.
 */
const REFUSALS = Object.freeze([14, 15, 23, 202, 204, 210, 211]);
/** The reason NO_AP_FOUND. */
const NOT_FOUND = 201;

/** The number of the reason, from wifiReason.c, since the SDK's class does not provide it. */
function reason(this: unknown): number {
	return native("fleet_wifiReason").call(this);
}

export class WiFiNetwork implements Network {
	readonly #ssid: string;
	readonly #password: string | undefined;
	readonly #wifi: WiFi;
	#timer: ReturnType<typeof Timer.set> | undefined;
	#onUp: (() => void) | undefined;

	/** Starts joining. @throws Error when Wi-Fi cannot be initialized */
	constructor(ssid: string, password: string | undefined) {
		this.#ssid = ssid;
		this.#password = password;
		this.#wifi = new WiFi({ onChanged: () => this.#changed() });
		reason();
		if (!this.up) this.#after(0, () => this.#join());
	}

	get up(): boolean {
		return this.#wifi.connection === ADDRESS;
	}

	get problem(): NetworkProblem {
		const ssid = this.#ssid;
		if (this.#wifi.connection === ASSOCIATED) return { refused: false, message: `no address from Wi-Fi ${ssid}` };
		const number = reason();
		if (number === NOT_FOUND) return { refused: false, message: `there is no Wi-Fi ${ssid}` };
		const refused = REFUSALS.includes(number);
		const what = refused ? "does not let this device in" : "is not joined";
		return { refused, message: `Wi-Fi ${ssid} ${what} (reason ${number})` };
	}

	whenUp(callback: () => void): void {
		this.#onUp = callback;
	}

	/** The MAC address, for example `a4cf12000001`. @throws Error when Wi-Fi does not know it */
	get address(): string {
		const { MAC } = this.#wifi;
		if (!MAC) throw new Error("Wi-Fi has no MAC address");
		return MAC.split(":").join("");
	}

	/** Stops joining. Does not switch Wi-Fi off. */
	close(): void {
		Timer.clear(this.#timer);
		this.#timer = undefined;
		this.#onUp = undefined;
		this.#wifi.close();
	}

	#changed(): void {
		const { connection } = this.#wifi;
		if (connection === ADDRESS) {
			Timer.clear(this.#timer);
			this.#timer = undefined;
			const callback = this.#onUp;
			this.#onUp = undefined;
			callback?.();
		} else if (connection === DISCONNECTED) {
			trace(`${this.problem.message}\n`);
			this.#after(RETRY, () => this.#join());
		} else if (this.#timer === undefined) {
			this.#after(JOIN_LIMIT, () => this.#giveUp());
		}
	}

	#join(): void {
		const SSID = this.#ssid;
		const password = this.#password;
		try {
			this.#wifi.connect(password ? { SSID, password } : { SSID });
			this.#after(JOIN_LIMIT, () => this.#giveUp());
		} catch (error) {
			trace(`Wi-Fi: ${(error as Error).message}\n`);
			this.#after(RETRY, () => this.#join());
		}
	}

	/** Ends the attempt. The next one is scheduled here, because the SDK calls nobody back for a disconnection that was requested. */
	#giveUp(): void {
		trace(`${this.problem.message}\n`);
		this.#wifi.disconnect();
		this.#after(RETRY, () => this.#join());
	}

	#after(milliseconds: number, work: () => void): void {
		Timer.clear(this.#timer);
		this.#timer = Timer.set(() => {
			this.#timer = undefined;
			work();
		}, milliseconds);
	}
}
