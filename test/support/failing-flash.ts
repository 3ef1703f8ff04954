// Flash whose power supply can fail at any byte of any write.

import type { MemoryFlash } from "../../hosts/node/flash.js";
import type { Storage } from "../../src/contract/host.js";

/** Thrown instead of finishing a write when the power fails. */
export class PowerCut extends Error {}

/**
 * What a torn write leaves behind: only the first bytes of the new value (`short`), these followed by the rest of the old value
 * (`mixed`), or these followed by erased flash (`erased`).
 */
export type Tear = "short" | "mixed" | "erased";

/**
 * Flash whose power fails in its nth write. `writes` counts writes and deletes; the write that fails first stores
 * `bytes` bytes of its value (`Infinity`: all of it, and the power fails right afterwards). `onCut` is called before it throws.
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
