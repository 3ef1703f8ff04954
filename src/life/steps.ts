// The life of a device: one step for each state that flash can hold. A step ends with the next state saved to flash, or with a
// failure that is retried. After a power cut within a step, the next power-on takes the step of the state saved last.

import { create } from "./create.js";
import type { Device, Next } from "./device.js";
import { prove } from "./prove.js";
import { reconsider } from "./reconsider.js";
import { register } from "./register.js";
import { run } from "./run.js";

/** Takes the step of the state in flash. @throws Failure after which the step of the saved state is taken again, later */
export function takeStep(device: Device): Promise<Next> {
	const { record } = device;
	switch (record.state) {
		case "unprovisioned":
			return create(device, record);
		case "created":
		case "registering":
			return register(device, record);
		case "registered":
			return prove(device, record);
		case "refused":
			return reconsider(device, record);
		case "proved":
			return run(device, record);
	}
}
