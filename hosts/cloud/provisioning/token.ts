// Certificate ownership tokens in AWS's form. They carry no data. Whoever has a token can register its certificate, so it is secret.

import { randomBytes } from "node:crypto";

/** What surrounds the cipher text in AWS's tokens, once their base64 is decoded. Cipher texts begin with the bytes `02 1?`. */
const OPENING = '{"version":"20191023","cipher":"';
const CLOSING = '"}';

/**
 * A new token of `length` characters: base64 of `{"version":"20191023","cipher":"…"}`, with random bytes as the cipher text. It
 * is whole at 464, AWS's length. At other lengths its end may be cut off; from 128 on it is still impossible to guess.
 */
export function ownershipToken(length = 464): string {
	// The last four characters of the outer base64 may stand for a single character of the text.
	const text = Math.ceil(length / 4) * 3 - 2 - OPENING.length - CLOSING.length;
	const cipher = randomBytes(Math.ceil(text / 4) * 3 - 1);
	cipher[0] = 0x02;
	cipher[1] = 0x10 | (cipher[1]! & 0x0f);
	return Buffer.from(`${OPENING}${cipher.toString("base64")}${CLOSING}`)
		.toString("base64")
		.slice(0, length);
}
