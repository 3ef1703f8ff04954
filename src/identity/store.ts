// Stores the record and the credentials in flash in such a way that a power cut at any byte leaves either the old or the new
// ones intact. There are two places for each, a marker names the valid record, and every write is read back before anything
// relies on it. Must never overwrite what is in use, and must never erase anything without being asked to.

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

/** How many times a value is written until it reads back correctly. */
const WRITE_TRIES = 3;

const other = (slot: Slot | undefined): Slot => (slot === "a" ? "b" : "a");

/** The device's persistent storage. */
export class Store {
	readonly #storage: Storage;
	readonly #report: (event: DeviceEvent) => void;
	/** Which place holds the valid record; undefined before the first one is saved. */
	#live: Slot | undefined;
	#sequence = 0;

	constructor(storage: Storage, report: (event: DeviceEvent) => void) {
		this.#storage = storage;
		this.#report = report;
	}

	/**
	 * The valid record: the one that the marker names or, if the marker or that record is damaged, the newest intact one. If
	 * there is none, the record of a device that was never provisioned. Writes nothing.
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
	 * Makes `record` the valid record. Returns the number of bytes written.
	 * @throws Failure STORE_FULL, STORE_WRITE_FAILED, STORE_READ_FAILED; either the previous record or the new one is then
	 * valid
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
	 * The credentials of a record, from its slot or else from the copy in the other slot; `undefined` when neither is intact.
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
	 * Makes sure that there are two intact copies of a proved identity's credentials, so that a corrupted byte does no harm.
	 * Writes nothing if there are. @throws Failure as `save`
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
	 * Writes new credentials into the slot that `record` does not use. Returns that slot and the number of bytes written. The
	 * credentials are not in use until a record names the slot. @throws Failure as `save`
	 */
	saveCredentials(record: DeviceRecord, certificateId: string, credentials: Credentials): [slot: Slot, bytes: number] {
		const slot = other("slot" in record ? record.slot : undefined);
		return [slot, this.#write(CREDENTIALS_KEYS[slot], encodeCredentials(certificateId, credentials))];
	}

	/**
	 * Erases all credentials and the outdated record, which may hold a key or a token. Only for a device whose valid record
	 * says that it has no identity. @throws Failure STORE_WRITE_FAILED
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
			// An unreadable flash is not an empty flash: treating it as empty would cost the device its identity.
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
