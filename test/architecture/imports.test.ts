// Given every import in src/ and hosts/, then each goes the way that the map in rooms.ts allows.

import { readFileSync } from "node:fs";
import t from "tap";
import { drawn, page } from "./draw.js";
import { floors, placeOf, readImports, rooms } from "./rooms.js";

const imports = readImports();
const names = Object.keys(rooms);
const told = ({ from, to }: { readonly from: string; readonly to: string }) => `${from} → ${to}`;

t.test("every source file has its place on the map", async (test) => {
	const homeless = new Set(
		imports
			.map(({ from }) => from)
			.filter((file) => {
				const place = placeOf(file);
				return place === undefined || (floors[place.room] !== undefined && place.floor < 0);
			}),
	);
	test.same([...homeless], []);
});

t.test("no room imports one that stands above it, so no import goes in a circle", async (test) => {
	for (const [index, name] of names.entries())
		for (const imported of rooms[name]!.imports)
			test.ok(names.indexOf(imported) > index, `${imported} stands below ${name}`);
});

t.test("between rooms, imports go only where the map says", async (test) => {
	const used = new Set<string>();
	const wrong = imports.filter((one) => {
		if (one.isPackage) return false;
		const [from, to] = [placeOf(one.from)!.room, placeOf(one.to)?.room];
		// What is compiled is the same rooms once more.
		if (to === undefined || from === to) return to === undefined && !one.to.startsWith("dist/");
		used.add(`${from} → ${to}`);
		return !rooms[from]!.imports.includes(to);
	});
	test.same(wrong.map(told), []);
	const drawn = names.flatMap((name) => rooms[name]!.imports.map((to) => `${name} → ${to}`));
	test.same(
		drawn.filter((arrow) => !used.has(arrow)),
		[],
		"no arrow is drawn that nothing uses",
	);
});

t.test("within a room, no import goes up", async (test) => {
	const up = imports.filter((one) => {
		if (one.isPackage) return false;
		const [from, to] = [placeOf(one.from)!, placeOf(one.to)];
		return to !== undefined && from.room === to.room && from.floor > to.floor;
	});
	test.same(up.map(told), []);
});

t.test("packages are used only where the map says", async (test) => {
	const wrong = imports.filter(({ from, to, isPackage }) => {
		if (!isPackage) return false;
		const { packages = [] } = rooms[placeOf(from)!.room]!;
		// The Moddable SDK's modules have no prefix to tell them by; that they exist, the build sees to.
		return !packages.includes("Moddable SDK") && !packages.includes(to);
	});
	test.same(wrong.map(told), []);
});

t.test("the documentation shows this map", async (test) => {
	const text = readFileSync(page, "utf8");
	test.match(text, "flowchart TD");
	test.equal(text, drawn(text), "run npm run docs");
});
