// Flash of a simulated device: in memory or in an image file, and with a power supply that can fail at any byte.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Storage } from "../../src/contract/host.js";

/** NVS's limit (ESP-IDF, nvs_flash.h: NVS_KEY_NAME_MAX_SIZE less the terminator). */
const KEY_LIMIT = 15;

const checkKey = (key: string): void => {
	if (key.length === 0 || key.length > KEY_LIMIT)
		throw new RangeError(`key "${key}" is not 1 to ${KEY_LIMIT} characters`);
};

/** Flash in memory. Counts what is written. */
export class MemoryFlash implements Storage {
	readonly values = new Map<string, Uint8Array>();
	writes = 0;
	bytesWritten = 0;

	read(key: string): ArrayBuffer | undefined {
		checkKey(key);
		return this.values.get(key)?.slice().buffer as ArrayBuffer | undefined;
	}

	write(key: string, value: ArrayBuffer): void {
		checkKey(key);
		this.writes += 1;
		this.bytesWritten += value.byteLength;
		this.values.set(key, new Uint8Array(value.slice(0)));
	}

	delete(key: string): void {
		checkKey(key);
		if (this.values.delete(key)) this.writes += 1;
	}
}

/** Thrown instead of finishing a write when the power fails. */
export class PowerCut extends Error {}

/**
 * What a torn write leaves: the first bytes of the new value alone (`short`), before the rest of the old value (`mixed`),
 * or before erased flash (`erased`).
 */
export type Tear = "short" | "mixed" | "erased";

/**
 * Flash whose power fails in its nth write. `writes` counts writes and deletes; the write that fails puts down `bytes`
 * bytes of its value first (`Infinity`: all of it, and the power fails right after). `onCut` is called before it throws.
 */
export class FailingFlash implements Storage {
	readonly #flash: MemoryFlash;
	readonly #cut: { writes: number; bytes: number; tear: Tear };
	readonly #onCut: () => void;

	constructor(
		flash: MemoryFlash,
		cut: { readonly writes: number; readonly bytes: number; readonly tear?: Tear },
		onCut: () => void,
	) {
		this.#flash = flash;
		this.#cut = { tear: "short", ...cut };
		this.#onCut = onCut;
	}

	read(key: string): ArrayBuffer | undefined {
		return this.#flash.read(key);
	}

	write(key: string, value: ArrayBuffer): void {
		if (!this.#isCut()) return this.#flash.write(key, value);
		const { bytes, tear } = this.#cut;
		const fresh = new Uint8Array(value);
		const old = this.#flash.values.get(key) ?? new Uint8Array(0);
		if (bytes >= fresh.length) this.#flash.write(key, value);
		else if (bytes > 0 || tear === "erased") {
			const length = tear === "short" ? bytes : tear === "mixed" ? Math.max(bytes, old.length) : fresh.length;
			const torn = new Uint8Array(length).fill(0xff);
			if (tear === "mixed") torn.set(old);
			torn.set(fresh.subarray(0, bytes));
			this.#flash.write(key, torn.buffer);
		}
		this.#fail();
	}

	delete(key: string): void {
		if (!this.#isCut()) return this.#flash.delete(key);
		if (this.#cut.bytes > 0) this.#flash.delete(key);
		this.#fail();
	}

	#isCut(): boolean {
		this.#cut.writes -= 1;
		return this.#cut.writes === 0;
	}

	#fail(): never {
		this.#onCut();
		throw new PowerCut("power cut");
	}
}

/**
 * Flash in an image file: a JSON object of base64 values by key, readable by its owner only since it holds the device's
 * private key. Every write replaces the file as a whole, so that the file is never torn.
 */
export class FileFlash implements Storage {
	readonly #path: string;
	readonly #flash = new MemoryFlash();

	/** @throws Error when the file is there but cannot be read or is no image: it is left alone */
	constructor(path: string) {
		this.#path = path;
		if (!existsSync(path)) {
			// To find out now, not after the device has a certificate, that nothing can be written there.
			this.#save();
			return;
		}
		const text = readFileSync(path, "utf8");
		let image: unknown;
		try {
			image = JSON.parse(text);
		} catch {
			throw new Error(`${path} is not a flash image`);
		}
		if (typeof image !== "object" || image === null || Array.isArray(image))
			throw new Error(`${path} is not a flash image`);
		for (const [key, value] of Object.entries(image)) {
			if (typeof value !== "string" || key.length > KEY_LIMIT) throw new Error(`${path} is not a flash image`);
			this.#flash.values.set(key, new Uint8Array(Buffer.from(value, "base64")));
		}
	}

	read(key: string): ArrayBuffer | undefined {
		return this.#flash.read(key);
	}

	write(key: string, value: ArrayBuffer): void {
		this.#flash.write(key, value);
		this.#save();
	}

	delete(key: string): void {
		this.#flash.delete(key);
		this.#save();
	}

	#save(): void {
		const image: Record<string, string> = {};
		for (const [key, value] of this.#flash.values) image[key] = Buffer.from(value).toString("base64");
		const temporary = `${this.#path}.${process.pid}.new`;
		const file = openSync(temporary, "w", 0o600);
		try {
			writeSync(file, `${JSON.stringify(image, undefined, "\t")}\n`);
			fsyncSync(file);
		} catch (error) {
			unlinkSync(temporary);
			throw Object.assign(error as Error, (error as NodeJS.ErrnoException).code === "ENOSPC" ? { code: "full" } : {});
		} finally {
			closeSync(file);
		}
		renameSync(temporary, this.#path);
		const folder = openSync(dirname(this.#path) || ".", "r");
		fsyncSync(folder);
		closeSync(folder);
	}
}
