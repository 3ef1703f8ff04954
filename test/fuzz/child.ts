// The process in which inputs are tried, because some of them may end it. Its argument is the module that exports `targets`.

import { setImmediate as turn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Random } from "./mutate.js";
import { Defect, type DefectKind, type Opened, type Target } from "./target.js";

/** What the parent asks for. */
export type Order =
	/** Try the inputs `from` to `to` - 1 of a seed. With `trace`, announce each of them. */
	| {
			readonly target: string;
			readonly seed: number;
			readonly from: number;
			readonly to: number;
			readonly trace: boolean;
	  }
	/** Try one input by itself. */
	| { readonly target: string; readonly input: Uint8Array };

/** An input that failed. */
export interface Failed {
	readonly kind: DefectKind;
	readonly message: string;
}

/** What the child reports. */
export type Report =
	/** It is about to try this input. The open target has been given the inputs from `since` on. */
	| { readonly at: number; readonly since: number }
	/** This input failed. */
	| { readonly index: number; readonly since: number; readonly failed: Failed }
	/** All inputs of an order have been tried. `units` is how many units they contained. */
	| { readonly done: true; readonly units: number; readonly failed?: Failed };

/** How much more memory than after the first life may be in use, bytes. */
const MAXIMUM_GROWTH = 64 * 1024 * 1024;
/** How often the current input is announced without `trace`, ms. */
const ANNOUNCEMENT = 100;

const { targets } = (await import(pathToFileURL(process.argv[2]!).href)) as { targets: readonly Target[] };
const send = (report: Report) => process.send!(report);

/** The first failure of the input that is being tried. */
let failed: Failed | undefined;
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
	process.on(event, (error: unknown) => {
		failed ??= { kind: "uncaught", message: explain(error) };
	});
}

function explain(error: unknown): string {
	if (error instanceof Defect) return error.message;
	return error instanceof Error ? `${error.stack ?? error}` : `thrown: ${String(error)}`;
}

/** The open target; and what this process still held after it had closed that target for the first time. */
let opened: { readonly target: Target; readonly it: Opened } | undefined;
let baseline: { readonly target: Target; readonly memory: number; readonly resources: number } | undefined;

async function reopen(target: Target): Promise<Opened> {
	await close();
	opened = { target, it: await target.open() };
	return opened.it;
}

/** Bytes that are in use after a garbage collection. */
function memoryInUse(): number {
	global.gc!();
	const { heapUsed, external, arrayBuffers } = process.memoryUsage();
	return heapUsed + external + arrayBuffers;
}

/** Closes the open target and checks what remains of it. */
async function close(): Promise<void> {
	if (!opened) return;
	const { target, it } = opened;
	opened = undefined;
	await it.close();
	// Sockets and timers end a little later than the objects that own them.
	const end = Date.now() + 15_000;
	let resources = process.getActiveResourcesInfo().length;
	while (baseline?.target === target && resources > baseline.resources && Date.now() < end) {
		await new Promise((resolve) => setTimeout(resolve, 20));
		resources = process.getActiveResourcesInfo().length;
	}
	await turn();
	let memory = memoryInUse();
	// Sockets and streams release their memory over several turns of the event loop.
	while (baseline?.target === target && memory > baseline.memory + MAXIMUM_GROWTH && Date.now() < end) {
		await new Promise((resolve) => setTimeout(resolve, 100));
		memory = memoryInUse();
	}
	if (baseline?.target !== target) {
		baseline = { target, memory, resources };
		return;
	}
	if (resources > baseline.resources) {
		failed ??= { kind: "leak", message: `left open: ${process.getActiveResourcesInfo().sort().join(", ")}` };
		baseline = { ...baseline, resources };
	}
	if (memory > baseline.memory + MAXIMUM_GROWTH) {
		failed ??= {
			kind: "leak",
			message: `memory was not released: ${Math.round((memory - baseline.memory) / 2 ** 20)} MiB more than after the first life`,
		};
		baseline = { ...baseline, memory };
	}
}

/** Tries one input and returns its units. A failure is put into `failed`. */
async function attempt(target: Target, it: Opened, input: Uint8Array): Promise<number> {
	const before = process.cpuUsage();
	let units = 0;
	try {
		units = await it.run(input);
	} catch (error) {
		failed ??= { kind: error instanceof Defect ? error.kind : "wrong", message: explain(error) };
	}
	// What the input causes in a later turn must not be attributed to the next input.
	await turn();
	const { user, system } = process.cpuUsage(before);
	const used = Math.round((user + system) / 1000);
	if (used > target.maximumCpu) failed ??= { kind: "stall", message: `one input took ${used} ms of the processor` };
	return units;
}

async function carryOut(order: Order): Promise<void> {
	const target = targets.find(({ name }) => name === order.target)!;
	let units = 0;
	const takeFailure = () => {
		const taken = failed;
		failed = undefined;
		return taken;
	};
	if ("input" in order) {
		const it = await reopen(target);
		units = await attempt(target, it, order.input);
		await close();
		const found = takeFailure();
		send({ done: true, units, ...(found && { failed: found }) });
		return;
	}
	let said = 0;
	let since = order.from;
	let it = await reopen(target);
	for (let index = order.from; index < order.to; index++) {
		if (order.trace || Date.now() - said >= ANNOUNCEMENT) {
			said = Date.now();
			send({ at: index, since });
			// Lets the message leave before the input can end the process.
			await turn();
		}
		units += await attempt(target, it, target.generate(Random.of(order.seed, index)));
		const last = index + 1 === order.to;
		if (last) await close();
		const found = takeFailure();
		if (!found) continue;
		send({ index, since, failed: found });
		since = index + 1;
		if (!last) it = await reopen(target);
	}
	send({ done: true, units });
}

process.on("message", (order: Order) => {
	carryOut(order).catch((error) => {
		// The target cannot be opened or closed, or cannot generate inputs: a mistake in the fuzzer itself.
		console.error(error);
		process.exit(70);
	});
});
process.on("disconnect", () => process.exit());
