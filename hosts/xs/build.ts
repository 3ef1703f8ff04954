// Builds the real XS engine around hosts/xs/engine: fetches the XS sources, compiles them with ours, keeps the result under
// build/xs by the hash of everything that went in. Never puts anything of XS into the repository.

import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	symlinkSync,
} from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root } from "../moddable/packages/root.js";

const run = promisify(execFile);
const engine = join(root, "hosts/xs/engine");
const out = join(root, "build/xs");

/** The only npm package that carries the C sources of XS (13.3.0, LGPL-3.0-or-later). */
const source = {
	package: "@agoric/xsnap@0.15.0",
	file: "agoric-xsnap-0.15.0.tgz",
	sha512: "ZBm4DZxbtfacxMHVVdJjZi0Y8zOxN77vpu1WwI5RWfPkaRh0aHkz/dVdTGKXalDNzWfz183lljKxlxl3/h0n+A==",
};

/**
 * - `ordinary`: errors carry file and line; for stories
 * - `device`: bytecode and memory as in firmware; for measuring
 * - `stress`: as `device`, and collects garbage at every allocation; for exact live peaks and for finding dangling values
 * - `counted`: as `device`, to be run by valgrind
 */
export type Variant = "ordinary" | "device" | "stress" | "counted";

/** Why there is no engine here: no C compiler, or the sources cannot be had. For tests: skip with the message. */
export class NoEngine extends Error {}

/** A built engine. */
export interface Engine {
	/** Program and first arguments that run it. */
	readonly command: readonly [program: string, ...args: string[]];
	readonly variant: Variant;
	/**
	 * Built with 64-bit pointers. It has the same number of slots, which are counted with the device's 16 bytes. Its chunks
	 * take more, at most twice as much: a chunk is a header (8 bytes on the device, 16 here) and then plain bytes (the
	 * same), pointers (4, 8) or slots (16, 32), rounded up to 4 bytes (8). Each part doubles at most, and so does the sum.
	 * Seen in the device program: 1.2 to 2.0 times. So what stays within a limit here does so on the device; what exceeds
	 * it with its chunks halved exceeds it there; and only a 32-bit engine can tell in between.
	 */
	readonly wide: boolean;
}

const omitted = ["xsLockdown.c", "xsSnapshot.c"];
const common = [
	"-O2",
	"-w",
	"-fno-common",
	"-fno-strict-aliasing",
	"-DINCLUDE_XSPLATFORM",
	'-DXSPLATFORM="platform.h"',
	...["mxParse", "mxRun", "mxSloppy", "mxInstrument", "mxBoundsCheck"].map((flag) => `-D${flag}=1`),
];
/** Where XS is made to call ours: firmware that `mcconfig` builds has no function names; every collection is measured. */
const hooks: Record<string, string[]> = {
	"xsDefaults.c": ["-DfxNewFunctionName=fxNoFunctionName"],
	"xsMemory.c": ["-DfxCheckProfiler=fxCollected"],
};
const flagsOf: Record<Variant, string[]> = {
	ordinary: ["-DmxDebug=1"],
	device: [],
	stress: ["-DmxStress=1"],
	// Where the C stack ends cannot be found out in valgrind, and XS would take it for exhausted.
	counted: ["-Dpthread_getattr_np=unknownStack"],
};
// the kernel's headers are the same for both widths, but Debian's 32-bit C library does not bring them
const narrow = ["-m32", "-msse2", "-mfpmath=sse", "-idirafter", "/usr/include/x86_64-linux-gnu"];

function compiler(): string {
	if (process.platform === "win32") throw new NoEngine("no XS engine on Windows: it needs fork and named pipes");
	const name = process.env.CC ?? "cc";
	if (spawnSync(name, ["--version"]).status !== 0)
		throw new NoEngine("no C compiler (cc): the XS engine cannot be built");
	return name;
}

/**
 * What must stand before a program with 32-bit pointers to run it here: nothing, or the emulator that the environment
 * variable XS_EMULATOR names, for kernels that take no such programs (`qemu-i386`, of Debian's qemu-user, is 20 times
 * slower). `undefined`: none can be built (Debian: libc6-dev-i386 and lib32gcc-12-dev) or run.
 */
function narrowRunner(cc: string): readonly string[] | undefined {
	const runner = process.env.XS_EMULATOR ? [process.env.XS_EMULATOR] : [];
	const program = join(out, `probe-${process.pid}`);
	const compiled = spawnSync(cc, [...narrow, "-static", "-x", "c", "-", "-lm", "-lpthread", "-o", program], {
		input: "#include <errno.h>\n#include <pthread.h>\nint main(void) { return sizeof(void*) == 4 ? 0 : 1; }",
	});
	const [command = program, ...args] = [...runner, program];
	const works = compiled.status === 0 && spawnSync(command, args).status === 0;
	rmSync(program, { force: true });
	return works ? runner : undefined;
}

async function fetchSources(log: (line: string) => void): Promise<string> {
	const folder = join(out, "sources");
	if (existsSync(folder)) return folder;
	const file = join(out, source.file);
	if (!existsSync(file)) {
		log(`fetching ${source.package}`);
		try {
			await run("npm", ["pack", source.package, "--silent", "--pack-destination", out], { cwd: out });
		} catch {
			throw new NoEngine(`${source.package} cannot be fetched: the XS engine cannot be built`);
		}
	}
	const sum = createHash("sha512").update(readFileSync(file)).digest("base64");
	if (sum !== source.sha512) {
		rmSync(file);
		throw new NoEngine(`${source.package} is not the file it should be (sha512 ${sum})`);
	}
	const temporary = `${folder}-${process.pid}`;
	mkdirSync(temporary, { recursive: true });
	await run("tar", ["-xzf", file, "-C", temporary, "--strip-components=3", "package/moddable/xs"]);
	renameSync(temporary, folder);
	return folder;
}

/**
 * Builds the engine, or finds it built. About half a minute the first time; says what it does through `log`.
 * @throws NoEngine where it cannot be built
 */
export async function buildEngine(variant: Variant, log: (line: string) => void = () => {}): Promise<Engine> {
	mkdirSync(out, { recursive: true });
	const cc = compiler();
	const runner = narrowRunner(cc);
	const wide = runner === undefined;
	const flags = [...common, ...(wide ? [] : narrow), ...flagsOf[variant]];
	const ours = readdirSync(engine)
		.filter((name) => name.endsWith(".c") || name.endsWith(".h"))
		.sort();
	const hash = createHash("sha256").update(JSON.stringify([source.sha512, cc, flags, hooks]));
	for (const name of ours) hash.update(name).update(readFileSync(join(engine, name)));
	const path = join(out, `${variant}-${hash.digest("hex").slice(0, 16)}`);
	const built: Engine = { command: [...(runner ?? []), path] as unknown as Engine["command"], variant, wide };
	if (existsSync(path)) return built;

	const unlock = await lock(path);
	try {
		const what = `${variant}, ${wide ? "64" : "32"}-bit`;
		if (!existsSync(path)) await compile(cc, flags, path, ours, (line) => log(`compiling XS (${what}): ${line}`));
	} finally {
		unlock();
	}
	return built;
}

/** Waits until no other living process builds the same: tests run side by side, and one build takes half a minute. */
async function lock(path: string): Promise<() => void> {
	const link = `${path}.lock`;
	for (;;) {
		try {
			symlinkSync(String(process.pid), link);
			return () => rmSync(link, { force: true });
		} catch {
			// two that both find the holder dead both build, which does no harm
			if (!isAlive(link)) rmSync(link, { force: true });
			await new Promise((resolve) => setTimeout(resolve, 200));
		}
	}
}

function isAlive(link: string): boolean {
	try {
		process.kill(Number(readlinkSync(link)), 0);
		return true;
	} catch {
		return false;
	}
}

async function compile(
	cc: string,
	flags: readonly string[],
	path: string,
	ours: readonly string[],
	log: (line: string) => void,
): Promise<void> {
	const sources = await fetchSources(log);
	const folder = `${path}.objects-${process.pid}`;
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	const include = ["includes", "platforms", "sources"].map((name) => `-I${join(sources, name)}`);
	const files = [
		...readdirSync(join(sources, "sources"))
			.filter((name) => name.endsWith(".c") && !omitted.includes(name))
			.map((name) => join(sources, "sources", name)),
		...ours.filter((name) => name.endsWith(".c")).map((name) => join(engine, name)),
	];
	log(`${files.length} files`);
	const call = async (options: readonly string[]) => {
		await run(cc, options).catch((error: { stderr?: string }) => {
			throw new Error(`the XS engine does not compile:\n${error.stderr}`);
		});
	};
	const objects: string[] = [];
	const queue = [...files];
	const work = async () => {
		for (let file = queue.shift(); file; file = queue.shift()) {
			const object = join(folder, `${basename(file)}.o`);
			const hook = hooks[basename(file)] ?? [];
			await call([...flags, ...hook, `-I${engine}`, ...include, "-c", file, "-o", object]);
			objects.push(object);
			if (objects.length % 10 === 0) log(`${objects.length} of ${files.length}`);
		}
	};
	await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, work));
	const link = flags.includes("-m32") ? [...narrow, "-static"] : [];
	await call([...objects, ...link, "-lm", "-lpthread", "-o", `${folder}/engine`]);
	renameSync(`${folder}/engine`, path);
	rmSync(folder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	for (const variant of (process.argv.slice(2) as Variant[]).concat(
		process.argv.length > 2 ? [] : ["ordinary", "device", "stress"],
	))
		console.log((await buildEngine(variant, console.log)).command.join(" "));
}
