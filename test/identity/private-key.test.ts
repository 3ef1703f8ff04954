// Private keys of both kinds compared with OpenSSL: what it makes is read as what it is, belongs to its own certificate and to no
// other, and is refused when it is corrupted anywhere.

import { createECDH, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import t from "tap";
import { ecdsa } from "../../hosts/node/ecdsa.js";
import { Failure } from "../../src/base/failure.js";
import { fromHex } from "../../src/base/hex.js";
import { Malformed } from "../../src/base/malformed.js";
import { publicKeyIn } from "../../src/identity/certificate.js";
import { readCredentials } from "../../src/identity/credentials.js";
import { encodeEcKey, newScalar } from "../../src/identity/ec.js";
import { decodePem } from "../../src/identity/pem.js";
import { ecKeyIn, privateKeyFromPem, publicKeyOf, wrapPkcs1 } from "../../src/identity/private-key.js";
import { issueCertificate, KEY_KINDS, newKey } from "../support/credentials.js";

const CURVES = ["P-256", "P-384"] as const;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const pkcs8Of = (key: KeyObject) => new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
/** SubjectPublicKeyInfo as OpenSSL has it. */
const spkiOf = (key: KeyObject) => hex(createPublicKey(key).export({ type: "spki", format: "der" }));

/** What it throws when it refuses; any other exception is thrown on. */
function refusal(work: () => unknown): string | undefined {
	try {
		work();
		return undefined;
	} catch (error) {
		if (error instanceof Malformed || error instanceof Failure) return error.message;
		throw error;
	}
}

t.test("given keys by OpenSSL, then their public keys are those that OpenSSL sees", async (test) => {
	const rsa = [2048, 3072, 4096].map((modulusLength) => generateKeyPairSync("rsa", { modulusLength }).privateKey);
	for (const key of rsa) {
		const pkcs1 = new Uint8Array(key.export({ type: "pkcs1", format: "der" }));
		test.equal(hex(wrapPkcs1(pkcs1)), hex(pkcs8Of(key)), "PKCS#1 is wrapped as OpenSSL wraps it");
		test.equal(hex(publicKeyOf(pkcs8Of(key))), spkiOf(key));
		test.equal(ecKeyIn(pkcs8Of(key)), undefined);
	}
	for (const curve of CURVES)
		for (let round = 0; round < 20; round++) {
			const key = newKey(curve);
			test.equal(hex(publicKeyOf(pkcs8Of(key), ecdsa)), spkiOf(key));
			test.equal(hex(publicKeyOf(pkcs8Of(key))), spkiOf(key), "its point is believed without arithmetic");
			const sec1 = key.export({ type: "sec1", format: "pem" }) as string;
			test.equal(hex(privateKeyFromPem(decodePem(sec1))), hex(pkcs8Of(key)), "SEC 1 is wrapped as OpenSSL wraps it");
			test.equal(hex(encodeEcKey(ecKeyIn(pkcs8Of(key))!)), hex(pkcs8Of(key)), "and written again byte for byte");
		}
	for (const kind of ["P-521", "secp256k1"]) {
		const { privateKey } = generateKeyPairSync("ec", { namedCurve: kind });
		test.match(
			refusal(() => publicKeyOf(pkcs8Of(privateKey))),
			/curve other than/,
		);
	}
	const { privateKey } = generateKeyPairSync("ed25519");
	test.match(
		refusal(() => publicKeyOf(pkcs8Of(privateKey))),
		/neither RSA nor EC/,
	);
});

t.test("given an EC key without its point, then the machine's arithmetic makes it, or it is refused", async (test) => {
	for (const curve of CURVES) {
		const key = newKey(curve);
		const { scalar, point } = ecKeyIn(pkcs8Of(key))!;
		const whole = hex(pkcs8Of(key));
		// OpenSSL's own short form: no [1] in ECPrivateKey, and lengths made to fit.
		const bare = generateKeyPairSync("ec", { namedCurve: curve }).privateKey;
		test.ok(whole.includes(hex(scalar)) && whole.endsWith(hex(point)) && bare !== undefined);
		const size = scalar.length;
		const algorithm = whole.slice(12, 12 + 2 * (curve === "P-256" ? 21 : 18));
		const inner = `30${(size + 5).toString(16)}02010104${size.toString(16)}${hex(scalar)}`;
		const octets = `04${(size + 7).toString(16)}${inner}`;
		const body = `020100${algorithm}${octets}`;
		const short = fromHex(`30${(body.length / 2).toString(16)}${body}`);
		test.equal(hex(publicKeyOf(short, ecdsa)), spkiOf(key));
		test.match(
			refusal(() => publicKeyOf(short)),
			/no public point/,
		);
	}
});

t.test("given a scalar out of range, then it is refused; given any random numbers, then none is made", async (test) => {
	const order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	const { point } = ecKeyIn(pkcs8Of(newKey("P-256")))!;
	const refused = ["00".repeat(32), order, `${order.slice(0, -1)}2`, "ff".repeat(32)];
	for (const scalar of refused)
		test.match(
			refusal(() => ecKeyIn(encodeEcKey({ curve: "P-256", scalar: fromHex(scalar), point }))),
			/out of range/,
		);
	const least = `${"00".repeat(31)}01`;
	const most = `${order.slice(0, -1)}0`;
	for (const scalar of [least, most]) {
		const pair = createECDH("prime256v1");
		pair.setPrivateKey(fromHex(scalar));
		const key = { curve: "P-256", scalar: fromHex(scalar), point: new Uint8Array(pair.getPublicKey()) } as const;
		test.equal(
			refusal(() => ecKeyIn(encodeEcKey(key), ecdsa)),
			undefined,
		);
	}
	const numbers = [...refused, most];
	test.equal(hex(newScalar("P-256", () => fromHex(numbers.shift()!))), most, "the first that is in range is taken");
	test.same(numbers, []);
	test.equal(newScalar("P-384", (count) => new Uint8Array(count).fill(7)).length, 48);
});

for (const kind of KEY_KINDS)
	t.test(`given a ${kind} key with any one bit turned, then it is refused or says another public key`, async (test) => {
		const pkcs8 = pkcs8Of(newKey(kind));
		const own = hex(publicKeyOf(pkcs8, ecdsa));
		const passed: number[] = [];
		for (let at = 0; at < pkcs8.length; at++)
			for (let bit = 1; bit < 256; bit <<= kind === "RSA-2048" ? 8 : 1) {
				pkcs8[at]! ^= bit;
				let read: string | undefined;
				if (
					refusal(() => {
						read = hex(publicKeyOf(pkcs8, ecdsa));
					}) === undefined &&
					read === own
				)
					passed.push(at);
				pkcs8[at]! ^= bit;
			}
		// The version of PKCS#8, and NULL behind rsaEncryption: they say nothing of the key.
		test.same(
			[...new Set(passed)].filter((at) => at !== 6 && at > 24),
			[],
		);
	});

t.test("given an EC key whose scalar is another's, then only the machine's arithmetic finds it", async (test) => {
	for (const curve of CURVES) {
		const { scalar } = ecKeyIn(pkcs8Of(newKey(curve)))!;
		const { point } = ecKeyIn(pkcs8Of(newKey(curve)))!;
		const mixed = encodeEcKey({ curve, scalar, point });
		test.match(
			refusal(() => publicKeyOf(mixed, ecdsa)),
			/contradicts itself/,
		);
		test.equal(
			refusal(() => publicKeyOf(mixed)),
			undefined,
		);
	}
});

t.test("given a certificate, then its own key belongs to it, in every form, and no other does", async (test) => {
	const all = await Promise.all(
		[...KEY_KINDS, ...KEY_KINDS].map(async (kind) => {
			const key = newKey(kind);
			return { key, ...(await issueCertificate(key)) };
		}),
	);
	for (const { key, certificatePem, privateKey, credentials } of all) {
		test.equal(hex(publicKeyIn(credentials.certificate)), spkiOf(key));
		const pkcs8 = key.export({ type: "pkcs8", format: "pem" }) as string;
		for (const form of [privateKey, pkcs8, pkcs8Of(key)])
			test.equal(
				hex(readCredentials(decodePem(certificatePem), typeof form === "string" ? decodePem(form) : form, ecdsa).key),
				hex(credentials.key),
			);
		for (const other of all.filter((one) => one.key !== key))
			test.equal(
				refusal(() => readCredentials(decodePem(certificatePem), decodePem(other.privateKey), ecdsa)),
				"KEY_MISMATCH",
			);
		for (let length = 0; length < credentials.certificate.length; length++)
			if (refusal(() => publicKeyIn(credentials.certificate.subarray(0, length))) === undefined) test.fail(`${length}`);
		test.match(
			refusal(() => readCredentials(decodePem(privateKey), decodePem(privateKey))),
			/not of a certificate/,
		);
		test.match(
			refusal(() => readCredentials(decodePem(certificatePem), decodePem(certificatePem))),
			/not of a private key/,
		);
	}
});
