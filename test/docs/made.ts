// Makes the tables of README.md, docs/failures.md and docs/firmware.md that repeat what stands elsewhere: measured numbers,
// the catalogue of failures; and the published schema of a setup. Run as a program it writes the pages (after a measurement, or
// a change of the catalogue); the test beside it compares.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { table as failureTable } from "../../hosts/cli/failures.js";
import type { Memory } from "../../hosts/cli/simulator/memory.js";
import { setupSchema } from "../../hosts/cloud/setup/schema.js";
import { bytecode } from "../bench/memory.js";
import type { Results } from "../bench/results.js";

/** The published schema of a setup. */
const SCHEMA = "docs/setup.schema.json";

const root = new URL("../../", import.meta.url);
const memory: Memory = JSON.parse(readFileSync(new URL("test/sdk/memory/results.json", root), "utf8"));
const results: Results = JSON.parse(readFileSync(new URL("test/bench/results/results.json", root), "utf8"));

/** Pages with a table in them, each between `<!-- NAME: … -->` and `<!-- /NAME -->`. */
const made: readonly { readonly page: string; readonly name: string; readonly make: () => string }[] = [
	{ page: "README.md", name: "measured", make: measuredTable },
	{ page: "docs/failures.md", name: "failures", make: failureTable },
	{ page: "docs/firmware.md", name: "memory", make: memoryTable },
];

/** What is wanted of something that must be there. @throws Error */
function found<T>(value: T | undefined, what: string): T {
	if (value === undefined) throw new Error(`test/bench/results/results.json has no ${what}`);
	return value;
}

const number = (value: number) => value.toLocaleString("en");
const kilobytes = (bytes: number) => (bytes / 1024).toFixed(1);

/** From `npm run simulator -- --memory`: what the firmware needs, what it leaves, and what other modules would take of it. */
function memoryTable(): string {
	const { least, idle, left, modules } = memory;
	const { esp32, esp32c3 } = left;
	const rows: (readonly (string | number)[])[] = [
		["**needed** for everything, TLS included", least.slots, least.chunks, least.stack],
		["needed while connected and idle", idle.slots, idle.chunks, ""],
		["**left** on an ESP32, S3, C6, H2 during TLS", esp32.during.slots!, esp32.during.chunks!, 512 - least.stack],
		["left on these while connected", esp32.after.slots!, esp32.after.chunks!, ""],
		["**left** on an ESP32-C3 during TLS", "", `${number(esp32c3.during.bytes)}, slots included`, 512 - least.stack],
		["left on it while connected", "", `${number(esp32c3.after.bytes)}, slots included`, ""],
		...Object.entries(modules).map(([name, { slots, chunks }]) => [`**taken** by ${TAKERS[name]}`, slots, chunks, ""]),
	];
	return [
		"| | slots | chunks, bytes | stack, slots |",
		"|---|---|---|---|",
		...rows.map((row) => `| ${row.map((cell) => (typeof cell === "number" ? number(cell) : cell)).join(" | ")} |`),
	].join("\n");
}

/** The modules of the SDK that were measured, at work. */
const TAKERS: Readonly<Record<string, string>> = {
	Piu: "Piu with one line of text",
	"HTTP client": "the SDK's HTTP client during a response",
	"MQTT client": "an MQTT client of your own, connected",
};

const OURS = "this project";
const PIPELINED = "this project, pipelined";
const TWO_FLIGHTS = "this project, in two flights";
const AWS = "aws-iot-device-sdk-v2";
const FIRST = "aws-iot-device-sdk-v2, first interface";

function measuredTable(): string {
	const { costs, timings } = results.roundTrips;
	const is = (name: string, encoding: string) => (one: { name: string; encoding: string; keyPair: string }) =>
		one.name === name && one.encoding === encoding && one.keyPair === "keys";
	const cost = (name: string, encoding = "cbor") => found(costs.find(is(name, encoding)), name);
	const delay = Math.max(...timings.map((one) => one.delay));
	const timing = (name: string, encoding = "cbor") =>
		found(
			timings.filter((one) => one.delay === delay).find((one) => is(name, encoding)(one)),
			`time of ${name}`,
		);
	const ratio = (part: "total", ours: string, theirs: string) =>
		(timing(ours)[part].median / timing(theirs, "json")[part].median).toFixed(2);

	const { stories, smallest, flash } = results.memory;
	const story = (keyPair: string) =>
		found(
			stories.find((one) => one.preset === "esp32" && one.keyPair === keyPair),
			keyPair,
		);
	const [keys, csr] = [story("keys"), story("csr")];
	const running = found(keys.steps.at(-1), "last step");
	const stored = (keyPair: string) =>
		found(
			results.storage.find((one) => one.keyPair === keyPair),
			"storage",
		);
	const [storedOwn, storedKeys] = [stored("csr"), stored("keys")];
	const own = found(
		costs.find((one) => one.name === OURS && one.encoding === "cbor" && one.keyPair === "csr"),
		"cost with a key pair of the device's own",
	);
	const powerOn = (spread: boolean) =>
		found(
			results.massPowerOn.find(({ startSpread }) => startSpread > 0 === spread),
			"power-on",
		);
	const fleet = powerOn(false);

	const rows: readonly (readonly [string, string, string])[] = [
		[
			"round trips after TLS",
			`${cost(OURS).roundTrips}; ${cost(PIPELINED).roundTrips} with \`pipeline=subscribe\`, ${cost(TWO_FLIGHTS).roundTrips} with \`pipeline=connect\``,
			`${cost(AWS, "json").roundTrips} for AWS's \`IotIdentityClientv2\`; ${cost(FIRST, "json").roundTrips} for the interface before it, with its subscriptions sent together`,
		],
		[
			`time to provision, ${delay} ms each way`,
			`with TCP, TLS and CONNECT ${ratio("total", OURS, AWS)}; ${ratio("total", PIPELINED, AWS)} with \`pipeline=subscribe\`, ${ratio("total", TWO_FLIGHTS, AWS)} with \`pipeline=connect\``,
			`1 for \`IotIdentityClientv2\`; ${ratio("total", OURS, FIRST)} of the time of the interface before it`,
		],
		[
			"MQTT bytes, the device makes the keys",
			`${number(own.bytesSent)} sent, ${number(own.bytesReceived)} received`,
			"",
		],
		[
			"MQTT bytes, the service makes the keys",
			`${number(cost(OURS).bytesSent)} sent, ${number(cost(OURS).bytesReceived)} received`,
			`${number(cost(AWS, "json").bytesSent)} sent, ${number(cost(AWS, "json").bytesReceived)} received by \`IotIdentityClientv2\``,
		],
		[
			"slots and chunks in XS, the most alive at once",
			`${kilobytes(keys.peak)} KB, or ${kilobytes(csr.peak)} KB with a key pair of its own; ${kilobytes(running.slots + running.chunks)} KB once connected as itself`,
			"",
		],
		[
			"stack, slots and chunks together, the least that suffices",
			`${kilobytes(Math.max(...smallest.map(({ area }) => area)))} KB`,
			"92 KB is what the Moddable SDK gives an ESP32-C3",
		],
		[
			"stack",
			`${keys.stack} slots at its deepest, ${Math.max(...smallest.map(({ stack }) => stack))} as the least that suffices (tried in steps of 8)`,
			"the firmware has 512; the SDK gives an ESP32-C3 384",
		],
		["bytecode in flash", `${kilobytes(bytecode(flash).total)} KB, both packages included`, ""],
		[
			"flash written",
			`${storedOwn.provisioning.writes} writes, ${kilobytes(storedOwn.provisioning.bytes)} KB for a provisioning (${storedKeys.provisioning.writes} and ${kilobytes(storedKeys.provisioning.bytes)} KB when the service makes the keys); ${storedOwn.ordinary.writes} in ${number(storedOwn.boots)} power-ons after it`,
			"",
		],
		[
			`${number(fleet.devices)} devices switched on at once, 10 registrations a second allowed`,
			`all registered after ${fleet.all} s of virtual time; ${powerOn(true).all} s with \`startSpread\``,
			"99 s is the least that any client could need",
		],
	];
	return [
		"| | this project | to compare |",
		"|---|---|---|",
		...rows.map(([what, ours, beside]) => `| ${what} | ${ours} | ${beside} |`),
	].join("\n");
}

/** Each page with what it says now, and what it must say. */
export function pages(): { readonly page: string; readonly now: string; readonly wanted: string }[] {
	const schema = {
		page: SCHEMA,
		now: existsSync(new URL(SCHEMA, root)) ? readFileSync(new URL(SCHEMA, root), "utf8") : "",
		wanted: `${JSON.stringify(setupSchema(), undefined, "\t")}\n`,
	};
	const tables = made.map(({ page, name, make }) => {
		const now = readFileSync(new URL(page, root), "utf8");
		const between = new RegExp(`(<!-- ${name}: [^>]*-->\n)[^]*?(\n<!-- /${name} -->)`);
		if (!between.test(now)) throw new Error(`${page} has no marks for ${name}`);
		return { page, now, wanted: now.replace(between, (_, begin, end) => `${begin}${make()}${end}`) };
	});
	return [...tables, schema];
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	for (const { page, wanted } of pages()) writeFileSync(new URL(page, root), wanted);
