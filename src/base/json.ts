// Checks JSON text from the network before it is given to JSON.parse, which recurses.

import { DEPTH_LIMIT, ITEMS_LIMIT, Malformed } from "./malformed.js";

/**
 * Checks that JSON text nests at most 4 deep and has at most 512 items. JSON.parse checks everything else.
 * @throws Malformed
 */
export function checkJson(text: string): void {
	let depth = 0;
	let items = 1;
	let quoted = false;
	for (let i = 0; i < text.length; i++) {
		const c = text.charCodeAt(i);
		if (quoted) {
			if (c === 0x5c) i += 1;
			else if (c === 0x22) quoted = false;
		} else if (c === 0x22) quoted = true;
		else if (c === 0x7b || c === 0x5b) {
			depth += 1;
			if (depth > DEPTH_LIMIT) throw new Malformed("JSON nests too deep");
		} else if (c === 0x7d || c === 0x5d) depth -= 1;
		else if (c === 0x2c) {
			items += 1;
			if (items > ITEMS_LIMIT) throw new Malformed("JSON has too many items");
		}
	}
}
