// A simulated device's arithmetic with EC keys: OpenSSL's, as a machine with a crypto engine would have it.

import { createECDH, createPrivateKey, sign } from "node:crypto";
import type { Ecdsa } from "../../src/contract/host.js";
import { encodeEcKey, keyPair } from "../../src/identity/ec.js";

/** OpenSSL's names of the curves. */
export const OPENSSL_CURVES = { "P-256": "prime256v1", "P-384": "secp384r1" } as const;

/** A device's `ecdsa`. */
export const ecdsa: Ecdsa = {
	publicKey(curve, scalar) {
		const pair = createECDH(OPENSSL_CURVES[curve]);
		pair.setPrivateKey(scalar);
		return new Uint8Array(pair.getPublicKey());
	},
	sign(curve, scalar, message) {
		const key = Buffer.from(encodeEcKey(keyPair(curve, scalar, undefined, this)));
		return new Uint8Array(sign("sha256", message, createPrivateKey({ key, format: "der", type: "pkcs8" })));
	},
};
