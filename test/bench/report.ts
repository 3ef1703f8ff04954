// Writes the results as a Markdown page with plots. Every number in it is read from the results, except in changes.md, which is
// history.

import { readFileSync } from "node:fs";
import type { BrokerResult } from "./broker.js";
import type { FleetResult } from "./fleet.js";
import type { MassPowerOn } from "./mass-power-on.js";
import { bytecode, type MemoryResults } from "./memory.js";
import type { Environment, Results } from "./results.js";
import type { Cost, RoundTripResults, Timing } from "./round-trips.js";
import type { StorageResult } from "./storage.js";
import { barChart, lineChart } from "./svg.js";
import type { HandshakeCost } from "./tls.js";

/** Files by name: README.md and the plots that it shows. */
export function render(results: Partial<Results>): Record<string, string> {
	const plots: Record<string, string> = {};
	const { roundTrips, memory, storage, tls, fleet, brokers, massPowerOn, environments = {} } = results;
	const page = [
		"# Measured\n\nWritten by `npm run bench`, which measures all of it again; [results.json](results.json) has the same and more for machines. " +
			"Counts (round trips, bytes, memory, writes) come out the same on any machine, but for the few bytes by which keys and certificates differ, and are held to " +
			"[limits](../limits.json) by `npm test`. Times are of one run on one machine, where client, network and cloud shared its " +
			"processors: only their ratios say something.",
		roundTrips && section("roundTrips", environments, roundTripText(roundTrips, plots)),
		memory && section("memory", environments, memoryText(memory, plots)),
		storage && section("storage", environments, storageText(storage)),
		tls && section("tls", environments, tlsText(tls)),
		fleet && section("fleet", environments, fleetText(fleet, plots)),
		brokers && section("brokers", environments, brokerText(brokers)),
		massPowerOn && section("massPowerOn", environments, massText(massPowerOn, plots)),
		readFileSync(new URL("changes.md", import.meta.url), "utf8").trimEnd(),
	];
	return { "README.md": `${page.filter(Boolean).join("\n\n")}\n`, ...plots };
}

function section(part: keyof Results, environments: Readonly<Record<string, Environment>>, text: string): string {
	const environment = environments[part];
	if (environment === undefined) return text;
	const { measured, node, system, processor, processors, memory } = environment;
	const gigabytes = Math.round(memory / 2 ** 30);
	return `${text}\n\n<sub>Measured ${measured} with Node ${node}, ${system}, ${processors} × ${processor}, ${gigabytes} GB.</sub>`;
}

type Cell = string | number | undefined;

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
	// Numbers to the right.
	const align = head.map((_, i) =>
		rows.every((row) => /^[^a-z]*( s| KB)?$/i.test(text(row[i]).replace(/ of /, ""))) ? "--:" : "---",
	);
	return [head, align, ...rows.map((row) => row.map(text))].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const text = (cell: Cell): string => (typeof cell === "number" ? cell.toLocaleString("en") : (cell ?? ""));
const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function brokerText(brokers: readonly BrokerResult[]): string {
	const first = brokers[0]!;
	const times = (value: number, of: number) => (value / of).toFixed(2);
	const rows = brokers.map(({ broker, qos0, qos1, idleConnection }) => [
		broker,
		qos0,
		times(qos0, first.qos0),
		qos1,
		times(qos1, first.qos1),
		kilobytes(idleConnection),
	]);
	return `## Brokers\n\nMessages a second, each published and delivered over mutual TLS on loopback by four publishers to a subscriber each, and with QoS 1 acknowledged on both sides; all clients in one process, the brokers by turns. The ratio is to the first row.\n\n${table(["broker", "QoS 0", "ratio", "QoS 1", "ratio", "idle connection"], rows)}`;
}

const OURS = "this project";
const PIPELINED = "this project, pipelined";
const TWO_FLIGHTS = "this project, in two flights";
const AWS = "aws-iot-device-sdk-v2";
const FIRST = "aws-iot-device-sdk-v2, first interface";
type Named = Pick<Cost, "name" | "encoding" | "keyPair">;
const label = ({ name, encoding }: Named): string => `${name}, ${encoding.toUpperCase()}`;

function roundTripText({ costs, timings }: RoundTripResults, plots: Record<string, string>): string {
	const delays = [...new Set(timings.map(({ delay }) => delay))];
	const find = <T extends Named>(all: readonly T[], keyPair: string, name: string, encoding: string): T =>
		all.find((one) => one.keyPair === keyPair && one.name === name && one.encoding === encoding)!;
	const at = (delay: number) => timings.filter((one) => one.delay === delay);
	for (const keyPair of ["keys", "csr"] as const) {
		const shown = (delay: number) => at(delay).filter((one) => one.keyPair === keyPair);
		plots[`time-${keyPair}.svg`] = barChart({
			title: `Time to provision by ${keyPair === "csr" ? "CSR" : "keys"}, TCP and TLS included: median and quartiles`,
			yLabel: "ms",
			series: shown(delays[0]!).map(label),
			groups: delays.map((delay) => ({
				name: `${delay} ms each way`,
				bars: shown(delay).map(({ total: { median, lowerQuartile, upperQuartile } }) => ({
					value: median,
					low: lowerQuartile,
					high: upperQuartile,
				})),
			})),
		});
	}
	const ratio = (delay: number, part: "total" | "afterConnack", name: string, ours: string = OURS) => {
		const mine = find(at(delay), "keys", ours, "cbor")[part].median;
		return (mine / find(at(delay), "keys", name, "json")[part].median).toFixed(2);
	};
	const ours = find(costs, "keys", OURS, "cbor");
	const pipelined = find(costs, "keys", PIPELINED, "cbor");
	const twoFlights = find(costs, "keys", TWO_FLIGHTS, "cbor");
	const theirs = find(costs, "keys", AWS, "json");
	const worst = delays.at(-1)!;
	const row = ({ total, afterConnack, wireSent, wireReceived, ...one }: Timing): Cell[] => {
		const base = find(at(one.delay), one.keyPair, AWS, "json");
		const quartiles = ({ median, lowerQuartile, upperQuartile }: Timing["total"]) =>
			`${Math.round(median)} (${Math.round(lowerQuartile)}–${Math.round(upperQuartile)})`;
		return [
			`${one.delay}`,
			one.keyPair,
			label(one),
			quartiles(total),
			(total.median / base.total.median).toFixed(2),
			quartiles(afterConnack),
			(afterConnack.median / base.afterConnack.median).toFixed(2),
			`${wireSent.toLocaleString("en")} / ${wireReceived.toLocaleString("en")}`,
		];
	};
	return `## Round trips, bytes, time

The device program on the Node host, and AWS's own client for Node doing the same against the same cloud. What its
\`IotIdentityClientv2\` takes ${theirs.roundTrips} round trips for after TLS, this project does in
${ours.roundTrips}: CONNECT, one SUBSCRIBE with all four reply filters, then two requests. AWS's first interface can do with
as many when its four subscriptions are sent together, as they are here, and then takes as long: at ${worst} ms each way the device
program takes ${ratio(worst, "total", FIRST)} of its time.

At ${worst} ms each way the device program takes ${ratio(worst, "afterConnack", AWS)} of \`IotIdentityClientv2\`'s time after CONNACK, and
${ratio(worst, "total", AWS)} of it with TCP, TLS and CONNECT, a round trip each that nobody is spared.

With \`pipeline: "subscribe"\` the first request goes out in the same flight as SUBSCRIBE: ${pipelined.roundTrips} round trips, and
${ratio(worst, "afterConnack", AWS, PIPELINED)} and ${ratio(worst, "total", AWS, PIPELINED)} of its time. It is no default, since AWS
does not promise that a subscription works before its SUBACK.

With \`pipeline: "connect"\` CONNECT, SUBSCRIBE and the first request go out in one flight: ${twoFlights.roundTrips} round trips after TLS, and
${ratio(worst, "total", AWS, TWO_FLIGHTS)} of the time of \`IotIdentityClientv2\`, TCP and TLS included. By CSR, with a key of the device's own, it is
${(find(at(worst), "csr", TWO_FLIGHTS, "cbor").total.median / find(at(worst), "csr", AWS, "json").total.median).toFixed(2)} of what \`IotIdentityClientv2\` takes by CSR. MQTT allows it; nobody has tried whether AWS takes it.

Packets and bytes are MQTT's, from CONNECT to DISCONNECT, read on the wire between client and cloud.

${table(
	["by", "client", "round trips after TLS", "packets sent", "received", "bytes sent", "received", "TLS"],
	costs.map((cost) => [
		cost.keyPair,
		label(cost),
		cost.roundTrips,
		cost.packetsSent,
		cost.packetsReceived,
		cost.bytesSent,
		cost.bytesReceived,
		cost.tls.replace("TLSv", ""),
	]),
)}

![Time to provision by keys](time-keys.svg)

![Time to provision by CSR](time-csr.svg)

Times in ms: median (quartiles) of ${timings[0]!.total.runs} runs, the clients taking turns. They run from the moment at which
the client is told to connect until RegisterThing's reply is read; keys are made before. "Ratio" is to
\`${AWS}\` doing it the same way. Bytes on the wire have TLS in them. At 0 ms AWS's client mostly
waits: it leaves Nagle's algorithm on, and so holds packets back until the ones before are acknowledged.

${table(
	["ms each way", "by", "client", "all", "ratio", "after CONNACK", "ratio", "bytes sent / received"],
	timings.map(row),
)}`;
}

function memoryText(
	{ stories, loaded, smallest, flash, slotBytes }: MemoryResults,
	plots: Record<string, string>,
): string {
	const shown = stories.filter(({ completed, preset }) => completed && preset === "esp32");
	if (shown.length > 0)
		plots["memory.svg"] = barChart({
			title: "Memory alive in XS at each step by keys, and by CSR (most at once until then)",
			yLabel: "bytes",
			series: shown.map(({ keyPair }) => `by ${keyPair === "csr" ? "CSR" : "keys"}`),
			groups: shown[0]!.steps.map(({ events }, i) => ({
				name: STEP_NAMES.find(([pattern]) => pattern.test(events))?.[1] ?? events,
				bars: shown.map(({ steps }) => ({
					value: (steps[i]?.slots ?? 0) + (steps[i]?.chunks ?? 0),
					low: (steps[i]?.slots ?? 0) + (steps[i]?.chunks ?? 0),
					high: steps[i]?.peak ?? 0,
				})),
			})),
		});
	const { modules, packages, total } = bytecode(flash);
	return `## Memory in XS

The real XS engine (13.3), ${slotBytes === 16 ? "built with 32-bit pointers as on the ESP32" : "built with 64-bit pointers: slots are counted as 16 bytes, chunks read up to twice as large"},
with packages and device program preloaded into flash. It collects garbage at every allocation, so that peaks are exact. TLS,
Wi-Fi and the SDK's own native code come on top, on the device.

${smallest
	.map(
		({ keyPair, area, stack }) =>
			`- By ${keyPair === "csr" ? "CSR" : "keys"}, a device gets its identity in **${kilobytes(area)}** for stack, slots and chunks together; the stack needs ${stack} slots.`,
	)
	.join("\n")}
- Before its first line, a machine with all of it in flash holds ${text(loaded)} bytes.

${table(
	["preset", "by", "completes", "most alive at once", "stack, slots", "tables"],
	stories.map(({ preset, keyPair, completed, fault, peak, stack, stackSize, tables }) => [
		preset,
		keyPair,
		completed ? "yes" : `no: ${fault ?? "it did not come to an end"}`,
		kilobytes(peak),
		`${stack} of ${stackSize}`,
		kilobytes(tables),
	]),
)}

${shown.length > 0 ? "![Memory at each step](memory.svg)\n\n" : ""}${shown
	.map(
		({ keyPair, steps }) =>
			`By ${keyPair === "csr" ? "CSR" : "keys"}, step for step; "peak" is the most since power-on:\n\n${table(
				["boot", "after", "slots", "chunks", "alive", "peak"],
				steps.map(({ boot, events, slots, chunks, peak }) => [boot, events, slots, chunks, slots + chunks, peak]),
			)}`,
	)
	.join("\n\n")}

## Flash

Bytecode, which runs where it lies: ${kilobytes(total)} in all, of which ${kilobytes(packages)} are the two packages.

${table(["module", "bytes"], [...modules.map(([name, bytes]) => [`\`${name}\``, bytes] as const), ["all", total]])}`;
}

/** Steps by the event that marks them, for the axis of the plot. */
const STEP_NAMES: readonly (readonly [RegExp, string])[] = [
	[/^boot/, "power-on"],
	[/proved/, "proved"],
	[/^connected/, "CONNACK"],
	[/stored: created/, "certificate"],
	[/^subscribed/, "SUBACK"],
	[/stored: registered/, "registered"],
];

function storageText(results: readonly StorageResult[]): string {
	const quiet = results.every(({ ordinary }) => ordinary.writes === 0);
	return `## Storage

What is written to flash on the way from nothing to the first message under the thing's own name, two copies of the credentials
and all read-back included, and at power-ons after that${quiet ? `: nothing, in ${text(results[0]!.boots)} of them` : ""}.

${table(
	["by", "writes to provision", "bytes", "boots after that", "writes", "bytes", "bytes kept"],
	results.map(({ keyPair, provisioning, boots, ordinary, kept }) => [
		keyPair,
		provisioning.writes,
		provisioning.bytes,
		boots,
		ordinary.writes,
		ordinary.bytes,
		kept,
	]),
)}`;
}

function tlsText(costs: readonly HandshakeCost[]): string {
	const of = (kind: string) => costs.find(({ clientKey }) => clientKey === kind)!;
	const [rsa, ec] = [of("RSA-2048"), of("P-256")];
	const share = ({ judging, handshake }: HandshakeCost) => `${Math.round((100 * judging) / handshake)} %`;
	return `## TLS

A handshake by the firmware's socket on the SDK's own TLS (8.2), in the SDK's desktop simulator, with a server that has RSA-2048
certificates below one intermediate authority and judges the client's: instructions of this machine, counted by callgrind. With
a client key on P-256 it takes ${(ec.handshake / rsa.handshake).toFixed(2)} of what it takes with RSA-2048. "Our check" is what the firmware does beside the SDK's
TLS: it checks chain, names, dates, the order of messages and the signature of the key exchange.

${table(
	["client key", "millions of instructions", "of which our check", "share"],
	costs.map((cost) => [cost.clientKey, cost.handshake, cost.judging, share(cost)]),
)}`;
}

function fleetText(fleet: readonly FleetResult[], plots: Record<string, string>): string {
	const free = fleet.filter(({ throttled }) => !throttled);
	const sizes = free.map(({ devices }) => devices);
	plots["fleet.svg"] = barChart({
		title: "Processor time for each device, by size of the fleet",
		yLabel: "ms",
		series: ["device", "cloud"],
		groups: free.map(({ devices, deviceProcessor, cloudProcessor }) => ({
			name: devices === 1 ? "1 device" : `${devices.toLocaleString("en")} devices`,
			bars: [{ value: deviceProcessor }, { value: cloudProcessor }],
		})),
	});
	const failures = (codes: Readonly<Record<string, number>>) =>
		Object.entries(codes)
			.map(([code, count]) => `${code} ${text(count)}`)
			.join(", ") || "none";
	return `## Fleets

Simulated devices in one process (${sizes.map(text).join(", ")}), all switched on in the same moment, and the cloud in another, over TLS on loopback; each
goes on until its application runs under its own name. By CSR with one key pair for all, so that nobody waits for keys to be made.
Memory is what the process has grown by, with every device connected: for few devices that is mostly what the first one loads.
${fleet.every(({ devices, running }) => running === devices) ? "Every device got there. " : ""}REGISTER_THROTTLED is the service's limit at work; other failures on the way are those of a machine
with more to do than it has processors for, and were made good by trying again.

${table(
	[
		"devices",
		"registrations a second",
		"registered: half",
		"99 of 100",
		"all",
		"devices a second",
		"connections each",
		"processor ms each: device",
		"cloud",
		"memory each: device",
		"cloud",
		"failures on the way",
	],
	fleet.map((one) => [
		one.devices,
		one.throttled ? "10" : "no limit",
		seconds(one.p50),
		seconds(one.p99),
		seconds(one.last),
		one.rate,
		one.connectionsPerDevice,
		one.deviceProcessor,
		one.cloudProcessor,
		kilobytes(one.deviceMemory),
		kilobytes(one.cloudMemory),
		failures(one.failures),
	]),
)}

![Processor time for each device](fleet.svg)`;
}

function massText(runs: readonly MassPowerOn[], plots: Record<string, string>): string {
	const name = ({ startSpread }: MassPowerOn) => (startSpread === 0 ? "all at once" : `spread over ${startSpread} s`);
	const { devices } = runs[0]!;
	plots["power-on.svg"] = lineChart({
		title: `${devices.toLocaleString("en")} devices switched on together, 10 registrations a second`,
		xLabel: "s since power-on",
		yLabel: "devices registered",
		series: [
			...runs.map((run) => ({
				name: name(run),
				points: [[0, 0] as const, ...run.timeline.map(({ sum }, second) => [second + 1, sum] as const)],
			})),
			{
				name: "what the limit allows",
				points: [
					[0, 10],
					[(devices - 10) / 10, devices],
				],
			},
		],
	});
	plots["refusals.svg"] = lineChart({
		title: "Registrations refused for being too many, each second",
		xLabel: "s since power-on",
		yLabel: "refusals",
		series: runs.map((run) => ({
			name: name(run),
			points: run.timeline.map(({ throttled }, second) => [second, throttled] as const),
		})),
	});
	const floor = Math.ceil((devices - 10) / 10);
	return `## A thousand devices after a power failure

${text(devices)} devices, switched on in the same moment, while the service takes ten registrations a second (AWS's default) and refuses
the rest: ${floor} s is the least that any client could need. In virtual time, so that nothing but limits and pauses counts. A device
that is refused waits a random time up to a limit that doubles, and the fleet spreads itself out; with \`startSpread\` it does
so from the start and is hardly ever refused.

${table(
	["first connection", "half registered", "99 of 100", "all", "refusals each", "connections each"],
	runs.map((run) => [
		name(run),
		`${run.half} s`,
		`${run.most} s`,
		`${run.all} s`,
		run.throttledPerDevice,
		run.connectionsPerDevice,
	]),
)}

![Devices registered](power-on.svg)

![Refusals](refusals.svg)`;
}
