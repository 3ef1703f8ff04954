// The same package in a stranger's TypeScript: compiled under two module resolutions, never run.

import { type Cloud, type CloudOptions, claimPolicy, startCloud } from "moddable-fleet-provisioning/cloud";
import {
	type Application,
	boot,
	type Configuration,
	type FailureCode,
	type Host,
} from "moddable-fleet-provisioning/device";
import { MemoryFlash, SimulatedDevice, type SimulatedDeviceOptions } from "moddable-fleet-provisioning/node";

const options: CloudOptions = { region: "eu-west-1", settings: { token: { lifetime: 1000 } } };
const code: FailureCode = "CLAIM_MISSING";
// @ts-expect-error: the types are there, and say no
const wrong: FailureCode = "NO_SUCH_CODE";

export async function use(host: Host, application: Application, configuration: Configuration): Promise<Cloud> {
	const cloud = await startCloud(options);
	const made: SimulatedDeviceOptions = {
		configuration,
		device: { serialNumber: "1", firmwareVersion: "1" },
		roots: [],
		storage: new MemoryFlash(),
		application,
	};
	new SimulatedDevice(made).powerOn();
	await boot(host, application);
	console.log(claimPolicy({ accountId: "123456789012", region: "eu-west-1" }, "fleet"), code, wrong);
	return cloud;
}
