// `fleet device`: how it handles good and bad files, and that the device keeps its identity.

import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import t from "tap";
import { lock } from "../../hosts/cloud/state/state.js";
import { FileFlash } from "../../hosts/node/flash.js";
import { issueCertificate } from "../support/credentials.js";
import {
	credentialsInFlash,
	deviceArguments,
	eventsOf,
	fleet,
	keyBytes,
	printedNoSecret,
	saysInOneLine,
	startCloud,
	temporaryFolder,
} from "./fleet.js";

/** A port of the loopback interface on which nobody listens. */
async function closedPort(): Promise<string> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return String(port);
}

t.test("files that cannot be used", async (t) => {
	const folder = temporaryFolder(t);
	const at = (name: string) => join(folder, name);
	const [claim, other] = [await issueCertificate(), await issueCertificate()];
	const { privateKey: elliptic } = generateKeyPairSync("ec", { namedCurve: "P-521" });
	const { privateKey: locked } = generateKeyPairSync("rsa", { modulusLength: 2048 });
	writeFileSync(at("claim.pem"), claim.certificatePem);
	writeFileSync(at("claim.key"), claim.privateKey);
	writeFileSync(at("other.key"), other.privateKey);
	writeFileSync(at("ec.key"), elliptic.export({ type: "sec1", format: "pem" }));
	writeFileSync(
		at("locked.key"),
		locked.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" }),
	);
	writeFileSync(at("text.pem"), "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n");
	writeFileSync(at("broken.flash"), "{");
	writeFileSync(at("foreign.flash"), '["a"]');
	mkdirSync(at("folder"));

	const cases: readonly (readonly [what: string, files: Record<string, string>, says: RegExp])[] = [
		["a root that is not there", { "root-ca": "none.pem" }, /there is no file .*none\.pem/],
		["a root that is a folder", { "root-ca": "folder" }, /folder is a folder, not a file/],
		["a root that is no certificate", { "root-ca": "text.pem" }, /text\.pem is not a certificate/],
		["a claim that is a key", { claim: "claim.key" }, /claim\.key is not a certificate/],
		["a key that is a certificate", { "claim-key": "claim.pem" }, /claim\.pem is not a private key/],
		["a key of another certificate", { "claim-key": "other.key" }, /other\.key does not belong to the certificate/],
		["a key that a device cannot sign with", { "claim-key": "ec.key" }, /ec\.key is neither an RSA key nor/],
		["a key behind a password", { "claim-key": "locked.key" }, /locked\.key is encrypted with a password/],
		["flash that is not an image", { flash: "broken.flash" }, /broken\.flash is not a flash image/],
		["flash that is another JSON file", { flash: "foreign.flash" }, /foreign\.flash is not a flash image/],
		["flash in a folder that is not there", { flash: "no/one.flash" }, /there is no folder for .*one\.flash/],
	];
	t.jobs = 2;
	for (const [what, files, says] of cases)
		t.test(`${what} is refused in one line`, async (t) => {
			const all = {
				"root-ca": "claim.pem",
				claim: "claim.pem",
				"claim-key": "claim.key",
				flash: "new.flash",
				...files,
			};
			const given = Object.entries(all).flatMap(([option, name]) => [`--${option}`, at(name)]);
			saysInOneLine(t, await fleet("device", "--endpoint", "localhost", "--template", "fleet", ...given), 1, says);
		});
	t.test("and a file that is not an image is left unchanged", async (t) => {
		t.equal(readFileSync(at("broken.flash"), "utf8"), "{");
		t.equal(readFileSync(at("foreign.flash"), "utf8"), '["a"]');
	});
});

t.test("a second device on the flash image of a running one is refused in one line", async (t) => {
	const folder = temporaryFolder(t);
	const { certificatePem } = await issueCertificate();
	writeFileSync(join(folder, "root.pem"), certificatePem);
	const flash = join(folder, "one.flash");
	const common = ["device", "--endpoint", "localhost", "--template", "fleet", "--root-ca", join(folder, "root.pem")];
	// Locked by this process, as a running device would lock it.
	writeFileSync(flash, "{}");
	const release = await lock(flash);
	const second = await fleet(...common, "--flash", flash, "--once");
	saysInOneLine(t, second, 1, /one\.flash is in use by another device/);
	await release();
	saysInOneLine(t, await fleet(...common, "--flash", flash, "--once"), 1, /CLAIM_MISSING/);
});

t.test("a device without a network", async (t) => {
	const folder = temporaryFolder(t);
	const { certificatePem, privateKey, credentials } = await issueCertificate();
	writeFileSync(join(folder, "claim.pem"), certificatePem);
	writeFileSync(join(folder, "claim.key"), privateKey);
	const common = [
		"device",
		...["--template", "fleet", "--root-ca", join(folder, "claim.pem"), "--flash", join(folder, "one.flash")],
	];
	const claim = ["--claim", join(folder, "claim.pem"), "--claim-key", join(folder, "claim.key")];

	const port = await closedPort();
	const nobody = await fleet(...common, ...claim, "--endpoint", "localhost", "--port", port, "--once", "--limit", "3");
	saysInOneLine(t, nobody, 1, /within 3 s\. HOST_UNREACHABLE: nobody answers/);
	t.match(nobody.stdout, /waits \d\.\d s before it tries again/);

	const none = await fleet(...common, "--endpoint", "localhost", "--port", port, "--once");
	saysInOneLine(t, none, 1, /CLAIM_MISSING: the device has neither an identity nor a claim/);
	printedNoSecret(t, [credentials.key]);
});

t.test("a device against a cloud", async (t) => {
	const folder = temporaryFolder(t);
	const cloud = await startCloud(t, join(folder, "cloud"));
	const flash = join(folder, "one.flash");
	const device = deviceArguments(cloud, flash);
	const thingOf = (events: Record<string, unknown>[]) => events.find(({ event }) => event === "boot")?.thingName;
	/** AWS accepts one CONNECT per second with the same client id. */
	const aMoment = () => new Promise((resolve) => setTimeout(resolve, 1200));
	let thingName = "";
	const secrets: Uint8Array[] = [keyBytes(readFileSync(cloud.facts.claimKey!))];

	await t.test("provisions itself, says hello and ends", async (t) => {
		const result = await fleet(...device, "--once");
		t.equal(result.code, 0, result.stderr);
		t.match(result.stdout, "flash is empty");
		t.match(result.stdout, "has proved its identity");
		thingName = /is thing (\S+) with/.exec(result.stdout)![1]!;
		t.match(thingName, /^240ac4[0-9a-f]{6}$/, "with a serial number of its own making");
		t.equal(statSync(flash).mode & 0o777, 0o600, "its flash is its owner's alone");
		secrets.push(credentialsInFlash(flash).key);
		t.match(
			await cloud.event(({ event, topic }) => event === "published" && !String(topic).startsWith("$")),
			{ clientId: thingName, topic: `devices/${thingName}/hello` },
			"which the cloud has received",
		);
	});

	await t.test("is the same device the next time, without the claim", async (t) => {
		await aMoment();
		const without = device.filter((_, i) => !/^--claim/.test(device[i]!) && !/^--claim/.test(device[i - 1]!));
		t.equal(without.length, device.length - 4);
		const result = await fleet(...without, "--once", "--json");
		t.equal(result.code, 0, result.stderr);
		const events = eventsOf(result);
		t.match(events[0], { event: "boot", state: "proved", thingName });
		t.notOk(
			events.some(({ role }) => role === "claim"),
			"the claim is not used",
		);
		t.match(events.at(-1), { event: "acknowledged", topic: `devices/${thingName}/hello`, time: /Z$/ });
	});

	await t.test("is the same device after a factory reset that keeps the identity", async (t) => {
		await aMoment();
		const before = credentialsInFlash(flash).certificate;
		const result = await fleet(...device, "--once", "--json", "--factory-reset", "keep");
		t.equal(result.code, 0, result.stderr);
		const events = eventsOf(result);
		t.match(
			events.filter(({ event }) => event === "boot"),
			[{ state: "proved" }, { state: "proved" }],
		);
		t.match(
			events.find(({ event }) => event === "restart"),
			{ reason: "reset" },
		);
		t.notOk(events.some(({ event }) => event === "identity.forgotten"));
		t.strictSame(credentialsInFlash(flash).certificate, before, "with the same certificate");
	});

	await t.test("claims a new identity after a factory reset that forgets it", async (t) => {
		await aMoment();
		const before = credentialsInFlash(flash).certificate;
		const result = await fleet(...device, "--once", "--json", "--factory-reset", "forget");
		t.equal(result.code, 0, result.stderr);
		const events = eventsOf(result);
		t.ok(events.some(({ event }) => event === "identity.forgotten"));
		t.equal(thingOf(events), thingName, "it began as the thing it was");
		t.match(
			events.filter(({ event }) => event === "boot").map(({ state }) => state),
			["proved", "registered"],
		);
		const after = credentialsInFlash(flash);
		t.notSame(after.certificate, before, "with another certificate");
		t.notOk(
			readFileSync(flash).includes(Buffer.from(before).toString("base64").slice(100, 200)),
			"the old one is gone from flash",
		);
		secrets.push(after.key);
	});

	await t.test(
		"takes a key from the service with --keys, speaks JSON, and uses serial number and topic as told",
		async (t) => {
			const args = deviceArguments(cloud, join(folder, "two.flash"));
			const told = ["--keys", "--format", "json", "--serial", "board-7", "--topic", "devices/{ThingName}/up"];
			const result = await fleet(...args, ...told, "--once", "--json");
			t.equal(result.code, 0, result.stderr);
			const events = eventsOf(result);
			t.match(
				events.filter(({ event }) => event === "request").map(({ topic }) => topic),
				["$aws/certificates/create/json", "$aws/provisioning-templates/fleet/provision/json"],
			);
			t.match(events.at(-1), { event: "acknowledged", topic: "devices/board-7/up" });
			secrets.push(credentialsInFlash(join(folder, "two.flash")).key);
		},
	);

	await t.test("runs for the given duration", async (t) => {
		await aMoment();
		const { code, stdout } = await fleet(...device, "--duration", "2");
		t.equal(code, 0);
		t.match(stdout, "has arrived");
	});

	await t.test("does not trust a server whose root it was not given", async (t) => {
		const { certificatePem } = await issueCertificate();
		writeFileSync(join(folder, "other.pem"), certificatePem);
		const args = deviceArguments(cloud, join(folder, "three.flash"));
		args[args.indexOf("--root-ca") + 1] = join(folder, "other.pem");
		saysInOneLine(t, await fleet(...args, "--once"), 1, /SERVER_UNTRUSTED: .*What to do: /);
	});

	await t.test("reports that its claim is not accepted, and the cloud says why", async (t) => {
		const { certificatePem, privateKey, certificateId } = await issueCertificate();
		writeFileSync(join(folder, "stranger.pem"), certificatePem);
		writeFileSync(join(folder, "stranger.key"), privateKey);
		const args = deviceArguments(cloud, join(folder, "three.flash"));
		args[args.indexOf("--claim") + 1] = join(folder, "stranger.pem");
		args[args.indexOf("--claim-key") + 1] = join(folder, "stranger.key");
		saysInOneLine(
			t,
			await fleet(...args, "--once"),
			1,
			/CLAIM_REFUSED: the service refused the connection with the claim/,
		);
		t.ok(
			await cloud.event(({ event, principal }) => event === "refused" && principal === certificateId),
			"the cloud names the certificate",
		);
	});

	await t.test("does not get past a template that its claim is not for, and the cloud says why", async (t) => {
		const args = deviceArguments(cloud, join(folder, "three.flash"));
		args[args.indexOf("--template") + 1] = "other";
		saysInOneLine(t, await fleet(...args, "--once", "--limit", "3"), 1, /SUBSCRIBE_HUNG_UP/);
		t.match(await cloud.event(({ event, action }) => event === "denied" && action === "iot:Subscribe"), {
			resource: /other/,
			explanation: /fleet-claim/,
		});
	});

	await t.test("has printed no secret, and neither has the cloud", async (t) => {
		t.equal(secrets.length, 4);
		printedNoSecret(t, secrets);
	});
});

t.test("what a killed device left beside its flash image goes away when the image is used again", (t) => {
	const path = join(temporaryFolder(t), "one.flash");
	new FileFlash(path).write("key", new ArrayBuffer(3));
	writeFileSync(`${path}.new`, "half of an image, with secrets");
	t.equal(new FileFlash(path).read("key")?.byteLength, 3);
	t.same(readdirSync(dirname(path)), ["one.flash"]);
	t.end();
});
