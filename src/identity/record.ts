// What a device keeps in flash, as bytes: framed with a version and a checksum, so that a torn or rotten value is known
// for what it is. The layout is a promise; see "Flash format" in the README before changing anything here.

import { Decoder, Encoder } from "cbor-x/index-no-eval";
import { checkCbor } from "../base/well-formed.js";
import type { DeviceState } from "../contract/events.js";
import type { Credentials } from "../contract/host.js";

/** Which of the two places credentials or a record are in. */
export type Slot = "a" | "b";

/** Where a device stands in its life. */
export interface DeviceRecord {
	readonly state: DeviceState;
	/** Time of day when this was written, ms since 1970: the clock cannot be right before it. */
	readonly savedAt: number;
	/** How often a new identity was put aside, which makes the pause before the next one longer. */
	readonly setAsides: number;
	/** The identity was to be forgotten: its credentials are to be erased before anything else. */
	readonly forgotten?: boolean;
	/** The certificate that all below is about; absent while `unprovisioned`. */
	readonly certificateId?: string;
	readonly slot?: Slot;
	/** Secret; in `created` and `registering`. */
	readonly ownershipToken?: string;
	/** When the token stops working, ms since 1970. */
	readonly deadline?: number;
	/** From `registered` on. */
	readonly thingName?: string;
	readonly deviceConfiguration?: Readonly<Record<string, string>>;
	/** How often in a row the broker refused the new identity. */
	readonly refusals?: number;
}

/** What a value from flash turned out to be. */
export type Read<T> =
	| { readonly is: "absent" | "damaged" | "newer"; readonly sequence: -1 }
	| { readonly is: "good"; readonly sequence: number; readonly value: T };

// Frame: "FP", version, kind, sequence (4 bytes), body, CRC-32 of all before (4 bytes). Numbers are big-endian.
// Every version keeps this frame, so that older firmware can tell a newer value from a damaged one.
const VERSION = 1;
const RECORD = 0x52;
const CREDENTIALS = 0x43;
const HEADER = 8;
const CHECKSUM = 4;

function frame(kind: number, sequence: number, body: Uint8Array): ArrayBuffer {
	const bytes = new Uint8Array(HEADER + body.length + CHECKSUM);
	const view = new DataView(bytes.buffer);
	bytes.set([0x46, 0x50, VERSION, kind]);
	view.setUint32(4, sequence);
	bytes.set(body, HEADER);
	view.setUint32(HEADER + body.length, crc32(bytes.subarray(0, HEADER + body.length)));
	return bytes.buffer;
}

function unframe<T>(kind: number, buffer: ArrayBuffer | undefined, decode: (body: Uint8Array) => T): Read<T> {
	if (buffer === undefined) return { is: "absent", sequence: -1 };
	const bytes = new Uint8Array(buffer);
	const end = bytes.length - CHECKSUM;
	if (end < HEADER || bytes[0] !== 0x46 || bytes[1] !== 0x50) return { is: "damaged", sequence: -1 };
	const view = new DataView(buffer);
	if (view.getUint32(end) !== crc32(bytes.subarray(0, end))) return { is: "damaged", sequence: -1 };
	if (bytes[2]! > VERSION) return { is: "newer", sequence: -1 };
	if (bytes[2] !== VERSION || bytes[3] !== kind) return { is: "damaged", sequence: -1 };
	try {
		return { is: "good", sequence: view.getUint32(4), value: decode(bytes.subarray(HEADER, end)) };
	} catch {
		return { is: "damaged", sequence: -1 };
	}
}

export const encodeRecord = (record: DeviceRecord, sequence: number): ArrayBuffer =>
	frame(
		RECORD,
		sequence,
		new Encoder({ useRecords: false, mapsAsObjects: true, variableMapSize: true }).encode(record),
	);

/** Never throws: whatever is in flash, the answer says what it is. Members that this release does not know are dropped. */
export const decodeRecord = (buffer: ArrayBuffer | undefined): Read<DeviceRecord> =>
	unframe(RECORD, buffer, readRecord);

/** Certificate id (32 bytes), length of the certificate (2 bytes), certificate, key. */
export function encodeCredentials(certificateId: string, { certificate, key }: Credentials): ArrayBuffer {
	const body = new Uint8Array(34 + certificate.length + key.length);
	for (let i = 0; i < 32; i++) body[i] = Number.parseInt(certificateId.slice(2 * i, 2 * i + 2), 16);
	body.set([certificate.length >> 8, certificate.length & 0xff], 32);
	body.set(certificate, 34);
	body.set(key, 34 + certificate.length);
	return frame(CREDENTIALS, 0, body);
}

/** The credentials of this certificate; others are as good as damaged. Never throws. */
export const decodeCredentials = (buffer: ArrayBuffer | undefined, certificateId: string): Read<Credentials> =>
	unframe(CREDENTIALS, buffer, (body) => {
		for (let i = 0; i < 32; i++)
			if (body[i] !== Number.parseInt(certificateId.slice(2 * i, 2 * i + 2), 16)) throw new Error();
		const end = 34 + ((body[32]! << 8) | body[33]!);
		if (end >= body.length) throw new Error();
		return { certificate: body.slice(34, end), key: body.slice(end) };
	});

const STATES: readonly DeviceState[] = Object.freeze([
	"unprovisioned",
	"created",
	"registering",
	"registered",
	"refused",
	"proved",
] as const);

function readRecord(body: Uint8Array): DeviceRecord {
	const value = new Decoder({ useRecords: false, mapsAsObjects: true }).decode(checkCbor(body).bytes) as DeviceRecord;
	const { state, savedAt, setAsides, certificateId, slot, ownershipToken, deadline, thingName, refusals } = value;
	// The checksum says that this was written so; what follows guards against firmware that wrote it wrong.
	const hasToken = state === "created" || state === "registering";
	const hasThing = state === "registered" || state === "refused" || state === "proved";
	const sound =
		STATES.includes(state) &&
		typeof savedAt === "number" &&
		typeof setAsides === "number" &&
		(state === "unprovisioned" ||
			(typeof certificateId === "string" && certificateId.length === 64 && (slot === "a" || slot === "b"))) &&
		(!hasToken || (typeof ownershipToken === "string" && typeof deadline === "number")) &&
		(!hasThing || typeof thingName === "string") &&
		(refusals === undefined || typeof refusals === "number");
	if (!sound) throw new Error();
	return value;
}

/** CRC-32 (IEEE 802.3, as in zip), without a table: it runs seldom, and a table would be a kilobyte. */
export function crc32(bytes: Uint8Array): number {
	let crc = 0xffffffff;
	for (let i = 0; i < bytes.length; i++) {
		crc ^= bytes[i]!;
		for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc >>> 0;
}
