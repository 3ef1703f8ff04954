// AWS IoT Jobs without sockets: how executions are queued, how they end, when they are tried again, and what an operator may do.

import t, { type Test } from "tap";
import { AwsError } from "../../../hosts/cloud/base/errors.js";
import type { CloudEventBody } from "../../../hosts/cloud/base/events.js";
import { Jobs } from "../../../hosts/cloud/jobs/jobs.js";
import type { CloudMessage } from "../../../hosts/cloud/mqtt/reserved.js";
import { Registry } from "../../../hosts/cloud/registry/registry.js";
import { openState } from "../../../hosts/cloud/state/state.js";

const MINUTE = 60_000;
const document = '{"operation":"test"}';

/** Jobs of an account with these things, with a clock that stands still, and what devices are told. */
async function start(t: Test, ...things: string[]) {
	const clock = { now: 1_700_000_000_000 };
	const now = () => clock.now;
	const state = await openState({ accountId: "123456789012" });
	const registry = new Registry({ state, issuer: undefined as never, now });
	const events: CloudEventBody[] = [];
	const jobs = new Jobs({ registry, now, report: (event) => events.push(event) });
	const told: { topic: string; message: { [name: string]: unknown } }[] = [];
	jobs.device.open({
		publish: async ({ topic, payload }: CloudMessage) => {
			told.push({ topic, message: JSON.parse(Buffer.from(payload).toString()) });
		},
	});
	t.teardown(async () => {
		jobs.close();
		await state.close();
	});
	for (const thingName of things) registry.things.createThing({ thingName });
	const arn = (name: string) => registry.arn("thing", name);
	const group = (thingGroupName: string, ...members: string[]) => {
		registry.thingGroups.createThingGroup({ thingGroupName });
		for (const thingName of members) registry.thingGroups.addThingToThingGroup({ thingGroupName, thingName });
		return registry.thingGroups.arn(thingGroupName);
	};
	const create = (jobId: string, more: Partial<Parameters<Jobs["createJob"]>[0]> = {}) =>
		jobs.createJob({ jobId, targets: things.map(arn), document, ...more });
	const report = (thingName: string, jobId: string, status: string, more: object = {}) =>
		jobs.device.updateJobExecution({ thingName, jobId, status, ...more });
	const statusOf = (jobId: string) => jobs.describeJob({ jobId }).job.status;
	const executions = (jobId: string) =>
		jobs
			.listJobExecutionsForJob({ jobId })
			.executionSummaries.map(
				({ thingArn, jobExecutionSummary: { status, executionNumber } }) =>
					`${thingArn.replace(/.*\//, "")} ${executionNumber} ${status}`,
			);
	return { clock, registry, events, jobs, told, arn, group, create, report, statusOf, executions };
}

const refused = (work: () => unknown) => {
	try {
		work();
	} catch (error) {
		if (error instanceof AwsError) return `${error.name} ${error.message}`;
		throw error;
	}
	return "done";
};

t.test("A snapshot job completes when its last execution has ended", async (t) => {
	const { create, report, statusOf, jobs, executions } = await start(t, "a", "b");
	create("one");
	t.same(executions("one"), ["a 1 QUEUED", "b 1 QUEUED"]);
	report("a", "one", "IN_PROGRESS");
	report("a", "one", "SUCCEEDED");
	t.equal(statusOf("one"), "IN_PROGRESS");
	report("b", "one", "REJECTED");
	t.equal(statusOf("one"), "COMPLETED");
	t.match(jobs.describeJob({ jobId: "one" }).job, {
		completedAt: 1_700_000_000,
		jobProcessDetails: { numberOfSucceededThings: 1, numberOfRejectedThings: 1, numberOfQueuedThings: 0 },
	});
});

t.test("A thing works off what is in progress first, then what was queued first", async (t) => {
	const { create, jobs, report } = await start(t, "a");
	for (const jobId of ["z", "m", "b"]) create(jobId);
	report("a", "m", "IN_PROGRESS");
	const { inProgressJobs, queuedJobs } = jobs.device.getPendingJobExecutions({ thingName: "a" });
	t.same(
		[inProgressJobs, queuedJobs].map((list) => list.map(({ jobId }) => jobId)),
		[["m"], ["z", "b"]],
	);
	t.match(jobs.device.describeJobExecution({ thingName: "a", jobId: "$next" }), { execution: { jobId: "m" } });
});

t.test("Devices are told when the list changes, and when the next one is another", async (t) => {
	const { create, report, told, jobs } = await start(t, "a");
	const take = () => told.splice(0).map(({ topic, message }) => [topic.replace(/.*\//, ""), message] as const);
	create("job1");
	t.match(take(), [
		["notify", { jobs: { QUEUED: [{ jobId: "job1", executionNumber: 1, versionNumber: 1 }] } }],
		["notify-next", { execution: { jobId: "job1", status: "QUEUED", jobDocument: { operation: "test" } } }],
	]);
	create("job2");
	t.match(take(), [["notify", { jobs: { QUEUED: [{ jobId: "job1" }, { jobId: "job2" }] } }]]);
	report("a", "job1", "IN_PROGRESS");
	t.same(take(), [], "the list is the same");
	report("a", "job1", "SUCCEEDED");
	t.match(take(), [
		["notify", { jobs: { QUEUED: [{ jobId: "job2" }] } }],
		["notify-next", { execution: { jobId: "job2" } }],
	]);
	create("job3");
	take();
	report("a", "job3", "IN_PROGRESS");
	t.match(take(), [["notify-next", { execution: { jobId: "job3", status: "IN_PROGRESS" } }]], "job3 goes before job2");
	for (const jobId of ["job2", "job3"]) jobs.deleteJob({ jobId, force: true });
	t.same(take().at(-1), ["notify-next", { timestamp: 1_700_000_000 }], "nothing is left");
	for (let number = 0; number < 20; number++) create(`many-${number}`);
	const [, { jobs: listed }] = take()
		.filter(([topic]) => topic === "notify")
		.at(-1)! as [string, { jobs: { QUEUED: [] } }];
	t.equal(listed.QUEUED.length, 15);
});

t.test("A running execution times out by the job's timer, or by its step's", async (t) => {
	const { create, report, jobs, clock, executions, events } = await start(t, "a", "b", "c");
	create("slow", { timeoutConfig: { inProgressTimeoutInMinutes: 20 } });
	report("a", "slow", "IN_PROGRESS");
	report("b", "slow", "IN_PROGRESS", { stepTimeoutInMinutes: 7 });
	report("c", "slow", "IN_PROGRESS", { stepTimeoutInMinutes: 7 });
	clock.now += 6 * MINUTE;
	report("c", "slow", "IN_PROGRESS", { stepTimeoutInMinutes: -1 });
	t.match(jobs.describeJobExecution({ jobId: "slow", thingName: "b" }).execution, {
		approximateSecondsBeforeTimedOut: 60,
		versionNumber: 2,
	});
	clock.now += MINUTE;
	jobs.sweep();
	t.same(executions("slow"), ["a 1 IN_PROGRESS", "b 1 TIMED_OUT", "c 1 IN_PROGRESS"]);
	t.match(events.at(-1), { event: "job.execution", thingName: "b", status: "TIMED_OUT", explanation: /step timer/ });
	report("a", "slow", "IN_PROGRESS", { stepTimeoutInMinutes: 9000 });
	clock.now += 13 * MINUTE;
	jobs.sweep();
	t.same(executions("slow"), ["a 1 TIMED_OUT", "b 1 TIMED_OUT", "c 1 TIMED_OUT"], "no step outlasts the job's timer");
});

t.test("The timers run by themselves, and after the cloud starts again", async (t) => {
	const { create, report, registry, clock, jobs, events } = await start(t, "a");
	create("slow", { timeoutConfig: { inProgressTimeoutInMinutes: 1 } });
	report("a", "slow", "IN_PROGRESS");
	jobs.close();
	clock.now += MINUTE;
	const again = new Jobs({ registry, now: () => clock.now, report: (event) => events.push(event) });
	t.teardown(() => again.close());
	while (again.describeJob({ jobId: "slow" }).job.status !== "COMPLETED")
		await new Promise((done) => setTimeout(done, 1));
	t.match(events.at(-2), { event: "job.execution", status: "TIMED_OUT" });
});

t.test("What fails is tried again as often as the job says", async (t) => {
	const { create, report, executions, statusOf, jobs } = await start(t, "a");
	create("flaky", {
		jobExecutionsRetryConfig: { criteriaList: [{ failureType: "FAILED", numberOfRetries: 2 }] },
	});
	for (let attempt = 0; attempt < 3; attempt++) report("a", "flaky", "FAILED");
	t.same(executions("flaky"), ["a 1 FAILED", "a 2 FAILED", "a 3 FAILED"]);
	t.equal(statusOf("flaky"), "COMPLETED");
	const summaries = jobs.listJobExecutionsForThing({ thingName: "a" }).executionSummaries;
	t.same(
		summaries.map(({ jobExecutionSummary: { retryAttempt } }) => retryAttempt),
		[undefined, 1, 2],
	);
	t.match(
		jobs.describeJob({ jobId: "flaky" }).job.jobProcessDetails,
		{ numberOfFailedThings: 1 },
		"one thing has failed",
	);
	create("rejected", { jobExecutionsRetryConfig: { criteriaList: [{ failureType: "ALL", numberOfRetries: 2 }] } });
	report("a", "rejected", "REJECTED");
	t.same(executions("rejected"), ["a 1 REJECTED"], "a rejection is final");
});

t.test("A continuous job follows its group", async (t) => {
	const { create, group, registry, report, executions, statusOf } = await start(t, "a", "b", "c");
	const target = group("floor", "a", "b");
	create("follow", { targets: [target], targetSelection: "CONTINUOUS" });
	create("photo", { targets: [target] });
	const { thingGroups } = registry;
	thingGroups.addThingToThingGroup({ thingGroupName: "floor", thingName: "c" });
	report("a", "follow", "SUCCEEDED");
	thingGroups.removeThingFromThingGroup({ thingGroupName: "floor", thingName: "b" });
	t.same(executions("follow"), ["a 1 SUCCEEDED", "b 1 REMOVED", "c 1 QUEUED"]);
	t.same(executions("photo"), ["a 1 QUEUED", "b 1 QUEUED"], "a snapshot does not");
	report("c", "follow", "SUCCEEDED");
	t.equal(statusOf("follow"), "IN_PROGRESS", "it never completes");
	thingGroups.addThingToThingGroup({ thingGroupName: "floor", thingName: "b" });
	t.same(executions("follow"), ["a 1 SUCCEEDED", "b 1 REMOVED", "b 2 QUEUED", "c 1 SUCCEEDED"]);
	registry.things.deleteThing({ thingName: "b" });
	t.same(executions("photo"), ["a 1 QUEUED", "b 1 REMOVED"], "a thing that is deleted is no target");
});

t.test("A rollout goes on minute by minute", async (t) => {
	const { create, executions, clock, jobs, statusOf } = await start(t, "a", "b", "c", "d", "e", "f", "g");
	create("paced", { jobExecutionsRolloutConfig: { maximumPerMinute: 3 } });
	t.equal(executions("paced").length, 3);
	t.equal(jobs.describeJob({ jobId: "paced" }).job.isConcurrent, true);
	clock.now += MINUTE - 1;
	jobs.sweep();
	t.equal(executions("paced").length, 3);
	clock.now += 1;
	jobs.sweep();
	t.equal(executions("paced").length, 6);
	clock.now += MINUTE;
	jobs.sweep();
	t.equal(executions("paced").length, 7);
	t.equal(statusOf("paced"), "IN_PROGRESS");
	create("faster", {
		jobExecutionsRolloutConfig: {
			exponentialRate: {
				baseRatePerMinute: 1,
				incrementFactor: 3,
				rateIncreaseCriteria: { numberOfNotifiedThings: 1 },
			},
		},
	});
	const counts = [executions("faster").length];
	for (let minute = 0; minute < 2; minute++) {
		clock.now += MINUTE;
		jobs.sweep();
		counts.push(executions("faster").length);
	}
	t.same(counts, [1, 4, 7]);
});

t.test("A job is canceled by itself when too many things fail", async (t) => {
	const { create, report, executions, jobs, told } = await start(t, "a", "b", "c", "d");
	create("bad", {
		abortConfig: {
			criteriaList: [
				{ failureType: "FAILED", action: "CANCEL", thresholdPercentage: 50, minNumberOfExecutedThings: 2 },
			],
		},
	});
	report("d", "bad", "IN_PROGRESS");
	report("a", "bad", "FAILED");
	told.splice(0);
	report("b", "bad", "FAILED");
	t.same(executions("bad"), ["a 1 FAILED", "b 1 FAILED", "c 1 CANCELED", "d 1 IN_PROGRESS"]);
	t.match(jobs.describeJob({ jobId: "bad" }).job, { status: "CANCELED", comment: /50 %/ });
	t.ok(
		told.some(({ topic }) => topic === "$aws/things/c/jobs/notify"),
		"the thing whose execution was canceled is told",
	);
});

t.test("An operator cancels and deletes", async (t) => {
	const { create, report, executions, jobs, statusOf } = await start(t, "a", "b");
	create("one");
	report("a", "one", "IN_PROGRESS");
	t.match(
		refused(() => jobs.deleteJob({ jobId: "one" })),
		"InvalidStateTransitionException",
	);
	t.match(
		refused(() => jobs.cancelJobExecution({ jobId: "one", thingName: "a" })),
		/^InvalidStateTransitionException .*without force/,
	);
	t.match(
		refused(() => jobs.cancelJobExecution({ jobId: "one", thingName: "a", force: true, expectedVersion: 9 })),
		"VersionConflictException",
	);
	jobs.cancelJob({ jobId: "one", reasonCode: "MISTAKE", comment: "not this one" });
	t.same(executions("one"), ["a 1 IN_PROGRESS", "b 1 CANCELED"]);
	t.match(jobs.describeJob({ jobId: "one" }).job, {
		status: "CANCELED",
		reasonCode: "MISTAKE",
		comment: "not this one",
	});
	jobs.cancelJob({ jobId: "one", force: true });
	t.same(executions("one"), ["a 1 CANCELED", "b 1 CANCELED"]);
	t.match(jobs.describeJob({ jobId: "one" }).job, { forceCanceled: true });
	jobs.deleteJobExecution({ jobId: "one", thingName: "b", executionNumber: 1 });
	t.same(executions("one"), ["a 1 CANCELED"]);
	jobs.deleteJob({ jobId: "one" });
	t.match(
		refused(() => statusOf("one")),
		"ResourceNotFoundException",
	);
	t.same(jobs.listJobExecutionsForThing({ thingName: "a" }).executionSummaries, []);
	create("one");
	t.same(executions("one"), ["a 1 QUEUED", "b 1 QUEUED"], "its name is free again");
});

t.test("What AWS has and this cloud has not is refused, and says what to do", async (t) => {
	const { create, jobs, arn } = await start(t, "a");
	const asked = (more: object) => refused(() => create("x", more));
	t.match(asked({ documentSource: "https://s3.amazonaws.com/b/k" }), /^InvalidRequestException documentSource .* S3/);
	t.match(asked({ schedulingConfig: { startTime: "2026-01-01 00:00" } }), /schedulingConfig is not supported/);
	t.match(asked({ namespaceId: "x" }), /namespaceId is not supported/);
	t.match(asked({ document: "{" }), /must be JSON/);
	t.match(asked({ document: undefined }), /Either document or documentSource/);
	t.match(asked({ targets: [arn("nobody")] }), "ResourceNotFoundException");
	t.match(asked({ targets: ["arn:aws:iot:us-east-1:999999999999:thing/a"] }), /of this account/);
	t.match(asked({ timeoutConfig: { inProgressTimeoutInMinutes: 0 } }), /from 1 to 10080/);
	create("x");
	t.match(asked({}), "ResourceAlreadyExistsException");
	t.match(
		refused(() => jobs.updateJob({ jobId: "y" })),
		"ResourceNotFoundException",
	);
});

t.test("Jobs are listed newest first, by status, kind and group, page by page", async (t) => {
	const { create, jobs, group, clock, report } = await start(t, "a");
	const target = group("g", "a");
	for (const jobId of ["one", "two", "three"]) {
		clock.now += 1000;
		create(jobId, jobId === "two" ? { targets: [target], targetSelection: "CONTINUOUS" } : {});
	}
	report("a", "one", "SUCCEEDED");
	const ids = (request: Parameters<Jobs["listJobs"]>[0]) => jobs.listJobs(request).jobs.map(({ jobId }) => jobId);
	t.same(ids({}), ["three", "two", "one"]);
	t.same(ids({ status: "COMPLETED" }), ["one"]);
	t.same(ids({ targetSelection: "CONTINUOUS" }), ["two"]);
	t.same(ids({ thingGroupName: "g" }), ["two"]);
	const first = jobs.listJobs({ maxResults: 2 });
	t.same(ids({ nextToken: first.nextToken! }), ["one"]);
	jobs.updateJob({ jobId: "three", description: "changed" });
	t.match(jobs.describeJob({ jobId: "three" }).job, { description: "changed" });
	t.same(jobs.getJobDocument({ jobId: "one" }), { document });
});
