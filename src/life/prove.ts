// The step of a device whose thing is registered: connects for the first time under the new identity.

import type { RecordOf } from "../identity/record.js";
import type { Device, Next } from "./device.js";
import { proveIdentity } from "./identity.js";

/**
 * Refusals in a row after which a registered identity is set aside. AWS may take minutes until a policy is in force everywhere;
 * with the pauses between them, twelve refusals take about ten minutes.
 */
const REFUSALS_TO_SET_ASIDE = 12;

/** Connects under the thing's name. @throws Failure IDENTITY_REFUSED, or of step `connect` */
export function prove(device: Device, record: RecordOf<"registered">): Promise<Next> {
	const aside = { ...record, state: "refused", setAsides: record.setAsides + 1 } as const;
	return proveIdentity(device, record, record, REFUSALS_TO_SET_ASIDE, aside);
}
