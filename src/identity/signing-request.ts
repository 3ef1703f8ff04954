// Creates the signing request (CSR) with which the device requests a certificate for its own key: PKCS#10 (RFC 2986).

import { fromHex } from "../base/hex.js";
import { toUtf8 } from "../base/utf8.js";
import type { Ecdsa } from "../contract/host.js";
import { encodeBits, encodeDer, INTEGER, OBJECT_IDENTIFIER, SEQUENCE } from "./der.js";
import { type EcKey, ecPublicKey } from "./ec.js";
import { encodePem } from "./pem.js";

const SET = 0x31;
const UTF8_STRING = 0x0c;
const VERSION_0 = Uint8Array.of(INTEGER, 1, 0);
/** An empty set of attributes. The field is mandatory. */
const ATTRIBUTES = Uint8Array.of(0xa0, 0);
/** 2.5.4.3, commonName. */
const COMMON_NAME = fromHex("550403");
/** AlgorithmIdentifier: 1.2.840.10045.4.3.2, ecdsa-with-SHA256 (RFC 5758, 3.2). */
const ECDSA_WITH_SHA256 = encodeDer(SEQUENCE, encodeDer(OBJECT_IDENTIFIER, fromHex("2a8648ce3d040302")));

/** A signing request in PEM. @param commonName 1 to 64 characters (RFC 5280, appendix A.1: ub-common-name) */
export function signingRequest(key: EcKey, commonName: string, ecdsa: Ecdsa): string {
	const name = encodeDer(UTF8_STRING, toUtf8(commonName));
	const attribute = encodeDer(SEQUENCE, encodeDer(OBJECT_IDENTIFIER, COMMON_NAME), name);
	const subject = encodeDer(SEQUENCE, encodeDer(SET, attribute));
	const toBeSigned = encodeDer(SEQUENCE, VERSION_0, subject, ecPublicKey(key), ATTRIBUTES);
	const signature = encodeBits(ecdsa.sign(key.curve, key.scalar, toBeSigned));
	return encodePem("CERTIFICATE REQUEST", encodeDer(SEQUENCE, toBeSigned, ECDSA_WITH_SHA256, signature));
}
