// The job executions of things: queues them, moves them from state to state, tells devices what is pending, and does what is due by
// the clock (timeouts, rollouts). The only place that writes them. Facts: AWS IoT developer guide, "AWS IoT Jobs".

import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Json } from "../base/object.js";
import type { MessagePublisher } from "../mqtt/reserved.js";
import type { Registry } from "../registry/registry.js";
import type { JobExecutionRecord, JobExecutionStatus, JobRecord, State } from "../state/state.js";

/** What the queue works with. */
export interface JobQueueOptions {
	readonly registry: Registry;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
}

/** What changes of an execution when it moves on. */
export type Move = Partial<
	Pick<JobExecutionRecord, "status" | "statusDetails" | "startedAt" | "timeoutAt" | "forceCanceled">
> & {
	/** `undefined` takes the step timer away. */
	readonly stepTimeoutAt?: number | undefined;
};

/** Most executions in a message about what is pending (measured in 2026; the guide of 2022 says 10). */
const LISTED = 15;
const MINUTE = 60_000;
const ENCODER = new TextEncoder();

/** Whether nothing can happen to an execution any more. */
export function isTerminal(status: JobExecutionStatus): boolean {
	return status !== "QUEUED" && status !== "IN_PROGRESS";
}

/** All executions of all jobs. */
export class JobQueue {
	readonly #options: JobQueueOptions;
	readonly #state: State;
	/** By key: when a running execution times out, ms since 1970. */
	readonly #deadlines = new Map<string, number>();
	/** By job: how many of its things are in which state. Made when it is first needed. */
	readonly #counts = new Map<string, Map<JobExecutionStatus, number>>();
	readonly #stopFollowing: () => void;
	#publisher: MessagePublisher | undefined;
	#timer: NodeJS.Timeout | undefined;
	#sequence = 0;
	/** During `change`: the things that it has concerned so far, with what was pending before. */
	#touched: Map<string, JobExecutionRecord[]> | undefined;

	constructor(options: JobQueueOptions) {
		this.#options = options;
		this.#state = options.registry.state;
		for (const execution of this.#state.jobExecutions.values()) {
			this.#sequence = Math.max(this.#sequence, execution.sequence);
			this.#follow(execution);
		}
		this.#stopFollowing = this.#state.onChange(
			guarded("following the registry", this.#failed, (changes) => {
				for (const { table, key, row } of changes) {
					if (table === "groupMembers") this.#followMember(key, row !== undefined);
					else if (table === "things" && row === undefined) this.#remove(key, () => true);
				}
			}),
		);
		this.#arm();
	}

	/** From now on devices are told what is pending. */
	open(publisher: MessagePublisher): void {
		this.#publisher = publisher;
	}

	/** Ends the timer, and follows the registry no more. */
	close(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#stopFollowing();
	}

	/** The executions of a thing that are running or queued: in the order in which it should work them off. */
	pending(thingName: string): JobExecutionRecord[] {
		const rank = ({ status }: JobExecutionRecord) => (status === "IN_PROGRESS" ? 0 : 1);
		return this.#state.jobExecutions
			.by("thingName", thingName)
			.filter(({ status }) => !isTerminal(status))
			.sort((a, b) => rank(a) - rank(b) || a.sequence - b.sequence);
	}

	/** An execution of a job by a thing; the latest one without a number. */
	find(jobId: string, thingName: string, executionNumber?: number): JobExecutionRecord | undefined {
		if (executionNumber !== undefined) {
			return this.#state.jobExecutions.get(keyOf({ jobId, thingName, executionNumber }));
		}
		return this.#all(jobId, thingName).at(-1);
	}

	/** The executions of a job: the latest one of each thing. */
	latest(jobId: string): JobExecutionRecord[] {
		const byThing = new Map<string, JobExecutionRecord>();
		for (const execution of this.#state.jobExecutions.by("jobId", jobId)) {
			const other = byThing.get(execution.thingName);
			if (!other || other.executionNumber < execution.executionNumber) byThing.set(execution.thingName, execution);
		}
		return [...byThing.values()];
	}

	/** How many things of a job are in a state. */
	count(jobId: string, ...statuses: readonly JobExecutionStatus[]): number {
		const counts = this.#countsOf(jobId);
		return statuses.reduce((sum, status) => sum + (counts.get(status) ?? 0), 0);
	}

	/**
	 * Makes changes in one transaction. Afterwards the things that they concern are told what is pending, if that is not what it was
	 * before, and the timer is set anew.
	 */
	change<T>(work: () => T): T {
		const touched = new Map<string, JobExecutionRecord[]>();
		this.#touched = touched;
		let result: T;
		try {
			result = this.#state.transaction(work);
		} catch (error) {
			this.#counts.clear();
			this.#deadlines.clear();
			for (const execution of this.#state.jobExecutions.values()) this.#follow(execution);
			throw error;
		} finally {
			this.#touched = undefined;
		}
		for (const [thingName, pending] of touched) this.#notify(thingName, pending);
		this.#arm();
		return result;
	}

	/** Queues an execution of a job for a thing. Within `change`. */
	queue({ jobId }: JobRecord, thingName: string, retryAttempt = 0): void {
		const now = this.#options.now();
		const execution: JobExecutionRecord = {
			jobId,
			thingName,
			executionNumber: (this.find(jobId, thingName)?.executionNumber ?? 0) + 1,
			status: "QUEUED",
			queuedAt: now,
			lastUpdatedAt: now,
			versionNumber: 1,
			retryAttempt,
			sequence: ++this.#sequence,
		};
		this.#put(execution);
		this.#report(execution);
	}

	/** Moves an execution on. What follows from it for its job and for retries is done as well. Within `change`. */
	move(before: JobExecutionRecord, move: Move, explanation?: string): JobExecutionRecord {
		const now = this.#options.now();
		const { stepTimeoutAt, timeoutAt, ...kept } = { ...before, ...move };
		const terminal = isTerminal(kept.status);
		const after: JobExecutionRecord = {
			...kept,
			...(timeoutAt !== undefined && { timeoutAt }),
			...(stepTimeoutAt !== undefined && !terminal && { stepTimeoutAt }),
			lastUpdatedAt: now,
			versionNumber: before.versionNumber + 1,
		};
		this.#put(after);
		this.#report(after, explanation);
		const job = this.#state.jobs.get(after.jobId);
		if (terminal && job) {
			if (job.status === "IN_PROGRESS" && !this.#retry(job, after)) this.#abortIfCriteriaAreMet(job);
			this.settle(after.jobId);
		}
		return after;
	}

	/** Completes a job of which nothing is left to do. Within `change`. */
	settle(jobId: string): void {
		const job = this.#state.jobs.get(jobId);
		if (job?.status !== "IN_PROGRESS" || job.targetSelection !== "SNAPSHOT" || job.waiting.length > 0) return;
		if (this.count(jobId, "QUEUED", "IN_PROGRESS") > 0) return;
		const now = this.#options.now();
		this.putJob({ ...job, status: "COMPLETED", completedAt: now, lastUpdatedAt: now });
	}

	/** Cancels what is queued of a job, with `force` what is running as well. Within `change`. */
	cancel(job: JobRecord, why: Pick<JobRecord, "reasonCode" | "comment">, force = false): void {
		const now = this.#options.now();
		this.putJob({
			...job,
			...why,
			status: "CANCELED",
			waiting: [],
			...(force && { forceCanceled: true as const }),
			lastUpdatedAt: now,
			completedAt: now,
		});
		for (const execution of this.latest(job.jobId)) {
			if (execution.status === "QUEUED") this.move(execution, { status: "CANCELED" });
			else if (force && execution.status === "IN_PROGRESS") {
				this.move(execution, { status: "CANCELED", forceCanceled: true });
			}
		}
	}

	/** Writes a job. Within `change`. */
	putJob(job: JobRecord): void {
		const before = this.#state.jobs.get(job.jobId)?.status;
		this.#state.jobs.put(job.jobId, job);
		if (job.status === before) return;
		this.#options.report({ event: "job", jobId: job.jobId, status: job.status });
	}

	/** Deletes a job with its executions. Within `change`. */
	deleteJob(jobId: string): void {
		for (const execution of this.#state.jobExecutions.by("jobId", jobId)) this.#delete(execution);
		this.#counts.delete(jobId);
		this.#state.jobs.delete(jobId);
		this.#options.report({ event: "job", jobId, status: "DELETED" });
	}

	/** Deletes an execution. Within `change`. */
	deleteExecution(execution: JobExecutionRecord): void {
		this.#delete(execution);
		this.#counts.delete(execution.jobId);
		this.settle(execution.jobId);
	}

	/** Queues executions for the things that a job has not reached yet: as many as its rollout allows in a minute. Within `change`. */
	rollOut(job: JobRecord): void {
		const { now, registry } = this.#options;
		const things = job.waiting.slice(0, this.#ratePerMinute(job));
		this.putJob({
			...job,
			waiting: job.waiting.slice(things.length),
			notified: job.notified + things.length,
			nextRolloutAt: now() + MINUTE,
		});
		// A thing may have been deleted while it waited.
		for (const thingName of things) if (registry.things.get(thingName)) this.queue(job, thingName);
		this.settle(job.jobId);
	}

	/** The things that a job is for at this moment. */
	targets(job: Pick<JobRecord, "targets">): Set<string> {
		const { registry } = this.#options;
		const things = new Set<string>();
		for (const target of job.targets) {
			const [kind, name] = splitTarget(target);
			if (kind === "thing") things.add(name);
			else for (const thingName of registry.thingGroups.thingsOf(name)) things.add(thingName);
		}
		return things;
	}

	/** Does what is due by now. Called by a timer of its own; a test with a clock of its own calls it, too. */
	readonly sweep = guarded(
		"what is due",
		(where, error) => this.#failed(where, error),
		() => {
			const { now } = this.#options;
			for (const [key, deadline] of [...this.#deadlines]) {
				const execution = this.#state.jobExecutions.get(key);
				if (deadline > now() || !execution) continue;
				const step = (execution.stepTimeoutAt ?? Number.POSITIVE_INFINITY) <= now();
				this.change(() =>
					this.move(execution, { status: "TIMED_OUT" }, `The ${step ? "step" : "in-progress"} timer has expired.`),
				);
			}
			for (const job of [...this.#state.jobs.by("rollingOut", "yes")]) {
				if (job.nextRolloutAt > now()) continue;
				this.change(() => this.rollOut(job));
			}
			this.#arm();
		},
	);

	readonly #failed: Failed = (where, error) =>
		this.#options.report({ event: "warning", message: `Jobs failed in ${where}: ${messageOf(error)}` });

	/** Sets the timer for what is due next. */
	#arm(): void {
		clearTimeout(this.#timer);
		const due = Math.min(
			...this.#deadlines.values(),
			...this.#state.jobs.by("rollingOut", "yes").map(({ nextRolloutAt }) => nextRolloutAt),
		);
		if (due === Number.POSITIVE_INFINITY) return;
		const wait = Math.max(0, due - this.#options.now());
		this.#timer = setTimeout(this.sweep, Math.min(wait, LONGEST_TIMER)).unref();
	}

	#ratePerMinute({ jobExecutionsRolloutConfig: rollout, jobId, notified }: JobRecord): number {
		const { maximumPerMinute = Number.POSITIVE_INFINITY, exponentialRate } = rollout ?? {};
		if (!exponentialRate) return maximumPerMinute;
		const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = exponentialRate;
		const { numberOfNotifiedThings, numberOfSucceededThings } = rateIncreaseCriteria;
		const steps =
			numberOfNotifiedThings !== undefined
				? notified / numberOfNotifiedThings
				: numberOfSucceededThings !== undefined
					? this.count(jobId, "SUCCEEDED") / numberOfSucceededThings
					: 0;
		return Math.min(maximumPerMinute, Math.floor(baseRatePerMinute * incrementFactor ** Math.floor(steps)));
	}

	/** Queues another attempt, if the job is to be tried again after this end. */
	#retry(job: JobRecord, { status, thingName, jobId, retryAttempt }: JobExecutionRecord): boolean {
		if (status !== "FAILED" && status !== "TIMED_OUT") return false;
		const criterion = job.jobExecutionsRetryConfig?.criteriaList.find(
			({ failureType }) => failureType === status || failureType === "ALL",
		);
		if (!criterion) return false;
		const all = this.#all(jobId, thingName);
		// A thing that comes back into a group begins anew.
		const begin = all.map((execution) => execution.retryAttempt).lastIndexOf(0);
		const failures = all
			.slice(begin)
			.filter((execution) =>
				criterion.failureType === "ALL" ? isTerminal(execution.status) : execution.status === status,
			).length;
		if (failures > criterion.numberOfRetries) return false;
		this.queue(job, thingName, retryAttempt + 1);
		return true;
	}

	/** Counts as AWS does: of the things whose execution has ended (guide, "Job abort configuration"). */
	#abortIfCriteriaAreMet(job: JobRecord): void {
		const ended = this.count(job.jobId, "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "REMOVED", "CANCELED");
		const met = job.abortConfig?.criteriaList.find(
			({ failureType, thresholdPercentage, minNumberOfExecutedThings }) => {
				const failed =
					failureType === "ALL"
						? this.count(job.jobId, "FAILED", "REJECTED", "TIMED_OUT")
						: this.count(job.jobId, failureType);
				return ended >= minNumberOfExecutedThings && (failed / ended) * 100 >= thresholdPercentage;
			},
		);
		if (!met) return;
		const comment = `At least ${met.thresholdPercentage} % of the things that executed it ended with ${met.failureType}.`;
		this.cancel(job, { comment });
	}

	/** What a thing's coming into a group, or its leaving, means for continuous jobs. */
	#followMember(key: string, joined: boolean): void {
		const [thingGroupName, thingName] = key.split(" ") as [string, string];
		const { registry } = this.#options;
		const groups = new Set(registry.thingGroups.ancestors(thingGroupName));
		const jobs = this.#state.jobs.by("continuous", "yes").filter((job) =>
			job.targets.some((target) => {
				const [kind, name] = splitTarget(target);
				return kind === "thinggroup" && groups.has(name);
			}),
		);
		if (!joined) {
			const ids = new Set(jobs.filter((job) => !this.targets(job).has(thingName)).map(({ jobId }) => jobId));
			return this.#remove(thingName, ({ jobId }) => ids.has(jobId));
		}
		const pending = new Set(this.pending(thingName).map(({ jobId }) => jobId));
		const wanted = jobs.filter(({ jobId, waiting }) => !pending.has(jobId) && !waiting.includes(thingName));
		if (wanted.length > 0)
			this.change(() => {
				for (const job of wanted) this.queue(job, thingName);
			});
	}

	/** Ends executions of a thing that is no longer a target. */
	#remove(thingName: string, which: (execution: JobExecutionRecord) => boolean): void {
		const removed = this.pending(thingName).filter(which);
		if (removed.length === 0) return;
		this.change(() => {
			for (const execution of removed) {
				this.move(execution, { status: "REMOVED" }, "The thing is no longer a target of the job.");
			}
		});
	}

	/** All executions of a job by a thing, oldest first. */
	#all(jobId: string, thingName: string): JobExecutionRecord[] {
		return this.#state.jobExecutions
			.by("thingName", thingName)
			.filter((execution) => execution.jobId === jobId)
			.sort((a, b) => a.executionNumber - b.executionNumber);
	}

	#put(execution: JobExecutionRecord): void {
		const { jobId, thingName, status } = execution;
		this.#touch(thingName);
		const counts = this.#countsOf(jobId);
		const before = this.find(jobId, thingName);
		if (before) counts.set(before.status, counts.get(before.status)! - 1);
		counts.set(status, (counts.get(status) ?? 0) + 1);
		this.#state.jobExecutions.put(keyOf(execution), execution);
		this.#follow(execution);
	}

	/** Remembers what was pending for a thing before its first change. */
	#touch(thingName: string): void {
		if (!this.#touched) throw new Error("A change of a job execution outside `change`.");
		if (!this.#touched.has(thingName)) this.#touched.set(thingName, this.pending(thingName));
	}

	#delete(execution: JobExecutionRecord): void {
		this.#touch(execution.thingName);
		this.#state.jobExecutions.delete(keyOf(execution));
		this.#deadlines.delete(keyOf(execution));
	}

	#follow(execution: JobExecutionRecord): void {
		const { status, timeoutAt = Number.POSITIVE_INFINITY, stepTimeoutAt = Number.POSITIVE_INFINITY } = execution;
		const deadline = Math.min(timeoutAt, stepTimeoutAt);
		if (status === "IN_PROGRESS" && deadline < Number.POSITIVE_INFINITY)
			this.#deadlines.set(keyOf(execution), deadline);
		else this.#deadlines.delete(keyOf(execution));
	}

	#countsOf(jobId: string): Map<JobExecutionStatus, number> {
		let counts = this.#counts.get(jobId);
		if (!counts) {
			counts = new Map();
			for (const { status } of this.latest(jobId)) counts.set(status, (counts.get(status) ?? 0) + 1);
			this.#counts.set(jobId, counts);
		}
		return counts;
	}

	#report({ jobId, thingName, executionNumber, status }: JobExecutionRecord, explanation?: string): void {
		this.#options.report({
			event: "job.execution",
			jobId,
			thingName,
			executionNumber,
			status,
			...(explanation !== undefined && { explanation }),
		});
	}

	/** Tells a thing what is pending, if there is more or less than before, and what is next, if that is another one. */
	#notify(thingName: string, before: readonly JobExecutionRecord[]): void {
		const after = this.pending(thingName);
		const timestamp = seconds(this.#options.now());
		const keys = new Set(before.map(keyOf));
		if (before.length !== after.length || after.some((execution) => !keys.has(keyOf(execution)))) {
			const jobs: Record<string, object[]> = {};
			for (const status of ["IN_PROGRESS", "QUEUED"]) {
				const listed = after.slice(0, LISTED).filter((execution) => execution.status === status);
				if (listed.length > 0) jobs[status] = listed.map(summaryOf);
			}
			this.#publish(`$aws/things/${thingName}/jobs/notify`, { timestamp, jobs });
		}
		const [next] = after;
		if ((next && keyOf(next)) === (before[0] && keyOf(before[0]))) return;
		const { thingName: _, ...execution } = next ? this.describe(next, true) : { thingName };
		this.#publish(`$aws/things/${thingName}/jobs/notify-next`, { timestamp, ...(next && { execution }) });
	}

	/** An execution as devices see it. The document is a value of JSON. */
	describe(execution: JobExecutionRecord, withDocument: boolean) {
		const { jobId, thingName, status, statusDetails } = execution;
		const left = this.secondsLeft(execution);
		const document = withDocument ? this.#state.jobs.get(jobId)?.document : undefined;
		return {
			jobId,
			thingName,
			status,
			...(statusDetails && { statusDetails }),
			...timesOf(execution),
			...(left !== undefined && { approximateSecondsBeforeTimedOut: left }),
			...(document !== undefined && { jobDocument: JSON.parse(document) as Json }),
		};
	}

	/** How long a running execution has before it times out. */
	secondsLeft(execution: JobExecutionRecord): number | undefined {
		const deadline = this.#deadlines.get(keyOf(execution));
		return deadline === undefined ? undefined : Math.max(0, seconds(deadline - this.#options.now()));
	}

	#publish(topic: string, message: object): void {
		void this.#publisher
			?.publish({ topic, payload: ENCODER.encode(JSON.stringify(message)) })
			.catch((error) => this.#failed(`publishing to ${topic}`, error));
	}
}

/** An execution in a list of pending ones, as devices see it. */
export function summaryOf(execution: JobExecutionRecord) {
	return { jobId: execution.jobId, ...timesOf(execution) };
}

function timesOf({ queuedAt, startedAt, lastUpdatedAt, versionNumber, executionNumber }: JobExecutionRecord) {
	return {
		queuedAt: seconds(queuedAt),
		...(startedAt !== undefined && { startedAt: seconds(startedAt) }),
		lastUpdatedAt: seconds(lastUpdatedAt),
		versionNumber,
		executionNumber,
	};
}

/** Kind and name of a target: what follows the last colon of its ARN but one, since names may have colons. */
export function splitTarget(target: string): readonly [kind: string, name: string] {
	const resource = target.split(":").slice(5).join(":");
	const slash = resource.indexOf("/");
	return [resource.slice(0, slash), resource.slice(slash + 1)];
}

/** Of the device API: whole seconds since 1970. */
export function seconds(milliseconds: number): number {
	return Math.floor(milliseconds / 1000);
}

function keyOf({
	jobId,
	thingName,
	executionNumber,
}: Pick<JobExecutionRecord, "jobId" | "thingName" | "executionNumber">) {
	return `${jobId} ${thingName} ${executionNumber}`;
}
