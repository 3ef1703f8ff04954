// Bundles the two npm packages that the device program uses into ES modules that XS can run from flash, in build/packages/.
// Never changes what the packages send or accept on the network.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, transform } from "esbuild";
import { cborReplacements, mqttReplacements, type Replacement } from "./replacements.js";
import { root } from "./root.js";

const shims = join(root, "hosts/moddable/packages/shims/");

interface Bundle {
	/** The specifier that `src/` imports. */
	readonly specifier: string;
	readonly path: string;
	readonly entry: string;
	readonly replacements: readonly Replacement[];
}

/** The bundles, which are ES modules. */
export const bundles: readonly Bundle[] = [
	{
		specifier: "cbor-x/index-no-eval",
		path: join(root, "build/packages/cbor-x.js"),
		entry: "cbor-x.js",
		replacements: cborReplacements,
	},
	{
		specifier: "mqtt-packet",
		path: join(root, "build/packages/mqtt-packet.js"),
		entry: "mqtt-packet.js",
		replacements: mqttReplacements,
	},
];

const TARGET = "es2022";

// Without Function, cbor-x generates no code at run time, as in its no-eval build.
const GONE = { "globalThis.Buffer": "undefined", Buffer: "undefined", Function: "undefined" };

/**
 * Writes mqtt-packet's numeric constants where they are used: each would cost bytecode and flash as a property, and its use
 * twice what a number costs.
 */
function withNumbers(code: string): string {
	const constants = createRequire(import.meta.url)("mqtt-packet/constants");
	const isNumber = (name: string) => typeof constants[name] === "number";
	return code
		.replace(/\b(?:protocol|constants)\.codes\.(\w+)/g, (_, name) => constants.codes[name])
		.replace(/genHeader\('(\w+)'\)/g, (_, name) => `genHeader(${constants.codes[name]})`)
		.replace(/^protocol\.(\w+) = .*\n/gm, (whole, name) => (isNumber(name) ? "" : whole))
		.replace(/\b(?:protocol|constants)\.(\w+)/g, (whole, name) => (isNumber(name) ? `${constants[name]}` : whole));
}

/**
 * Removes the texts of the packages' errors. The device program passes none of them on, because they may quote what came
 * from the network.
 */
const withoutTexts = (code: string): string =>
	code.replace(/new Error\((?:"[^"]*"(?: \+ (?:typeof )?\w+)?|`[^`]*`|constants\.\w+\[\w+\])\)/g, "new Error()");

/** Applies the replacements, and removes code that can no longer be reached. */
function replace(replacements: readonly Replacement[]): Plugin {
	return {
		name: "replace",
		setup({ onLoad }) {
			onLoad({ filter: /node_modules.(cbor-x|mqtt-packet).[a-zA-Z]+\.js$/ }, async ({ path }) => {
				let contents = readFileSync(path, "utf8");
				for (const { file, from, to } of replacements) {
					if (file !== basename(path)) continue;
					const replaced = contents.replace(from, to);
					if (replaced === contents) throw new Error(`${path} has changed: there is no ${from} in it any more`);
					contents = replaced;
				}
				if (path.includes("mqtt-packet")) contents = withNumbers(contents);
				const { code } = await transform(contents, { minifySyntax: true, target: TARGET, define: GONE });
				return { contents: withoutTexts(code) };
			});
		},
	};
}

/**
 * Declares variables that are never assigned again as `const`; esbuild declares all of them with `var`. XS keeps a pointer
 * in RAM for every variable of a module in flash that could change.
 */
async function withConstants(code: string): Promise<string> {
	const constant = code.replace(/^var (.+? = )/gm, "const $1");
	const { warnings } = await transform(constant, { target: TARGET });
	const changing = warnings.map(({ id, text }) => {
		if (id !== "assign-to-constant") throw new Error(text);
		return /"(\w+)"/.exec(text)![1]!;
	});
	return constant.replace(/^const (\w+) = /gm, (whole, name) => (changing.includes(name) ? `let ${name} = ` : whole));
}

/**
 * Type declarations for the bundles, so that TypeScript can check an app that includes the firmware's manifest. These are
 * the packages' own declarations as far as `src/` uses them, without the Node types, which XS does not have.
 */
function declarations(): Readonly<Record<string, string>> {
	const own = readFileSync(join(root, "node_modules/mqtt-packet/types/index.d.ts"), "utf8");
	const mqtt = own
		.replace("import EventEmitter = NodeJS.EventEmitter", "interface EventEmitter {}")
		.replace("import WritableStream = NodeJS.WritableStream", "interface WritableStream {}")
		.replaceAll("Buffer", "Uint8Array");
	if (mqtt.includes("NodeJS")) throw new Error("the declarations of mqtt-packet have changed");
	return {
		"build/packages/mqtt-packet.d.ts": mqtt,
		"build/packages/cbor-x.d.ts": `export declare class Decoder {
	constructor(options?: object);
	decode(bytes: Uint8Array): any;
}
export declare class Encoder extends Decoder {
	encode(value: unknown): Uint8Array;
}
`,
	};
}

/** Writes all bundles, in about a tenth of a second. */
export async function buildPackages(): Promise<void> {
	mkdirSync(join(root, "build/packages"), { recursive: true });
	for (const [path, text] of Object.entries(declarations())) keep(join(root, path), text);
	for (const { path, entry, replacements } of bundles) {
		const { outputFiles } = await build({
			entryPoints: [shims + entry],
			write: false,
			absWorkingDir: root,
			bundle: true,
			format: "esm",
			platform: "neutral",
			target: TARGET,
			legalComments: "inline",
			// replacements for the modules of Node and the globals of the web that the packages use; there are no others
			inject: [`${shims}text.js`],
			alias: {
				bl: `${shims}bl.js`,
				buffer: `${shims}buffer.js`,
				events: `${shims}events.js`,
			},
			define: GONE,
			plugins: [replace(replacements)],
			logLevel: "warning",
		});
		keep(path, await withConstants(outputFiles[0]!.text));
	}
}

/** Writes a file in one step, and only if it has changed, because another build may be reading it. */
function keep(path: string, text: string): void {
	if (existsSync(path) && readFileSync(path, "utf8") === text) return;
	const fresh = `${path}.${process.pid}`;
	writeFileSync(fresh, text);
	renameSync(fresh, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPackages();
