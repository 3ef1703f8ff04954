// Builds the real XS engine around hosts/xs/engine: fetches the XS sources, compiles them with ours, and keeps the result under
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
 * - `ordinary`: errors have file and line; for stories
 * - `device`: bytecode and memory as in firmware; for measuring
 * - `stress`: like `device`, but collects garbage at every allocation; for exact live peaks and to find dangling values
 * - `counted`: like `device`, to be run by valgrind
 */
export type Variant = "ordinary" | "device" | "stress" | "counted";

/** The engine cannot be built here: there is no C compiler, or the sources cannot be fetched. Tests are skipped with the message. */
export class EngineUnavailableError extends Error {}

/** A built engine. */
export interface Engine {
	/** Program and first arguments that run it. */
	readonly command: readonly [program: string, ...args: string[]];
	readonly variant: Variant;
	/**
	 * Whether it was built with 64-bit pointers. It then has the same number of slots, which are counted with the device's 16
	 * bytes, but its chunks take more, at most twice as much: a chunk is a header (8 bytes on the device, 16 here), followed by
	 * plain bytes (the same), pointers (4, 8) or slots (16, 32), rounded up to 4 bytes (8). No part more than doubles, so
	 * neither does the sum. Seen in the device program: 1.2 to 2.0 times. So what stays within a limit here also does on the
	 * device; what exceeds a limit even with its chunks halved exceeds it there; in between, only a 32-bit engine can tell.
	 */
	readonly wide: boolean;
}

const OMITTED = ["xsLockdown.c", "xsSnapshot.c"];
const COMMON = [
	"-O1",
	"-w",
	"-fno-common",
	"-fno-strict-aliasing",
	"-DINCLUDE_XSPLATFORM",
	'-DXSPLATFORM="platform.h"',
	...["mxParse", "mxRun", "mxSloppy", "mxInstrument", "mxBoundsCheck"].map((flag) => `-D${flag}=1`),
];
/**
 * Makes XS call our functions: firmware that `mcconfig` builds has no function names, and every collection is measured. The
 * interpreter alone is worth the compiler's time.
 */
const HOOKS: Record<string, string[]> = {
	"xsRun.c": ["-O2"],
	"xsDefaults.c": ["-DfxNewFunctionName=fxNoFunctionName"],
	"xsMemory.c": ["-DfxCheckProfiler=fxCollected"],
};
const FLAGS: Record<Variant, string[]> = {
	ordinary: ["-DmxDebug=1"],
	device: [],
	stress: [],
	// Valgrind does not show where the C stack ends, and XS would believe it to be exhausted.
	counted: ["-Dpthread_getattr_np=unknownStack"],
};
/** Macros of a variant that no header reads: only the files that read them are compiled once more. */
const MACROS: Record<Variant, string[]> = { ordinary: [], device: [], stress: ["mxStress"], counted: [] };
// The kernel's headers are the same for both widths, but Debian's 32-bit C library does not come with them.
const NARROW = ["-m32", "-msse2", "-mfpmath=sse", "-idirafter", "/usr/include/x86_64-linux-gnu"];

function compiler(): string {
	if (process.platform === "win32")
		throw new EngineUnavailableError("no XS engine on Windows: it needs fork and named pipes");
	const name = process.env.CC ?? "cc";
	if (spawnSync(name, ["--version"]).status !== 0)
		throw new EngineUnavailableError("no C compiler (cc): the XS engine cannot be built");
	return name;
}

/**
 * The command that runs a program with 32-bit pointers here: none, or the emulator in the environment variable XS_EMULATOR,
 * for kernels that cannot run such programs (`qemu-i386`, from Debian's qemu-user, is 20 times slower). `undefined` when such
 * programs cannot be built (Debian needs libc6-dev-i386 and lib32gcc-12-dev) or run.
 */
function narrowRunner(cc: string): readonly string[] | undefined {
	const runner = process.env.XS_EMULATOR ? [process.env.XS_EMULATOR] : [];
	const program = join(out, `probe-${process.pid}`);
	const compiled = spawnSync(cc, [...NARROW, "-static", "-x", "c", "-", "-lm", "-lpthread", "-o", program], {
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
			throw new EngineUnavailableError(`${source.package} cannot be fetched: the XS engine cannot be built`);
		}
	}
	const sum = createHash("sha512").update(readFileSync(file)).digest("base64");
	if (sum !== source.sha512) {
		rmSync(file);
		throw new EngineUnavailableError(`${source.package} is not the file it should be (sha512 ${sum})`);
	}
	const temporary = `${folder}-${process.pid}`;
	mkdirSync(temporary, { recursive: true });
	await run("tar", ["-xzf", file, "-C", temporary, "--strip-components=3", "package/moddable/xs"]);
	renameSync(temporary, folder);
	return folder;
}

/**
 * Builds the engine, unless it has been built. Takes about half a minute the first time, and reports its progress to `log`.
 * @throws EngineUnavailableError where it cannot be built
 */
export async function buildEngine(variant: Variant, log: (line: string) => void = () => {}): Promise<Engine> {
	mkdirSync(out, { recursive: true });
	const cc = compiler();
	const runner = narrowRunner(cc);
	const wide = runner === undefined;
	const flags = [...COMMON, ...(wide ? [] : NARROW), ...FLAGS[variant]];
	const ours = readdirSync(engine)
		.filter((name) => name.endsWith(".c") || name.endsWith(".h"))
		.sort();
	const hash = createHash("sha256").update(JSON.stringify([source.sha512, cc, flags, HOOKS]));
	// What headers say, every object depends on.
	for (const name of ours.filter((name) => name.endsWith(".h"))) hash.update(readFileSync(join(engine, name)));
	const objects = join(out, `objects-${hash.copy().digest("hex").slice(0, 16)}`);
	hash.update(JSON.stringify(MACROS[variant]));
	for (const name of ours) hash.update(name).update(readFileSync(join(engine, name)));
	const path = join(out, `${variant}-${hash.digest("hex").slice(0, 16)}`);
	const built: Engine = { command: [...(runner ?? []), path] as unknown as Engine["command"], variant, wide };
	if (existsSync(path)) return built;

	const unlock = await lock(objects);
	try {
		const what = `${variant}, ${wide ? "64" : "32"}-bit`;
		const call = { cc, flags, macros: MACROS[variant], path, ours, folder: objects };
		if (!existsSync(path)) await compile(call, (line) => log(`compiling XS (${what}): ${line}`));
	} finally {
		unlock();
	}
	return built;
}

/** Waits until no other process builds the same engine: tests run side by side, and a build takes half a minute. */
async function lock(path: string): Promise<() => void> {
	const link = `${path}.lock`;
	for (;;) {
		try {
			symlinkSync(String(process.pid), link);
			return () => rmSync(link, { force: true });
		} catch {
			// Two processes that both find the holder dead will both build, which does no harm.
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

interface Compilation {
	readonly cc: string;
	readonly flags: readonly string[];
	readonly macros: readonly string[];
	/** The engine to make. */
	readonly path: string;
	/** Our own files, C and headers. */
	readonly ours: readonly string[];
	/** Where objects are kept, for the variants that share them. */
	readonly folder: string;
}

async function compile(
	{ cc, flags, macros, path, ours, folder }: Compilation,
	log: (line: string) => void,
): Promise<void> {
	const sources = await fetchSources(log);
	mkdirSync(folder, { recursive: true });
	const include = ["includes", "platforms", "sources"].map((name) => `-I${join(sources, name)}`);
	const call = async (options: readonly string[]) => {
		await run(cc, options).catch((error: { stderr?: string }) => {
			throw new Error(`the XS engine does not compile:\n${error.stderr}`);
		});
	};
	const files = [
		...readdirSync(join(sources, "sources"))
			.filter((name) => name.endsWith(".c") && !OMITTED.includes(name))
			.map((name) => join(sources, "sources", name)),
		...ours.filter((name) => name.endsWith(".c")).map((name) => join(engine, name)),
	].map((file) => {
		const text = readFileSync(file, "utf8");
		const own = macros.filter((macro) => text.includes(macro)).map((macro) => `-D${macro}=1`);
		const key = createHash("sha256").update(text).update(own.join()).digest("hex").slice(0, 16);
		return { file, own, object: join(folder, `${basename(file)}-${key}.o`) };
	});
	const queue = files.filter(({ object }) => !existsSync(object));
	const count = queue.length;
	log(`${count} files`);
	const work = async () => {
		for (let next = queue.shift(); next; next = queue.shift()) {
			const { file, own, object } = next;
			const options = [...flags, ...(HOOKS[basename(file)] ?? []), ...own, `-I${engine}`, ...include];
			await call([...options, "-c", file, "-o", `${object}.part`]);
			renameSync(`${object}.part`, object);
			const done = count - queue.length;
			if (done % 10 === 0) log(`${done} of ${count}`);
		}
	};
	await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, work));
	const link = flags.includes("-m32") ? [...NARROW, "-static"] : [];
	const temporary = `${path}-${process.pid}`;
	await call([...files.map(({ object }) => object), ...link, "-lm", "-lpthread", "-o", temporary]);
	renameSync(temporary, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	for (const variant of (process.argv.slice(2) as Variant[]).concat(
		process.argv.length > 2 ? [] : ["ordinary", "device", "stress"],
	))
		console.log((await buildEngine(variant, console.log)).command.join(" "));
}
