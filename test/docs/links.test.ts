// Given every page of the documentation, then what it links to and names is there, and its tables say what they were made from.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { pages } from "./made.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const markdownIn = (folder: string) =>
	readdirSync(join(root, folder))
		.filter((name) => name.endsWith(".md"))
		.map((name) => join(folder, name));
const texts = new Map([...markdownIn("."), ...markdownIn("docs")].map((page) => [page, readPage(page)]));

/** Text without blocks of code, where a bracket is no link and a hash no heading. */
function readPage(page: string): string {
	return readFileSync(join(root, page), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
}

/** Names of the headings of a page, as the hosting sites make anchors of them. */
function anchorsOf(page: string): Set<string> {
	const text = texts.get(page) ?? readPage(page);
	const headings = [...text.matchAll(/^#+ +(.+)$/gm)].map(([, heading]) => heading!);
	return new Set(
		headings.map((heading) =>
			heading
				.toLowerCase()
				.replace(/[^\p{L}\p{N} _-]/gu, "")
				.replaceAll(" ", "-"),
		),
	);
}

/** Targets of the links and pictures of a page that lead to files of this repository. */
function linksOf(text: string): string[] {
	const prose = text.replace(/`[^`\n]*`/g, "code");
	return [...prose.matchAll(/\]\(([^)\s]+)\)/g), ...prose.matchAll(/(?:src|href)="([^"]+)"/g)]
		.map(([, target]) => target!)
		.filter((target) => !/^[a-z]+:/.test(target));
}

t.test("every relative link leads to a file, and every anchor to a heading", async (test) => {
	const dead: string[] = [];
	let links = 0;
	for (const [page, text] of texts)
		for (const target of linksOf(text)) {
			links += 1;
			const [path, anchor] = target.split("#") as [string, string?];
			const file = path === "" ? page : join(dirname(page), path);
			if (!existsSync(join(root, file))) dead.push(`${page}: ${target}: no such file`);
			else if (anchor !== undefined && !anchorsOf(file).has(anchor)) dead.push(`${page}: ${target}: no such heading`);
		}
	test.same(dead, []);
	test.ok(links > 50, `${links} links were looked at`);
});

t.test("every file of this repository that is named is there", async (test) => {
	// What git ignores is made on the reader's machine.
	const ignored = ["test/node_modules", "hosts/moddable/claim/"];
	const missing: string[] = [];
	let named = 0;
	for (const [page, text] of texts)
		for (const [, path] of text.matchAll(/`((?:src|hosts|test|docs|examples)\/[\w./-]*)`/g)) {
			named += 1;
			const places = [path!, `${path}.ts`].map((place) => join(root, place));
			if (!ignored.includes(path!) && !places.some((place) => existsSync(place))) missing.push(`${page}: ${path}`);
		}
	test.same(missing, []);
	test.ok(named > 30, `${named} names were looked at`);
});

t.test("every script that is to be run by npm is one", async (test) => {
	const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
	const called = [...texts.keys()].flatMap((page) =>
		[...readFileSync(join(root, page), "utf8").matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map(([, name]) => name!),
	);
	test.same(
		[...new Set(called)].filter((name) => !Object.hasOwn(scripts, name)),
		[],
	);
	test.ok(called.length > 10, `${called.length} calls were looked at`);
});

for (const { page, now, wanted } of pages())
	t.test(`the table in ${page} is what it was made from`, async (test) => {
		test.equal(now, wanted, `run node --import tsx test/docs/made.ts`);
	});

t.test("the README is short enough to be read", async (test) => {
	const lines = readFileSync(join(root, "README.md"), "utf8").trimEnd().split("\n").length;
	test.ok(lines <= 150, `${lines} lines`);
});

t.test("every page of docs/ can be reached from the README", async (test) => {
	const linked = new Set(linksOf(texts.get("README.md")!).map((target) => target.split("#")[0]));
	test.same(
		markdownIn("docs").filter((page) => !linked.has(page)),
		[],
	);
});
