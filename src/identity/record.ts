// The binary format of what a device stores in flash. Each value has a version and a checksum, so that incomplete and
// corrupted values are recognized. Devices in the field depend on this format: read docs/flash-format.md before you change
// anything here.

import { Decoder } from "cbor-x/index-no-eval";
import { checkCbor, encodeCbor } from "../base/cbor.js";
import { fromHex } from "../base/hex.js";
import type { DeviceState } from "../contract/events.js";
import type { Credentials } from "../contract/host.js";
import { equalBytes } from "./der.js";

/** Each of credentials and record has two places in flash. This names one of them. */
export type Slot = "a" | "b";

/** The types that the tables below can give a member. */
interface Kinds {
	readonly number: number;
	readonly string: string;
	readonly boolean: boolean;
	readonly digits: string;
	readonly slot: Slot;
	readonly object: Readonly<Record<string, string>>;
}

const ALWAYS = {
	/** When the record was written, ms since 1970. The time of day cannot be earlier than this. */
	savedAt: "number",
	/** How many new identities were set aside. The pause before the next one grows with this number. */
	setAsides: "number",
} as const;
const CERTIFICATE = {
	...ALWAYS,
	/** The certificate that the following members describe. */
	certificateId: "digits",
	/** Where the certificate's credentials are stored. */
	slot: "slot",
	/** How many times in a row the broker has refused the new identity. */
	refusals: "number?",
} as const;
const TOKEN = Object.freeze({
	...CERTIFICATE,
	/** Secret. */
	ownershipToken: "string",
	/** When the token expires, ms since 1970. */
	deadline: "number",
} as const);
const THING = Object.freeze({
	...CERTIFICATE,
	thingName: "string",
	/** The configuration from the provisioning template. Absent if RegisterThing succeeded but its reply was lost. */
	deviceConfiguration: "object?",
} as const);

const WITHOUT = Object.freeze({
	/**
	 * The private key, on P-256, for the certificate that is being requested. Secret. It is stored so that repeated requests
	 * use the same key. It is hexadecimal text, because encoding bytes needs more of the stack.
	 */
	pendingKey: "digits?",
} as const);

/**
 * The members of a record besides `state`, for each state. Those marked with a question mark are optional. Both the record's
 * type and the check of what is read from flash are derived from this table.
 */
const MEMBERS = Object.freeze({
	/** `forgotten`: the identity must be forgotten, and its credentials must be erased before anything else happens. */
	unprovisioned: Object.freeze({ ...ALWAYS, ...WITHOUT, forgotten: "boolean?" } as const),
	created: TOKEN,
	registering: TOKEN,
	registered: THING,
	refused: Object.freeze({ ...THING, ...WITHOUT } as const),
	proved: THING,
} as const satisfies Record<DeviceState, Record<string, keyof Kinds | `${keyof Kinds}?`>>);

/** The type of a record that a table describes. */
type Described<Table> = {
	readonly [M in keyof Table as Table[M] extends keyof Kinds ? M : never]: Kinds[Table[M] & keyof Kinds];
} & {
	readonly [M in keyof Table as Table[M] extends keyof Kinds ? never : M]?: Table[M] extends `${infer Kind}?`
		? Kinds[Kind & keyof Kinds]
		: never;
};

/**
 * Whether a value has this type. The checksum shows that the value is as it was written; this check finds values that faulty
 * firmware wrote.
 */
function isOf(kind: string, value: unknown): boolean {
	if (kind.endsWith("?")) return value === undefined || isOf(kind.slice(0, -1), value);
	if (kind === "digits") return typeof value === "string" && value.length === 64;
	if (kind === "slot") return value === "a" || value === "b";
	return typeof value === kind && value !== null;
}

/** The record of a device in one of these states. */
export type RecordOf<State extends DeviceState> = State extends DeviceState
	? { readonly state: State } & Described<(typeof MEMBERS)[State]>
	: never;

/** A device's provisioning state. `state` determines which other members there are. */
export type DeviceRecord = RecordOf<DeviceState>;

/** A record that is about a certificate. */
export type CertificateRecord = RecordOf<Exclude<DeviceState, "unprovisioned">>;

type Unsaved<Saved> = Saved extends DeviceRecord ? Omit<Saved, "savedAt"> : never;
/** A record to be saved; saving adds `savedAt`. */
export type UnsavedRecord = Unsaved<DeviceRecord>;

/** The record of a device that was never provisioned. */
export const UNPROVISIONED: DeviceRecord = Object.freeze({ state: "unprovisioned", savedAt: 0, setAsides: 0 });

/** The result of reading a value from flash. */
export type Read<T> =
	| { readonly is: "absent" | "damaged" | "newer"; readonly sequence: -1 }
	| { readonly is: "good"; readonly sequence: number; readonly value: T };

// Frame: "FP", version, kind, sequence (4 bytes), body, CRC-32 of everything before it (4 bytes). Numbers are big-endian.
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
	frame(RECORD, sequence, encodeCbor(record));

/** Decodes a record and never throws: the result also covers absent, damaged and newer values. Unknown members are dropped. */
export const decodeRecord = (buffer: ArrayBuffer | undefined): Read<DeviceRecord> =>
	unframe(RECORD, buffer, readRecord);

/** Encodes credentials: certificate id (32 bytes), length of the certificate (2 bytes), certificate, key. */
export function encodeCredentials(certificateId: string, { certificate, key }: Credentials): ArrayBuffer {
	const body = new Uint8Array(34 + certificate.length + key.length);
	body.set(fromHex(certificateId));
	body.set([certificate.length >> 8, certificate.length & 0xff], 32);
	body.set(certificate, 34);
	body.set(key, 34 + certificate.length);
	return frame(CREDENTIALS, 0, body);
}

/** The credentials of this certificate. Those of any other certificate count as damaged. Never throws. */
export const decodeCredentials = (buffer: ArrayBuffer | undefined, certificateId: string): Read<Credentials> =>
	unframe(CREDENTIALS, buffer, (body) => {
		if (!equalBytes(body.subarray(0, 32), fromHex(certificateId))) throw new Error();
		const end = 34 + ((body[32]! << 8) | body[33]!);
		if (end >= body.length) throw new Error();
		return { certificate: body.slice(34, end), key: body.slice(end) };
	});

function readRecord(body: Uint8Array): DeviceRecord {
	const value = new Decoder({ useRecords: false, mapsAsObjects: true }).decode(checkCbor(body).bytes);
	const { state } = value as DeviceRecord;
	if (!Object.hasOwn(MEMBERS, state)) throw new Error();
	const record: Record<string, unknown> = { state };
	for (const [name, kind] of Object.entries(MEMBERS[state])) {
		const member = value[name];
		if (!isOf(kind, member)) throw new Error();
		if (member !== undefined) record[name] = member;
	}
	return record as DeviceRecord;
}

/** CRC table with an entry for each byte value. It is computed when the firmware is built, and takes no RAM. */
const OCTETS = Object.freeze(
	Array.from({ length: 256 }, (_, octet) => {
		let crc = octet;
		for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
		return crc | 0;
	}),
);

/** CRC-32 (IEEE 802.3, as in zip). Reads four bytes at a time to be fast enough on XS. */
export function crc32(bytes: Uint8Array): number {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	const octets = OCTETS;
	const end = bytes.length;
	let crc = -1;
	let at = 0;
	for (; at + 4 <= end; at += 4) {
		crc ^= view.getInt32(at, true);
		crc = (crc >>> 8) ^ octets[crc & 0xff]!;
		crc = (crc >>> 8) ^ octets[crc & 0xff]!;
		crc = (crc >>> 8) ^ octets[crc & 0xff]!;
		crc = (crc >>> 8) ^ octets[crc & 0xff]!;
	}
	for (; at < end; at++) crc = (crc >>> 8) ^ octets[(crc ^ bytes[at]!) & 0xff]!;
	return ~crc >>> 0;
}
