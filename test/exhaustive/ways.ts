// The ways in which a device can be provisioned, each of which the exhaustive sets go through: who makes the key pair, and how
// many flights the requests take.

import type { WorldOptions } from "../support/world.js";

/** One way. */
export interface Way {
	readonly name: string;
	readonly options: Pick<WorldOptions, "configuration" | "settings">;
}

const keyPairs = ["keys", "csr"] as const;

/** Every request waits for what comes before it. */
export const STEP_BY_STEP: readonly Way[] = keyPairs.map((keyPair) => ({
	name: `by ${keyPair}`,
	options: { configuration: { keyPair } },
}));

/** CONNECT, SUBSCRIBE and the first request are sent together. */
export const IN_TWO_FLIGHTS: readonly Way[] = keyPairs.map((keyPair) => ({
	name: `in two flights by ${keyPair}`,
	options: { configuration: { keyPair, pipeline: "connect" } },
}));

/** The same, to a broker that hangs up on packets ahead of CONNACK. */
export const REFUSED_FLIGHTS: readonly Way[] = IN_TWO_FLIGHTS.map(({ name, options }) => ({
	name: `${name}, which the broker does not take`,
	options: { ...options, settings: { connection: { aheadOfConnack: "close" } } },
}));

/** All of them. */
export const WAYS: readonly Way[] = [...STEP_BY_STEP, ...IN_TWO_FLIGHTS, ...REFUSED_FLIGHTS];

/** A way under a rule for ownership tokens. */
export const under = ({ options }: Way, { settings }: Pick<WorldOptions, "settings">): WorldOptions => ({
	...options,
	settings: { ...options.settings, ...settings },
});
