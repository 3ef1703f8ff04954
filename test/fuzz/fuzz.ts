// `npm run fuzz -- [--minutes N] [--inputs N] [--target NAME] [--seed N]`: fuzzes each target in turn. Each input that finds a defect
// is minimized and kept in the target's corpus.

import { parseArgs } from "node:util";
import { corpusOf, keep, readCorpus } from "./corpus.js";
import { Supervisor } from "./supervisor.js";
import { targets } from "./targets.js";

const usage = `usage: npm run fuzz -- [--minutes N] [--inputs N] [--target NAME] [--seed N]

  --minutes N    how long, shared out among the targets (default 1)
  --inputs N     so many inputs of each target instead, the same ones for the same seed
  --target NAME  only the targets with this in their names
  --seed N       what the inputs are made from (default: of the clock; it is printed)

What is found is minimized and kept in test/fuzz/corpus, which npm test tries again each time.
targets: ${targets.map(({ name }) => name).join(", ")}`;

interface Options {
	readonly minutes: number;
	readonly inputs: number | undefined;
	readonly seed: number;
	readonly target: string;
}

function readOptions(): Options {
	try {
		const { values } = parseArgs({
			options: {
				minutes: { type: "string" },
				inputs: { type: "string" },
				seed: { type: "string" },
				target: { type: "string" },
				help: { type: "boolean" },
			},
		});
		if (values.help) {
			console.log(usage);
			process.exit(0);
		}
		const minutes = Number(values.minutes ?? 1);
		const inputs = values.inputs === undefined ? undefined : Number(values.inputs);
		const seed = Number(values.seed ?? Date.now() % 2 ** 31);
		if (!(minutes > 0)) throw new Error("--minutes must be above 0");
		if (inputs !== undefined && !(Number.isInteger(inputs) && inputs > 0))
			throw new Error("--inputs must be a whole number above 0");
		if (!Number.isInteger(seed)) throw new Error("--seed must be a whole number");
		return { minutes, inputs, seed, target: values.target ?? "" };
	} catch (error) {
		console.error(`${(error as Error).message}\n\n${usage}`);
		process.exit(2);
	}
}

const { minutes, inputs: most, seed, target: wanted } = readOptions();
const chosen = targets.filter(({ name }) => name.includes(wanted));
if (chosen.length === 0) {
	console.error(`There is no target ${wanted}.\n\n${usage}`);
	process.exit(2);
}
console.log(`seed ${seed}`);
const supervisor = new Supervisor(new URL("targets.ts", import.meta.url).href);
const weights = chosen.reduce((sum, { weight }) => sum + weight, 0);
const lines: string[] = [];
let found = 0;
for (const target of chosen) {
	const began = Date.now();
	for (const { file, input } of readCorpus(target)) {
		const failed = await supervisor.try(target, input);
		if (!failed) continue;
		found++;
		console.log(`${target.name}: ${failed.kind} again with ${file}: ${failed.message}`);
	}
	const end = Date.now() + (minutes * 60_000 * target.weight) / weights;
	let shown = 0;
	const { inputs, units, findings } = await supervisor.fuzz({
		target,
		seed,
		goOn: (tried) => (most === undefined ? Date.now() < end : tried < most),
		onProgress: (now) => {
			if (Date.now() - shown < 5_000) return;
			shown = Date.now();
			const left = most === undefined ? `${Math.max(0, Math.ceil((end - shown) / 1000))} s left` : `of ${most}`;
			console.error(`${target.name}: ${now.inputs} inputs, ${now.units} ${target.unit}, ${left}`);
		},
		onFinding: ({ kind, message, repeats, input }) => {
			console.log(`${target.name}: ${kind}: ${message}`);
			console.log(`  kept in ${keep(corpusOf(target), input)}${repeats ? "" : " (it does not fail each time)"}`);
		},
	});
	found += findings.length;
	const seconds = (Date.now() - began) / 1000;
	const times = findings.map(({ kind, times }) => `${kind} ${times} times`).join(", ");
	lines.push(
		`${target.name}: ${inputs} inputs, ${units} ${target.unit}, ${Math.round(units / seconds)} a second${times && `; ${times}`}`,
	);
}
supervisor.close();
for (const line of lines) console.log(line);
console.log(found === 0 ? "nothing found" : `${found} found`);
process.exit(found === 0 ? 0 : 1);
