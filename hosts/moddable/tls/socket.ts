// The contract's TLS socket, built on the SDK's. Sits between the SDK's TLS and its TCP, to catch what TLS throws, to make
// the checks that TLS leaves out, and to follow the handshake's progress. Must let no exception escape from a TCP callback,
// because on a device that causes a restart. Must not report a connection as open before the server has been checked.

/// <reference path="../types/undeclared.d.ts" />

import TCP from "embedded:io/socket/tcp";
import TLSSocket, { type RawTCP, type TCPOptions, type TLSOptions } from "embedded:io/socket/tcp/tls";
// biome-ignore lint/style/useNodejsImportProtocol: the SDK's module of that name
import Net from "net";
import RNG from "rng";
import type { Host, Socket, SocketErrorReason, SocketOptions } from "../../../src/contract/host.js";
import type { EcKey } from "../../../src/identity/ec.js";
import { ecKeyIn } from "../../../src/identity/private-key.js";
import { optionsFor, signsWithEc } from "./certificateVerify.js";
import { checkRecordHead, Handshake, HandshakeError, RECORD_HEAD } from "./handshake.js";

/** Bytes that TLS may add to each write, as the SDK's TLS socket assumes. */
const OVERHEAD = 96;

/** Bytes that seed TLS's random number generator. */
const SEED = 32;

/** Alerts about the client's certificate: bad_certificate to certificate_unknown, unknown_ca, access_denied. */
const CERTIFICATE_ALERTS = Object.freeze([42, 43, 44, 45, 46, 48, 49]);

/**
 * Always means this machine (RFC 6761, 6.3). It is not resolved, because the simulator's resolver looks only at the first
 * address, which is IPv6 on many computers, and then finds none.
 */
const LOCALHOST = "localhost";
const LOOPBACK = "127.0.0.1";

/** Start of the message of the exception that TLS throws after an alert from the server: "alert: <level>, <description>". */
const ALERT = "alert: ";

/** Opens a connection; see SocketOptions. @param random see Host */
export function openSocket(options: SocketOptions, random: Host["random"]): Socket {
	return new TlsSocket(options, random);
}

const Raw = TCP as unknown as new (options: TCPOptions) => RawTCP;

/** The TCP connection below TLS. TLS stores on it how many bytes can be read and written. */
class Wire extends Raw {
	readable = 0;
	writable = 0;
	/**
	 * Whether the server is authenticated. True once TLS reads on after the server's Finished message, since it has then
	 * verified it.
	 */
	authenticated = false;
	readonly #handshake: Handshake;

	/** TLS creates this object and passes on all of its own options. */
	constructor(options: TLSOptions & { owner: TlsSocket; handshake: Handshake }) {
		const { address, port, owner, handshake } = options;
		super({
			address,
			port,
			onReadable: (count) => owner.step(() => owner.pull(count, options)),
			onWritable: (count) => owner.step(() => options.onWritable(count)),
			onError: () => owner.lost(),
		});
		owner.wire = this;
		this.#handshake = handshake;
	}

	/** TLS reads each record into one buffer: first the header, which holds the length, then the body after it. */
	override read(into: Uint8Array): number {
		const count = super.read(into);
		const { buffer, byteOffset } = into;
		const end = byteOffset + count;
		if (buffer.byteLength === RECORD_HEAD) {
			this.authenticated = this.#handshake.finished;
			checkRecordHead(new Uint8Array(buffer, 0, end));
		} else if (end === buffer.byteLength && !this.#handshake.finished) {
			this.#handshake.received(new Uint8Array(buffer));
		}
		return count;
	}

	override write(bytes: ArrayBuffer | Uint8Array): number {
		if (!this.#handshake.finished) this.#handshake.sent(new Uint8Array(bytes));
		return super.write(bytes);
	}
}

class TlsSocket implements Socket {
	readonly #options: SocketOptions;
	readonly #random: Host["random"];
	#tls: TLSSocket | undefined;
	wire: Wire | undefined;
	readonly #handshake: Handshake;
	#stage: "connect" | "tls" | "established" = "connect";
	#closed = false;
	// What TLS reported during a step. The owner is notified after the step, when TLS has left the stack.
	#arrived = 0;
	#drained = false;
	#ended = false;
	/** Decrypted data waiting for `read`. */
	#received: ArrayBuffer[] = [];
	/** How many bytes the owner may still write, and what it has written that TLS has not encrypted yet. */
	#allowance = 0;
	#waiting: Uint8Array[] = [];

	constructor(options: SocketOptions, random: Host["random"]) {
		this.#options = options;
		this.#random = random;
		this.#handshake = new Handshake(options.serverName, options.roots);
		const connect = (address: string | undefined): void => {
			if (this.#closed) return;
			if (address) this.#connect(address);
			else this.#fail("resolve", `no address for ${options.host}`);
		};
		this.#later(() => {
			if (options.host === LOCALHOST) connect(LOOPBACK);
			else Net.resolve(options.host, (_host, address) => connect(address));
		});
	}

	read(): ArrayBuffer | undefined {
		const [first, ...others] = this.#received;
		this.#received = [];
		return others.length ? first!.concat(...others) : first;
	}

	write(bytes: Uint8Array): void {
		if (bytes.length > this.#allowance) throw new Error("more written than onWritable allowed");
		this.#allowance -= bytes.length;
		this.#waiting.push(bytes.slice());
		if (this.#waiting.length === 1) this.#later(() => this.#flush());
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		this.#allowance = 0;
		this.#received = [];
		this.#later(() => {
			this.#flush();
			this.#tls?.close();
			this.#tls = undefined;
		});
	}

	/** Runs on an empty stack: TLS needs most of it, and `write` and `close` are called from deep within the program. */
	#later(run: () => void): void {
		Promise.resolve()
			.then(run)
			.catch((error) => this.#refuse(error as Error));
	}

	/**
	 * Encrypts and sends as much as there is room for. Each write becomes a record with its own overhead, so many small writes
	 * may need more room than was announced; the rest waits.
	 */
	#flush(): void {
		while (this.#waiting[0] && this.#waiting[0].length + OVERHEAD <= this.wire!.writable) {
			this.#tls!.write(this.#waiting.shift()!);
		}
	}

	#connect(address: string): void {
		const { port, serverName, protocols, credentials } = this.#options;
		let ecKey: EcKey | undefined;
		try {
			ecKey = ecKeyIn(credentials.key);
		} catch (error) {
			this.#fail("tls", `this device's private key: ${(error as Error).message}`);
			return;
		}
		if (ecKey && !signsWithEc) {
			this.#fail("tls", "this device's key is EC, and the TLS of this Moddable SDK cannot sign with it");
			return;
		}
		const options = {
			address,
			port,
			TCP: { io: Wire },
			owner: this,
			handshake: this.#handshake,
			secure: {
				// The SDK's verification is not sound, so handshake.ts verifies the server instead.
				verify: false,
				clientCertificates: [credentials.certificate],
				...(ecKey ? optionsFor(ecKey) : { clientKey: credentials.key }),
				serverName,
				...(protocols && { applicationLayerProtocolNegotiation: protocols }),
				// A resumed session keeps the certificate that it was opened with, which may be the claim's when the new identity is
				// to be tried.
				cache: false,
			},
			onReadable: () => this.#take(),
			onWritable: () => {
				this.#drained = true;
			},
			onError: () => {
				this.#ended = true;
			},
		};
		try {
			this.#tls = new TLSSocket(options);
		} catch (error) {
			this.#fail("connect", String((error as Error).message));
		}
	}

	/** Called by the wire: runs one step of TLS, then notifies the owner of its results. */
	step(run: () => void): void {
		if (this.#closed) return;
		if (this.#stage === "connect") this.#stage = "tls";
		try {
			// The generator is seeded again for each step, so that random bytes sent in the clear reveal nothing about the secret
			// ones.
			if (this.#stage === "tls") RNG.init(this.#random(SEED).buffer as ArrayBuffer);
			run();
			if (this.#ended) this.lost();
			else this.#tell();
		} catch (error) {
			this.#refuse(error as Error);
		}
	}

	/** Called by the wire: makes TLS decrypt all of `count` bytes. TLS stops after each record that holds data. */
	pull(count: number, tls: Pick<TCPOptions, "onReadable">): void {
		let arrived: number;
		let waiting = count;
		do {
			arrived = this.#arrived;
			tls.onReadable(waiting);
			waiting = this.wire!.readable;
		} while (waiting && this.#arrived > arrived);
	}

	/**
	 * Takes the record that TLS has decrypted. `readable` is 0 meanwhile, because TLS would otherwise continue from a timer,
	 * where nothing catches its exceptions.
	 */
	#take(): void {
		const wire = this.wire!;
		const { readable } = wire;
		wire.readable = 0;
		const bytes = this.#tls!.read()!;
		wire.readable = readable;
		this.#received.push(bytes);
		this.#arrived += bytes.byteLength;
	}

	#tell(): void {
		const wire = this.wire!;
		if (this.#drained && this.#stage === "tls") {
			// TLS reports itself as ready even after an alert, and would then send unencrypted data.
			if (!this.#handshake.finished) {
				this.#fail("tls", "the server broke off the handshake");
				return;
			}
			this.#stage = "established";
		}
		const arrived = this.#arrived;
		this.#arrived = 0;
		if (arrived) this.#options.onReadable(arrived);
		if (this.#closed || !this.#drained) return;
		this.#drained = false;
		this.#flush();
		this.#allowance = this.#waiting.length ? 0 : Math.max(0, wire.writable - OVERHEAD);
		if (this.#allowance) this.#options.onWritable(this.#allowance);
	}

	/** Called by the wire: TCP could not connect, or the connection was lost. */
	lost(): void {
		if (this.#closed) return;
		if (this.#stage === "connect") this.#fail("connect", "no TCP connection");
		else if (this.#stage === "tls") this.#fail("tls", "the server closed the connection during the handshake");
		else this.#fail("closed", "the server closed the connection");
	}

	/** Handles an exception from TLS, from the handshake checks, or from the owner. */
	#refuse(error: Error): void {
		if (this.#closed) return;
		const message = String(error.message);
		const refused = message.startsWith(ALERT) && CERTIFICATE_ALERTS.includes(Number(message.split(", ")[1]));
		if (error instanceof HandshakeError) this.#fail(error.reason, message);
		else if (this.#stage === "connect") this.#fail("connect", message);
		else if (this.#stage === "established") this.#fail("closed", message);
		else if (refused && this.wire?.authenticated) this.#fail("tls-client", message);
		// Until the server is authenticated, the alert may have come from anybody.
		else this.#fail("tls", refused ? `${message}: this certificate is refused, by a server not proved yet` : message);
	}

	#fail(reason: SocketErrorReason, message: string): void {
		this.close();
		try {
			this.#options.onError({ reason, message });
		} catch (error) {
			trace(`in onError: ${String(error)}\n`);
		}
	}
}
