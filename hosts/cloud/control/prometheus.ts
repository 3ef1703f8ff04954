// Numbers about a running cloud in the text format of Prometheus (version 0.0.4), which its scrapers and most agents read.

import type { CloudEvent, EventLog, Metrics } from "../base/events.js";
import type { Registry } from "../registry/registry.js";

/** The content type of the format. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** Where the numbers come from. */
export interface PrometheusSources {
	readonly registry: Registry;
	readonly metrics: Metrics;
	/** Number of MQTT connections, where there is a broker. */
	readonly connections: (() => number) | undefined;
	readonly counts: EventCounts;
}

/** Counts events by name, and provisioning requests by operation and outcome as well. They are few, so the memory is bounded. */
export class EventCounts {
	readonly #events = new Map<string, number>();
	readonly #provisionings = new Map<string, number>();
	readonly #stop: () => void;

	constructor(log: EventLog) {
		this.#stop = log.listen((event) => this.#count(event));
	}

	close(): void {
		this.#stop();
	}

	get events(): Sample[] {
		return [...this.#events].map(([event, value]) => [{ event }, value]);
	}

	get provisionings(): Sample[] {
		return [...this.#provisionings].map(([key, value]) => {
			const [operation, status] = key.split(" ") as [string, string];
			return [{ operation, status }, value];
		});
	}

	#count(event: CloudEvent): void {
		add(this.#events, event.event);
		if (event.event === "provisioning") add(this.#provisionings, `${event.operation} ${event.status}`);
	}
}

/** All metrics as text. */
export function prometheusText({ registry, metrics, connections, counts }: PrometheusSources): string {
	const { state } = registry;
	const statuses = new Map<string, number>();
	for (const { status } of state.certificates.values()) add(statuses, status);
	const { user, system } = process.cpuUsage();
	const one = (value: number): readonly Sample[] => [[{}, value]];
	const families: readonly (readonly [
		name: string,
		type: "counter" | "gauge",
		help: string,
		samples: readonly Sample[],
	])[] = [
		["fleet_mqtt_connections", "gauge", "Open MQTT connections.", connections === undefined ? [] : one(connections())],
		["fleet_things", "gauge", "Things of the account.", one(state.things.size)],
		[
			"fleet_certificates",
			"gauge",
			"Certificates of the account by status.",
			[...statuses].map(([status, value]) => [{ status }, value]),
		],
		["fleet_retained_messages", "gauge", "Retained messages.", one(state.retained.size)],
		["fleet_sessions", "gauge", "Persistent sessions.", one(state.sessions.size)],
		["fleet_events_total", "counter", "Events since the control plane started, by name.", counts.events],
		[
			"fleet_provisioning_requests_total",
			"counter",
			"Provisioning requests by operation and outcome.",
			counts.provisionings,
		],
		[
			"fleet_cloudwatch_total",
			"counter",
			"The provisioning metrics that AWS reports to CloudWatch, by their names and dimensions.",
			metrics.list().map(({ name, dimensions, value }) => [
				{
					metric: name,
					claim_certificate_id: dimensions.ClaimCertificateId,
					template_name: dimensions.TemplateName ?? "",
				},
				value,
			]),
		],
		["process_cpu_seconds_total", "counter", "CPU time of the process.", one((user + system) / 1e6)],
		["process_resident_memory_bytes", "gauge", "Resident memory of the process.", one(process.memoryUsage.rss())],
		[
			"process_start_time_seconds",
			"gauge",
			"Start of the process in seconds since 1970.",
			one(Math.round(performance.timeOrigin) / 1000),
		],
	];
	return families
		.filter(([, , , samples]) => samples.length > 0)
		.flatMap(([name, type, help, samples]) => [
			`# HELP ${name} ${help}\n`,
			`# TYPE ${name} ${type}\n`,
			...samples.map(([labels, value]) => `${name}${shown(labels)} ${value}\n`),
		])
		.join("");
}

function shown(labels: Labels): string {
	const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
	return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}

function add(counts: Map<string, number>, key: string): void {
	counts.set(key, (counts.get(key) ?? 0) + 1);
}
