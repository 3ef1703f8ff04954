// Given what `npm pack` makes, installed into an empty folder, then a stranger's program can use it: without TypeScript,
// without our development tools, from plain Node and from both ways in which TypeScript resolves modules.

import { execFile } from "node:child_process";
import {
	copyFileSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";

t.setTimeout(600_000);
const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fleet-package-"));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
// Node's own options are the test runner's.
const { NODE_OPTIONS: _, ...env } = process.env;

const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root, env });
// What the build prints stands ahead of the report.
const [packed] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [
	{ filename: string; size: number; unpackedSize: number; files: { path: string }[] },
];

writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", `./${packed.filename}`], {
	cwd: folder,
	env,
});

/** This Node, and those that FLEET_TEST_NODES names (paths of programs, with colons between them). */
const nodes = [process.execPath, ...(process.env.FLEET_TEST_NODES ?? "").split(":").filter(Boolean)];
const programs = await Promise.all(
	nodes.map(async (path) => ({ path, version: (await run(path, ["--version"])).stdout.trim() })),
);

// Nothing is awaited between the tests: tap takes a pause for the end.
t.test("the package holds what a user needs, and nothing else", async (test) => {
	const paths = packed.files.map(({ path }) => path);
	test.comment(`${paths.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
	for (const needed of [
		"README.md",
		"LICENSE",
		"manifest.json",
		"hosts/moddable/manifest.json",
		"build/packages/cbor-x.js",
		"build/packages/mqtt-packet.js",
		"src/boot.ts",
		"dist/src/index.d.ts",
		"dist/hosts/cloud/console/page/index.html",
	])
		test.ok(paths.includes(needed), needed);
	const unwanted =
		/^(test|\.ci|examples)\/|(^|\/)(claim|node_modules)\/|\.test\.|\.flash$|\.pem$|^hosts\/cloud|^hosts\/node/;
	test.same(
		paths.filter((path) => unwanted.test(path)),
		[],
	);
});

for (const { path: node, version } of programs) {
	t.test(`in Node ${version} it provisions a device`, async (test) => {
		copyFileSync(join(here, "consumer.mjs"), join(folder, "consumer.mjs"));
		const { stdout: line } = await run(node, ["consumer.mjs"], { cwd: folder, env });
		const told = JSON.parse(line);
		test.match(told, { thingName: "installed-1", boot: "function", failure: "CLAIM_MISSING", node: version });
	});
	t.test(`in Node ${version} its fleet command runs without TypeScript`, async (test) => {
		const fleet = join(folder, "node_modules/moddable-fleet-provisioning/hosts/cli/fleet.js");
		const { stdout: demo } = await run(node, [fleet, "demo", "--json"], { cwd: folder, env });
		test.equal(JSON.parse(demo).roundTripsAfterConnack, 3);
	});
}

for (const [module, moduleResolution] of [
	["nodenext", "nodenext"],
	["esnext", "bundler"],
] as const)
	t.test(`TypeScript resolves its types with moduleResolution ${moduleResolution}`, async (test) => {
		copyFileSync(join(here, "consumer.ts"), join(folder, "consumer.ts"));
		const options = { module, moduleResolution, target: "es2022", strict: true, noEmit: true, types: ["node"] };
		const typeRoots = [join(root, "node_modules/@types")];
		writeFileSync(
			join(folder, "tsconfig.json"),
			JSON.stringify({ compilerOptions: { ...options, typeRoots }, files: ["consumer.ts"] }),
		);
		const tsc = join(root, "node_modules/typescript/bin/tsc");
		const { output } = await run(process.execPath, [tsc, "-p", folder], { env }).then(
			() => ({ output: "" }),
			(error: { stdout: string }) => ({ output: error.stdout }),
		);
		test.equal(output, "");
	});

// What examples name as development dependencies is this clone's.
for (const name of ["tsx", "typescript", "@types/node"]) {
	const place = join(folder, "node_modules", name);
	mkdirSync(dirname(place), { recursive: true });
	if (!existsSync(place)) symlinkSync(join(root, "node_modules", name), place);
}
const examplePath = [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);

// Each example as somebody has it who copied its folder and installed what it needs.
for (const example of readdirSync(join(root, "examples")))
	if (existsSync(join(root, "examples", example, "package.json")))
		t.test(`examples/${example} does what it says`, async (test) => {
			const copy = join(folder, example);
			cpSync(join(root, "examples", example), copy, { recursive: true });
			symlinkSync(join(folder, "node_modules"), join(copy, "node_modules"));
			const { stdout: report } = await run("npm", ["test"], { cwd: copy, env: { ...env, PATH: examplePath } }).catch(
				(error: { stdout: string }) => error,
			);
			test.comment(report);
			test.match(report, /^# fail 0$/m);
			test.match(report, /^# pass [1-9]/m);
		});
