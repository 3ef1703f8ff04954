// `npm run simulator [-- --certificate rsa|ecdsa] [--manifest FILE]`: builds the firmware, or the app of this manifest, for the
// Moddable SDK's desktop simulator, runs it there without a screen against a local cloud, and waits until the cloud has seen it
// provisioned and its application speak. Touches nobody's claim or
// flash: both are in a folder of its own that goes away afterwards.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { CloudEvent } from "../cloud/base/events.js";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../cloud/base/samples.js";
import { type Cloud, startCloud } from "../cloud/cloud.js";
import { buildPackages } from "../moddable/packages/build.js";
import { root } from "../moddable/packages/root.js";
import { embedClaim } from "./claim-embed.js";
import { atEnd, buildProgram, findSdk, runToEnd, SimulatorError, startProgram } from "./desktop.js";

const TEMPLATE = "simulator";
/** ms from the program's start until its application has spoken. */
const LIMIT = 60_000;

async function main(): Promise<void> {
	findSdk();
	const { values } = parseArgs({
		options: {
			certificate: { type: "string", default: "rsa" },
			manifest: { type: "string", default: join(root, "manifest.json") },
		},
	});
	const { certificate } = values;
	if (certificate !== "rsa" && certificate !== "ecdsa") throw new SimulatorError("--certificate must be rsa or ecdsa");
	const manifest = resolve(process.env.INIT_CWD ?? ".", values.manifest);
	const program = programName(manifest);
	const folder = mkdtempSync(join(tmpdir(), "fleet-simulator-"));
	atEnd(() => rmSync(folder, { recursive: true, force: true }));
	const events: CloudEvent[] = [];
	let seen = () => {};
	const cloud = await startCloud({
		// A server with both shows this client the RSA one; the firmware knows both roots then.
		settings: { tls: { certificates: certificate === "rsa" ? "both" : "ecdsa" } },
		onEvent(event) {
			events.push(event);
			seen();
		},
	});
	atEnd(() => cloud.close());
	const claim = join(folder, "claim");
	await makeClaim(cloud, folder, claim);

	await buildPackages();
	const output = await buildProgram("simulator", manifest, { FLEET_CLAIM: claim, FLEET_PACKAGE: root }, [
		`endpoint=${cloud.host}`,
		`port=${cloud.port}`,
		`serverName=${cloud.endpoint}`,
		`template=${TEMPLATE}`,
		`flash=${join(folder, "flash")}/`,
	]);

	const trace: string[] = [];
	const { ended } = await startProgram(join(output, "bin/lin/mc/debug", program, "mc.so"), (line) => {
		trace.push(line);
		console.log(`device  ${line}`);
	});
	const done = new Promise<void>((resolve, reject) => {
		const limit = setTimeout(() => reject(new SimulatorError(`not done after ${LIMIT / 1000} s`)), LIMIT);
		atEnd(() => clearTimeout(limit));
		seen = () => {
			if (missing(events) === undefined) resolve();
		};
		seen();
	});
	await Promise.race([done, ended]).catch((error: Error) => {
		throw new SimulatorError(`${error.message}: ${missing(events)}`);
	});
	if (!trace.some((line) => line.includes('"event":"restart"'))) throw new SimulatorError("the device did not restart");
	console.log(
		"the cloud has seen provisioning, the restart into the new identity, and the application's first message",
	);
}

/** What a manifest calls its program. */
function programName(manifest: string): string {
	let name: unknown;
	try {
		name = JSON.parse(readFileSync(manifest, "utf8")).build?.NAME;
	} catch (error) {
		throw new SimulatorError(`--manifest ${manifest}: ${(error as Error).message}`);
	}
	if (typeof name !== "string") throw new SimulatorError(`--manifest ${manifest}: it has no build.NAME`);
	return name;
}

/** A template, the policies, and a claim certificate where the build will find it. */
async function makeClaim({ registry, rootCertificates }: Cloud, folder: string, claim: string): Promise<void> {
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
		roots: rootCertificates.map((root, index) => file(`root.${index}.pem`, root)),
		folder: claim,
		password: () => Promise.reject(new Error("nothing here is locked")),
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
	if (!events.some((event) => event.event === "published" && event.topic.startsWith(`devices/${thingName}/`))) {
		return `${thingName} has not published anything`;
	}
	return undefined;
}

await runToEnd(main);
