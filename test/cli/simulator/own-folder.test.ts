// Given several processes that build at the same time, then each has a folder of its own, and one that has ended leaves its folder to the next.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { ownFolder } from "../../../hosts/cli/simulator/own-folder.js";

const module = fileURLToPath(new URL("../../../hosts/cli/simulator/own-folder.ts", import.meta.url));
const linux = process.platform === "linux" ? {} : { skip: "abstract sockets exist on Linux only" };

/** Another process that takes a folder, says which, and keeps it until it is killed. */
async function another(t: Test, parent: string): Promise<{ folder: string; kill(): Promise<void> }> {
	const program = `
		const { ownFolder } = await import(process.argv[1]);
		console.log(await ownFolder(process.argv[2], "built"));
		setInterval(() => {}, 60_000);`;
	const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program, module, parent], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	t.teardown(() => child.kill("SIGKILL"));
	const [line] = await once(child.stdout.setEncoding("utf8"), "data");
	return {
		folder: line.trim(),
		async kill() {
			child.kill("SIGKILL");
			await once(child, "exit");
		},
	};
}

t.test("the second run gets another folder, and a run after a kill -9 gets the first again", linux, async (t) => {
	const parent = t.testdir();
	const first = await another(t, parent);
	t.equal(first.folder, join(parent, "built"));
	t.equal(await ownFolder(parent, "built"), join(parent, "built-2"));
	t.equal(await ownFolder(parent, "built"), join(parent, "built-3"));
	await first.kill();
	t.equal(await ownFolder(parent, "built"), join(parent, "built"));
});

t.test("runs in different clones have nothing to do with each other", linux, async (t) => {
	const parents = ["one", "other"].map((clone) => join(t.testdirName, clone));
	for (const parent of parents) t.equal(await ownFolder(parent, "built"), join(parent, "built"));
});
