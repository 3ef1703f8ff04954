// The local cloud for the benchmark, in a process of its own, so that its costs are not counted as the clients'. The proxies run
// in it, too. Everything that it needs for a provisioning is made in advance, key pairs included.

import { type ChildProcess, fork } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { certificatesIn, deviceKey } from "../../hosts/cli/credentials.js";
import type { SettingsPatch } from "../../hosts/cloud/base/settings.js";
import { type Cloud, startCloud } from "../../hosts/cloud/cloud.js";
import { type Claim, createClaim, prepareTemplate } from "../../hosts/cloud/prepare.js";
import type { Credentials } from "../../src/contract/host.js";
import { type Relay, type Seen, startDelay, startWiretap, type WireBytes } from "./network.js";

export const TEMPLATE = "fleet";

/** What a client must know of a cloud. */
export interface Endpoint {
	/** Of the cloud itself, or of something that stands before it. */
	readonly port: number;
	/** PEM. */
	readonly rootCertificate: string;
	readonly claim: Claim;
}

/** How a request for a certificate or a registration ended, and when (ms since 1970). */
export interface Answered {
	readonly time: number;
	readonly operation: string;
	/** `Success`, or the errorCode. */
	readonly outcome: string;
}

/** What the process of the cloud has used. */
export interface Usage {
	/** ms of processor time since its start. */
	readonly processor: number;
	/** Bytes, resident. */
	readonly memory: number;
	readonly connections: number;
}

/** The cloud with its proxies; in the process that it is made in. */
export class BenchCloud {
	readonly endpoint: Endpoint;
	readonly #cloud: Cloud;
	readonly #relays: Relay[] = [];
	readonly #bytes: WireBytes = { sent: 0, received: 0 };
	#seen: Seen[] = [];
	#answered: Answered[] = [];

	private constructor(cloud: Cloud, claim: Claim) {
		this.#cloud = cloud;
		this.endpoint = { port: cloud.port, rootCertificate: cloud.rootCertificate, claim };
		cloud.events.listen((event) => {
			if (event.event === "provisioning")
				this.#answered.push({
					time: Date.now(),
					operation: event.operation,
					outcome: event.status === "Success" ? "Success" : (event.errorCode ?? "unknown"),
				});
		});
	}

	static async start(settings: SettingsPatch): Promise<BenchCloud> {
		const cloud = await startCloud({ settings: { keyPairs: { ahead: 0 }, ...settings } });
		prepareTemplate(cloud, TEMPLATE);
		return new BenchCloud(cloud, await createClaim(cloud, TEMPLATE));
	}

	/** Opens a way to the cloud that takes `delay` ms in each direction. Gives its port. */
	async delay(delay: number): Promise<number> {
		const relay = await startDelay(this.endpoint.port, delay, this.#bytes);
		this.#relays.push(relay);
		return relay.port;
	}

	/** The same, but it sees what goes through. */
	async wiretap(delay: number): Promise<number> {
		const { claim, rootCertificate, port } = this.endpoint;
		const relay = await startWiretap(port, delay, {
			server: this.#cloud.authority.servers.rsa,
			claim: { key: claim.privateKeyPem, cert: claim.certificatePem },
			ca: rootCertificate,
		});
		this.#relays.push(relay);
		this.#seen = relay.seen;
		return relay.port;
	}

	/** What the last wiretap has seen since it was asked last, once the clients have hung up. */
	async seen(): Promise<Seen[]> {
		while (this.#seen.some(({ complete }) => !complete)) await sleep(5);
		return this.#seen.splice(0);
	}

	/** What went through the delays since it was asked last. */
	async bytes(): Promise<WireBytes> {
		const bytes = { ...this.#bytes };
		this.#bytes.sent = 0;
		this.#bytes.received = 0;
		return bytes;
	}

	/** What became of requests since it was asked last. */
	async answered(): Promise<Answered[]> {
		return this.#answered.splice(0);
	}

	/** Has `count` key pairs at hand, and makes no more while they are being used up. */
	async keyPairs(count: number): Promise<void> {
		this.#cloud.changeSettings({ keyPairs: { ahead: count } });
		// A pair is taken and put back to no purpose but that the pool looks at its new size.
		if (count > 0) await this.#cloud.authority.createKeysAndCertificate();
		await this.#cloud.authority.ready();
		this.#cloud.changeSettings({ keyPairs: { ahead: 0 } });
	}

	async usage(): Promise<Usage> {
		const { user, system } = process.cpuUsage();
		return {
			processor: (user + system) / 1000,
			memory: process.memoryUsage.rss(),
			connections: this.#cloud.connections(),
		};
	}

	async close(): Promise<void> {
		for (const relay of this.#relays.splice(0)) relay.close();
		await this.#cloud.close();
	}
}

/** Names of what may be asked of a cloud in another process. */
type Method = "delay" | "wiretap" | "seen" | "bytes" | "answered" | "keyPairs" | "usage";

interface Call {
	readonly id: number;
	readonly method: Method;
	readonly given: readonly number[];
}

interface Answer {
	readonly id: number;
	readonly result?: unknown;
	readonly error?: string;
}

/** A BenchCloud in a process of its own. */
export class CloudProcess implements Pick<BenchCloud, Method | "close"> {
	readonly endpoint: Endpoint;
	readonly #process: ChildProcess;
	readonly #waiting = new Map<number, (answer: Answer) => void>();
	#lastId = 0;

	private constructor(process: ChildProcess, endpoint: Endpoint) {
		this.#process = process;
		this.endpoint = endpoint;
		process.on("message", (answer: Answer) => {
			this.#waiting.get(answer.id)?.(answer);
			this.#waiting.delete(answer.id);
		});
		process.on("exit", () => {
			for (const [id, settle] of this.#waiting) settle({ id, error: "the cloud's process has ended" });
		});
	}

	static async start(settings: SettingsPatch): Promise<CloudProcess> {
		const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(settings)], {
			execArgv: ["--import", "tsx"],
			serialization: "advanced",
		});
		const endpoint = await new Promise<Endpoint>((resolve, reject) => {
			child.once("message", resolve as (message: unknown) => void);
			child.once("exit", (code) => reject(new Error(`the cloud's process ended with ${code}`)));
		});
		child.removeAllListeners("exit");
		return new CloudProcess(child, endpoint);
	}

	delay = (delay: number) => this.#call<number>("delay", delay);
	wiretap = (delay: number) => this.#call<number>("wiretap", delay);
	seen = () => this.#call<Seen[]>("seen");
	bytes = () => this.#call<WireBytes>("bytes");
	answered = () => this.#call<Answered[]>("answered");
	keyPairs = (count: number) => this.#call<void>("keyPairs", count);
	usage = () => this.#call<Usage>("usage");

	async close(): Promise<void> {
		if (this.#process.exitCode !== null) return;
		await new Promise<void>((resolve) => {
			this.#process.once("exit", () => resolve());
			this.#process.disconnect();
		});
	}

	#call<T>(method: Method, ...given: number[]): Promise<T> {
		const id = ++this.#lastId;
		return new Promise((resolve, reject) => {
			this.#waiting.set(id, ({ result, error }) =>
				error === undefined ? resolve(result as T) : reject(new Error(error)),
			);
			this.#process.send({ id, method, given } satisfies Call);
		});
	}
}

/** The claim as the device program is given it. */
export const claimOf = ({ claim }: Endpoint): Credentials => ({
	certificate: certificatesIn(claim.certificatePem)[0]!,
	key: deviceKey(createPrivateKey(claim.privateKeyPem)),
});

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
	const cloud = await BenchCloud.start(JSON.parse(process.argv[2]!));
	process.on("message", async ({ id, method, given }: Call) => {
		let answer: Answer;
		try {
			const result = await (cloud[method] as (...given: readonly number[]) => Promise<unknown>)(...given);
			answer = { id, result };
		} catch (error) {
			answer = { id, error: (error as Error).message };
		}
		process.send!(answer);
	});
	process.on("disconnect", () => cloud.close().then(() => process.exit(0)));
	process.send(cloud.endpoint);
}
