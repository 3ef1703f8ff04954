// The ESP32: Wi-Fi, NVS, the hardware's random numbers, a real restart. Never erases flash to make it work again.

import WiFi from "embedded:network/interface/wifi";
import keyValue from "embedded:storage/key-value";
import config from "mc/config";
import Timer from "timer";
import type { Machine } from "../machine.js";
import { storageIn } from "./nvs.js";

/** From the module `system` of the SDK. */
declare const System: { restart(): void };

/** ms between two attempts to join the Wi-Fi. */
const RETRY = 5_000;
const CONNECTED = 500;
const DISCONNECTED = 200;

// The NVS namespace; like a key at most 15 characters.
const NAMESPACE = "fleet";

/** Throws when the firmware was built without the name of a Wi-Fi. */
export function createMachine(): Machine {
	if (!config.ssid) throw new Error("no Wi-Fi: give mcconfig ssid=… password=…");
	let whenReady: (() => void) | undefined;
	const wifi = new WiFi({
		onChanged(property) {
			if (property !== "connection") return;
			if (this.connection === DISCONNECTED) {
				trace("Wi-Fi: not connected\n");
				Timer.set(join, RETRY);
			} else if (this.connection === CONNECTED) {
				const ready = whenReady;
				whenReady = undefined;
				ready?.();
			}
		},
	});

	function join(): void {
		const ssid = String(config.ssid);
		const password = config.password ? String(config.password) : undefined;
		try {
			wifi.connect(password ? { SSID: ssid, password, secure: true } : { SSID: ssid });
		} catch {
			Timer.set(join, RETRY);
		}
	}

	return {
		connect(ready) {
			whenReady = ready;
			join();
		},
		openStorage: () => storageIn(keyValue.open({ path: NAMESPACE })),
		serialNumber: () => wifi.MAC.split(":").join(""),
		// Math.random takes each number from the hardware's generator (esp_random), which is a true one while Wi-Fi is on.
		random: (count) => new Uint8Array(count).map(() => Math.random() * 256),
		restart: () => System.restart(),
	};
}
