// The device's ECDSA with plain arithmetic in place of the SDK's, checked against published signatures and against OpenSSL.
// `npm run sdk-tests` checks the published signatures with the SDK's own arithmetic.

import "./sdk.js";
import { createHash, createPublicKey, verify } from "node:crypto";
import t from "tap";
import { ecdsa as openssl } from "../../hosts/node/ecdsa.js";
import { fromHex } from "../../src/base/hex.js";
import type { EcKey } from "../../src/identity/ec.js";
import { ecPublicKey, newScalar } from "../../src/identity/ec.js";
import { seededRandom } from "../support/world.js";
import { vectors } from "./rfc6979.js";
import { Curve } from "./sdk.js";

const { ecdsa, Nonces, sign } = await import("../../hosts/moddable/tls/ecdsa.js");

const sha256 = (text: string) => new Uint8Array(createHash("sha256").update(text).digest());
const NAMES = { "P-256": "secp256r1", "P-384": "secp384r1" } as const;

function isSigned(key: EcKey, message: string, signature: Uint8Array): boolean {
	const publicKey = createPublicKey({ key: Buffer.from(ecPublicKey(key)), format: "der", type: "spki" });
	return verify("sha256", Buffer.from(message), publicKey, signature);
}

for (const { curve, scalar, point, message, k, r, s } of vectors)
	t.test(`RFC 6979, ${curve} with SHA-256: "${message}"`, async (test) => {
		const key: EcKey = { curve, scalar: fromHex(scalar), point: fromHex(`04${point}`) };
		const nonce = new Nonces(key.scalar, sha256(message), new Curve(NAMES[curve])).next();
		test.equal(nonce.toString(16).padStart(k.length, "0"), k.toLowerCase());
		const integer = (hex: string) => (Number.parseInt(hex.slice(0, 2), 16) >= 0x80 ? `00${hex}` : hex).toLowerCase();
		const signature = Buffer.from(sign(key, sha256(message))).toString("hex");
		for (const number of [r, s])
			test.ok(signature.includes(`02${(integer(number).length / 2).toString(16)}${integer(number)}`));
		test.ok(isSigned(key, message, fromHex(signature)));
		test.equal(Buffer.from(ecdsa.publicKey(curve, key.scalar)).toString("hex"), `04${point.toLowerCase()}`);
	});

t.test("given any key and message, then OpenSSL takes the signature, and it is the same each time", async (test) => {
	const random = seededRandom(11);
	for (const curve of ["P-256", "P-384"] as const)
		for (let round = 0; round < 12; round++) {
			const scalar = newScalar(curve, random);
			// Among these there are integers with leading zeros.
			const point = openssl.publicKey(curve, scalar);
			test.same(ecdsa.publicKey(curve, scalar), point);
			const key = { curve, scalar, point };
			const signature = sign(key, sha256(`message ${round}`));
			if (!isSigned(key, `message ${round}`, signature)) test.fail(`${curve}, ${round}`);
			test.same(sign(key, sha256(`message ${round}`)), signature);
			if (isSigned(key, "another", signature)) test.fail("a signature of another message");
		}
});

t.test(
	"given a key whose halves do not belong together, then nothing is signed, and nothing of it is told",
	async (test) => {
		const random = seededRandom(12);
		const [scalar, other] = [newScalar("P-256", random), newScalar("P-256", random)];
		const key: EcKey = { curve: "P-256", scalar, point: openssl.publicKey("P-256", other) };
		test.throws(() => sign(key, sha256("message")), { message: "the signature does not verify" });
	},
);
