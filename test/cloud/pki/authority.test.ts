// Which signing requests are taken, and what the issued certificates say, as OpenSSL reads them.

import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type Authority, openAuthority } from "../../../hosts/cloud/pki/authority.js";
import { openState } from "../../../hosts/cloud/state/state.js";
import { makeRequest } from "../csr.js";

/** The first authority of this file, whose keys the others take over. */
let first: Authority | undefined;

async function open(issuer: "RSA" | "EC" = "RSA"): Promise<Authority> {
	const authority = await openAuthority({
		state: await openState(),
		now: Date.now,
		serverNames: ["name.example", "192.0.2.1"],
		issuer: () => issuer,
		keyPairs: { ahead: 0, concurrency: 1 },
		...(first && { identities: first.identities }),
	});
	first ??= authority;
	return authority;
}

/** What `openssl` says of these PEM texts, each in a file of its own. */
function openssl(args: (files: string[]) => string[], ...pems: string[]): string {
	const directory = mkdtempSync(join(tmpdir(), "fleet-openssl-"));
	try {
		const files = pems.map((pem, index) => {
			const file = join(directory, `${index}.pem`);
			writeFileSync(file, pem);
			return file;
		});
		return execFileSync("openssl", args(files), { stdio: ["ignore", "pipe", "pipe"] }).toString();
	} finally {
		rmSync(directory, { recursive: true });
	}
}

t.test(
	"Requests with RSA keys of 2048 bits and more, and on three curves, are signed with their own subject",
	async (t) => {
		const authority = await open();
		const curve = (name: string) => ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${name}`];
		for (const key of [
			["-newkey", "rsa:2048"],
			["-newkey", "rsa:3072"],
			curve("P-256"),
			curve("P-384"),
			curve("P-521"),
		]) {
			const { csr } = makeRequest("my device", ...key);
			const first = await authority.createCertificateFromCsr(csr);
			const certificate = new X509Certificate(first.certificatePem);
			t.equal(certificate.subject, "CN=my device", key.join(" "));
			const second = await authority.createCertificateFromCsr(csr);
			t.not(second.certificateId, first.certificateId, "the same request twice gives two certificates");
		}
	},
);

t.test("Other requests are refused with the reason", async (t) => {
	const authority = await open();
	const { csr, privateKeyPem } = makeRequest("x");
	const tampered = Buffer.from(csr.replace(/-----.*-----|\n/g, ""), "base64");
	tampered[tampered.length - 10]! ^= 1;
	const pem = (der: Buffer) =>
		`-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
	for (const [request, reason] of [
		["GibberishCsr", /not a PKCS#10 request/],
		["", /not a PKCS#10 request/],
		[pem(Buffer.from("GibberishCsr")), /not a PKCS#10 request/],
		[privateKeyPem, /not a PKCS#10 request/],
		[csr.slice(0, 500), /not a PKCS#10 request/],
		[pem(tampered), /signature/],
		[makeRequest("x", "-newkey", "rsa:1024").csr, /at least 2048 bits/],
		[
			makeRequest("x", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1").csr,
			/at least 2048 bits or on P-256/,
		],
		[csr + " ".repeat(4_096), /longer than 4096/],
		[csr + csr, /more than one PEM block/],
		[csr + makeRequest("y").csr, /more than one PEM block/],
		[`-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n${csr}`, /more than one PEM block/],
	] as const) {
		await t.rejects(authority.createCertificateFromCsr(request), { name: "InvalidRequestException", message: reason });
	}
});

t.test("A request may be signed with SHA-1, as at AWS, and its certificate is signed with SHA-256", async (t) => {
	const authority = await open();
	for (const key of [
		["-newkey", "rsa:2048"],
		["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
	]) {
		const { csr } = makeRequest("old", "-sha1", ...key);
		const shown = (type: "req" | "x509", pem: string) =>
			openssl(([file]) => [type, "-in", file!, "-noout", "-text"], pem);
		t.match(shown("req", csr), /Signature Algorithm: (sha1WithRSAEncryption|ecdsa-with-SHA1)/);
		const { certificatePem } = await authority.createCertificateFromCsr(csr);
		t.match(shown("x509", certificatePem), /Signature Algorithm: sha256WithRSAEncryption/);
	}
});

t.test("Certificates verify with OpenSSL, under an RSA and under an EC authority", async (t) => {
	for (const [issuer, algorithm] of [
		["RSA", "sha256WithRSAEncryption"],
		["EC", "ecdsa-with-SHA256"],
	] as const) {
		const authority = await open(issuer);
		const { certificatePem } = await authority.createKeysAndCertificate();
		const verify = (files: string[]) => ["verify", "-x509_strict", "-CAfile", files[0]!, files[1]!];
		t.match(openssl(verify, authority.rootCertificatePem!, certificatePem), /: OK/);
		const text = openssl(([file]) => ["x509", "-in", file!, "-noout", "-text"], certificatePem);
		t.match(text, new RegExp(`Signature Algorithm: ${algorithm}`));
		t.match(text, /Subject: CN = AWS IoT Certificate/);
		t.match(text, /Not After : Dec 31 23:59:59 2049 GMT/);
		t.match(text, /Basic Constraints: critical\s+CA:FALSE/);
		t.match(text, /Key Usage: critical\s+Digital Signature/);
	}
});

t.test("A device certificate has the form of AWS's: names, extensions and size, as OpenSSL reads it", async (t) => {
	const authority = await open();
	const text = (pem: string) =>
		openssl(([file]) => ["x509", "-in", file!, "-noout", "-text", "-nameopt", "RFC2253,show_type"], pem);
	const issuer = "OU=UTF8STRING:Local AWS IoT O=moddable-fleet-provisioning L=Nowhere ST=None C=ZZ";
	const extensions =
		/X509v3 Authority Key Identifier: \n.*\n +X509v3 Subject Key Identifier: \n.*\n +X509v3 Basic Constraints: critical\n +CA:FALSE\n +X509v3 Key Usage: critical\n +Digital Signature\n +Signature Algorithm/;
	// The serial number has 20 random bytes, and one more when the first bit is set.
	const excess = (pem: string) => Number(new X509Certificate(pem).serialNumber >= "8".padEnd(40, "0"));
	const byCsr = makeRequest("A device by CSR").csr;
	for (let round = 0; round < 8; round++) {
		const { certificatePem: pem } =
			round === 0 ? await authority.createKeysAndCertificate() : await authority.createCertificateFromCsr(byCsr);
		t.match(text(pem), `Issuer: ${issuer}\n`, "one relative name in UTF-8");
		t.match(text(pem), extensions, "these extensions in this order, and no other");
		t.match(
			text(pem),
			round === 0 ? "Subject: CN=UTF8STRING:AWS IoT Certificate\n" : /Subject: CN=\w+:A device by CSR\n/,
		);
		t.match(new X509Certificate(pem).serialNumber, /^[0-9A-F]{36,40}$/);
		if (round === 0) {
			// AWS's are 862 and 1,224 bytes with a serial number of 21.
			t.equal(new X509Certificate(pem).raw.length, 861 + excess(pem));
			t.ok(pem.length === 1_220 || pem.length === 1_224, String(pem.length));
		}
	}
});

t.test(
	"The subject of a request is taken as it is: kinds of text, order, several values in one relative name",
	async (t) => {
		const authority = await open();
		// OpenSSL writes `/CN=` before it, and reads on: another value of the same name, and two names more.
		const { csr } = makeRequest(
			"b+OU=a/O=Some = Company, Inc./CN=Ger\u00e4t 7",
			"-newkey",
			"ec",
			"-pkeyopt",
			"ec_paramgen_curve:P-256",
		);
		const { certificatePem } = await authority.createCertificateFromCsr(csr);
		const show = ["-noout", "-subject", "-nameopt", "RFC2253,show_type"];
		t.equal(
			openssl(([file]) => ["x509", "-in", file!, ...show], certificatePem),
			openssl(([file]) => ["req", "-in", file!, ...show], csr),
		);
	},
);

t.test("The server's certificates, RSA and ECDSA, are for every name it is reached by", async (t) => {
	const { servers } = await open();
	for (const [kind, algorithm] of [
		["rsa", "rsaEncryption"],
		["ecdsa", "id-ecPublicKey"],
	] as const) {
		const { cert, root } = servers[kind];
		t.match(
			openssl(([file]) => ["x509", "-in", file!, "-noout", "-text"], cert),
			`Public Key Algorithm: ${algorithm}`,
		);
		for (const option of [
			"-verify_hostname localhost",
			"-verify_hostname name.example",
			"-verify_ip 192.0.2.1",
			"-verify_ip ::1",
		]) {
			const verify = (files: string[]) => [
				...["verify", "-x509_strict", "-purpose", "sslserver", ...option.split(" ")],
				...["-CAfile", files[0]!, files[1]!],
			];
			t.match(openssl(verify, root, cert), /: OK/, `${kind} ${option}`);
		}
	}
});

t.test(
	"Its keys are kept: opened again it is the same authority, with a new server certificate for a new name or root",
	async (t) => {
		const state = await openState();
		const options = {
			...{ state, now: Date.now, issuer: () => "RSA" as const, keyPairs: { ahead: 0, concurrency: 1 } },
			serverNames: [],
		};
		const first = await openAuthority(options);
		const same = await openAuthority(options);
		const more = await openAuthority({ ...options, serverNames: ["more.example"] });
		const shared = await openAuthority({ ...options, ecdsaRoot: "shared" });
		t.strictSame(same.servers, first.servers);
		t.equal(more.servers.rsa.root, first.servers.rsa.root);
		t.equal(more.servers.ecdsa.root, first.servers.ecdsa.root);
		t.not(first.servers.ecdsa.root, first.servers.rsa.root);
		t.ok(new X509Certificate(more.servers.rsa.cert).checkHost("more.example"));
		t.ok(new X509Certificate(more.servers.ecdsa.cert).checkHost("more.example"));
		t.equal(shared.servers.ecdsa.root, first.servers.rsa.root);
		t.ok(new X509Certificate(shared.servers.ecdsa.cert).checkIssued(new X509Certificate(first.servers.rsa.root)));
		t.equal(shared.servers.rsa.cert, more.servers.rsa.cert);
		t.equal(more.rootCertificatePem, first.rootCertificatePem);
	},
);

t.test("An authority takes over the keys and roots of another, and certifies its own names with them", async (t) => {
	const others = await open();
	const authority = await openAuthority({
		state: await openState(),
		now: Date.now,
		serverNames: ["taken-over.example"],
		issuer: () => "EC",
		keyPairs: { ahead: 0, concurrency: 1 },
		identities: others.identities,
	});
	for (const kind of ["rsa", "ecdsa"] as const) {
		const { key, cert, root } = authority.servers[kind];
		t.equal(root, others.servers[kind].root);
		t.equal(key, others.servers[kind].key, "no key is made");
		t.ok(new X509Certificate(cert).checkHost("taken-over.example"));
		t.ok(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)));
	}
});

t.test("Key pairs are made ahead", async (t) => {
	const authority = await openAuthority({
		state: await openState(),
		now: Date.now,
		serverNames: [],
		issuer: () => "EC",
		keyPairs: { ahead: 2, concurrency: 2 },
	});
	await authority.ready();
	const made = await Promise.all([1, 2, 3].map(() => authority.createKeysAndCertificate()));
	t.equal(new Set(made.map(({ privateKeyPem }) => privateKeyPem)).size, 3);
	t.ok(made.every(({ privateKeyPem }) => privateKeyPem.startsWith("-----BEGIN RSA PRIVATE KEY-----\n")));
});
