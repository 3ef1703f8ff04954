// What `npm run check` and `npm test` run. Plain Node: it is there before anything is installed. Installs what only the
// tests need into test/node_modules when that is not there yet, and never touches the newcomer's own installation.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { counts, Report } from "./report.js";
import { secretIn } from "./secrets.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = resolve(here, "..");
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Ends the process with one line about what is wrong with the call or the machine. */
function stop(message) {
	console.error(message);
	process.exit(1);
}

/** Runs a program of Node's and gives its exit code and what it printed; `show` gets the lines instead, as they come. */
function run(script, args, { cwd = root, show } = {}) {
	return new Promise((done) => {
		const child = spawn(process.execPath, [script, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
		let output = "";
		const collect = (stream) =>
			stream.setEncoding("utf8").on("data", (text) => {
				output += text;
			});
		if (show) {
			createInterface(child.stdout).on("line", show.stdout);
			createInterface(child.stderr).on("line", show.stderr);
		} else {
			collect(child.stdout);
			collect(child.stderr);
		}
		child.on("close", (code) => done({ code: code ?? 1, output }));
	});
}

/** Path of npm's own script: the one that runs this, or the one beside this Node. */
function npm() {
	const beside = join(process.execPath, "..");
	const candidates = [
		process.env.npm_execpath,
		join(beside, "node_modules/npm/bin/npm-cli.js"),
		join(beside, "../lib/node_modules/npm/bin/npm-cli.js"),
	];
	return (
		candidates.find((path) => path?.endsWith("npm-cli.js") && existsSync(path)) ??
		stop("npm is not found: run this as npm test or npm run check")
	);
}

/** Whether test/node_modules holds what test/package-lock.json asks for. */
function isInstalled() {
	const record = join(here, "node_modules/.package-lock.json");
	if (!existsSync(record)) return false;
	const installed = JSON.parse(readFileSync(record, "utf8")).packages;
	const wanted = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8")).packages;
	return Object.entries(wanted).every(
		([path, { version, optional }]) => path === "" || optional || installed[path]?.version === version,
	);
}

async function install() {
	if (!existsSync(join(root, "node_modules/typescript")))
		stop("the development dependencies are not installed: run npm install first");
	if (isInstalled()) return;
	const started = performance.now();
	process.stdout.write("installing the test tools into test/node_modules (once, about 340 MB) … ");
	// Not `npm ci`: it wants the optional packages of every platform in the lock file, and not every registry has them all.
	const args = ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund"];
	const { code, output } = await run(npm(), args, { cwd: here });
	console.log(code === 0 ? `done in ${seconds(started)}` : "failed");
	if (code !== 0) stop(output.trimEnd());
	if (!isInstalled()) stop("npm has not installed what test/package-lock.json asks for");
}

/** Types and lint. Everything is tried, so that one run shows all there is to mend. */
async function check() {
	const tsc = join(root, "node_modules/typescript/bin/tsc");
	const biome = join(here, "node_modules/@biomejs/biome/bin/biome");
	const checks = [
		["types of src/, which may use nothing but the language", tsc, ["-p", "src"]],
		["types of the hosts in Node, and of the tests", tsc, ["-p", "tsconfig.json"]],
		["types of the host on the Moddable SDK", tsc, ["-p", "hosts/moddable"]],
		["format and lint", biome, ["check", "--error-on-warnings"]],
	];
	let failed = 0;
	for (const [name, script, args] of checks) {
		const started = performance.now();
		const { code, output } = await run(script, args);
		if (code !== 0) failed += 1;
		console.log(`${code === 0 ? "ok    " : "FAILED"}  ${name} (${seconds(started)})`);
		if (code !== 0) console.log(output.trimEnd());
	}
	console.log(`${checks.length - failed} passed, ${failed} failed`);
	return failed === 0;
}

/** The test files that these paths (relative to where npm was called) name or contain; all without any. */
function testFiles(paths) {
	const from = process.env.INIT_CWD ?? process.cwd();
	const listed = (path) =>
		statSync(path).isDirectory()
			? readdirSync(path)
					.filter((name) => name !== "node_modules" && !name.startsWith("."))
					.sort()
					.flatMap((name) => listed(join(path, name)))
			: path.endsWith(".test.ts")
				? [path]
				: [];
	const files = (paths.length === 0 ? [here] : paths.map((path) => resolve(from, path))).flatMap((path) =>
		existsSync(path) ? listed(path) : stop(`there is no ${relative(from, path)}`),
	);
	if (files.length === 0) stop(`no test file (*.test.ts) in ${paths.join(" ")}`);
	return files.map((path) => relative(here, path).split(sep).join("/"));
}

/** All tests, or those named. The exit code is what counts for a machine, the last line for a reader. */
async function test(paths) {
	const files = testFiles(paths);
	console.log(`${files.length} test ${files.length === 1 ? "file" : "files"}, two at a time`);
	const started = performance.now();
	const report = new Report((line) => console.log(line));
	const tap = join(here, "node_modules/tap/dist/esm/run.mjs");
	const leaks = new Set();
	const scanned = (print) => (line) => {
		const secret = secretIn(line);
		if (secret !== undefined) leaks.add(secret);
		print(secret === undefined ? line : `# withheld: ${secret}`);
	};
	const show = { stdout: scanned((line) => report.read(line)), stderr: scanned((line) => console.error(line)) };
	const { code } = await run(tap, ["run", "--reporter=tap", ...files], { cwd: here, show });
	report.end();
	const skips = process.env.REQUIRE_ALL === "1" && report.totals.skipped > 0;
	if (skips) console.log("REQUIRE_ALL=1: a skipped test is a failure");
	for (const leak of leaks) console.log(`FAILED  the tests have printed what may be a secret: ${leak}`);
	report.totals.failed += leaks.size;
	console.log(`in ${seconds(started)}`);
	// tap itself fails where no test does, too: a file that cannot be read, a name that fits nothing.
	if (code !== 0 && report.totals.failed === 0) console.log(`tap ended with exit code ${code}`);
	console.log(counts(report.totals));
	return code === 0 && report.totals.failed === 0 && !skips;
}

/** Runs a script of the tests' own that needs what they need, with the terminal as its own. Gives its exit code. */
async function script(path, args) {
	await install();
	const child = spawn(process.execPath, ["--import", "tsx", join(here, path), ...args], {
		cwd: root,
		stdio: "inherit",
	});
	// Ctrl-C reaches the script as well, which decides when it ends.
	process.on("SIGINT", () => {});
	return new Promise((done) => child.on("close", (code) => done(code ?? 1)));
}

/** Scripts by the name that npm runs them by. */
const scripts = { bench: "bench/bench.ts", fuzz: "fuzz/fuzz.ts" };

const [command, ...rest] = process.argv.slice(2);
if (Object.hasOwn(scripts, command)) process.exit(await script(scripts[command], rest));
if (command !== "check" && command !== "test") stop("usage: npm run check, or npm test [-- FILE or FOLDER …]");
await install();
process.exitCode = (await (command === "check" ? check() : test(rest))) ? 0 : 1;
