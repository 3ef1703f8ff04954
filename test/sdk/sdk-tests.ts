// `npm run sdk-tests -- [--count N] [--seed N]`: tests the device's host in XS, with the Moddable SDK's own modules, in its
// desktop simulator. Covers clock, flash and claim; the handshake checks and the socket, with certificate chains, servers
// that violate TLS, and mutated certificates; then examples/moddable-app, up to its first message. `npm test` has the same
// cases with stand-ins for the SDK.

import { spawn } from "node:child_process";
import { KeyObject } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join, relative } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { parseArgs } from "node:util";
import {
	atEnd,
	buildProgram,
	findSdk,
	runToEnd,
	SimulatorError,
	startProgram,
} from "../../hosts/cli/simulator/desktop.js";
import { ownFolder } from "../../hosts/cli/simulator/own-folder.js";
import { buildPackages } from "../../hosts/moddable/packages/build.js";
import { root } from "../../hosts/moddable/packages/root.js";
import { makeChains, WILD } from "../moddable/chains.js";
import { chain, EC, issue, type Party, RSA, record, serverHello } from "../moddable/parties.js";
import { vectors } from "../moddable/rfc6979.js";
import { KEY_KINDS } from "../support/credentials.js";
import type { Cases, ServerCase } from "./cases.js";

const EC_KINDS = ["P-256", "P-384"] as const;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const pem = (party: Party) =>
	`-----BEGIN CERTIFICATE-----\n${Buffer.from(party.certificate).toString("base64")}\n-----END CERTIFICATE-----\n`;
const keyOf = ({ keys }: Party, format: "pem" | "der") =>
	KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: format as "pem" });

function listen(server: {
	listen(port: number, host: string, done: () => void): unknown;
	close(): unknown;
	address(): unknown;
}) {
	atEnd(() => server.close());
	return new Promise<number>((resolve) => {
		server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
	});
}

/** Adds the servers to connect to, both correct and faulty ones. */
async function startServers(rsaRoot: Party, ecRoot: Party): Promise<ServerCase[]> {
	const servers: ServerCase[] = [];
	const strange = async (what: string, reason: string, message: string, answer: (socket: Socket) => void) => {
		const server = createServer((socket) => {
			socket.on("error", () => {});
			answer(socket);
		});
		servers.push({ what, port: await listen(server), reason, message });
	};
	const afterHello = (bytes: string | Uint8Array) => (socket: Socket) => socket.once("data", () => socket.write(bytes));
	const speak = "does not speak TLS";
	await strange("three bytes in plain text", "tls", speak, afterHello("+OK"));
	await strange("an answer in plain text", "tls", speak, afterHello("HTTP/1.1 400 Bad Request\r\n\r\n"));
	await strange("a greeting in plain text", "tls", speak, (socket) => socket.write("220 mail ready\r\n"));
	await strange("a hang-up after the hello", "tls", "closed the connection", (socket) =>
		socket.once("data", () => socket.end()),
	);
	await strange("a reset", "tls", "", (socket) => socket.once("data", () => socket.resetAndDestroy()));
	await strange("a record of 64 KB", "tls", "65535 bytes", afterHello(Buffer.of(22, 3, 3, 255, 255)));
	await strange("a record of 18,433 bytes", "tls", "18433 bytes", afterHello(Buffer.of(22, 3, 3, 0x48, 1)));
	await strange("an empty record", "tls", "0 bytes", afterHello(Buffer.of(22, 3, 3, 0, 0)));
	for (const alert of [42, 44, 45, 46, 48, 49]) {
		await strange(`alert ${alert}, from anybody`, "tls", "alert", afterHello(record(21, Uint8Array.of(2, alert))));
	}
	await strange("close_notify from anybody", "tls", "broke off", afterHello(record(21, Uint8Array.of(1, 0))));
	await strange("an alert cut short", "tls", "", afterHello(record(21, Uint8Array.of(2))));
	await strange("data in the clear", "tls", "unexpected type", afterHello(record(23, Buffer.from("data"))));
	await strange("a request for another hello", "tls", "out of order", afterHello(record(22, Buffer.of(0, 0, 0, 0))));
	await strange("noise", "tls", "", afterHello(Buffer.alloc(5000, 0x16)));
	await strange(
		"the certificate of 187 bytes",
		"tls-server",
		"version 3",
		afterHello(record(22, serverHello, chain(WILD))),
	);

	const names = [{ type: "ip" as const, value: "127.0.0.1" }];
	const good = async (what: string, given: Party, reason: string, more: object = {}) => {
		const options = { cert: pem(given), key: keyOf(given, "pem"), requestCert: true, maxVersion: "TLSv1.2" as const };
		const server = createTlsServer({ ...options, rejectUnauthorized: false, ...more }, (socket) => {
			socket.on("error", () => {});
			socket.pipe(socket);
		});
		server.on("tlsClientError", () => {});
		servers.push({ what, port: await listen(server), reason });
	};
	const rsa = await issue("server", rsaRoot, { names, algorithm: RSA });
	const ec = await issue("server", ecRoot, { names });
	await good("a server with an RSA certificate", rsa, "open");
	for (const key of EC_KINDS) servers.push({ ...servers.at(-1)!, what: `the same, with a client key on ${key}`, key });
	await good("a server with an ECDSA certificate", ec, "open");
	for (const key of EC_KINDS) servers.push({ ...servers.at(-1)!, what: `the same, with a client key on ${key}`, key });
	servers.push({ ...servers.at(-1)!, what: "the same by the name localhost", host: "localhost" });
	servers.push({ what: "a name without an address", host: "nobody.invalid", port: 1, reason: "resolve" });
	servers.push({ what: "a port where nobody listens", port: 1, reason: "connect", message: "no TCP connection" });
	await good("a server with AES-CBC", rsa, "open", { ciphers: "ECDHE-RSA-AES128-SHA256" });
	const judge = { rejectUnauthorized: true, ca: pem(rsaRoot) };
	await good("a server that judges the client's certificate", rsa, "open", judge);
	for (const key of EC_KINDS) servers.push({ ...servers.at(-1)!, what: `the same, with a client key on ${key}`, key });
	await good("a server with TLS 1.3 only", rsa, "tls", { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" });
	// OpenSSL checks the client's certificate before it sends its own Finished, so its alert is not authenticated.
	await good("a server that will not have the certificate", rsa, "tls", { rejectUnauthorized: true, ca: pem(ecRoot) });
	await good(
		"a server under an unknown root",
		await issue("server", await issue("Other", undefined, { ca: true }), { names }),
		"tls-server",
	);
	return servers;
}

async function main(): Promise<void> {
	if (!process.env.MODDABLE) {
		console.log(
			"sdk-tests: skipped, since MODDABLE is not set: install the Moddable SDK and let MODDABLE name its folder",
		);
		return;
	}
	findSdk();
	const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
	const count = Number(values.count ?? 100_000);
	const seed = Number(values.seed ?? 1);
	if (!(count >= 0) || !Number.isInteger(seed))
		throw new SimulatorError("usage: npm run sdk-tests -- [--count N] [--seed N]");

	const chains = await makeChains();
	const trusted = chains.filter(({ rule }) => rule === undefined);
	const rsaRoot = await issue("RSA root", undefined, { ca: true, algorithm: RSA });
	const ecRoot = await issue("EC root", undefined, { ca: true });
	const clients = Object.fromEntries(
		await Promise.all(
			KEY_KINDS.map(async (kind) => {
				const algorithm = kind === "RSA-2048" ? RSA : { ...EC, namedCurve: kind };
				const device = await issue("device", rsaRoot, { algorithm });
				const key = hex(keyOf(device, "der") as unknown as Uint8Array);
				return [kind, { certificate: hex(device.certificate), key }] as const;
			}),
		),
	) as Cases["clients"];
	const cases: Cases = {
		chains: chains.map(({ what, certificates, roots, serverName, rule }) => ({
			...{ what, roots: roots.map(hex), serverName, ...(rule !== undefined && { rule }) },
			record: hex(record(22, serverHello, chain(...certificates))),
		})),
		servers: await startServers(rsaRoot, ecRoot),
		clients,
		roots: [rsaRoot, ecRoot].map(({ certificate }) => hex(certificate)),
		signatures: vectors,
		fuzz: {
			...{ count, seed, roots: trusted[0]!.roots.map(hex), serverName: trusted[0]!.serverName },
			seeds: [...trusted.flatMap(({ certificates }) => certificates), WILD].map(hex),
		},
	};
	const output = await ownFolder(join(root, "build"), "sdk-tests");
	mkdirSync(output, { recursive: true });
	writeFileSync(join(output, "cases.js"), `export default ${JSON.stringify(cases)};\n`);

	await buildPackages();
	const program = await buildProgram({
		...{ output, manifest: join(root, "test/sdk/manifest.json") },
		env: { SDK_TESTS: output },
	});
	let finish = (_failures: number) => {};
	const done = new Promise<number>((resolve) => {
		finish = resolve;
	});
	const { ended } = await startProgram(program, {
		folder: output,
		// The test cases throw many exceptions, all of which are caught.
		exceptions: false,
		onLine(line) {
			const last = /^done (\d+)$/.exec(line);
			if (last) finish(Number(last[1]));
			else console.log(line);
		},
	});
	const failures = await Promise.race([done, ended]);
	if (failures) throw new SimulatorError(`${failures} failed`);
	console.log("all passed on the SDK's own modules");
	for (const manifest of ["manifest.json", "javascript/manifest.json"])
		await runApp(join(root, "examples/moddable-app", manifest));
}

/** Builds an app and lets it provision itself in the simulator, as `npm run simulator` does. */
function runApp(manifest: string): Promise<void> {
	console.log(`${relative(root, manifest)}:`);
	const args = ["--import", "tsx", join(root, "hosts/cli/simulator.ts"), "--manifest", manifest];
	return new Promise((resolve, reject) => {
		const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
		atEnd(() => child.kill());
		child.once("close", (code) =>
			code === 0
				? resolve()
				: reject(new SimulatorError(`${relative(root, manifest)} has not come to its first message`)),
		);
	});
}

await runToEnd(main);
