/**
 * The local cloud as a library, to test your own devices, templates, policies and hooks with. Start with `startCloud`.
 * @module moddable-fleet-provisioning/cloud
 */

export { type AWS_ERROR_STATUS, AwsError, type AwsErrorName } from "./base/errors.js";
export type {
	CloudEvent,
	CloudEventBody,
	DisconnectReason,
	EventLog,
	Metric,
	MetricName,
	Metrics,
} from "./base/events.js";
export type { Json, JsonObject } from "./base/object.js";
export {
	type AccountNames,
	type CreationTopic,
	claimPolicy,
	devicePolicy,
	type PolicyDocument,
	provisioningTemplate,
} from "./base/samples.js";
export type { Patch } from "./base/setting.js";
export type {
	ProvisioningOperation,
	Rejection,
	RejectionCase,
	ReplyFault,
	Settings,
	SettingsPatch,
	Throttle,
} from "./base/settings.js";
export { type Cloud, type CloudOptions, type OwnControlPlaneOptions, startCloud } from "./cloud.js";
export type { AccessKey } from "./control/iam.js";
export type { ControlPlane, ControlPlaneOptions } from "./control/server.js";
export type { Services } from "./control/services.js";
export type { DeviceJobs } from "./jobs/device-jobs.js";
export type { Jobs } from "./jobs/jobs.js";
export type { Messages } from "./mqtt/messages.js";
export type {
	CloudMessage,
	MessageProperties,
	MessagePublisher,
	ReservedRequest,
	ReservedService,
} from "./mqtt/reserved.js";
export type { CertificateAuthority, ServerIdentities, ServerIdentity } from "./pki/authority.js";
export type { Condition, NamedPolicy, Policy, Statement } from "./policy/policy.js";
export { type Claim, type ClaimOptions, createClaim, prepareTemplate } from "./prepare.js";
export type { Encoding } from "./provisioning/codec.js";
export type { HookCaller, HookCommand, HookCommands, HookTarget } from "./provisioning/hook.js";
export type {
	Provisioning,
	ProvisioningOptions,
	ProvisioningReply,
	ProvisioningRequest,
} from "./provisioning/provisioning.js";
export type { AuthorizerAnswer, AuthorizerChanges, Authorizers, Presented } from "./registry/authorizers.js";
export type { BillingGroups } from "./registry/billing-groups.js";
export type { CaCertificates } from "./registry/ca-certificates.js";
export type { CertificateProviders } from "./registry/certificate-providers.js";
export type { Certificates } from "./registry/certificates.js";
export type { Configurations, IndexingConfiguration, LoggingOptions } from "./registry/configurations.js";
export type {
	ArnKind,
	CertificateIssuer,
	InvokeFunction,
	IssuedCertificate,
	RegistryContext,
} from "./registry/context.js";
export type { Tag } from "./registry/limits.js";
export type { Paging } from "./registry/paging.js";
export type { Policies } from "./registry/policies.js";
export type { Registry, RegistryOptions } from "./registry/registry.js";
export type { RoleAliases } from "./registry/role-aliases.js";
export type { Roles } from "./registry/roles.js";
export type { Tags } from "./registry/tags.js";
export type { Templates } from "./registry/templates.js";
export type { ThingGroups } from "./registry/thing-groups.js";
export type { ThingPrincipals } from "./registry/thing-principals.js";
export type { ThingTypes } from "./registry/thing-types.js";
export type { Things } from "./registry/things.js";
export type { TopicRulePayload, TopicRules } from "./registry/topic-rules.js";
export type {
	FileOrDocument,
	Setup,
	SetupClaim,
	SetupHook,
	SetupTemplate,
	SetupThing,
	SetupUser,
} from "./setup/schema.js";
export type { ShadowName, Shadows } from "./shadow/shadows.js";
export type * from "./state/state.js";
