// What `npm run bench -- --only tls` hands the program in the simulator. Types only.

/** The kinds of key that a client signs its handshake with. */
export type ClientKey = "RSA-2048" | "P-256";

export interface TlsCases {
	readonly port: number;
	/** Certificates and keys in hexadecimal. */
	readonly roots: readonly string[];
	readonly clients: Readonly<Record<ClientKey, { readonly certificate: string; readonly key: string }>>;
	/** The handshakes, in this order. */
	readonly plan: readonly ClientKey[];
}
