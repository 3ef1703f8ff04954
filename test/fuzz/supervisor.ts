// Runs targets in a child process, finds out which input ended it or made it hang, and minimizes that input.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Failed, Order, Report } from "./child.js";
import { Random } from "./mutate.js";
import { shrink } from "./shrink.js";
import type { Target } from "./target.js";

/** What was found. */
export interface Finding extends Failed {
	readonly target: string;
	/** The minimized input. */
	readonly input: Uint8Array;
	/** Whether the input fails by itself, in a process of its own. */
	readonly repeats: boolean;
	/** How many inputs have failed in the same way. */
	times: number;
}

/** How a target is fuzzed. */
export interface Plan {
	readonly target: Target;
	readonly seed: number;
	/** Whether to go on; asked after each life of the target. `inputs` is how many have been tried so far. */
	readonly goOn: (inputs: number) => boolean;
	readonly onProgress?: (progress: { readonly inputs: number; readonly units: number }) => void;
	/** Called when a finding has been minimized. */
	readonly onFinding?: (finding: Finding) => void;
}

/** The result of fuzzing one target. */
export interface Outcome {
	readonly inputs: number;
	readonly units: number;
	readonly findings: readonly Finding[];
}

/** After this time without a message, ms, the child counts as hanging. A good input takes milliseconds. */
const SILENCE = 90_000;

/** Controls a child process that tries inputs, and starts another one when it has ended. */
export class Supervisor {
	readonly #module: string;
	readonly #silence: number;
	#child: ChildProcess | undefined;

	/** `module` is the URL of the module with the `targets`. */
	constructor(module: string, options: { readonly silence?: number } = {}) {
		this.#module = fileURLToPath(module);
		this.#silence = options.silence ?? SILENCE;
	}

	/** Fuzzes one target. */
	async fuzz({ target, seed, goOn, onProgress, onFinding }: Plan): Promise<Outcome> {
		const findings = new Map<string, Finding>();
		let units = 0;
		let from = 0;
		const found = async (failed: Failed, since: number, index: number) => {
			const known = findings.get(signature(failed));
			if (known) {
				known.times++;
				return;
			}
			const finding = await this.#minimize(target, seed, failed, since, index);
			findings.set(signature(failed), finding);
			onFinding?.(finding);
		};
		while (goOn(from)) {
			const to = from + target.life;
			const failures: { readonly failed: Failed; readonly since: number; readonly index: number }[] = [];
			let since = from;
			let at = from;
			let ended = await this.#order({ target: target.name, seed, from, to, trace: false }, (report) => {
				if ("at" in report) ({ at, since } = report);
				else if ("index" in report) failures.push(report);
				else units += report.units;
			});
			if (ended) {
				// Repeats the inputs since the target was last opened, and lets the child announce each, to see which one it was.
				let culprit = at;
				const again = await this.#order({ target: target.name, seed, from: since, to, trace: true }, (report) => {
					if ("at" in report) culprit = report.at;
				});
				ended = again ?? ended;
				failures.push({ failed: ended, since, index: culprit });
				from = culprit + 1;
			} else from = to;
			for (const { failed, since, index } of failures) await found(failed, since, index);
			onProgress?.({ inputs: from, units });
		}
		return { inputs: from, units, findings: [...findings.values()] };
	}

	/** Tries one input and returns how it fails, if it does. */
	async try(target: Pick<Target, "name">, input: Uint8Array): Promise<Failed | undefined> {
		let failed: Failed | undefined;
		const ended = await this.#order({ target: target.name, input }, (report) => {
			if ("done" in report) failed = report.failed;
		});
		return ended ?? failed;
	}

	/** Ends the child. */
	close(): void {
		this.#child?.kill("SIGKILL");
		this.#child = undefined;
	}

	async #minimize(target: Target, seed: number, failed: Failed, since: number, index: number): Promise<Finding> {
		const wanted = signature(failed);
		const fails = async (input: Uint8Array) => {
			const now = await this.try(target, input);
			return now !== undefined && signature(now) === wanted;
		};
		const alone = target.generate(Random.of(seed, index));
		const finding = { ...failed, target: target.name, times: 1 };
		// After a crash, each try takes a new process; after a hang, each try takes the whole wait.
		const tries = failed.kind === "end" ? 60 : failed.kind === "hang" ? 2 : 600;
		if (await fails(alone)) return { ...finding, repeats: true, input: await shrink(target, alone, fails, tries) };
		if (target.form === "bytes") return { ...finding, repeats: false, input: alone };
		// The failure may depend on the inputs before it.
		const all = [];
		for (let before = since; before <= index; before++) all.push(target.generate(Random.of(seed, before)));
		const together = new Uint8Array(Buffer.concat(all));
		if (!(await fails(together))) return { ...finding, repeats: false, input: together };
		return { ...finding, repeats: true, input: await shrink(target, together, fails, tries) };
	}

	/** Lets the child carry out an order. Returns how the child ended if it did not complete the order. */
	#order(order: Order, onReport: (report: Report) => void): Promise<Failed | undefined> {
		this.#child ??= this.#fork();
		const child = this.#child;
		return new Promise((resolve) => {
			let timer: NodeJS.Timeout;
			const settle = (failed?: Failed) => {
				clearTimeout(timer);
				child.off("message", take).off("exit", ended);
				if (failed) this.#child = undefined;
				resolve(failed);
			};
			const watch = () => {
				clearTimeout(timer);
				timer = setTimeout(() => {
					child.kill("SIGKILL");
					settle({ kind: "hang", message: `no message for ${this.#silence} ms` });
				}, this.#silence);
			};
			const take = (report: Report) => {
				onReport(report);
				if ("done" in report) settle();
				else watch();
			};
			const ended = (code: number | null, signal: string | null) =>
				settle({ kind: "end", message: `the process ended (${signal ?? `exit code ${code}`})` });
			child.on("message", take).once("exit", ended);
			watch();
			child.send(order);
		});
	}

	#fork(): ChildProcess {
		return fork(fileURLToPath(new URL("child.ts", import.meta.url)), [this.#module], {
			execArgv: ["--import", "tsx", "--expose-gc", "--max-old-space-size=1024"],
			serialization: "advanced",
			stdio: ["ignore", "ignore", "inherit", "ipc"],
		});
	}
}

/** Failures with the same signature count as one. It is made of the first three lines, without numbers and hexadecimal digits. */
function signature({ kind, message }: Failed): string {
	const lines = message.split("\n").slice(0, 3).join("\n");
	return `${kind} ${lines.replaceAll(/[0-9a-f]{8,}|\d+/g, "N").slice(0, 300)}`;
}
