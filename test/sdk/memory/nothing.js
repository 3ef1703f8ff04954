// Only the firmware, as the baseline for the others.

export default function () {
	trace("ready\n");
}
