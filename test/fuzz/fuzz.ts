// `npm run fuzz -- [--minutes N] [--seed N] [--target NAME]`: fuzzes every reader in turn until the time is over.

import { parseArgs } from "node:util";
import { Failure } from "../../src/provisioning/failure.js";
import { Malformed } from "../../src/provisioning/well-formed.js";
import { mutate, Random } from "./mutate.js";
import { type Target, targets } from "./targets.js";

/** What was found: the bytes and what they led to. */
export interface Finding {
	readonly target: string;
	readonly bytes: string;
	readonly defect: string;
}

/** Runs a target on `count` mutations. */
export function fuzz(target: Target, random: Random, count: number): Finding[] {
	const findings: Finding[] = [];
	for (let n = 0; n < count; n++) {
		const bytes = mutate(random, target.seeds);
		const given = Buffer.from(bytes).toString("hex");
		try {
			target.run(bytes);
		} catch (error) {
			if (!(error instanceof Failure) && !(error instanceof Malformed))
				findings.push({
					target: target.name,
					bytes: given,
					defect: error instanceof Error ? `${error.stack}` : String(error),
				});
		}
		if (Buffer.from(bytes).toString("hex") !== given)
			findings.push({ target: target.name, bytes: given, defect: "the input was written to" });
	}
	return findings;
}

if (import.meta.url === `file://${process.argv[1]}`) {
	let values: { minutes?: string; seed?: string; target?: string };
	try {
		({ values } = parseArgs({
			options: { minutes: { type: "string" }, seed: { type: "string" }, target: { type: "string" } },
		}));
	} catch (error) {
		console.error((error as Error).message);
		process.exit(2);
	}
	const minutes = Number(values.minutes ?? 1);
	const seed = Number(values.seed ?? Date.now() % 2 ** 31);
	const chosen = targets.filter(({ name }) => values.target === undefined || name.includes(values.target));
	if (!(minutes > 0) || !Number.isInteger(seed) || chosen.length === 0) {
		console.error(
			`usage: npm run fuzz -- [--minutes N] [--seed N] [--target NAME]\ntargets: ${targets.map(({ name }) => name).join(", ")}`,
		);
		process.exit(2);
	}
	const random = new Random(seed);
	const end = Date.now() + minutes * 60_000;
	const counts = new Map<string, number>();
	let found = 0;
	for (let shown = 0; Date.now() < end; )
		for (const target of chosen) {
			counts.set(target.name, (counts.get(target.name) ?? 0) + 500);
			for (const finding of fuzz(target, random, 500)) {
				found += 1;
				console.log(JSON.stringify(finding));
			}
			if (Date.now() - shown < 5000) continue;
			shown = Date.now();
			const total = [...counts.values()].reduce((a, b) => a + b);
			console.error(`${Math.ceil((end - shown) / 1000)} s left, ${total} inputs, ${found} findings (seed ${seed})`);
		}
	for (const [name, count] of counts) console.log(`${name}: ${count} inputs`);
	process.exit(found === 0 ? 0 : 1);
}
