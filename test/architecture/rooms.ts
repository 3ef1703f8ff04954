// Which folder may import which. The test beside this file holds the code to it, and the pictures in the documentation are
// drawn from it.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder of sources; folders below it without a room of their own belong to it. */
export interface Room {
	/** What it is for, in a few words. */
	readonly about: string;
	/** The rooms whose files its own may import. Each stands further down in this list, so that no import goes in a circle. */
	readonly imports: readonly string[];
	/** The npm packages it may import; `node` stands for Node's own modules. */
	readonly packages?: readonly string[];
}

/** All rooms, from the top of the house to the bottom. */
export const rooms: Readonly<Record<string, Room>> = {
	"hosts/cli": {
		about: "the fleet command",
		imports: ["hosts/xs", "hosts/moddable/packages", "hosts/node", "hosts/cloud", "src"],
		packages: ["node", "mqtt-packet", "node-forge", "tsx"],
	},
	"hosts/xs": {
		about: "the real XS engine in an ESP32's memory, on your desk",
		imports: ["hosts/moddable/packages", "hosts/node", "src"],
		packages: ["node", "esbuild"],
	},
	"hosts/moddable": {
		about: "the ESP32 itself, and the Moddable SDK's desktop simulator",
		imports: ["src"],
		packages: ["Moddable SDK"],
	},
	"hosts/moddable/packages": {
		about: "bundles cbor-x and mqtt-packet for XS",
		imports: [],
		packages: ["node", "esbuild", "cbor-x", "mqtt-packet"],
	},
	"hosts/node": {
		about: "a simulated ESP32 in a Node process",
		imports: ["src"],
		packages: ["node", "@peculiar/x509", "reflect-metadata"],
	},
	"hosts/cloud": {
		about: "a local AWS IoT; shares no code with src",
		imports: [],
		packages: [
			"node",
			"@peculiar/x509",
			"aedes",
			"ajv",
			"cborg",
			"lmdb",
			"mqtt-packet",
			"node-forge",
			"reflect-metadata",
			"ws",
			"yaml",
		],
	},
	src: { about: "the device program, the same on every host", imports: [], packages: ["cbor-x", "mqtt-packet"] },
};

/** The floors of a room: folders within it, again from the top to the bottom, each of which may import those below it. */
export const floors: Readonly<Record<string, readonly (readonly [folder: string, about: string])[]>> = {
	src: [
		["", "boot: power-on, and one step after the other"],
		["life", "the states of a device, a file for each step"],
		["provisioning", "the calls of fleet provisioning"],
		["mqtt", "one MQTT connection"],
		["identity", "what lies in flash; keys and certificates"],
		["contract", "what a host and an application see of the program"],
		["base", "failures, bounds on foreign bytes, text, pauses"],
	],
	"hosts/cloud": [
		["", "the cloud, put together"],
		["setup", "what an account begins with, from a file"],
		["gate", "WebSocket and HTTPS: who a client is that has no certificate of the account"],
		["control", "the HTTP control plane"],
		["jobs", "AWS IoT Jobs over MQTT and HTTPS"],
		["shadow", "device shadows over MQTT and HTTPS"],
		["console", "the web page, and what it asks"],
		["mqtt", "listener, gate, broker, sessions, authorization"],
		["provisioning", "fleet provisioning over MQTT, and its hook"],
		["pki", "the certificate authority"],
		["registry", "things, certificates, policies, templates"],
		["template", "the language of provisioning templates"],
		["policy", "the language of IoT policies"],
		["state", "what survives a restart"],
		["base", "settings, events, errors, throttles, sample documents"],
	],
	"hosts/moddable": [
		["display", "a screen that shows the device's life; optional"],
		["esp32", "what the ESP32 has of its own"],
		["simulator", "what the simulator has of its own"],
		["", "start, host, clock, claim"],
		["tls", "the SDK's TLS, watched and completed"],
	],
	"hosts/xs": [
		["", "engine, device, channel"],
		["firmware", "what runs inside XS"],
	],
};

/** One import between two files of the repository, or of a package. */
export interface Import {
	readonly from: string;
	/** A path from the root of the repository, or the name of a package (`node` for Node's own modules). */
	readonly to: string;
	readonly isPackage: boolean;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Every static and dynamic import in src/ and hosts/, of code and of types. */
export function readImports(): Import[] {
	return ["src", "hosts"]
		.flatMap((folder) =>
			readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
		)
		.filter((file) => /\.(ts|js|cjs)$/.test(file) && !file.endsWith(".d.ts"))
		.flatMap((from) => {
			// An example in a comment imports nothing.
			const source = readFileSync(join(root, from), "utf8").replace(/^[ \t]*\/\*\*[\s\S]*?\*\//gm, "");
			const specifiers = source.matchAll(/\b(?:from|import|require)\b\s*\(?\s*"([^"\n]+)"/g);
			return [...specifiers].map(([, specifier]): Import => {
				if (specifier!.startsWith("."))
					return { from, to: normalize(join(dirname(from), specifier!)), isPackage: false };
				const name = specifier!.startsWith("node:")
					? "node"
					: specifier!.split("/", specifier!.startsWith("@") ? 2 : 1).join("/");
				return { from, to: name, isPackage: true };
			});
		});
}

/** The room of a file, and the index of its floor in that room (-1 in a room without floors). */
export function placeOf(file: string): { readonly room: string; readonly floor: number } | undefined {
	const within = (folder: string) => file.startsWith(`${folder}/`);
	const room = Object.keys(rooms)
		.filter(within)
		.sort((a, b) => b.length - a.length)[0];
	if (room === undefined) return undefined;
	const rest = file.slice(room.length + 1);
	const folder = rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : "";
	const floor = floors[room]?.findIndex(([name]) => name === folder) ?? -1;
	return { room, floor };
}
