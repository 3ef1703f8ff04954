// Many simulated devices in one process, switched on at the same moment, against a cloud in another: how fast they get their
// identities, what that costs, and what happens when the cloud allows ten registrations a second, as AWS does.

import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { certificatesIn } from "../../hosts/cli/credentials.js";
import { SimulatedDevice } from "../../hosts/node/device.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import { type Answered, CloudProcess, claimOf, TEMPLATE } from "./cloud.js";
import { UNLIMITED } from "./round-trips.js";
import { quantile, round } from "./statistics.js";

/** One power-on of a fleet. Times in ms since then. */
export interface FleetResult {
	readonly devices: number;
	/** RegisterThing is limited to ten a second. */
	readonly throttled: boolean;
	/** ms over which devices spread their first connection. */
	readonly startSpread: number;
	/** Devices that run their application under their own name at the end. */
	readonly running: number;
	/** Until the last of them was registered, and until half of them and 99 of 100 were. */
	readonly last: number;
	readonly p50: number;
	readonly p99: number;
	/** Devices a second, over all. */
	readonly rate: number;
	/** Connections under the claim, for each device: 1 when nothing goes wrong. */
	readonly connectionsPerDevice: number;
	/** Failures that devices reported, by code. */
	readonly failures: Readonly<Record<string, number>>;
	/** ms of processor time for each device, of the devices' process and of the cloud's. */
	readonly deviceProcessor: number;
	readonly cloudProcessor: number;
	/** Bytes of resident memory that each connected device has added to its process, and to the cloud's. */
	readonly deviceMemory: number;
	readonly cloudMemory: number;
	/** For each second: registrations accepted and refused, and devices registered up to its end. */
	readonly timeline: readonly { readonly accepted: number; readonly throttled: number; readonly registered: number }[];
}

export interface FleetPlan {
	readonly devices: number;
	readonly throttled: boolean;
	readonly startSpread?: number;
}

/** ms after which a fleet is looked at as it is. */
const LIMIT = 600_000;

/** Switches a fleet on in a process of its own, so that what one fleet leaves behind is not counted for the next. */
export function measureFleet(plan: FleetPlan, log: (line: string) => void): Promise<FleetResult> {
	const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(plan)], { execArgv: ["--import", "tsx"] });
	return new Promise((resolve, reject) => {
		child.on("message", (told: string | FleetResult) => (typeof told === "string" ? log(told) : resolve(told)));
		child.on("exit", (code) => reject(new Error(`the fleet's process ended with ${code}`)));
	});
}

/** Switches a fleet on and waits until all its devices run. */
async function powerOnFleet(
	{ devices, throttled, startSpread = 0 }: FleetPlan,
	log: (line: string) => void,
): Promise<FleetResult> {
	const cloud = await CloudProcess.start(throttled ? {} : UNLIMITED);
	const machines: SimulatedDevice[] = [];
	try {
		const claim = claimOf(cloud.endpoint);
		const roots = certificatesIn(cloud.endpoint.rootCertificate);
		const registered: number[] = [];
		const failures: Record<string, number> = {};
		let connections = 0;
		let running = 0;
		let crash: unknown;
		for (let i = 0; i < devices; i++)
			machines.push(
				new SimulatedDevice({
					configuration: {
						endpoint: "localhost",
						port: cloud.endpoint.port,
						template: TEMPLATE,
						keyPair: "csr",
						startSpread,
					},
					device: { serialNumber: `fleet-${i}`, firmwareVersion: "1.0.0" },
					claim,
					roots,
					storage: new MemoryFlash(),
					application: () => {
						running += 1;
						return () => {
							running -= 1;
						};
					},
					bootTime: 0,
					onEvent(event) {
						if (event.event === "provisioned") registered.push(performance.now() - started);
						else if (event.event === "connecting" && event.role === "claim") connections += 1;
						else if (event.event === "failure") failures[event.failure.code] = (failures[event.failure.code] ?? 0) + 1;
					},
					onCrash: (error) => {
						crash ??= error;
					},
				}),
			);

		const usageBefore = await cloud.usage();
		const memoryBefore = process.memoryUsage.rss();
		const processorBefore = process.cpuUsage();
		await cloud.answered();
		const startedAt = Date.now();
		const started = performance.now();
		for (const machine of machines) machine.powerOn();
		const answered: Answered[] = [];
		while (running < devices && crash === undefined && performance.now() - started < LIMIT) {
			await sleep(devices < 100 ? 10 : 250);
			if (devices >= 100) answered.push(...(await cloud.answered()));
			if (devices >= 100) log(`${devices} devices: ${registered.length} registered, ${running} running`);
		}
		if (crash !== undefined) throw crash;
		const { user, system } = process.cpuUsage(processorBefore);
		const usage = await cloud.usage();
		const memory = process.memoryUsage.rss();
		answered.push(...(await cloud.answered()));
		const last = Math.max(...registered);
		return {
			devices,
			throttled,
			startSpread,
			running,
			last: round(last),
			p50: round(quantile(registered, 0.5)),
			p99: round(quantile(registered, 0.99)),
			rate: round(registered.length / (last / 1000)),
			connectionsPerDevice: round(connections / devices, 2),
			failures,
			deviceProcessor: round((user + system) / 1000 / devices),
			cloudProcessor: round((usage.processor - usageBefore.processor) / devices),
			deviceMemory: round((memory - memoryBefore) / devices, 0),
			cloudMemory: round((usage.memory - usageBefore.memory) / devices, 0),
			timeline: timeline(answered, startedAt, registered),
		};
	} finally {
		for (const machine of machines) machine.powerOff();
		await cloud.close();
	}
}

function timeline(
	answered: readonly Answered[],
	startedAt: number,
	registered: readonly number[],
): FleetResult["timeline"] {
	const seconds = Array.from({ length: Math.ceil(Math.max(...registered) / 1000) + 1 }, () => ({
		accepted: 0,
		throttled: 0,
		registered: 0,
	}));
	for (const { time, operation, outcome } of answered) {
		const second = seconds[Math.floor((time - startedAt) / 1000)];
		if (operation !== "RegisterThing" || second === undefined) continue;
		if (outcome === "Success") second.accepted += 1;
		else if (outcome === "Throttled") second.throttled += 1;
	}
	for (const time of registered) seconds[Math.floor(time / 1000)]!.registered += 1;
	let sum = 0;
	for (const second of seconds) {
		sum += second.registered;
		second.registered = sum;
	}
	return seconds;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
	const tell = (what: string | FleetResult, then?: () => void) => process.send!(what, undefined, undefined, then);
	const result = await powerOnFleet(JSON.parse(process.argv[2]!), (line) => tell(line));
	tell(result, () => process.exit());
}
