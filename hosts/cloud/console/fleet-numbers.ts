// The fleet in numbers, for the head of the web page. Counts as events come, and holds no event.

import type { EventLog } from "../base/events.js";
import type { Registry } from "../registry/registry.js";

/** Seconds that the graph of provisionings shows. */
const SECONDS = 60;
/** Certificates are counted again after this many ms, or later when there are so many that counting takes long. */
const COUNT_INTERVAL = 1_000;

/** Where the numbers come from. */
export interface FleetNumbersOptions {
	readonly registry: Registry;
	readonly events: EventLog;
	/** Number of MQTT connections, where there is a broker. */
	readonly connections: (() => number) | undefined;
}

/** Counts. */
export class FleetNumbers {
	readonly #options: FleetNumbersOptions;
	readonly #stop: () => void;
	/** Provisioned things and all events in each of the last seconds, the second `#second` at its own index modulo `SECONDS`. */
	readonly #provisioned = new Array<number>(SECONDS).fill(0);
	readonly #events = new Array<number>(SECONDS).fill(0);
	#second = 0;
	#certificates: { readonly until: number; readonly byStatus: Readonly<Record<string, number>> } | undefined;

	constructor(options: FleetNumbersOptions) {
		this.#options = options;
		this.#stop = options.events.listen((event) => {
			const at = this.#advance();
			this.#events[at]!++;
			if (event.event === "provisioning" && event.operation === "RegisterThing" && event.status === "Success")
				this.#provisioned[at]!++;
		});
	}

	close(): void {
		this.#stop();
	}

	/** The numbers of now, as JSON. The lists have one number for each of the last 60 seconds, the present one last. */
	now() {
		const { registry, connections } = this.#options;
		const at = this.#advance();
		const inOrder = (counts: readonly number[]) => [...counts.slice(at + 1), ...counts.slice(0, at + 1)];
		return {
			things: registry.state.things.size,
			connections: connections?.() ?? null,
			certificates: this.#certificatesByStatus(),
			provisioned: inOrder(this.#provisioned),
			events: inOrder(this.#events),
		};
	}

	/** Clears the seconds that have passed since the last call. Returns the index of the present one. */
	#advance(): number {
		const second = Math.floor(performance.now() / 1000);
		for (let passed = Math.min(second - this.#second, SECONDS); passed > 0; passed--) {
			const at = (second - passed + 1) % SECONDS;
			this.#provisioned[at] = 0;
			this.#events[at] = 0;
		}
		this.#second = second;
		return second % SECONDS;
	}

	#certificatesByStatus(): Readonly<Record<string, number>> {
		const started = performance.now();
		if (this.#certificates && started < this.#certificates.until) return this.#certificates.byStatus;
		const byStatus: Record<string, number> = {};
		for (const { status } of this.#options.registry.state.certificates.values())
			byStatus[status] = (byStatus[status] ?? 0) + 1;
		const took = performance.now() - started;
		this.#certificates = { until: started + Math.max(COUNT_INTERVAL, 100 * took), byStatus };
		return byStatus;
	}
}
