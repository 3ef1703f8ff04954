// Certificate ownership tokens in AWS's form. Opaque: nothing is in them, and who has one has its certificate.

import { randomBytes } from "node:crypto";

/** What is around the cipher of AWS's, once their base64 is undone. Ciphers begin with the bytes `02 1?`. */
const OPENING = '{"version":"20191023","cipher":"';
const CLOSING = '"}';

/**
 * A new token of `length` characters, base64 of `{"version":"20191023","cipher":"…"}` with random bytes for the cipher. Whole
 * at 464, AWS's length; at others its end may be cut off, and from 128 on it is still nothing that anybody guesses.
 */
export function ownershipToken(length = 464): string {
	// The last group of three characters of the base64 without may be down to one.
	const text = Math.ceil(length / 4) * 3 - 2 - OPENING.length - CLOSING.length;
	const cipher = randomBytes(Math.ceil(text / 4) * 3 - 1);
	cipher[0] = 0x02;
	cipher[1] = 0x10 | (cipher[1]! & 0x0f);
	return Buffer.from(`${OPENING}${cipher.toString("base64")}${CLOSING}`)
		.toString("base64")
		.slice(0, length);
}
