// What the cloud's reader of CBOR takes and refuses: the examples of RFC 8949, appendices A and F, and what no request may be.

import t from "tap";
import { decodeCbor, withDefiniteStrings } from "../../../hosts/cloud/provisioning/cbor.js";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** Appendix F, "Subkinds of Well-Formedness Errors", all examples. */
const NOT_WELL_FORMED: Readonly<Record<string, string>> = {
	"end of input in a head":
		"18|19|1a|1b|1901|1a0102|1b01020304050607|38|58|78|98|9a01ff00|b8|d8|f8|f900|fa0000|fb000000",
	"definite-length strings with short data":
		"41|61|5affffffff00|5bffffffffffffffff010203|7affffffff00|7b7fffffffffffffff010203",
	"definite-length maps and arrays not closed with enough items": "81|818181818181818181|8200|a1|a20102|a100|a2000000",
	"tag number not followed by tag content": "c0",
	"indefinite-length strings not closed by a break": "5f4100|7f6100",
	"indefinite-length maps and arrays not closed by a break":
		"9f|9f0102|bf|bf01020102|819f|9f8000|9f9f9f9f9fffffffff|9f819f819f9fffffff",
	"reserved additional information values": "1c|1d|1e|3c|3d|3e|5c|5d|5e|7c|7d|7e|9c|9d|9e|bc|bd|be|dc|dd|de|fc|fd|fe",
	"reserved two-byte encodings of simple values": "f800|f801|f818|f81f",
	"indefinite-length string chunks not of the correct type":
		"5f00ff|5f21ff|5f6100ff|5f80ff|5fa0ff|5fc000ff|5fe0ff|7f4100ff",
	"indefinite-length string chunks not definite length": "5f5f4100ffff|7f7f6100ffff",
	"break occurring on its own outside of an indefinite-length item": "ff",
	"break occurring in a definite-length array or map or a tag":
		"81ff|8200ff|a1ff|a1ff00|a100ff|a20000ff|9f81ff|9f829f819f9fffffffff",
	"break in an indefinite-length map that would lead to an odd number of items": "bf00ff|bf000000ff",
	"major type 0, 1, 6 with additional information 31": "1f|3f|df",
};

t.test("What is not well-formed is refused", async (t) => {
	for (const [why, examples] of Object.entries(NOT_WELL_FORMED)) {
		for (const example of examples.split("|")) {
			t.throws(() => withDefiniteStrings(bytes(example)), RangeError, `${why}: ${example}`);
			t.throws(() => decodeCbor(bytes(example)), `${why}: ${example}, read`);
			t.throws(() => withDefiniteStrings(bytes(`a16161${example}`)), RangeError, `${why}: in a map, ${example}`);
			t.throws(() => withDefiniteStrings(bytes(`81${example}`)), RangeError, `${why}: in a list, ${example}`);
		}
	}
	t.throws(() => withDefiniteStrings(new Uint8Array()), RangeError, "nothing at all");
	for (let value = 0; value < 32; value++)
		t.throws(() => decodeCbor(Uint8Array.of(0xf8, value)), RangeError, `simple value ${value} in two bytes`);
});

/** Appendix A: encodings with their values, where JavaScript has one. */
const EXAMPLES: readonly (readonly [string, unknown])[] = [
	["00", 0],
	["01", 1],
	["0a", 10],
	["17", 23],
	["1818", 24],
	["1819", 25],
	["1864", 100],
	["1903e8", 1000],
	["1a000f4240", 1_000_000],
	["1b000000e8d4a51000", 1_000_000_000_000],
	["1bffffffffffffffff", 18_446_744_073_709_551_615n],
	["3bffffffffffffffff", -18_446_744_073_709_551_616n],
	["20", -1],
	["29", -10],
	["3863", -100],
	["3903e7", -1000],
	["f90000", 0],
	["f98000", -0],
	["f93c00", 1],
	["fb3ff199999999999a", 1.1],
	["f93e00", 1.5],
	["f97bff", 65_504],
	["fa47c35000", 100_000],
	["fa7f7fffff", 3.4028234663852886e38],
	["fb7e37e43c8800759c", 1e300],
	["f90001", 2 ** -24],
	["f90400", 2 ** -14],
	["f9c400", -4],
	["fbc010666666666666", -4.1],
	["f97c00", Number.POSITIVE_INFINITY],
	["f97e00", Number.NaN],
	["f9fc00", Number.NEGATIVE_INFINITY],
	["fa7f800000", Number.POSITIVE_INFINITY],
	["fa7fc00000", Number.NaN],
	["faff800000", Number.NEGATIVE_INFINITY],
	["fb7ff0000000000000", Number.POSITIVE_INFINITY],
	["fb7ff8000000000000", Number.NaN],
	["fbfff0000000000000", Number.NEGATIVE_INFINITY],
	["f4", false],
	["f5", true],
	["f6", null],
	["f7", undefined],
	["40", bytes("")],
	["4401020304", bytes("01020304")],
	["60", ""],
	["6161", "a"],
	["6449455446", "IETF"],
	["62225c", '"\\'],
	["62c3bc", "\u00fc"],
	["63e6b0b4", "\u6c34"],
	["64f0908591", "\ud800\udd51"],
	["80", []],
	["83010203", [1, 2, 3]],
	["8301820203820405", [1, [2, 3], [4, 5]]],
	["98190102030405060708090a0b0c0d0e0f101112131415161718181819", Array.from({ length: 25 }, (_, index) => index + 1)],
	["a0", new Map()],
	[
		"a201020304",
		new Map([
			[1, 2],
			[3, 4],
		]),
	],
	[
		"a26161016162820203",
		new Map<string, unknown>([
			["a", 1],
			["b", [2, 3]],
		]),
	],
	["826161a161626163", ["a", new Map([["b", "c"]])]],
	["a56161614161626142616361436164614461656145", new Map([..."abcde"].map((key) => [key, key.toUpperCase()]))],
	["5f42010243030405ff", bytes("0102030405")],
	["7f657374726561646d696e67ff", "streaming"],
	["9fff", []],
	["9f018202039f0405ffff", [1, [2, 3], [4, 5]]],
	["9f01820203820405ff", [1, [2, 3], [4, 5]]],
	["83018202039f0405ff", [1, [2, 3], [4, 5]]],
	["83019f0203ff820405", [1, [2, 3], [4, 5]]],
	["9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", Array.from({ length: 25 }, (_, index) => index + 1)],
	[
		"bf61610161629f0203ffff",
		new Map<string, unknown>([
			["a", 1],
			["b", [2, 3]],
		]),
	],
	["826161bf61626163ff", ["a", new Map([["b", "c"]])]],
	[
		"bf6346756ef563416d7421ff",
		new Map<string, unknown>([
			["Fun", true],
			["Amt", -2],
		]),
	],
];

t.test("Every example of RFC 8949 that has a value here is read as that value", async (t) => {
	for (const [hex, value] of EXAMPLES) t.strictSame(decodeCbor(bytes(hex)), value, hex);
});

t.test("Well-formed tags and simple values without a meaning are walked, but no request has them", async (t) => {
	for (const hex of [
		"c249010000000000000000",
		"c349010000000000000000",
		"c074323031332d30332d32315432303a30343a30305a",
		"c11a514b67b0",
		"c1fb41d452d9ec200000",
		"d74401020304",
		"d818456449455446",
		"d82076687474703a2f2f7777772e6578616d706c652e636f6d",
		"f0",
		"f8ff",
	]) {
		t.strictSame(new Uint8Array(withDefiniteStrings(bytes(hex))), bytes(hex), `${hex} is well-formed`);
		t.throws(() => decodeCbor(bytes(hex)), `${hex} is refused`);
	}
});

t.test("What is well-formed but not valid, or too much, is refused", async (t) => {
	for (const [why, hex] of [
		["trailing bytes", "a000"],
		["two items", "a0a0"],
		["a duplicate key", "a2616101616102"],
		["a duplicate key in indefinite length", "bf616101616102ff"],
		["a duplicate key, once in chunks", "a2626162017f61616162ff02"],
		["a duplicate number", "a201020103"],
		["a text that is not UTF-8", "61ff"],
		["an overlong UTF-8 form", "62c080"],
		["a surrogate in UTF-8", "63eda080"],
		["a character cut in two by chunks (section 3.2.3)", "7f61c361bcff"],
		["a key that is not UTF-8", "a161ff01"],
	] as const) {
		t.throws(() => decodeCbor(bytes(hex)), why);
	}
	const nested = (depth: number) => bytes(`${"81".repeat(depth)}00`);
	t.doesNotThrow(() => decodeCbor(nested(64)), "64 levels");
	for (const depth of [65, 1_000, 100_000]) t.throws(() => decodeCbor(nested(depth)), RangeError, `${depth} levels`);
	t.throws(() => decodeCbor(bytes("9bffffffffffffffff")), RangeError, "more items than bytes");
	t.throws(() => decodeCbor(bytes("bb7fffffffffffffff")), RangeError, "more members than bytes");
});

t.test("Every sound item is refused when it is cut short, and never ends in anything but an error", async (t) => {
	for (const [hex] of EXAMPLES) {
		const whole = bytes(hex);
		for (let length = 0; length < whole.length; length++)
			t.throws(() => decodeCbor(whole.subarray(0, length)), Error, `${hex}, ${length} bytes`);
	}
});
