// The step of a device with a certificate and its ownership token: registers the thing. An earlier power-on may have sent
// RegisterThing without getting the reply, and the service may accept a token only once.

import { asFailure, Failure } from "../base/failure.js";
import { expectedThingName, templateParameters } from "../contract/configuration.js";
import type { RecordOf } from "../identity/record.js";
import type { Device, Next } from "./device.js";
import { proveIdentity } from "./identity.js";

/** Refusals in a row after which an identity is given up that may never have been registered. */
const REFUSALS_TO_SET_ASIDE = 3;

/** Registers the thing. @throws Failure of step `register`, or why the provisioning API cannot be reached */
export async function register(device: Device, record: RecordOf<"created" | "registering">): Promise<Next> {
	const { host } = device;
	try {
		if (device.now() >= record.deadline) throw new Failure("TOKEN_EXPIRED");
		const exchange = await device.openExchange();
		// Saved before the first request is sent: after a power cut or a lost reply, nobody knows whether it took effect.
		if (record.state === "created") await device.keep({ ...record, state: "registering" });
		const parameters = templateParameters(host.configuration, host.device.serialNumber);
		const { thingName, deviceConfiguration } = await exchange.registerThing(record.ownershipToken, parameters);
		const { setAsides, certificateId, slot } = record;
		await device.keep({ state: "registered", setAsides, certificateId, slot, thingName, deviceConfiguration });
		device.report({ event: "provisioned", thingName, certificateId });
		device.closeExchange();
		return "restart";
	} catch (error) {
		const failure = asFailure(error);
		if (failure.class !== "recreate") throw failure;
		device.closeExchange();
		if (record.state === "created") {
			await device.startAgain();
			throw failure;
		}
		device.report({ event: "failure", failure: failure.report() });
		// The token is useless now, but an earlier RegisterThing may have succeeded: then the certificate can connect.
		const thingName = expectedThingName(host.configuration, host.device.serialNumber);
		const aside = { state: "unprovisioned", setAsides: record.setAsides + 1 } as const;
		return proveIdentity(device, record, { thingName }, REFUSALS_TO_SET_ASIDE, aside);
	}
}
