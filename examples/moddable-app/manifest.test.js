// Checks what can be checked of the app without the Moddable SDK: every path in its manifests leads to a file, and every module that
// its programs import is in a manifest or belongs to the SDK. `mcconfig -d -m` builds the app; the package's own `npm run sdk-tests`
// also runs it.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
/** Modules that belong to the SDK: see `declare module` in the package's hosts/moddable/types/. */
const ofTheSdk = ["mc/config", "timer"];

/** The manifest and those that it includes, except those of the SDK. */
function readManifests(path, variables = {}) {
	const manifest = JSON.parse(readFileSync(path, "utf8"));
	const folder = dirname(path);
	const known = { ...variables };
	for (const [name, value] of Object.entries(manifest.build ?? {}))
		known[name.replace(/ \?=$/, "")] ??= value.startsWith(".") ? join(folder, value) : value;
	const full = (text) => text.replace(/\$\((\w+)\)/g, (whole, name) => known[name] ?? whole);
	const isSdk = (text) => /\$\((MODDABLE|MODULES|BUILD)\)/.test(text);
	const includes = [manifest.include ?? []].flat().filter((include) => !isSdk(include));
	return [
		{ manifest, folder },
		...includes.flatMap((include) => {
			const name = full(include);
			return readManifests(name.startsWith(".") ? join(folder, name) : name, known);
		}),
	];
}

/** The file of each module in these manifests, by the name under which it is imported. */
function modulesOf(manifests) {
	const modules = new Map();
	for (const { manifest, folder } of manifests)
		for (const part of [manifest, manifest.platforms?.["..."] ?? {}])
			for (const [name, sources] of Object.entries(part.modules ?? {}))
				for (const source of [sources].flat()) {
					if (name === "~" || source.startsWith("$(")) continue;
					const path = join(folder, source);
					const files = readdirSync(dirname(path)).filter((file) =>
						source.endsWith("/*")
							? /\.(ts|js)$/.test(file)
							: new RegExp(`^${path.split("/").at(-1)}\\.(ts|js|c)$`).test(file),
					);
					assert.ok(files.length > 0, `${source}, which a manifest in ${folder} names, is no module`);
					for (const file of files)
						modules.set(name.replace("*", file.replace(/\.\w+$/, "")), join(dirname(path), file));
				}
	return modules;
}

for (const path of ["manifest.json", "javascript/manifest.json"])
	test(`${path}: every module that is imported is in a manifest`, () => {
		const manifests = readManifests(join(here, path));
		assert.equal(manifests.length, 2, "the app's manifest, and the firmware's");
		const modules = modulesOf(manifests);
		const { main, stack } = manifests[0].manifest.creation;
		assert.equal(stack, 512, "an overflow of the stack is a restart: see docs/firmware.md");
		for (const name of [main, "meter"]) {
			const imported = [...readFileSync(modules.get(name), "utf8").matchAll(/^import (?!type)[^"]*"([^"]+)";$/gm)].map(
				([, specifier]) => specifier.replace(/^\.\/(.*)\.js$/, "$1"),
			);
			for (const specifier of imported)
				assert.ok(modules.has(specifier) || ofTheSdk.includes(specifier), `${name} imports ${specifier}`);
		}
		for (const preloaded of manifests.flatMap(({ manifest }) => manifest.preload ?? []))
			assert.ok(modules.has(preloaded), `${preloaded} is preloaded`);
		for (const file of modules.values()) assert.ok(existsSync(file), file);
	});
