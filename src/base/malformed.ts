// What all readers of bytes from outside share: the error that they throw, and their limits.

/** How deep replies may nest. AWS's need 2; at 8 cbor-x overflows the stack of an ESP32-C3 (384 slots). */
export const DEPTH_LIMIT = 4;
/** How many items a reply may have. In a decoder, each takes more memory than it has bytes. */
export const ITEMS_LIMIT = 512;

/** What is wrong with some bytes. Holds none of them. */
export class Malformed extends Error {}
