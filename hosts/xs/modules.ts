// What goes into flash: the device program and the bundled packages, as JavaScript modules for XS. Never bundles src/: its
// modules stay apart as in a Moddable build, so that the bytecode of each is known.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build, transform } from "esbuild";
import { buildPackages, bundles } from "../moddable/packages/build.js";
import { root } from "../moddable/packages/root.js";
import type { Module } from "./engine.js";

/** A module of src/ without its types, named by its path from the root without the ending. Preloaded. */
async function moduleOf(path: string): Promise<Module> {
	const name = relative(root, path).replace(/\.ts$/, "");
	const { code, map } = await transform(readFileSync(path, "utf8"), {
		loader: "ts",
		format: "esm",
		target: "es2022",
		sourcefile: relative(root, path),
		sourcemap: "external",
		tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
	});
	// A module that has only types has no code, and a source map that XS cannot read.
	return { name, source: code, preload: true, ...(code.trim() ? { map } : {}) };
}

/** The packages that `src/` imports, bundled for XS. Preloaded. */
async function packageModules(): Promise<Module[]> {
	await buildPackages();
	return bundles.map(({ specifier, path }) => ({
		name: specifier,
		source: readFileSync(path, "utf8"),
		preload: true,
	}));
}

/** Packages and device program, all preloaded. */
export async function firmware(): Promise<Module[]> {
	const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter(
		(file) =>
			// index.ts is for Node: on a device, each file is imported by its own name.
			file.endsWith(".ts") && file !== "index.ts",
	);
	const modules = await Promise.all(files.sort().map((file) => moduleOf(join(root, "src", file))));
	return [...(await packageModules()), ...modules];
}

/** TypeScript to be bundled, and the folder that its imports start from. */
export interface Source {
	readonly contents: string;
	readonly resolveDir: string;
}

/**
 * A module of this host that runs on the device. The numbers of kinds.ts are inlined, because XS would keep a stack slot for
 * each.
 */
async function ownModule(name: string, preload: boolean, source?: Source): Promise<Module> {
	const path = join(root, "hosts/xs/firmware", name);
	const { outputFiles } = await build({
		...(source === undefined ? { entryPoints: [`${path}.ts`] } : { stdin: { ...source, loader: "ts" } }),
		outfile: `${path}.js`,
		absWorkingDir: root,
		write: false,
		bundle: true,
		// What is given brings all that it imports.
		external: source === undefined ? ["../../../src/*", "./host.js", "./application.js"] : [],
		logLevel: "silent",
		format: "esm",
		target: "es2022",
		minifySyntax: true,
	});
	return { name: relative(root, path), source: outputFiles[0]!.text, preload };
}

/**
 * Everything that a simulated device in XS has in flash. Only `main` runs at power-on, because it uses the machine.
 * @param application exports `createApplication`, like firmware/application.ts. Default: that one, whose application runs
 *   outside, in Node.
 */
export async function deviceFirmware(application?: Source): Promise<Module[]> {
	return [
		...(await firmware()),
		await ownModule("host", true),
		await ownModule("application", true, application),
		await ownModule("main", false),
	];
}
