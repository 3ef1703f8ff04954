// The ESP32's flash as the device program has it: a namespace of NVS, through the SDK's key-value storage. Never erases flash
// to make room.

import type { Storage } from "../../../src/contract/host.js";

/** As much of the SDK's `embedded:storage/key-value` as is used. */
export interface KeyValue {
	/** An ArrayBuffer or undefined in the format that a namespace is opened with; in others something else. */
	read(key: string): unknown;
	write(key: string, value: ArrayBuffer): unknown;
	delete(key: string): unknown;
}

/**
 * What the SDK's exception says of a partition without room: ESP_ERR_NVS_NOT_ENOUGH_SPACE or ESP_ERR_NVS_NO_FREE_PAGES
 * (nvs.h: 0x1105, 0x110d). By name where the build has names of errors; by number where it has none
 * (CONFIG_ESP_ERR_TO_NAME_LOOKUP, which the SDK leaves out for the ESP32, S2, S3 and C6): "UNKNOWN ERROR 0x1105(4357)".
 */
const FULL = /NVS_NOT_ENOUGH_SPACE|NVS_NO_FREE_PAGES|\b0x110[5d]\b|\b(4357|4365)\b/i;

/** Storage in an open namespace. */
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
