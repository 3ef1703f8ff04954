// The desktop simulator: the computer's network and random numbers, and a folder as flash, with one file per key. Secrets in
// it are protected only by the folder's permissions.

import { Directory, File } from "file";
import config from "mc/config";
import type { Storage } from "../../../src/contract/host.js";
import type { Machine } from "../machine.js";

/**
 * Storage in a folder. An interrupted write leaves the old value intact: the new one is written to another file, which then
 * replaces the old file in one step.
 */
function openFolder(folder: string): Storage {
	Directory.create(folder);
	return {
		read(key) {
			if (!File.exists(folder + key)) return undefined;
			const file = new File(folder + key);
			try {
				return file.length ? file.read(ArrayBuffer) : new ArrayBuffer(0);
			} finally {
				file.close();
			}
		},
		write(key, value) {
			const fresh = `${folder + key}.new`;
			File.delete(fresh);
			const file = new File(fresh, true);
			try {
				file.write(value);
			} finally {
				file.close();
			}
			if (File.rename(fresh, key)) return;
			// On Windows, renaming does not replace an existing file.
			File.delete(folder + key);
			if (!File.rename(fresh, key)) throw new Error(`cannot write ${folder + key}`);
		},
		delete(key) {
			File.delete(folder + key);
		},
	};
}

/** The folder in `flash` of the manifest's config, or else one in the folder that the SDK keeps files in. Ends with a slash. */
function flashFolder(): string {
	const { root } = config.file as { readonly root: string };
	return String(config.flash ?? `${root}fleet-provisioning/`);
}

/** A file of this name in the flash folder acts as a factory reset button that is held down at power-on. */
const BUTTON = "button";

/** From random.c. */
function random(this: unknown, count: number): Uint8Array {
	return new Uint8Array(native("fleet_random").call(this, count));
}

export function createMachine(): Machine {
	return {
		openStorage: () => openFolder(flashFolder()),
		serialNumber(storage) {
			const key = "serial";
			let serialNumber = storage.read(key);
			if (!serialNumber) {
				const digits = Array.from(random(6), (byte) => byte.toString(16).padStart(2, "0"));
				serialNumber = ArrayBuffer.fromString(`simulator-${digits.join("")}`);
				storage.write(key, serialNumber);
			}
			return String.fromArrayBuffer(serialNumber);
		},
		random,
		resetAsked: () => File.exists(flashFolder() + BUTTON) && File.delete(flashFolder() + BUTTON),
	};
}
