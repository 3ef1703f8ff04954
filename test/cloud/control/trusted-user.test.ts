// Provisioning by trusted user, from end to end with other people's clients: an installer's key gets a claim from the control
// plane, a device provisions itself with it, and the operator sees the device, revokes it and takes it away.

import {
	CreateProvisioningClaimCommand,
	DeleteCertificateCommand,
	DescribeThingCommand,
	DetachPolicyCommand,
	DetachThingPrincipalCommand,
	IoTClient,
	ListAttachedPoliciesCommand,
	ListCertificatesCommand,
	ListThingPrincipalsCommand,
	UpdateCertificateCommand,
} from "@aws-sdk/client-iot";
import t from "tap";
import type { AccessKey } from "../../../hosts/cloud/control/iam.js";
import { closed, connect, exchange, startRig, subscribeToReplies, templateName, topics } from "../rig.js";
import { accessKey, accountId, administrator, arn, refusal, region } from "./started.js";

t.test("an installer may give a device five minutes to provision itself", async (t) => {
	const installer = accessKey("installer", {
		Version: "2012-10-17",
		Statement: {
			Effect: "Allow",
			Action: "iot:CreateProvisioningClaim",
			Resource: arn(`provisioningtemplate/${templateName}`),
		},
	});
	const rig = await startRig({ accountId, region, controlPlane: { accessKeys: [administrator, installer] } });
	t.teardown(() => rig.cloud.close());
	const client = ({ accessKeyId, secretAccessKey }: AccessKey) => {
		const endpoint = rig.cloud.controlPlane!.url;
		const made = new IoTClient({ region, endpoint, credentials: { accessKeyId, secretAccessKey } });
		t.teardown(() => made.destroy());
		return made;
	};

	const claim = await client(installer).send(new CreateProvisioningClaimCommand({ templateName }));
	const claimed = { certificatePem: claim.certificatePem!, privateKeyPem: claim.keyPair!.PrivateKey! };
	const newcomer = await connect(rig, claimed, "newcomer");
	await subscribeToReplies(newcomer, topics.create("json"), topics.register("json"));
	const created = JSON.parse((await exchange(newcomer, topics.create("json"), "")).payload.toString());
	const { accepted } = await exchange(
		newcomer,
		topics.register("json"),
		JSON.stringify({
			certificateOwnershipToken: created.certificateOwnershipToken,
			parameters: { SerialNumber: "lamp" },
		}),
	);
	t.ok(accepted);
	await newcomer.endAsync();

	const device = await connect(
		rig,
		{ certificatePem: created.certificatePem, privateKeyPem: created.privateKey },
		"lamp",
	);
	const operator = client(administrator);
	t.match(await operator.send(new DescribeThingCommand({ thingName: "lamp" })), {
		attributes: { serialNumber: "lamp" },
	});
	const principal = arn(`cert/${created.certificateId}`);
	t.same((await operator.send(new ListThingPrincipalsCommand({ thingName: "lamp" }))).principals, [principal]);
	t.match((await operator.send(new ListAttachedPoliciesCommand({ target: principal }))).policies, [
		{ policyName: "device" },
	]);
	const listed = (await operator.send(new ListCertificatesCommand({}))).certificates!.map(
		({ certificateId }) => certificateId,
	);
	t.ok(listed.includes(created.certificateId));
	t.notOk(listed.includes(claim.certificateId), "the claim is in no list");
	t.match(await refusal(client(installer).send(new DescribeThingCommand({ thingName: "lamp" }))), { status: 403 });

	const { certificateId } = created;
	await operator.send(new UpdateCertificateCommand({ certificateId, newStatus: "REVOKED" }));
	await closed(device);
	t.pass("a revoked device is hung up on");
	await operator.send(new DetachThingPrincipalCommand({ thingName: "lamp", principal }));
	await operator.send(new DetachPolicyCommand({ policyName: "device", target: principal }));
	await operator.send(new DeleteCertificateCommand({ certificateId }));
});
