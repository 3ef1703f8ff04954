// The local cloud as a library: for the tests of one's own devices, templates and policies.

export { AwsError, type AwsErrorName } from "./base/errors.js";
export type {
	CloudEvent,
	CloudEventBody,
	DisconnectReason,
	EventLog,
	Metric,
	MetricName,
	Metrics,
} from "./base/events.js";
export {
	type AccountNames,
	type CreationTopic,
	claimPolicy,
	devicePolicy,
	type PolicyDocument,
	provisioningTemplate,
} from "./base/samples.js";
export type { Rejection, RejectionCase, ReplyFault, Settings, SettingsPatch, Throttle } from "./base/settings.js";
export { type Cloud, type CloudOptions, startCloud } from "./cloud.js";
export type { AccessKey } from "./control/iam.js";
export type { ControlPlane } from "./control/server.js";
export { type Claim, createClaim, prepareTemplate } from "./prepare.js";
export type { Registry } from "./registry/registry.js";
