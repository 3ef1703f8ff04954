// No more than the firmware: what the others are compared with.

export default function () {
	trace("ready\n");
}
