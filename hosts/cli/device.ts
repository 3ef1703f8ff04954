// `fleet device`: runs one simulated ESP32 against any endpoint, of the local cloud or of a real AWS account. Everything that the
// device keeps is in its flash image, as with a real one.

import { randomBytes } from "node:crypto";
import type { Failure, FailureReport } from "../../src/base/failure.js";
import { type Configuration, checkConfiguration } from "../../src/contract/configuration.js";
import type { Credentials, Storage } from "../../src/contract/host.js";
import { lock, StateInUseError } from "../cloud/state/state.js";
import { SimulatedDevice } from "../node/device.js";
import { FileFlash } from "../node/flash.js";
import { HELLO_TOPIC, helloApplication } from "./application.js";
import { CommandError, command, readPairs, UsageError, wholeNumber } from "./command.js";
import { readCertificates, readCredentials } from "./credentials.js";
import { narrateDevice, narrateFailure } from "./narration.js";
import { clockTime, hanging, line, style } from "./terminal.js";
import { checkDates, endpoint, helloTopic, serialNumber, templateName, thingName } from "./values.js";
import { version } from "./version.js";

/** Default of `--limit`: how many seconds `--once` waits. */
const ONCE_LIMIT = 60;
/** The key in flash under which a simulated board keeps its serial number, which a real one takes from its fuses. */
const SERIAL_KEY = "factory.serial";

const options = {
	endpoint: {
		type: "string",
		value: "HOST",
		required: true,
		help: "the data endpoint (aws iot describe-endpoint --endpoint-type iot:Data-ATS), or localhost",
	},
	port: { type: "string", value: "PORT", default: "8883", help: "8883, 443, or the port of a local cloud" },
	"root-ca": {
		type: "string",
		value: "FILE",
		required: true,
		help: "root certificates that the server's chain may end in",
	},
	template: { type: "string", value: "NAME", required: true, help: "the provisioning template" },
	flash: {
		type: "string",
		value: "FILE",
		required: true,
		help: "flash image, created when absent. It holds the device's identity: protect it like a private key",
	},
	claim: { type: "string", value: "FILE", help: "the claim certificate; not needed once the device has its identity" },
	"claim-key": { type: "string", value: "FILE", help: "its private key" },
	serial: {
		type: "string",
		value: "TEXT",
		help: "serial number (default: a random one that is kept in the flash image)",
	},
	parameter: {
		type: "string",
		value: "NAME=VALUE",
		multiple: true,
		help: "a parameter of the template; may be repeated",
	},
	"thing-name": {
		type: "string",
		value: "PATTERN",
		help: "how the template names things, as in esp32-{SerialNumber} (default {SerialNumber})",
	},
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
	"common-name": {
		type: "string",
		value: "PATTERN",
		help: "the common name in the certificate request, as in esp32-{SerialNumber} (default: the serial number)",
	},
	topic: {
		type: "string",
		value: "TOPIC",
		default: HELLO_TOPIC,
		help: "where the device publishes once it has its identity",
	},
	once: { type: "boolean", help: "end after the first message; exit code 1 when none is sent" },
	limit: { type: "string", value: "SECONDS", help: `how long --once waits at most (default ${ONCE_LIMIT})` },
	duration: { type: "string", value: "SECONDS", help: "switch the device off after this time (default: on Ctrl-C)" },
	"factory-reset": {
		type: "string",
		value: "forget|keep",
		help: "forget: the identity is erased at power-on, and the device claims a new one. keep: the device restarts once it is connected, and keeps its identity",
	},
	json: { type: "boolean", help: "print one JSON object per line for each event, for programs" },
} as const;

export const device = command({
	options,
	details: `Called again with the same flash image, the device finds its identity there and continues as the same device.
Deleting the image erases everything, including the serial number.`,
	async run(values) {
		const once = values.once ? limit("limit", values.limit ?? String(ONCE_LIMIT)) : undefined;
		if (!values.once && values.limit !== undefined) throw new UsageError("--limit needs --once");
		const duration = values.duration === undefined ? undefined : limit("duration", values.duration);
		if (once !== undefined && duration !== undefined)
			throw new UsageError("--once and --duration cannot be used together");
		const configuration: Configuration = {
			endpoint: endpoint(values.endpoint),
			port: wholeNumber("port", values.port, 1, 65_535, 8883),
			template: templateName(values.template),
			parameters: readPairs("parameter", values.parameter),
			...(values["thing-name"] === undefined ? {} : { thingName: thingName(values["thing-name"]) }),
			encoding: values.format,
			keyPair: values.keys ? "keys" : "csr",
			pipeline: values.pipeline,
			...(values["common-name"] === undefined ? {} : { commonName: values["common-name"] }),
		};
		const reset = values["factory-reset"];
		if (values.serial !== undefined) serialNumber(values.serial);
		helloTopic(values.topic);
		const claim = await readClaim(values.claim, values["claim-key"]);
		const roots = readCertificates(values["root-ca"]);
		if (claim !== undefined) checkDates(values.claim!, [claim.certificate]);
		checkDates(values["root-ca"], roots);
		check(configuration, values.serial ?? "any");
		const { flash, release } = await takeFlash(values.flash);
		try {
			return await run({
				configuration,
				roots,
				claim,
				flash,
				serialNumber: values.serial ?? ownSerial(flash),
				topic: values.topic,
				reset,
				once,
				duration,
				json: values.json,
			});
		} finally {
			await release();
		}
	},
});

interface Run {
	readonly configuration: Configuration;
	readonly roots: readonly Uint8Array[];
	readonly claim: Credentials | undefined;
	readonly flash: Storage;
	readonly serialNumber: string;
	readonly topic: string;
	readonly reset: "forget" | "keep" | undefined;
	/** ms. */
	readonly once: number | undefined;
	readonly duration: number | undefined;
	readonly json: boolean;
}

/** How a run ended. */
type End =
	| "hello"
	| "limit"
	| "duration"
	| "signal"
	| { readonly failure: FailureReport }
	| { readonly crash: unknown };

async function run(given: Run): Promise<number> {
	const { once, duration, json, claim } = given;
	const print = json ? printJson : printText;
	let lastFailure: FailureReport | undefined;
	let keep = given.reset === "keep";
	let greeted = false;
	const ended = await new Promise<End>((resolve) => {
		const device = new SimulatedDevice({
			configuration: given.configuration,
			device: { serialNumber: given.serialNumber, firmwareVersion: version },
			...(claim === undefined ? {} : { claim }),
			roots: given.roots,
			storage: given.flash,
			forget: given.reset === "forget",
			application: helloApplication({
				topic: given.topic,
				takeReset: () => {
					const wanted = keep;
					keep = false;
					return wanted;
				},
				onHello: ({ topic, payload, acknowledged }) => {
					print(
						acknowledged ? { event: "acknowledged", topic } : { event: "published", topic, bytes: payload.length },
						acknowledged
							? { text: `its message on ${topic} has arrived`, mood: "good" }
							: { text: `says hello on ${topic}: ${payload}`, up: payload.length },
					);
					greeted ||= acknowledged;
					if (acknowledged && once !== undefined) end("hello");
				},
				onMessage: (topic, bytes) =>
					print({ event: "message", topic, bytes }, { text: `gets a message on ${topic}`, down: bytes }),
			}),
			onEvent: (event) => {
				print(event, narrateDevice(event));
				if (event.event !== "failure") return;
				lastFailure = event.failure;
				// A failure of this class needs somebody to fix something: waiting for the limit would not help.
				if (once !== undefined && event.failure.class === "operator") end({ failure: event.failure });
			},
			onHalt: () => end({ failure: lastFailure! }),
			onCrash: (error) => end({ crash: error }),
		});
		const most = once ?? duration;
		const timer =
			most === undefined ? undefined : setTimeout(() => end(once === undefined ? "duration" : "limit"), most);
		const interrupt = () => end("signal");
		process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
		const end = (how: End): void => {
			clearTimeout(timer);
			process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
			device.powerOff();
			resolve(how);
		};
		device.powerOn();
	});
	if (ended === "hello" || ended === "signal" || (ended === "duration" && greeted)) return 0;
	if (ended === "limit" || ended === "duration") {
		const seconds = (once ?? duration)! / 1000;
		const why = lastFailure === undefined ? "" : `. ${narrateFailure(lastFailure)}`;
		throw new CommandError(`no message was sent within ${seconds} s${why}`);
	}
	if ("failure" in ended) throw new CommandError(narrateFailure(ended.failure));
	throw ended.crash;
}

function printText(_: object, told: Parameters<typeof line>[0]): void {
	console.log(hanging(`${style.dim(clockTime())}  `, line(told)));
}

function printJson(event: object): void {
	console.log(JSON.stringify({ time: new Date().toISOString(), ...event }));
}

const limit = (name: string, text: string): number => wholeNumber(name, text, 1, 1_000_000) * 1000;

async function readClaim(certificate: string | undefined, key: string | undefined): Promise<Credentials | undefined> {
	if (certificate !== undefined && key !== undefined) return readCredentials(certificate, key);
	if (certificate !== undefined) throw new UsageError("--claim-key FILE is missing");
	if (key !== undefined) throw new UsageError("--claim FILE is missing");
	return undefined;
}

/** The option that a member of the configuration comes from. */
const OPTION: Readonly<Record<string, string>> = {
	thingName: "--thing-name",
	commonName: "--common-name",
	serialNumber: "--serial",
};

/** Refuses what values.ts accepts and the device program does not. @throws UsageError */
function check(configuration: Configuration, serialNumber: string): void {
	try {
		checkConfiguration(configuration, serialNumber);
	} catch (error) {
		const { detail = "" } = error as Failure;
		throw new UsageError(`${OPTION[detail] ?? `--${detail}`} is not valid`);
	}
}

/** The flash image, for this command alone until `release`: two devices with one memory would overwrite each other's. */
async function takeFlash(path: string): Promise<{ flash: Storage; release(): Promise<void> }> {
	// Opened once before the lock is taken, to create or refuse the file, and again afterwards, when nobody else can write to it.
	openFlash(path);
	try {
		const release = await lock(path);
		return { flash: openFlash(path), release };
	} catch (error) {
		if (!(error instanceof StateInUseError)) throw error;
		throw new CommandError(
			`${path} is in use by another device: stop that one first, or give this one its own --flash`,
		);
	}
}

function openFlash(path: string): Storage {
	try {
		return new FileFlash(path);
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		if (code === undefined) throw new CommandError(message);
		if (code === "ENOENT") throw new CommandError(`there is no folder for ${path}`);
		if (code === "EISDIR") throw new CommandError(`${path} is a folder, not a flash image`);
		throw new CommandError(`${path} cannot be read and written (${code})`);
	}
}

/** The simulated board's serial number: a random MAC address with a prefix of Espressif's, made once and kept in flash. */
function ownSerial(flash: Storage): string {
	const kept = flash.read(SERIAL_KEY);
	if (kept !== undefined) return Buffer.from(kept).toString();
	const serial = `240ac4${randomBytes(3).toString("hex")}`;
	flash.write(SERIAL_KEY, new TextEncoder().encode(serial).buffer);
	return serial;
}
