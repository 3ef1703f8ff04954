// The globals of XS that this host uses. The SDK brings its own when mcconfig compiles.

/** Writes to the debugger or the serial line. */
declare function trace(...items: unknown[]): void;

/** The C function of that name; `call` passes it `this` and arguments. */
// biome-ignore lint/complexity/noBannedTypes: what xsc makes of it has no better type
declare function native(name: string): Function;

interface ArrayBufferConstructor {
	/** UTF-8. */
	fromString(text: string): ArrayBuffer;
}

interface StringConstructor {
	/** UTF-8. */
	fromArrayBuffer(bytes: ArrayBuffer): string;
}

interface ArrayBuffer {
	concat(...others: ArrayBuffer[]): ArrayBuffer;
}
