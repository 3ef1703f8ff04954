// `fleet cloud`: what it creates, that it keeps it, and what it prints when it cannot start.

import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { openState } from "../../hosts/cloud/state/state.js";
import {
	cloudInstructions,
	deviceArguments,
	fleet,
	keyBytes,
	printed,
	printedNoSecret,
	saysInOneLine,
	startCloud,
	temporaryFolder,
} from "./fleet.js";

/** A second loopback address. Only Linux has it without being configured. */
const OTHER_LOOPBACK = "127.0.0.2";

const FREE_PORTS = ["--port", "0", "--alpn-port", "0", "--https-port", "0", "--http-port", "0"];

t.test("a cloud in a directory of its own", async (t) => {
	const directory = join(temporaryFolder(t), "deep/down/cloud");
	const first = await startCloud(t, directory);

	await t.test("says how to use it", async (t) => {
		t.match(first.facts, {
			endpoint: /^a[0-9a-z]+-ats\.iot\.us-east-1\.amazonaws\.com$/,
			accountId: /^\d{12}$/,
			template: "fleet",
			rootCertificate: join(directory, "root-ca.pem"),
			signatures: "any",
			page: /^http:\/\/127\.0\.0\.1:\d+\/$/,
		});
		t.ok(new X509Certificate(readFileSync(first.facts.rootCertificate!)).ca);
		t.match(await (await fetch(first.facts.page!)).text(), "<title>Local AWS IoT</title>");
	});

	await t.test("keeps everything from other users", async (t) => {
		t.equal(statSync(directory).mode & 0o777, 0o700);
		for (const name of readdirSync(directory)) t.equal(statSync(join(directory, name)).mode & 0o077, 0, name);
	});

	await t.test("answers AWS's calls", async (t) => {
		const response = await fetch(`${first.facts.url}/provisioning-templates/fleet`);
		t.equal(response.status, 200);
		t.match(await response.json(), { templateName: "fleet", enabled: true });
	});

	await t.test("does not share its directory", async (t) => {
		const second = await fleet("cloud", "--directory", directory, ...FREE_PORTS);
		saysInOneLine(t, second, 1, /cloud is in use by another process/);
	});

	await t.test("refuses a server name that no certificate can contain", async (t) => {
		for (const name of ["a b*", "", "https://factory", `${"a".repeat(64)}.local`, "a..b"]) {
			const elsewhere = join(temporaryFolder(t), "cloud");
			const refused = await fleet("cloud", "--directory", elsewhere, ...FREE_PORTS, "--server-name", name);
			saysInOneLine(t, refused, 2, /--server-name (must be a host name or an address|needs a value)/);
		}
	});

	await t.test("does not share its port", async (t) => {
		const { port, url } = first.facts;
		const elsewhere = join(temporaryFolder(t), "cloud");
		const mqtt = await fleet("cloud", "--directory", elsewhere, ...FREE_PORTS, "--port", String(port));
		saysInOneLine(t, mqtt, 1, new RegExp(`port ${port} is in use: choose another with --port`));
		const http = new URL(url!).port;
		const control = await fleet("cloud", "--directory", elsewhere, ...FREE_PORTS, "--http-port", http);
		saysInOneLine(t, control, 1, new RegExp(`port ${http} is in use: choose another with --http-port`));
	});

	await t.test("ends when asked, and is the same the next time", async (t) => {
		const claim = readFileSync(first.facts.claimCertificate!);
		t.equal(await first.stop("SIGINT"), 0);
		const second = await startCloud(t, directory);
		t.equal(second.facts.accountId, first.facts.accountId);
		t.strictSame(readFileSync(second.facts.claimCertificate!), claim, "with the same claim");
		t.equal(await second.stop("SIGKILL"), null);
		const third = await startCloud(t, directory, "--template", "gateways");
		t.strictSame(readFileSync(join(directory, "fleet-claim.pem")), claim, "even after it was killed");
		t.equal(third.facts.claimCertificate, join(directory, "gateways-claim.pem"), "another template has its own claim");
		t.equal(await third.stop(), 0);
	});

	await t.test("makes a new claim in place of one that was revoked", async (t) => {
		const claim = readFileSync(first.facts.claimCertificate!);
		const state = await openState({ directory });
		const certificateId = createHash("sha256").update(new X509Certificate(claim).raw).digest("hex");
		state.transaction(() =>
			state.certificates.put(certificateId, { ...state.certificates.get(certificateId)!, status: "REVOKED" }),
		);
		await state.close();
		const again = await startCloud(t, directory);
		t.notSame(readFileSync(again.facts.claimCertificate!), claim);
		t.equal(await again.stop(), 0);
	});

	await t.test("has printed no secret", async (t) => {
		const state = await openState({ directory });
		// Those that were needed: others are made when they are.
		const keys = [...state.identities.values()].map(({ privateKeyPem }) => keyBytes(privateKeyPem));
		t.ok(keys.length >= 3, `${keys.length} keys`);
		await state.close();
		printedNoSecret(t, [...keys, keyBytes(readFileSync(first.facts.claimKey!))]);
	});
});

t.test("with --access-key it accepts only signed requests, and does not print the secret", async (t) => {
	const directory = join(temporaryFolder(t), "cloud");
	const cloud = await startCloud(t, directory, "--access-key");
	t.equal(cloud.facts.signatures, "checked");
	t.equal((await fetch(`${cloud.facts.url}/things`)).status, 403);
	const file = cloud.facts.credentials!;
	t.equal(statSync(file).mode & 0o777, 0o600);
	const [, secret] = /aws_secret_access_key = (\w{40})/.exec(readFileSync(file, "utf8"))!;
	t.equal(await cloud.stop(), 0);
	t.notOk(printed.join("").includes(secret!), "the secret is in no output");
	const again = await startCloud(t, directory, "--access-key");
	t.match(readFileSync(file, "utf8"), secret, "the next time it is the same");
	t.equal(await again.stop(), 0);
});

t.test("it says in one line why it cannot start", async (t) => {
	const folder = temporaryFolder(t);
	const start = (...args: string[]) => fleet("cloud", "--directory", join(folder, "cloud"), ...FREE_PORTS, ...args);

	await t.test("an address of another machine", async (t) => {
		saysInOneLine(t, await start("--host", "203.0.113.1"), 1, /203\.0\.113\.1 is not an address of this machine/);
	});
	await t.test("a file where the directory should be", async (t) => {
		writeFileSync(join(folder, "file"), "");
		saysInOneLine(t, await start("--directory", join(folder, "file")), 1, /file is not a folder/);
	});
	await t.test("access keys that other users can read", async (t) => {
		const keys = join(folder, "keys.json");
		writeFileSync(keys, '{"accessKeys": []}');
		chmodSync(keys, 0o644);
		saysInOneLine(t, await start("--access-keys", keys), 1, /keys\.json holds secrets and other users can read it/);
	});
	await t.test("a port that is taken by another program", async (t) => {
		const other = createServer();
		await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
		t.teardown(() => other.close());
		const { port } = other.address() as AddressInfo;
		const result = await start("--alpn-port", String(port));
		saysInOneLine(t, result, 1, new RegExp(`port ${port} is in use: choose another with --alpn-port`));
	});
});

t.test("on another address, it prints that address", async (t) => {
	if (process.platform !== "linux") {
		t.comment(`Skipped: ${OTHER_LOOPBACK} is an address of this machine only on Linux`);
		return;
	}
	const directory = join(temporaryFolder(t), "cloud");
	const before = printed.length;
	const cloud = await startCloud(t, directory, "--host", OTHER_LOOPBACK);
	t.equal(cloud.facts.host, OTHER_LOOPBACK);
	t.match(cloud.facts.url, `http://${OTHER_LOOPBACK}:`);
	t.equal((await fetch(`${cloud.facts.url}/things`)).status, 200);
	t.ok(new X509Certificate(readFileSync(cloud.facts.rootCertificate!)).ca);
	t.notMatch(printed.slice(before).join(""), /localhost|127\.0\.0\.1/);
	const device = deviceArguments(cloud, join(directory, "device.flash")).map((argument) =>
		argument === "localhost" ? OTHER_LOOPBACK : argument,
	);
	const provisioned = await fleet(...device, "--once");
	t.equal(provisioned.code, 0, "and a device reaches it there");
	await cloud.stop();
	const text = await cloudInstructions(t, directory, "--host", OTHER_LOOPBACK);
	t.match(text, `--endpoint ${OTHER_LOOPBACK} `);
	t.match(text, /web page +http:\/\/127\.0\.0\.2:\d+\/#token=[\w-]{22}\n/, "the link to the web page has the token");
	t.match(text, `--endpoint-url http://${OTHER_LOOPBACK}:`);
	t.notMatch(text, /localhost|127\.0\.0\.1/);
});

t.test("its server has an RSA and an ECDSA certificate, or one of the two; each root is a file", async (t) => {
	const directory = join(temporaryFolder(t), "cloud");
	const roots = [join(directory, "root-ca.pem"), join(directory, "root-ca-ecdsa.pem")];
	const text = await cloudInstructions(t, directory);
	for (const root of roots) t.match(text, root);
	for (const [kind, expected, keys] of [
		["both", roots, ["rsa", "ec"]],
		["rsa", [roots[0]], ["rsa"]],
		["ecdsa", [roots[1]], ["ec"]],
	] as const) {
		const cloud = await startCloud(t, directory, "--server-certificate", kind);
		t.same(cloud.facts.rootCertificates, expected, kind);
		t.equal(cloud.facts.rootCertificate, expected[0]);
		t.same(
			expected.map((path) => new X509Certificate(readFileSync(path!)).publicKey.asymmetricKeyType),
			keys,
		);
		await cloud.stop();
	}
	saysInOneLine(t, await fleet("cloud", "--server-certificate", "dsa"), 2, /must be rsa, ecdsa or both, not dsa/);
});

t.test("its claim has an RSA key, or an EC key when it is asked for one, and stays what it is", async (t) => {
	const folder = temporaryFolder(t);
	const claimIn = async (directory: string, ...args: string[]) => {
		const cloud = await startCloud(t, directory, ...args);
		await cloud.stop();
		const { claimCertificate, claimKey } = cloud.facts as Record<string, string>;
		const certificate = new X509Certificate(readFileSync(claimCertificate!));
		t.ok(certificate.checkPrivateKey(createPrivateKey(readFileSync(claimKey!))));
		return { kind: certificate.publicKey.asymmetricKeyType, id: certificate.fingerprint256 };
	};
	const ec = join(folder, "ec");
	const first = await claimIn(ec, "--claim-key", "ec");
	t.equal(first.kind, "ec");
	t.same(await claimIn(ec), first, "kept");
	t.same(await claimIn(ec, "--claim-key", "ec"), first);
	t.equal((await claimIn(join(folder, "plain"))).kind, "rsa");
	const other = await fleet("cloud", "--directory", ec, ...FREE_PORTS, "--claim-key", "rsa");
	saysInOneLine(t, other, 1, /fleet-claim\.pem and .*fleet-claim-key\.pem has an ec key: move both files away/);
	// A key is never overwritten because its certificate has gone.
	rmSync(join(ec, "fleet-claim.pem"));
	const half = await fleet("cloud", "--directory", ec, ...FREE_PORTS, "--claim-key", "rsa");
	saysInOneLine(t, half, 1, /fleet-claim-key\.pem is there without .*fleet-claim\.pem: move it away/);
	saysInOneLine(t, await fleet("cloud", "--claim-key", "dsa"), 2, /--claim-key must be rsa or ec, not dsa/);
});
