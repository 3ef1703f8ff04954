// The version of this package, which the simulated firmware has as well, and `fleet version`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../moddable/packages/root.js";
import { command } from "./command.js";

export const version = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;

export const versionCommand = command({
	options: { json: { type: "boolean", help: "print one JSON object, with Node's version and the platform as well" } },
	async run({ json }) {
		const { version: node, platform, arch } = process;
		console.log(json ? JSON.stringify({ version, node: node.slice(1), platform, arch }, undefined, "\t") : version);
		return 0;
	},
});
