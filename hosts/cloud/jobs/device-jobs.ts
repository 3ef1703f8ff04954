// What a device asks of AWS IoT Jobs: what is pending, the next job, one of them, and to say how it goes. Over MQTT its requests are
// answered to it alone. What a device sends can only ever be rejected. Facts: AWS IoT developer guide, "Jobs device MQTT API".

import { AwsError, type AwsErrorName } from "../base/errors.js";
import { messageOf } from "../base/guard.js";
import { isObject } from "../base/object.js";
import type { MessagePublisher, ReservedRequest, ReservedService } from "../mqtt/reserved.js";
import { forms, isOfForm } from "../registry/forms.js";
import type { JobExecutionRecord } from "../state/state.js";
import { JobError, type JobErrorCode } from "./job-error.js";
import { isTerminal, type JobQueue, type JobQueueOptions, type Move, seconds, summaryOf } from "./queue.js";

type Members = Readonly<Record<string, unknown>>;

const TOPIC = /^\$aws\/things\/([^/]+)\/jobs\/(.+)$/;
/** What a device may say that an execution is. */
const REPORTED = ["IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"] as const;
/** How many details an execution may have, and how long each may be (AWS's quotas). */
const DETAILS = { most: 10, length: 1024 } as const;
/** Bounds of a step timer, minutes; this value takes it away. */
const STEP = { least: 1, most: 10_080, none: -1 } as const;
const MINUTE = 60_000;
const ENCODER = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The names of the errors of the operations over HTTPS (API model, iot-jobs-data). */
const ERROR_NAMES: Readonly<Record<JobErrorCode, AwsErrorName>> = {
	InvalidTopic: "InvalidRequestException",
	InvalidJson: "InvalidRequestException",
	InvalidRequest: "InvalidRequestException",
	InvalidStateTransition: "InvalidStateTransitionException",
	ResourceNotFound: "ResourceNotFoundException",
	VersionMismatch: "InvalidRequestException",
	InternalError: "ServiceUnavailableException",
	RequestThrottled: "ThrottlingException",
	TerminalStateReached: "TerminalStateException",
};

/** Jobs as devices see them. */
export class DeviceJobs implements ReservedService {
	readonly name = "Jobs";
	readonly sendsTo: readonly (readonly RegExp[])[] = [
		[/^(notify|notify-next)$/],
		[/^(get|start-next)$/, /^(accepted|rejected)$/],
		[/./, /^(get|update)$/, /^(accepted|rejected)$/],
	].map((end) => [/^\$aws$/, /^things$/, /./, /^jobs$/, ...end]);
	readonly #options: JobQueueOptions;
	readonly #queue: JobQueue;

	/** For `Jobs` alone. */
	constructor(options: JobQueueOptions, queue: JobQueue) {
		this.#options = options;
		this.#queue = queue;
	}

	open(publisher: MessagePublisher): void {
		this.#queue.open(publisher);
	}

	serves(topic: string): boolean {
		return TOPIC.test(topic);
	}

	async handle({ topic, payload, connection, reply }: ReservedRequest): Promise<void> {
		const [, thingName, what] = TOPIC.exec(topic) as unknown as [string, string, string];
		const timestamp = seconds(this.#options.now());
		let token = {};
		const answer = (outcome: "accepted" | "rejected", message: object) =>
			reply({
				topic: `${topic}/${outcome}`,
				payload: ENCODER.encode(JSON.stringify({ ...token, timestamp, ...message })),
			});
		try {
			const request = readRequest(payload);
			if (typeof request.clientToken === "string") token = { clientToken: request.clientToken };
			await answer("accepted", this.#carryOut(thingName, what, request));
		} catch (error) {
			const rejected = error instanceof JobError ? error : new JobError("InternalError", "Internal error");
			const { code, message, execution } = rejected;
			this.#options.report({
				event: "job.rejected",
				thingName,
				topic,
				...(connection && { clientId: connection.clientId }),
				code,
				explanation: error instanceof JobError ? message : messageOf(error),
			});
			await answer("rejected", { code, message, ...(execution && { executionState: stateOf(execution) }) });
		}
	}

	/** GetPendingJobExecutions. @throws AwsError */
	getPendingJobExecutions({ thingName }: { thingName: string }) {
		return this.#overHttps(() => this.#getPending(thingName));
	}

	/** StartNextPendingJobExecution; without `execution` when nothing is pending. @throws AwsError */
	startNextPendingJobExecution({ thingName, ...request }: { thingName: string } & Members) {
		return this.#overHttps(() => withText(this.#startNext(thingName, request)));
	}

	/** DescribeJobExecution; `jobId` may be `$next`. @throws AwsError */
	describeJobExecution({ thingName, jobId, ...request }: { thingName: string; jobId: string } & Members) {
		return this.#overHttps(() => withText(this.#describe(thingName, jobId, request)));
	}

	/** UpdateJobExecution. @throws AwsError */
	updateJobExecution({ thingName, jobId, ...request }: { thingName: string; jobId: string } & Members) {
		return this.#overHttps(() => {
			const { jobDocument, ...answer } = this.#update(thingName, jobId, request);
			return { ...answer, ...(jobDocument !== undefined && { jobDocument: JSON.stringify(jobDocument) }) };
		});
	}

	#overHttps<T>(work: () => T): T {
		try {
			return work();
		} catch (error) {
			if (error instanceof JobError) throw new AwsError(ERROR_NAMES[error.code], error.message);
			throw error;
		}
	}

	#carryOut(thingName: string, what: string, request: Members): object {
		if (!isOfForm(thingName, forms.resourceName)) throw new JobError("InvalidRequest", "The thing name is not valid");
		const [jobId, operation, ...excess] = what.split("/") as [string, string?];
		if (operation === undefined && jobId === "get") return this.#getPending(thingName);
		if (operation === undefined && jobId === "start-next") return this.#startNext(thingName, request);
		const isJob = excess.length === 0 && (jobId === "$next" || isOfForm(jobId, forms.jobId));
		if (isJob && operation === "get") return this.#describe(thingName, jobId, request);
		if (isJob && operation === "update" && jobId !== "$next") return this.#update(thingName, jobId, request);
		throw new JobError("InvalidTopic", "The topic does not map to any operation of AWS IoT Jobs");
	}

	#getPending(thingName: string) {
		const pending = this.#queue.pending(thingName);
		const listed = (status: string) => pending.filter((execution) => execution.status === status).map(summaryOf);
		return { inProgressJobs: listed("IN_PROGRESS"), queuedJobs: listed("QUEUED") };
	}

	#startNext(thingName: string, request: Members) {
		const statusDetails = readDetails(request);
		const stepTimeout = readStepTimeout(request);
		const [next] = this.#queue.pending(thingName);
		if (!next) return {};
		const started =
			next.status === "QUEUED"
				? this.#move(next, { status: "IN_PROGRESS", ...(statusDetails && { statusDetails }) }, stepTimeout)
				: next;
		return { execution: this.#queue.describe(started, true) };
	}

	#describe(thingName: string, jobId: string, request: Members) {
		const number = readInteger(request, "executionNumber");
		const withDocument = readFlag(request, "includeJobDocument") ?? true;
		const [next] = jobId === "$next" ? this.#queue.pending(thingName) : [];
		if (jobId === "$next" && !next) return {};
		const execution = next ?? this.#require(jobId, thingName, number);
		if (isTerminal(execution.status)) {
			throw new JobError("TerminalStateReached", `The job execution is ${execution.status}.`);
		}
		return { execution: this.#queue.describe(execution, withDocument) };
	}

	#update(thingName: string, jobId: string, request: Members) {
		const status = REPORTED.find((one) => one === request.status);
		if (request.status === undefined || request.status === null) {
			throw new JobError(
				"InvalidRequest",
				"1 validation error detected: Value null at 'status' failed to satisfy constraint: Member must not be null",
			);
		}
		if (!status) {
			throw new JobError("InvalidRequest", `A device may report the status ${REPORTED.join(", ")}, and no other.`);
		}
		const expectedVersion = readInteger(request, "expectedVersion");
		const number = readInteger(request, "executionNumber");
		const withState = readFlag(request, "includeJobExecutionState") ?? false;
		const withDocument = readFlag(request, "includeJobDocument") ?? false;
		const statusDetails = readDetails(request);
		const stepTimeout = readStepTimeout(request);
		const before = this.#require(jobId, thingName, number);
		if (expectedVersion !== undefined && expectedVersion !== before.versionNumber) {
			throw new JobError(
				"VersionMismatch",
				`The job execution has version ${before.versionNumber}, not ${expectedVersion}.`,
				before,
			);
		}
		if (isTerminal(before.status)) {
			throw new JobError(
				"InvalidStateTransition",
				`The job execution is ${before.status} and cannot become ${status}.`,
				before,
			);
		}
		const after = this.#move(before, { status, ...(statusDetails && { statusDetails }) }, stepTimeout);
		const { jobDocument } = withDocument ? this.#queue.describe(after, true) : {};
		return {
			...(withState && { executionState: stateOf(after) }),
			...(jobDocument !== undefined && { jobDocument }),
		};
	}

	/** Moves an execution on, and sets its timers. A step timer that is not named stays as it is. */
	#move(before: JobExecutionRecord, move: Move, stepMinutes: number | undefined): JobExecutionRecord {
		const now = this.#options.now();
		const minutes = this.#options.registry.state.jobs.get(before.jobId)?.timeoutConfig?.inProgressTimeoutInMinutes;
		const begins = before.status === "QUEUED";
		return this.#queue.change(() =>
			this.#queue.move(before, {
				...move,
				...(begins && { startedAt: now }),
				...(begins && minutes !== undefined && { timeoutAt: now + minutes * MINUTE }),
				...(stepMinutes !== undefined && {
					stepTimeoutAt: stepMinutes === STEP.none ? undefined : now + stepMinutes * MINUTE,
				}),
			}),
		);
	}

	#require(jobId: string, thingName: string, executionNumber: number | undefined): JobExecutionRecord {
		const execution = this.#queue.find(jobId, thingName, executionNumber);
		if (execution) return execution;
		throw new JobError("ResourceNotFound", `There is no execution of job ${jobId} for thing ${thingName}.`);
	}
}

/** The document as the operations over HTTPS have it: as text. */
function withText({ execution }: { execution?: ReturnType<JobQueue["describe"]> }) {
	if (!execution) return {};
	const { jobDocument, ...rest } = execution;
	return { execution: { ...rest, ...(jobDocument !== undefined && { jobDocument: JSON.stringify(jobDocument) }) } };
}

function stateOf({ status, statusDetails, versionNumber }: JobExecutionRecord) {
	return { status, ...(statusDetails && { statusDetails }), versionNumber };
}

function readRequest(payload: Uint8Array): Members {
	if (payload.length === 0) return {};
	let json: unknown;
	try {
		json = JSON.parse(utf8.decode(payload));
	} catch {
		throw new JobError("InvalidJson", "The request is not JSON in UTF-8.");
	}
	if (!isObject(json)) throw new JobError("InvalidJson", "The request must be a JSON object.");
	if (json.clientToken !== undefined && json.clientToken !== null) {
		const { clientToken } = json;
		// As the API reference has it for tokens of clients.
		if (typeof clientToken !== "string" || clientToken.length > 64) {
			throw new JobError("InvalidRequest", "clientToken must be a text of at most 64 characters.");
		}
	}
	return json;
}

function readInteger(request: Members, member: string): number | undefined {
	const value = request[member];
	if (value === undefined || value === null) return undefined;
	// The guide writes expectedVersion as text.
	const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
	if (Number.isSafeInteger(number)) return number as number;
	throw new JobError("InvalidRequest", `${member} must be a whole number.`);
}

function readFlag(request: Members, member: string): boolean | undefined {
	const value = request[member];
	if (value === undefined || value === null) return undefined;
	if (typeof value === "boolean") return value;
	throw new JobError("InvalidRequest", `${member} must be true or false.`);
}

function readStepTimeout(request: Members): number | undefined {
	const minutes = readInteger(request, "stepTimeoutInMinutes");
	if (minutes === undefined || minutes === STEP.none || (minutes >= STEP.least && minutes <= STEP.most)) return minutes;
	throw new JobError(
		"InvalidRequest",
		`stepTimeoutInMinutes must be from ${STEP.least} to ${STEP.most}, or ${STEP.none} for none.`,
	);
}

function readDetails({ statusDetails }: Members): Record<string, string> | undefined {
	if (statusDetails === undefined || statusDetails === null) return undefined;
	const entries = isObject(statusDetails) ? Object.entries(statusDetails) : undefined;
	const valid = entries?.every(
		([name, value]) =>
			isOfForm(name, forms.detailsKey) && isOfForm(value, forms.detailsValue) && value.length <= DETAILS.length,
	);
	if (entries && valid && entries.length <= DETAILS.most) return Object.fromEntries(entries) as Record<string, string>;
	throw new JobError(
		"InvalidRequest",
		`statusDetails must be at most ${DETAILS.most} texts of 1 to ${DETAILS.length} characters, named by [a-zA-Z0-9:_-].`,
	);
}
