/// <reference path="../../../hosts/moddable/types/certificates.d.ts" />
/// <reference path="../../../hosts/moddable/types/crypt.d.ts" />
/// <reference path="../../../hosts/moddable/types/globals.d.ts" />
/// <reference path="../../../hosts/moddable/types/sdk.d.ts" />
/// <reference path="../../../hosts/moddable/types/undeclared.d.ts" />
// Replaces the SDK's modules with the stand-ins, and adds to Node what XS has beyond the language. Import it before anything
// from hosts/moddable, which must then be imported dynamically.

import { randomBytes } from "node:crypto";
import { register } from "node:module";
import { machine } from "./chip.js";

const here = (name: string) => new URL(name, import.meta.url).href;
const stands = here("./modules.ts");
const arithmetic = here("../sdk.ts");
const root = here("../../../");

/** What each module of the SDK exports. */
const modules: Readonly<Record<string, string>> = {
	timer: `export { Timer as default } from "${stands}"`,
	time: `export { Time as default } from "${stands}"`,
	net: `export { Net as default } from "${stands}"`,
	sntp: `export { SNTP as default } from "${stands}"`,
	Resource: `export { Resource as default } from "${stands}"`,
	rng: `export { RNG as default } from "${stands}"`,
	file: `export { File, Directory } from "${stands}"`,
	crypt: `export { Digest } from "${arithmetic}"`,
	rsa: `export { RSA as default } from "${arithmetic}"`,
	curve: `export { Curve as default } from "${arithmetic}"`,
	ecp: `export { ECPoint as default } from "${arithmetic}"`,
	ecdsa: `export { ECDSA as default } from "${arithmetic}"`,
	mont: `export { Mont as default } from "${arithmetic}"`,
	hmac: `export { HMAC as default } from "${arithmetic}"`,
	"ssl/handshake": `export { handshake as default } from "${stands}"`,
	"ssl/session": `export { SSLSession as default } from "${stands}"`,
	"ssl/stream": `export { SSLStream as default } from "${stands}"`,
	"commodetto/Poco": `export { Poco as default } from "${stands}"`,
	"commodetto/parseBMF": `export { parseBMF as default } from "${stands}"`,
	"mc/config": `export { config as default } from "${stands}"`,
	"embedded:storage/key-value": `export { keyValue as default } from "${stands}"`,
	"embedded:network/interface/wifi": `export { WiFi as default } from "${stands}"`,
	"embedded:io/socket/tcp": `export { TCP as default } from "${stands}"`,
	"embedded:io/socket/tcp/tls": `export { TLSSocket as default } from "${stands}"`,
	// Each test chooses its machine.
	"fleet-provisioning/machine": `import { machine } from "${here("./chip.ts")}"; export const createMachine = () => machine.create()`,
};
const hooks = `
	const modules = ${JSON.stringify(modules)};
	const root = ${JSON.stringify(root)};
	const own = "fleet-provisioning/";
	export const resolve = (specifier, context, next) =>
		specifier in modules ? { url: "sdk:" + specifier, shortCircuit: true }
		: specifier.startsWith(own) ? next(root + specifier.slice(own.length) + ".ts", context)
		: next(specifier, context);
	export const load = (url, context, next) =>
		url.startsWith("sdk:") ? { format: "module", source: modules[url.slice(4)], shortCircuit: true } : next(url, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const functions: Readonly<Record<string, (...given: never[]) => unknown>> = {
	fleet_buildDate: () => "Nov 22 2026",
	fleet_wifiReason: () => machine.chip.reason,
	fleet_build: () => "0123456789abcdef",
	fleet_random: (count: number) => new Uint8Array(randomBytes(count)).buffer,
};
let line = "";
Object.assign(globalThis, {
	native: (name: string) => functions[name],
	trace: (...items: unknown[]) => {
		line += items.join("");
		const lines = line.split("\n");
		line = lines.pop()!;
		machine.chip.traced.push(...lines);
	},
	screen: {},
	System: {
		restart(): void {
			machine.chip.restarts += 1;
			machine.chip.powerOff();
		},
	},
});
Object.assign(ArrayBuffer, { fromString: (text: string) => new TextEncoder().encode(text).buffer });
Object.assign(ArrayBuffer.prototype, {
	concat(this: ArrayBuffer, ...others: ArrayBuffer[]) {
		return new Uint8Array(Buffer.concat([this, ...others].map((buffer) => Buffer.from(buffer)))).buffer;
	},
});
Date.now = () => machine.chip.now();
