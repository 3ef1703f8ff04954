// How a thousand devices that are switched on at the same moment spread by their pauses, while the service allows ten
// registrations a second. In virtual time, so that only the waiting counts, and not the speed of this machine.

import { SimulatedDevice } from "../../hosts/node/device.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import { makeIssuer, TEMPLATE, VirtualCloud } from "../support/virtual-cloud.js";
import { VirtualTime } from "../support/virtual-time.js";
import { seededRandom } from "../support/world.js";

/** One power-on of a fleet, in s of virtual time. */
export interface MassPowerOn {
	readonly devices: number;
	/** s over which devices spread their first connection (the setting `startSpread`). */
	readonly startSpread: number;
	/** When half of them, 99 of 100 and all were registered. */
	readonly half: number;
	readonly most: number;
	readonly all: number;
	/** Requests that were refused for being too many, and connections, for each device. */
	readonly throttledPerDevice: number;
	readonly connectionsPerDevice: number;
	/** For each second: devices registered in it, refusals, and devices registered up to its end. */
	readonly timeline: readonly { registered: number; throttled: number; sum: number }[];
}

/** ms after which something must be wrong. */
const LIMIT = 3_600_000;

/** @throws Error when a device fails otherwise than by being throttled, or not all get there within an hour */
export async function powerOnAtOnce(devices: number, startSpread: number): Promise<MassPowerOn> {
	const time = new VirtualTime();
	const cloud = await VirtualCloud.open({ time, issuer: (await makeIssuer(1))() });
	const registered: number[] = [];
	const throttled: number[] = [];
	let connections = 0;
	let wrong: string | undefined;
	for (let i = 0; i < devices; i++) {
		const device: SimulatedDevice = new SimulatedDevice({
			configuration: { endpoint: "iot.test", template: TEMPLATE, keyPair: "csr", startSpread: startSpread * 1000 },
			device: { serialNumber: `fleet-${i}`, firmwareVersion: "1.0.0" },
			claim: cloud.claim,
			roots: [],
			storage: new MemoryFlash(),
			application: () => undefined,
			time,
			network: cloud.network,
			random: seededRandom(i + 1),
			onEvent(event) {
				if (event.event === "connecting") connections += 1;
				else if (event.event === "provisioned") registered.push(time.ticks() / 1000);
				else if (event.event === "restart") device.powerOff();
				else if (event.event === "failure" && event.failure.code === "REGISTER_THROTTLED")
					throttled.push(time.ticks() / 1000);
				else if (event.event === "failure") wrong ??= event.failure.code;
			},
			onCrash: (error) => {
				wrong ??= String(error);
			},
		});
		device.powerOn();
	}
	while (registered.length < devices) {
		await settle();
		while (cloud.busy > 0) await settle();
		if (wrong !== undefined || time.ticks() > LIMIT || !time.advance())
			throw new Error(`${registered.length} of ${devices} registered: ${wrong ?? "the rest did not within an hour"}`);
	}
	const all = registered.at(-1)!;
	const timeline = Array.from({ length: Math.floor(all) + 1 }, () => ({ registered: 0, throttled: 0, sum: 0 }));
	for (const at of registered) timeline[Math.floor(at)]!.registered += 1;
	for (const at of throttled) timeline[Math.floor(at)]!.throttled += 1;
	let sum = 0;
	for (const second of timeline) {
		sum += second.registered;
		second.sum = sum;
	}
	const at = (share: number) => Math.round(registered[Math.ceil(share * devices) - 1]! * 10) / 10;
	return {
		devices,
		startSpread,
		half: at(0.5),
		most: at(0.99),
		all: at(1),
		throttledPerDevice: Math.round((throttled.length / devices) * 100) / 100,
		connectionsPerDevice: Math.round((connections / devices) * 100) / 100,
		timeline,
	};
}

/** Lets everything that was promised happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
