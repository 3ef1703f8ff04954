// A model of ESP-IDF's NVS on flash that can only clear bits: pages that fill up, move and are erased, what a power cut at any byte
// of any operation leaves behind, and how the next mount recovers from it. It follows Espressif's own description
// (docs/api-reference/storage/nvs_flash) and the behaviour of ESP-IDF 5.4 to 6.0. It has only what the device uses: namespaces,
// and blobs that are not empty.

import { createCipheriv, createDecipheriv } from "node:crypto";
import { crc32 } from "node:zlib";
import { storageIn } from "../../hosts/moddable/esp32/nvs.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { Storage } from "../../src/contract/host.js";
import { PowerCut } from "./failing-flash.js";

const PAGE = 4096;
const ENTRY = 32;
/** Entries of a page, behind its header and its table of their states. */
const ENTRIES = 126;
const FIRST_ENTRY = 64;
const TABLE = 32;
const CHUNK_MOST = ENTRY * (ENTRIES - 1);

/** The states of a page. Each clears one more bit. */
const [EMPTY, ACTIVE, FULL, FREEING] = [0xffffffff, 0xfffffffe, 0xfffffffc, 0xfffffff8];
const VERSION = 0xfe;

/** States of an entry, two bits each. */
const [FRESH, WRITTEN, ERASED] = [3, 2, 0];

/** The types of items that are used. */
const [U8, DATA, INDEX] = [0x01, 0x42, 0x48];
/** The chunks of a blob are numbered from 0 or from this number, in turn, so that new chunks differ from old ones. */
const SECOND = 0x80;
const NO_CHUNK = 0xff;

const checksum = (...parts: readonly Uint8Array[]): number =>
	parts.reduce((crc, part) => crc32(part as Buffer, crc), 0xffffffff);

/** Throws what the SDK throws in builds without names of errors, which most builds are. */
function refuse(number: number): never {
	throw new Error(`UNKNOWN ERROR 0x${number.toString(16)}(${number})`);
}
export const NOT_ENOUGH_SPACE = 0x1105;
export const NO_FREE_PAGES = 0x110d;

/** Where the power fails: in the nth operation on flash (the first is 1), after so many bytes of it. */
export interface FlashCut {
	readonly operation: number;
	readonly bytes: number;
}

/** The flash chip: single bits can be cleared, but only a whole page can be set again. */
class Chip {
	readonly bytes: Uint8Array;
	/** For an encrypted partition: the content of the partition `nvs_keys`, which is a key and a tweak key. */
	readonly #keys: Uint8Array | undefined;
	operations = 0;
	erases = 0;
	/** The number of bytes of each operation. */
	readonly sizes: number[] = [];
	cut: FlashCut | undefined;

	constructor(bytes: Uint8Array, keys?: Uint8Array) {
		this.bytes = bytes;
		this.#keys = keys;
	}

	/** Writes entries. In an encrypted partition, each entry is encrypted by itself (AES-XTS with the entry's address as tweak). */
	programEntries(at: number, data: Uint8Array): void {
		this.program(at, this.#cipher(at, data, createCipheriv));
	}

	/** Reads whole entries, decrypted. */
	entries(at: number, count: number): Uint8Array {
		return this.#cipher(at, this.bytes.subarray(at, at + count * ENTRY), createDecipheriv);
	}

	#cipher(at: number, data: Uint8Array, make: typeof createCipheriv | typeof createDecipheriv): Uint8Array {
		const keys = this.#keys;
		if (keys === undefined) return data;
		const result = new Uint8Array(data.length);
		const tweak = Buffer.alloc(16);
		for (let from = 0; from < data.length; from += ENTRY) {
			tweak.writeUInt32LE(at + from);
			result.set(make("aes-256-xts", keys, tweak).update(data.subarray(from, from + ENTRY)), from);
		}
		return result;
	}

	program(at: number, data: Uint8Array): void {
		const whole = this.#begin(data.length);
		for (let i = 0; i < whole; i++) this.bytes[at + i]! &= data[i]!;
		this.#end(whole < data.length);
	}

	erase(at: number): void {
		const whole = this.#begin(PAGE);
		this.bytes.fill(0xff, at, at + whole);
		if (whole === PAGE) this.erases += 1;
		this.#end(whole < PAGE);
	}

	word(at: number): number {
		return new DataView(this.bytes.buffer, this.bytes.byteOffset).getUint32(at, true);
	}

	#failing = false;

	#begin(size: number): number {
		this.operations += 1;
		this.sizes.push(size);
		this.#failing = this.cut?.operation === this.operations;
		return this.#failing ? Math.min(this.cut!.bytes, size) : size;
	}

	#end(torn: boolean): void {
		if (this.#failing || torn) throw new PowerCut("power cut");
	}
}

/** The first entry of a stored item. Further entries of it may follow on the page. */
interface Item {
	readonly page: Page;
	readonly at: number;
	readonly namespace: number;
	readonly type: number;
	readonly span: number;
	readonly chunk: number;
	readonly key: string;
	/** Bytes of a chunk, or of the whole blob to which an index belongs. */
	readonly size: number;
	/** For an index: how many chunks the blob has, and the number of the first. */
	readonly chunks: number;
	readonly start: number;
	/** For a chunk: the checksum of its bytes. */
	readonly data: number;
}

class Page {
	readonly chip: Chip;
	readonly base: number;
	state = EMPTY;
	sequence = -1;
	/** Neither empty nor readable: it is erased before it is used. */
	corrupt = false;
	readonly states = new Uint8Array(ENTRIES).fill(FRESH);
	/** The first free entry; ENTRIES when there is none. */
	next = 0;

	constructor(chip: Chip, base: number) {
		this.chip = chip;
		this.base = base;
		const header = chip.bytes.subarray(base, base + 32);
		this.state = chip.word(base);
		if (this.state === EMPTY) this.corrupt = chip.bytes.subarray(base, base + PAGE).some((byte) => byte !== 0xff);
		else if (![ACTIVE, FULL, FREEING].includes(this.state) || chip.word(base + 28) !== checksum(header.subarray(4, 28)))
			this.corrupt = true;
		if (this.state === EMPTY || this.corrupt) return;
		this.sequence = chip.word(base + 4);
		for (let i = 0; i < ENTRIES; i++) this.states[i] = (chip.bytes[base + TABLE + (i >> 2)]! >> (2 * (i & 3))) & 3;
		this.#repair();
	}

	get used(): number {
		return this.states.reduce((count, state) => count + (state === WRITTEN ? 1 : 0), 0);
	}

	/** Erases items that were not completely written, and the older one of two copies of an item. */
	#repair(): void {
		const active = this.state === ACTIVE;
		this.next = ENTRIES;
		if (active) {
			const fresh = this.states.indexOf(FRESH);
			if (fresh >= 0) this.next = fresh;
			// The entry has been written, but not yet marked as written.
			while (this.next < ENTRIES && this.chip.word(this.#addressOf(this.next)) !== 0xffffffff)
				this.#mark(this.next, ++this.next, ERASED);
		}
		let last: Item | undefined;
		const seen: Item[] = [];
		for (let i = 0; i < this.next; ) {
			if (this.states[i] !== WRITTEN) {
				last = undefined;
				i += 1;
				continue;
			}
			const item = this.itemAt(i);
			if (item === undefined) {
				last = undefined;
				this.#mark(i, i + 1, ERASED);
				i += 1;
				continue;
			}
			i += item.span;
			if (!this.states.subarray(item.at, i).every((state) => state === WRITTEN)) {
				last = undefined;
				this.eraseItem(item);
				continue;
			}
			if (active) {
				const older = seen.find((one) => same(one, item) && one.chunk === item.chunk);
				if (older !== undefined && this.states[older.at] === WRITTEN) this.eraseItem(older);
			}
			seen.push(item);
			last = item;
		}
		if (!active || last === undefined) return;
		// A chunk of a blob's older version counts as a duplicate of the newer version's chunk, although that version has no index
		// yet. This is the one case in which a power cut destroys both versions.
		const { type } = last;
		const older = seen.find((one) => same(one, last) && one.type === type && this.states[one.at] === WRITTEN);
		if (older !== undefined && older.at < last.at) this.eraseItem(older);
	}

	#addressOf = (entry: number): number => this.base + FIRST_ENTRY + entry * ENTRY;

	/** The item that begins at this entry; undefined when its checksum is wrong. */
	itemAt(entry: number): Item | undefined {
		const bytes = this.chip.entries(this.#addressOf(entry), 1);
		const view = new DataView(bytes.buffer, bytes.byteOffset);
		if (view.getUint32(4, true) !== checksum(bytes.subarray(0, 4), bytes.subarray(8))) return undefined;
		const key = Buffer.from(bytes.subarray(8, 24)).toString("latin1").replace(/\0+$/, "");
		const [namespace, type, span, chunk] = [bytes[0]!, bytes[1]!, bytes[2]!, bytes[3]!];
		const size = type === DATA ? view.getUint16(24, true) : view.getUint32(24, true);
		return {
			page: this,
			at: entry,
			namespace,
			type,
			span,
			chunk,
			key,
			size,
			chunks: bytes[28]!,
			start: bytes[29]!,
			data: view.getUint32(28, true),
		};
	}

	#items: readonly Item[] | undefined;

	items(): readonly Item[] {
		this.#items ??= this.#readItems();
		return this.#items;
	}

	#readItems(): Item[] {
		const items: Item[] = [];
		for (let i = 0; i < ENTRIES; i++) {
			if (this.states[i] !== WRITTEN) continue;
			const item = this.itemAt(i);
			if (item === undefined) continue;
			items.push(item);
			i += item.span - 1;
		}
		return items;
	}

	/** The bytes of a chunk; undefined when the checksum is wrong. */
	dataOf({ at, size, span, data }: Item): Uint8Array | undefined {
		const bytes = this.chip.entries(this.#addressOf(at + 1), span - 1).slice(0, size);
		return data === checksum(bytes) ? bytes : undefined;
	}

	/** Sets the states of entries: a word of the table has sixteen of them, and the words are written from the last to the first. */
	#mark(from: number, to: number, state: number): void {
		this.#items = undefined;
		for (let word = (to - 1) >> 4; word >= from >> 4; word--) {
			for (let i = Math.max(from, word << 4); i < Math.min(to, (word + 1) << 4); i++) this.states[i] = state;
			const bytes = new Uint8Array(4).fill(0xff);
			for (let i = word << 4; i < Math.min(ENTRIES, (word + 1) << 4); i++)
				bytes[(i & 15) >> 2]! &= ~((3 ^ this.states[i]!) << (2 * (i & 3)));
			this.chip.program(this.base + TABLE + 4 * word, bytes);
		}
	}

	#writeEntry(bytes: Uint8Array): void {
		this.chip.programEntries(this.#addressOf(this.next), bytes);
		this.#mark(this.next, this.next + 1, WRITTEN);
		this.next += 1;
	}

	#initialize(): void {
		const header = new Uint8Array(32).fill(0xff);
		const view = new DataView(header.buffer);
		view.setUint32(0, ACTIVE, true);
		view.setUint32(4, this.sequence, true);
		header[8] = VERSION;
		view.setUint32(28, checksum(header.subarray(4, 28)), true);
		this.chip.program(this.base, header);
		this.state = ACTIVE;
	}

	/** How many bytes of a chunk fit on this page. */
	get room(): number {
		if (this.state === EMPTY) return CHUNK_MOST;
		return this.state === FULL ? 0 : Math.max(0, ENTRIES - this.next - 1) * ENTRY;
	}

	/** Writes an item with up to eight bytes within its entry, or followed by `data`. Returns false when the page has no room. */
	write(namespace: number, type: number, key: string, chunk: number, own: Uint8Array, data?: Uint8Array): boolean {
		if (this.state === EMPTY) this.#initialize();
		const span = 1 + Math.ceil((data?.length ?? 0) / ENTRY);
		if (this.state !== ACTIVE || this.next + span > ENTRIES) return false;
		const head = new Uint8Array(ENTRY).fill(0xff);
		head.set([namespace, type, span, chunk]);
		head.fill(0, 8, 24);
		head.set(Buffer.from(key, "latin1"), 8);
		head.set(own, 24);
		new DataView(head.buffer).setUint32(4, checksum(head.subarray(0, 4), head.subarray(8)), true);
		this.#writeEntry(head);
		if (data === undefined) return true;
		const whole = data.length - (data.length % ENTRY);
		if (whole > 0) {
			this.chip.programEntries(this.#addressOf(this.next), data.subarray(0, whole));
			this.#mark(this.next, this.next + whole / ENTRY, WRITTEN);
			this.next += whole / ENTRY;
		}
		if (whole < data.length) {
			const rest = new Uint8Array(ENTRY).fill(0xff);
			rest.set(data.subarray(whole));
			this.#writeEntry(rest);
		}
		return true;
	}

	eraseItem({ at, span }: Item): void {
		this.#mark(at, at + span, ERASED);
		if (at + span > this.next) this.next = at + span;
	}

	/** Entry by entry. */
	copyTo(page: Page): void {
		for (const { at, span } of this.items()) {
			if (page.state === EMPTY) page.#initialize();
			for (let i = at; i < at + span; i++) page.#writeEntry(this.chip.entries(this.#addressOf(i), 1).slice());
		}
	}

	setState(state: number): void {
		const bytes = new Uint8Array(4);
		new DataView(bytes.buffer).setUint32(0, state, true);
		this.chip.program(this.base, bytes);
		this.state = state;
	}

	erase(): void {
		this.chip.erase(this.base);
		this.state = EMPTY;
		this.corrupt = false;
		this.sequence = -1;
		this.#items = undefined;
		this.states.fill(FRESH);
		this.next = 0;
	}
}

const same = (one: Item, other: Item): boolean => one.namespace === other.namespace && one.key === other.key;

/** A mounted partition. */
class Partition {
	/** In the order in which they came into use. The last one is written to. */
	readonly #pages: Page[];
	readonly #free: Page[];
	#sequence: number;
	readonly #namespaces = new Map<string, number>();

	constructor(chip: Chip) {
		const all: Page[] = [];
		for (let base = 0; base < chip.bytes.length; base += PAGE) all.push(new Page(chip, base));
		this.#pages = all.filter(({ sequence }) => sequence >= 0).sort((a, b) => a.sequence - b.sequence);
		this.#free = all.filter(({ sequence }) => sequence < 0);
		this.#sequence = (this.#pages.at(-1)?.sequence ?? -1) + 1;
		if (this.#pages.length === 0) this.#activate();
		else this.#recover();
		for (const { namespace, type, key, size } of this.#items())
			if (namespace === 0 && type === U8) this.#namespaces.set(key, size & 0xff);
		this.#eraseHalves();
	}

	#items(): Item[] {
		return this.#pages.flatMap((page) => page.items());
	}

	#recover(): void {
		// The power failed after a new item was written, and before the old one was erased.
		const newest = this.#pages.at(-1)!;
		const last = newest.items().at(-1);
		if (last !== undefined) {
			const older = this.#pages
				.filter((page) => page !== newest && page.state !== FREEING)
				.flatMap((page) => page.items())
				.find((one) => same(one, last) && one.type === last.type && one.chunk === last.chunk);
			older?.page.eraseItem(older);
		}
		// The power failed while a page was being moved: the incomplete copy is erased, and the page is moved again.
		const moving = this.#pages.find(({ state }) => state === FREEING);
		if (moving !== undefined) {
			if (newest.state === ACTIVE) {
				newest.erase();
				this.#pages.pop();
				this.#free.push(newest);
			}
			this.#activate();
			this.#move(moving);
		}
		if (this.#free.length === 0) refuse(NO_FREE_PAGES);
	}

	#move(page: Page): void {
		page.copyTo(this.#pages.at(-1)!);
		page.erase();
		this.#pages.splice(this.#pages.indexOf(page), 1);
		this.#free.push(page);
	}

	/** Erases indexes of which a chunk is missing, and chunks without an index. */
	#eraseHalves(): void {
		const chunksOf = (index: Item) =>
			this.#items().filter(
				(one) =>
					one.type === DATA && same(one, index) && one.chunk >= index.start && one.chunk < index.start + SECOND - 1,
			);
		for (const index of this.#items().filter(({ type }) => type === INDEX)) {
			const chunks = chunksOf(index);
			if (chunks.length !== index.chunks || chunks.reduce((sum, { size }) => sum + size, 0) !== index.size)
				index.page.eraseItem(index);
		}
		const owned = new Set(
			this.#items()
				.filter(({ type }) => type === INDEX)
				.flatMap((index) => chunksOf(index).map(({ page, at }) => `${page.base} ${at}`)),
		);
		for (const chunk of this.#items())
			if (chunk.type === DATA && !owned.has(`${chunk.page.base} ${chunk.at}`)) chunk.page.eraseItem(chunk);
	}

	#activate(): void {
		const page = this.#free[0];
		if (page === undefined) return refuse(NOT_ENOUGH_SPACE);
		if (page.corrupt) page.erase();
		this.#free.shift();
		page.sequence = this.#sequence++;
		this.#pages.push(page);
	}

	/** One page is always kept free. To get another free page, the page with the fewest used entries is moved into it. */
	#requestPage(): void {
		if (this.#free.length >= 2) return this.#activate();
		const emptiest = this.#pages.reduce((least, page) => (page.used < least.used ? page : least));
		if (emptiest.used === ENTRIES) refuse(NOT_ENOUGH_SPACE);
		emptiest.setState(FREEING);
		this.#activate();
		this.#move(emptiest);
	}

	#turnPage(): void {
		const page = this.#pages.at(-1)!;
		if (page.state === EMPTY) refuse(NOT_ENOUGH_SPACE);
		if (page.state !== FULL) page.setState(FULL);
		this.#requestPage();
	}

	#namespace(name: string): number {
		const known = this.#namespaces.get(name);
		if (known !== undefined) return known;
		const number = this.#namespaces.size + 1;
		const own = Uint8Array.of(number, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
		if (!this.#pages.at(-1)!.write(0, U8, name, NO_CHUNK, own)) {
			this.#turnPage();
			if (!this.#pages.at(-1)!.write(0, U8, name, NO_CHUNK, own)) refuse(NOT_ENOUGH_SPACE);
		}
		this.#namespaces.set(name, number);
		return number;
	}

	#index(namespace: number, key: string): Item | undefined {
		return this.#items().find((one) => one.type === INDEX && one.namespace === namespace && one.key === key);
	}

	read(name: string, key: string): Uint8Array | undefined {
		const index = this.#index(this.#namespace(name), key);
		if (index === undefined) return undefined;
		const bytes = new Uint8Array(index.size);
		let at = 0;
		for (let chunk = index.start; chunk < index.start + index.chunks; chunk++) {
			const item = this.#items().find((one) => one.type === DATA && same(one, index) && one.chunk === chunk);
			const part = item?.page.dataOf(item);
			if (part === undefined) return undefined;
			bytes.set(part, at);
			at += part.length;
		}
		return bytes;
	}

	/** Writes the new chunks, then their index, and then erases the old index and the old chunks. */
	write(name: string, key: string, value: Uint8Array): void {
		const namespace = this.#namespace(name);
		const old = this.read(name, key);
		if (old !== undefined && Buffer.compare(old, value) === 0) return;
		const before = this.#index(namespace, key);
		const start = before?.start === 0 ? SECOND : 0;
		const written: number[] = [];
		try {
			for (let from = 0; from < value.length; ) {
				let page = this.#pages.at(-1)!;
				const { room } = page;
				if (written.length === 0 && room < value.length && room < CHUNK_MOST / 10) {
					this.#turnPage();
					page = this.#pages.at(-1)!;
					if (page.room === room) refuse(NOT_ENOUGH_SPACE);
					continue;
				}
				if (room === 0) refuse(NOT_ENOUGH_SPACE);
				const part = value.subarray(from, from + room);
				const own = new Uint8Array(8).fill(0xff);
				const view = new DataView(own.buffer);
				view.setUint16(0, part.length, true);
				view.setUint32(4, checksum(part), true);
				page.write(namespace, DATA, key, start + written.length, own, part);
				written.push(start + written.length);
				from += part.length;
				if (from < value.length || room - part.length < ENTRY) this.#turnPage();
			}
			const own = new Uint8Array(8).fill(0xff);
			new DataView(own.buffer).setUint32(0, value.length, true);
			own.set([written.length, start], 4);
			this.#pages.at(-1)!.write(namespace, INDEX, key, NO_CHUNK, own);
		} catch (error) {
			if (!(error instanceof PowerCut)) this.#eraseChunks(namespace, key, written);
			throw error;
		}
		if (before !== undefined) this.#eraseBlob(namespace, key, before.start);
	}

	delete(name: string, key: string): void {
		const namespace = this.#namespace(name);
		const index = this.#index(namespace, key);
		if (index !== undefined) this.#eraseBlob(namespace, key, index.start);
	}

	#eraseBlob(namespace: number, key: string, start: number): void {
		const index = this.#items().find(
			(one) => one.type === INDEX && one.namespace === namespace && one.key === key && one.start === start,
		);
		index?.page.eraseItem(index);
		const chunks = Array.from({ length: SECOND - 1 }, (_, i) => start + i);
		this.#eraseChunks(namespace, key, chunks);
	}

	#eraseChunks(namespace: number, key: string, chunks: readonly number[]): void {
		for (const one of this.#items())
			if (one.type === DATA && one.namespace === namespace && one.key === key && chunks.includes(one.chunk))
				one.page.eraseItem(one);
	}

	get used(): number {
		return this.#pages.reduce((sum, page) => sum + page.used, 0);
	}
}

/** The device's namespace. */
const FLEET = "fleet";

/**
 * Flash with an NVS partition. `read`, `write` and `delete` are for tests, which look at it from outside; the device uses `device`,
 * in which the power can fail.
 */
export class NvsFlash extends MemoryFlash {
	readonly #bytes: Uint8Array;
	readonly #keys: Uint8Array | undefined;
	#chip: Chip;
	#partition: Partition | undefined;
	#cut: { readonly cut: FlashCut; readonly onCut: () => void } | undefined;
	/** How many operations there were before those that the chip counts now. */
	#operations = 0;
	#erases = 0;

	/**
	 * An erased partition of so many pages of 4 KB; or a copy of the bytes of a partition.
	 * @param keys 64 bytes with which the partition is encrypted, as ESP-IDF does with CONFIG_NVS_ENCRYPTION
	 */
	constructor(given: number | Uint8Array, keys?: Uint8Array) {
		super();
		this.#keys = keys;
		this.#bytes = typeof given === "number" ? new Uint8Array(given * PAGE).fill(0xff) : given.slice();
		this.#chip = new Chip(this.#bytes, keys);
	}

	/** The bytes of the partition. */
	get image(): Uint8Array {
		return this.#bytes.slice();
	}

	/** How many pages have been erased so far. */
	get erases(): number {
		return this.#erases + this.#chip.erases;
	}

	/** The number of bytes of each operation since the last mount. */
	get sizes(): readonly number[] {
		return this.#chip.sizes;
	}

	/** How many entries of 32 bytes are in use. */
	get used(): number {
		return this.#mounted().used;
	}

	/** Lets the power fail at this operation, counted from now. `onCut` is called before the device notices. */
	cutAt(cut: FlashCut, onCut: () => void): void {
		const { operations } = this.#chip;
		this.#cut = { cut: { ...cut, operation: operations + cut.operation }, onCut };
		this.#chip.cut = this.#cut.cut;
	}

	/** The content of RAM is lost. The device's next access mounts the partition again. */
	powerOff(): void {
		this.#erases += this.#chip.erases;
		this.#operations += this.#chip.operations;
		this.#chip = new Chip(this.#bytes, this.#keys);
		this.#partition = undefined;
		this.#cut = undefined;
	}

	get operations(): number {
		return this.#operations + this.#chip.operations;
	}

	#mounted(): Partition {
		return this.#partition ?? new Partition(new Chip(this.#bytes.slice(), this.#keys));
	}

	override read(key: string): ArrayBuffer | undefined {
		return this.#mounted().read(FLEET, key)?.slice().buffer as ArrayBuffer | undefined;
	}

	override write(key: string, value: ArrayBuffer): void {
		this.writeIn(FLEET, key, new Uint8Array(value));
	}

	/** Writes in another namespace, as the SDK's Wi-Fi does. */
	writeIn(namespace: string, key: string, value: Uint8Array): void {
		this.#partition ??= new Partition(this.#chip);
		this.#partition.write(namespace, key, value);
	}

	override delete(key: string): void {
		this.#partition ??= new Partition(this.#chip);
		this.#partition.delete(FLEET, key);
	}

	/** The flash as the device uses it, through the firmware's own code. */
	readonly device: Storage = storageIn({
		read: (key) => this.#guard((partition) => partition.read(FLEET, key)?.slice().buffer as ArrayBuffer | undefined),
		write: (key, value) => this.#guard((partition) => partition.write(FLEET, key, new Uint8Array(value))),
		delete: (key) => this.#guard((partition) => partition.delete(FLEET, key)),
	});

	#guard<T>(work: (partition: Partition) => T): T {
		try {
			this.#partition ??= new Partition(this.#chip);
			return work(this.#partition);
		} catch (error) {
			if (error instanceof PowerCut) {
				const onCut = this.#cut?.onCut;
				this.powerOff();
				onCut?.();
			}
			throw error;
		}
	}
}
