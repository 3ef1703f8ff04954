// The shell script is run as a pipeline would run it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

test("pipeline.sh provisions, sees the refusal, resets, and does it again", async () => {
	const { stdout } = await promisify(execFile)(fileURLToPath(new URL("pipeline.sh", import.meta.url)));
	assert.match(stdout, /both rounds passed\n$/);
});
