// `fleet claim embed` reads the files that people have, writes those that the firmware's build needs, and prints nothing secret.

import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openAuthority } from "../../hosts/cloud/pki/authority.js";
import { openState } from "../../hosts/cloud/state/state.js";
import { issueCertificate } from "../support/credentials.js";
import { fleet, fleetWith, printedNoSecret, saysInOneLine, temporaryFolder } from "./fleet.js";

t.test("claim and root from files", async (t) => {
	const folder = temporaryFolder(t);
	const file = (name: string, contents: string) => {
		writeFileSync(join(folder, name), contents);
		return join(folder, name);
	};
	const state = await openState();
	const { servers } = await openAuthority({
		state,
		now: Date.now,
		serverNames: [],
		issuer: () => "RSA",
		keyPairs: { ahead: 0, concurrency: 1 },
	});
	await state.close();
	const [claim, other] = [await issueCertificate(), await issueCertificate()];
	const root = file("root.pem", servers.rsa.root);
	const certificate = file("claim.pem", claim.certificatePem);
	const key = file("claim.key", claim.privateKey);
	const embed = (...args: string[]) => fleet("claim", "embed", "--root", root, ...args);

	await t.test("end as DER in the folder, for their owner alone", async (t) => {
		const target = join(folder, "embedded");
		const { code, stdout, stderr } = await embed("--certificate", certificate, "--key", key, "--folder", target);
		t.equal(code, 0, stderr);
		t.match(stdout, "Local AWS IoT Root CA");
		t.match(stdout, /AWS IoT Certificate, valid until 2049-12-31/);
		t.strictSame(readdirSync(target).sort(), ["claim.certificate.der", "claim.key.der", "root.der"]);
		for (const name of readdirSync(target)) t.equal(statSync(join(target, name)).mode & 0o077, 0);
		t.strictSame(new Uint8Array(readFileSync(join(target, "claim.key.der"))), claim.credentials.key);
	});

	await t.test("may be encrypted with a password, which comes from the environment", async (t) => {
		const locked = file(
			"locked.key",
			createPrivateKey(claim.privateKey).export({
				type: "pkcs8",
				format: "pem",
				cipher: "aes-256-cbc",
				passphrase: "open sesame",
			}) as string,
		);
		const target = join(folder, "unlocked");
		const args = ["--root", root, "--certificate", certificate, "--key", locked, "--folder", target];
		const without = await fleet("claim", "embed", ...args);
		saysInOneLine(t, without, 1, /a password is needed: set IDENTITY_PASSWORD/);
		const wrong = await fleetWith({ IDENTITY_PASSWORD: "sesame" }, "claim", "embed", ...args);
		saysInOneLine(t, wrong, 1, /the password does not open/);
		const right = await fleetWith({ IDENTITY_PASSWORD: "open sesame" }, "claim", "embed", ...args);
		t.equal(right.code, 0, right.stderr);
		t.strictSame(new Uint8Array(readFileSync(join(target, "claim.key.der"))), claim.credentials.key);
	});

	await t.test("are refused when they do not fit, and nothing is written", async (t) => {
		const target = join(folder, "refused");
		const foreign = file("other.key", other.privateKey);
		const mismatch = await embed("--certificate", certificate, "--key", foreign, "--folder", target);
		saysInOneLine(t, mismatch, 1, /other\.key does not belong to the certificate in .*claim\.pem/);
		saysInOneLine(t, await embed("--certificate", certificate, "--folder", target), 2, /--key is missing/);
		const leaf = await fleet("claim", "embed", "--root", certificate, "--folder", target);
		saysInOneLine(t, leaf, 1, /is not the certificate of an authority/);
		t.throws(() => readdirSync(target), { code: "ENOENT" });
	});

	printedNoSecret(t, [claim.credentials.key, other.credentials.key]);
});
