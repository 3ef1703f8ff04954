// What a machine must offer the device program. Types only: src/ is given a Host and uses nothing else of the machine.
// The shapes follow ECMA-419 (the standard that Moddable implements), so that a host for Moddable needs little code.

import type { Identity, Will } from "./application.js";
import type { Configuration } from "./configuration.js";
import type { DeviceEvent } from "./events.js";

/**
 * Everything the device program may use of the machine it runs on.
 *
 * @example
 * A host that takes flash, clock and sockets from a board. docs/porting.md lists the rules that each of them must follow:
 * ```ts
 * import type { Clock, Host, Socket, SocketOptions, Storage } from "moddable-fleet-provisioning/device";
 *
 * interface Board {
 * 	readonly storage: Storage;
 * 	readonly clock: Clock;
 * 	readonly root: Uint8Array;
 * 	openSocket(options: SocketOptions): Socket;
 * 	restart(): void;
 * }
 *
 * export const createHost = (board: Board): Host => ({
 * 	configuration: { endpoint: "abc-ats.iot.eu-west-1.amazonaws.com", template: "fleet" },
 * 	device: { serialNumber: "240ac4000001", firmwareVersion: "1.0.0" },
 * 	claim: { read: () => undefined, erase() {} },
 * 	roots: [board.root],
 * 	storage: board.storage,
 * 	clock: board.clock,
 * 	timer: {
 * 		set: (callback, milliseconds) => setTimeout(callback, milliseconds),
 * 		clear: (id) => clearTimeout(id as NodeJS.Timeout),
 * 	},
 * 	openSocket: (options) => board.openSocket(options),
 * 	random: (count) => crypto.getRandomValues(new Uint8Array(count)),
 * 	restart: () => board.restart(),
 * 	report: (event) => console.log(event),
 * });
 * ```
 */
export interface Host {
	/** The device maker's settings. Checked at power-on. */
	readonly configuration: Configuration;
	/** What the device knows about itself from the factory. */
	readonly device: DeviceFacts;
	/**
	 * Whether a factory reset is wanted at power-on, for example because a button is held down. The device then forgets its
	 * identity before anything else. The application has its own reset, for devices that can still connect.
	 */
	readonly forget?: boolean;
	/** The shared credentials with which the device asks for its own identity. */
	readonly claim: ClaimStore;
	/** Root certificates (DER) that the server's chain may end in. */
	readonly roots: readonly Uint8Array[];
	/** Flash: all that survives a restart. */
	readonly storage: Storage;
	/** Time of day, against which certificates are checked, and time since power-on. */
	readonly clock: Clock;
	/** Calls back later. */
	readonly timer: Timer;
	/** The network, on a machine that has to join one, such as Wi-Fi. Absent where the operating system does that. */
	readonly network?: Network;
	/** Settle it to end the device program: it closes its connection, lets the application stop, and `boot` returns. */
	readonly stop?: Promise<void>;
	/**
	 * Returns the MQTT will for each connection that the application gets; undefined for none. When this throws or the will is
	 * invalid, the device reports APPLICATION_FAILED.
	 */
	will?(identity: Identity): Will | undefined;
	/** Starts a TLS connection and returns at once. The callbacks in the options are called later, never within this call. */
	openSocket(options: SocketOptions): Socket;
	/**
	 * `count` bytes that nobody can guess: private keys are made from them. Asked for keys only when the network is up, as some
	 * chips have randomness only while their radio is on.
	 */
	random(count: number): Uint8Array;
	/** Restarts the machine: only flash survives. May return before the restart; the caller must not start anything afterwards. */
	restart(): void;
	/** Shows or logs what the device does: LED, serial log, factory screen. Events never hold a secret. Must not throw. */
	report(event: DeviceEvent): void;
	/**
	 * Computes with EC keys. Absent where the machine cannot: then EC keys are taken as they are, and the device makes none of its
	 * own.
	 */
	readonly ecdsa?: Ecdsa;
	/** SHA-256 (32 bytes). Absent where the machine has none; then the certificate id is not compared. */
	sha256?(bytes: Uint8Array): Uint8Array;
}

/** What the device knows about itself from the factory. */
export interface DeviceFacts {
	/** Unique to the device. A parameter of the template, and part of the MQTT client id. 1 to 100 of `[a-zA-Z0-9:_-]`. */
	readonly serialNumber: string;
	/** Reported at power-on and handed to the application; it may be any text. */
	readonly firmwareVersion: string;
	/** Names the very image, of which there may be several of one version. Reported at power-on. */
	readonly build?: string;
}

/** A certificate and the private key that belongs to it. */
export interface Credentials {
	/** X.509, DER. */
	readonly certificate: Uint8Array;
	/** PKCS#8, DER: RSA, or EC on P-256 or P-384. */
	readonly key: Uint8Array;
}

/** A curve, by its name in FIPS 186-5. */
export type CurveName = "P-256" | "P-384";

/** Arithmetic with keys on elliptic curves: the machine's own, since it takes long without help. */
export interface Ecdsa {
	/**
	 * The public key of a private one, uncompressed (SEC 1, 2.3.3): 4, x, y.
	 * @param scalar from 1 to below the order: big-endian, as many bytes as the order has
	 */
	publicKey(curve: CurveName, scalar: Uint8Array): Uint8Array;
	/**
	 * Signs a message with SHA-256; r and s in DER (RFC 3279, 2.2.3). Nonces must be such that nobody can guess anything of them:
	 * those of RFC 6979, say.
	 */
	sign(curve: CurveName, scalar: Uint8Array, message: Uint8Array): Uint8Array;
}

/** The shared credentials that a device leaves the factory with, or gets for five minutes from a trusted user. */
export interface ClaimStore {
	/** `undefined` when there is no claim, or it has been erased. */
	read(): Credentials | undefined;
	/** Erases the claim for good: `read` never returns it again. @throws Error where the machine cannot do that */
	erase(): void;
}

/**
 * Key-value flash, as `embedded:storage/key-value`: on the ESP32 one NVS namespace.
 * Keys have at most 15 characters. A power cut may interrupt a write at any byte and leave the old value, the new value,
 * a mixture of both, or (in NVS) no value.
 */
export interface Storage {
	/** `undefined` when there is no such key. @throws Error when the flash cannot be read */
	read(key: string): ArrayBuffer | undefined;
	/** @throws Error when the write fails; its `code` is `"full"` when there is no room (NVS: NO_FREE_PAGES) */
	write(key: string, value: ArrayBuffer): void;
	/** Not an error when there is no such key. */
	delete(key: string): void;
}

/** Time of day and time since power-on. */
export interface Clock {
	/** ms since 1970-01-01T00:00Z; `undefined` when the clock has not been set since power-on. */
	now(): number | undefined;
	/** ms since power-on or some moment before it. Never goes back. */
	ticks(): number;
	/** The earliest time that can be right, such as when this firmware was built; ms since 1970. */
	readonly floor: number;
	/** Sets the clock (SNTP) and calls back once, with an error when no server answered. Never calls back within this call. */
	synchronize(done: (error?: Error) => void): void;
}

/** One-shot timers. */
export interface Timer {
	/** Calls back once, after this many ms, never within this call. */
	set(callback: () => void, milliseconds: number): TimerId;
	/** Cancels a timer. Not an error when it has fired already. */
	clear(id: TimerId): void;
}

/** A network that the machine joins on its own, and rejoins whenever it is lost. */
export interface Network {
	/** Whether sockets can be opened now: joined, and with an address. */
	readonly up: boolean;
	/** Why it is not up, as far as the machine knows. */
	readonly problem: NetworkProblem;
	/** Calls back once, later, when the network comes up. Only the most recent callback is kept. */
	whenUp(callback: () => void): void;
}

/** How the last attempt to join a network failed. */
export interface NetworkProblem {
	/** The network exists but does not let this machine in: most likely the password is wrong. */
	readonly refused: boolean;
	/** For people. Never holds a secret. */
	readonly message: string;
}

/** Whatever identifies a timer on this machine. */
export type TimerId = unknown;

/** Options of a TLS client socket, in the shape of an ECMA-419 IO class. */
export interface SocketOptions {
	/** Name or address to connect to. */
	readonly host: string;
	/** TCP port. */
	readonly port: number;
	/** The name for SNI. The server's certificate must also have this name. */
	readonly serverName: string;
	/** ALPN protocols: `x-amzn-mqtt-ca` on port 443. Absent: none. */
	readonly protocols?: readonly string[];
	/** The certificate and key with which this device authenticates itself. */
	readonly credentials: Credentials;
	/** Root certificates that the server's chain may end in, DER. */
	readonly roots: readonly Uint8Array[];
	/** `count` bytes have arrived and wait to be read. For bytes left unread it is called again only when more arrive. */
	onReadable(count: number): void;
	/** At most `count` bytes in all may be written until the next call. The first call means that TLS is up. */
	onWritable(count: number): void;
	/** The socket has failed, or the other side has closed it. This is the last callback. */
	onError(error: SocketError): void;
}

/** Why a socket ended. */
export interface SocketError {
	/** How the socket ended. It decides which failure is reported. */
	readonly reason: SocketErrorReason;
	/** For people. Never holds a secret. */
	readonly message: string;
}

/**
 * - `resolve`: no address for the host name
 * - `connect`: nobody answers there
 * - `tls`: the handshake failed
 * - `tls-dates`: by this machine's clock, a certificate of the server is not valid yet, or has expired
 * - `tls-server`: the server's certificate is for another name, or its chain ends in no root that this device trusts
 * - `tls-client`: the server refused this device's certificate (TLS alert) after it had been authenticated: its key exchange was
 *   signed and its Finished was correct. An alert before that may come from anybody and is reported as `tls`
 * - `closed`: the other side closed an established connection
 *
 * A machine that cannot tell the four `tls` reasons apart reports `tls` for all of them.
 */
export type SocketErrorReason = "resolve" | "connect" | "tls" | "tls-dates" | "tls-server" | "tls-client" | "closed";

/** An open socket. After `close`, no callback is called any more. */
export interface Socket {
	/** All bytes that wait to be read; `undefined` when there are none. */
	read(): ArrayBuffer | undefined;
	/** Sends bytes. @throws Error for more than `onWritable` has allowed */
	write(bytes: Uint8Array): void;
	/** Closes the socket. Bytes already written are still sent where the machine can. Not an error when called twice. */
	close(): void;
}
