// The engine for tests: built once, or a line that says why the tests of XS are skipped.

import { buildEngine, type Engine, NoEngine, type Variant } from "../../hosts/xs/build.js";

/** The engine, or why there is none (which a test gives as its reason to be skipped). */
export async function engineOrReason(
	variant: Variant,
): Promise<{ engine: Engine; skip: false } | { engine?: never; skip: string }> {
	try {
		return { engine: await buildEngine(variant, (line) => console.error(`# ${line}`)), skip: false };
	} catch (error) {
		if (!(error instanceof NoEngine)) throw error;
		return { skip: error.message };
	}
}
