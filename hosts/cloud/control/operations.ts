// Every operation of AWS IoT that this cloud has, by its name, which is also the IAM action's. Each subject has a file of its
// own. Shapes and limits are those of the service's API model (version 2015-05-28).

import type { Operation } from "./operation.js";
import { authorizerOperations } from "./operations/authorizers.js";
import { billingGroupOperations } from "./operations/billing-groups.js";
import { certificateOperations } from "./operations/certificates.js";
import { endpointOperations } from "./operations/endpoint.js";
import { policyOperations } from "./operations/policies.js";
import { registerThingOperation } from "./operations/register-thing.js";
import { tagOperations } from "./operations/tags.js";
import { templateOperations } from "./operations/templates.js";
import { thingGroupOperations } from "./operations/thing-groups.js";
import { thingPrincipalOperations } from "./operations/thing-principals.js";
import { thingTypeOperations } from "./operations/thing-types.js";
import { thingOperations } from "./operations/things.js";

/** All operations. */
export const operations = {
	...authorizerOperations,
	...billingGroupOperations,
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
} satisfies Readonly<Record<string, Operation>>;

/** Name of an operation. */
export type OperationName = keyof typeof operations;
