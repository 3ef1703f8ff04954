// npm run bench: measures everything anew and writes test/bench/results. Never a test: what must not grow is in limits.json.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, type as systemName, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildEngine, EngineUnavailableError } from "../../hosts/xs/build.js";
import { measureBrokers } from "./broker.js";
import { measureFleet } from "./fleet.js";
import { powerOnAtOnce } from "./mass-power-on.js";
import { measureMemory } from "./memory.js";
import { render } from "./report.js";
import type { Environment, Results } from "./results.js";
import { measureRoundTrips } from "./round-trips.js";
import { measureStorage } from "./storage.js";
import { measureTls, whyNotTls } from "./tls.js";

const usage = `usage: npm run bench [-- OPTIONS]

Measures round trips, memory in XS, storage and fleets against local clouds, about a quarter of an hour in all, and writes
test/bench/results. Parts that are not measured keep the results they had. The part tls needs the Moddable SDK and valgrind.

  --only PART,…  measure only these: roundtrips, memory, storage, tls, fleet, broker, power-on
  --render       measure nothing, and write the page and its plots again from the results there are
  --quick        little of everything, to see that it works (half a minute); writes nothing
  --json         print the results as JSON, progress goes to standard error (npm's own lines: npm run --silent bench)
`;

const folder = fileURLToPath(new URL("results/", import.meta.url));
const log = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)}  ${line}`);

/** What is measured, each part into a member of Results of its own. */
const parts: Readonly<Record<string, (quick: boolean) => Promise<Partial<Results>>>> = {
	async roundtrips(quick) {
		const plan = quick ? { delays: [0, 10], runs: 2 } : { delays: [0, 50, 200], runs: 11 };
		return { roundTrips: await measureRoundTrips(plan, log) };
	},
	async memory() {
		try {
			const engines = { stress: await buildEngine("stress", log), device: await buildEngine("device", log) };
			return { memory: await measureMemory(engines, log) };
		} catch (error) {
			if (!(error instanceof EngineUnavailableError)) throw error;
			log(`memory is left out: ${error.message}`);
			return {};
		}
	},
	async storage(quick) {
		const boots = quick ? 10 : 1000;
		log(`storage: provisioning and ${boots} boots`);
		return { storage: [await measureStorage("keys", boots), await measureStorage("csr", boots)] };
	},
	async tls(quick) {
		const reason = whyNotTls();
		if (reason !== undefined) {
			log(`tls is left out: ${reason}`);
			return {};
		}
		return { tls: await measureTls(quick ? 1 : 5, log) };
	},
	async fleet(quick) {
		const fleet = [];
		for (const throttled of [false, true])
			for (const devices of quick ? [1, 10] : [1, 10, 100, 1000]) {
				log(`fleet of ${devices}, ${throttled ? "ten registrations a second" : "no limit"}`);
				fleet.push(await measureFleet({ devices, throttled }, log));
			}
		return { fleet };
	},
	async broker(quick) {
		const plan = quick
			? { messages: 2_000, runs: 1, idle: 20, size: 64 }
			: { messages: 100_000, runs: 5, idle: 400, size: 64 };
		return { brokers: await measureBrokers(plan, log) };
	},
	async "power-on"(quick) {
		const massPowerOn = [];
		for (const startSpread of [0, 100]) {
			log(`mass power-on in virtual time, spread over ${startSpread} s`);
			massPowerOn.push(await powerOnAtOnce(quick ? 50 : 1000, startSpread));
		}
		return { massPowerOn };
	},
};

const environment = (): Environment => ({
	measured: new Date().toISOString().slice(0, 10),
	node: process.version,
	system: `${systemName()} ${arch()}`,
	processor: cpus()[0]?.model ?? "unknown",
	processors: cpus().length,
	memory: totalmem(),
});

function before(): Partial<Results> {
	try {
		return JSON.parse(readFileSync(`${folder}results.json`, "utf8"));
	} catch {
		return {};
	}
}

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			only: { type: "string" },
			render: { type: "boolean", default: false },
			quick: { type: "boolean", default: false },
			json: { type: "boolean", default: false },
			help: { type: "boolean", default: false },
		},
	});
	if (values.help) return console.log(usage);
	const names = values.render ? [] : (values.only?.split(",") ?? Object.keys(parts));
	const unknown = names.find((name) => !(name in parts));
	if (unknown !== undefined) throw new TypeError(`there is no part ${unknown}`);
	let results: Partial<Results> = values.quick ? {} : before();
	for (const name of names) {
		const measured = await parts[name]!(values.quick);
		for (const member of Object.keys(measured))
			results = {
				...results,
				...measured,
				environments: { ...results.environments, [member]: environment() },
			};
	}
	const json = `${JSON.stringify(results, undefined, "\t")}\n`;
	if (values.json) process.stdout.write(json);
	if (values.quick) return log("nothing is written in a quick run");
	mkdirSync(folder, { recursive: true });
	writeFileSync(`${folder}results.json`, json);
	for (const [name, text] of Object.entries(render(results))) writeFileSync(folder + name, text);
	log("written to test/bench/results");
}

try {
	await main();
} catch (error) {
	console.error(error instanceof TypeError ? `${error.message}\n\n${usage}` : error);
	process.exitCode = 1;
}
// AWS's native runtime keeps threads that would keep the process.
process.exit();
