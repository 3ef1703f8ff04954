// Carries out what a template asks for, in one transaction: thing, policies, attachments, certificate status, in AWS's order.

import { AwsError } from "../base/errors.js";
import type { Registry } from "../registry/registry.js";
import type { Override, Plan, ThingPlan } from "../template/template.js";

/** ARNs of what a plan has made or found, by logical name. */
export interface Applied {
	readonly resourceArns: Readonly<Record<string, string>>;
}

/**
 * Applies a plan. `certificateId` is absent when the template has no certificate; then nothing can be attached.
 * @throws AwsError (ResourceConflictsException where OverrideSettings says FAIL); then nothing has changed
 */
export function applyPlan(
	registry: Registry,
	plan: Plan,
	certificateId: string | undefined,
	overrideDefault: Override,
): Applied {
	const principal = certificateId === undefined ? undefined : registry.certificates.arn(certificateId);
	const resourceArns: Record<string, string> = {};
	registry.state.transaction(() => {
		if (plan.thing) {
			applyThing(registry, plan.thing, overrideDefault);
			resourceArns[plan.thing.logicalName] = registry.arn("thing", plan.thing.thingName);
		}
		for (const { policyName, policyDocument, logicalName } of plan.policies) {
			if (policyDocument !== undefined) registry.policies.ensure(policyName, policyDocument);
			else registry.policies.getPolicy({ policyName });
			if (principal !== undefined) registry.policies.attachPolicy({ policyName, target: principal });
			resourceArns[logicalName] = registry.arn("policy", policyName);
		}
		if (certificateId === undefined || principal === undefined || !plan.certificate) return;
		const { status, override, logicalName, thingPrincipalType } = plan.certificate;
		if (plan.thing) {
			registry.thingPrincipals.attachThingPrincipal({
				thingName: plan.thing.thingName,
				principal,
				...(thingPrincipalType !== undefined && { thingPrincipalType }),
			});
		}
		const before = registry.certificates.get(certificateId)!.status;
		const setting = override ?? overrideDefault;
		// A certificate that waits for its activation has no status yet that a setting could keep.
		if (before === "PENDING_ACTIVATION" || setting === "REPLACE") {
			registry.certificates.setStatus(certificateId, status);
		} else if (setting === "FAIL" && before !== status) conflict(`The certificate is ${before}`);
		resourceArns[logicalName] = principal;
	});
	return { resourceArns };
}

function applyThing(registry: Registry, plan: ThingPlan, overrideDefault: Override): void {
	const { things } = registry;
	const { thingName, attributes, thingTypeName, thingGroups, billingGroup } = plan;
	const existing = things.get(thingName);
	if (!existing) {
		things.createThing({
			thingName,
			...(attributes && { attributePayload: { attributes: { ...attributes } } }),
			...(thingTypeName !== undefined && { thingTypeName }),
			...(billingGroup !== undefined && { billingGroupName: billingGroup }),
		});
		for (const thingGroupName of thingGroups ?? [])
			registry.thingGroups.addThingToThingGroup({ thingName, thingGroupName });
		return;
	}
	const settingOf = (property: string): Override => {
		const setting = plan.override[property] ?? overrideDefault;
		if (setting === "FAIL") conflict(`The thing ${thingName} exists, and OverrideSettings of ${property} says FAIL`);
		return setting;
	};
	const attributeSetting = attributes && settingOf("AttributePayload");
	const update = {
		...((attributeSetting === "REPLACE" || attributeSetting === "MERGE") && {
			attributePayload: { attributes: { ...attributes }, merge: attributeSetting === "MERGE" },
		}),
		...(thingTypeName !== undefined && settingOf("ThingTypeName") === "REPLACE" && { thingTypeName }),
		...(billingGroup !== undefined && settingOf("BillingGroup") === "REPLACE" && { billingGroupName: billingGroup }),
	};
	if (Object.keys(update).length > 0) things.updateThing({ thingName, ...update });
	const groupSetting = thingGroups && settingOf("ThingGroups");
	if (!thingGroups || (groupSetting !== "REPLACE" && groupSetting !== "MERGE")) return;
	if (groupSetting === "REPLACE") {
		for (const thingGroupName of registry.thingGroups.groupsOf(thingName)) {
			if (!thingGroups.includes(thingGroupName))
				registry.thingGroups.removeThingFromThingGroup({ thingName, thingGroupName });
		}
	}
	for (const thingGroupName of thingGroups) registry.thingGroups.addThingToThingGroup({ thingName, thingGroupName });
}

function conflict(message: string): never {
	throw new AwsError("ResourceConflictsException", message);
}
