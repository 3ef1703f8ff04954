// A pre-provisioning hook that only lets devices register whose serial number the factory has made. It does not stop a device from
// registering twice; docs/security.md shows a hook that does. `handler` is what a Lambda function exports. Run as a program, this
// file reads the request as JSON from standard input and prints the answer, which is how the local cloud (`fleet cloud --hook`)
// calls it.

import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** Serial numbers that the factory has made, one on each line. A real hook asks a database, and marks the number as used. */
const made = new Set(
	readFileSync(new URL("made.txt", import.meta.url), "utf8")
		.split("\n")
		.filter(Boolean),
);

/** @param {{ parameters: Record<string, string> }} request see AWS's developer guide, "Pre-provisioning hooks" */
export async function handler({ parameters }) {
	if (!made.has(parameters.SerialNumber)) return { allowProvisioning: false };
	return { allowProvisioning: true, parameterOverrides: { Batch: `b${parameters.SerialNumber.slice(0, 2)}` } };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	console.log(JSON.stringify(await handler(JSON.parse(await text(process.stdin)))));
