// The ESP32: Wi-Fi, NVS, the hardware's random numbers, a real restart. Never erases flash to make it work again.

import keyValue from "embedded:storage/key-value";
import config from "mc/config";
import { Failure } from "../../../src/base/failure.js";
import type { Storage } from "../../../src/contract/host.js";
import type { Machine } from "../machine.js";
import { WiFiNetwork } from "./wifi.js";

/** From the module `system` of the SDK. */
declare const System: { restart(): void };

// The NVS namespace; like a key at most 15 characters.
const NAMESPACE = "fleet";

/** What every ESP32 has, whatever its network: for a machine of an app's own, too. */
export const esp32 = Object.freeze({
	openStorage: () => openNamespace(NAMESPACE),
	// Math.random takes each number from the hardware's generator (esp_random), which is a true one while Wi-Fi is on.
	random: (count: number) => new Uint8Array(count).map(() => Math.random() * 256),
	restart: () => System.restart(),
} satisfies Partial<Machine>);

/** @throws Failure CONFIGURATION_INVALID when the firmware was built without the name of a Wi-Fi */
export function createMachine(): Machine {
	if (!config.ssid) throw new Failure("CONFIGURATION_INVALID", "ssid: give mcconfig ssid=… password=…");
	const network = new WiFiNetwork(String(config.ssid), config.password ? String(config.password) : undefined);
	return {
		...esp32,
		network,
		serialNumber: () => network.address,
		close: () => network.close(),
	};
}

function openNamespace(path: string): Storage {
	const store = keyValue.open({ path });
	return {
		// Opened without a format, it reads bytes.
		read: (key) => store.read(key) as ArrayBuffer | undefined,
		write(key, value) {
			try {
				store.write(key, value);
			} catch (error) {
				const message = String((error as Error).message);
				// What ESP-IDF calls a full partition: nvs_set_blob returns either.
				const full = message.includes("NOT_ENOUGH_SPACE") || message.includes("NO_FREE_PAGES");
				throw full ? Object.assign(new Error(message), { code: "full" }) : error;
			}
		},
		delete: (key) => store.delete(key),
	};
}
