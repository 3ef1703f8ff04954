// The data that `npm run sdk-tests` passes to the program in the simulator. Types only.

import type { CurveName } from "../../src/contract/host.js";
import type { Vector } from "../moddable/rfc6979.js";

type KeyKind = "RSA-2048" | CurveName;

/** A chain of test/moddable/chains.ts, with bytes in hexadecimal. */
export interface ChainCase {
	readonly what: string;
	/** A record with the ServerHello and the server's certificates. */
	readonly record: string;
	readonly roots: readonly string[];
	readonly serverName: string;
	readonly rule?: string;
}

/** A running server to connect to. */
export interface ServerCase {
	readonly what: string;
	/** Default 127.0.0.1. */
	readonly host?: string;
	readonly port: number;
	/** The SocketErrorReason with which the connection ends, or `open` if TLS is established and data arrives. */
	readonly reason: string;
	/** Part of the error message. */
	readonly message?: string;
	/** The type of the client's key. Default RSA-2048. */
	readonly key?: KeyKind;
}

export interface Cases {
	readonly chains: readonly ChainCase[];
	readonly servers: readonly ServerCase[];
	/** The client's credentials for connections to the servers. */
	readonly clients: Readonly<Record<KeyKind, { readonly certificate: string; readonly key: string }>>;
	readonly roots: readonly string[];
	/** Published test vectors. */
	readonly signatures: readonly Vector[];
	readonly fuzz: {
		readonly count: number;
		readonly seed: number;
		readonly seeds: readonly string[];
		readonly roots: readonly string[];
		readonly serverName: string;
	};
}
