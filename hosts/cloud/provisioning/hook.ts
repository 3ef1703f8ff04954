// Calls a pre-provisioning hook, or what else AWS has a Lambda function for: a URL or a local command in place of AWS's Lambda function. A hook that does not answer in time
// (with AWS, five seconds) has failed.

import { spawn } from "node:child_process";
import { LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import type { ProvisioningHook } from "../state/state.js";

/** What a hook is given (AWS developer guide, "Pre-provisioning hooks"). */
export interface HookInput {
	readonly claimCertificateId: string;
	readonly certificateId: string;
	readonly certificatePem: string;
	readonly templateArn: string;
	readonly clientId: string;
	readonly parameters: Readonly<Record<string, string>>;
}

/** The hook's answer: refused, with the reason for the log; or allowed, with the parameters that it sets. */
export type HookAnswer =
	| { readonly allowed: true; readonly overrides: ReadonlyMap<string, string> }
	| { readonly allowed: false; readonly explanation: string };

/** What is called as a hook. A command is run by the shell, with JSON on its standard input and on its standard output. */
export type HookTarget =
	| {
			/** Is sent the request as JSON with POST. */
			readonly url: string;
	  }
	| HookCommand;

/** A command that stands for a hook. */
export interface HookCommand {
	/** A line of the system's shell. */
	readonly command: string;
	/** Where it runs. Default: the folder of this process. */
	readonly folder?: string;
}

/** Calls a target and returns its answer as text. Rejects when the call fails, and stops it when the signal is aborted. */
export type HookCaller = (target: HookTarget, input: string, signal: AbortSignal) => Promise<string>;

const MAXIMUM_ANSWER = 256 * 1024;

/** Commands that stand for hooks, by `targetArn`: a line of the shell, or that with the folder that it runs in. */
export type HookCommands = Readonly<Record<string, string | HookCommand>>;

/** Asks a hook. Never rejects: whatever goes wrong is a refusal. When `end` is aborted, so is the call. */
export async function askHook(
	{ targetArn, payloadVersion }: ProvisioningHook,
	commands: HookCommands,
	input: HookInput,
	settings: Settings["hook"],
	call: HookCaller = callHook,
	end: AbortSignal = new AbortController().signal,
): Promise<HookAnswer> {
	const refuse = (explanation: string): HookAnswer => ({ allowed: false, explanation });
	if (settings.fault === "deny") return refuse("The setting hook.fault says that the hook denies.");
	if (settings.fault === "error") return refuse("The setting hook.fault says that the hook fails.");
	const target = findTarget(targetArn, commands, settings.targets);
	if (!target) {
		return refuse(`The hook's target ${targetArn} is not known: give its URL in the setting hook.targets.`);
	}
	const text = JSON.stringify(payloadVersion === undefined ? input : { ...input, payloadVersion });
	let reply: string;
	try {
		reply = await callInTime(settings.timeout, end, (signal) =>
			settings.fault === "hang" ? new Promise<string>(() => {}) : call(target, text, signal),
		);
	} catch (error) {
		return refuse(`The pre-provisioning hook failed: ${messageOf(error)}`);
	}
	let answer: unknown;
	try {
		answer = JSON.parse(reply);
	} catch {
		// The parser's message would quote the answer.
		return refuse("The hook's answer is not JSON.");
	}
	if (typeof answer !== "object" || answer === null) return refuse("The hook's answer is not a JSON object.");
	const { allowProvisioning, parameterOverrides = {} } = answer as Record<string, unknown>;
	const allowed =
		allowProvisioning === true ||
		(settings.acceptText && typeof allowProvisioning === "string" && allowProvisioning.toLowerCase() === "true");
	if (!allowed) return refuse("The hook's answer does not have allowProvisioning true.");
	if (typeof parameterOverrides !== "object" || parameterOverrides === null) {
		return refuse("parameterOverrides in the hook's answer is not an object.");
	}
	const overrides = Object.entries({ ...parameterOverrides, ...settings.override });
	const wrong = overrides.find(([, value]) => typeof value !== "string");
	if (wrong) return refuse(`parameterOverrides.${wrong[0]} in the hook's answer is not text.`);
	return { allowed: true, overrides: new Map(overrides as [string, string][]) };
}

/**
 * Calls what stands for a Lambda function, and returns its answer as text. Rejects when nothing stands for it, when it fails, when it
 * does not answer within `milliseconds`, or when `end` is aborted.
 */
export async function callFunction(
	functionArn: string,
	event: object,
	options: {
		readonly commands: HookCommands;
		/** URLs by ARN. */
		readonly urls: Readonly<Record<string, string>>;
		readonly milliseconds: number;
		readonly end: AbortSignal;
	},
): Promise<string> {
	const { commands, urls, milliseconds, end } = options;
	const target = findTarget(functionArn, commands, urls);
	if (!target) {
		throw new Error(
			`nothing stands for ${functionArn} here: give a command for it (--hook), or its URL in the setting hook.targets`,
		);
	}
	return callInTime(milliseconds, end, (signal) => callHook(target, JSON.stringify(event), signal));
}

/**
 * Runs `call` with a limit on its time, ms. Past it, or when `end` is aborted, rejects and aborts the signal; the outcome of `call`
 * is then ignored.
 */
function callInTime<T>(milliseconds: number, end: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
	const abort = new AbortController();
	return new Promise((resolve, reject) => {
		const giveUp = (why: string) => {
			reject(new Error(why));
			abort.abort();
		};
		const stop = () => giveUp("the cloud was closed or reset before it answered");
		const timer = setTimeout(
			() => giveUp(`it did not answer within ${milliseconds} ms`),
			Math.min(milliseconds, LONGEST_TIMER),
		);
		const settle = () => {
			clearTimeout(timer);
			end.removeEventListener("abort", stop);
		};
		abort.signal.addEventListener("abort", settle, { once: true });
		end.addEventListener("abort", stop, { once: true });
		if (end.aborted) return stop();
		// Called within a promise, so that what `call` throws at once is a rejection, too.
		new Promise<T>((answer) => answer(call(abort.signal))).then(resolve, reject).finally(settle);
	});
}

function findTarget(
	targetArn: string,
	commands: HookCommands,
	urls: Readonly<Record<string, string>>,
): HookTarget | undefined {
	const command = Object.hasOwn(commands, targetArn) ? commands[targetArn] : undefined;
	if (command !== undefined) return typeof command === "string" ? { command } : command;
	if (Object.hasOwn(urls, targetArn)) return { url: urls[targetArn]! };
	return /^https?:\/\//.test(targetArn) ? { url: targetArn } : undefined;
}

const callHook: HookCaller = (target, input, signal) =>
	"url" in target ? post(target.url, input, signal) : run(target, input, signal);

async function post(url: string, input: string, signal: AbortSignal): Promise<string> {
	const response = await fetch(url, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: input,
		redirect: "error",
		signal,
	});
	if (!response.ok) {
		await response.body?.cancel();
		throw new Error(`it answered with HTTP status ${response.status}`);
	}
	let text = "";
	const decoder = new TextDecoder();
	for await (const chunk of response.body ?? []) {
		text += decoder.decode(chunk as Uint8Array, { stream: true });
		if (text.length > MAXIMUM_ANSWER) throw new Error("its answer is too long");
	}
	return text;
}

function run({ command, folder }: HookCommand, input: string, signal: AbortSignal): Promise<string> {
	return new Promise((resolve, reject) => {
		// In a process group of its own, so that all that the shell has started can be ended with it.
		const child = spawn(command, {
			shell: true,
			detached: true,
			stdio: ["pipe", "pipe", "ignore"],
			...(folder !== undefined && { cwd: folder }),
		});
		const end = () => {
			try {
				if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
			} catch {
				// It has ended already.
			}
			// A process that has left the group may still hold the other end, and this process open with it.
			child.stdout?.destroy();
		};
		signal.addEventListener("abort", end, { once: true });
		// When no descriptors or processes are left, there are no pipes, only the error.
		child.on("error", reject);
		if (!child.stdout || !child.stdin) return;
		let text = "";
		child.stdout.on("error", reject);
		child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
			if (text.length > MAXIMUM_ANSWER) return;
			text += chunk;
			if (text.length > MAXIMUM_ANSWER) {
				end();
				reject(new Error("its answer is too long"));
			}
		});
		child.once("close", (code, killedBy) => {
			signal.removeEventListener("abort", end);
			if (code === 0) resolve(text);
			else reject(new Error(killedBy === null ? `it ended with status ${code}` : `it was killed by ${killedBy}`));
		});
		// The command need not read its input.
		child.stdin.on("error", () => {});
		child.stdin.end(input);
	});
}
