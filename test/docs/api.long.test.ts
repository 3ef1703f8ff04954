// Given the three entries of the package, then every public symbol is documented, and every example in a comment compiles.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { readApi } from "./api.js";
import { unused } from "./members.js";

t.setTimeout(900_000);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Symbols whose use is not obvious. */
const WITH_EXAMPLE = [
	...["startCloud", "prepareTemplate", "createClaim", "hookCommands"],
	...["boot", "Host", "Application", "publish", "subscribe", "catalogue"],
	"SimulatedDevice",
];

t.test("every public symbol is documented, and what has a link or an example has a good one", async (test) => {
	const { warnings, symbols, examples } = await readApi();
	test.same(warnings, []);
	test.ok(symbols > 1000, `${symbols} symbols were looked at`);
	test.same(unused(), [], "no words are kept for a member that is gone");
	test.same(
		WITH_EXAMPLE.filter((name) => !examples.has(name)),
		[],
	);
});

/** The blocks of TypeScript after `@example` in the doc comments of a source file. */
function examplesIn(source: string): string[] {
	return [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(([comment]) => {
		const text = comment.replace(/^[ \t]*\* ?/gm, "");
		return [...text.matchAll(/@example[^@]*?```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
	});
}

t.test("every example compiles against the package's own sources", async (test) => {
	const folder = mkdtempSync(join(tmpdir(), "fleet-examples-"));
	test.teardown(() => rmSync(folder, { recursive: true, force: true }));
	const sources = ["src", "hosts/cloud", "hosts/node"].flatMap((room) =>
		readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
			.filter((name) => name.endsWith(".ts"))
			.map((name) => join(room, name)),
	);
	const names: string[] = [];
	mkdirSync(join(folder, "examples"));
	for (const source of sources)
		for (const [index, code] of examplesIn(readFileSync(join(root, source), "utf8")).entries()) {
			const name = `examples/${source.replace(/[/.]/g, "-")}-${index + 1}.ts`;
			// An example need not use all that it makes.
			writeFileSync(join(folder, name), `${code}\nexport {};\n`);
			names.push(name);
		}
	test.ok(names.length >= WITH_EXAMPLE.length, `${names.length} examples were found`);
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	const entry = (path: string) => [join(root, path)];
	writeFileSync(
		join(folder, "tsconfig.json"),
		JSON.stringify({
			extends: join(root, "tsconfig.base.json"),
			compilerOptions: {
				...{ lib: ["es2022"], types: ["node"], module: "esnext", moduleResolution: "bundler", noUnusedLocals: false },
				paths: {
					"moddable-fleet-provisioning/cloud": entry("hosts/cloud/index.ts"),
					"moddable-fleet-provisioning/device": entry("src/index.ts"),
					"moddable-fleet-provisioning/node": entry("hosts/node/index.ts"),
				},
			},
			include: ["examples"],
		}),
	);
	const { output } = await promisify(execFile)(process.execPath, [
		join(root, "node_modules/typescript/bin/tsc"),
		"-p",
		folder,
	]).then(
		() => ({ output: "" }),
		(error: { stdout: string }) => ({ output: error.stdout }),
	);
	test.equal(output, "");
});
