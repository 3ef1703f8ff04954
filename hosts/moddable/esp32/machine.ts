// The ESP32: Wi-Fi, NVS, the hardware's random numbers, a real restart. Never erases flash to recover from an error.

import keyValue from "embedded:storage/key-value";
import config from "mc/config";
import { Failure } from "../../../src/base/failure.js";
import type { Machine } from "../machine.js";
import { storageIn } from "./nvs.js";
import { WiFiNetwork } from "./wifi.js";

/** From the SDK's module `system`. */
declare const System: { restart(): void };

// The NVS namespace. Like a key, it has at most 15 characters.
const NAMESPACE = "fleet";

/** From image.c. */
function build(this: unknown): string {
	return native("fleet_build").call(this);
}

/** What every ESP32 has, whatever its network. An app can build a machine of its own from it. */
export const esp32 = Object.freeze({
	build,
	openStorage: () => storageIn(keyValue.open({ path: NAMESPACE })),
	// Math.random takes each number from the hardware's generator (esp_random), which is truly random while Wi-Fi is on.
	random: (count: number) => new Uint8Array(count).map(() => Math.random() * 256),
	restart: () => System.restart(),
} satisfies Partial<Machine>);

/** @throws Failure CONFIGURATION_INVALID when the firmware was built without an SSID */
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
