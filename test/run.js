// What `npm run check`, `npm test`, `npm run test:all` and the last part of `npm run docs` run. Plain Node: it is there before
// anything is installed. Installs what only the tests need into test/node_modules when that is not there yet, and never touches
// the newcomer's own installation.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, watch } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { counts, Report } from "./report.js";
import { secretIn } from "./secrets.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = resolve(here, "..");
/** Seconds that a test file may take. Against a hang only: the longest take one minute on an idle machine. */
const LIMIT = 2700;
/** Test files at a time: two more than processors, since tests also wait. */
const workers = availableParallelism() + 2;
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Ends the process with one line about what is wrong with the call or the machine. */
function stop(message) {
	console.error(message);
	process.exit(1);
}

/** Runs a script of Node's and gives its exit code and what it printed. */
function run(script, args, cwd = root) {
	return new Promise((done) => {
		const child = spawn(process.execPath, [script, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
		let output = "";
		for (const stream of [child.stdout, child.stderr])
			stream.setEncoding("utf8").on("data", (text) => {
				output += text;
			});
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
	const args = ["ci", "--include=dev", "--no-audit", "--no-fund"];
	const { code, output } = await run(npm(), args, here);
	console.log(code === 0 ? `done in ${seconds(started)}` : "failed");
	if (code !== 0) stop(output.trimEnd());
	if (!isInstalled()) stop("npm has not installed what test/package-lock.json asks for");
}

/** Types and lint. Everything is tried, so that one run shows all that there is to fix. */
async function check() {
	const tsc = join(root, "node_modules/typescript/bin/tsc");
	const biome = join(here, "node_modules/@biomejs/biome/bin/biome");
	const checks = [
		["types of src/, which may use nothing but the language", tsc, ["-p", "src"]],
		["types of the hosts in Node, and of the tests", tsc, ["-p", "tsconfig.json"]],
		["types of the host on the Moddable SDK", tsc, ["-p", "hosts/moddable"]],
		["types of the web page, which may use nothing but a browser", tsc, ["-p", "hosts/cloud/console"]],
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

/** Runs one test file and gives its lines of TAP, as those of a subtest. `warn` takes what it says beside them, as it comes. */
function runFile(file, { all, grep }, warn) {
	const started = performance.now();
	const env = { ...process.env, TAP_TIMEOUT: String(LIMIT), TEST_ALL: all ? "1" : "" };
	if (grep !== undefined) env.TAP_GREP = grep;
	const child = spawn(process.execPath, ["--enable-source-maps", "--import", "tsx", file], {
		cwd: here,
		env,
		stdio: ["ignore", "pipe", "pipe"],
		// tap itself ends a test that waits for ever, but not one that works for ever
		timeout: (LIMIT + 60) * 1000,
		killSignal: "SIGKILL",
	});
	const lines = [`# Subtest: ${file}`];
	createInterface(child.stdout).on("line", (line) => lines.push(`    ${line}`));
	createInterface(child.stderr).on("line", warn);
	return new Promise((done) => {
		child.on("close", (code, signal) => {
			lines.push(`${code === 0 ? "ok" : "not ok"} 1 - ${file} # time=${performance.now() - started}ms`);
			if (code !== 0) lines.push("  ---", `  ${signal === null ? `exitCode: ${code}` : `signal: ${signal}`}`, "  ...");
			done(lines);
		});
	});
}

/**
 * Runs tests; `leftOut` are the files that this run does without. The exit code is what counts for a machine, the last line for a
 * reader. Gives whether all is well.
 */
async function test(files, options, leftOut) {
	const started = performance.now();
	const report = new Report((line) => console.log(line));
	const leaks = new Set();
	const withheld = (line) => {
		const secret = secretIn(line);
		if (secret === undefined) return line;
		leaks.add(secret);
		return `# withheld: ${secret}`;
	};
	// The longest first, so that none is left over for the end.
	const isLong = (file) => /^(exhaustive|fuzz|bench)\/|over-tls|\.long\./.test(file);
	const queue = [...files].sort((a, b) => isLong(b) - isLong(a));
	const work = async () => {
		for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
			const lines = await runFile(file, options, (line) => console.error(withheld(line)));
			for (const line of lines) report.read(withheld(line));
			report.endFile();
		}
	};
	await Promise.all(Array.from({ length: workers }, work));
	report.end(leftOut);
	const { totals } = report;
	const none = totals.passed + totals.failed + totals.skipped === 0;
	if (none)
		console.log(`no test ${options.grep === undefined ? "in these files" : `has a name that matches ${options.grep}`}`);
	const skips = process.env.REQUIRE_ALL === "1" && totals.skipped > 0;
	if (skips) console.log("REQUIRE_ALL=1: a skipped test is a failure");
	for (const leak of leaks) console.log(`FAILED  the tests have printed what may be a secret: ${leak}`);
	totals.failed += leaks.size;
	console.log(`in ${seconds(started)}`);
	console.log(counts(totals));
	return totals.failed === 0 && !skips && !none;
}

/** Resolves when a source or a test has changed, and nothing more for a moment (an editor writes a file more than once). */
function change() {
	return new Promise((done) => {
		let timer;
		const watchers = ["src", "hosts", "test"].map((folder) =>
			watch(join(root, folder), { recursive: true }, (_, name) => {
				if (!/\.(ts|js|json|c|h)$/.test(name ?? "") || name.includes("node_modules")) return;
				clearTimeout(timer);
				timer = setTimeout(() => {
					for (const watcher of watchers) watcher.close();
					done();
				}, 200);
			}),
		);
	});
}

const usage = `usage: npm test [-- OPTIONS] [FILE or FOLDER …]
       npm run test:all [-- OPTIONS]

  --grep NAME   only tests whose name matches this regular expression
  --watch       once more after each change of a source or a test, until Ctrl-C
  --help        this text

npm test -- test/mqtt                                  a folder
npm test -- test/base/backoff.test.ts --grep "twelve" --watch

npm test plays samples of the longest sets, leaves out files named *.long.test.ts unless they are asked for, and says at its
end which. npm run test:all leaves out nothing.
REQUIRE_ALL=1 in the environment makes a skipped test a failure.
`;

/** `npm test` and `npm run test:all`. */
async function testCommand(args) {
	let parsed;
	try {
		parsed = parseArgs({
			args,
			allowPositionals: true,
			options: {
				all: { type: "boolean", default: false },
				grep: { type: "string" },
				watch: { type: "boolean", default: false },
				help: { type: "boolean", default: false },
			},
		});
		if (parsed.values.grep !== undefined) new RegExp(parsed.values.grep);
	} catch (error) {
		stop(`${error.message.split(". ")[0]}\n\n${usage}`);
	}
	const { values, positionals } = parsed;
	if (values.help) return console.log(usage);
	const found = testFiles(positionals);
	const isLeftOut = (file) => positionals.length === 0 && !values.all && file.endsWith(".long.test.ts");
	const files = found.filter((file) => !isLeftOut(file));
	const leftOut = found.filter(isLeftOut);
	await install();
	console.log(`${files.length} test ${files.length === 1 ? "file" : "files"}, ${workers} at a time`);
	let good = await test(files, values, leftOut);
	while (values.watch) {
		console.log("\nwaiting for a change; Ctrl-C ends");
		await change();
		good = await test(files, values, leftOut);
	}
	process.exitCode = good ? 0 : 1;
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
const scripts = { api: "docs/api.ts", bench: "bench/bench.ts", fuzz: "fuzz/fuzz.ts" };

const [command, ...rest] = process.argv.slice(2);
if (Object.hasOwn(scripts, command)) process.exitCode = await script(scripts[command], rest);
else if (command === "check") {
	await install();
	process.exitCode = (await check()) ? 0 : 1;
} else if (command === "test") await testCommand(rest);
else stop("usage: npm run check, npm test, npm run test:all, npm run bench or npm run fuzz");
