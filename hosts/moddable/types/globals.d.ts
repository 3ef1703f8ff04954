// The globals of XS that this host uses. When mcconfig compiles, the SDK provides its own declarations.

/** Writes to the debugger or the serial line. */
declare function trace(...items: unknown[]): void;

/** The C function of that name; `call` passes `this` and arguments to it. */
// biome-ignore lint/complexity/noBannedTypes: what xsc makes of it has no better type
declare function native(name: string): Function;

interface ArrayBufferConstructor {
	/** Encodes as UTF-8. */
	fromString(text: string): ArrayBuffer;
}

interface StringConstructor {
	/** Decodes UTF-8. */
	fromArrayBuffer(bytes: ArrayBuffer): string;
}

interface ArrayBuffer {
	concat(...others: ArrayBuffer[]): ArrayBuffer;
}
