// Flash of a simulated device: in memory, or in an image file. Must never leave an image file torn.

import {
	closeSync,
	existsSync,
	fsyncSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	unlinkSync,
	writeSync,
} from "node:fs";
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
	/** What it holds, by key. May be changed from outside, to damage it say. */
	readonly values = new Map<string, Uint8Array>();
	/** Writes and deletions so far. */
	writes = 0;
	/** Bytes of values written so far. */
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

/**
 * Flash in an image file: a JSON object of base64 values by key. Only its owner can read it, because it holds the device's
 * private key. Every write replaces the whole file, so that it is never torn.
 */
export class FileFlash implements Storage {
	readonly #path: string;
	readonly #flash = new MemoryFlash();

	/** @throws Error when the file exists but cannot be read or is not an image; it is not changed */
	constructor(path: string) {
		this.#path = path;
		// Left behind by a program that was killed while it wrote. It holds secrets.
		rmSync(this.#temporary, { force: true });
		if (!existsSync(path)) {
			// Written now, so that a place that cannot be written is noticed before the device has a certificate.
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

	/** What is written before it takes the image's place. Only one program may use an image at a time. */
	get #temporary(): string {
		return `${this.#path}.new`;
	}

	#save(): void {
		const image: Record<string, string> = {};
		for (const [key, value] of this.#flash.values) image[key] = Buffer.from(value).toString("base64");
		const temporary = this.#temporary;
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
