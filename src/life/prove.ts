// The step of a device whose thing is registered: connects for the first time under the new identity.

import type { RecordOf } from "../identity/record.js";
import type { Device, Next } from "./device.js";
import { proveIdentity } from "./identity.js";

/**
 * Refusals in a row after which a registered identity is put aside. AWS takes minutes to make a policy known everywhere;
 * with the pauses in between, these refusals take about ten.
 */
const REFUSALS_TO_SET_ASIDE = 12;

/** Connects under the thing's name. @throws Failure IDENTITY_REFUSED, or of step `connect` */
export function prove(device: Device, record: RecordOf<"registered">): Promise<Next> {
	const aside = { ...record, state: "refused", setAsides: record.setAsides + 1 } as const;
	return proveIdentity(device, record, record, REFUSALS_TO_SET_ASIDE, aside);
}
