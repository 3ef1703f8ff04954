// SHA-256 with the SDK's native implementation.

import { Digest } from "crypt";

/** The 32-byte SHA-256 digest of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
	const digest = new Digest("SHA256");
	// `digest` accepts a view, although the SDK does not declare that.
	digest.write(bytes as unknown as ArrayBuffer);
	return new Uint8Array(digest.close());
}
