// The package process-nextick-args, which mqtt-packet wants for streams that can be corked. On the device none can.

export function nextTick() {
	throw new TypeError("nextTick is not provided: write to a stream without cork()");
}
