// CAs of the customer's own: registered by AWS's SDK with a proof, devices registered and provisioned at their first connection, and a
// certificate provider that signs in place of the cloud.

import {
	CreateCertificateProviderCommand,
	DeleteCACertificateCommand,
	DescribeCACertificateCommand,
	GetRegistrationCodeCommand,
	IoTClient,
	ListCACertificatesCommand,
	ListCertificatesByCACommand,
	RegisterCACertificateCommand,
	RegisterCertificateCommand,
	UpdateCACertificateCommand,
} from "@aws-sdk/client-iot";
import t, { type Test } from "tap";
import { refusal } from "../control/started.js";
import { makeRequest } from "../csr.js";
import {
	connect,
	everything,
	exchange,
	identity,
	last,
	type PemCredentials,
	type Rig,
	startRig,
	subscribeToReplies,
	topics,
} from "../rig.js";
import { makeCa } from "./ca.js";

/** A CA, and a cloud with AWS's SDK pointed at it. */
async function start(t: Test, options: Parameters<typeof startRig>[0] = {}) {
	const ca = makeCa("Maker");
	const rig = await startRig({ ...options, controlPlane: {} });
	const client = new IoTClient({
		region: rig.account.region,
		endpoint: rig.cloud.controlPlane!.url,
		maxAttempts: 1,
		credentials: { accessKeyId: "any", secretAccessKey: "any" },
	});
	t.teardown(async () => {
		client.destroy();
		await rig.cloud.close();
		ca.dispose();
	});
	return { ca, rig, client };
}

/** Connects, and tells why it was refused. */
async function reason(rig: Rig, credentials: PemCredentials, clientId: string) {
	await connect(rig, credentials, clientId).then(
		() => {
			throw new Error("was let in");
		},
		() => {},
	);
	const event = last(rig, "refused");
	return event?.event === "refused" ? `${event.reason}: ${event.explanation}` : "";
}

const withCa = ({ certificatePem, privateKeyPem }: PemCredentials, ca: ReturnType<typeof makeCa>) => ({
	certificatePem: certificatePem + ca.certificatePem,
	privateKeyPem,
});

t.test("A CA is registered by a certificate for the registration code, listed, changed and deleted", async (t) => {
	const { ca, rig, client } = await start(t);
	const { registrationCode } = await client.send(new GetRegistrationCodeCommand({}));
	t.match(registrationCode, /^[0-9a-f]{64}$/);
	const register = (verificationCertificate: string) =>
		client.send(new RegisterCACertificateCommand({ caCertificate: ca.certificatePem, verificationCertificate }));
	const wrong = await refusal(register(ca.issue("/CN=guess").certificatePem));
	t.equal(wrong.name, "RegistrationCodeValidationException");
	const proof = ca.issue(`/CN=${registrationCode}`).certificatePem;
	const stranger = makeCa("Maker");
	t.equal(
		(await refusal(register(stranger.issue(`/CN=${registrationCode}`).certificatePem))).name,
		"CertificateValidationException",
	);
	stranger.dispose();
	const { certificateId, certificateArn } = await register(proof);
	t.match(certificateArn, /:cacert\/[0-9a-f]{64}$/);
	t.equal((await refusal(register(proof))).name, "ResourceAlreadyExistsException");
	const device = ca.issue("/CN=one");
	const command = new RegisterCertificateCommand({ ...device, caCertificatePem: ca.certificatePem, status: "ACTIVE" });
	t.equal((await refusal(client.send(command))).name, "CertificateValidationException", "the CA is INACTIVE");
	await client.send(new UpdateCACertificateCommand({ certificateId, newStatus: "ACTIVE" }));
	const registered = await client.send(command);
	const { certificates } = await client.send(new ListCertificatesByCACommand({ caCertificateId: certificateId }));
	t.same(
		certificates?.map((one) => one.certificateId),
		[registered.certificateId],
	);
	const { certificateDescription } = await client.send(new DescribeCACertificateCommand({ certificateId }));
	t.match(certificateDescription, { status: "ACTIVE", autoRegistrationStatus: "DISABLE", certificateMode: "DEFAULT" });
	t.match(await reason(rig, withCa(ca.issue("/CN=two"), ca), "two"), /newAutoRegistrationStatus ENABLE/);
	t.equal(
		(await refusal(client.send(new DeleteCACertificateCommand({ certificateId })))).name,
		"CertificateStateException",
	);
	await client.send(new UpdateCACertificateCommand({ certificateId, newStatus: "INACTIVE" }));
	await client.send(new DeleteCACertificateCommand({ certificateId }));
	t.same((await client.send(new ListCACertificatesCommand({}))).certificates, []);
});

t.test(
	"A device of a registered CA is registered at its first CONNECT, which is closed, and told on a topic",
	async (t) => {
		const { ca, rig, client } = await start(t);
		const { certificateId: caCertificateId } = await client.send(
			new RegisterCACertificateCommand({
				...{ caCertificate: ca.certificatePem, certificateMode: "SNI_ONLY" },
				...{ setAsActive: true, allowAutoRegistration: true },
			}),
		);
		const watcher = await connect(rig, await identity(rig, "everything", everything), "watcher");
		await watcher.subscribeAsync(`$aws/events/certificates/registered/${caCertificateId}`);
		const told = new Promise<Buffer>((resolve) => watcher.once("message", (_, payload) => resolve(payload)));
		const device = ca.issue("/CN=device-1");
		t.match(await reason(rig, device, "device-1"), /registered just in time/);
		const event = JSON.parse((await told).toString());
		t.match(event, {
			caCertificateId,
			certificateStatus: "PENDING_ACTIVATION",
			awsAccountId: rig.account.accountId,
			certificateRegistrationTimestamp: null,
		});
		t.match(await reason(rig, device, "device-1"), /certificate PENDING_ACTIVATION/);
		const { certificates, policies } = rig.cloud.registry;
		certificates.updateCertificate({ certificateId: event.certificateId, newStatus: "ACTIVE" });
		policies.attachPolicy({ policyName: "everything", target: certificates.arn(event.certificateId) });
		const connected = await connect(rig, device, "device-1");
		await connected.endAsync();
		await watcher.endAsync();
		const strangers = makeCa("Nobody");
		t.match(await reason(rig, strangers.issue("/CN=x"), "x"), /^unknown certificate/);
		strangers.dispose();
	},
);

t.test("A CA's template provisions a device from the names in its certificate", async (t) => {
	const { ca, rig, client } = await start(t);
	const { registrationCode } = await client.send(new GetRegistrationCodeCommand({}));
	const templateBody = JSON.stringify({
		Parameters: Object.fromEntries(
			["CommonName", "Country", "Id"].map((name) => [`AWS::IoT::Certificate::${name}`, { Type: "String" }]),
		),
		Resources: {
			thing: {
				Type: "AWS::IoT::Thing",
				Properties: {
					ThingName: { Ref: "AWS::IoT::Certificate::CommonName" },
					AttributePayload: { country: { Ref: "AWS::IoT::Certificate::Country" } },
				},
			},
			certificate: {
				Type: "AWS::IoT::Certificate",
				Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
			},
			policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
		},
	});
	const provisioningRoleArn = `arn:aws:iam::${rig.account.accountId}:role/provisioning`;
	rig.cloud.registry.templates.createProvisioningTemplate({
		...{ templateName: "jitp", type: "JITP", templateBody, enabled: true, provisioningRoleArn },
	});
	await client.send(
		new RegisterCACertificateCommand({
			caCertificate: ca.certificatePem,
			verificationCertificate: ca.issue(`/CN=${registrationCode}`).certificatePem,
			setAsActive: true,
			allowAutoRegistration: true,
			registrationConfig: { templateName: "jitp" },
		}),
	);
	const device = ca.issue("/C=CH/CN=pump-7");
	t.match(await reason(rig, device, "pump-7"), /has not sent the CA's certificate/);
	t.match(await reason(rig, withCa(device, ca), "pump-7"), /provisioned just in time: .* pump-7/);
	t.same(rig.cloud.registry.things.get("pump-7")?.attributes, { country: "CH" });
	const connected = await connect(rig, device, "pump-7");
	await connected.endAsync();
	t.match(await reason(rig, withCa(ca.issue("/CN=no-country"), ca), "x"), /Cannot resolve reference value: .*Country/);
});

t.test("A certificate provider signs in place of the cloud, and what it does wrong is told", async (t) => {
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:sign";
	const { ca, rig, client } = await start(t, {
		settings: { hook: { targets: {} } },
		hookCommands: { [arn]: `"${process.execPath}" "$FLEET_TEST_SIGNER"` },
	});
	const { writeFileSync } = await import("node:fs");
	const request = makeRequest("mine");
	const signed = ca.sign(request.csr);
	const signer = `${ca.folder}/signer.cjs`;
	process.env.FLEET_TEST_SIGNER = signer;
	const answer = (certificatePem: string) =>
		writeFileSync(
			signer,
			`process.stdin.resume().on("end", () => console.log(${JSON.stringify(JSON.stringify({ certificatePem }))}))`,
		);
	answer(signed);
	await client.send(
		new CreateCertificateProviderCommand({
			certificateProviderName: "own-ca",
			lambdaFunctionArn: arn,
			accountDefaultForOperations: ["CreateCertificateFromCsr"],
		}),
	);
	const device = await connect(rig, rig.claim, "claim");
	await subscribeToReplies(device, topics.csr("json"));
	const ask = () => exchange(device, topics.csr("json"), JSON.stringify({ certificateSigningRequest: request.csr }));
	const reply = await ask();
	t.ok(reply.accepted);
	t.equal(JSON.parse(reply.payload.toString()).certificatePem, signed);
	answer(ca.issue("/CN=another-key").certificatePem);
	t.notOk((await ask()).accepted);
	t.match(last(rig, "provisioning"), { status: "Failure", explanation: /not for the key of the request/ });
	await device.endAsync();
});
