// Runs the real `fleet` command and keeps everything that it prints. `npm run test:all` starts a process for each call, as people
// do; by default, all calls of a test file share one process, because starting one takes most of the time.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { FileFlash } from "../../hosts/node/flash.js";
import type { Credentials } from "../../src/contract/host.js";
import { Store } from "../../src/identity/store.js";
import { secretIn } from "../secrets.js";
import { all } from "../support/sample.js";
import type { Call, Ended } from "./calls.js";

const script = fileURLToPath(new URL("../../hosts/cli/fleet.js", import.meta.url));

/** Everything that the commands of this test file have printed. */
export const printed: string[] = [];

export interface Result {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

// The command must not inherit the options that the test runner gives to Node.
const { NODE_OPTIONS: _, ...inherited } = process.env;

function launch(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
	const child = spawn(process.execPath, [script, ...args], {
		env: { ...inherited, ...environment },
		stdio: ["ignore", "pipe", "pipe"],
	});
	for (const stream of [child.stdout!, child.stderr!])
		stream.setEncoding("utf8").on("data", (text: string) => printed.push(text));
	return child;
}

/** The process that the calls of this test file share. */
let shared: ChildProcess | undefined;
const waiting = new Map<number, (ended: Ended) => void>();
let calls = 0;

function sharedProcess(): ChildProcess {
	if (shared !== undefined) return shared;
	shared = fork(fileURLToPath(new URL("calls.ts", import.meta.url)), { env: inherited, stdio: "inherit" });
	shared.on("message", (ended: Ended) => {
		printed.push(ended.stdout, ended.stderr);
		waiting.get(ended.id)?.(ended);
		waiting.delete(ended.id);
		// The idle process must not keep the test file from ending.
		if (waiting.size === 0) shared?.channel?.unref();
	});
	shared.on("exit", (code, signal) => {
		if (waiting.size > 0) throw new Error(`the process of the fleet command ended with ${code ?? signal}`);
	});
	shared.unref();
	return shared;
}

/** Runs `fleet` to its end. Simultaneous calls take turns, except in `npm run test:all`. */
export function fleet(...args: string[]): Promise<Result> {
	if (all) return fleetWith({}, ...args);
	const child = sharedProcess();
	child.channel?.ref();
	calls += 1;
	const call: Call = { id: calls, args };
	return new Promise((resolve) => {
		waiting.set(call.id, resolve);
		child.send(call);
	});
}

/** The same with environment variables, in a process of its own. */
export function fleetWith(environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Result> {
	const child = launch(args, environment);
	let stdout = "";
	let stderr = "";
	child.stdout!.on("data", (text: string) => {
		stdout += text;
	});
	child.stderr!.on("data", (text: string) => {
		stderr += text;
	});
	return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

/** A line of `fleet cloud --json`. */
export type CloudEvent = Readonly<Record<string, unknown>>;

/** A running `fleet cloud --json`. */
export interface RunningCloud {
	/** The first line, which says how to use the cloud. */
	readonly facts: Readonly<Record<string, string>> & { readonly port: number };
	/** Waits for the first event, from number `after` on, that `what` accepts. Rejects when the cloud ends without one. */
	event(what: (event: CloudEvent) => boolean, after?: number): Promise<CloudEvent>;
	/** All events so far, without the first line. */
	events(): readonly CloudEvent[];
	/** How many events there have been. */
	count(): number;
	/** Stops the cloud and returns its exit code. */
	stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a cloud on free ports. It is stopped at the end of the test. */
export async function startCloud(t: Test, directory: string, ...args: string[]): Promise<RunningCloud> {
	const child = launch([
		"cloud",
		"--json",
		"--directory",
		directory,
		...["--port", "--alpn-port", "--http-port"].flatMap((option) => [option, "0"]),
		...args,
	]);
	const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
	const stop = (signal: NodeJS.Signals = "SIGTERM") => {
		child.kill(signal);
		return ended;
	};
	t.teardown(() => stop("SIGKILL"));
	const events: CloudEvent[] = [];
	const event = async (what: (event: CloudEvent) => boolean, after = 0): Promise<CloudEvent> => {
		for (;;) {
			const found = events.slice(after).find(what);
			if (found !== undefined) return found;
			if (child.exitCode !== null || child.signalCode !== null)
				throw new Error("the cloud ended without such an event");
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	};
	const facts = await new Promise<RunningCloud["facts"]>((resolve, reject) => {
		createInterface(child.stdout!).on("line", (line) => {
			const read = JSON.parse(line) as CloudEvent;
			events.push(read);
			if (read.event === "started") resolve(read as unknown as RunningCloud["facts"]);
		});
		ended.then((code) => reject(new Error(`fleet cloud ended with ${code}: ${printed.at(-1)}`)));
	});
	return {
		facts,
		event,
		events: () => events.filter(({ event }) => event !== "started"),
		count: () => events.length,
		stop,
	};
}

/** Starts `fleet cloud` on free ports, and gives the lines that it prints. It is stopped at the end of the test. */
export async function cloudLines(
	t: Test,
	environment: Readonly<Record<string, string>>,
	directory: string,
	...args: string[]
): Promise<{ lines(): readonly string[]; line(what: (line: string) => boolean): Promise<string> }> {
	const ports = ["--port", "--alpn-port", "--http-port"].flatMap((option) => [option, "0"]);
	const child = launch(["cloud", "--directory", directory, ...ports, ...args], environment);
	const ended = new Promise((resolve) => child.on("close", resolve));
	t.teardown(() => {
		child.kill("SIGKILL");
		return ended;
	});
	const lines: string[] = [];
	createInterface(child.stdout!).on("line", (line) => lines.push(line));
	return {
		lines: () => lines,
		line: async (what) => {
			for (;;) {
				const found = lines.find(what);
				if (found !== undefined) return found;
				if (child.exitCode !== null) throw new Error(`fleet cloud ended: ${printed.at(-1)}`);
				await new Promise((resolve) => setTimeout(resolve, 20));
			}
		},
	};
}

/** Starts `fleet cloud` on free ports, returns what it prints for people at the start, and stops it. */
export async function cloudInstructions(t: Test, directory: string, ...args: string[]): Promise<string> {
	const ports = ["--port", "--alpn-port", "--http-port"].flatMap((option) => [option, "0"]);
	const child = launch(["cloud", "--directory", directory, ...ports, ...args]);
	const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
	t.teardown(() => child.kill("SIGKILL"));
	let text = "";
	await new Promise<void>((resolve, reject) => {
		child.stdout!.on("data", (more: string) => {
			text += more;
			if (text.includes("What happens:")) resolve();
		});
		ended.then(() => reject(new Error(`fleet cloud ended: ${text}`)));
	});
	child.kill("SIGTERM");
	await ended;
	return text;
}

/** Arguments of `fleet device` for this cloud. */
export function deviceArguments({ facts }: RunningCloud, flash: string): string[] {
	return [
		"device",
		...["--endpoint", "localhost", "--port", String(facts.port), "--template", facts.template!],
		...["--root-ca", facts.rootCertificate!, "--claim", facts.claimCertificate!, "--claim-key", facts.claimKey!],
		...["--flash", flash],
	];
}

/** A new folder, which is deleted at the end of the test. */
export function temporaryFolder(t: Test): string {
	const folder = mkdtempSync(join(tmpdir(), "fleet-"));
	t.teardown(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

/** The events that `--json` printed, one on each line. */
export const eventsOf = ({ stdout }: Result): Record<string, unknown>[] =>
	stdout
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line) as Record<string, unknown>);

/** Checks that the command printed one line that says what is wrong, and no stack trace. */
export function saysInOneLine(t: Test, { stdout, stderr, code }: Result, expected: number, pattern: RegExp): void {
	t.equal(code, expected, "the exit code");
	t.match(stderr, pattern);
	t.equal(stderr.trimEnd().split("\n").length, 1, "one line");
	t.notMatch(stderr + stdout, /\n\s+at |node:internal|Error:/, "no stack trace");
}

/** The forms in which bytes may be printed; base64 depends on where in a byte triple it begins. */
const forms = (bytes: Buffer): string[] => [
	...[0, 1, 2].map((shift) => bytes.subarray(shift).toString("base64")),
	bytes.toString("hex"),
	bytes.toString("latin1"),
];

/** How many consecutive characters of a secret count as a leak. */
const LEAK = 24;

/**
 * Checks that the commands of this file never printed a secret: no PEM, nothing that is long and random enough to be a key or a
 * token, and no part of `secrets` (DER keys, tokens), whether as text, hexadecimal or base64.
 */
export function printedNoSecret(t: Test, secrets: readonly Uint8Array[]): void {
	const all = printed.join("");
	t.ok(all.length > 0, "something was printed");
	t.equal(secretIn(all), undefined, "no PEM, nothing like a key or a token");
	t.ok(secrets.length > 0 && secrets.every(({ length }) => length > 2 * LEAK), "there are secrets to look for");
	const leaks = secrets
		.flatMap((secret) => forms(Buffer.from(secret)))
		.filter((form) => {
			for (let at = 0; at + LEAK <= form.length; at += LEAK / 2)
				if (all.includes(form.slice(at, at + LEAK))) return true;
			return false;
		});
	t.equal(leaks.length, 0, "no part of a secret");
}

/** The certificate and the private key (PKCS#8 DER) that a flash image holds. */
export function credentialsInFlash(path: string): Credentials {
	const store = new Store(new FileFlash(path), () => {});
	const record = store.load();
	const credentials = record.state === "unprovisioned" ? undefined : store.loadCredentials(record);
	if (credentials === undefined) throw new Error("there is no identity in this flash");
	return credentials;
}

/** Converts a private key from PEM to PKCS#8 DER. */
export const keyBytes = (pem: string | Buffer): Buffer =>
	createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
