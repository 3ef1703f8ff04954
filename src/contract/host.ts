// What a machine must offer the device program. Types only: src/ is handed a Host and uses nothing else of the machine.
// Shaped after ECMA-419 (the standard that Moddable implements), so that on Moddable a host is mostly wiring.

import type { Identity, Will } from "./application.js";
import type { Configuration } from "./configuration.js";
import type { DeviceEvent } from "./events.js";

/** Everything the device program may use of the machine it runs on. */
export interface Host {
	readonly configuration: Configuration;
	readonly device: DeviceFacts;
	/**
	 * A factory reset asked for at power-on, by a button held down say: the identity is forgotten before anything else.
	 * For devices that can still connect, the application has its own.
	 */
	readonly forget?: boolean;
	readonly claim: ClaimStore;
	/** Root certificates (DER) that the server's chain may end in. */
	readonly roots: readonly Uint8Array[];
	readonly storage: Storage;
	readonly clock: Clock;
	readonly timer: Timer;
	/** The network, on a machine that has to join one, such as Wi-Fi. Absent where it is there or others see to it. */
	readonly network?: Network;
	/** Settles when the device program is to end: it hangs up, lets the application stop, and `boot` returns. */
	readonly stop?: Promise<void>;
	/**
	 * The will of each connection that the application gets; undefined for none. What it throws, or a will that cannot be, is
	 * APPLICATION_FAILED.
	 */
	will?(identity: Identity): Will | undefined;
	/** Begins a TLS connection and returns at once; the callbacks in the options tell what becomes of it, never within the call. */
	openSocket(options: SocketOptions): Socket;
	/** `count` bytes that nobody can guess. */
	random(count: number): Uint8Array;
	/** Starts the machine afresh: only flash survives. May return before it happens; nothing must be begun after it. */
	restart(): void;
	/** Takes note of what the device does: LED, serial log, factory screen. Events never hold a secret. Must not throw. */
	report(event: DeviceEvent): void;
	/** Makes an RSA-2048 key pair and a signing request for it. Absent where the machine cannot. */
	createKeyPair?(commonName: string): Promise<KeyPair>;
	/** SHA-256 (32 bytes). Absent where the machine has none: the certificate id is then not compared. */
	sha256?(bytes: Uint8Array): Uint8Array;
}

/** What the device knows of itself from manufacture. */
export interface DeviceFacts {
	/** Unique to the device; goes to the template as a parameter and makes the MQTT client id unique. 1 to 100 of `[a-zA-Z0-9:_-]`. */
	readonly serialNumber: string;
	readonly firmwareVersion: string;
}

/** A certificate and the private key that belongs to it. */
export interface Credentials {
	/** X.509, DER. */
	readonly certificate: Uint8Array;
	/** PKCS#8, DER. RSA, since the TLS of the Moddable SDK can sign with nothing else. */
	readonly key: Uint8Array;
}

/** The shared credentials that a device leaves the factory with (or is handed for five minutes by a trusted user). */
export interface ClaimStore {
	/** `undefined` when there is none (any more). */
	read(): Credentials | undefined;
	/** Never offers the claim again. Throws where the machine cannot do that. */
	erase(): void;
}

/** A private key (PKCS#8, DER) and a PKCS#10 request for it (PEM text). */
export interface KeyPair {
	readonly key: Uint8Array;
	readonly certificateSigningRequest: string;
}

/**
 * Key-value flash, as `embedded:storage/key-value`: on the ESP32 one NVS namespace.
 * Keys are at most 15 characters. A write may be cut short by a power cut at any byte and then leave the old value,
 * the new one, or anything between.
 */
export interface Storage {
	/** `undefined` when there is no such key. Throws when the flash cannot be read. */
	read(key: string): ArrayBuffer | undefined;
	/** Throws an Error when it fails; its `code` is `"full"` when there is no room (NVS: NO_FREE_PAGES). */
	write(key: string, value: ArrayBuffer): void;
	/** Not an error when there is no such key. */
	delete(key: string): void;
}

/** Time of day and time since power-on. */
export interface Clock {
	/** ms since 1970-01-01T00:00Z; `undefined` when the clock has not been set since power-on. */
	now(): number | undefined;
	/** ms since some moment not after power-on; never goes back. */
	ticks(): number;
	/** ms since 1970: no earlier time can be right (when this firmware was built). */
	readonly floor: number;
	/** Sets the clock (SNTP) and calls back once, with an error when no server answered. Calls back later, never within the call. */
	synchronize(done: (error?: Error) => void): void;
}

/** One-shot timers. */
export interface Timer {
	set(callback: () => void, milliseconds: number): TimerId;
	/** Not an error when it has already gone off. */
	clear(id: TimerId): void;
}

/** A network that the machine joins on its own, and joins again when it is lost, for as long as it runs. */
export interface Network {
	/** Whether sockets can be opened now: joined, and with an address. */
	readonly up: boolean;
	/** Why it is not up, as far as the machine knows. */
	readonly problem: NetworkProblem;
	/** Calls back once, later, when it comes up. One callback waits at a time, the last one given. */
	whenUp(callback: () => void): void;
}

/** What the last attempt to join a network has come to. */
export interface NetworkProblem {
	/** The network is there and does not let this machine in: a wrong password, most likely. */
	readonly refused: boolean;
	/** For a human; never a secret. */
	readonly message: string;
}

/** Whatever the machine names a timer by. */
export type TimerId = unknown;

/** A TLS client socket in the shape of an ECMA-419 IO class. */
export interface SocketOptions {
	readonly host: string;
	readonly port: number;
	/** SNI and the name that the server's certificate must bear. */
	readonly serverName: string;
	/** ALPN protocols, `x-amzn-mqtt-ca` on port 443; none when absent. */
	readonly protocols?: readonly string[];
	readonly credentials: Credentials;
	/** DER. */
	readonly roots: readonly Uint8Array[];
	/** `count` bytes have arrived and wait to be read. Called again for what is left unread only when more arrives. */
	onReadable(count: number): void;
	/** From now until the next call at most `count` bytes may be written in all. The first call says that TLS is up. */
	onWritable(count: number): void;
	/** The socket failed or was closed by the other side; the last callback there is. */
	onError(error: SocketError): void;
}

/** Why a socket ended. */
export interface SocketError {
	readonly reason: SocketErrorReason;
	/** For a human; never a secret. */
	readonly message: string;
}

/**
 * - `resolve`: no address for the host name
 * - `connect`: nobody answers there
 * - `tls`: the handshake failed
 * - `tls-dates`: a certificate of the server is not yet or no longer valid by this machine's clock
 * - `tls-server`: the server's certificate is for another name, or ends in no root that this device knows
 * - `tls-client`: the server refused this device's certificate (TLS alert), and is authenticated: its key exchange was
 *   signed and its Finished was right. An alert ahead of that may be anybody's, and is `tls`
 * - `closed`: the other side closed an established connection
 *
 * A machine that cannot tell says `tls` for all four.
 */
export type SocketErrorReason = "resolve" | "connect" | "tls" | "tls-dates" | "tls-server" | "tls-client" | "closed";

/** An open socket. After `close` no callback comes any more. */
export interface Socket {
	/** Everything that waits, or `undefined` when nothing does. */
	read(): ArrayBuffer | undefined;
	/** Throws when more than `onWritable` allowed. */
	write(bytes: Uint8Array): void;
	/** Not an error when called twice. Bytes already written are still sent where the machine can. */
	close(): void;
}
