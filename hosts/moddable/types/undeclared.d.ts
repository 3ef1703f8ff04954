// Modules of the Moddable SDK that its own declarations leave out, after its sources (8.2). Whoever uses them refers to this
// file, so that they are checked wherever it is compiled.

declare module "rng" {
	/** The pseudo-random generator that TLS uses. */
	const RNG: { init(seed: ArrayBuffer): void; get(count: number): ArrayBuffer };
	export default RNG;
}

declare module "ssl/stream" {
	/** Bytes to be sent, one after another. */
	export default class SSLStream {
		/** @param size bytes that `value` takes, big-endian */
		writeChars(value: number, size: number): void;
		writeChunk(bytes: Uint8Array): void;
	}
}

declare module "ssl/handshake" {
	import type SSLStream from "ssl/stream";

	/** A session as the handshake's messages see it. */
	export interface Session {
		/** What TLSOptions.secure said, and whatever else was in it. */
		readonly options: object;
		traceProtocol(protocol: unknown): void;
	}
	const handshake: {
		/** The record of a message, which counts from now on among those that are signed. */
		packetize(session: Session, type: number, body: SSLStream): unknown;
		readonly certificateVerify: {
			readonly msgType: number;
			/** SHA-256 of all messages until now. */
			calculateDigest(session: Session): ArrayBuffer;
		};
	};
	export default handshake;
}

declare module "ssl/session" {
	import type { Session } from "ssl/handshake";

	const SSLSession: {
		readonly prototype: {
			/** Goes on with the handshake. */
			handshake(this: object, socket: object): boolean;
			/** Has `protocol` make a record, and sends it. */
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
	/** What the class of embedded:io/socket/tcp does as it is used here. The constructor throws without a network. */
	export interface RawTCP {
		/** Fills the view; throws when less is waiting. Gives how many bytes. */
		read(into: Uint8Array): number;
		/** What may be written now. Throws when `bytes` is more than that, or nothing may be written yet. */
		write(bytes: ArrayBuffer | Uint8Array): number;
		close(): void;
	}
	export interface TLSOptions extends TCPOptions {
		/** Makes the connection below out of all these options. On the instance TLS notes how much may be read and written. */
		readonly TCP: { readonly io: new (options: never) => object };
		readonly secure: {
			/** Whether TLS is to judge the server's certificates. */
			readonly verify: boolean;
			readonly clientCertificates: readonly Uint8Array[];
			/** RSA: PKCS#8, DER. */
			readonly clientKey?: Uint8Array;
			readonly serverName: string;
			readonly applicationLayerProtocolNegotiation?: readonly string[];
			/** Whether a session may be resumed with the server of that name. */
			readonly cache: boolean;
		};
	}
	/** TLS 1.2. What goes wrong in the handshake is thrown in the callbacks that the connection below calls. */
	export default class TLSSocket {
		constructor(options: TLSOptions);
		/** Everything that waits. */
		read(): ArrayBuffer | undefined;
		write(bytes: Uint8Array): void;
		close(): void;
	}
}
