// The Moddable SDK's desktop simulator on Linux, with a screen or without: builds a program for it, runs it, and passes on
// what it traces and measures. Used by `npm run simulator` and `npm run sdk-tests`. Leaves no process behind.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../../moddable/packages/root.js";
import { buildSteps } from "./progress.js";
import { Debugger, type DebuggerOptions, type Sample } from "./xsbug.js";

/** An error that ends the process with a one-line message. */
export class SimulatorError extends Error {}

const endings: (() => unknown)[] = [];
/** Whether the process is ending. */
let ending = false;

/** Registers cleanup work to be done before the process ends, in reverse order. */
export function atEnd(step: () => unknown): void {
	endings.push(step);
}

/**
 * Runs the program and ends the process with the exit code that it returns (default 0), or with 1 and a one-line message
 * after an error.
 * @param interrupted returns the exit code after Ctrl-C
 */
export async function runToEnd(main: () => Promise<unknown>, interrupted = () => 1): Promise<void> {
	const end = async (code: number): Promise<void> => {
		if (ending) return;
		ending = true;
		for (const step of endings.splice(0).reverse()) await step();
		process.exit(code);
	};
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => end(interrupted()));
	try {
		const code = await main();
		await end(typeof code === "number" ? code : 0);
	} catch (error) {
		if (!ending) console.error(error instanceof SimulatorError ? error.message : error);
		await end(1);
	}
}

/** Finds the SDK and its tools. @throws SimulatorError when they are missing */
export function findSdk(): { readonly sdk: string; readonly tools: string } {
	const sdk = process.env.MODDABLE;
	if (!sdk) throw new SimulatorError("MODDABLE is not set: install the Moddable SDK and let MODDABLE name its folder");
	if (process.platform !== "linux")
		throw new SimulatorError(
			`this drives the simulator of Linux. On ${process.platform === "darwin" ? "macOS" : "Windows"}, start fleet cloud and mcconfig by hand: docs/firmware.md, "On macOS and Windows"`,
		);
	const tools = join(sdk, "build/bin/lin/release");
	if (!existsSync(join(tools, "mcsim")))
		throw new SimulatorError(`the SDK's tools are not built: ${join(tools, "mcsim")} is missing`);
	return { sdk, tools };
}

/** The SDK's boards that the simulator can show. */
export const targets = (): string[] =>
	readdirSync(join(findSdk().sdk, "build/simulators"))
		.filter((file) => file.endsWith(".js"))
		.map((file) => file.slice(0, -".js".length));

/** What to build and how. */
export interface BuildOptions {
	/**
	 * Folder for the output, which no other process uses (`ownFolder`). It is kept, because compiling XS itself takes long and
	 * is needed only once.
	 */
	readonly output: string;
	readonly manifest: string;
	/** The platform, as for mcconfig. Default `lin`, which has no screen. */
	readonly platform?: string;
	readonly env?: Readonly<Record<string, string>>;
	/** `name=value` pairs for the manifest's config. */
	readonly settings?: readonly string[];
	/** Called with the build's progress. */
	onProgress?(text: string): void;
}

/** Builds a manifest's program. Returns its path. @throws SimulatorError with the compilers' messages */
export async function buildProgram(options: BuildOptions): Promise<string> {
	const { output, manifest, platform = "lin", env = {}, settings = [] } = options;
	mkdirSync(output, { recursive: true });
	const path = [join(root, "node_modules/.bin"), findSdk().tools, process.env.PATH].join(delimiter);
	const target = `${platform.replace(/^sim\//, "") === "lin" ? "mc" : platform.replace(/^sim\//, "")}/debug/${programName(manifest)}`;
	const args = ["-d", "-m", "-p", platform, "-t", "build", "-o", output, ...settings, manifest];
	const steps = buildSteps(join(output, "tmp/lin", target, "makefile"), join(output, "tmp/lin", target.split("/")[0]!));
	await run("mcconfig", args, { ...process.env, ...env, PATH: path }, (line) => {
		const text = steps(line);
		if (text !== undefined) options.onProgress?.(text);
	});
	return join(output, "bin/lin", target, "mc.so");
}

/** The program name in a manifest. @throws SimulatorError */
export function programName(manifest: string): string {
	let name: unknown;
	try {
		name = JSON.parse(readFileSync(manifest, "utf8")).build?.NAME;
	} catch (error) {
		throw new SimulatorError(`--manifest ${manifest}: ${(error as Error).message}`);
	}
	if (typeof name !== "string") throw new SimulatorError(`--manifest ${manifest}: it has no build.NAME`);
	return name;
}

function run(
	command: string,
	args: readonly string[],
	env: NodeJS.ProcessEnv,
	onLine: (line: string) => void,
): Promise<void> {
	return new Promise((resolve, reject) => {
		// In its own process group, so that make and its compilers end together with it.
		const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
		const stop = endWith(() => {
			try {
				process.kill(-child.pid!);
			} catch {
				// It has already ended.
			}
		});
		let output = "";
		for (const stream of [child.stdout, child.stderr]) {
			let rest = "";
			stream.setEncoding("utf8").on("data", (text: string) => {
				output += text;
				const lines = (rest + text).split("\n");
				rest = lines.pop()!;
				for (const line of lines) onLine(line);
			});
		}
		child.once("error", (error: NodeJS.ErrnoException) =>
			reject(error.code === "ENOENT" ? new SimulatorError(`${command} is not in the SDK's tools`) : error),
		);
		child.once("close", (code) => {
			stop();
			// A build that was ended together with the process has not failed.
			if (ending) return;
			if (code === 0) resolve();
			else reject(new SimulatorError(`${complaints(output)}\n${command} failed (${code})`));
		});
	});
}

/** The part of a build's output that explains its failure, without the steps that succeeded. */
const complaints = (output: string): string =>
	output
		.split("\n")
		.filter((line) => !/^# (cc|xsc|xsid|ld|mcrez|tsc|xsl|png2bmp|compressbmf|rle4encode|buildclut)\b/.test(line))
		.join("\n")
		.trim();

/** Registers `step` as cleanup work. The function that is returned performs it earlier instead. */
function endWith(step: () => unknown): () => void {
	atEnd(step);
	return () => {
		const index = endings.indexOf(step);
		if (index >= 0) endings.splice(index, 1);
	};
}

/** A running simulator. */
export interface RunningProgram {
	/** Rejects when the program ends or aborts by itself; never resolves. */
	readonly ended: Promise<never>;
	/** Measures what is alive in XS after a garbage collection. */
	collect(): Promise<Sample>;
	/** Kills it at once, like a power cut (kill -9). Settles when it is gone. */
	kill(): Promise<void>;
}

/** Options for running a program. */
export interface StartOptions extends DebuggerOptions {
	/** A folder for the simulator's own files, used only by this run. */
	readonly folder: string;
	/** A command, such as valgrind with its options, that runs the simulator. */
	readonly under?: readonly string[];
	/** Further environment variables. */
	readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program in the simulator. */
export async function startProgram(program: string, options: StartOptions): Promise<RunningProgram> {
	const { sdk, tools } = findSdk();
	let aborted = (_line: string) => {};
	const xsbug = new Debugger({
		...options,
		onLine(line) {
			options.onLine(line);
			if (line.startsWith("XS abort")) aborted(line);
		},
	});
	const stopListening = endWith(() => xsbug.close());
	const port = await xsbug.listen();
	const [command, ...args] = [
		...(options.under ?? []),
		...[ownName(join(tools, "mcsim"), options.folder), join(sdk, "build/simulators"), program],
	];
	const simulator = spawn(command!, args, {
		env: {
			...process.env,
			...options.env,
			DISPLAY: process.env.DISPLAY || (await startScreen()),
			XSBUG_HOST: "127.0.0.1",
			XSBUG_PORT: String(port),
			// It copies the program into its settings folder and runs the copy, so two simulators would overwrite each other's
			// copy.
			XDG_CONFIG_HOME: options.folder,
			// In addition, a second instance would hand its program to the first one and exit.
			DBUS_SESSION_BUS_ADDRESS: "disabled:",
		},
		stdio: ["ignore", "ignore", "pipe"],
		// In a process group of its own, so that Ctrl-C ends this tool and not the device directly.
		detached: true,
	});
	// GTK prints many warnings about a screen without a desktop.
	simulator.stderr.resume();
	let killed = false;
	const stop = endWith(() => {
		killed = true;
		simulator.kill("SIGKILL");
	});
	const gone = new Promise<void>((resolve) => {
		simulator.once("error", () => resolve());
		simulator.once("exit", () => resolve());
	});
	const ended = new Promise<never>((_, reject) => {
		aborted = (line) => reject(new SimulatorError(line));
		simulator.once("error", reject);
		simulator.once("exit", (code, signal) => {
			if (!killed) reject(new SimulatorError(`the simulator ended (${code ?? signal})`));
		});
	});
	ended.catch(() => {});
	return {
		ended,
		collect: () => xsbug.collect(),
		async kill() {
			killed = true;
			simulator.kill("SIGKILL");
			await gone;
			stop();
			stopListening();
			xsbug.close();
		},
	};
}

/** The simulator under a different name, because `mcconfig` ends every process called mcsim when it starts a program. */
function ownName(path: string, folder: string): string {
	const link = join(folder, "fleet-simulator");
	rmSync(link, { force: true });
	symlinkSync(path, link);
	return link;
}

let screen: Promise<string> | undefined;

/** Starts a virtual screen in memory. Returns its DISPLAY. */
function startScreen(): Promise<string> {
	screen ??= new Promise((resolve, reject) => {
		// Xvfb chooses a free display number and writes it to file descriptor 3.
		const server: ChildProcess = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], {
			stdio: ["ignore", "ignore", "ignore", "pipe"],
			detached: true,
		});
		atEnd(() => server.kill());
		server.once("error", () => reject(new SimulatorError("there is no DISPLAY, and Xvfb is not installed")));
		server.stdio[3]!.once("data", (number) => resolve(`:${String(number).trim()}`));
	});
	return screen;
}
