// Runs in the simulator: the device's watch over TLS and its socket, on the SDK's own modules. Traces a line for each case,
// and at the end "done" with the number of failures.

import cases from "sdk-tests/cases";
import Timer from "timer";
import X509 from "x509";
import type { Certificate } from "../../hosts/moddable/tls/certificate.js";
import { Handshake } from "../../hosts/moddable/tls/handshake.js";
import { openSocket } from "../../hosts/moddable/tls/socket.js";
import { Fuzzer } from "../moddable/certificate-fuzz.js";
import type { ChainCase, ServerCase } from "./cases.js";
import { tryMachine } from "./machine.js";

const { chains, servers, client, fuzz } = cases;
/** How many certificates are tried before the simulator has its turn. */
const SLICE = 500;
/** ms for one connection. */
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

/** What the SDK's own reader makes of a certificate must be what ours did. @throws Error */
function compare(bytes: Uint8Array, ours: Certificate): void {
	// The SDK has kinds of keys that it cannot read; the device's socket keeps those from it.
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
		// A name that is not UTF-8: an exception is no crash, and the device never asks the SDK for names.
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

function connect({ what, host = "127.0.0.1", port, reason, message }: ServerCase, then: () => void): void {
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
			credentials: { certificate: bytesOf(client.certificate), key: bytesOf(client.key) },
			roots: client.roots.map(bytesOf),
			onReadable: () => end("open"),
			// The device speaks first, as in MQTT; the server sends it back.
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
tryMachine(tell, () => connectAll(servers, () => fuzzAll(() => trace(`done ${failures}\n`))));
