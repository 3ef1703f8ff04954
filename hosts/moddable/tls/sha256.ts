// SHA-256, by the SDK.

import { Digest } from "crypt";

/** SHA-256, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
	const digest = new Digest("SHA256");
	// A view will do, whatever the SDK declares.
	digest.write(bytes as unknown as ArrayBuffer);
	return new Uint8Array(digest.close());
}
