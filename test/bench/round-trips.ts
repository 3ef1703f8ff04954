// Measures round trips, bytes and time of a provisioning, for this project's device program and AWS's own clients, with the same
// cloud and the same delays. Counts come from packets. Times are from one run on one machine; only their ratios matter.

import type { SettingsPatch } from "../../hosts/cloud/base/settings.js";
import { type Client, clients, type Times } from "./clients.js";
import { type BenchCloud, CloudProcess, type Endpoint } from "./cloud.js";
import type { Seen } from "./network.js";
import { median, round, type Spread, spread } from "./statistics.js";

/** No limit of ten registrations a second, as AWS has it: it would only make all clients wait. */
export const UNLIMITED: SettingsPatch = { throttle: { RegisterThing: { rate: 1e6, burst: 1e6 } } };

/** ms in each direction under which round trips are counted: enough for packets of one flight to be seen together. */
const COUNTING_DELAY = 25;

type Named = Pick<Client, "name" | "encoding" | "keyPair">;

/** What a provisioning takes, by its packets, from CONNECT to DISCONNECT. Bytes are MQTT's. */
export interface Cost extends Named, Omit<Seen, "role" | "complete"> {}

/** What it takes under one delay. */
export interface Timing extends Named {
	/** ms in each direction. */
	readonly delay: number;
	/** ms, from the moment the client is told to connect to RegisterThing's reply: TCP, TLS and MQTT. */
	readonly total: Spread;
	/** ms, from CONNACK to RegisterThing's reply. */
	readonly afterConnack: Spread;
	/** Bytes on the wire, TLS included, in the median. */
	readonly wireSent: number;
	readonly wireReceived: number;
}

export interface RoundTripResults {
	readonly costs: readonly Cost[];
	readonly timings: readonly Timing[];
}

/** A client that fails may try twice more: AWS's sometimes does ("subscribe failed synchronously"), and that is no measure of time. */
async function provision(client: Client, endpoint: Endpoint, log: (line: string) => void): Promise<Times> {
	for (let tries = 1; ; tries++) {
		try {
			return await client.provision(endpoint);
		} catch (error) {
			log(`${client.name} failed: ${(error as Error).message}`);
			if (tries === 3) throw error;
		}
	}
}

/** Provisions once with a client and counts. */
export async function countPackets(
	cloud: Pick<BenchCloud, "endpoint" | "wiretap" | "seen">,
	client: Client,
): Promise<Cost> {
	const port = await cloud.wiretap(COUNTING_DELAY);
	await client.provision({ ...cloud.endpoint, port });
	const [seen] = await cloud.seen();
	const { role: _role, complete: _complete, ...cost } = seen!;
	const { name, encoding, keyPair } = client;
	return { name, encoding, keyPair, ...cost };
}

/** `runs` of each client under each delay, taking turns so that whatever else the machine does hits all alike. */
export async function measureRoundTrips(
	{ delays, runs }: { readonly delays: readonly number[]; readonly runs: number },
	log: (line: string) => void,
): Promise<RoundTripResults> {
	const cloud = await CloudProcess.start(UNLIMITED);
	try {
		log("counting packets");
		await cloud.keyPairs(2 * clients.length);
		const costs: Cost[] = [];
		for (const client of clients) costs.push(await countPackets(cloud, client));
		// Once for nothing, so that all code has run before the clock does.
		for (const client of clients) await provision(client, cloud.endpoint, log);

		const timings: Timing[] = [];
		for (const delay of delays) {
			const port = await cloud.delay(delay);
			const measured = clients.map((client) => ({
				client,
				total: [] as number[],
				afterConnack: [] as number[],
				sent: [] as number[],
				received: [] as number[],
			}));
			await cloud.keyPairs((runs + 1) * clients.length);
			for (let run = 0; run < runs; run++) {
				log(`${delay} ms each way: run ${run + 1} of ${runs}`);
				for (const one of measured) {
					await cloud.bytes();
					const { connected, provisioned } = await provision(one.client, { ...cloud.endpoint, port }, log);
					const { sent, received } = await cloud.bytes();
					one.total.push(provisioned);
					one.afterConnack.push(provisioned - connected);
					one.sent.push(sent);
					one.received.push(received);
				}
			}
			for (const { client, total, afterConnack, sent, received } of measured) {
				const { name, encoding, keyPair } = client;
				timings.push({
					name,
					encoding,
					keyPair,
					delay,
					total: spread(total),
					afterConnack: spread(afterConnack),
					wireSent: round(median(sent), 0),
					wireReceived: round(median(received), 0),
				});
			}
		}
		return { costs, timings };
	} finally {
		await cloud.close();
	}
}
