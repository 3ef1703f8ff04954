// --json prints what docs/cli.md promises: every printed member is documented, and no documented member is missing.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { issueCertificate } from "../support/credentials.js";
import { engineOrReason } from "../support/xs.js";
import { deviceArguments, eventsOf, fleet, startCloud, temporaryFolder } from "./fleet.js";
import { eventShapesOf, holds, shapeOf } from "./shapes.js";

t.setTimeout(900_000);

/** The values of `event` in the types of a source file. */
const eventsIn = (path: string): string[] => [
	...new Set(
		[...readFileSync(new URL(path, import.meta.url), "utf8").matchAll(/readonly event: "([^"]+)"/g)].map(
			([, event]) => event!,
		),
	),
];

async function prints(t: Test, command: string, ...args: string[]): Promise<void> {
	const { stdout, stderr } = await fleet(...command.split(" "), ...args, "--json");
	t.equal(stderr, "");
	holds(t, `fleet ${command}`, shapeOf(`fleet ${command}`), JSON.parse(stdout));
}

t.test("of fleet version, failures and demo", async (t) => {
	await prints(t, "version");
	await prints(t, "failures");
	await prints(t, "failures", "81");
	await prints(t, "demo");
});

t.test("of fleet samples, and of fleet policy check when devices can provision and when they cannot", async (t) => {
	const out = temporaryFolder(t);
	await prints(t, "samples", "--account", "123456789012", "--region", "eu-west-1", "--template", "one", "--out", out);
	const files = [
		...["--claim-policy", join(out, "claim-policy.json"), "--device-policy", join(out, "device-policy.json")],
		...["--template-body", join(out, "template.json")],
	];
	await prints(t, "policy check", ...files, "--template", "one");
	await prints(t, "policy check", ...files, "--template", "one", "--keys");
	await prints(t, "policy check", ...files, "--template", "other");
});

t.test("of fleet claim embed, with a claim and without one", async (t) => {
	const folder = temporaryFolder(t);
	const file = (name: string, text: string) => {
		writeFileSync(join(folder, name), text);
		return join(folder, name);
	};
	const claim = await issueCertificate();
	const cloud = await startCloud(t, join(folder, "cloud"));
	const given = ["--root", cloud.facts.rootCertificate!, "--folder", join(folder, "embedded")];
	const certificate = file("claim.pem", claim.certificatePem);
	await prints(t, "claim embed", ...given, "--certificate", certificate, "--key", file("claim.key", claim.privateKey));
	await prints(t, "claim embed", ...given);
});

/** Builds both variants of the engine first, so that the command does not print that it builds them. */
const engines = await Promise.all([engineOrReason("device"), engineOrReason("stress")]);
const [noEngine = false] = engines.flatMap(({ skip }) => (skip === false ? [] : [skip]));

t.test("of fleet xs, with the application of its own and with an example's", { skip: noEngine }, async (t) => {
	await prints(t, "xs");
	await prints(
		t,
		"xs",
		"--application",
		fileURLToPath(new URL("../../examples/application/application.ts", import.meta.url)),
	);
});

t.test("of fleet device and fleet cloud, event by event", async (t) => {
	const folder = temporaryFolder(t);
	const cloud = await startCloud(t, join(folder, "cloud"));
	const device = deviceArguments(cloud, join(folder, "one.flash"));
	const good = eventsOf(await fleet(...device, "--once", "--json"));
	device[device.indexOf("--template") + 1] = "other";
	device[device.indexOf("--flash") + 1] = join(folder, "two.flash");
	const bad = eventsOf(await fleet(...device, "--once", "--limit", "3", "--json"));
	t.ok(
		bad.some(({ event }) => event === "failure"),
		"one device fails",
	);

	const ofDevice = eventShapesOf("fleet device");
	for (const { event, time, ...members } of [...good, ...bad]) {
		t.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
		holds(t, `fleet device, ${event}`, ofDevice.get(event as string) ?? new Map(), members);
	}
	await cloud.event(({ event }) => event === "denied");
	const ofCloud = eventShapesOf("fleet cloud");
	const { event: _, ...facts } = cloud.facts as Readonly<Record<string, unknown>>;
	holds(t, "fleet cloud, started", ofCloud.get("started")!, facts);
	const seen = new Set<string>();
	for (const { event, sequence, time, ...members } of cloud.events()) {
		t.type(sequence, "number");
		t.type(time, "number");
		seen.add(event as string);
		holds(t, `fleet cloud, ${event}`, ofCloud.get(event as string) ?? new Map(), members);
	}
	t.ok(
		["connected", "subscribed", "provisioning", "published", "denied"].every((event) => seen.has(event)),
		"many kinds were seen",
	);
});

t.test("every event of the device program and of the cloud is documented, and no other", async (t) => {
	const application = ["published", "acknowledged", "message"];
	t.strictSame(
		[...eventShapesOf("fleet device").keys()].sort(),
		[...eventsIn("../../src/contract/events.ts"), ...application].sort(),
	);
	t.strictSame(
		[...eventShapesOf("fleet cloud").keys()].sort(),
		["started", ...eventsIn("../../hosts/cloud/base/events.ts")].sort(),
	);
});
