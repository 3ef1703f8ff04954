// Signing requests as OpenSSL and @peculiar/x509 see them, neither of which has made them.

import "../support/credentials.js";
import { execFileSync } from "node:child_process";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import t from "tap";
import { ecdsa } from "../../hosts/node/ecdsa.js";
import { keyPair, newScalar } from "../../src/identity/ec.js";
import { decodePem, encodePem } from "../../src/identity/pem.js";
import { signingRequest } from "../../src/identity/signing-request.js";
import { seededRandom } from "../support/world.js";

const random = seededRandom(3);

for (const curve of ["P-256", "P-384"] as const)
	t.test(`given a key on ${curve}, then its request is signed with it and names the device`, async (test) => {
		for (const name of ["240ac4000001", "a", "x".repeat(64), "a:b_c-D"]) {
			const key = keyPair(curve, newScalar(curve, random), undefined, ecdsa);
			const pem = signingRequest(key, name, ecdsa);
			const request = new Pkcs10CertificateRequest(pem);
			test.ok(await request.verify(), name);
			test.equal(request.subject, `CN=${name}`);
			const point = Buffer.from(request.publicKey.rawData).subarray(-key.point.length);
			test.equal(point.compare(key.point), 0);
			const said = execFileSync("openssl", ["req", "-verify", "-noout", "-subject"], {
				input: pem,
				encoding: "utf8",
				stdio: ["pipe", "pipe", "ignore"],
			});
			test.match(said, `CN = ${name}`);
			test.notOk(pem.includes(Buffer.from(key.scalar).toString("base64").slice(3, 30)));
		}
	});

t.test("given bytes of any number, then their PEM is what Node's base64 says, and is read again", async (test) => {
	for (let length = 1; length < 300; length++) {
		const bytes = random(length);
		const lines = Buffer.from(bytes)
			.toString("base64")
			.match(/.{1,64}/g)!;
		const pem = encodePem("X", bytes);
		if (pem !== `-----BEGIN X-----\n${lines.join("\n")}\n-----END X-----\n`) test.fail(`${length} bytes`);
		if (Buffer.compare(decodePem(pem).der, bytes) !== 0) test.fail(`${length} bytes again`);
	}
	test.pass();
});
