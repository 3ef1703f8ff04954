// Runs mutated certificates on Node: a few for `npm test`, 100,000 in the long test set. `npm run sdk-tests` runs mutated
// certificates in XS with the SDK's own modules. Import sdk.js before this.

import type { Test } from "tap";
import { makeChains, WILD } from "./chains.js";

/** Checks that none of `count` mutated certificates is trusted, and that each is either parsed or rejected. */
export async function tryMutations(t: Test, count: number, seed = 9): Promise<void> {
	const given = (await makeChains()).filter(({ rule }) => rule === undefined);
	const seeds = [...given.flatMap(({ certificates }) => certificates), WILD];
	const { Fuzzer } = await import("./certificate-fuzz.js");
	const fuzzer = new Fuzzer({ count, seed, seeds, roots: given[0]!.roots, serverName: given[0]!.serverName });
	fuzzer.run(count);
	const { read, refused, findings } = fuzzer.outcome;
	t.same(findings, []);
	t.equal(read + refused, count);
	t.ok(read > count / 100, `${read} were read`);
}
