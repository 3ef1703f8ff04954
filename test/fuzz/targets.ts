// All targets: every reader of bytes from outside in the device program, with matching seeds, and everything in the cloud that
// strangers can reach. A reader of the device program may return, or throw a Failure or Malformed; anything else is a defect.

import { encode } from "cborg";
import { generate } from "mqtt-packet";
import { ecdsa } from "../../hosts/node/ecdsa.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import { Failure } from "../../src/base/failure.js";
import { Malformed } from "../../src/base/malformed.js";
import { publicKeyIn } from "../../src/identity/certificate.js";
import { decodePem } from "../../src/identity/pem.js";
import { privateKeyFromPem, publicKeyOf } from "../../src/identity/private-key.js";
import { decodeCredentials, encodeCredentials, encodeRecord } from "../../src/identity/record.js";
import { Store } from "../../src/identity/store.js";
import { PacketReader } from "../../src/mqtt/packets.js";
import { readIssuedCertificate, readRegistration, readRejection } from "../../src/provisioning/messages.js";
import { issueCertificate, newKey } from "../support/credentials.js";
import { payloadTarget, pemTarget, policyTarget, templateTarget } from "./cloud/documents.js";
import { httpTarget } from "./cloud/http.js";
import { mqttTarget, mqttTlsTarget } from "./mqtt/target.js";
import { mutate } from "./mutate.js";
import { Defect, type Target } from "./target.js";

/** A reader of the device program, and examples of what it normally reads. */
interface Reader {
	readonly name: string;
	readonly seeds: readonly Uint8Array[];
	/** Returns, or throws Failure or Malformed; anything else is a defect. */
	readonly run: (bytes: Uint8Array) => void;
}

const issued = await issueCertificate();
const ec = await issueCertificate(newKey("P-256"));
const { certificateId, certificatePem, privateKey, credentials } = issued;
const reply = { certificateId, certificatePem, privateKey, certificateOwnershipToken: "token".repeat(90) };
const registration = { deviceConfiguration: { color: "blue", empty: "" }, thingName: "thing-1" };
const rejection = { statusCode: 403, errorCode: "AccessDenied", errorMessage: "no" };
const json = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)));
const record = {
	state: "registering",
	savedAt: 1_700_000_000_000,
	setAsides: 0,
	certificateId,
	slot: "a",
	ownershipToken: "token".repeat(90),
	deadline: 1_700_000_000_000,
} as const;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

const readers: readonly Reader[] = [
	{ name: "create reply, CBOR", seeds: [encode(reply)], run: (bytes) => void readIssuedCertificate("cbor", bytes) },
	{ name: "create reply, JSON", seeds: [json(reply)], run: (bytes) => void readIssuedCertificate("json", bytes) },
	{
		name: "RegisterThing reply, CBOR",
		seeds: [encode(registration), Buffer.from("bf697468696e674e616d657f61746168ffff", "hex")],
		run: (bytes) => void readRegistration("cbor", bytes),
	},
	{
		name: "RegisterThing reply, JSON",
		seeds: [json(registration)],
		run: (bytes) => void readRegistration("json", bytes),
	},
	{
		name: "rejection",
		seeds: [encode(rejection), json(rejection)],
		run: (bytes) => {
			for (const format of ["cbor", "json"] as const)
				new Failure("INTERNAL", undefined, readRejection(format, bytes)).report();
		},
	},
	{
		name: "MQTT stream to the device",
		seeds: [
			generate({ cmd: "connack", returnCode: 0, sessionPresent: false }),
			generate({ cmd: "suback", messageId: 1, granted: [1, 1, 1, 128] }),
			generate({
				cmd: "publish",
				topic: "$aws/a/b",
				payload: "payload",
				qos: 1,
				messageId: 2,
				dup: false,
				retain: false,
			}),
			Buffer.concat([generate({ cmd: "pingresp" }), generate({ cmd: "puback", messageId: 7 })]),
		],
		run: (bytes) => new PacketReader(1024, () => {}).push(bytes),
	},
	{
		name: "PEM",
		seeds: [Buffer.from(certificatePem), Buffer.from(privateKey), Buffer.from(certificatePem + certificatePem)],
		run: (bytes) => void decodePem(text(bytes)),
	},
	{
		name: "certificate",
		seeds: [credentials.certificate, ec.credentials.certificate],
		run: (bytes) => void publicKeyIn(bytes),
	},
	{
		name: "private key",
		seeds: [credentials.key, ec.credentials.key],
		run: (bytes) => void publicKeyOf(bytes, ecdsa),
	},
	{
		name: "private key, PEM",
		seeds: [Buffer.from(privateKey), Buffer.from(ec.privateKey)],
		run: (bytes) => void publicKeyOf(privateKeyFromPem(decodePem(text(bytes)), ecdsa)),
	},
	{
		name: "stored record",
		seeds: [
			new Uint8Array(encodeRecord(record, 3)),
			new Uint8Array(encodeRecord({ state: "unprovisioned", savedAt: 0, setAsides: 1 }, 9)),
		],
		run: (bytes) => {
			const flash = new MemoryFlash();
			flash.values.set("state.a", bytes);
			flash.values.set("state.live", bytes.slice(0, 1));
			new Store(flash, () => {}).load();
			if (flash.writes !== 0) throw new Error("loading wrote");
		},
	},
	{
		name: "stored credentials",
		seeds: [new Uint8Array(encodeCredentials(certificateId, credentials))],
		run: (bytes) => void decodeCredentials(new Uint8Array(bytes).buffer, certificateId),
	},
];

/** A reader as a target. */
function reading({ name, seeds, run }: Reader): Target {
	return {
		name,
		unit: "inputs",
		life: 500,
		weight: 0.3,
		maximumCpu: 3_000,
		form: "bytes",
		generate: (random) => mutate(random, seeds),
		open: async () => ({
			close: () => {},
			run: (bytes) => {
				const given = Buffer.from(bytes).toString("hex");
				try {
					run(bytes);
				} catch (error) {
					if (!(error instanceof Failure) && !(error instanceof Malformed)) throw error;
				}
				if (Buffer.from(bytes).toString("hex") !== given) throw new Defect("wrong", "the input was written to");
				return 1;
			},
		}),
	};
}

export const targets: readonly Target[] = [
	mqttTarget,
	mqttTlsTarget,
	payloadTarget,
	templateTarget,
	policyTarget,
	httpTarget,
	pemTarget,
	...readers.map(reading),
];
