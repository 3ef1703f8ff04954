// A device provisions itself over real TLS and MQTT, by keys and by CSR, in JSON and in CBOR.

import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { decode, encode } from "cborg";
import t from "tap";
import { makeRequest } from "../csr.js";
import { closed, connect, eventually, exchange, startRig, subscribeToReplies, templateName, topics } from "../rig.js";

const codecs = {
	json: { read: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()), write: JSON.stringify },
	cbor: { read: (bytes: Uint8Array) => decode(bytes), write: encode },
};

t.test("A claim gets a certificate, registers a thing, and comes back as that thing", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	for (const encoding of ["json", "cbor"] as const) {
		for (const way of ["keys", "csr"] as const) {
			await t.test(`by ${way} in ${encoding}`, async (t) => {
				const { read, write } = codecs[encoding];
				const serial = `${way}-${encoding}`;
				const claim = await connect(rig, rig.claim, `claim-${serial}`);
				const create = way === "keys" ? topics.create(encoding) : topics.csr(encoding);
				await subscribeToReplies(claim, create, topics.register(encoding));
				const request = makeRequest("anything");
				const created = await exchange(
					claim,
					create,
					way === "keys" ? "" : write({ certificateSigningRequest: request.csr }),
				);
				t.ok(created.accepted);
				const reply = read(created.payload);
				t.same(
					Object.keys(reply),
					way === "keys"
						? ["certificateId", "certificatePem", "privateKey", "certificateOwnershipToken"]
						: ["certificateOwnershipToken", "certificateId", "certificatePem"],
				);
				const certificate = new X509Certificate(reply.certificatePem);
				t.equal(reply.certificateId, createHash("sha256").update(certificate.raw).digest("hex"));
				t.ok(reply.certificatePem.endsWith("-----END CERTIFICATE-----\n"));
				t.equal(new Date(certificate.validTo).toISOString(), "2049-12-31T23:59:59.000Z");
				const privateKeyPem = way === "keys" ? reply.privateKey : request.privateKeyPem;
				if (way === "keys") t.match(privateKeyPem, /^-----BEGIN RSA PRIVATE KEY-----\n/);
				t.ok(certificate.checkPrivateKey(createPrivateKey(privateKeyPem)));
				t.equal(
					createPublicKey(certificate.publicKey.export({ type: "spki", format: "pem" })).asymmetricKeyType,
					"rsa",
				);
				t.ok(reply.certificateOwnershipToken.length >= 400);
				t.equal(rig.cloud.registry.certificates.get(reply.certificateId)?.status, "PENDING_ACTIVATION");

				const registered = await exchange(
					claim,
					topics.register(encoding),
					write({
						certificateOwnershipToken: reply.certificateOwnershipToken,
						parameters: { SerialNumber: serial },
					}),
				);
				t.ok(registered.accepted);
				t.same(read(registered.payload), { deviceConfiguration: {}, thingName: serial });
				t.equal(rig.cloud.registry.certificates.get(reply.certificateId)?.status, "ACTIVE");
				await claim.endAsync();

				const device = await connect(rig, { certificatePem: reply.certificatePem, privateKeyPem }, serial);
				await device.publishAsync(`devices/${serial}/up`, "hello", { qos: 1 });
				const seen = await eventually(() =>
					rig.events.find((event) => event.event === "published" && event.topic === `devices/${serial}/up`),
				);
				t.match(seen, { clientId: serial, principal: reply.certificateId, bytes: 5 });
				device.publish("elsewhere", "hello");
				await closed(device);
				const denied = await eventually(() =>
					rig.events.find((event) => event.event === "denied" && event.clientId === serial),
				);
				t.match(denied, { action: "iot:Publish", resource: rig.cloud.registry.arn("topic", "elsewhere") });
			});
		}
	}
	t.same(
		rig.events.filter((event) => event.event === "provisioning").map((event) => event.eventType),
		Array(4).fill(["GetDeviceCredentials", "ProvisionDevice"]).flat(),
	);
	t.equal(templateName, "test-template");
});
