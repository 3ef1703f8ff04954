// Puts the device program on this machine. An app of its own includes hosts/moddable/manifest.json and calls `start`.

import { createMachine } from "fleet-provisioning/machine";
import { boot } from "../../src/boot.js";
import type { Application } from "../../src/contract/application.js";
import type { GivenClaim } from "./claim.js";
import { createHost } from "./host.js";

/**
 * Joins the network and runs the device program: provisioning when there is no identity yet, then the application.
 * @param claim from a trusted user; without it the device uses the claim built into the firmware
 * @param forget a factory reset, asked for by a button held down at power-on say: the identity is erased first
 */
export function start(application: Application, claim?: GivenClaim, forget = false): void {
	const machine = createMachine();
	const run = (asked: boolean): void => {
		boot(
			createHost(machine, claim, asked, () => run(false)),
			application,
		);
	};
	machine.connect(() => run(forget));
}
