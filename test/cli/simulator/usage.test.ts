// Given a machine without the Moddable SDK, then `npm run simulator` explains itself all the same, and one line says what is missing.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import t from "tap";

const path = fileURLToPath(new URL("../../../hosts/cli/simulator.ts", import.meta.url));

/** Calls it as npm does, without an SDK. */
function simulator(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
	const { MODDABLE: _, ...env } = process.env;
	return new Promise((resolve) => {
		const child = execFile(process.execPath, ["--import", "tsx", path, ...args], { env }, (_error, stdout, stderr) =>
			resolve({ code: child.exitCode ?? -1, stdout, stderr }),
		);
	});
}

t.test("help needs no SDK", async (t) => {
	const { code, stdout, stderr } = await simulator("--help");
	t.equal(code, 0);
	t.equal(stderr, "");
	for (const option of ["--watch", "--memory", "--cuts", "--soak", "--seed", "--manifest", "--target"])
		t.match(stdout, option);
});

t.test("an option that there is not is told with the one that was probably meant", async (t) => {
	const { code, stdout, stderr } = await simulator("--wacht");
	t.equal(code, 2);
	t.equal(stdout, "");
	t.match(stderr, /^simulator: unknown option --wacht; did you mean --watch\? .*\n$/);
});

t.test("without the SDK it says what to install", async (t) => {
	for (const args of [[], ["--watch"], ["--memory"]]) {
		const { code, stderr } = await simulator(...args);
		t.equal(code, 1);
		t.match(stderr, /^MODDABLE is not set: .*\n$/);
	}
});
