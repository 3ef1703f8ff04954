// Finds this package's folder, and from there its sources, for code that runs in Node: both as TypeScript in a checkout and
// compiled in dist/.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(folder: string): string {
	return existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));
}

/** Absolute path of the folder with this package's package.json. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));
