// Lets the firmware in the simulator connect with its own identity to TLS servers that are not this project's: OpenSSL's s_server
// and mosquitto, both of which demand a client certificate. Only on loopback; must not leave a server running.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Board } from "./board.js";
import { atEnd, SimulatorError } from "./desktop.js";

/** ms until a server must have taken or refused the device. */
const LIMIT = 60_000;

/** Files with which a server is started, and its port. */
interface Given {
	readonly port: number;
	/** The server's certificate and its key. */
	readonly certificate: string;
	readonly key: string;
	/** The authority of which a client's certificate must be. */
	readonly authority: string;
	/** Writes another file, and returns its path. */
	file(name: string, text: string): string;
}

/** A server that demands a client certificate. */
interface ForeignServer {
	readonly program: string;
	readonly name: string;
	/** Tells whether the program is installed. */
	readonly probe: readonly string[];
	arguments(given: Given): readonly string[];
	/** What its output says once it listens. */
	readonly listening: RegExp;
	/** What it says when it has verified the device's certificate and signature and has read its first packets. */
	accepted(device: { readonly thingName: string; readonly certificate: X509Certificate }): readonly RegExp[];
	/** What it says when the certificate is not of the authority. */
	readonly refused: RegExp;
}

/**
 * The SDK's TLS offers suites without ECDHE first, which the firmware then refuses: a server that follows the client's order needs to
 * be told.
 */
const CIPHERS = "ECDHE+AESGCM";

const literal = (text: string) => new RegExp(text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));

const SERVERS: readonly ForeignServer[] = [
	{
		program: "openssl",
		name: "openssl s_server -Verify 1 -verify_return_error",
		probe: ["version"],
		arguments: ({ port, certificate, key, authority }) => [
			...["s_server", "-accept", `127.0.0.1:${port}`, "-Verify", "1", "-verify_return_error"],
			...["-cert", certificate, "-key", key, "-CAfile", authority, "-cipher", CIPHERS],
		],
		listening: /^ACCEPT/m,
		accepted: ({ thingName, certificate }) => [
			literal(certificate.toString().trim()),
			/Peer signature type: (ECDSA|ecdsa_secp256r1_sha256)/,
			// CONNECT, decrypted.
			literal(`MQTT`),
			literal(thingName),
		],
		refused: /unable to get local issuer certificate|certificate verify failed/,
	},
	{
		program: "mosquitto",
		name: "mosquitto with require_certificate",
		probe: ["-h"],
		arguments: ({ port, certificate, key, authority, file }) => [
			"-v",
			"-c",
			file(
				"mosquitto.conf",
				[
					`listener ${port} 127.0.0.1`,
					`certfile ${certificate}`,
					`keyfile ${key}`,
					`cafile ${authority}`,
					"require_certificate true",
					`ciphers ${CIPHERS}`,
					// The name that it then logs is the common name of the certificate that it has verified.
					"use_identity_as_username true",
					"allow_anonymous true",
					// Otherwise it changes to a user who cannot read these files.
					...(process.getuid?.() === 0 ? ["user root"] : []),
					"",
				].join("\n"),
			),
		],
		listening: /mosquitto version \S+ running/,
		accepted: ({ thingName, certificate }) => [
			new RegExp(`New client connected from \\S+ as ${thingName} .*u'${certificate.subject.replace(/^CN=/, "")}'`),
			new RegExp(`Received PUBLISH from ${thingName} `),
		],
		refused: /certificate verify failed|unable to get local issuer|SSL routines/,
	},
];

/** Which of the servers are not installed. */
export const missingServers = (): string[] =>
	SERVERS.map(({ program }) => program).filter((program) => !installed(program));

const installed = (program: string): boolean => {
	const { probe } = SERVERS.find((server) => server.program === program)!;
	return spawnSync(program, probe, { stdio: "ignore" }).error === undefined;
};

/**
 * Provisions the device, and then leads its connections to each server that is installed: first to one that wants certificates of
 * another authority and must refuse it, then to one that must accept it.
 * @throws SimulatorError when one does not do what it must
 */
export async function tryForeignServers(board: Board, say: (line: string) => void): Promise<void> {
	await board.powerOn();
	await board.until("the device's first message", LIMIT, () => board.spoken());
	const { cloud, thingName, principal } = board;
	const { certificatePem } = cloud.registry.certificates.describeCertificate({
		certificateId: principal!,
	}).certificateDescription;
	const certificate = new X509Certificate(certificatePem);
	const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
	if (asymmetricKeyType !== "ec") throw new SimulatorError(`the device has a key of kind ${asymmetricKeyType}`);
	say(`${thingName} has made its own key on ${asymmetricKeyDetails?.namedCurve}, and is connected to the local cloud`);

	const folder = mkdtempSync(join(tmpdir(), "fleet-foreign-"));
	atEnd(() => rmSync(folder, { recursive: true, force: true }));
	const file = (name: string, text: string): string => {
		const path = join(folder, name);
		writeFileSync(path, text, { mode: 0o600 });
		return path;
	};
	const { servers, rootCertificatePem } = cloud.authority;
	const identity = board.certificate === "rsa" ? servers.rsa : servers.ecdsa;
	const given = {
		certificate: file("server.pem", identity.cert),
		key: file("server.key.pem", identity.key),
		file,
	};
	// It has issued the device's certificate, so it has a root.
	const authorities = { ours: file("devices.pem", rootCertificatePem!), another: file("another.pem", identity.root) };
	for (const server of SERVERS.filter(({ program }) => installed(program))) {
		const play = (authority: string, awaited: readonly RegExp[]) =>
			withServer(server, { ...given, authority, port: 0 }, board, awaited);
		await play(authorities.another, [server.refused]);
		say(`${server.name}: refuses a certificate of an authority that it does not have`);
		await play(authorities.ours, server.accepted({ thingName: thingName!, certificate }));
		say(`${server.name}: accepts the device`);
	}
}

/** Lets the device connect to a server until its output says all that is awaited. */
async function withServer(
	server: ForeignServer,
	given: Given,
	board: Board,
	awaited: readonly RegExp[],
): Promise<void> {
	const port = await freePort();
	const child: ChildProcess = spawn(server.program, server.arguments({ ...given, port }), {
		stdio: ["pipe", "pipe", "pipe"],
	});
	atEnd(() => child.kill("SIGKILL"));
	let output = "";
	let heard = () => {};
	const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
	for (const stream of [child.stdout!, child.stderr!])
		stream.on("data", (text) => {
			output += text;
			heard();
		});
	const said = () => `and the device: ${board.told.map((event) => JSON.stringify(event)).join("\n")}`;
	const until = (what: readonly RegExp[]): Promise<void> =>
		new Promise((resolve, reject) => {
			const fail = (why: string) =>
				reject(new SimulatorError(`${server.name} ${why}; it says:\n${output.slice(-4000)}\n${said()}`));
			const timer = setTimeout(() => {
				const missing = what.find((one) => !one.test(output));
				fail(`does not say ${missing} within ${LIMIT / 1000} s`);
			}, LIMIT);
			heard = () => {
				if (!what.every((one) => one.test(output))) return;
				clearTimeout(timer);
				resolve();
			};
			gone.then(() => {
				clearTimeout(timer);
				fail("has ended");
			});
			heard();
		});
	try {
		await until([server.listening]);
		await board.powerOff();
		board.relay.lead({ host: "127.0.0.1", port });
		await board.powerOn();
		await until(awaited);
	} finally {
		await board.powerOff();
		child.kill("SIGKILL");
		await gone;
	}
}

/** A port on which nobody listens. */
function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = createServer().listen(0, "127.0.0.1", () => {
			const { port } = server.address() as AddressInfo;
			server.close(() => resolve(port));
		});
	});
}
