// Reads CBOR from untrusted clients (RFC 8949). Walks and bounds every byte before cborg sees it, because cborg misreads breaks,
// one-byte simple values, bad UTF-8 and duplicate keys. Shares no code with devices.

import { decode } from "cborg";

/** No request of a device is nested deeper. */
const MAXIMUM_DEPTH = 64;

/**
 * The value of one CBOR item, with maps as `Map`.
 * @throws RangeError when it is not well-formed or valid (RFC 8949 sections 5.3.1 and 5.6), or nested more than 64 deep
 * @throws Error when it has what no request has: a tag, or a simple value without a meaning
 */
export function decodeCbor(bytes: Uint8Array): unknown {
	return decode(withDefiniteStrings(bytes), { useMaps: true, allowIndefinite: true, rejectDuplicateMapKeys: true });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Walks one CBOR item, and returns it with all texts and byte strings in definite length. (cborg reads maps and lists of
 * indefinite length, but not strings.)
 * @throws RangeError when it is not well-formed, a text is not UTF-8, or it is nested too deeply
 */
export function withDefiniteStrings(bytes: Uint8Array): Uint8Array {
	const parts: Uint8Array[] = [];
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let at = 0;

	const fail = (why: string): never => {
		throw new RangeError(`At byte ${at}: ${why}.`);
	};

	/** Head of the item at `at`: its major type, its value (absent: indefinite length or break), and where its content begins. */
	function head(): { readonly major: number; readonly value: number | undefined; readonly next: number } {
		const initial = view.getUint8(at);
		const [major, info] = [initial >> 5, initial & 31];
		if (info < 24) return { major, value: info, next: at + 1 };
		if (info === 24) return { major, value: view.getUint8(at + 1), next: at + 2 };
		if (info === 25) return { major, value: view.getUint16(at + 1), next: at + 3 };
		if (info === 26) return { major, value: view.getUint32(at + 1), next: at + 5 };
		if (info === 27) return { major, value: Number(view.getBigUint64(at + 1)), next: at + 9 };
		if (info === 31 && major !== 0 && major !== 1 && major !== 6) return { major, value: undefined, next: at + 1 };
		return fail("a reserved length");
	}

	function copy(end: number): void {
		if (end > bytes.length) fail("the end is missing");
		parts.push(bytes.subarray(at, end));
		at = end;
	}

	/** The bytes of a string of definite length, or of a chunk of one of indefinite length. */
	function content(major: number, next: number, length: number): Uint8Array {
		if (length > bytes.length - next) fail("the end is missing");
		const piece = bytes.subarray(next, next + length);
		if (major === 3) {
			try {
				utf8.decode(piece);
			} catch {
				fail("a text that is not UTF-8");
			}
		}
		return piece;
	}

	function chunks(major: number): void {
		const pieces: Uint8Array[] = [];
		let length = 0;
		at++;
		while (view.getUint8(at) !== 0xff) {
			const chunk = head();
			if (chunk.major !== major || chunk.value === undefined) fail("a chunk of another kind");
			const piece = content(major, chunk.next, chunk.value!);
			pieces.push(piece);
			length += piece.length;
			at = chunk.next + piece.length;
		}
		at++;
		const definite = new Uint8Array(5);
		definite[0] = (major << 5) | 26;
		new DataView(definite.buffer).setUint32(1, length);
		parts.push(definite, ...pieces);
	}

	function item(depth: number): void {
		if (depth > MAXIMUM_DEPTH) fail("nested too deeply");
		const { major, value, next } = head();
		switch (major) {
			case 2:
			case 3:
				if (value === undefined) return chunks(major);
				return copy(next + content(major, next, value).length);
			case 4:
			case 5:
				copy(next);
				return items(major === 5 ? 2 : 1, value, depth + 1);
			case 6:
				copy(next);
				return item(depth + 1);
			case 7:
				if (value === undefined) fail("a break where an item must be");
				if (next === at + 2 && value! < 32) fail("a simple value in two bytes that has a form in one");
				return copy(next);
			default:
				return copy(next);
		}
	}

	/** Walks `count` times `each` items, or up to the break when there is no count. */
	function items(each: number, count: number | undefined, depth: number): void {
		for (let done = 0; count === undefined || done < count; done++) {
			if (count === undefined && view.getUint8(at) === 0xff) return copy(at + 1);
			for (let part = 0; part < each; part++) item(depth);
		}
	}

	item(0);
	if (at < bytes.length) fail("something after the end");
	return Buffer.concat(parts);
}
