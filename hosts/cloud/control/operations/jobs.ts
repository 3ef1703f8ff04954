// Operations on jobs: what a request looks like, what IAM is asked, and what Jobs does.

import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, pageSize, resourceArn, tags, text } from "./members.js";

const { jobId, resourceName: thingName } = forms;
const integer = { type: "integer" } as const;
const namespaceId = { type: "string", max: 128, pattern: "[a-zA-Z0-9_-]+" } as const;
const arnText = { type: "string", min: 1, max: 1600, pattern: "^arn:[!-~]+$" } as const;
const dateTime = { type: "string", min: 1, max: 64 } as const;
const atLeastOne = { type: "integer", min: 1 } as const;
const details = { type: "map", key: forms.detailsKey, value: forms.detailsValue } as const;

const config = {
	description: forms.jobDescription,
	presignedUrlConfig: {
		type: "structure",
		members: { roleArn: forms.roleArn, expiresInSec: { type: "integer", min: 60, max: 3600 } },
	},
	jobExecutionsRolloutConfig: {
		type: "structure",
		members: {
			maximumPerMinute: atLeastOne,
			exponentialRate: {
				type: "structure",
				members: {
					"baseRatePerMinute*": { type: "integer", min: 1, max: 1000 },
					"incrementFactor*": { type: "double", min: 1.1, max: 5 },
					"rateIncreaseCriteria*": {
						type: "structure",
						members: { numberOfNotifiedThings: atLeastOne, numberOfSucceededThings: atLeastOne },
					},
				},
			},
		},
	},
	abortConfig: {
		type: "structure",
		members: {
			"criteriaList*": {
				type: "list",
				min: 1,
				member: {
					type: "structure",
					members: {
						"failureType*": { type: "string", enum: ["FAILED", "REJECTED", "TIMED_OUT", "ALL"] },
						"action*": { type: "string", enum: ["CANCEL"] },
						"thresholdPercentage*": { type: "double", max: 100 },
						"minNumberOfExecutedThings*": atLeastOne,
					},
				},
			},
		},
	},
	timeoutConfig: { type: "structure", members: { inProgressTimeoutInMinutes: integer } },
	jobExecutionsRetryConfig: {
		type: "structure",
		members: {
			"criteriaList*": {
				type: "list",
				min: 1,
				max: 2,
				member: {
					type: "structure",
					members: {
						"failureType*": { type: "string", enum: ["FAILED", "TIMED_OUT", "ALL"] },
						"numberOfRetries*": { type: "integer", min: 0, max: 10 },
					},
				},
			},
		},
	},
} as const;

const targetSelection = { type: "string", enum: ["CONTINUOUS", "SNAPSHOT"] } as const;
const jobStatus = {
	type: "string",
	enum: ["IN_PROGRESS", "CANCELED", "COMPLETED", "DELETION_IN_PROGRESS", "SCHEDULED"],
} as const;
const executionStatus = {
	type: "string",
	enum: ["QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED"],
} as const;

const job = (input: { jobId: string }) => [`job/${input.jobId}`];
const thing = (input: { thingName: string }) => [`thing/${input.thingName}`];
const both = (input: { jobId: string; thingName: string }) => [...job(input), ...thing(input)];

export const jobOperations = {
	CreateJob: operation("PUT /jobs/{jobId}", {
		path: { jobId },
		body: {
			"targets*": { type: "list", min: 1, member: resourceArn },
			documentSource: { type: "string", min: 1, max: 1350 },
			document: forms.jobDocument,
			...config,
			targetSelection,
			tags,
			namespaceId,
			jobTemplateArn: arnText,
			documentParameters: {
				type: "map",
				key: { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9_-]+" },
				value: { type: "string", min: 1, max: 30_720, pattern: "[^\\p{C}]+" },
			},
			schedulingConfig: {
				type: "structure",
				members: {
					startTime: dateTime,
					endTime: dateTime,
					endBehavior: { type: "string", enum: ["STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL"] },
					maintenanceWindows: {
						type: "list",
						member: {
							type: "structure",
							members: {
								"startTime*": { type: "string", min: 1, max: 256 },
								"durationInMinutes*": { type: "integer", min: 1, max: 1430 },
							},
						},
					},
				},
			},
			destinationPackageVersions: { type: "list", member: arnText },
		},
		resources: (input) => [...job(input), ...input.targets],
		handle: (_, input, __, { jobs }) => jobs.createJob(input),
	}),
	DescribeJob: operation("GET /jobs/{jobId}", {
		path: { jobId },
		query: { beforeSubstitution: boolean },
		resources: job,
		handle: (_, input, __, { jobs }) => jobs.describeJob(input),
	}),
	ListJobs: operation("GET /jobs", {
		query: {
			status: jobStatus,
			targetSelection,
			maxResults: pageSize,
			nextToken: text,
			thingGroupName: forms.resourceName,
			thingGroupId: { type: "string", min: 1, max: 128, pattern: "[a-zA-Z0-9\\-]+" },
			namespaceId,
		},
		handle: (_, input, __, { jobs }) => jobs.listJobs(input),
	}),
	UpdateJob: operation("PATCH /jobs/{jobId}", {
		path: { jobId },
		query: { namespaceId },
		body: config,
		resources: job,
		handle: (_, input, __, { jobs }) => jobs.updateJob(input),
	}),
	CancelJob: operation("PUT /jobs/{jobId}/cancel", {
		path: { jobId },
		query: { force: boolean },
		body: { reasonCode: forms.reasonCode, comment: forms.jobDescription },
		resources: job,
		handle: (_, input, __, { jobs }) => jobs.cancelJob(input),
	}),
	DeleteJob: operation("DELETE /jobs/{jobId}", {
		path: { jobId },
		query: { force: boolean, namespaceId },
		resources: job,
		handle: (_, input, __, { jobs }) => jobs.deleteJob(input),
	}),
	GetJobDocument: operation("GET /jobs/{jobId}/job-document", {
		path: { jobId },
		query: { beforeSubstitution: boolean },
		resources: job,
		handle: (_, input, __, { jobs }) => jobs.getJobDocument(input),
	}),
	DescribeJobExecution: operation("GET /things/{thingName}/jobs/{jobId}", {
		path: { thingName, jobId },
		query: { executionNumber: integer },
		resources: both,
		handle: (_, input, __, { jobs }) => jobs.describeJobExecution(input),
	}),
	ListJobExecutionsForJob: operation("GET /jobs/{jobId}/things", {
		path: { jobId },
		query: { status: executionStatus, maxResults: pageSize, nextToken: text },
		resources: job,
		handle: (_, input, __, { jobs }) => jobs.listJobExecutionsForJob(input),
	}),
	ListJobExecutionsForThing: operation("GET /things/{thingName}/jobs", {
		path: { thingName },
		query: { status: executionStatus, namespaceId, maxResults: pageSize, nextToken: text, jobId },
		resources: thing,
		handle: (_, input, __, { jobs }) => jobs.listJobExecutionsForThing(input),
	}),
	CancelJobExecution: operation("PUT /things/{thingName}/jobs/{jobId}/cancel", {
		path: { thingName, jobId },
		query: { force: boolean },
		body: { expectedVersion: integer, statusDetails: details },
		resources: both,
		handle: (_, input, __, { jobs }) => jobs.cancelJobExecution(input),
	}),
	DeleteJobExecution: operation("DELETE /things/{thingName}/jobs/{jobId}/executionNumber/{executionNumber}", {
		path: { thingName, jobId, executionNumber: integer },
		query: { force: boolean, namespaceId },
		resources: both,
		handle: (_, input, __, { jobs }) => jobs.deleteJobExecution(input),
	}),
};

/** The operations of the data plane of Jobs (iot-jobs-data), which devices call. */
export const deviceJobOperations = {
	GetPendingJobExecutions: operation("GET /things/{thingName}/jobs", {
		path: { thingName },
		resources: thing,
		handle: (_, input, __, { jobs }) => jobs.device.getPendingJobExecutions(input),
	}),
	StartNextPendingJobExecution: operation("PUT /things/{thingName}/jobs/$next", {
		path: { thingName },
		body: { statusDetails: details, stepTimeoutInMinutes: integer },
		resources: thing,
		handle: (_, input, __, { jobs }) => jobs.device.startNextPendingJobExecution(input),
	}),
	DescribeJobExecution: operation("GET /things/{thingName}/jobs/{jobId}", {
		path: { thingName, jobId: { type: "string", max: 64, pattern: "[a-zA-Z0-9_-]+|^\\$next" } },
		query: { includeJobDocument: boolean, executionNumber: integer },
		resources: thing,
		handle: (_, input, __, { jobs }) => jobs.device.describeJobExecution(input),
	}),
	UpdateJobExecution: operation("POST /things/{thingName}/jobs/{jobId}", {
		path: { thingName, jobId },
		body: {
			"status*": executionStatus,
			statusDetails: details,
			stepTimeoutInMinutes: integer,
			expectedVersion: integer,
			includeJobExecutionState: boolean,
			includeJobDocument: boolean,
			executionNumber: integer,
		},
		resources: thing,
		handle: (_, input, __, { jobs }) => jobs.device.updateJobExecution(input),
	}),
};
