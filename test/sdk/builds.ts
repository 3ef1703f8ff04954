// `npm run sdk-builds [-- --platform NAME]…`: runs the real mcconfig on the firmware, for the simulator and each kind of
// ESP32, with -d and without, and on two examples. Prints a table of warnings and sizes. Fails if mcconfig fails, or if the
// linker gives a warning about our code that docs/firmware.md does not list. For an ESP32 it covers everything that the SDK
// itself compiles and links, which is the XS part. The C code needs ESP-IDF.

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { atEnd, findSdk, runToEnd, SimulatorError } from "../../hosts/cli/simulator/desktop.js";
import { ownFolder } from "../../hosts/cli/simulator/own-folder.js";
import { buildPackages } from "../../hosts/moddable/packages/build.js";
import { root } from "../../hosts/moddable/packages/root.js";

const PLATFORMS = ["lin", "sim/moddable_one", "esp32", "esp32/esp32c3", "esp32/esp32s3", "esp32/esp32c6"];
/** Each manifest, and the platforms that it is built for. */
const BUILDS = [
	["manifest.json", PLATFORMS],
	["examples/moddable-app/manifest.json", ["esp32"]],
	["examples/product/manifest.json", ["esp32", "esp32/esp32c3"]],
] as const;
/** Size of a slot on an ESP32 in bytes. */
const SLOT = 16;

/** Variables of cbor-x that change while it encodes or decodes: see docs/firmware.md. */
const STATE =
	/^cbor-x\/index-no-eval: .* (src|srcEnd|position2?|dataView|currentDecoder|arrayAllocationBudget|target|targetView|safeEnd): no const$/;

interface Outcome {
	readonly code: number;
	readonly printed: string;
}

/** A stand-in for ESP-IDF that has nothing but a version, for machines without ESP-IDF. */
function standIn(): Record<string, string> {
	const folder = mkdtempSync(join(tmpdir(), "fleet-idf-"));
	atEnd(() => rmSync(folder, { recursive: true, force: true }));
	const git = (...args: string[]) =>
		spawnSync("git", ["-C", folder, "-c", "user.name=x", "-c", "user.email=x", ...args]);
	git("init", "-q");
	git("commit", "-q", "--allow-empty", "-m", "none");
	git("tag", "v6.0");
	const tool = join(folder, "idf.py");
	writeFileSync(
		tool,
		'#!/bin/sh\nfor a; do case $a in SDKCONFIG_HEADER=*) h=$(echo "$a" | cut -d= -f2); mkdir -p "$(dirname "$h")"; : > "$h";; esac; done\n',
	);
	chmodSync(tool, 0o755);
	return { IDF_PATH: folder, PATH: [folder, process.env.PATH].join(delimiter) };
}

function run(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<Outcome> {
	return new Promise((resolve, reject) => {
		const child = spawn("mcconfig", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
		atEnd(() => child.kill());
		let printed = "";
		for (const stream of [child.stdout, child.stderr])
			stream.setEncoding("utf8").on("data", (text) => {
				printed += text;
			});
		child.once("error", reject);
		child.once("close", (code) => resolve({ code: code ?? 1, printed }));
	});
}

/** The sizes in the image that the linker has made, which XS runs from flash. */
function sizes(path: string): { readonly bytecode: number; readonly heap: number; readonly aliases: number } {
	const text = readFileSync(path, "utf8");
	const count = (name: string) => Number(new RegExp(`#define ${name} (\\d+)`).exec(text)?.[1]);
	// A module is in one piece if something of it is needed at run time; otherwise each of its functions is separate.
	const modules = [...text.matchAll(/^static const txU1 gxCode\d+\[(\d+)\];$/gm)].map(([, bytes]) => Number(bytes));
	const functions = new Set(
		[...text.matchAll(/\.code = \{ \(txByte\*\)"((?:\\x[0-9a-f]{2})*)"/g)].map(([, code]) => code!),
	);
	return {
		bytecode: [...modules, ...[...functions].map((code) => code.length / 4)].reduce((sum, bytes) => sum + bytes, 0),
		heap: count("mxHeapCount") * SLOT,
		aliases: count("mxAliasCount") * 4,
	};
}

/** The folder for mcconfig's intermediate files. */
function temporary(output: string, platform: string, debug: boolean, name: string): string {
	const [kind, board] = platform.split("/");
	const folders = kind === "esp32" ? ["esp32", ...(board ? [board] : [])] : ["lin", board ?? "mc"];
	return join(output, "tmp", ...folders, debug ? "debug" : "release", name);
}

async function main(): Promise<void> {
	const { tools } = findSdk();
	const { values } = parseArgs({ options: { platform: { type: "string", multiple: true, default: PLATFORMS } } });
	await buildPackages();
	const output = await ownFolder(join(root, "build"), "sdk-builds");
	mkdirSync(output, { recursive: true });
	const claim = mkdtempSync(join(tmpdir(), "fleet-claim-"));
	atEnd(() => rmSync(claim, { recursive: true, force: true }));
	// The certificate is never used: it only has to exist.
	writeFileSync(join(claim, "root.der"), new Uint8Array([0x30, 0]));
	const path = [join(root, "node_modules/.bin"), tools, process.env.PATH].join(delimiter);
	const base = { ...process.env, PATH: path, FLEET_CLAIM: claim, FLEET_PACKAGE: root };
	const idf = process.env.IDF_PATH ? {} : standIn();
	if (idf.IDF_PATH) {
		console.log(
			"IDF_PATH is not set: for an ESP32, modules are compiled and linked by XS, and its settings are not made",
		);
		idf.PATH = [idf.IDF_PATH, path].join(delimiter);
	}
	const settings = ["endpoint=e", "template=t", "ssid=s", "password=p"];

	let wrong = 0;
	console.log(
		"| manifest | platform | build | warnings: ours, cbor-x's state, the SDK's | bytecode | slots | RAM for aliases |",
	);
	console.log("|---|---|---|---|---|---|---|");
	for (const [manifest, platforms] of BUILDS) {
		const { NAME } = JSON.parse(readFileSync(join(root, manifest), "utf8")).build;
		for (const platform of platforms.filter((name) => values.platform.includes(name)))
			for (const debug of [true, false]) {
				const isEsp32 = platform.startsWith("esp32");
				const image = join(temporary(output, platform, debug, NAME), "mc.xs.c");
				const { code, printed } = await run({ ...base, ...(isEsp32 && idf) }, [
					...(debug ? ["-d"] : []),
					...["-m", "-p", platform, "-o", output, "-t", isEsp32 ? image : "build"],
					...settings,
					join(root, manifest),
				]);
				const warnings = [...printed.matchAll(/^### warning: (.*)$/gm)].map(([, text]) => text!);
				const state = warnings.filter((text) => STATE.test(text));
				const ours = warnings.filter((text) => /^(fleet-provisioning|cbor-x|mqtt-packet|main|update)\b/.test(text));
				const others = warnings.length - ours.length + [...printed.matchAll(/: warning: /g)].length;
				const unlisted = ours.filter((text) => !STATE.test(text));
				const { bytecode, heap, aliases } = code === 0 ? sizes(image) : { bytecode: 0, heap: 0, aliases: 0 };
				const number = (value: number) => value.toLocaleString("en");
				console.log(
					`| \`${manifest}\` | ${platform} | ${debug ? "debug" : "release"} | ${code === 0 ? `${unlisted.length}, ${state.length}, ${others}` : `FAILED (${code})`} | ${number(bytecode)} | ${number(heap)} | ${number(aliases)} |`,
				);
				if (code === 0 && unlisted.length === 0) continue;
				wrong += 1;
				console.log(code === 0 ? unlisted.join("\n") : printed.split("\n").slice(-15).join("\n"));
			}
	}
	if (wrong > 0) throw new SimulatorError(`${wrong} builds are not as they should be`);
}

await runToEnd(main);
