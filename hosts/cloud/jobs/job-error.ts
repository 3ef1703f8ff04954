// Why a device's request to AWS IoT Jobs is rejected.

import type { JobExecutionRecord } from "../state/state.js";

/** Codes of a rejected request (developer guide, "ErrorResponse" of the Jobs device API). */
export type JobErrorCode =
	| "InvalidTopic"
	| "InvalidJson"
	| "InvalidRequest"
	| "InvalidStateTransition"
	| "ResourceNotFound"
	| "VersionMismatch"
	| "InternalError"
	| "RequestThrottled"
	| "TerminalStateReached";

/** A rejected request. */
export class JobError extends Error {
	override readonly name = "JobError";
	readonly code: JobErrorCode;
	/** The state of the execution, which the device is told with two of the codes. */
	readonly execution: JobExecutionRecord | undefined;

	constructor(code: JobErrorCode, message: string, execution?: JobExecutionRecord) {
		super(message);
		this.code = code;
		this.execution = execution;
	}
}
