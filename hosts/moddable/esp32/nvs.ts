// The device program's storage on the ESP32: a namespace of NVS, through the SDK's key-value storage. Never erases flash to
// make room.

import type { Storage } from "../../../src/contract/host.js";

/** The part of the SDK's `embedded:storage/key-value` that is used here. */
export interface KeyValue {
	/** An ArrayBuffer or undefined, as long as the namespace was opened with the default format. */
	read(key: string): unknown;
	write(key: string, value: ArrayBuffer): unknown;
	delete(key: string): unknown;
}

/**
 * Matches the message of the SDK's exception when the partition is full: ESP_ERR_NVS_NOT_ENOUGH_SPACE or
 * ESP_ERR_NVS_NO_FREE_PAGES (nvs.h: 0x1105, 0x110d). Builds with error names (CONFIG_ESP_ERR_TO_NAME_LOOKUP) report the
 * name. The SDK disables them for the ESP32, S2, S3 and C6, which report the number instead: "UNKNOWN ERROR 0x1105(4357)".
 */
const FULL = /NVS_NOT_ENOUGH_SPACE|NVS_NO_FREE_PAGES|\b0x110[5d]\b|\b(4357|4365)\b/i;

/** The contract's Storage in an open namespace. */
export const storageIn = (namespace: KeyValue): Storage => ({
	read: (key) => namespace.read(key) as ArrayBuffer | undefined,
	write(key, value) {
		try {
			namespace.write(key, value);
		} catch (error) {
			const { message } = error as Error;
			throw FULL.test(message) ? Object.assign(new Error(message), { code: "full" }) : error;
		}
	},
	delete: (key) => void namespace.delete(key),
});
