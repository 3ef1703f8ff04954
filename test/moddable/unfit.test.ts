// Given a later SDK whose handshake differs from what the firmware expects, then the firmware replaces nothing in it, RSA
// keys still work, and an EC key is rejected with an explanation.

import "./sdk/install.js";
import t from "tap";
import { issueCertificate, newKey } from "../support/credentials.js";
import { handshake, SSLSession } from "./sdk/modules.js";

const { doProtocol } = SSLSession.prototype;
/** Sends the same messages, but in another way. */
SSLSession.prototype.handshake = function (socket) {
	const { certificate, clientKeyExchange, certificateVerify, finished } = handshake;
	const change = { packetize: () => Uint8Array.of(20, 3, 3, 0, 1, 1) };
	for (const message of [certificate, clientKeyExchange, certificateVerify, change, finished]) {
		const packet = message.packetize(this);
		socket.write(packet);
		socket.writable -= packet.length;
	}
	return false;
};
const { Bench } = await import("./sdk/world.js");
const { signsWithEc } = await import("../../hosts/moddable/tls/certificateVerify.js");

t.test("it is found out, and the SDK is left as it is", async (t) => {
	t.equal(signsWithEc, false);
	t.equal(SSLSession.prototype.doProtocol, doProtocol);
});

t.test("RSA keys go on working", async (t) => {
	const bench = await Bench.make();
	bench.powerOn();
	t.ok(await bench.play(() => bench.running));
	t.same(bench.failures, []);
});

t.test("an EC key is refused, and the failure says why", async (t) => {
	const bench = await Bench.make();
	const { certificatePem, privateKey } = await issueCertificate(newKey("P-256"));
	bench.powerOn({ claim: { certificatePem, privateKeyPem: privateKey } });
	await bench.play(() => bench.failures.length > 0);
	t.same(bench.failures, ["TLS_FAILED"]);
	t.match(bench.details[0], /key is EC, and the TLS of this Moddable SDK cannot sign with it/);
	t.same(bench.chip.aborts, []);
});
