// What `npm run sdk-tests` hands to the program in the simulator. Types only.

import type { CurveName } from "../../src/contract/host.js";
import type { Vector } from "../moddable/rfc6979.js";

type KeyKind = "RSA-2048" | CurveName;

/** A chain as in test/moddable/chains.ts; bytes in hexadecimal. */
export interface ChainCase {
	readonly what: string;
	/** A record with the server's hello and its certificates. */
	readonly record: string;
	readonly roots: readonly string[];
	readonly serverName: string;
	readonly rule?: string;
}

/** A server that is there to be connected to. */
export interface ServerCase {
	readonly what: string;
	/** Default 127.0.0.1. */
	readonly host?: string;
	readonly port: number;
	/** SocketErrorReason with which the connection ends, or `open` when TLS comes up and data comes through. */
	readonly reason: string;
	/** In the message. */
	readonly message?: string;
	/** The kind of the key that the client proves itself with. Default RSA-2048. */
	readonly key?: KeyKind;
}

export interface Cases {
	readonly chains: readonly ChainCase[];
	readonly servers: readonly ServerCase[];
	/** For the connections to the servers. */
	readonly clients: Readonly<Record<KeyKind, { readonly certificate: string; readonly key: string }>>;
	readonly roots: readonly string[];
	/** Signatures that others have published. */
	readonly signatures: readonly Vector[];
	readonly fuzz: {
		readonly count: number;
		readonly seed: number;
		readonly seeds: readonly string[];
		readonly roots: readonly string[];
		readonly serverName: string;
	};
}
