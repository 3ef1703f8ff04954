// Damages JSON and CBOR: in good trees, members are changed, removed, doubled, nested and renamed.

import type { Random } from "./mutate.js";
import { mutate } from "./mutate.js";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const TEXTS = [
	"",
	" ",
	"\0",
	"*",
	"?",
	"#",
	"$",
	`\${`,
	`\${}`,
	`\${!a}`,
	`\${iot:ClientId}`,
	`\${iot:Connection.Thing.Attributes[a]}`,
	`\${AWS::IoT::Certificate::Id}`,
	"__proto__",
	"constructor",
	"toString",
	"é",
	"\u202e",
	"\ud800",
	"💥",
	"../../a",
	"arn:aws:iot:us-east-1:123456789012:topic/*",
	"true",
	"-1",
	"1e400",
	"a".repeat(200),
	"*a".repeat(120),
	`\${a}`.repeat(60),
] as const;
const NUMBERS = [0, -0, 1, -1, 0.5, 255, 256, 65_536, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e300, 5e-324];

/** A value of any kind. */
export function anything(random: Random, depth = 3): Json {
	switch (random.next(depth > 0 ? 8 : 5)) {
		case 0:
			return null;
		case 1:
			return random.once(2);
		case 2:
			return random.pick(NUMBERS);
		case 3:
		case 4:
			return random.pick(TEXTS);
		case 5:
			return Array.from({ length: random.next(4) }, () => anything(random, depth - 1));
		case 6:
			return Object.fromEntries(
				Array.from({ length: random.next(4) }, () => [random.pick(TEXTS), anything(random, depth - 1)]),
			);
		default: {
			let nested = anything(random, 0);
			for (let left = random.pick([2, 5, 10, 40, 300]); left > 0; left--)
				nested = random.once(2) ? [nested] : { a: nested };
			return nested;
		}
	}
}

/** A copy of a good tree with one to six changes. */
export function spoil(random: Random, seeds: readonly unknown[]): Json {
	let tree = structuredClone(random.pick(seeds)) as Json;
	for (let changes = 1 + random.next(6); changes > 0; changes--) {
		const places = [...walk(tree)];
		const other = [...walk(structuredClone(random.pick(seeds)) as Json)];
		const replacement = (): Json =>
			random.once(2) || other.length === 0 ? anything(random) : place(random.pick(other));
		if (places.length === 0 || random.once(40)) {
			tree = replacement();
			continue;
		}
		const { parent, key } = random.pick(places);
		const value = (parent as Record<string, Json>)[key]!;
		const put = (made: Json) => {
			// Not by assignment: with the name __proto__, that would set the prototype.
			Object.defineProperty(parent, key, { value: made, enumerable: true, configurable: true, writable: true });
		};
		switch (random.next(8)) {
			case 0:
				if (Array.isArray(parent)) parent.splice(Number(key), 1);
				else delete parent[key];
				break;
			case 1:
				if (Array.isArray(parent)) parent.push(...Array.from({ length: random.pick([1, 2, 40]) }, () => value));
				else
					Object.defineProperty(parent, random.pick(TEXTS), {
						value,
						enumerable: true,
						configurable: true,
						writable: true,
					});
				break;
			case 2:
				put([value]);
				break;
			case 3:
				put({ [random.pick(["Ref", "Fn::Join", "Fn::Sub", "Fn::Select", "Fn::Split", "Fn::FindInMap", "a"])]: value });
				break;
			case 4:
				if (typeof value === "string") {
					const at = random.next(value.length + 1);
					put(value.slice(0, at) + random.pick(TEXTS) + value.slice(random.once(2) ? at : at + random.next(8)));
				} else put(replacement());
				break;
			default:
				put(replacement());
		}
	}
	return tree;
}

type Parent = Json[] | { [name: string]: Json };

function* walk(tree: Json, depth = 0): Generator<{ readonly parent: Parent; readonly key: string }> {
	if (typeof tree !== "object" || tree === null || depth > 8) return;
	for (const key of Object.keys(tree)) {
		yield { parent: tree, key };
		yield* walk((tree as Record<string, Json>)[key]!, depth + 1);
	}
}

function place({ parent, key }: { readonly parent: Parent; readonly key: string }): Json {
	return (parent as Record<string, Json>)[key]!;
}

/** A damaged tree as JSON. Sometimes its bytes are damaged, too. */
export function damagedJson(random: Random, seeds: readonly unknown[]): Uint8Array {
	const text = JSON.stringify(spoil(random, seeds), undefined, random.once(8) ? " " : undefined);
	const bytes = new Uint8Array(Buffer.from(text));
	return random.once(5) ? mutate(random, [bytes]) : bytes;
}

/** A damaged tree as CBOR, in any of the forms that RFC 8949 allows for it. Sometimes its bytes are damaged, too. */
export function damagedCbor(random: Random, seeds: readonly unknown[]): Uint8Array {
	const bytes = new Uint8Array(encodeCbor(random, spoil(random, seeds)));
	return random.once(3) ? mutate(random, [bytes]) : bytes;
}

function encodeCbor(random: Random, value: Json): Buffer {
	const tag = random.once(40) ? [head(random, 6, random.pick([0, 1, 2, 4, 24, 32, 258, 55_799]))] : [];
	if (value === null || typeof value === "boolean") {
		const simple = value === null ? random.pick([0xf6, 0xf7]) : value ? 0xf5 : 0xf4;
		return Buffer.concat([...tag, Buffer.of(simple)]);
	}
	if (typeof value === "number") {
		if (Number.isInteger(value) && Math.abs(value) <= 2 ** 32 && !random.once(8))
			return Buffer.concat([...tag, value < 0 ? head(random, 1, -1 - value) : head(random, 0, value)]);
		const float = Buffer.alloc(9, 0xfb);
		float.writeDoubleBE(random.once(10) ? Number.NaN : value, 1);
		return Buffer.concat([...tag, float]);
	}
	if (typeof value === "string") return Buffer.concat([...tag, encodeText(random, Buffer.from(value))]);
	const items = Array.isArray(value)
		? value.map((item) => encodeCbor(random, item))
		: Object.entries(value).map(([name, member]) =>
				Buffer.concat([
					random.once(60) ? encodeCbor(random, anything(random, 1)) : encodeText(random, Buffer.from(name)),
					encodeCbor(random, member),
				]),
			);
	const major = Array.isArray(value) ? 4 : 5;
	return random.once(5)
		? Buffer.concat([...tag, Buffer.of((major << 5) | 31), ...items, Buffer.of(0xff)])
		: Buffer.concat([...tag, head(random, major, items.length), ...items]);
}

function encodeText(random: Random, text: Buffer): Buffer {
	const major = random.once(30) ? 2 : 3;
	if (!random.once(6)) return Buffer.concat([head(random, major, text.length), text]);
	const at = random.next(text.length + 1);
	const chunks = [text.subarray(0, at), text.subarray(at)].flatMap((chunk) => [
		head(random, major, chunk.length),
		chunk,
	]);
	return Buffer.concat([Buffer.of((major << 5) | 31), ...chunks, Buffer.of(0xff)]);
}

/** The head of an item, in the shortest form or a longer one. */
function head(random: Random, major: number, value: number): Buffer {
	const shortest = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 3;
	const form = random.once(6) ? shortest + random.next(5 - shortest) : shortest;
	if (form === 0) return Buffer.of((major << 5) | value);
	const bytes = Buffer.alloc(9);
	bytes[0] = (major << 5) | (23 + form);
	bytes.writeBigUInt64BE(BigInt(value), 1);
	return Buffer.concat([bytes.subarray(0, 1), bytes.subarray(9 - 2 ** (form - 1))]);
}
