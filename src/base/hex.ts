// Converts bytes to hexadecimal text and back.

/** The bytes of a text with an even number of hexadecimal digits. */
export const fromHex = (digits: string): Uint8Array => {
	const bytes = new Uint8Array(digits.length >> 1);
	for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
	return bytes;
};

/** Bytes as hexadecimal digits, in lower case. */
export function toHex(bytes: Uint8Array): string {
	let digits = "";
	for (const byte of bytes) digits += (byte + 0x100).toString(16).slice(1);
	return digits;
}
