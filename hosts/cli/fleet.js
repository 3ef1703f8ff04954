#!/usr/bin/env node
// The entry of the `fleet` command: runs the compiled command in an installed package, and the TypeScript sources in a checkout.
// Does nothing else.

import { existsSync } from "node:fs";

const load = async () => {
	if (!existsSync(new URL("fleet.ts", import.meta.url))) return import("../../dist/hosts/cli/fleet.js");
	const { register } = await import("tsx/esm/api");
	register();
	return import("./fleet.ts");
};
try {
	const { main } = await load();
	process.exitCode = await main(process.argv.slice(2));
} catch (error) {
	if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
	console.error("fleet: packages that this command needs are not installed: run npm install first");
	process.exitCode = 1;
}
