// A certificate and its private key as others hand them over, in PEM: checked to be whole, and to belong together.

import { Failure } from "../base/failure.js";
import { Malformed } from "../base/malformed.js";
import type { Credentials, Ecdsa } from "../contract/host.js";
import { publicKeyIn } from "./certificate.js";
import { equalBytes } from "./der.js";
import { decodePem } from "./pem.js";
import { privateKeyFromPem, publicKeyOf } from "./private-key.js";

/**
 * Reads a certificate and its private key, RSA or EC.
 * @param key PEM; or PKCS#8 DER of a key that this device has made, whose point is not computed again
 * @param ecdsa the machine's arithmetic, for an EC key
 * @throws Malformed, Failure KEY_MISMATCH when they do not belong together
 */
export function readCredentials(certificatePem: string, key: string | Uint8Array, ecdsa?: Ecdsa): Credentials {
	const { label, der } = decodePem(certificatePem);
	if (label !== "CERTIFICATE") throw new Malformed("PEM is not of a certificate");
	const publicKey = publicKeyIn(der);
	const own = typeof key !== "string";
	const pkcs8 = own ? key : privateKeyFromPem(key, ecdsa);
	if (!equalBytes(publicKey, publicKeyOf(pkcs8, own ? undefined : ecdsa))) throw new Failure("KEY_MISMATCH");
	return { certificate: der, key: pkcs8 };
}
