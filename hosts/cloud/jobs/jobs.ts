// AWS IoT Jobs: the operations by which an operator makes, watches and cancels jobs. What devices ask is in device-jobs.ts.
// Facts: API reference of AWS IoT, and the developer guide's "Jobs management and control API".

import { AwsError } from "../base/errors.js";
import { arn } from "../registry/context.js";
import { demand, type Tag } from "../registry/limits.js";
import { type Paging, page } from "../registry/paging.js";
import type { JobExecutionRecord, JobExecutionStatus, JobRecord } from "../state/state.js";
import { DeviceJobs } from "./device-jobs.js";
import { isTerminal, JobQueue, type JobQueueOptions, splitTarget } from "./queue.js";

/** The members of a job that an operator may set, as the API has them. */
type JobConfig = Partial<
	Pick<
		JobRecord,
		| "description"
		| "presignedUrlConfig"
		| "jobExecutionsRolloutConfig"
		| "abortConfig"
		| "timeoutConfig"
		| "jobExecutionsRetryConfig"
	>
>;

const CONFIG = [
	"description",
	"presignedUrlConfig",
	"jobExecutionsRolloutConfig",
	"abortConfig",
	"timeoutConfig",
	"jobExecutionsRetryConfig",
] as const;

/** What AWS has and this cloud has not, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
	documentSource: "there is no Amazon S3 here: give the document itself",
	jobTemplateArn: "there are no job templates here: give the document itself",
	documentParameters: "there are no job templates here: put the values into the document",
	schedulingConfig: "jobs begin at once here: create the job when it is to begin",
	namespaceId: "there are no namespaces here: leave it out",
	destinationPackageVersions: "there is no package catalogue here: leave it out",
};

/** How many targets a job may have (AWS's quota). */
const MAXIMUM_TARGETS = 100;
/** Bounds of a job's in-progress timer, minutes. */
const TIMEOUT = { least: 1, most: 10_080 } as const;

/** Operations on jobs. Requests and responses are those of the AWS operation of the same name. */
export class Jobs {
	/** What devices may ask, over MQTT and HTTPS. */
	readonly device: DeviceJobs;
	readonly #options: JobQueueOptions;
	readonly #queue: JobQueue;

	constructor(options: JobQueueOptions) {
		this.#options = options;
		this.#queue = new JobQueue(options);
		this.device = new DeviceJobs(options, this.#queue);
	}

	/** Does what is due by now: timeouts and rollouts. It is done by itself, too, by the clock of the machine. */
	sweep(): void {
		this.#queue.sweep();
	}

	/** Ends the timers. */
	close(): void {
		this.#queue.close();
	}

	/** Makes a job, and queues executions for the things that it is for. */
	createJob(
		request: {
			jobId: string;
			targets: readonly string[];
			document?: string;
			targetSelection?: "CONTINUOUS" | "SNAPSHOT";
			tags?: readonly Tag[];
		} & JobConfig,
	): { jobArn: string; jobId: string; description?: string } {
		const { registry, now } = this.#options;
		const { state } = registry;
		const { jobId, targets, document, targetSelection = "SNAPSHOT" } = request;
		refuseMissingParts(request);
		const existing = state.jobs.get(jobId);
		if (existing) {
			throw new AwsError("ResourceAlreadyExistsException", `Job ${jobId} already exists.`, {
				resourceId: jobId,
				resourceArn: this.#arn(jobId),
			});
		}
		demand(document !== undefined, "Either document or documentSource must be given");
		demand(isJson(document), "The job document must be JSON");
		if (targets.length > MAXIMUM_TARGETS) {
			throw new AwsError("LimitExceededException", `A job may have at most ${MAXIMUM_TARGETS} targets.`);
		}
		for (const target of targets) this.#requireTarget(target);
		checkConfig(request);
		const job: JobRecord = {
			jobId,
			targets: [...new Set(targets)],
			targetSelection,
			document,
			...configOf(request),
			status: "IN_PROGRESS",
			createdAt: now(),
			lastUpdatedAt: now(),
			waiting: [],
			notified: 0,
			nextRolloutAt: 0,
		};
		const waiting = [...this.#queue.targets(job)];
		this.#queue.change(() => {
			registry.tags.set(this.#arn(jobId), request.tags);
			this.#queue.putJob({ ...job, waiting });
			this.#queue.rollOut({ ...job, waiting });
		});
		return this.#named(job);
	}

	/** A job with its configuration, and how many things are in which state. */
	describeJob(request: { jobId: string }) {
		const job = this.#requireJob(request.jobId);
		const { jobId, targets, targetSelection, status, forceCanceled, reasonCode, comment } = job;
		const count = (status: JobExecutionStatus) => this.#queue.count(jobId, status);
		return {
			job: {
				jobArn: this.#arn(jobId),
				jobId,
				targetSelection,
				status,
				...(forceCanceled && { forceCanceled }),
				...(reasonCode !== undefined && { reasonCode }),
				...(comment !== undefined && { comment }),
				targets,
				...configOf(job),
				...timesOf(job),
				jobProcessDetails: {
					...(status === "IN_PROGRESS" && { processingTargets: targets }),
					numberOfCanceledThings: count("CANCELED"),
					numberOfSucceededThings: count("SUCCEEDED"),
					numberOfFailedThings: count("FAILED"),
					numberOfRejectedThings: count("REJECTED"),
					numberOfQueuedThings: count("QUEUED"),
					numberOfInProgressThings: count("IN_PROGRESS"),
					numberOfRemovedThings: count("REMOVED"),
					numberOfTimedOutThings: count("TIMED_OUT"),
				},
				isConcurrent: isConcurrent(job),
			},
		};
	}

	/** Jobs, the newest first; all, or those of a status, of a kind or for a group. */
	listJobs(
		request: Paging & {
			status?: string;
			targetSelection?: string;
			thingGroupName?: string;
			thingGroupId?: string;
			namespaceId?: string;
		} = {},
	) {
		const { registry } = this.#options;
		const { status, targetSelection, thingGroupName, thingGroupId } = request;
		refuseMissingParts(request);
		const groups = [...registry.state.thingGroups.values()].filter(
			(group) => group.thingGroupName === thingGroupName || group.thingGroupId === thingGroupId,
		);
		const targets = groups.map((group) => registry.thingGroups.arn(group.thingGroupName));
		const wanted = [...registry.state.jobs.values()].filter(
			(job) =>
				(status === undefined || job.status === status) &&
				(targetSelection === undefined || job.targetSelection === targetSelection) &&
				((thingGroupName === undefined && thingGroupId === undefined) ||
					job.targets.some((target) => targets.includes(target))),
		);
		const key = ({ createdAt, jobId }: JobRecord) => `${String(createdAt).padStart(15, "0")} ${jobId}`;
		const { items, next } = page(wanted, key, request.maxResults, request.nextToken, false);
		return {
			jobs: items.map((job) => ({
				jobArn: this.#arn(job.jobId),
				jobId: job.jobId,
				targetSelection: job.targetSelection,
				status: job.status,
				...timesOf(job),
				isConcurrent: isConcurrent(job),
			})),
			...(next && { nextToken: next }),
		};
	}

	/** The document of a job. */
	getJobDocument(request: { jobId: string }): { document: string } {
		return { document: this.#requireJob(request.jobId).document };
	}

	/** Changes the configuration of a job that is in progress. */
	updateJob(request: { jobId: string; namespaceId?: string } & JobConfig): void {
		const { now } = this.#options;
		refuseMissingParts(request);
		const job = this.#requireJob(request.jobId);
		demand(job.status === "IN_PROGRESS", `Job ${job.jobId} is ${job.status} and cannot be updated`);
		checkConfig(request);
		this.#queue.change(() => this.#queue.putJob({ ...job, ...configOf(request), lastUpdatedAt: now() }));
	}

	/** Cancels a job: what is queued, with `force` what is in progress as well. */
	cancelJob(request: { jobId: string; reasonCode?: string; comment?: string; force?: boolean }) {
		const { reasonCode, comment, force = false } = request;
		const job = this.#requireJob(request.jobId);
		demand(job.status !== "COMPLETED", `Job ${job.jobId} is COMPLETED and cannot be canceled`);
		const why = { ...(reasonCode !== undefined && { reasonCode }), ...(comment !== undefined && { comment }) };
		this.#queue.change(() => this.#queue.cancel(job, why, force));
		return this.#named(job);
	}

	/** Deletes a job with its executions: one that has ended, with `force` any. */
	deleteJob(request: { jobId: string; force?: boolean; namespaceId?: string }): void {
		const { registry } = this.#options;
		refuseMissingParts(request);
		const { jobId, status } = this.#requireJob(request.jobId);
		if (status === "IN_PROGRESS" && !request.force) {
			throw new AwsError(
				"InvalidStateTransitionException",
				`Job ${jobId} is IN_PROGRESS: cancel it before, or delete it with force.`,
			);
		}
		this.#queue.change(() => {
			registry.tags.remove(this.#arn(jobId));
			this.#queue.deleteJob(jobId);
		});
	}

	/** An execution of a job by a thing; the latest one without a number. */
	describeJobExecution(request: { jobId: string; thingName: string; executionNumber?: number }) {
		const execution = this.#requireExecution(request);
		const { jobId, thingName, status, statusDetails, forceCanceled, versionNumber } = execution;
		const left = this.#queue.secondsLeft(execution);
		return {
			execution: {
				jobId,
				status,
				...(forceCanceled && { forceCanceled }),
				...(statusDetails && { statusDetails: { detailsMap: statusDetails } }),
				thingArn: this.#thingArn(thingName),
				...executionTimesOf(execution),
				versionNumber,
				...(left !== undefined && { approximateSecondsBeforeTimedOut: left }),
			},
		};
	}

	/** The executions of a job, ordered by thing. */
	listJobExecutionsForJob(request: Paging & { jobId: string; status?: string }) {
		const { jobId } = this.#requireJob(request.jobId);
		const all = this.#options.registry.state.jobExecutions.by("jobId", jobId);
		const { items, next } = this.#pageOf(all, request);
		return {
			executionSummaries: items.map((execution) => ({
				thingArn: this.#thingArn(execution.thingName),
				jobExecutionSummary: summaryOf(execution),
			})),
			...(next && { nextToken: next }),
		};
	}

	/** The executions of a thing, ordered by job. */
	listJobExecutionsForThing(
		request: Paging & { thingName: string; status?: string; jobId?: string; namespaceId?: string },
	) {
		const { registry } = this.#options;
		refuseMissingParts(request);
		const { thingName } = registry.things.requireThing(request.thingName);
		const all = registry.state.jobExecutions
			.by("thingName", thingName)
			.filter(({ jobId }) => request.jobId === undefined || jobId === request.jobId);
		const { items, next } = this.#pageOf(all, request);
		return {
			executionSummaries: items.map((execution) => ({
				jobId: execution.jobId,
				jobExecutionSummary: summaryOf(execution),
			})),
			...(next && { nextToken: next }),
		};
	}

	/** Cancels an execution that is queued, with `force` one that is in progress. */
	cancelJobExecution(request: {
		jobId: string;
		thingName: string;
		force?: boolean;
		expectedVersion?: number;
		statusDetails?: Record<string, string>;
	}): void {
		const { expectedVersion, statusDetails, force } = request;
		const execution = this.#requireExecution(request);
		const { status, versionNumber } = execution;
		if (expectedVersion !== undefined && expectedVersion !== versionNumber) {
			throw new AwsError(
				"VersionConflictException",
				`The execution has version ${versionNumber}, not ${expectedVersion}.`,
			);
		}
		if (isTerminal(status) || (status === "IN_PROGRESS" && !force)) {
			const how = isTerminal(status) ? "" : " without force";
			throw new AwsError("InvalidStateTransitionException", `The execution is ${status} and cannot be canceled${how}.`);
		}
		this.#queue.change(() =>
			this.#queue.move(execution, {
				status: "CANCELED",
				...(statusDetails && { statusDetails: { ...statusDetails } }),
				...(force && status === "IN_PROGRESS" && { forceCanceled: true as const }),
			}),
		);
	}

	/** Deletes an execution that has ended, with `force` any. */
	deleteJobExecution(request: {
		jobId: string;
		thingName: string;
		executionNumber: number;
		force?: boolean;
		namespaceId?: string;
	}): void {
		refuseMissingParts(request);
		const execution = this.#requireExecution(request);
		if (!isTerminal(execution.status) && !request.force) {
			throw new AwsError(
				"InvalidStateTransitionException",
				`The execution is ${execution.status} and cannot be deleted without force.`,
			);
		}
		this.#queue.change(() => this.#queue.deleteExecution(execution));
	}

	#pageOf(all: readonly JobExecutionRecord[], request: Paging & { status?: string }) {
		return page(
			all.filter(({ status }) => request.status === undefined || status === request.status),
			({ jobId, thingName, executionNumber }) => `${jobId} ${thingName} ${String(executionNumber).padStart(10, "0")}`,
			request.maxResults,
			request.nextToken,
		);
	}

	#requireJob(jobId: string): JobRecord {
		const job = this.#options.registry.state.jobs.get(jobId);
		if (!job) throw new AwsError("ResourceNotFoundException", `Job ${jobId} not found.`);
		return job;
	}

	#requireExecution(request: { jobId: string; thingName: string; executionNumber?: number }): JobExecutionRecord {
		const { jobId, thingName, executionNumber } = request;
		const execution = this.#queue.find(jobId, thingName, executionNumber);
		if (execution) return execution;
		throw new AwsError("ResourceNotFoundException", `There is no execution of job ${jobId} for thing ${thingName}.`);
	}

	#requireTarget(target: string): void {
		const { registry } = this.#options;
		const [kind, name] = splitTarget(target);
		demand(
			(kind === "thing" || kind === "thinggroup") && target === registry.arn(kind, name),
			`The target ${target.slice(0, 256)} must be the ARN of a thing or of a thing group of this account`,
		);
		if (kind === "thing") registry.things.requireThing(name);
		else registry.thingGroups.requireThingGroup(name);
	}

	#arn(jobId: string): string {
		return arn(this.#options.registry.state, "job", jobId);
	}

	#thingArn(thingName: string): string {
		return arn(this.#options.registry.state, "thing", thingName);
	}

	#named({ jobId, description }: JobRecord) {
		return { jobArn: this.#arn(jobId), jobId, ...(description !== undefined && { description }) };
	}
}

/** @throws AwsError InvalidRequestException when a request has a member that is not served here */
function refuseMissingParts(request: object): void {
	for (const [member, advice] of Object.entries(REFUSED)) {
		demand((request as Record<string, unknown>)[member] === undefined, `${member} is not supported: ${advice}`);
	}
}

function checkConfig({ timeoutConfig, jobExecutionsRetryConfig, jobExecutionsRolloutConfig }: JobConfig): void {
	const minutes = timeoutConfig?.inProgressTimeoutInMinutes;
	demand(
		minutes === undefined || (minutes >= TIMEOUT.least && minutes <= TIMEOUT.most),
		`inProgressTimeoutInMinutes must be a number from ${TIMEOUT.least} to ${TIMEOUT.most}`,
	);
	const types = jobExecutionsRetryConfig?.criteriaList.map(({ failureType }) => failureType) ?? [];
	demand(
		new Set(types).size === types.length && !(types.includes("ALL") && types.length > 1),
		"criteriaList must have each failure type once, and nothing beside ALL",
	);
	const criteria = jobExecutionsRolloutConfig?.exponentialRate?.rateIncreaseCriteria;
	demand(
		criteria === undefined ||
			(criteria.numberOfNotifiedThings === undefined) !== (criteria.numberOfSucceededThings === undefined),
		"rateIncreaseCriteria must have either numberOfNotifiedThings or numberOfSucceededThings",
	);
}

function configOf(source: JobConfig): JobConfig {
	return Object.fromEntries(CONFIG.flatMap((name) => (source[name] === undefined ? [] : [[name, source[name]]])));
}

function timesOf({ createdAt, lastUpdatedAt, completedAt }: JobRecord) {
	return {
		createdAt: createdAt / 1000,
		lastUpdatedAt: lastUpdatedAt / 1000,
		...(completedAt !== undefined && { completedAt: completedAt / 1000 }),
	};
}

function executionTimesOf({ queuedAt, startedAt, lastUpdatedAt, executionNumber }: JobExecutionRecord) {
	return {
		queuedAt: queuedAt / 1000,
		...(startedAt !== undefined && { startedAt: startedAt / 1000 }),
		lastUpdatedAt: lastUpdatedAt / 1000,
		executionNumber,
	};
}

function summaryOf(execution: JobExecutionRecord) {
	const { status, retryAttempt } = execution;
	return { status, ...executionTimesOf(execution), ...(retryAttempt > 0 && { retryAttempt }) };
}

/** Whether a job is still queueing executions (guide, "Job limits"). */
function isConcurrent({ status, waiting }: JobRecord): boolean {
	return status === "IN_PROGRESS" && waiting.length > 0;
}

function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}
