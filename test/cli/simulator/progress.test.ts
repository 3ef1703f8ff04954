// Given what mcconfig and make say, then people hear how far a build is, and nothing that only takes a second.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { buildSteps } from "../../../hosts/cli/simulator/progress.js";

const makefile = [
	"a.xsb: a.js",
	'\t@echo "# xsc" a',
	"\txsc a.js",
	"b.c.o: b.c",
	'\t@echo "# cc" b.c',
	"\t$(CC) b.c",
].join("\n");

t.test("the first build is counted against all that there is to do, XS included", async (t) => {
	const folder = t.testdir({ makefile });
	const step = buildSteps(join(folder, "makefile"), folder);
	t.equal(step("/a/warning: something"), undefined);
	t.equal(step("# xsc a.xsb"), "1 of 46 (xsc a.xsb)");
	t.equal(step("# cc xsRun.c"), "2 of 46 (cc xsRun.c)");
});

t.test("a later build makes what has changed only, and does not say of how many", async (t) => {
	const folder = t.testdir({ makefile });
	mkdirSync(join(folder, "debug/lib"), { recursive: true });
	writeFileSync(join(folder, "debug/lib/xsRun.c.o"), "");
	t.equal(buildSteps(join(folder, "makefile"), folder)("# xsc a.xsb"), "1 (xsc a.xsb)");
});
