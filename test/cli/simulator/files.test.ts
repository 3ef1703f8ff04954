// Given folders that are watched, then a change is told once, when it is over, and what is made or installed does not count.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { watchFiles } from "../../../hosts/cli/simulator/files.js";

t.test("a file that changes, comes or goes is told of by its name", async (t) => {
	const folder = t.testdir({ "a.ts": "1", deep: { "b.ts": "1" }, node_modules: { "c.js": "1" } });
	const told: string[] = [];
	let heard = () => {};
	const files = watchFiles(
		[folder],
		(file) => {
			told.push(file);
			heard();
		},
		20,
	);
	t.teardown(() => files.close());
	const next = (change: () => void) =>
		new Promise<string>((resolve) => {
			const count = told.length;
			heard = () => told.length > count && resolve(told.at(-1)!);
			change();
		});
	t.match(await next(() => writeFileSync(join(folder, "deep/b.ts"), "22")), /deep.b\.ts$/);
	t.match(await next(() => writeFileSync(join(folder, "new.c"), "")), /new\.c$/);
	t.match(await next(() => rmSync(join(folder, "a.ts"))), /a\.ts$/);
	mkdirSync(join(folder, "build"));
	writeFileSync(join(folder, "build/made.js"), "1");
	writeFileSync(join(folder, "node_modules/c.js"), "22");
	writeFileSync(join(folder, ".b.ts.swp"), "1");
	t.match(await next(() => writeFileSync(join(folder, "last.ts"), "1")), /last\.ts$/);
	t.equal(told.length, 4, "and of nothing else");
});
