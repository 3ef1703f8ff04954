// `fleet demo`: starts a local cloud and a device without an identity, and shows everything that happens until the cloud has the
// first message that the device sends under its own identity. Reports success only when the cloud confirms it.

import { createPrivateKey, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DeviceEvent, Role } from "../../src/contract/events.js";
import type { Credentials, Storage } from "../../src/contract/host.js";
import { type Cloud, startCloud } from "../cloud/cloud.js";
import { createClaim, policyNames, prepareTemplate } from "../cloud/prepare.js";
import { SimulatedDevice } from "../node/device.js";
import { FileFlash, MemoryFlash } from "../node/flash.js";
import { HELLO_TOPIC, helloApplication } from "./application.js";
import { claimFiles, writeClaim } from "./claim-files.js";
import { CommandError, command } from "./command.js";
import { certificatesIn, deviceKey } from "./credentials.js";
import { printedCall } from "./invocation.js";
import { narrateCloud, narrateDevice, narrateFailure } from "./narration.js";
import { bytes, hanging, held, type Line, line, milliseconds, short, style, textWidth } from "./terminal.js";
import { version } from "./version.js";
import { type ConnectionCost, Wire } from "./wire.js";

const TEMPLATE = "fleet";
/** Longest time for everything, ms. It normally takes about two seconds. */
const LIMIT = 60_000;

export const demo = command({
	options: {
		format: { type: "string", value: "cbor|json", default: "cbor", help: "encoding of requests and replies" },
		keys: {
			type: "boolean",
			help: "AWS makes the key pair and sends it; otherwise the device makes its own, whose private key never leaves it",
		},
		pipeline: {
			type: "string",
			value: "none|subscribe|connect",
			default: "none",
			help: "send the first request together with SUBSCRIBE, or with CONNECT and SUBSCRIBE: one or two round trips less",
		},
		keep: { type: "string", value: "FOLDER", help: "keep the cloud's state, the claim and the device's flash there" },
		json: { type: "boolean", help: "print nothing but one JSON summary" },
	},
	details: `Starts a local AWS IoT on free ports of this machine, with nothing in it but a template, a policy for devices
and a claim certificate. Switches on a simulated ESP32 with empty flash. Ends when the cloud has received the first message
that the device sends under its new identity. The exit code is 0 only if the cloud confirms that.`,
	async run({ format, keys, pipeline, keep, json }) {
		const choices: Choices = {
			encoding: format,
			keyPair: keys ? "keys" : "csr",
			pipeline,
			...(keep === undefined ? {} : { folder: emptyFolder(keep) }),
		};
		const started = performance.now();
		const say = (text = "") => json || console.log(text);
		const tell: Tell = (who, told) => {
			const at = style.dim(milliseconds(performance.now() - started).padStart(9));
			say(hanging(`${at}  ${who === "cloud" ? style.magenta("cloud") : style.cyan("esp32")}  `, line(told)));
		};
		say(hanging("", style.bold("An ESP32 that has nothing but a claim certificate gives itself an identity.")));
		say(`${hanging("", "All on this machine: real TLS, real MQTT, nothing simulated but the chip.")}\n`);
		const summary = await play(choices, tell);
		if (json) console.log(JSON.stringify(summary, undefined, "\t"));
		else say(`\n${conclusion(summary)}\n\n${keep === undefined ? CLOUD_PAGE : continuation(keep)}`);
		return 0;
	},
});

interface Choices {
	readonly encoding: "cbor" | "json";
	readonly keyPair: "keys" | "csr";
	readonly pipeline: "none" | "subscribe" | "connect";
	/** Where to keep everything. Without it, everything is in memory only. */
	readonly folder?: string;
}

type Tell = (who: "cloud" | "device", told: Line) => void;

/** The parts of the demo whose time is measured. */
type Stage = "cloud" | "boot" | "connect" | "subscribe" | "create" | "register" | "restart" | "prove" | "message";

/** What `--json` prints. Bytes are those of MQTT, without TLS; times are in ms. */
interface Summary {
	readonly thingName: string;
	readonly certificateId: string;
	readonly format: string;
	readonly keyPair: string;
	readonly roundTrips: number;
	readonly roundTripsAfterConnack: number;
	readonly bytesSent: number;
	readonly bytesReceived: number;
	readonly connections: readonly ConnectionCost[];
	readonly boots: number;
	readonly flashWrites: number;
	readonly flashBytesWritten: number;
	readonly milliseconds: Readonly<Partial<Record<Stage | "total", number>>>;
	readonly confirmed: Confirmation;
	/** What the cloud refused on the way. Empty when all is well. */
	readonly refusals: readonly string[];
}

/** A message as the cloud received it. */
interface Received {
	readonly topic: string;
	readonly bytes: number;
}

/** What the cloud's registry and its events say about the device. */
interface Confirmation {
	readonly certificateStatus: "ACTIVE";
	readonly thing: string;
	readonly policies: readonly string[];
	readonly firstMessage: Received;
}

async function play(choices: Choices, tell: Tell): Promise<Summary> {
	const { folder } = choices;
	const watch = new Stopwatch();
	watch.begin("cloud");
	const cloud = await startCloud(folder === undefined ? {} : { directory: join(folder, "cloud") });
	try {
		prepareTemplate(cloud, TEMPLATE);
		const claim = await createClaim(cloud, TEMPLATE);
		if (folder !== undefined) writeClaim(join(folder, "cloud"), TEMPLATE, claim);
		watch.end("cloud");
		const { accountId, region } = cloud.registry.state.account;
		tell("cloud", { text: `is AWS IoT for account ${accountId} in ${region}, MQTT over TLS on port ${cloud.port}` });
		tell("cloud", { text: `has template ${TEMPLATE}, and policy ${policyNames(TEMPLATE).device} for devices` });
		tell("cloud", {
			text: `lets claim certificate ${short(claim.certificateId)}… provision with that template and do nothing else`,
		});
		const refusals: string[] = [];
		const stopListening = cloud.events.listen((event) => {
			const told = narrateCloud(event);
			if (told !== undefined) tell("cloud", told);
			if (told?.mood === "bad") refusals.push(told.text);
		});
		const credentials = {
			certificate: certificatesIn(claim.certificatePem)[0]!,
			key: deviceKey(createPrivateKey(claim.privateKeyPem)),
		};
		const [device, firstMessage] = await provision(cloud, credentials, choices, watch, tell).finally(stopListening);
		return { ...device, confirmed: confirm(cloud, device, firstMessage), refusals };
	} finally {
		await cloud.close();
	}
}

type Device = Omit<Summary, "confirmed" | "refusals">;

/** Switches a device on and waits until the cloud has its first message. @throws CommandError when none arrives */
async function provision(
	cloud: Cloud,
	claim: Credentials,
	{ encoding, keyPair, pipeline, folder }: Choices,
	watch: Stopwatch,
	tell: Tell,
): Promise<[device: Device, firstMessage: Received]> {
	const flash = new CountedFlash(
		folder === undefined ? new MemoryFlash() : new FileFlash(join(folder, "device.flash")),
	);
	const wire = new Wire();
	let identity: { readonly thingName: string; readonly certificateId: string } | undefined;
	let settle!: { resolve(message: Received): void; reject(error: CommandError): void };
	const received = new Promise<Received>((resolve, reject) => {
		settle = { resolve, reject };
	});
	const fail = (why: string) => settle.reject(new CommandError(why));
	const machine = new SimulatedDevice({
		configuration: { endpoint: "localhost", port: cloud.port, template: TEMPLATE, encoding, keyPair, pipeline },
		device: { serialNumber: `240ac4${randomBytes(3).toString("hex")}`, firmwareVersion: version },
		claim,
		roots: certificatesIn(cloud.rootCertificate),
		storage: flash,
		traffic: wire,
		application: helloApplication({
			topic: HELLO_TOPIC,
			onHello: ({ topic, payload, acknowledged }) => {
				if (acknowledged) return;
				watch.begin("message");
				tell("device", { text: `says hello on ${topic}`, up: Buffer.byteLength(payload) });
			},
		}),
		onEvent: (event) => {
			if (event.event === "connecting") wire.begin(event.role);
			if (event.event === "provisioned") {
				const { thingName, certificateId } = event;
				identity = { thingName, certificateId };
			}
			const took = watch.follow(event);
			const answered = event.event === "connected" || event.event === "subscribed" || event.event === "reply";
			tell("device", {
				...narrateDevice(event),
				...(took === undefined ? {} : { took }),
				...(answered ? { note: `round trip ${wire.connections.at(-1)!.roundTrips}` } : {}),
			});
			if (event.event === "failure" && event.failure.class !== "retry") fail(narrateFailure(event.failure));
		},
		onHalt: () => fail("the device stopped"),
		onCrash: (error) => fail(`the device program threw: ${(error as Error).message}`),
	});
	cloud.events.listen((event) => {
		if (event.event !== "published" || event.principal !== identity?.certificateId) return;
		watch.end("message");
		settle.resolve({ topic: event.topic, bytes: event.bytes });
	});
	const timer = setTimeout(() => fail(`the cloud had no message within ${LIMIT / 1000} s`), LIMIT);
	try {
		tell("device", { text: "is switched on" });
		watch.begin("total");
		watch.begin("boot");
		machine.powerOn();
		const firstMessage = await received;
		watch.end("total");
		const sum = (member: "bytesSent" | "bytesReceived" | "roundTrips" | "roundTripsAfterConnack", role?: Role) =>
			wire.connections
				.filter((connection) => role === undefined || connection.role === role)
				.reduce((total, connection) => total + connection[member], 0);
		const device: Device = {
			...identity!,
			format: encoding,
			keyPair,
			roundTrips: sum("roundTrips", "claim"),
			roundTripsAfterConnack: sum("roundTripsAfterConnack", "claim"),
			bytesSent: sum("bytesSent"),
			bytesReceived: sum("bytesReceived"),
			connections: wire.connections,
			boots: machine.boots,
			flashWrites: flash.writes,
			flashBytesWritten: flash.bytesWritten,
			milliseconds: watch.times,
		};
		return [device, firstMessage];
	} finally {
		clearTimeout(timer);
		machine.powerOff();
	}
}

/** Checks the result by asking the cloud, not the device. @throws CommandError when something is missing */
function confirm({ registry }: Cloud, { thingName, certificateId }: Device, firstMessage: Received): Confirmation {
	const { status, certificateArn } = registry.certificates.describeCertificate({
		certificateId,
	}).certificateDescription;
	const policies = registry.policies
		.listAttachedPolicies({ target: certificateArn })
		.policies.map(({ policyName }) => policyName);
	const { principals } = registry.thingPrincipals.listThingPrincipals({ thingName });
	const { device } = policyNames(TEMPLATE);
	if (status !== "ACTIVE") throw new CommandError(`the cloud says that the certificate is ${status}`);
	if (!principals.includes(certificateArn))
		throw new CommandError("the cloud says that the certificate is not attached to the thing");
	if (!policies.includes(device))
		throw new CommandError(`the cloud says that the certificate does not have policy ${device}`);
	return { certificateStatus: status, thing: thingName, policies, firstMessage };
}

function conclusion(summary: Summary): string {
	const { thingName, certificateId, confirmed, milliseconds: took } = summary;
	const { topic, bytes: size } = confirmed.firstMessage;
	const yes = style.green("✓");
	const steps = Object.entries(took)
		.filter(([step]) => step !== "total" && step !== "cloud")
		.map(([step, time]) => held(`${step} ${Math.round(time)}`))
		.join(", ");
	const rows: string[][] = [
		["round trips", `${summary.roundTrips} after TLS, the one of CONNECT included`],
		["MQTT", `${bytes(summary.bytesSent)} sent, ${bytes(summary.bytesReceived)} received`],
		["flash", `${summary.flashWrites} writes, ${bytes(summary.flashBytesWritten)}`],
		["time", `${milliseconds(took.total!)} from power-on, ${summary.boots} boots`],
		["", style.dim(`of which ${steps}`)],
	];
	return [
		`The cloud confirms:`,
		...[
			`certificate ${short(certificateId)}… is ${confirmed.certificateStatus}`,
			`it belongs to thing ${style.bold(thingName)} and has policy ${confirmed.policies.join(", ")}`,
			`${bytes(size)} came from it on ${topic}`,
		].map((fact) => hanging(`  ${yes} `, fact)),
		"",
		...rows.map(([name, value]) => hanging(`  ${name!.padEnd(13)}`, value!, textWidth())),
	].join("\n");
}

/** Where somebody who wants to see more goes from here. */
const CLOUD_PAGE = "The same cloud until Ctrl-C, with a web page at http://127.0.0.1:8880/: npx fleet cloud";

/** The commands that continue with what was kept. */
function continuation(folder: string): string {
	const directory = join(folder, "cloud");
	const { certificate, key } = claimFiles(directory, TEMPLATE);
	return `Go on with the same cloud and device:
${printedCall("cloud", { directory, template: TEMPLATE })}
${printedCall("device", {
	endpoint: "localhost",
	template: TEMPLATE,
	"root-ca": join(directory, "root-ca.pem"),
	claim: certificate,
	"claim-key": key,
	flash: join(folder, "device.flash"),
})}`;
}

/** Makes a folder. @throws CommandError when it is not empty: a device that has an identity already would not claim one */
function emptyFolder(path: string): string {
	if (existsSync(path) && readdirSync(path).length > 0) throw new CommandError(`${path} is not empty`);
	mkdirSync(path, { recursive: true, mode: 0o700 });
	return path;
}

/** Flash that counts what is written to it. */
class CountedFlash implements Storage {
	writes = 0;
	bytesWritten = 0;
	readonly #flash: Storage;

	constructor(flash: Storage) {
		this.#flash = flash;
	}

	read(key: string): ArrayBuffer | undefined {
		return this.#flash.read(key);
	}

	write(key: string, value: ArrayBuffer): void {
		this.writes += 1;
		this.bytesWritten += value.byteLength;
		this.#flash.write(key, value);
	}

	delete(key: string): void {
		this.writes += 1;
		this.#flash.delete(key);
	}
}

/** Measures how long steps take, in ms. */
class Stopwatch {
	readonly times: Partial<Record<Stage | "total", number>> = {};
	readonly #begun = new Map<Stage | "total", number>();

	begin(step: Stage | "total"): void {
		this.#begun.set(step, performance.now());
	}

	/** Returns how long the step took; undefined when it had not begun. */
	end(step: Stage | "total"): number | undefined {
		const begun = this.#begun.get(step);
		if (begun === undefined) return undefined;
		this.#begun.delete(step);
		const took = Math.round((performance.now() - begun) * 10) / 10;
		this.times[step] = took;
		return took;
	}

	/** Begins and ends steps by the device's events. Returns how long a step took that the event ended. */
	follow(event: DeviceEvent): number | undefined {
		switch (event.event) {
			case "boot":
				return this.end("boot") ?? this.end("restart");
			case "connecting":
				return void this.begin(event.role === "claim" ? "connect" : "prove");
			case "connected": {
				const took = this.end(event.role === "claim" ? "connect" : "prove");
				if (event.role === "claim") this.begin("subscribe");
				return took;
			}
			case "subscribed":
				return this.end("subscribe");
			case "request":
				return void this.begin(event.operation === "RegisterThing" ? "register" : "create");
			case "reply":
				return this.end(event.operation === "RegisterThing" ? "register" : "create");
			case "restart":
				return void this.begin("restart");
			default:
				return undefined;
		}
	}
}
