// Makes a failing input smaller for as long as it fails.

import type { Target } from "./target.js";

/** Whether a smaller input still fails in the same way. */
export type StillFails = (input: Uint8Array) => Promise<boolean>;

/** The smallest failing input that is found within so many tries. */
export async function shrink(
	target: Pick<Target, "form" | "shrinkLine">,
	input: Uint8Array,
	stillFails: StillFails,
	tries = 600,
): Promise<Uint8Array> {
	let left = tries;
	const attempt = async (smaller: Uint8Array) => left-- > 0 && (await stillFails(smaller));
	if (target.form === "bytes") return shrinkBytes(input, attempt);
	const join = (lines: readonly string[]) => new Uint8Array(Buffer.from(lines.map((line) => `${line}\n`).join("")));
	let lines = Buffer.from(input).toString().split("\n").filter(Boolean);
	lines = await leaveOut(lines, (fewer) => attempt(join(fewer)));
	for (let index = 0; index < lines.length && target.shrinkLine; index++) {
		for (let again = true; again && left > 0; ) {
			again = false;
			for (const smaller of target.shrinkLine(lines[index]!)) {
				const tried = [...lines.slice(0, index), smaller, ...lines.slice(index + 1)];
				if (!(await attempt(join(tried)))) continue;
				lines = tried;
				again = true;
				break;
			}
		}
	}
	return join(lines);
}

async function shrinkBytes(input: Uint8Array, attempt: StillFails): Promise<Uint8Array> {
	const bytes = Uint8Array.from(await leaveOut([...input], (fewer) => attempt(Uint8Array.from(fewer))));
	// Bytes that do not matter become zero.
	for (let index = 0; index < bytes.length; index++) {
		const before = bytes[index]!;
		if (before === 0) continue;
		bytes[index] = 0;
		if (!(await attempt(bytes))) bytes[index] = before;
	}
	return bytes;
}

/** Removes runs of items, long ones first (delta debugging, Zeller and Hildebrandt 2002). */
async function leaveOut<T>(given: readonly T[], stillFails: (items: T[]) => Promise<boolean>): Promise<T[]> {
	let items = [...given];
	for (let length = Math.ceil(items.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
		for (let at = items.length - length; at >= 0; at -= length) {
			const fewer = [...items.slice(0, at), ...items.slice(at + length)];
			if (await stillFails(fewer)) items = fewer;
		}
	}
	return items;
}
