#!/usr/bin/env node
// The `fleet` command's way in: the compiled command in an installed package, the TypeScript sources in a checkout.
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
	console.error("fleet: what this command needs is not installed: run npm install first");
	process.exitCode = 1;
}
