// What all parsers of untrusted bytes share: the error that they throw, and their limits.

/** How deep replies may be nested. AWS's need 2 levels; with 8, cbor-x overflows the stack of an ESP32-C3 (384 slots). */
export const DEPTH_LIMIT = 4;
/** How many items a reply may have. When decoded, an item takes more memory than it has bytes. */
export const ITEMS_LIMIT = 512;

/** Says what is wrong with some bytes. Contains none of them. */
export class Malformed extends Error {}
