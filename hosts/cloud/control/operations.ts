// Every operation of AWS IoT that this cloud has, by its name, which is also the IAM action's. Each subject has a file of its
// own. Shapes and limits are those of the service's API model (version 2015-05-28).

import type { Operation } from "./operation.js";
import { authorizerOperations } from "./operations/authorizers.js";
import { billingGroupOperations } from "./operations/billing-groups.js";
import { caCertificateOperations } from "./operations/ca-certificates.js";
import { certificateOperations } from "./operations/certificates.js";
import { configurationOperations } from "./operations/configurations.js";
import { dataOperations } from "./operations/data.js";
import { endpointOperations } from "./operations/endpoint.js";
import { deviceJobOperations, jobOperations } from "./operations/jobs.js";
import { policyOperations } from "./operations/policies.js";
import { registerThingOperation } from "./operations/register-thing.js";
import { roleAliasOperations } from "./operations/role-aliases.js";
import { tagOperations } from "./operations/tags.js";
import { templateOperations } from "./operations/templates.js";
import { thingGroupOperations } from "./operations/thing-groups.js";
import { thingPrincipalOperations } from "./operations/thing-principals.js";
import { thingTypeOperations } from "./operations/thing-types.js";
import { thingOperations } from "./operations/things.js";
import { topicRuleOperations } from "./operations/topic-rules.js";
import type { ServiceName } from "./services.js";

/** All operations of the control plane. */
export const operations = {
	...authorizerOperations,
	...billingGroupOperations,
	...caCertificateOperations,
	...certificateOperations,
	...endpointOperations,
	...policyOperations,
	...registerThingOperation,
	...tagOperations,
	...templateOperations,
	...thingGroupOperations,
	...thingPrincipalOperations,
	...thingTypeOperations,
	...thingOperations,
	...jobOperations,
	...topicRuleOperations,
	...roleAliasOperations,
	...configurationOperations,
} satisfies Readonly<Record<string, Operation>>;

/** Name of an operation of the control plane. */
export type OperationName = keyof typeof operations;

/** All operations by service. Different services may have operations of one name, and of one method and path. */
export const operationsOf: Readonly<Record<ServiceName, Readonly<Record<string, Operation>>>> = {
	iot: operations,
	iotdata: dataOperations,
	"iot-jobs-data": deviceJobOperations,
};
