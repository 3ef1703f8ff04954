// Runs in the simulator: tests the device's handshake checks and its socket with the SDK's own modules. Traces a line for
// each case, and finally "done" with the number of failures.

import Curve from "curve";
import cases from "sdk-tests/cases";
import Time from "time";
import Timer from "timer";
import X509 from "x509";
import type { Certificate } from "../../hosts/moddable/tls/certificate.js";
import { signsWithEc } from "../../hosts/moddable/tls/certificateVerify.js";
import { ecdsa, Nonces, sign } from "../../hosts/moddable/tls/ecdsa.js";
import { Handshake } from "../../hosts/moddable/tls/handshake.js";
import { sha256 } from "../../hosts/moddable/tls/sha256.js";
import { openSocket } from "../../hosts/moddable/tls/socket.js";
import { INTEGER, openDer, SEQUENCE } from "../../src/identity/der.js";
import { ecKeyIn } from "../../src/identity/private-key.js";
import { Fuzzer } from "../moddable/certificate-fuzz.js";
import type { Vector } from "../moddable/rfc6979.js";
import type { ChainCase, ServerCase } from "./cases.js";
import { tryMachine } from "./machine.js";

const { chains, servers, clients, roots, fuzz, signatures } = cases;
/** How many certificates are tried before the simulator gets a chance to run. */
const SLICE = 500;
/** Time limit for one connection in ms. */
const HANG = 60_000;

let failures = 0;

function tell(what: string, fault?: string): void {
	if (fault !== undefined) failures++;
	trace(fault === undefined ? `ok      ${what}\n` : `FAILED  ${what}: ${fault}\n`);
}

function bytesOf(hex: string): Uint8Array {
	const bytes = new Uint8Array(hex.length / 2);
	for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
	return bytes;
}

function judge({ what, record, roots, serverName, rule }: ChainCase): void {
	let said: string | undefined;
	try {
		new Handshake(serverName, roots.map(bytesOf)).received(bytesOf(record));
	} catch (error) {
		said = String((error as Error).message);
	}
	const right = rule === undefined ? said === undefined : said?.includes(rule);
	tell(what, right ? undefined : `${said ?? "trusted"}, not ${rule ?? "trusted"}`);
}

const same = (a: ArrayLike<number>, b: ArrayLike<number>) =>
	a.length === b.length && Array.prototype.every.call(a, (byte, index) => byte === b[index]);

/** Checks that the SDK's parser reads the same from a certificate as ours did. @throws Error */
function compare(bytes: Uint8Array, ours: Certificate): void {
	// The SDK cannot read some types of keys. The device's socket never passes such certificates to it.
	if (!ours.key) return;
	const theirs = X509.decode(bytes);
	const tbs = X509.decodeTBS(theirs.tbs);
	const agree =
		same(theirs.tbs, ours.toBeSigned) &&
		same(theirs.sig, ours.signature) &&
		same(tbs.issuer.subarray(tbs.issuer.length - ours.issuer.length), ours.issuer) &&
		same(tbs.subject.subarray(tbs.subject.length - ours.subject.length), ours.subject) &&
		tbs.validity.from === ours.notBefore &&
		tbs.validity.to === ours.notAfter;
	if (!agree) throw new Error("the SDK reads something else");
	try {
		X509.decodeSAN(bytes);
	} catch {
		// A name may not be UTF-8. An exception is not a crash, and the device never asks the SDK for names.
	}
}

function fuzzAll(then: () => void): void {
	const options = { ...fuzz, seeds: fuzz.seeds.map(bytesOf), roots: fuzz.roots.map(bytesOf), check: compare };
	const fuzzer = new Fuzzer(options);
	let done = 0;
	const slice = (): void => {
		const more = fuzzer.run(SLICE);
		done += SLICE;
		if (more) {
			if (done % 10_000 === 0) trace(`        ${done} certificates\n`);
			Timer.set(slice);
			return;
		}
		const { read, refused, findings } = fuzzer.outcome;
		for (const finding of findings) trace(`        ${finding}\n`);
		tell(
			`${read + refused} mutated certificates (seed ${fuzz.seed}): ${read} read alike by the SDK, ${refused} refused`,
			findings.length ? `${findings.length} findings` : undefined,
		);
		then();
	};
	slice();
}

function trySignature({ curve, scalar, point, message, k, r, s }: Vector): void {
	const key = { curve, scalar: bytesOf(scalar), point: bytesOf(`04${point}`) };
	const digest = sha256(new Uint8Array(ArrayBuffer.fromString(message)));
	const nonce = new Nonces(key.scalar, digest, new Curve(curve === "P-256" ? "secp256r1" : "secp384r1")).next();
	const signature = sign(key, digest);
	const numbers = openDer(signature, SEQUENCE);
	const integer = () => BigInt.fromArrayBuffer(numbers.read(INTEGER).slice().buffer);
	const right =
		nonce === BigInt(`0x${k}`) &&
		integer() === BigInt(`0x${r}`) &&
		integer() === BigInt(`0x${s}`) &&
		same(ecdsa.publicKey(curve, key.scalar), key.point);
	tell(`RFC 6979, ${curve}: "${message}"`, right ? undefined : "another nonce, point or signature");
}

/** Measures how long one signature takes, including its verification. */
function timeSignatures(): void {
	for (const kind of ["P-256", "P-384"] as const) {
		const key = ecKeyIn(bytesOf(clients[kind].key))!;
		const started = Time.ticks;
		for (let i = 0; i < 10; i++) sign(key, sha256(key.point));
		trace(`        ${kind}: ${Time.delta(started, Time.ticks) / 10} ms for a signature, with its verification\n`);
	}
}

function connect(
	{ what, host = "127.0.0.1", port, reason, message, key = "RSA-2048" }: ServerCase,
	then: () => void,
): void {
	let ended = false;
	let written = false;
	const end = (how: string, said = ""): void => {
		if (ended) return;
		ended = true;
		Timer.clear(hang);
		socket.close();
		const right = how === reason && said.includes(message ?? "");
		tell(what, right ? undefined : `${how} (${said}), not ${reason} (${message ?? ""})`);
		Timer.set(then);
	};
	const hang = Timer.set(() => end("nothing"), HANG);
	const socket = openSocket(
		{
			host,
			port,
			serverName: "127.0.0.1",
			credentials: { certificate: bytesOf(clients[key].certificate), key: bytesOf(clients[key].key) },
			roots: roots.map(bytesOf),
			onReadable: () => end("open"),
			// The device writes first, as in MQTT; the server echoes the data.
			onWritable: () => {
				if (!written) socket.write(Uint8Array.of(1));
				written = true;
			},
			onError: (error) => end(error.reason, error.message),
		},
		(count) => new Uint8Array(count).map(() => Math.random() * 256),
	);
}

function connectAll(left: readonly ServerCase[], then: () => void): void {
	const [first, ...others] = left;
	if (first) connect(first, () => connectAll(others, then));
	else then();
}

for (const chain of chains) judge(chain);
for (const signature of signatures) trySignature(signature);
timeSignatures();
tell("the SDK's TLS signs with EC keys", signsWithEc ? undefined : "its handshake is not as expected");
tryMachine(tell, () => connectAll(servers, () => fuzzAll(() => trace(`done ${failures}\n`))));
