// `npm run simulator`: builds the firmware for the Moddable SDK's desktop simulator, runs it there without a screen against
// a local cloud, and waits until the cloud has seen it provisioned and its application speak. Touches nobody's claim or
// flash: both are in a folder of its own that goes away afterwards.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { embedClaim } from "../cli/claim-embed.js";
import { type Cloud, startCloud } from "../cloud/cloud.js";
import type { CloudEvent } from "../cloud/events.js";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../cloud/samples.js";
import { buildPackages } from "./packages/build.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TEMPLATE = "simulator";
/** ms from the program's start until its application has spoken. */
const LIMIT = 60_000;

/** Ends the process with one line. */
class Unfit extends Error {}

const endings: (() => unknown)[] = [];

async function main(): Promise<void> {
	const sdk = process.env.MODDABLE;
	if (!sdk)
		throw new Unfit(
			"MODDABLE is not set: install the Moddable SDK (github.com/Moddable-OpenSource/moddable) and let MODDABLE name its folder; npm start needs neither",
		);
	if (process.platform !== "linux") {
		throw new Unfit(
			"this script drives the simulator of Linux; elsewhere run `mcconfig -d -m` with the settings you need",
		);
	}
	const tools = join(sdk, "build/bin/lin/release");
	if (!existsSync(join(tools, "mcsim")))
		throw new Unfit(`the SDK's tools are not built: ${join(tools, "mcsim")} is missing`);

	const folder = mkdtempSync(join(tmpdir(), "fleet-simulator-"));
	endings.push(() => rmSync(folder, { recursive: true, force: true }));
	const events: CloudEvent[] = [];
	let seen = () => {};
	const cloud = await startCloud({
		onEvent(event) {
			events.push(event);
			seen();
		},
	});
	endings.push(() => cloud.close());
	const claim = join(folder, "claim");
	await makeClaim(cloud, folder, claim);

	await buildPackages();
	// Kept: XS itself is compiled only once.
	const output = join(root, "build/simulator");
	mkdirSync(output, { recursive: true });
	const path = [join(root, "node_modules/.bin"), tools, process.env.PATH].join(delimiter);
	await build({ ...process.env, PATH: path, FLEET_CLAIM: claim }, [
		...["-d", "-m", "-p", "lin", "-t", "build", "-o", output],
		`endpoint=${cloud.host}`,
		`port=${cloud.port}`,
		`serverName=${cloud.endpoint}`,
		`template=${TEMPLATE}`,
		`flash=${join(folder, "flash")}/`,
		join(root, "manifest.json"),
	]);

	const trace: string[] = [];
	let aborted = (_line: string) => {};
	const port = await listen((line) => {
		trace.push(line);
		console.log(`device  ${line}`);
		if (line.startsWith("XS abort")) aborted(line);
	});
	const display = process.env.DISPLAY ?? (await startScreen());
	const program = join(output, "bin/lin/mc/debug/fleet-provisioning/mc.so");
	const simulator = begin(join(tools, "mcsim"), [join(sdk, "build/simulators"), program], {
		...process.env,
		DISPLAY: display,
		XSBUG_HOST: "127.0.0.1",
		XSBUG_PORT: String(port),
	});
	await new Promise<void>((resolve, reject) => {
		const limit = setTimeout(() => reject(new Unfit(`not done after ${LIMIT / 1000} s: ${missing(events)}`)), LIMIT);
		endings.push(() => clearTimeout(limit));
		aborted = (line) => reject(new Unfit(`${line}: ${missing(events)}`));
		simulator.once("exit", (code) => reject(new Unfit(`the simulator ended (${code}): ${missing(events)}`)));
		seen = () => {
			if (missing(events) === undefined) resolve();
		};
		seen();
	});
	if (!trace.some((line) => line.includes('"event":"restart"'))) throw new Unfit("the device did not restart");
	console.log(
		"the cloud has seen provisioning, the restart into the new identity, and the application's first message",
	);
}

/** A template, the policies, and a claim certificate where the build will find it. */
async function makeClaim({ registry, rootCertificate }: Cloud, folder: string, claim: string): Promise<void> {
	const { account } = registry.state;
	registry.policies.createPolicy({
		policyName: "claim",
		policyDocument: JSON.stringify(claimPolicy(account, TEMPLATE)),
	});
	registry.policies.createPolicy({ policyName: "device", policyDocument: JSON.stringify(devicePolicy(account)) });
	registry.templates.createProvisioningTemplate({
		templateName: TEMPLATE,
		templateBody: JSON.stringify(provisioningTemplate("device")),
		enabled: true,
		provisioningRoleArn: `arn:aws:iam::${account.accountId}:role/provisioning`,
	});
	const made = await registry.certificates.createKeysAndCertificate({ setAsActive: true });
	registry.policies.attachPolicy({ policyName: "claim", target: made.certificateArn });
	const file = (name: string, text: string) => {
		const path = join(folder, name);
		writeFileSync(path, text, { mode: 0o600 });
		return path;
	};
	await embedClaim({
		certificate: file("claim.pem", made.certificatePem),
		key: file("claim.key.pem", made.keyPair.PrivateKey),
		root: file("root.pem", rootCertificate),
		folder: claim,
		password: () => Promise.reject(new Error("nothing here is locked")),
	});
}

function build(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<void> {
	console.log("mcconfig -d -m -p lin … (the first time it compiles XS, which takes about a minute)");
	return new Promise((resolve, reject) => {
		const child = spawn("mcconfig", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
		endings.push(() => child.kill());
		let output = "";
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding("utf8").on("data", (text) => {
				output += text;
			});
		}
		child.once("error", reject);
		child.once("close", (code) => {
			if (code === 0) resolve();
			else reject(new Unfit(`${output}\nmcconfig failed (${code})`));
		});
	});
}

/** What the cloud has not seen yet; undefined when it has seen all. */
function missing(events: readonly CloudEvent[]): string | undefined {
	const provisioned = events.find(
		(event) => event.event === "provisioning" && event.eventType === "ProvisionDevice" && event.status === "Success",
	);
	const thingName = provisioned?.event === "provisioning" ? provisioned.thingName : undefined;
	if (thingName === undefined) return "the cloud has provisioned nobody";
	if (!events.some((event) => event.event === "connected" && event.clientId === thingName)) {
		return `${thingName} has not connected under its name`;
	}
	if (!events.some((event) => event.event === "published" && event.topic === `devices/${thingName}/hello`)) {
		return `${thingName} has not said hello`;
	}
	return undefined;
}

/** A screen in memory. Gives its DISPLAY. */
function startScreen(): Promise<string> {
	return new Promise((resolve, reject) => {
		// Xvfb chooses a free number and says which on descriptor 3.
		const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "640x480x24", "-nolisten", "tcp"], {
			stdio: ["ignore", "ignore", "ignore", "pipe"],
		});
		endings.push(() => screen.kill());
		screen.once("error", () => reject(new Unfit("there is no DISPLAY, and Xvfb is not installed")));
		screen.stdio[3]!.once("data", (number) => resolve(`:${String(number).trim()}`));
	});
}

function begin(path: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
	const child = spawn(path, args, { env, stdio: ["ignore", "ignore", "inherit"] });
	endings.push(() => child.kill());
	return child;
}

/**
 * Takes the debugger's part, as much as a trace needs (the SDK's documentation/xs/XS in C.md and tools/xsbug-log): XS sends
 * XML, says who it is at first, waits for `go`, and again at each exception. Gives the port it listens on.
 */
function listen(print: (line: string) => void): Promise<number> {
	const server: Server = createServer((socket) => {
		let received = "";
		let line = "";
		let program = false;
		const command = (text: string) => socket.write(`\r\n<${text}/>\r\n`);
		socket.setEncoding("utf8").on("data", (text) => {
			received += text;
			for (let end = received.indexOf("</xsbug>"); end >= 0; end = received.indexOf("</xsbug>")) {
				const message = received.slice(0, end);
				received = received.slice(end + "</xsbug>".length);
				// The simulator itself is a program in XS, too.
				if (message.includes("<login ")) {
					program = !message.includes('name="mcsim"');
					command("go");
				}
				for (const [, log] of program ? message.matchAll(/<log[^>]*>([^<]*)<\/log>/g) : []) {
					line += plain(log!);
					const lines = line.split("\n");
					line = lines.pop()!;
					for (const whole of lines) print(whole);
				}
				const broken = /<break(?: path="([^"]*)" line="(\d+)")?[^>]*>([^<]*)<\/break>/.exec(message);
				if (broken) {
					const [, file = "", number = "", what] = broken;
					print(`${plain(file)}:${number} ${plain(what!).trim()}`);
					command("go");
				}
			}
		});
		// It goes away when the simulator does.
		socket.on("error", () => {});
	});
	endings.push(() => server.close());
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
	});
}

const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function plain(text: string): string {
	return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, name) =>
		code ? String.fromCodePoint(Number(code)) : (entities[name] ?? whole),
	);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end(1));

async function end(code: number): Promise<void> {
	for (const step of endings.splice(0).reverse()) await step();
	process.exit(code);
}

try {
	await main();
	await end(0);
} catch (error) {
	console.error(error instanceof Unfit ? error.message : error);
	await end(1);
}
