// The Moddable SDK's desktop simulator on Linux, without a screen: builds a program for it, runs it, and gives what it
// traces. For `npm run simulator` and `npm run sdk-tests`.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { delimiter, join } from "node:path";
import { root } from "../moddable/packages/root.js";

/** Ends the process with one line. */
export class SimulatorError extends Error {}

const endings: (() => unknown)[] = [];

/** Has something done before the process ends, what was asked for last first. */
export function atEnd(step: () => unknown): void {
	endings.push(step);
}

/** Runs the program and ends the process: 0, or 1 with a line of what was unfit. */
export async function runToEnd(main: () => Promise<void>): Promise<void> {
	for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end(1));
	try {
		await main();
		await end(0);
	} catch (error) {
		console.error(error instanceof SimulatorError ? error.message : error);
		await end(1);
	}
}

async function end(code: number): Promise<void> {
	for (const step of endings.splice(0).reverse()) await step();
	process.exit(code);
}

/** Where the SDK and its tools are. @throws SimulatorError when they are not there */
export function findSdk(): { readonly sdk: string; readonly tools: string } {
	const sdk = process.env.MODDABLE;
	if (!sdk) throw new SimulatorError("MODDABLE is not set: install the Moddable SDK and let MODDABLE name its folder");
	if (process.platform !== "linux") {
		throw new SimulatorError(
			"this script drives the simulator of Linux; elsewhere run `mcconfig -d -m` with the settings you need",
		);
	}
	const tools = join(sdk, "build/bin/lin/release");
	if (!existsSync(join(tools, "mcsim")))
		throw new SimulatorError(`the SDK's tools are not built: ${join(tools, "mcsim")} is missing`);
	return { sdk, tools };
}

/**
 * Builds a manifest's program. Gives its path.
 * @param name folder in build/ for what comes out; kept, since XS itself is compiled only once
 * @param settings `name=value` for the manifest's config
 */
export async function buildProgram(
	name: string,
	manifest: string,
	env: Readonly<Record<string, string>> = {},
	settings: readonly string[] = [],
): Promise<string> {
	const output = join(root, "build", name);
	mkdirSync(output, { recursive: true });
	const path = [join(root, "node_modules/.bin"), findSdk().tools, process.env.PATH].join(delimiter);
	await build({ ...process.env, ...env, PATH: path }, [
		...["-d", "-m", "-p", "lin", "-t", "build", "-o", output],
		...settings,
		manifest,
	]);
	return output;
}

/**
 * Starts a program in the simulator.
 * @param print called with each line that it traces
 * @returns a promise that is never kept, and is broken when the program ends or aborts
 */
export async function startProgram(program: string, print: (line: string) => void): Promise<{ ended: Promise<never> }> {
	const { sdk, tools } = findSdk();
	let aborted = (_line: string) => {};
	const port = await listen((line) => {
		print(line);
		if (line.startsWith("XS abort")) aborted(line);
	});
	const simulator = begin(join(tools, "mcsim"), [join(sdk, "build/simulators"), program], {
		...process.env,
		DISPLAY: process.env.DISPLAY ?? (await startScreen()),
		XSBUG_HOST: "127.0.0.1",
		XSBUG_PORT: String(port),
	});
	const ended = new Promise<never>((_, reject) => {
		aborted = (line) => reject(new SimulatorError(line));
		simulator.once("exit", (code, signal) => reject(new SimulatorError(`the simulator ended (${code ?? signal})`)));
	});
	ended.catch(() => {});
	return { ended };
}

function build(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<void> {
	console.log("mcconfig -d -m -p lin … (the first time it compiles XS, which takes about a minute)");
	return new Promise((resolve, reject) => {
		const child = spawn("mcconfig", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
		atEnd(() => child.kill());
		let output = "";
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding("utf8").on("data", (text) => {
				output += text;
			});
		}
		child.once("error", reject);
		child.once("close", (code) => {
			if (code === 0) resolve();
			else reject(new SimulatorError(`${output}\nmcconfig failed (${code})`));
		});
	});
}

/** A screen in memory. Gives its DISPLAY. */
function startScreen(): Promise<string> {
	return new Promise((resolve, reject) => {
		// Xvfb chooses a free number and says which on descriptor 3.
		const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "640x480x24", "-nolisten", "tcp"], {
			stdio: ["ignore", "ignore", "ignore", "pipe"],
		});
		atEnd(() => screen.kill());
		screen.once("error", () => reject(new SimulatorError("there is no DISPLAY, and Xvfb is not installed")));
		screen.stdio[3]!.once("data", (number) => resolve(`:${String(number).trim()}`));
	});
}

function begin(path: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
	const child = spawn(path, args, { env, stdio: ["ignore", "ignore", "inherit"] });
	atEnd(() => child.kill());
	return child;
}

/**
 * Takes the debugger's part, as much as a trace needs (the SDK's documentation/xs/XS in C.md and tools/xsbug-log): XS sends
 * XML, says who it is at first, waits for `go`, and again at each exception. Gives the port it listens on.
 */
function listen(print: (line: string) => void): Promise<number> {
	const server: Server = createServer((socket) => {
		let received = "";
		let line = "";
		let program = false;
		const command = (text: string) => socket.write(`\r\n<${text}/>\r\n`);
		socket.setEncoding("utf8").on("data", (text) => {
			received += text;
			for (let end = received.indexOf("</xsbug>"); end >= 0; end = received.indexOf("</xsbug>")) {
				const message = received.slice(0, end);
				received = received.slice(end + "</xsbug>".length);
				// The simulator itself is a program in XS, too.
				if (message.includes("<login ")) {
					program = !message.includes('name="mcsim"');
					command("go");
				}
				for (const [, log] of program ? message.matchAll(/<log[^>]*>([^<]*)<\/log>/g) : []) {
					line += plain(log!);
					const lines = line.split("\n");
					line = lines.pop()!;
					for (const whole of lines) print(whole);
				}
				const broken = /<break(?: path="([^"]*)" line="(\d+)")?[^>]*>([^<]*)<\/break>/.exec(message);
				if (broken) {
					const [, file = "", number = "", what] = broken;
					print(`${plain(file)}:${number} ${plain(what!).trim()}`);
					command("go");
				}
			}
		});
		// It goes away when the simulator does.
		socket.on("error", () => {});
	});
	atEnd(() => server.close());
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
	});
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function plain(text: string): string {
	return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, name) =>
		code ? String.fromCodePoint(Number(code)) : (ENTITIES[name] ?? whole),
	);
}
