// The step of a device whose new identity was refused too often: gives it one more chance, then asks for another.

import type { RecordOf } from "../identity/record.js";
import { create } from "./create.js";
import type { Device, Next } from "./device.js";
import { becomeProved, tryIdentity } from "./identity.js";

/**
 * Tries once more the identity that was set aside, because somebody may have activated it by now. If it is refused again,
 * uses the claim to ask for another one. The old identity stays in flash until the new one takes its place.
 * @throws Failure of step `connect`, or one that `create` throws
 */
export async function reconsider(device: Device, record: RecordOf<"refused">): Promise<Next> {
	const credentials = device.store.loadCredentials(record);
	if (credentials !== undefined) {
		const refusal = await tryIdentity(device, record.thingName, credentials);
		if (refusal === undefined) return becomeProved(device, record, record);
		device.report({ event: "failure", failure: refusal.report() });
	}
	return create(device, record);
}
