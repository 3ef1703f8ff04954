// ECMAScript itself has no UTF-8. CBOR's text strings are UTF-8 behind a length, so the CBOR codec does it.

import { Decoder, Encoder } from "cbor-x/index-no-eval";

/** The UTF-8 bytes of a text. */
export function toUtf8(text: string): Uint8Array {
	const item = new Encoder({ useRecords: false }).encode(text);
	const info = item[0]! & 31;
	return item.slice(info < 24 ? 1 : 1 + (1 << (info - 24)));
}

/** The text that up to 65,535 bytes of UTF-8 are. */
export function fromUtf8(bytes: Uint8Array): string {
	const item = new Uint8Array(3 + bytes.length);
	item.set([0x79, bytes.length >> 8, bytes.length & 0xff]);
	item.set(bytes, 3);
	return new Decoder({ useRecords: false }).decode(item);
}
