// The life of a device: a step for each state that flash can be in. Every step ends with the next state saved, or with a
// failure and flash as it was. After a power cut anywhere in it, the same step goes on at the next power-on.

import { create } from "./create.js";
import type { Device, Next } from "./device.js";
import { prove } from "./prove.js";
import { reconsider } from "./reconsider.js";
import { register } from "./register.js";
import { run } from "./run.js";

/** Takes the step of the state that flash is in. @throws Failure, after which the same state's step is tried again later */
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
