// Keeps the record and the credentials in flash so that a power cut at any byte leaves the old ones or the new ones whole.
// There are two places for each, a marker says which record is valid, and every write is read back before it is relied on.
// Must never overwrite what is in use, nor erase anything unasked.

import { Failure } from "../base/failure.js";
import type { DeviceEvent } from "../contract/events.js";
import type { Credentials, Storage } from "../contract/host.js";
import { equalBytes } from "./der.js";
import {
	type CertificateRecord,
	type DeviceRecord,
	decodeCredentials,
	decodeRecord,
	encodeCredentials,
	encodeRecord,
	type Read,
	type Slot,
	UNPROVISIONED,
} from "./record.js";

// At most 15 characters (NVS).
const RECORD_KEYS: Readonly<Record<Slot, string>> = Object.freeze({ a: "state.a", b: "state.b" });
const CREDENTIALS_KEYS: Readonly<Record<Slot, string>> = Object.freeze({ a: "cred.a", b: "cred.b" });
const MARKER_KEY = "state.live";

/** How often a value is written until it reads back as it was written. */
const WRITE_TRIES = 3;

const other = (slot: Slot | undefined): Slot => (slot === "a" ? "b" : "a");

/** The device's memory. */
export class Store {
	readonly #storage: Storage;
	readonly #report: (event: DeviceEvent) => void;
	/** Where the valid record is; undefined before the first. */
	#live: Slot | undefined;
	#sequence = 0;

	constructor(storage: Storage, report: (event: DeviceEvent) => void) {
		this.#storage = storage;
		this.#report = report;
	}

	/**
	 * The valid record: the one that the marker names, or, when the marker or that record is damaged, the newest one that is
	 * whole. When there is none, the record of a device that was never provisioned. Writes nothing.
	 * @throws Failure STORE_READ_FAILED, STORE_NEWER
	 */
	load(): DeviceRecord {
		const marked = this.#readMarker();
		const records = { a: decodeRecord(this.#read(RECORD_KEYS.a)), b: decodeRecord(this.#read(RECORD_KEYS.b)) };
		const newest: Slot = records.a.sequence >= records.b.sequence ? "a" : "b";
		const first = marked ?? newest;
		for (const slot of [first, other(first)]) {
			const read = records[slot];
			if (read.is === "newer") throw new Failure("STORE_NEWER");
			if (read.is === "good") {
				this.#live = slot;
				this.#sequence = read.sequence;
				return read.value;
			}
			if (read.is === "damaged") this.#damaged(RECORD_KEYS[slot]);
		}
		this.#live = undefined;
		return UNPROVISIONED;
	}

	/**
	 * Makes `record` the valid one. Gives the number of bytes written.
	 * @throws Failure STORE_FULL, STORE_WRITE_FAILED, STORE_READ_FAILED: then either the previous record or this one is valid
	 */
	save(record: DeviceRecord): number {
		const slot = other(this.#live);
		const bytes = this.#write(RECORD_KEYS[slot], encodeRecord(record, this.#sequence + 1));
		const marker = this.#write(MARKER_KEY, Uint8Array.of(slot.charCodeAt(0)).buffer);
		this.#live = slot;
		this.#sequence += 1;
		return bytes + marker;
	}

	/**
	 * The credentials of a record, from its slot or from the copy beside it; `undefined` when neither is whole.
	 * @throws Failure STORE_READ_FAILED, STORE_NEWER
	 */
	loadCredentials(record: CertificateRecord): Credentials | undefined {
		for (const slot of [record.slot, other(record.slot)]) {
			const read = this.#readCredentials(slot, record);
			if (read.is === "newer") throw new Failure("STORE_NEWER");
			if (read.is === "good") return read.value;
			if (slot === record.slot) this.#damaged(CREDENTIALS_KEYS[slot]);
		}
		return undefined;
	}

	/**
	 * Makes sure that there are two whole copies of a proved identity's credentials, so that a corrupted byte does no harm.
	 * Writes nothing when there are two already. @throws Failure as `save`
	 */
	mirrorCredentials(record: CertificateRecord): void {
		const { a, b } = { a: this.#readCredentials("a", record), b: this.#readCredentials("b", record) };
		const whole = a.is === "good" ? a : b;
		if (whole.is !== "good" || (a.is === "good" && b.is === "good")) return;
		this.#write(CREDENTIALS_KEYS[a.is === "good" ? "b" : "a"], encodeCredentials(record.certificateId, whole.value));
	}

	#readCredentials(slot: Slot, record: CertificateRecord): Read<Credentials> {
		return decodeCredentials(this.#read(CREDENTIALS_KEYS[slot]), record.certificateId);
	}

	/**
	 * Writes new credentials into the slot that `record` does not use, and gives that slot and the number of bytes. They are
	 * not in use before a record names the slot. @throws Failure as `save`
	 */
	saveCredentials(record: DeviceRecord, certificateId: string, credentials: Credentials): [slot: Slot, bytes: number] {
		const slot = other("slot" in record ? record.slot : undefined);
		return [slot, this.#write(CREDENTIALS_KEYS[slot], encodeCredentials(certificateId, credentials))];
	}

	/**
	 * Erases all credentials, and the record that holds no more, in which a key or a token may be: for a device whose record says
	 * that it has none. @throws Failure STORE_WRITE_FAILED
	 */
	eraseSecrets(): void {
		try {
			for (const key of [CREDENTIALS_KEYS.a, CREDENTIALS_KEYS.b, RECORD_KEYS[other(this.#live)]])
				if (this.#read(key) !== undefined) this.#storage.delete(key);
		} catch {
			throw new Failure("STORE_WRITE_FAILED", "credentials are not erased");
		}
	}

	#readMarker(): Slot | undefined {
		const value = this.#read(MARKER_KEY);
		if (value === undefined) return undefined;
		const marker = value.byteLength === 1 ? String.fromCharCode(new Uint8Array(value)[0]!) : "";
		if (marker === "a" || marker === "b") return marker;
		this.#damaged(MARKER_KEY);
		return undefined;
	}

	#damaged(key: string): void {
		this.#report({ event: "store.damaged", key });
	}

	#read(key: string): ArrayBuffer | undefined {
		try {
			return this.#storage.read(key);
		} catch {
			// Flash that cannot be read is not empty: taking it for empty would cost the device its identity.
			throw new Failure("STORE_READ_FAILED", key);
		}
	}

	#write(key: string, value: ArrayBuffer): number {
		for (let tries = 0; tries < WRITE_TRIES; tries++) {
			try {
				this.#storage.write(key, value);
			} catch (error) {
				throw new Failure((error as { code?: unknown }).code === "full" ? "STORE_FULL" : "STORE_WRITE_FAILED", key);
			}
			const back = this.#read(key);
			if (back !== undefined && equalBytes(new Uint8Array(back), new Uint8Array(value))) return value.byteLength;
		}
		throw new Failure("STORE_WRITE_FAILED", `${key} does not read back`);
	}
}
