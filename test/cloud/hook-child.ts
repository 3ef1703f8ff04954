// Asks a hook that is a command when no file can be opened any more. Prints the answer. Run with a small limit of open files.

import { closeSync, openSync } from "node:fs";
import { defaultSettings } from "../../hosts/cloud/base/settings.js";
import { askHook, type HookInput } from "../../hosts/cloud/provisioning/hook.js";

const ask = () => askHook({ targetArn: "a" }, { a: "cat" }, {} as HookInput, defaultSettings().hook);
const open: number[] = [];
try {
	for (;;) open.push(openSync("/dev/null", "r"));
} catch {
	// That was the last.
}
const answer = await ask();
for (const descriptor of open) closeSync(descriptor);
console.log(JSON.stringify(answer));
