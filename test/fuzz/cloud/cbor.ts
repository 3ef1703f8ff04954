// Decides whether bytes are well-formed CBOR, after the pseudocode of RFC 8949, appendix C, so that none of the project's codecs
// is its own judge.

/** Whether the bytes are exactly one well-formed item. */
export function isWellFormed(bytes: Uint8Array): boolean {
	let at = 0;
	const take = (count: number): number => {
		if (count > bytes.length - at) throw new RangeError();
		let value = 0;
		for (let left = count; left > 0; left--) value = value * 256 + bytes[at++]!;
		return value;
	};
	/** The major type, or -1 for a break where one may be. */
	const item = (breakable: boolean, depth: number): number => {
		if (depth > 2_000) throw new RangeError();
		const initial = take(1);
		const [major, info] = [initial >> 5, initial & 31];
		let value = info;
		if (info >= 24 && info <= 27) value = take(1 << (info - 24));
		else if (info > 27 && info < 31) throw new RangeError();
		else if (info === 31) {
			if (major === 7) {
				if (breakable) return -1;
				throw new RangeError();
			}
			if (major === 2 || major === 3) {
				for (; bytes[at] !== 0xff; item(false, depth + 1)) {
					const chunk = bytes[at] ?? 0;
					if (chunk >> 5 !== major || (chunk & 31) === 31) throw new RangeError();
				}
				at++;
				return major;
			}
			if (major === 4) {
				while (item(true, depth + 1) !== -1);
				return major;
			}
			if (major !== 5) throw new RangeError();
			while (item(true, depth + 1) !== -1) item(false, depth + 1);
			return major;
		}
		if (major === 2 || major === 3) {
			if (value > bytes.length - at) throw new RangeError();
			at += value;
		}
		if (major === 4) for (let left = value; left > 0; left--) item(false, depth + 1);
		if (major === 5) for (let left = value * 2; left > 0; left--) item(false, depth + 1);
		if (major === 6) item(false, depth + 1);
		if (major === 7 && info === 24 && value < 32) throw new RangeError();
		return major;
	};
	try {
		item(false, 0);
		return at === bytes.length;
	} catch (error) {
		if (error instanceof RangeError) return false;
		throw error;
	}
}
