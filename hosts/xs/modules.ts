// What is burnt into flash: the device program and the bundled packages, as JavaScript modules for XS.
// Never bundles src/: module by module as in a Moddable build, so that the bytecode of each is known.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { buildPackages, bundles } from "../moddable/packages/build.js";
import type { Module } from "./engine.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** One module of the project, its types stripped; named by its path from the root, without the ending. */
export async function moduleOf(path: string, preload = true): Promise<Module> {
	const name = relative(root, path).replace(/\.(ts|js)$/, "");
	const { code, map } = await transform(readFileSync(path, "utf8"), {
		loader: path.endsWith(".ts") ? "ts" : "js",
		format: "esm",
		target: "es2022",
		sourcefile: relative(root, path),
		sourcemap: "external",
		tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
	});
	return { name, source: code, map, preload };
}

/** The packages that `src/` imports, bundled for XS; preloaded. */
export async function packageModules(): Promise<Module[]> {
	await buildPackages();
	return bundles.map(({ specifier, path }) => ({
		name: specifier,
		source: readFileSync(path, "utf8"),
		preload: true,
	}));
}

/** Packages and device program; all preloaded. */
export async function firmware(): Promise<Module[]> {
	const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
	const modules = await Promise.all(files.sort().map((file) => moduleOf(join(root, "src", file))));
	return [...(await packageModules()), ...modules];
}

/** Everything a simulated device in XS has in flash. Only `main` is run at power-on, as it touches the machine. */
export async function deviceFirmware(): Promise<Module[]> {
	const here = join(dirname(fileURLToPath(import.meta.url)), "firmware");
	const own = await Promise.all(
		["kinds.ts", "host.ts", "application.ts", "main.ts"].map((file) => moduleOf(join(here, file), file !== "main.ts")),
	);
	return [...(await firmware()), ...own];
}
