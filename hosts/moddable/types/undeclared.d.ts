// Modules of the Moddable SDK that its own declarations lack, based on its sources (8.2). Each file that uses them
// references this file, so that it is type-checked wherever it is compiled.

declare module "rng" {
	/** The pseudo-random generator that TLS uses. */
	const RNG: { init(seed: ArrayBuffer): void; get(count: number): ArrayBuffer };
	export default RNG;
}

declare module "ssl/stream" {
	/** Collects bytes to be sent. */
	export default class SSLStream {
		/** @param size how many bytes `value` takes, big-endian */
		writeChars(value: number, size: number): void;
		writeChunk(bytes: Uint8Array): void;
	}
}

declare module "ssl/handshake" {
	import type SSLStream from "ssl/stream";

	/** A session, as far as handshake messages need it. */
	export interface Session {
		/** The contents of TLSOptions.secure, including members that the SDK does not know. */
		readonly options: object;
		traceProtocol(protocol: unknown): void;
	}
	const handshake: {
		/** Creates a message's record, and adds the message to those that are signed. */
		packetize(session: Session, type: number, body: SSLStream): unknown;
		readonly certificateVerify: {
			readonly msgType: number;
			/** SHA-256 of all messages so far. */
			calculateDigest(session: Session): ArrayBuffer;
		};
	};
	export default handshake;
}

declare module "ssl/session" {
	import type { Session } from "ssl/handshake";

	const SSLSession: {
		readonly prototype: {
			/** Continues the handshake. */
			handshake(this: object, socket: object): boolean;
			/** Makes `protocol` create a record, and sends it. */
			doProtocol(this: Session, socket: unknown, protocol: unknown, ...more: readonly unknown[]): void;
		};
	};
	export default SSLSession;
}

declare module "embedded:io/socket/tcp/tls" {
	export interface TCPOptions {
		readonly address: string;
		readonly port: number;
		onReadable(count: number): void;
		onWritable(count: number): void;
		onError(): void;
	}
	/** The class in embedded:io/socket/tcp, as far as it is used here. The constructor throws without a network. */
	export interface RawTCP {
		/** Fills the view and returns its length; throws when fewer bytes are waiting. */
		read(into: Uint8Array): number;
		/**
		 * Returns how many bytes may be written after this. Throws when `bytes` is longer than allowed, or nothing may be
		 * written yet.
		 */
		write(bytes: ArrayBuffer | Uint8Array): number;
		close(): void;
	}
	export interface TLSOptions extends TCPOptions {
		/** Creates the connection below TLS from all of these options. TLS stores on it how many bytes may be read and written. */
		readonly TCP: { readonly io: new (options: never) => object };
		readonly secure: {
			/** Whether TLS verifies the server's certificates. */
			readonly verify: boolean;
			readonly clientCertificates: readonly Uint8Array[];
			/** RSA: PKCS#8, DER. */
			readonly clientKey?: Uint8Array;
			readonly serverName: string;
			readonly applicationLayerProtocolNegotiation?: readonly string[];
			/** Whether an earlier session with the server of that name may be resumed. */
			readonly cache: boolean;
		};
	}
	/** TLS 1.2. Errors in the handshake are thrown from within the callbacks of the connection below. */
	export default class TLSSocket {
		constructor(options: TLSOptions);
		/** Returns all data that is waiting. */
		read(): ArrayBuffer | undefined;
		write(bytes: Uint8Array): void;
		close(): void;
	}
}
