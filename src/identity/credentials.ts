// A certificate and its private key in PEM, as the service or a trusted user provides them. Checks that both are intact and
// that they belong together.

import { Failure } from "../base/failure.js";
import { Malformed } from "../base/malformed.js";
import type { Credentials, Ecdsa } from "../contract/host.js";
import { publicKeyIn } from "./certificate.js";
import { equalBytes } from "./der.js";
import type { PemBlock } from "./pem.js";
import { privateKeyFromPem, publicKeyOf } from "./private-key.js";

/**
 * Reads a certificate and its private key, RSA or EC. The caller has already decoded the PEM, because that needs much of the
 * stack.
 * @param key from PEM; or the PKCS#8 of a key that this device made, whose public point is not computed again
 * @param ecdsa the machine's arithmetic, for an EC key
 * @throws Malformed, Failure KEY_MISMATCH when certificate and key do not belong together
 */
export function readCredentials(certificate: PemBlock, key: PemBlock | Uint8Array, ecdsa?: Ecdsa): Credentials {
	if (certificate.label !== "CERTIFICATE") throw new Malformed("PEM is not of a certificate");
	const own = key instanceof Uint8Array;
	const pkcs8 = own ? key : privateKeyFromPem(key, ecdsa);
	if (!equalBytes(publicKeyIn(certificate.der), publicKeyOf(pkcs8, own ? undefined : ecdsa)))
		throw new Failure("KEY_MISMATCH");
	return { certificate: certificate.der, key: pkcs8 };
}
