// `fleet cloud`: runs the local AWS IoT until it is stopped. Prints where it listens, how to use it, and everything that it
// refuses.

import { randomBytes, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, join } from "node:path";
import type { CloudEvent } from "../cloud/base/events.js";
import type { Settings } from "../cloud/base/settings.js";
import { type Cloud, startCloud } from "../cloud/cloud.js";
import {
	type AccessKey,
	AccessKeyError,
	ADMINISTRATOR_ACCESS,
	parseAccessKeys,
	readAccessKeys,
} from "../cloud/control/iam.js";
import type { ControlPlane } from "../cloud/control/server.js";
import { type ClaimOptions, createClaim, policyNames, prepareTemplate } from "../cloud/prepare.js";
import { fingerprint } from "../cloud/registry/certificates.js";
import { OtherAccountError, StateInUseError } from "../cloud/state/state.js";
import { claimFiles, writeClaim } from "./claim-files.js";
import { CommandError, command, readPairs, UsageError, wholeNumber } from "./command.js";
import { printedCall, quote } from "./invocation.js";
import { narrateCloud } from "./narration.js";
import { clockTime, hanging, line, printSoon, style } from "./terminal.js";
import { accountId, region as regionName, serverName, templateName } from "./values.js";

const options = {
	directory: { type: "string", value: "FOLDER", default: ".fleet/cloud", help: "where the cloud keeps its state" },
	account: {
		type: "string",
		value: "NUMBER",
		help: "the account to be, 12 digits (default: the folder's; made up for a new folder)",
	},
	region: {
		type: "string",
		value: "REGION",
		help: "the region to be (default: the folder's; us-east-1 for a new folder)",
	},
	host: { type: "string", value: "ADDRESS", default: "127.0.0.1", help: "address to listen on; 0.0.0.0 for all" },
	"server-name": {
		type: "string",
		value: "NAME",
		multiple: true,
		help: "another name or address by which devices reach this machine; it goes into the server's certificate",
	},
	"server-certificate": {
		type: "string",
		value: "KIND",
		help: "kind of the server's certificate: rsa, ecdsa, or both (default), where the client's cipher suites decide",
	},
	port: { type: "string", value: "PORT", default: "8883", help: "MQTT over TLS; 0 for any free port" },
	"alpn-port": {
		type: "string",
		value: "PORT",
		default: "8443",
		help: "MQTT over TLS with ALPN, as on AWS's port 443",
	},
	"https-port": {
		type: "string",
		value: "PORT",
		default: "8444",
		help: "MQTT over WebSocket (wss), and publishing over HTTPS, as on AWS's ports 443 and 8443",
	},
	"http-port": { type: "string", value: "PORT", default: "8880", help: "the control plane, for AWS's SDKs and CLI" },
	template: {
		type: "string",
		value: "NAME",
		help: "the template to begin with, made when absent together with a claim (default fleet; with --setup none)",
	},
	setup: {
		type: "string",
		value: "FILE",
		help: "what the account begins with: policies, templates, hooks, claims, users, settings, in JSON or YAML",
	},
	"claim-key": {
		type: "string",
		value: "KIND",
		help: "the claim's key is rsa, as AWS makes them (default), or ec, on P-256",
	},
	"access-key": {
		type: "boolean",
		help: "check signatures; an administrator's access key is made on first use and kept in FOLDER/aws-credentials",
	},
	"access-keys": {
		type: "string",
		value: "FILE",
		help: 'check signatures by the access keys in this JSON file: {"accessKeys": [{accessKeyId, secretAccessKey, principal, policies}]}',
	},
	signatures: {
		type: "string",
		value: "checked|any",
		help: "any: every caller of the control plane may do everything (default: any on a loopback address without access keys)",
	},
	"host-name": {
		type: "string",
		value: "NAME",
		multiple: true,
		help: "a host name by which the control plane may be called where no signature protects it, such as a container's",
	},
	hook: {
		type: "string",
		value: "ARN=COMMAND",
		multiple: true,
		help: "run a command where a template names this ARN as its pre-provisioning hook: JSON in, JSON out",
	},
	log: {
		type: "string",
		value: "text|json",
		default: "text",
		help: "json: print a log for collectors, one JSON object per line with time, level, message and event",
	},
	json: { type: "boolean", help: "print one JSON object per line: first how to use the cloud, then each event" },
} as const;

export const cloud = command({
	options,
	details: `The first start creates a root certificate, the template, a policy for devices and a claim certificate with its key,
all in FOLDER and readable by you only. Without access keys, and on a loopback address only, the control plane accepts any
signature (development mode).

FLEET_LOCAL_TOKEN in the environment is a secret that /_local/ then asks for, as Authorization: Bearer: for changes, and for
everything from other machines, which without it may not use /_local/ at all.`,
	async run(values) {
		const { directory, host, json } = values;
		const template = values.template ?? (values.setup === undefined ? "fleet" : undefined);
		if (template !== undefined) templateName(template);
		if (json && values.log === "json") throw new UsageError("--json and --log json cannot be used together");
		const hostNames = values["host-name"].map((name) => serverName(name, "host-name").toLowerCase());
		const asked = {
			...(values.account !== undefined && { accountId: accountId(values.account) }),
			...(values.region !== undefined && { region: regionName(values.region) }),
		};
		const ports = {
			port: wholeNumber("port", values.port, 0, 65_535),
			alpnPort: wholeNumber("alpn-port", values["alpn-port"], 0, 65_535),
			httpsPort: wholeNumber("https-port", values["https-port"], 0, 65_535),
		};
		const httpPort = wholeNumber("http-port", values["http-port"], 0, 65_535);
		if (values["access-key"] && values["access-keys"] !== undefined)
			throw new UsageError("--access-key and --access-keys cannot be used together");
		const serverNames = values["server-name"].map((name) => serverName(name));
		const certificates = oneOfKinds(values["server-certificate"]);
		const claimKey = claimKeyOf(values["claim-key"]);
		const given = values["access-keys"] === undefined ? [] : accessKeysIn(values["access-keys"]);
		const hookCommands = readPairs("hook", values.hook, "ARN=COMMAND");

		// For people, events during the start are printed below the instructions.
		const early: CloudEvent[] = [];
		const printEvent = json ? printJson : values.log === "json" ? printLog : printText;
		let print: (event: CloudEvent) => void = printEvent === printText ? (event) => early.push(event) : printEvent;
		const printEarly = () => {
			print = printEvent;
			for (const event of early.splice(0)) printEvent(event);
		};
		const running = await startCloud({
			directory,
			...asked,
			...(values.setup !== undefined && { setup: values.setup }),
			host,
			serverNames,
			...ports,
			...((values["access-key"] || given.length > 0) && { signatures: "checked" as const }),
			settings: {
				...(certificates && { tls: { certificates } }),
				// A client that connects by address cannot send a server name: SNI has no addresses (RFC 6066, section 3).
				...(isIP(host) && !isLocalhost(host) && { connection: { requireServerName: false } }),
			},
			hookCommands,
			onEvent: (event) => print(event),
		}).catch((error: unknown) => {
			throw explainStart(error, directory, {
				"--port": ports.port,
				"--alpn-port": ports.alpnPort,
				"--https-port": ports.httpsPort,
			});
		});
		try {
			const claim = template === undefined ? undefined : await firstClaim(running, directory, template, claimKey);
			// What a reset brings back has the template and the claim, too.
			running.checkpoint();
			const { account } = running.registry.state;
			const accessKeys = values["access-key"] ? ownAccessKey(directory, account.accountId) : given;
			const localToken = process.env.FLEET_LOCAL_TOKEN;
			const control = await running
				.startControlPlane({
					accessKeys,
					...(values.signatures !== undefined && { signatures: values.signatures }),
					...(localToken !== undefined && localToken !== "" && { localToken }),
					hostNames: [...hostNames, ...serverNames],
					host,
					port: httpPort,
				})
				.catch((error: unknown) => {
					throw explainStart(error, directory, { "--http-port": httpPort });
				});
			const facts: Facts = {
				endpoint: running.endpoint,
				host,
				port: running.port,
				alpnPort: running.alpnPort,
				httpsPort: running.httpsPort,
				url: control.url,
				page: pageAddress(control.url),
				signatures: control.signatures,
				accountId: account.accountId,
				region: account.region,
				...(template !== undefined && { template, ...policyNames(template) }),
				rootCertificate: running.rootCertificatePaths[0]!,
				rootCertificates: running.rootCertificatePaths,
				...(claim && { claimCertificate: claim.certificate, claimKey: claim.key }),
				flash: join(dirname(directory), "one.flash"),
				...(values["access-key"] ? { credentials: join(directory, CREDENTIALS_FILE) } : {}),
			};
			// Listens for signals before it prints: whoever reads that the cloud has started may stop it at once.
			const end = untilSignal();
			if (json) console.log(JSON.stringify({ event: "started", ...facts }));
			else if (printEvent === printLog) logLine("info", "A local AWS IoT is running.", { event: "started", ...facts });
			else console.log(instructions(facts, localToken ? undefined : control.pageToken));
			printEarly();
			await end;
			return 0;
		} finally {
			printEarly();
			await running.close();
		}
	},
});

function oneOfKinds(kind: string | undefined): Settings["tls"]["certificates"] | undefined {
	if (kind === undefined || kind === "rsa" || kind === "ecdsa" || kind === "both") return kind;
	throw new UsageError(`--server-certificate must be rsa, ecdsa or both, not ${kind}`);
}

function claimKeyOf(kind: string | undefined): ClaimOptions["key"] {
	if (kind === undefined || kind === "rsa" || kind === "ec") return kind;
	throw new UsageError(`--claim-key must be rsa or ec, not ${kind}`);
}

/** What whoever wants to use it must know. */
interface Facts {
	readonly endpoint: string;
	readonly host: string;
	readonly port: number;
	readonly alpnPort: number;
	readonly httpsPort: number;
	readonly url: string;
	/** Of the web page, where it is read-only: the token is for people. */
	readonly page: string;
	readonly signatures: ControlPlane["signatures"];
	readonly accountId: string;
	readonly region: string;
	/** These are absent with a setup, which has templates and claims of its own. */
	readonly template?: string;
	readonly claim?: string;
	readonly device?: string;
	/** Path of the root certificate of the chain that most clients get, and the paths of all root certificates. */
	readonly rootCertificate: string;
	readonly rootCertificates: readonly string[];
	readonly claimCertificate?: string;
	readonly claimKey?: string;
	/** Suggested path for a simulated device's flash image. */
	readonly flash: string;
	readonly credentials?: string;
}

/** Whether clients reach a cloud that listens on this address by the name localhost. Not so for 127.0.0.2, for example. */
const isLocalhost = (host: string): boolean => ["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"].includes(host);

/** The web page's address for a browser on this machine, which cannot open the address of all interfaces. */
function pageAddress(url: string): string {
	const address = new URL(url);
	if (["0.0.0.0", "[::]"].includes(address.hostname)) address.hostname = "localhost";
	return address.href;
}

/**
 * How to use the cloud. `pageToken` was made up for this run, so it may be shown to whoever has started it; a browser sends the
 * fragment, in which it stands, to nobody.
 */
function instructions(facts: Facts, pageToken: string | undefined): string {
	const name = isLocalhost(facts.host) ? "localhost" : facts.host;
	const rows = [
		["account", `${facts.accountId} in ${facts.region}`],
		["MQTT over TLS", `${facts.host} port ${facts.port}; with ALPN x-amzn-mqtt-ca port ${facts.alpnPort}`],
		["MQTT over WebSocket", `wss://${name}:${facts.httpsPort}/mqtt; publishing over HTTPS on the same port`],
		["names", `${name}${isIP(name) ? " (an address, so clients need not send a server name)" : ""}, ${facts.endpoint}`],
		["control plane", facts.url],
		[
			"web page",
			pageToken === undefined ? `${facts.page}, changes with FLEET_LOCAL_TOKEN` : `${facts.page}#token=${pageToken}`,
		],
		...(facts.template === undefined
			? []
			: [["template", `${facts.template}, with policies ${facts.claim} (claims) and ${facts.device} (devices)`]]),
		["root", facts.rootCertificates.join(", and for clients without RSA cipher suites ")],
		...(facts.claimCertificate === undefined ? [] : [["claim", `${facts.claimCertificate}, ${facts.claimKey}`]]),
		["events", `below, and at ${facts.url}/_local/events`],
	];
	const credentials =
		facts.credentials !== undefined
			? [`export AWS_SHARED_CREDENTIALS_FILE=${quote(facts.credentials)}`]
			: facts.signatures === "any"
				? ["export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any"]
				: ["# and the id and secret of an access key from your file"];
	return `${hanging("", style.bold("A local AWS IoT is running. Ctrl-C stops it; it keeps its state."))}

${rows.map(([what, value]) => hanging(`  ${style.dim(what!.padEnd(15))}`, value!)).join("\n")}

${style.bold("A simulated device:")}
${printedCall("device", {
	endpoint: name,
	port: String(facts.port),
	template: facts.template ?? "TEMPLATE",
	"root-ca": facts.rootCertificate,
	claim: facts.claimCertificate ?? "CLAIM.pem",
	"claim-key": facts.claimKey ?? "CLAIM-KEY.pem",
	flash: facts.flash,
})}

${style.bold("AWS's command line:")}
  ${[`export AWS_DEFAULT_REGION=${facts.region}`, ...credentials].join("\n  ")}
  aws iot list-things --endpoint-url ${facts.url}

${style.bold("What happens:")}`;
}

function printText(event: CloudEvent): void {
	const told = narrateCloud(event);
	if (told !== undefined) printSoon(hanging(`${style.dim(clockTime())}  `, line(told)));
}

function printJson(event: CloudEvent): void {
	printSoon(JSON.stringify(event));
}

const LEVELS = { bad: "warn", good: "info", quiet: "debug", plain: "info" } as const;

/** A line for collectors of logs: the same words as for people, and the event's members. */
function printLog(event: CloudEvent): void {
	const told = narrateCloud(event);
	const { sequence: _, time, ...members } = event;
	logLine(told === undefined ? "debug" : LEVELS[told.mood ?? "plain"], told?.text ?? event.event, members, time);
}

function logLine(level: string, message: string, event: object, time = Date.now()): void {
	printSoon(JSON.stringify({ time: new Date(time).toISOString(), level, message, event }));
}

/** Resolves on the first SIGINT or SIGTERM. A second one ends the process at once. */
function untilSignal(): Promise<void> {
	return new Promise((resolve) => {
		process.once("SIGINT", resolve).once("SIGTERM", resolve);
	});
}

/** @throws CommandError */
function accessKeysIn(path: string): AccessKey[] {
	try {
		return readAccessKeys(path);
	} catch (error) {
		throw error instanceof AccessKeyError ? new CommandError(error.message) : error;
	}
}

/** The template that the cloud begins with, and its claim. */
function firstClaim(running: Cloud, directory: string, template: string, key: ClaimOptions["key"]) {
	prepareTemplate(running, template);
	return keepClaim(running, directory, template, key);
}

/** The claim of this template, from its files while it is good, else a new one. */
async function keepClaim(running: Cloud, directory: string, template: string, key: ClaimOptions["key"]) {
	const files = claimFiles(directory, template);
	if (existsSync(files.certificate) && existsSync(files.key)) {
		const kept = certificateIn(files.certificate);
		if (running.registry.certificates.get(fingerprint(new Uint8Array(kept.raw)))?.status === "ACTIVE") {
			const kind = kept.publicKey.asymmetricKeyType;
			if (key === undefined || key === kind) return files;
			throw new CommandError(
				`the claim in ${files.certificate} and ${files.key} has an ${kind} key: move both files away, and one with another key is made`,
			);
		}
	}
	for (const [there, missing] of [
		[files.certificate, files.key],
		[files.key, files.certificate],
	] as const)
		if (existsSync(there) && !existsSync(missing))
			throw new CommandError(`${there} is there without ${missing}: move it away, and a new claim is made`);
	writeClaim(directory, template, await createClaim(running, template, { key }));
	return files;
}

function certificateIn(path: string): X509Certificate {
	try {
		return new X509Certificate(readFileSync(path));
	} catch {
		// Not a certificate: somebody has put something else there.
		throw new CommandError(`${path} is not a certificate: move it away`);
	}
}

const CREDENTIALS_FILE = "aws-credentials";
const CREDENTIALS = /^aws_access_key_id = (\w+)\naws_secret_access_key = (\w+)$/m;

/** An administrator's access key, kept in a file that AWS's tools can read. Made on first use. */
function ownAccessKey(directory: string, accountId: string): AccessKey[] {
	const path = join(directory, CREDENTIALS_FILE);
	if (!existsSync(path)) {
		const id = `AKIA${randomBytes(8).toString("hex").toUpperCase()}`;
		const secret = randomBytes(20).toString("hex");
		const text = `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`;
		writeFileSync(path, text, { mode: 0o600 });
	}
	chmodSync(path, 0o600);
	const found = CREDENTIALS.exec(readFileSync(path, "utf8"));
	if (found === null)
		throw new CommandError(`${path} has been changed and holds no access key that this command can read: move it away`);
	const [, accessKeyId, secretAccessKey] = found;
	const principal = `arn:aws:iam::${accountId}:user/administrator`;
	return parseAccessKeys([{ accessKeyId, secretAccessKey, principal, policies: [ADMINISTRATOR_ACCESS] }]);
}

/** Why the cloud cannot start, in words. `ports` holds the port numbers by the options that set them. */
function explainStart(error: unknown, directory: string, ports: Readonly<Record<string, number>>): unknown {
	if (error instanceof Error && error.name === "SetupError") return new CommandError(error.message);
	if (error instanceof OtherAccountError) return new CommandError(error.message.replace(/\.$/, ""));
	if (error instanceof StateInUseError) return new CommandError(`${directory} is in use by another process`);
	const { code, port, address, path } = error as NodeJS.ErrnoException & { port?: number; address?: string };
	const option = Object.keys(ports).find((name) => ports[name] === port);
	if (code === "EADDRINUSE" && option !== undefined)
		return new CommandError(`port ${port} is in use: choose another with ${option} (0: any free one)`);
	if (code === "EACCES" && option !== undefined)
		return new CommandError(`no permission to listen on port ${port}: choose another with ${option}`);
	if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN")
		return new CommandError(`${address ?? "that address"} is not an address of this machine: see --host`);
	if (code === "EACCES" || code === "EPERM" || code === "EROFS")
		return new CommandError(`no permission to write ${path ?? directory}`);
	if (code === "ENOTDIR" || code === "EEXIST") return new CommandError(`${directory} is not a folder`);
	return error;
}
