// How many instructions a TLS handshake of the device takes on the SDK's own modules, by the kind of the client's key, and which
// share of them is the device's own check of the server. Counted by callgrind around the SDK's desktop simulator. For ratios: an
// instruction of this machine is not one of an ESP32.

import { KeyObject } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { buildProgram, findSdk, startProgram } from "../../hosts/cli/simulator/desktop.js";
import { ownFolder } from "../../hosts/cli/simulator/own-folder.js";
import { buildPackages } from "../../hosts/moddable/packages/build.js";
import { root } from "../../hosts/moddable/packages/root.js";
import { EC, issue, type Party, RSA } from "../moddable/parties.js";
import { reasonNot } from "./instructions.js";
import { median, round } from "./statistics.js";
import type { ClientKey, TlsCases } from "./tls/cases.js";

const KINDS = ["RSA-2048", "P-256"] as const satisfies readonly ClientKey[];

/** Millions of instructions, medians. */
export interface HandshakeCost {
	readonly clientKey: ClientKey;
	/** From opening the socket until TLS is up. */
	readonly handshake: number;
	/** Of these, the device's own check of the server: chain, names, dates, order of messages, signed key exchange. */
	readonly judging: number;
}

/** Why this cannot be measured here; undefined where it can. */
export function whyNotTls(): string | undefined {
	if (!process.env.MODDABLE) return "MODDABLE is not set";
	return reasonNot();
}

const pem = (...parties: readonly Party[]) =>
	parties
		.map(
			({ certificate }) =>
				`-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64")}\n-----END CERTIFICATE-----\n`,
		)
		.join("");
const keyOf = ({ keys }: Party, format: "pem" | "der") =>
	KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: format as "pem" });
const hex = (bytes: Uint8Array | string) => Buffer.from(bytes as Uint8Array).toString("hex");

/** `runs` handshakes with each kind of key, taking turns. @throws SimulatorError when the simulator cannot be built or run */
export async function measureTls(runs: number, log: (line: string) => void): Promise<HandshakeCost[]> {
	findSdk();
	// As with AWS: a server below one authority below a root, all RSA-2048.
	const authority = await issue("Root", undefined, { ca: true, algorithm: RSA });
	const intermediate = await issue("Intermediate", authority, { ca: true, algorithm: RSA });
	const names = [{ type: "ip" as const, value: "127.0.0.1" }];
	const given = await issue("server", intermediate, { names, algorithm: RSA });
	const server = createServer(
		{
			cert: pem(given, intermediate),
			key: keyOf(given, "pem"),
			requestCert: true,
			rejectUnauthorized: true,
			ca: pem(authority),
			maxVersion: "TLSv1.2",
		},
		(socket) => socket.on("error", () => {}).resume(),
	);
	server.on("tlsClientError", () => {});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const folder = mkdtempSync(join(tmpdir(), "bench-tls-"));
	try {
		const clients = Object.fromEntries(
			await Promise.all(
				KINDS.map(async (kind) => {
					const device = await issue("device", authority, { algorithm: kind === "RSA-2048" ? RSA : EC });
					return [kind, { certificate: hex(device.certificate), key: hex(keyOf(device, "der")) }] as const;
				}),
			),
		) as TlsCases["clients"];
		// The first of each warms up.
		const plan = Array.from({ length: runs + 1 }, () => KINDS).flat();
		const { port } = server.address() as AddressInfo;
		const cases: TlsCases = { port, roots: [hex(authority.certificate)], clients, plan };
		mkdirSync(join(root, "build/bench-tls"), { recursive: true });
		writeFileSync(join(root, "build/bench-tls/cases.js"), `export default ${JSON.stringify(cases)};\n`);
		log("tls: builds a program for the simulator");
		await buildPackages();
		// In the folder of `npm run simulator`, where XS is compiled already.
		const program = await buildProgram({
			output: await ownFolder(join(root, "build"), "simulator"),
			manifest: join(root, "test/bench/tls/manifest.json"),
			platform: "sim/moddable_one",
		});
		log(`tls: ${plan.length} handshakes under callgrind`);
		const stretches = await play(program, folder);
		return sum(stretches, profiles(folder), plan);
	} finally {
		server.close();
		rmSync(folder, { recursive: true });
	}
}

/** Runs the program under callgrind, and returns what its stretches were spent on. */
async function play(program: string, folder: string): Promise<string[]> {
	const stretches: string[] = [];
	let finish = () => {};
	const done = new Promise<void>((resolve) => {
		finish = resolve;
	});
	const failed: string[] = [];
	const running = await startProgram(program, {
		folder,
		under: [
			"valgrind",
			"--tool=callgrind",
			"-q",
			"--dump-before=fx_Math_hypot",
			`--callgrind-out-file=${folder}/profile`,
		],
		exceptions: false,
		onLine(line) {
			if (line.startsWith("stretch ")) stretches.push(line.slice("stretch ".length));
			else if (line.startsWith("failed ")) failed.push(line);
			if (line === "done" || line.startsWith("failed ")) finish();
		},
	});
	try {
		await Promise.race([done, running.ended]);
	} finally {
		await running.kill();
	}
	if (failed.length > 0) throw new Error(failed[0]);
	return stretches;
}

/** Instructions of each profile, in order. */
function profiles(folder: string): number[] {
	const counts: number[] = [];
	for (const name of readdirSync(folder)) {
		const part = /^profile\.(\d+)$/.exec(name)?.[1];
		if (part === undefined) continue;
		counts[Number(part) - 1] = Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(join(folder, name), "utf8"))![1]);
	}
	return counts;
}

function sum(stretches: readonly string[], counts: readonly number[], plan: readonly ClientKey[]): HandshakeCost[] {
	if (counts.length < stretches.length || stretches.length === 0)
		throw new Error(`callgrind wrote ${counts.length} profiles for ${stretches.length} stretches`);
	const total = (index: number, kind: ClientKey, judging: boolean) =>
		stretches.reduce((sum, what, i) => {
			const name = `${index} ${kind}`;
			return what === `${name} judging` || (!judging && what === name) ? sum + counts[i]! : sum;
		}, 0) / 1e6;
	return KINDS.map((clientKey) => {
		const played = [...plan.keys()].filter((index) => index >= KINDS.length && plan[index] === clientKey);
		const middle = (judging: boolean) => round(median(played.map((index) => total(index, clientKey, judging))), 1);
		return { clientKey, handshake: middle(false), judging: middle(true) };
	});
}
