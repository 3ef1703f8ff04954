// Replaces process-nextick-args, which mqtt-packet needs only for streams that support corking. The device has no such
// streams.

export function nextTick() {
	throw new TypeError("nextTick is not provided: write to a stream without cork()");
}
