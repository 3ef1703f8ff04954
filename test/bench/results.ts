// What a run of the bench has found, as results.json holds it. Types only.

import type { BrokerResult } from "./broker.js";
import type { FleetResult } from "./fleet.js";
import type { MassPowerOn } from "./mass-power-on.js";
import type { MemoryResults } from "./memory.js";
import type { RoundTripResults } from "./round-trips.js";
import type { StorageResult } from "./storage.js";
import type { HandshakeCost } from "./tls.js";

/** Where and when something was measured: enough to judge times by, nothing that names the machine. */
export interface Environment {
	/** Day. */
	readonly measured: string;
	readonly node: string;
	readonly system: string;
	readonly processor: string;
	readonly processors: number;
	/** Bytes. */
	readonly memory: number;
}

/** By part; each may be from another run. */
export interface Results {
	readonly environments: Readonly<Record<string, Environment>>;
	readonly roundTrips: RoundTripResults;
	readonly memory: MemoryResults;
	readonly storage: readonly StorageResult[];
	readonly fleet: readonly FleetResult[];
	readonly brokers: readonly BrokerResult[];
	readonly massPowerOn: readonly MassPowerOn[];
	readonly tls: readonly HandshakeCost[];
}
