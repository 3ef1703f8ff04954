// URLs of WebSockets, signed by AWS's own signer.

import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

interface Key {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string;
}

/** SHA-256 in the form that AWS's signer wants. */
class Sha256 {
	readonly #hash;

	constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
		this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as Uint8Array);
	}

	update(data: Uint8Array): void {
		this.#hash.update(data);
	}

	async digest(): Promise<Uint8Array> {
		return this.#hash.digest();
	}
}

/** A presigned URL of `wss://localhost:PORT/mqtt`. The token is signed, too, only where `tokenSigned` says so. */
export async function presign(
	port: number,
	key: Key,
	more: { region?: string; service?: string; at?: Date; expiresIn?: number; tokenSigned?: boolean } = {},
): Promise<string> {
	const { region = "us-east-1", service = "iotdevicegateway", at = new Date(), expiresIn, tokenSigned } = more;
	const { sessionToken, ...credentials } = key;
	const signer = new SignatureV4({
		...{ region, service, sha256: Sha256, applyChecksum: false },
		credentials: tokenSigned ? key : credentials,
	});
	const signed = await signer.presign(
		{
			...{ method: "GET", protocol: "wss:", hostname: "localhost", port, path: "/mqtt" },
			headers: { host: `localhost:${port}` },
		},
		{ signingDate: at, ...(expiresIn !== undefined && { expiresIn }) },
	);
	const query = Object.entries(signed.query ?? {}).map(([name, value]) => `${name}=${encodeURIComponent(`${value}`)}`);
	if (sessionToken !== undefined && !tokenSigned)
		query.push(`X-Amz-Security-Token=${encodeURIComponent(sessionToken)}`);
	return `wss://localhost:${port}/mqtt?${query.join("&")}`;
}
