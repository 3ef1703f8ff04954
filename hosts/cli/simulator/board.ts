// A simulated board and its surroundings: a cloud, the network between them, flash in a folder, and power that can be cut.
// Passes on what the device and the cloud report, and judges nothing. Removes everything at the end.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { DeviceEvent } from "../../../src/contract/events.js";
import type { CloudEvent } from "../../cloud/base/events.js";
import { type Cloud, startCloud } from "../../cloud/cloud.js";
import { createClaim, prepareTemplate } from "../../cloud/prepare.js";
import { buildPackages } from "../../moddable/packages/build.js";
import { root } from "../../moddable/packages/root.js";
import { embedClaim } from "../claim-embed.js";
import { atEnd, buildProgram, programName, type RunningProgram, SimulatorError, startProgram } from "./desktop.js";
import { Relay } from "./relay.js";
import type { Sample } from "./xsbug.js";

const TEMPLATE = "simulator";

/** Options for a board. */
export interface BoardOptions {
	/** The app's manifest. */
	readonly manifest: string;
	/** The platform, as for mcconfig. */
	readonly platform: string;
	/** The server's certificate. */
	readonly certificate: "rsa" | "ecdsa";
	/** Folder for the build's output, which no other process uses. */
	readonly output: string;
	/** Further `name=value` pairs for the manifest's config. */
	readonly settings?: readonly string[];
	/** Memory of XS, as in a manifest. Default: the simulator's own, which grows. */
	readonly creation?: Creation;
	/** The module to run first, instead of the app's own. */
	readonly main?: string;
	/** How many intermediate authorities stand between the server's certificate and its root. Default 0. */
	readonly intermediates?: number;
	/** Whether to trace exceptions, including those that are caught. */
	readonly exceptions?: boolean;
	onDevice?(event: DeviceEvent): void;
	onCloud?(event: CloudEvent): void;
	/** Called with every traced line that is not an event. */
	onTrace?(line: string): void;
	/** Called when the program ends by itself or aborts. */
	onEnd?(error: Error): void;
	/** Called once a second with XS's measurements. */
	onSample?(sample: Sample): void;
	/** Called with a build's progress. */
	onProgress?(text: string): void;
}

/** Memory of XS that does not grow. */
export interface Creation {
	/** Bytes. */
	readonly chunk: number;
	readonly slots: number;
	/** Slots. */
	readonly stack: number;
}

/** A condition that a caller waits for. */
interface Waiting {
	check(): boolean;
	resolve(): void;
	reject(error: Error): void;
}

/** A board with its network and its cloud. */
export class Board {
	readonly cloud: Cloud;
	readonly relay: Relay;
	/** Every event that the device has reported since it was last switched on. */
	readonly told: DeviceEvent[] = [];
	/** Every event that the cloud has reported. */
	readonly seen: CloudEvent[] = [];
	readonly #options: BoardOptions;
	readonly #folder: string;
	readonly #waiting = new Set<Waiting>();
	/** Path of the program to run. */
	#program = "";
	/** Path of the program as it was built. */
	#image: Uint8Array = new Uint8Array();
	#running: RunningProgram | undefined;

	private constructor(options: BoardOptions, folder: string, cloud: Cloud, relay: Relay) {
		this.#options = options;
		this.#folder = folder;
		this.cloud = cloud;
		this.relay = relay;
	}

	/** Starts the cloud and creates a claim. Does not build anything or switch the board on yet. */
	static async open(options: BoardOptions): Promise<Board> {
		const folder = mkdtempSync(join(tmpdir(), "fleet-simulator-"));
		atEnd(() => rmSync(folder, { recursive: true, force: true }));
		let board: Board | undefined;
		const cloud = await startCloud({
			// A server that has both RSA and EC certificates presents RSA to this client. The firmware then trusts both roots.
			settings: {
				tls: {
					certificates: options.certificate === "rsa" ? "both" : "ecdsa",
					...(options.intermediates !== undefined && { intermediates: options.intermediates }),
				},
			},
			onEvent: (event) => {
				if (board) board.#hear(event);
			},
		});
		atEnd(() => cloud.close());
		const relay = await Relay.open(cloud);
		atEnd(() => relay.close());
		board = new Board(options, folder, cloud, relay);
		atEnd(() => board.powerOff());
		await board.#makeClaim();
		return board;
	}

	/** Builds the app, without affecting a running program. @throws SimulatorError with the compilers' messages */
	async build(): Promise<void> {
		const { platform, output, settings = [], creation, onProgress } = this.#options;
		await buildPackages();
		const manifest = creation === undefined ? this.#options.manifest : this.#manifestWith(creation);
		const built = await buildProgram({
			...{ output, manifest, platform },
			env: { FLEET_CLAIM: this.#claim, FLEET_PACKAGE: root },
			settings: [
				`endpoint=${this.cloud.host}`,
				`port=${this.relay.port}`,
				`serverName=${this.cloud.endpoint}`,
				`template=${TEMPLATE}`,
				`flash=${this.#flash}/`,
				...settings,
			],
			...(onProgress && { onProgress }),
		});
		// The next build does not change this copy. The simulator selects its board by the names of these folders.
		this.#program = join(this.#folder, ...built.split("/").slice(-4));
		this.#image = readFileSync(built);
		this.#install(this.#image);
	}

	/**
	 * Changes the memory of the built program, as if it had been built with it, by patching the numbers in the linked file.
	 * @throws SimulatorError if the numbers are not found
	 */
	changeMemory({ chunk, slots, stack }: Creation): void {
		const { creation } = this.#options;
		if (creation === undefined) throw new SimulatorError("this board's memory grows");
		const [before, after] = [creation, { chunk, slots, stack }].map(({ chunk, slots, stack }) =>
			// txCreation in the SDK's xs/sources/xsAll.h begins with these values.
			Buffer.from(Int32Array.of(chunk, 0, slots, 0, stack).buffer),
		) as [Buffer, Buffer];
		const program = Buffer.from(this.#image);
		const at = program.indexOf(before);
		if (at < 0 || program.indexOf(before, at + 1) >= 0)
			throw new SimulatorError("what the memory of XS is was not found in the program: another SDK than 8.2?");
		after.copy(program, at);
		this.#install(program);
	}

	#install(program: Uint8Array): void {
		mkdirSync(dirname(this.#program), { recursive: true });
		// Written to a new file, because the running program may be this file.
		rmSync(this.#program, { force: true });
		writeFileSync(this.#program, program);
	}

	/** The kind of the server's certificate. */
	get certificate(): "rsa" | "ecdsa" {
		return this.#options.certificate;
	}

	get on(): boolean {
		return this.#running !== undefined;
	}

	/** Switches the board on. `environment` sets the conditions around the program: see hosts/moddable/simulator. */
	async powerOn(environment: Readonly<Record<string, string>> = {}): Promise<void> {
		this.told.length = 0;
		const running = await startProgram(this.#program, {
			env: environment,
			folder: this.#folder,
			exceptions: this.#options.exceptions ?? false,
			onLine: (line) => this.#read(line),
			onSample: (sample) => {
				this.#options.onSample?.(sample);
				this.#look();
			},
		});
		this.#running = running;
		running.ended.catch((error: Error) => {
			if (this.#running !== running) return;
			for (const waiting of this.#waiting) waiting.reject(error);
			this.#options.onEnd?.(error);
		});
	}

	/** Cuts the power (kill -9). Flash keeps its contents. */
	async powerOff(): Promise<void> {
		const running = this.#running;
		this.#running = undefined;
		await running?.kill();
	}

	/** Requests a factory reset at the next power-on, as if a button were held down. */
	holdButton(): void {
		mkdirSync(this.#flash, { recursive: true });
		writeFileSync(join(this.#flash, "button"), "");
	}

	/** Turns it into a new board with empty flash, without even a serial number. Call this only while it is off. */
	newFlash(): void {
		rmSync(this.#flash, { recursive: true, force: true });
	}

	/** Measures what is alive in XS after a garbage collection. @throws SimulatorError when the power is off */
	async collect(): Promise<Sample> {
		if (this.#running === undefined) throw new SimulatorError("the device is off");
		return await Promise.race([this.#running.collect(), this.#running.ended]);
	}

	/**
	 * Waits until `check` returns true; it is called after each event and once a second.
	 * @throws SimulatorError when the program ends, or `check` stays false for `limit` ms
	 */
	until(what: string, limit: number, check: () => boolean): Promise<void> {
		return new Promise((resolve, reject) => {
			const done = () => {
				this.#waiting.delete(waiting);
				clearTimeout(timer);
			};
			const timer = setTimeout(() => waiting.reject(new SimulatorError(`not within ${limit / 1000} s`)), limit);
			const waiting: Waiting = {
				check,
				resolve: () => {
					done();
					resolve();
				},
				reject: ({ message }) => {
					done();
					reject(new SimulatorError(`${message}: ${what}`));
				},
			};
			this.#waiting.add(waiting);
			this.#look();
		});
	}

	/**
	 * Whether, since `sequence` of the cloud's events, the device has connected with its own identity and its application has
	 * sent a message.
	 */
	spoken(sequence = 0): boolean {
		return this.missing(sequence) === undefined;
	}

	/** What the cloud is still waiting for since then; undefined when it has seen everything. */
	missing(sequence = 0): string | undefined {
		const { thingName } = this;
		if (thingName === undefined) return "the cloud has provisioned nobody";
		const since = this.seen.filter((event) => event.sequence > sequence);
		const connected = since.reduce(
			(last, event, index) => (event.event === "connected" && event.clientId === thingName ? index : last),
			-1,
		);
		if (connected < 0) return `${thingName} has not connected under its name`;
		const later = since.slice(connected);
		if (later.some((event) => event.event === "disconnected" && event.clientId === thingName))
			return `${thingName} has lost its connection`;
		if (!later.some((event) => event.event === "published" && event.topic.startsWith(`devices/${thingName}/`)))
			return `${thingName} has not published anything`;
		return undefined;
	}

	/** The thing that was provisioned most recently. */
	get thingName(): string | undefined {
		let name: string | undefined;
		for (const event of this.seen)
			if (event.event === "provisioning" && event.eventType === "ProvisionDevice" && event.status === "Success")
				name = event.thingName;
		return name;
	}

	/** The id of the certificate that was most recently used to connect. */
	get principal(): string | undefined {
		let id: string | undefined;
		for (const event of this.seen) if (event.event === "connected") id = event.principal;
		return id;
	}

	get #flash(): string {
		return join(this.#folder, "flash");
	}

	get #claim(): string {
		return join(this.#folder, "claim");
	}

	/** A manifest that includes the app's and sets the size of memory. */
	#manifestWith({ chunk, slots, stack }: Creation): string {
		const { manifest, main } = this.#options;
		const path = join(this.#folder, "manifest.json");
		writeFileSync(
			path,
			JSON.stringify({
				build: { NAME: programName(manifest) },
				include: manifest,
				creation: {
					chunk: { initial: chunk, incremental: 0 },
					heap: { initial: slots, incremental: 0 },
					stack,
					...(main !== undefined && { main }),
				},
			}),
		);
		return path;
	}

	#read(line: string): void {
		if (!line.startsWith('{"event":')) {
			this.#options.onTrace?.(line);
			return;
		}
		const event = JSON.parse(line) as DeviceEvent;
		this.told.push(event);
		this.#options.onDevice?.(event);
		this.#look();
	}

	#hear(event: CloudEvent): void {
		this.seen.push(event);
		this.#options.onCloud?.(event);
		this.#look();
	}

	#look(): void {
		for (const waiting of this.#waiting) if (waiting.check()) waiting.resolve();
	}

	/** Creates a template, policies, and a claim certificate where the build will find it. */
	async #makeClaim(): Promise<void> {
		prepareTemplate(this.cloud, TEMPLATE);
		const { certificatePem, privateKeyPem } = await createClaim(this.cloud, TEMPLATE);
		const file = (name: string, text: string) => {
			const path = join(this.#folder, name);
			writeFileSync(path, text, { mode: 0o600 });
			return path;
		};
		await embedClaim({
			certificate: file("claim.pem", certificatePem),
			key: file("claim.key.pem", privateKeyPem),
			roots: this.cloud.rootCertificates.map((root, index) => file(`root.${index}.pem`, root)),
			folder: this.#claim,
			password: () => Promise.reject(new Error("nothing here is locked")),
		});
	}
}
