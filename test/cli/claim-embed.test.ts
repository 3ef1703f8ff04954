// `fleet claim embed` on files that OpenSSL made: what a device can use is embedded byte for byte; everything else is refused in one
// line, and nothing is written.

import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type ClaimEmbedOptions, embedClaim } from "../../hosts/cli/claim-embed.js";
import { CommandError, UsageError } from "../../hosts/cli/command.js";
import { readCredentials } from "../../hosts/cli/credentials.js";
import { ecdsa } from "../../hosts/node/ecdsa.js";
import { publicKeyOf } from "../../src/identity/private-key.js";

const files = t.testdir();
const path = (name: string) => join(files, name);
const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: files, stdio: ["ignore", "pipe", "pipe"] });
const PASSWORD = "correct horse";

function makeRoot(name: string, ...more: string[]): void {
	openssl(
		...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`],
		...["-subj", `/O=Test/CN=${name}`, "-days", "30", ...more],
	);
}

function makeClaim(name: string, key: readonly string[]): void {
	openssl("req", "-newkey", ...key, "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
	openssl(
		...["x509", "-req", "-in", `${name}.csr`, "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"],
		...["-out", `${name}.pem`, "-days", "30"],
	);
}

makeRoot("root");
makeRoot("other-root");
makeClaim("claim", ["rsa:2048"]);
makeClaim("short", ["rsa:1024"]);
makeClaim("curve", ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
makeClaim("curve-384", ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]);
makeClaim("curve-521", ["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"]);
makeClaim("edwards", ["ed25519"]);
openssl("x509", "-in", "claim.pem", "-outform", "der", "-out", "claim.der");
openssl("x509", "-in", "root.pem", "-outform", "der", "-out", "root.der");
openssl("pkcs8", "-topk8", "-nocrypt", "-in", "claim.key", "-outform", "der", "-out", "claim.pkcs8.der");
openssl("rsa", "-in", "claim.key", "-traditional", "-out", "claim.pkcs1.pem");
openssl("rsa", "-in", "claim.key", "-traditional", "-outform", "der", "-out", "claim.pkcs1.der");
openssl("pkcs8", "-topk8", "-nocrypt", "-in", "curve.key", "-outform", "der", "-out", "curve.pkcs8.der");
// As `openssl ecparam -genkey` makes it: the curve in a block of its own, ahead of the key.
openssl("ec", "-in", "curve.key", "-out", "curve.sec1.pem");
const parameters = openssl("ecparam", "-name", "prime256v1");
writeFileSync(path("curve.sec1.pem"), Buffer.concat([parameters, readFileSync(path("curve.sec1.pem"))]));
openssl("ec", "-in", "curve.key", "-outform", "der", "-out", "curve.sec1.der");
openssl("pkcs8", "-topk8", "-in", "claim.key", "-passout", `pass:${PASSWORD}`, "-out", "claim.locked.pem");

const pkcs12 = (name: string, claim: string, ...more: string[]) =>
	openssl(
		...["pkcs12", "-export", "-in", `${claim}.pem`, "-inkey", `${claim}.key`, "-certfile", "root.pem"],
		...["-passout", `pass:${PASSWORD}`, "-out", name, ...more],
	);

const certificate = new X509Certificate(readFileSync(path("claim.pem")));

const never = () => Promise.reject(new Error("asked for a password"));

function options(test: Test, given: Partial<ClaimEmbedOptions> = {}): ClaimEmbedOptions & { readonly folder: string } {
	return {
		certificate: path("claim.pem"),
		key: path("claim.key"),
		roots: [path("root.pem")],
		folder: join(test.testdir(), "claim"),
		password: never,
		...given,
	} as ClaimEmbedOptions & { readonly folder: string };
}

/** What is in the folder is this claim and this root, DER, and for nobody else to read. */
function isEmbedded(test: Test, folder: string, claim = certificate): void {
	const read = (name: string) => readFileSync(join(folder, name));
	const publicKey = claim.publicKey.export({ type: "spki", format: "der" });
	test.strictSame(readdirSync(folder).sort(), ["claim.certificate.der", "claim.key.der", "root.der"]);
	test.ok(read("claim.certificate.der").equals(claim.raw), "the certificate");
	test.ok(read("root.der").equals(readFileSync(path("root.der"))), "the root");
	const key = createPrivateKey({ key: read("claim.key.der"), format: "der", type: "pkcs8" });
	test.ok(createPublicKey(key).export({ type: "spki", format: "der" }).equals(publicKey), "the key, as PKCS#8");
	for (const name of readdirSync(folder))
		test.equal(statSync(join(folder, name)).mode & 0o777, 0o600, `mode of ${name}`);
}

t.test("PEM files are embedded as DER", async (t) => {
	const given = options(t);
	const embedded = await embedClaim(given);
	isEmbedded(t, given.folder);
	t.match(embedded, { claim: { subject: "CN=claim" }, roots: ["O=Test, CN=root"] });
	t.equal(embedded.claim?.validTo.getTime(), Date.parse(certificate.validTo));
});

for (const [what, key] of [
	["DER files", "claim.pkcs8.der"],
	["a key as AWS sends it, PKCS#1 in PEM,", "claim.pkcs1.pem"],
	["a key in PKCS#1 DER", "claim.pkcs1.der"],
] as const) {
	t.test(`${what} can be used`, async (t) => {
		const given = options(t, { certificate: path("claim.der"), key: path(key), roots: [path("root.der")] });
		await embedClaim(given);
		isEmbedded(t, given.folder);
	});
}

for (const [what, name, key] of [
	["on P-256, PKCS#8 in PEM", "curve", "curve.key"],
	["on P-256, PKCS#8 in DER", "curve", "curve.pkcs8.der"],
	["on P-256, SEC 1 in PEM behind its parameters", "curve", "curve.sec1.pem"],
	["on P-256, SEC 1 in DER", "curve", "curve.sec1.der"],
	["on P-384", "curve-384", "curve-384.key"],
] as const) {
	t.test(`a key ${what} will do, as the device program reads it`, async (t) => {
		const given = options(t, { certificate: path(`${name}.pem`), key: path(key) });
		await embedClaim(given);
		const claim = new X509Certificate(readFileSync(path(`${name}.pem`)));
		isEmbedded(t, given.folder, claim);
		const embedded = new Uint8Array(readFileSync(join(given.folder, "claim.key.der")));
		const spki = claim.publicKey.export({ type: "spki", format: "der" });
		t.equal(Buffer.from(publicKeyOf(embedded, ecdsa)).compare(spki), 0);
	});
}

t.test("a locked key is opened with the password", async (t) => {
	const given = options(t, { key: path("claim.locked.pem"), password: async () => PASSWORD });
	await embedClaim(given);
	isEmbedded(t, given.folder);
	await t.rejects(embedClaim({ ...given, password: async () => "wrong" }), {
		message: `the password does not open ${path("claim.locked.pem")}`,
	});
});

for (const [what, more] of [
	["as OpenSSL 3 makes it (AES-256, PBKDF2, SHA-256)", []],
	["with 3DES and SHA-1", ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"]],
	["with RC2, as Windows and OpenSSL 1 made it", ["-legacy"]],
	["with AES-128 and SHA-512", ["-certpbe", "AES-128-CBC", "-keypbe", "AES-128-CBC", "-macalg", "sha512"]],
	["with its certificates in the clear", ["-certpbe", "NONE"]],
] as const) {
	t.test(`PKCS#12 ${what}`, async (t) => {
		pkcs12("claim.pfx", "claim", ...more);
		const given = options(t, { certificate: path("claim.pfx"), key: undefined, password: async () => PASSWORD });
		await embedClaim(given);
		isEmbedded(t, given.folder);
		await t.rejects(embedClaim({ ...given, password: async () => "wrong" }), {
			message: `the password does not open ${path("claim.pfx")}`,
		});
	});
}

t.test("PKCS#12 with a key on a curve", async (t) => {
	pkcs12("curve.pfx", "curve");
	const given = options(t, { certificate: path("curve.pfx"), key: undefined, password: async () => PASSWORD });
	await embedClaim(given);
	isEmbedded(t, given.folder, new X509Certificate(readFileSync(path("curve.pem"))));
});

t.test(
	"the root alone is embedded for devices that are handed their claim, and takes the old claim away",
	async (t) => {
		const given = options(t);
		await embedClaim(given);
		const embedded = await embedClaim({ ...given, certificate: undefined, key: undefined });
		t.strictSame(readdirSync(given.folder), ["root.der"]);
		t.notOk("claim" in embedded);
	},
);

t.test("files that will not do are refused, and nothing is written", async (t) => {
	pkcs12("curve-521.pfx", "curve-521");
	openssl("pkcs12", "-export", "-nokeys", "-in", "claim.pem", "-passout", `pass:${PASSWORD}`, "-out", "keyless.pfx");
	writeFileSync(path("text"), "Amazon Root CA 1");
	writeFileSync(path("two.pem"), Buffer.concat([readFileSync(path("root.pem")), readFileSync(path("other-root.pem"))]));
	openssl("x509", "-in", "claim.csr", "-req", "-signkey", "claim.key", "-days", "30", "-out", "self.pem");
	openssl("pkey", "-in", "curve.key", "-ec_param_enc", "explicit", "-out", "explicit.key");
	const year = 365 * 86_400_000;
	const cases: [string, Partial<ClaimEmbedOptions>, string | RegExp][] = [
		[
			"a key of another certificate",
			{ key: path("root.key") },
			/the key in .*root.key does not belong to the certificate in .*claim.pem/,
		],
		[
			"a key on another curve",
			{ certificate: path("curve-521.pem"), key: path("curve-521.key") },
			/curve-521.key is neither an RSA key nor one on P-256 or P-384/,
		],
		[
			"a key on another curve in PKCS#12",
			{ certificate: path("curve-521.pfx"), key: undefined },
			/curve-521.pfx is neither an RSA key/,
		],
		[
			"a key of another kind",
			{ certificate: path("edwards.pem"), key: path("edwards.key") },
			/edwards.key is neither an RSA key/,
		],
		[
			"a key that spells out its curve",
			{ certificate: path("curve.pem"), key: path("explicit.key") },
			/explicit.key spells out its curve, which must be named/,
		],
		["another curve's key", { key: path("curve.key") }, /curve.key does not belong to the certificate/],
		["a key of 1024 bits", { certificate: path("short.pem"), key: path("short.key") }, /has 1024 bits/],
		["a certificate as key", { key: path("claim.pem") }, /claim.pem is not a private key/],
		["a key as certificate", { certificate: path("claim.key") }, /claim.key is not a certificate/],
		["no such file", { certificate: path("nowhere.pem") }, /there is no file .*nowhere.pem/],
		["PKCS#12 without a key", { certificate: path("keyless.pfx"), key: undefined }, /holds 0 private keys/],
		["text as root", { roots: [path("text")] }, /text is not a certificate/],
		["the claim as root", { roots: [path("claim.pem")] }, /claim.pem is not the certificate of an authority/],
		[
			"a certificate that signed itself but is no authority",
			{ roots: [path("self.pem")] },
			/is not the certificate of an authority/,
		],
		["two roots", { roots: [path("two.pem")] }, /holds 2 certificates/],
		["a claim that is over", { now: () => Date.now() + year }, /the root certificate has expired: it was valid until/],
		["a clock before the claim", { now: () => Date.now() - year }, /the root certificate is not valid before/],
	];
	for (const [what, wrong, message] of cases) {
		const given = options(t, { password: async () => PASSWORD, ...wrong });
		const error = await embedClaim(given).then(
			() => undefined,
			(error: Error) => error,
		);
		t.ok(error instanceof CommandError, what);
		t.match(error?.message, message, what);
		t.notMatch(error?.message, /\n|-----/, `${what}: one line, and nothing of the file's`);
		t.notOk(existsSync(given.folder), `${what}: nothing written`);
	}
});

t.test("several roots are embedded one after another", async (t) => {
	const given = options(t, { roots: [path("root.pem"), path("other-root.pem")] });
	const embedded = await embedClaim(given);
	t.strictSame(embedded.roots, ["O=Test, CN=root", "O=Test, CN=other-root"]);
	const [first, second] = [0, 1].map((index) => new X509Certificate(readFileSync(given.roots[index]!)).raw);
	t.ok(readFileSync(join(given.folder, "root.der")).equals(Buffer.concat([first!, second!])));
	await t.rejects(embedClaim({ ...given, roots: [path("root.pem"), path("claim.pem")] }), {
		message: `${path("claim.pem")} is not the certificate of an authority`,
	});
});

t.test("an authority that another one signed is not a root", async (t) => {
	makeRoot("intermediate", "-CA", "root.pem", "-CAkey", "root.key");
	await t.rejects(embedClaim(options(t, { roots: [path("intermediate.pem")] })), {
		message: `${path("intermediate.pem")} is not a root: it was issued by O=Test, CN=root`,
	});
});

t.test("options that do not fit together are a usage error", async (t) => {
	pkcs12("both.pfx", "claim");
	await t.rejects(
		embedClaim(options(t, { key: undefined })),
		new UsageError(`--key is missing: ${path("claim.pem")} holds a certificate only`),
	);
	await t.rejects(
		embedClaim(options(t, { certificate: undefined })),
		new UsageError("--certificate is missing: --key alone is no claim"),
	);
	await t.rejects(
		embedClaim(options(t, { certificate: path("both.pfx") })),
		new UsageError(`--key is not needed: ${path("both.pfx")} holds the key as well`),
	);
});

t.test("a failed check leaves an existing claim unchanged", async (t) => {
	const given = options(t);
	await embedClaim(given);
	await t.rejects(embedClaim({ ...given, key: path("root.key") }));
	isEmbedded(t, given.folder);
});

t.test("fleet claim embed and fleet device report a mistake in the same words", async (t) => {
	const mistakes: [certificate: string, key: string][] = [
		["nowhere.pem", "claim.key"],
		["claim.key", "claim.key"],
		["claim.pem", "nowhere.key"],
		["claim.pem", "claim.pem"],
		["claim.pem", "root.key"],
		["curve.pem", "claim.key"],
		["edwards.pem", "edwards.key"],
		["short.pem", "short.key"],
	];
	const said = (work: Promise<unknown>) =>
		work.then(
			() => "nothing",
			(error: Error) => error.message,
		);
	for (const [certificate, key] of mistakes) {
		const files = { certificate: path(certificate), key: path(key) };
		const embed = await said(embedClaim(options(t, files)));
		t.equal(embed, await said(readCredentials(files.certificate, files.key)), embed);
		t.not(embed, "nothing");
	}
});
