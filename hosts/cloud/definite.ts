// Makes texts and byte strings of indefinite length in CBOR definite (RFC 8949 section 3.2.3), since cborg reads maps and
// lists of indefinite length, but not those. Changes nothing else, and checks no more than it must to find its way.

const maximumDepth = 200;

/** The same item with strings of definite length. Throws RangeError when the bytes are no whole CBOR item. */
export function withDefiniteStrings(bytes: Uint8Array): Uint8Array {
	const parts: Uint8Array[] = [];
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let at = 0;

	/** Head of the item at `at`: its major type, its value, and where its content begins. */
	function head(): { readonly major: number; readonly value: number | undefined; readonly next: number } {
		const initial = view.getUint8(at);
		const [major, info] = [initial >> 5, initial & 31];
		if (info < 24) return { major, value: info, next: at + 1 };
		if (info === 24) return { major, value: view.getUint8(at + 1), next: at + 2 };
		if (info === 25) return { major, value: view.getUint16(at + 1), next: at + 3 };
		if (info === 26) return { major, value: view.getUint32(at + 1), next: at + 5 };
		if (info === 27) return { major, value: Number(view.getBigUint64(at + 1)), next: at + 9 };
		if (info === 31) return { major, value: undefined, next: at + 1 };
		throw new RangeError("A reserved length.");
	}

	function copy(end: number): void {
		if (end > bytes.length) throw new RangeError("The end is missing.");
		parts.push(bytes.subarray(at, end));
		at = end;
	}

	function string(major: number): void {
		const chunks: Uint8Array[] = [];
		at++;
		while (view.getUint8(at) !== 0xff) {
			const chunk = head();
			if (chunk.major !== major || chunk.value === undefined) throw new RangeError("A chunk of another kind.");
			const end = chunk.next + chunk.value;
			if (end > bytes.length) throw new RangeError("The end is missing.");
			chunks.push(bytes.subarray(chunk.next, end));
			at = end;
		}
		at++;
		const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
		const definite = new Uint8Array(5);
		definite[0] = (major << 5) | 26;
		new DataView(definite.buffer).setUint32(1, length);
		parts.push(definite, ...chunks);
	}

	function item(depth: number): void {
		if (depth > maximumDepth) throw new RangeError("Nested too deeply.");
		const { major, value, next } = head();
		if ((major === 2 || major === 3) && value === undefined) return string(major);
		if (major === 2 || major === 3) return copy(next + value!);
		copy(next);
		if (major === 6) item(depth + 1);
		if (major !== 4 && major !== 5) return;
		if (value === undefined) {
			while (view.getUint8(at) !== 0xff) item(depth + 1);
			return copy(at + 1);
		}
		for (let left = major === 5 ? value * 2 : value; left > 0; left--) item(depth + 1);
	}

	item(0);
	copy(bytes.length);
	return Buffer.concat(parts);
}
