// The engine's native functions, as device code sees them. Types only; engine/device.c has the functions.

/** Nothing to send, or text, or bytes. */
export type Payload = string | ArrayBuffer | Uint8Array;

/** The global `machine`. */
export interface NativeFunctions {
	/** Says something that needs no answer. */
	tell(kind: number, id?: number, number?: number, bytes?: Payload): void;
	/** Asks, and waits for the answer. Throws what the host answers with an error; does not return when the power is cut. */
	ask(kind: number, id?: number, number?: number, bytes?: Payload): ArrayBuffer | number | undefined;
	/** Sets what is called with all that happens. */
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
