// Where this package lies: its sources are found from there by whatever runs in Node, as TypeScript in a checkout and
// compiled in dist/ alike.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(folder: string): string {
	return existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));
}

/** Absolute path of the folder that holds this package's package.json. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));
