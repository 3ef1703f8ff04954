// Bundles the two npm packages that the device program uses into ES modules that XS can run from flash: build/packages/.
// Never changes what they put on the wire; each replacement below says why it is made and must still find its place.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../..", import.meta.url));

interface Replacement {
	readonly file: string;
	readonly from: string | RegExp;
	readonly to: string;
}

interface Bundle {
	/** What `src/` imports it by. */
	readonly specifier: string;
	readonly path: string;
	readonly entry: string;
	readonly replacements: readonly Replacement[];
}

/** The bundles, as ES modules, by the specifier that `src/` imports. */
export const bundles: readonly Bundle[] = [
	{
		specifier: "cbor-x/index-no-eval",
		path: `${root}build/packages/cbor-x.js`,
		entry: "cbor-x.js",
		replacements: [
			// In firmware no function has a name: `TypedArray.name` is undefined.
			{
				file: "decode.js",
				from: "TypedArray.name.slice(0, -5)",
				to: '["Uint8", "Uint8Clamped", "Uint16", "Uint32", "BigUint64", "Int8", "Int16", "Int32", "BigInt64", "Float32", "Float64"][typedArrays.indexOf(TypedArray)]',
			},
			// fromCharCode.apply takes a stack slot for each character, and there are 384: XS decodes all but short text.
			{ file: "decode.js", from: "if (length > 64 && decoder)", to: "if (length > 15 && decoder)" },
			{ file: "decode.js", from: "srcEnd < 140 && token < 32", to: "srcEnd < 140 && token < 16" },
			// The buffer that requests are put together in stays for good. 2.5 KB do, and it grows when they do not.
			{ file: "encode.js", from: "new ByteArrayAllocate(8192)", to: "new ByteArrayAllocate(2560)" },
			{ file: "encode.js", from: "new DataView(target.buffer, 0, 8192)", to: "new DataView(target.buffer, 0, 2560)" },
		],
	},
	{
		specifier: "mqtt-packet",
		path: `${root}build/packages/mqtt-packet.js`,
		entry: "mqtt-packet.js",
		replacements: [
			// A buffer is kept for every length that a packet ever had: on a device, a leak.
			{ file: "writeToStream.js", from: "if (num < 16384) varByteIntCache[num] = buffer", to: "" },
			// Payloads are plain Uint8Arrays on the device.
			{ file: "generate.js", from: "list[i].copy(result, pos)", to: "result.set(list[i], pos)" },
			// Arguments of debug() would be made only to be dropped.
			{ file: "writeToStream.js", from: /^\s*debug\(.*\)$/gm, to: "" },
			{ file: "parser.js", from: /^\s*debug\(.*\)$/gm, to: "" },
		],
	},
];

function replace(replacements: readonly Replacement[]): Plugin {
	return {
		name: "replace",
		setup({ onLoad }) {
			onLoad({ filter: /node_modules.(cbor-x|mqtt-packet).[a-zA-Z]+\.js$/ }, ({ path }) => {
				let contents = readFileSync(path, "utf8");
				for (const { file, from, to } of replacements) {
					if (file !== basename(path)) continue;
					const replaced = contents.replace(from, to);
					if (replaced === contents) throw new Error(`${path} has changed: no ${from} in it any more`);
					contents = replaced;
				}
				return { contents };
			});
		},
	};
}

/** Writes all bundles. A tenth of a second. */
export async function buildPackages(): Promise<void> {
	for (const { path, entry, replacements } of bundles)
		await build({
			entryPoints: [here + entry],
			outfile: path,
			absWorkingDir: root,
			bundle: true,
			format: "esm",
			platform: "neutral",
			mainFields: ["main"],
			target: "es2022",
			minifySyntax: true,
			legalComments: "inline",
			// what there is of Node and of the web: nothing but these
			inject: [`${here}text.js`],
			alias: {
				bl: `${here}bl.cjs`,
				buffer: `${here}buffer.js`,
				debug: `${here}debug.cjs`,
				events: `${here}events.js`,
				"process-nextick-args": `${here}nextTick.js`,
			},
			// with Function gone, cbor-x writes no code at run time; that is what its no-eval build is
			define: { "globalThis.Buffer": "undefined", Buffer: "undefined", Function: "undefined" },
			plugins: [replace(replacements)],
			logLevel: "warning",
		});
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPackages();
