// AWS IoT Jobs as a device meets them: requests and replies over MQTT, and the same over HTTPS with AWS's SDK, both ways at once.

import {
	CreateJobCommand,
	DescribeJobExecutionCommand as DescribeForOperator,
	IoTClient,
	ListJobExecutionsForThingCommand,
} from "@aws-sdk/client-iot";
import {
	DescribeJobExecutionCommand,
	GetPendingJobExecutionsCommand,
	IoTJobsDataPlaneClient,
	StartNextPendingJobExecutionCommand,
	UpdateJobExecutionCommand,
} from "@aws-sdk/client-iot-jobs-data-plane";
import t, { type Test } from "tap";
import { refusal } from "../control/started.js";
import { connect, eventually, everything, identity, last, startRig } from "../rig.js";

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

type Message = { readonly [member: string]: unknown };

/** A cloud with a control plane, and a device that gets whatever is sent to it. */
async function start(t: Test) {
	const rig = await startRig({ controlPlane: { signatures: "any" } });
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything, ["lamp"]);
	const device = await connect(rig, owner, "lamp");
	t.teardown(() => device.endAsync(true));
	const received: { readonly topic: string; readonly message: Message }[] = [];
	device.on("message", (topic, payload) => received.push({ topic, message: JSON.parse(payload.toString()) }));
	const options = {
		region: rig.account.region,
		endpoint: rig.cloud.controlPlane!.url,
		maxAttempts: 1,
		credentials: { accessKeyId: "AKIA", secretAccessKey: "secret" },
	};
	const operator = new IoTClient(options);
	const aws = new IoTJobsDataPlaneClient(options);
	t.teardown(() => {
		operator.destroy();
		aws.destroy();
	});
	const prefix = "$aws/things/lamp/jobs/";
	/** Asks, and waits for the answer. */
	const ask = async (what: string, request: Message | string = {}) => {
		const before = received.length;
		await device.publishAsync(`${prefix}${what}`, typeof request === "string" ? request : JSON.stringify(request), {
			qos: 1,
		});
		const answer = await eventually(() =>
			received.slice(before).find(({ topic }) => topic.startsWith(`${prefix}${what}/`)),
		);
		return { accepted: answer.topic.endsWith("/accepted"), ...answer.message };
	};
	const create = (jobId: string, more: object = {}) =>
		operator.send(
			new CreateJobCommand({
				jobId,
				targets: [rig.cloud.registry.arn("thing", "lamp")],
				document: '{"operation":"test"}',
				...more,
			}),
		);
	return { rig, owner, device, received, operator, aws, ask, create };
}

t.test("A device works a job off over MQTT, without a subscription to the answers", async (t) => {
	const { ask, create, rig } = await start(t);
	t.same(
		{ ...(await ask("get", { clientToken: "a" })), timestamp: 0 },
		{ accepted: true, clientToken: "a", timestamp: 0, inProgressJobs: [], queuedJobs: [] },
	);
	t.same(Object.keys(await ask("start-next", {})), ["accepted", "timestamp"], "nothing is pending");
	await create("one");
	t.match(await ask("$next/get", ""), {
		accepted: true,
		execution: {
			jobId: "one",
			thingName: "lamp",
			status: "QUEUED",
			versionNumber: 1,
			jobDocument: { operation: "test" },
		},
	});
	t.match(await ask("start-next", { statusDetails: { step: "1" }, stepTimeoutInMinutes: 5 }), {
		execution: {
			status: "IN_PROGRESS",
			statusDetails: { step: "1" },
			versionNumber: 2,
			approximateSecondsBeforeTimedOut: Number,
		},
	});
	t.match(await ask("one/get", { includeJobDocument: false }), { execution: { jobId: "one", jobDocument: undefined } });
	t.match(
		await ask("one/update", {
			status: "IN_PROGRESS",
			statusDetails: { step: "2" },
			expectedVersion: 2,
			includeJobExecutionState: true,
			includeJobDocument: true,
		}),
		{
			accepted: true,
			executionState: { status: "IN_PROGRESS", statusDetails: { step: "2" }, versionNumber: 3 },
			jobDocument: { operation: "test" },
		},
	);
	const done = await ask("one/update", { status: "SUCCEEDED", expectedVersion: "3" });
	t.same(Object.keys(done), ["accepted", "timestamp"]);
	t.match(last(rig, "job"), { jobId: "one", status: "COMPLETED" });
});

t.test("What cannot be done is rejected with AWS's codes", async (t) => {
	const { ask, create, rig } = await start(t);
	await create("one");
	t.match(await ask("other/get"), { accepted: false, code: "ResourceNotFound" });
	t.match(await ask("one/update", { status: "IN_PROGRESS", expectedVersion: 7, clientToken: "b" }), {
		accepted: false,
		code: "VersionMismatch",
		clientToken: "b",
		executionState: { status: "QUEUED", versionNumber: 1 },
	});
	t.match(last(rig, "job.rejected"), { thingName: "lamp", clientId: "lamp", code: "VersionMismatch" });
	t.match(await ask("one/update", {}), { code: "InvalidRequest", message: /Value null at 'status'/ });
	t.match(await ask("one/update", { status: "CANCELED" }), { code: "InvalidRequest" });
	t.match(await ask("one/update", { status: "FAILED", statusDetails: { a: 1 } }), { code: "InvalidRequest" });
	t.match(await ask("one/update", { status: "FAILED", stepTimeoutInMinutes: 0 }), { code: "InvalidRequest" });
	t.match(await ask("one/update", "{"), { code: "InvalidJson" });
	t.match(await ask("one/get", "[]"), { code: "InvalidJson" });
	t.match(await ask("one/delete"), { code: "InvalidTopic" });
	t.match(await ask("one/update", { status: "FAILED" }), { accepted: true });
	t.match(await ask("one/update", { status: "SUCCEEDED" }), {
		code: "InvalidStateTransition",
		executionState: { status: "FAILED", versionNumber: 2 },
	});
	t.match(await ask("one/get"), { code: "TerminalStateReached" });
});

t.test("Answers go to the connection that asked alone, and need iot:Receive", async (t) => {
	const { rig, owner, ask, device, received } = await start(t);
	const watcher = await connect(rig, owner, "watcher");
	await watcher.subscribeAsync("$aws/things/lamp/jobs/#", { qos: 1 });
	const seen: string[] = [];
	watcher.on("message", (topic) => seen.push(topic));
	await ask("get");
	await rig.cloud.messages.publish({ topic: "marker", payload: Buffer.from("{}") });
	await watcher.subscribeAsync("marker/2", { qos: 1 });
	const marker = new Promise<void>((resolve) => watcher.on("message", (topic) => topic === "marker/2" && resolve()));
	await rig.cloud.messages.publish({ topic: "marker/2", payload: Buffer.from("{}") });
	await marker;
	t.same(seen, ["marker/2"]);
	await watcher.endAsync();

	const { region, accountId } = rig.account;
	const deaf = await identity(rig, "deaf", {
		Version: "2012-10-17",
		Statement: [{ Effect: "Allow", Action: ["iot:Connect", "iot:Publish"], Resource: "*" }],
	});
	const client = await connect(rig, deaf, "deaf");
	await client.publishAsync("$aws/things/lamp/jobs/get", "", { qos: 1 });
	t.match(await eventually(() => last(rig, "denied")), {
		clientId: "deaf",
		action: "iot:Receive",
		resource: `arn:aws:iot:${region}:${accountId}:topic/$aws/things/lamp/jobs/get/accepted`,
	});
	await client.endAsync();
	t.ok(device.connected);
	t.ok(received.length > 0);
});

t.test("A device that has subscribed is notified", async (t) => {
	const { device, received, create, ask } = await start(t);
	await device.subscribeAsync(["$aws/things/lamp/jobs/notify", "$aws/things/lamp/jobs/notify-next"], { qos: 1 });
	await create("one");
	const notified = (end: string) => eventually(() => received.filter(({ topic }) => topic.endsWith(end)).at(-1));
	t.match(await notified("/notify"), { message: { jobs: { QUEUED: [{ jobId: "one" }] } } });
	t.match(await notified("/notify-next"), {
		message: { execution: { jobId: "one", jobDocument: { operation: "test" } } },
	});
	received.length = 0;
	await ask("one/update", { status: "REJECTED" });
	t.same((await notified("/notify")).message.jobs, {});
});

t.test("AWS's SDK works for devices over HTTPS, beside the operator's on the same port and paths", async (t) => {
	const { aws, operator, create } = await start(t);
	const thingName = "lamp";
	t.match(await aws.send(new StartNextPendingJobExecutionCommand({ thingName })), { execution: undefined });
	await create("one");
	t.match(await aws.send(new GetPendingJobExecutionsCommand({ thingName })), {
		queuedJobs: [{ jobId: "one", versionNumber: 1 }],
	});
	t.match(await operator.send(new ListJobExecutionsForThingCommand({ thingName })), {
		executionSummaries: [{ jobId: "one", jobExecutionSummary: { status: "QUEUED", queuedAt: Date } }],
	});
	const started = await aws.send(new StartNextPendingJobExecutionCommand({ thingName, statusDetails: { a: "b" } }));
	t.match(started.execution, {
		jobId: "one",
		status: "IN_PROGRESS",
		jobDocument: '{"operation":"test"}',
		queuedAt: Number,
	});
	t.match(await aws.send(new DescribeJobExecutionCommand({ thingName, jobId: "$next" })), {
		execution: { jobId: "one" },
	});
	t.match(await operator.send(new DescribeForOperator({ thingName, jobId: "one" })), {
		execution: { status: "IN_PROGRESS", statusDetails: { detailsMap: { a: "b" } }, startedAt: Date },
	});
	const update = (more: object) =>
		aws.send(new UpdateJobExecutionCommand({ thingName, jobId: "one", status: "SUCCEEDED", ...more }));
	t.match(await refusal(update({ expectedVersion: 9 })), { name: "InvalidRequestException", status: 400 });
	t.match(await update({ includeJobExecutionState: true, includeJobDocument: true }), {
		executionState: { status: "SUCCEEDED", versionNumber: 3 },
		jobDocument: '{"operation":"test"}',
	});
	t.match(await refusal(update({})), { name: "InvalidStateTransitionException", status: 409 });
	t.match(await refusal(aws.send(new DescribeJobExecutionCommand({ thingName, jobId: "one" }))), {
		name: "TerminalStateException",
		status: 410,
	});
	t.match(await refusal(aws.send(new DescribeJobExecutionCommand({ thingName, jobId: "two" }))), {
		name: "ResourceNotFoundException",
		status: 404,
	});
});
