// Key pairs, made by Node's OpenSSL on the threads of the runtime. RSA keys are most of what a first start costs, so that they are made
// while other things are loaded, and some of those that devices ask for in advance.

import { createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";

const generate = promisify(generateKeyPair);

/** RSA-2048, or EC on P-256. */
export type KeyKind = "RSA" | "EC";

/** A key pair that a certificate is made for. */
export interface CertificateKeyPair {
	readonly kind: KeyKind;
	/** DER of the public key. */
	readonly spki: Uint8Array<ArrayBuffer>;
	/** PKCS#8. Secret. */
	readonly privateKeyPem: string;
}

/** A key pair as CreateKeysAndCertificate answers with it: SPKI and PKCS#1. */
export interface KeyPairPem {
	readonly publicKeyPem: string;
	readonly privateKeyPem: string;
}

/** Makes a key pair. */
export async function newKeyPair(kind: KeyKind): Promise<CertificateKeyPair> {
	const { publicKey, privateKey } =
		kind === "RSA" ? await generate("rsa", { modulusLength: 2048 }) : await generate("ec", { namedCurve: "P-256" });
	return {
		kind,
		spki: new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
		privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
	};
}

/** The key pair of a private key: a server certificate is renewed with its key. */
export function keyPairOf({ privateKeyPem }: { readonly privateKeyPem: string }): CertificateKeyPair {
	const publicKey = createPublicKey(privateKeyPem);
	return {
		kind: publicKey.asymmetricKeyType === "rsa" ? "RSA" : "EC",
		spki: new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
		privateKeyPem,
	};
}

/** RSA-2048 key pairs, some of them made in advance on the threads of the runtime. */
export class KeyPairPool {
	readonly #options: { readonly ahead: number; readonly concurrency: number };
	readonly #pairs: KeyPairPem[] = [];
	readonly #waiting: { resolve: (pair: KeyPairPem) => void; reject: (error: unknown) => void }[] = [];
	#making = 0;
	#closed = false;

	constructor(options: { readonly ahead: number; readonly concurrency: number }) {
		this.#options = options;
		this.#fill();
	}

	take(): Promise<KeyPairPem> {
		const pair = this.#pairs.shift();
		const taken = pair
			? Promise.resolve(pair)
			: new Promise<KeyPairPem>((resolve, reject) => this.#waiting.push({ resolve, reject }));
		this.#fill();
		return taken;
	}

	close(): void {
		this.#closed = true;
	}

	async ready(): Promise<void> {
		while (!this.#closed && this.#pairs.length < this.#options.ahead)
			await new Promise((resolve) => setTimeout(resolve, 20));
	}

	#fill(): void {
		const ahead = () => (this.#closed ? 0 : this.#options.ahead);
		const wanted = () => this.#waiting.length + ahead() - this.#pairs.length;
		while (this.#making < Math.min(Math.max(this.#options.concurrency, 1), wanted())) {
			this.#making++;
			this.#make().finally(() => {
				this.#making--;
				this.#fill();
			});
		}
	}

	async #make(): Promise<void> {
		try {
			const { publicKey, privateKey } = await generate("rsa", {
				modulusLength: 2048,
				publicKeyEncoding: { type: "spki", format: "pem" },
				privateKeyEncoding: { type: "pkcs1", format: "pem" },
			});
			const pair = { publicKeyPem: publicKey, privateKeyPem: privateKey };
			const waiting = this.#waiting.shift();
			if (waiting) waiting.resolve(pair);
			else this.#pairs.push(pair);
		} catch (error) {
			this.#waiting.shift()?.reject(error);
		}
	}
}
