// PEM, DER and RSA compared with OpenSSL: what it makes is read, and what it would refuse is refused.

import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import t from "tap";
import { Malformed } from "../../src/base/malformed.js";
import { decodePem } from "../../src/identity/pem.js";
import { readCertificate, readPrivateKey, samePublicKey, unwrapPkcs8, wrapPkcs1 } from "../../src/identity/rsa.js";
import { issueCertificate } from "../support/credentials.js";

const issued = await issueCertificate();

/** Whether it is refused as malformed; any other exception is thrown on. */
function isRefused(work: () => unknown): boolean {
	try {
		work();
		return false;
	} catch (error) {
		if (error instanceof Malformed) return true;
		throw error;
	}
}

t.test(
	"given keys of 2,048 to 4,096 bits by OpenSSL, then they are whole, and wrap into what OpenSSL wraps",
	async (test) => {
		for (const modulusLength of [2048, 3072, 4096]) {
			const { privateKey } = generateKeyPairSync("rsa", { modulusLength });
			const pkcs1 = new Uint8Array(privateKey.export({ type: "pkcs1", format: "der" }));
			const pkcs8 = new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" }));
			test.same([...wrapPkcs1(pkcs1)], [...pkcs8]);
			test.same([...unwrapPkcs8(pkcs8)], [...pkcs1]);
			const { modulus, exponent } = readPrivateKey(pkcs1);
			const { n, e } = createPublicKey(privateKey).export({ format: "jwk" });
			test.equal(Buffer.from(modulus.subarray(1)).toString("base64url"), n);
			test.equal(Buffer.from(exponent).toString("base64url"), e);
		}
	},
);

t.test("given a key with any one bit turned, then it contradicts itself or says another public key", async (test) => {
	const pkcs1 = new Uint8Array(createPrivateKey(issued.privateKey).export({ type: "pkcs1", format: "der" }));
	const own = readPrivateKey(pkcs1);
	let refused = 0;
	for (let at = 0; at < pkcs1.length; at++) {
		const bit = 1 << (at % 8);
		pkcs1[at]! ^= bit;
		try {
			if (samePublicKey(readPrivateKey(pkcs1), own)) test.fail(`byte ${at}`);
		} catch (error) {
			if (!(error instanceof Malformed)) throw error;
			refused += 1;
		}
		pkcs1[at]! ^= bit;
	}
	// d plus a multiple of lcm(p−1, q−1) would pass, but no single bit makes one.
	test.equal(refused, pkcs1.length);
});

t.test(
	"given a certificate, then its key is the one that OpenSSL sees; given one of another kind, none",
	async (test) => {
		const key = readCertificate(issued.credentials.certificate);
		test.ok(key !== undefined && samePublicKey(key, readPrivateKey(unwrapPkcs8(issued.credentials.key))));
		for (let length = 0; length < issued.credentials.certificate.length; length++)
			test.ok(isRefused(() => readCertificate(issued.credentials.certificate.subarray(0, length))));
		const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
		test.throws(() => unwrapPkcs8(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" }))), /not RSA/);
	},
);

t.test("given PEM that is not exactly one, then it is refused", async (test) => {
	const { certificatePem } = issued;
	for (const [name, text] of Object.entries({
		empty: "",
		"text before": `x${certificatePem}`,
		"text after": `${certificatePem}x`,
		"no end": certificatePem.slice(0, -30),
		"another end": certificatePem.replace("END CERTIFICATE", "END SOMETHING"),
		"a stray character": certificatePem.replace("M", "!"),
		"a character missing": certificatePem.replace("M", ""),
		"padding in the middle": certificatePem.replace("M", "="),
		"nothing within": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"no label": `-----BEGIN ${"X".repeat(100)}-----`,
	}))
		test.ok(
			isRefused(() => decodePem(text)),
			name,
		);
	for (const body of ["AAEC\r\nAw==\n", "AAECAw==", "A\nA E\tC\nA\rw\n=\n=\n\n"])
		test.same([...decodePem(`-----BEGIN X-----\n${body}-----END X-----`).der], [0, 1, 2, 3]);
	for (const body of ["AAECA===", "AAECAw=", "AAECAw", "AA=EC", "AAECAw==AAEC", "====", "é==="])
		test.ok(
			isRefused(() => decodePem(`-----BEGIN X-----\n${body}\n-----END X-----`)),
			body,
		);
	test.throws(() => decodePem("-----BEGIN X-----\nAx==\n-----END X-----"), /bits to spare/);
});

t.test(
	"given bytes of every length, in lines of every length, then their base64 is decoded as Node encodes it",
	async (test) => {
		for (let length = 1; length < 700; length += length < 70 ? 1 : 61)
			for (const line of [3, 64, 76, 2000]) {
				const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 73 + length) & 0xff));
				const body = bytes.toString("base64").replaceAll(new RegExp(`.{${line}}`, "g"), "$&\n");
				const { der } = decodePem(`-----BEGIN X-----\n${body}\n-----END X-----\n`);
				if (!bytes.equals(der)) test.fail(`${length} bytes in lines of ${line}`);
			}
		test.pass();
	},
);

t.test("given a machine with base64 of its own, then that decodes, and what it refuses is malformed", async (test) => {
	const asked: unknown[] = [];
	const fromBase64 = (text: string, options: unknown) => {
		asked.push(options);
		if (text.includes("!")) throw new SyntaxError("not base64");
		return new Uint8Array(Buffer.from(text, "base64"));
	};
	Object.defineProperty(Uint8Array, "fromBase64", { value: fromBase64, configurable: true });
	test.teardown(() => Reflect.deleteProperty(Uint8Array, "fromBase64"));
	test.same([...decodePem("-----BEGIN X-----\nAAECAw==\n-----END X-----").der], [0, 1, 2, 3]);
	test.same(asked, [{ lastChunkHandling: "strict" }], "strictly");
	test.ok(isRefused(() => decodePem("-----BEGIN X-----\nAA!=\n-----END X-----")));
	test.ok(isRefused(() => decodePem("-----BEGIN X-----\n\n-----END X-----")));
});
