// The engine's native functions, as device code sees them. Types only; the functions are in engine/device.c.

/** Nothing to send, or text, or bytes. */
export type Payload = string | ArrayBuffer | Uint8Array;

/** The global `machine`. */
export interface NativeFunctions {
	/** Sends something that needs no answer. */
	tell(kind: number, id?: number, number?: number, bytes?: Payload): void;
	/** Asks, and waits for the answer. Does not return when the power is cut. @throws Error when that is the answer */
	ask(kind: number, id?: number, number?: number, bytes?: Payload): ArrayBuffer | number | undefined;
	/** Sets the function that is called with everything that happens. */
	listen(listener: (kind: number, id: number, number: number, bytes?: ArrayBuffer) => void): void;
}

declare global {
	var machine: NativeFunctions;
	interface StringConstructor {
		/** XS's own: text from UTF-8. */
		fromArrayBuffer(bytes: ArrayBuffer): string;
	}
	interface ArrayBufferConstructor {
		/** XS's own: UTF-8 of text. */
		fromString(text: string): ArrayBuffer;
	}
}
