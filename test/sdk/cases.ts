// What `npm run sdk-tests` hands to the program in the simulator. Types only.

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
}

export interface Cases {
	readonly chains: readonly ChainCase[];
	readonly servers: readonly ServerCase[];
	/** For the connections to the servers. */
	readonly client: { readonly certificate: string; readonly key: string; readonly roots: readonly string[] };
	readonly fuzz: {
		readonly count: number;
		readonly seed: number;
		readonly seeds: readonly string[];
		readonly roots: readonly string[];
		readonly serverName: string;
	};
}
