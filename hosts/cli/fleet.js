#!/usr/bin/env node
// The `fleet` command's way in: lets Node read TypeScript, then hands over to fleet.ts. Does nothing else.

try {
	const { register } = await import("tsx/esm/api");
	register();
} catch (error) {
	if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
	console.error("fleet: what this command needs is not installed: run npm install first");
	process.exit(1);
}
const { main } = await import("./fleet.ts");
process.exitCode = await main(process.argv.slice(2));
