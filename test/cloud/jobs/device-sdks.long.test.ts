// AWS's two device SDKs for JavaScript use shadows and jobs as their own documentation shows: the clients of today (IotShadowClientv2,
// IotJobsClientv2), and the classes of the older SDK (thingShadow, jobs), which devices in the field still run.

import { createRequire } from "node:module";
import { io, iot, iotjobs, iotshadow, mqtt } from "aws-iot-device-sdk-v2";
import t from "tap";
import { eventually, everything, identity, startRig } from "../rig.js";

// The native part of AWS's client aborts when Node takes it down after streams were used. Leaving at once does not.
t.teardown(() => void process.once("exit", (code) => process.exit(code)));

const things = { thingName: "lamp" };

/** What a request was rejected with. */
const errorOf = (request: Promise<unknown>): Promise<unknown> =>
	request.then(
		() => t.fail("The request was not rejected."),
		(error: { modeledError?: unknown }) => error.modeledError ?? error,
	);

t.test("AWS's device SDK of today", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything, ["lamp"]);
	const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(owner.certificatePem, owner.privateKeyPem)
		.with_certificate_authority(rig.cloud.rootCertificate)
		.with_endpoint("localhost")
		.with_port(rig.cloud.port)
		.with_client_id("lamp")
		.with_clean_session(true)
		.build();
	const connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
	connection.on("error", () => {});
	await connection.connect();
	t.teardown(() => connection.disconnect());
	const options = { maxRequestResponseSubscriptions: 10, maxStreamingSubscriptions: 4, operationTimeoutInSeconds: 30 };

	await t.test("IotShadowClientv2 updates, reads and deletes shadows, and streams what changes", async (t) => {
		const client = iotshadow.IotShadowClientv2.newFromMqtt311(connection, options);
		const stream = client.createNamedShadowDeltaUpdatedStream({ ...things, shadowName: "night" });
		const established = new Promise<void>((resolve) => stream.once("subscriptionStatus", () => resolve()));
		const delta = new Promise<iotshadow.model.ShadowDeltaUpdatedEvent>((resolve) =>
			stream.once("incomingPublish", ({ message }) => resolve(message)),
		);
		stream.open();
		await established;
		t.match(await errorOf(client.getShadow(things)), { code: 404, message: "No shadow exists with name: 'lamp'" });
		t.match(await client.updateShadow({ ...things, state: { reported: { on: true } } }), { version: 1 });
		t.match(await client.getShadow(things), { state: { reported: { on: true } }, version: 1 });
		t.match(await client.updateNamedShadow({ ...things, shadowName: "night", state: { desired: { on: false } } }), {
			state: { desired: { on: false } },
			clientToken: String,
		});
		t.match(await delta, { state: { on: false }, version: 1, timestamp: Number });
		t.match(await errorOf(client.updateShadow({ ...things, state: { reported: {} }, version: 7 })), { code: 409 });
		t.match(await client.deleteNamedShadow({ ...things, shadowName: "night" }), { version: 1 });
		stream.close();
		client.close();
	});

	await t.test("IotJobsClientv2 is notified, starts the next job and ends it", async (t) => {
		const client = iotjobs.IotJobsClientv2.newFromMqtt311(connection, options);
		const stream = client.createNextJobExecutionChangedStream(things);
		const established = new Promise<void>((resolve) => stream.once("subscriptionStatus", () => resolve()));
		const next = new Promise<iotjobs.model.NextJobExecutionChangedEvent>((resolve) =>
			stream.once("incomingPublish", ({ message }) => resolve(message)),
		);
		stream.open();
		await established;
		rig.cloud.jobs.createJob({
			jobId: "one",
			targets: [rig.cloud.registry.arn("thing", "lamp")],
			document: '{"operation":"test"}',
		});
		t.match(await next, {
			execution: { jobId: "one", status: "QUEUED", jobDocument: { operation: "test" }, queuedAt: Number },
		});
		t.match(await client.getPendingJobExecutions(things), { queuedJobs: [{ jobId: "one" }], inProgressJobs: [] });
		t.match(await client.startNextPendingJobExecution(things), {
			execution: { jobId: "one", status: "IN_PROGRESS", versionNumber: 2 },
		});
		t.match(await client.describeJobExecution({ ...things, jobId: "one" }), {
			execution: { jobDocument: { operation: "test" } },
		});
		const update = { ...things, jobId: "one", status: iotjobs.model.JobStatus.SUCCEEDED };
		t.match(await errorOf(client.updateJobExecution({ ...update, expectedVersion: 9 })), {
			code: "VersionMismatch",
			executionState: { status: "IN_PROGRESS", versionNumber: 2 },
		});
		t.ok(await client.updateJobExecution({ ...update, expectedVersion: 2 }));
		t.equal(rig.cloud.jobs.describeJob({ jobId: "one" }).job.status, "COMPLETED");
		stream.close();
		client.close();
	});
});

/** The parts of the older SDK that are used here; it has no types of its own. */
interface OlderSdk {
	thingShadow(options: object): OlderShadow;
	jobs(options: object): OlderJobs;
}
interface OlderClient {
	on(event: string, listener: (...args: never[]) => void): void;
	end(force: boolean, done: () => void): void;
}
interface OlderShadow extends OlderClient {
	register(thing: string, options: object, done: () => void): void;
	update(thing: string, state: object): string | null;
	get(thing: string): string | null;
}
interface OlderJob {
	readonly id: string;
	readonly document: unknown;
	inProgress(details: object, done: (error?: Error) => void): void;
	succeeded(details: object, done: (error?: Error) => void): void;
}
interface OlderJobs extends OlderClient {
	subscribeToJobs(thing: string, listener: (error: Error | null, job: OlderJob) => void): void;
	startJobNotifications(thing: string, done: (error?: Error) => void): void;
}

t.test("AWS's older device SDK", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything, ["lamp"]);
	const older = createRequire(import.meta.url)("aws-iot-device-sdk") as OlderSdk;
	const options = (clientId: string) => ({
		privateKey: Buffer.from(owner.privateKeyPem),
		clientCert: Buffer.from(owner.certificatePem),
		caCert: Buffer.from(rig.cloud.rootCertificate),
		host: "localhost",
		port: rig.cloud.port,
		clientId,
	});
	const on = (client: OlderClient, event: string) =>
		new Promise<unknown[]>((resolve) => client.on(event, (...args: unknown[]) => resolve(args)));
	const ended = (client: OlderClient) => new Promise<void>((resolve) => client.end(true, resolve));

	await t.test("thingShadow registers, updates and sees what is desired", async (t) => {
		const shadows = older.thingShadow(options("shadow"));
		await on(shadows, "connect");
		await new Promise<void>((resolve) => shadows.register("lamp", { ignoreDeltas: false }, resolve));
		const status = on(shadows, "status");
		t.type(shadows.update("lamp", { state: { reported: { on: true } } }), "string");
		t.match(await status, ["lamp", "accepted", String, { state: { reported: { on: true } } }]);
		const delta = on(shadows, "delta");
		rig.cloud.shadows.updateThingShadow({
			thingName: "lamp",
			payload: Buffer.from(JSON.stringify({ state: { desired: { on: false } } })),
		});
		t.match(await delta, ["lamp", { state: { on: false }, version: 2 }]);
		await ended(shadows);
	});

	await t.test("jobs gets a job, and reports how it goes", async (t) => {
		rig.cloud.jobs.createJob({
			jobId: "one",
			targets: [rig.cloud.registry.arn("thing", "lamp")],
			document: '{"operation":"test"}',
		});
		const jobs = older.jobs(options("jobs"));
		await on(jobs, "connect");
		const job = await new Promise<OlderJob>((resolve, reject) => {
			jobs.subscribeToJobs("lamp", (error, next) => (error ? reject(error) : resolve(next)));
			jobs.startJobNotifications("lamp", (error) => error && reject(error));
		});
		t.match(job, { id: "one", document: { operation: "test" } });
		const report = (how: "inProgress" | "succeeded") =>
			new Promise<void>((resolve, reject) => job[how]({ step: how }, (error) => (error ? reject(error) : resolve())));
		const is = (wanted: string) =>
			eventually(() => {
				const { execution } = rig.cloud.jobs.describeJobExecution({ jobId: "one", thingName: "lamp" });
				return execution.status === wanted ? execution : undefined;
			});
		// It publishes with QoS 0, so nothing says when it has arrived.
		await report("inProgress");
		t.match(await is("IN_PROGRESS"), { statusDetails: { detailsMap: { step: "inProgress" } } });
		await report("succeeded");
		t.match(await is("SUCCEEDED"), { statusDetails: { detailsMap: { step: "succeeded" } } });
		await ended(jobs);
	});
});
