// The data planes on the control plane's port: messages over HTTPS, retained ones and who may call what.

import {
	GetRetainedMessageCommand,
	GetThingShadowCommand,
	IoTDataPlaneClient,
	ListRetainedMessagesCommand,
	PublishCommand,
	UpdateThingShadowCommand,
} from "@aws-sdk/client-iot-data-plane";
import { GetPendingJobExecutionsCommand, IoTJobsDataPlaneClient } from "@aws-sdk/client-iot-jobs-data-plane";
import t from "tap";
import { connect, everything, identity, startRig } from "../rig.js";
import { type accessKey as AccessKey, accessKey, administrator, refusal, started } from "./started.js";

t.test("Publish reaches subscribers, retained messages are listed and read", async (t) => {
	const rig = await startRig({ controlPlane: { signatures: "any" } });
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything, ["lamp"]);
	const device = await connect(rig, owner, "lamp");
	t.teardown(() => device.endAsync(true));
	const aws = new IoTDataPlaneClient({
		region: rig.account.region,
		endpoint: rig.cloud.controlPlane!.url,
		maxAttempts: 1,
		credentials: { accessKeyId: "AKIA", secretAccessKey: "secret" },
	});
	t.teardown(() => aws.destroy());
	await device.subscribeAsync("a/b", { qos: 1 });
	const message = new Promise<string>((resolve) =>
		device.once("message", (topic, payload) => resolve(`${topic} ${payload}`)),
	);
	await aws.send(new PublishCommand({ topic: "a/b", qos: 1, payload: Buffer.from("hello") }));
	t.equal(await message, "a/b hello");

	for (const topic of ["kept/2", "kept/1"]) {
		await aws.send(new PublishCommand({ topic, qos: 1, retain: true, payload: Buffer.from(topic) }));
	}
	t.match(await aws.send(new ListRetainedMessagesCommand({})), {
		retainedTopics: [{ topic: "kept/1", payloadSize: 6, qos: 1, lastModifiedTime: Number }, { topic: "kept/2" }],
	});
	const first = await aws.send(new ListRetainedMessagesCommand({ maxResults: 1 }));
	t.match(await aws.send(new ListRetainedMessagesCommand({ nextToken: first.nextToken })), {
		retainedTopics: [{ topic: "kept/2" }],
	});
	const read = await aws.send(new GetRetainedMessageCommand({ topic: "kept/1" }));
	t.match([Buffer.from(read.payload!).toString(), read.qos], ["kept/1", 1]);
	t.match(await refusal(aws.send(new GetRetainedMessageCommand({ topic: "kept/3" }))), {
		name: "ResourceNotFoundException",
	});

	await device.subscribeAsync("$aws/things/lamp/shadow/update/accepted");
	const accepted = new Promise<string>((resolve) => device.once("message", resolve));
	await aws.send(
		new PublishCommand({
			topic: "$aws/things/lamp/shadow/update",
			payload: Buffer.from('{"state":{"reported":{"a":1}}}'),
		}),
	);
	t.equal(await accepted, "$aws/things/lamp/shadow/update/accepted", "a reserved topic is a request");
	t.match(await refusal(aws.send(new PublishCommand({ topic: "$aws/nothing" }))), {
		name: "InvalidRequestException",
		status: 400,
	});
	t.match(await refusal(aws.send(new PublishCommand({ topic: "a/#" }))), { name: "InvalidRequestException" });
});

t.test("IAM decides over the data planes: by the names of their actions, and by thing and topic", async (t) => {
	const lampOnly = accessKey("lamp", {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: ["iot:*", "iotjobsdata:GetPendingJobExecutions"], Resource: "*" },
			{ Effect: "Deny", Action: "iot:GetThingShadow", NotResource: "arn:aws:iot:*:*:thing/lamp" },
		],
	});
	const jobless = accessKey("jobless", {
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
	});
	const cloud = await started(t, { accessKeys: [administrator, lampOnly, jobless] });
	const options = (key: ReturnType<typeof AccessKey>) => ({
		region: "eu-west-1",
		endpoint: cloud.url,
		maxAttempts: 1,
		credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
	});
	const data = new IoTDataPlaneClient(options(lampOnly));
	const jobs = (key: ReturnType<typeof AccessKey>) => new IoTJobsDataPlaneClient(options(key));
	const payload = Buffer.from('{"state":{}}');
	await data.send(new UpdateThingShadowCommand({ thingName: "lamp", payload }));
	await data.send(new GetThingShadowCommand({ thingName: "lamp" }));
	t.match(await refusal(data.send(new GetThingShadowCommand({ thingName: "door" }))), {
		status: 403,
		message: /iot:GetThingShadow on resource: .*thing\/door/,
	});
	t.match(await jobs(lampOnly).send(new GetPendingJobExecutionsCommand({ thingName: "lamp" })), { queuedJobs: [] });
	t.match(await refusal(jobs(jobless).send(new GetPendingJobExecutionsCommand({ thingName: "lamp" }))), {
		status: 403,
		message: /iotjobsdata:GetPendingJobExecutions/,
	});
	cloud.settings.controlPlane.throttle.GetThingShadow = { rate: 1, burst: 1 };
	await data.send(new GetThingShadowCommand({ thingName: "lamp" }));
	t.match(await refusal(data.send(new GetThingShadowCommand({ thingName: "lamp" }))), {
		name: "ThrottlingException",
		status: 429,
	});
});
