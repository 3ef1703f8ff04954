// Which names, attributes and documents AWS IoT accepts, and how many. Checks throw AwsError and nothing else.

import { AwsError } from "../base/errors.js";
import { isObject } from "../base/object.js";
import { forms, isOfForm, type TextForm } from "./forms.js";

/** Limits of the account (numbers from the API model and the guide; the doc comments say which are our assumption). */
export const limits = {
	templateVersions: 5,
	policyDocument: 2_048,
	policyVersions: 5,
	/** From memory, not verified on AWS's page of quotas. */
	policiesPerTarget: 10,
	attributesWithoutType: 3,
	attributesWithType: 50,
	groupsPerThing: 10,
	groupDepth: 7,
	tags: 50,
	pageSize: 250,
	defaultPageSize: 25,
} as const;

/** @throws AwsError InvalidRequestException with `message`, unless `condition` holds */
export function demand(condition: boolean, message: string): asserts condition {
	if (!condition) throw new AwsError("InvalidRequestException", message);
}

/** Checks the form of a member; `what` is its name in the API. @throws AwsError InvalidRequestException */
function requireForm(value: unknown, what: string, form: TextForm): string {
	demand(typeof value === "string", `${what} must be text`);
	demand(isOfForm(value, form), `Value at '${what}' failed to satisfy constraint: Member must ${inWords(form)}`);
	return value;
}

/** A form in words, for a message: "match [0-9]+ and have 1 to 36 characters". */
export function inWords({ min = 0, max, pattern }: TextForm): string {
	const length = max === undefined ? `at least ${min}` : min === max ? `${max}` : `${min} to ${max}`;
	return `${pattern === undefined ? "" : `match ${pattern} and `}have ${length} characters`;
}

export const checkThingName = (value: unknown) => requireForm(value, "thingName", forms.resourceName);
export const checkThingTypeName = (value: unknown) => requireForm(value, "thingTypeName", forms.resourceName);
export const checkThingGroupName = (value: unknown) => requireForm(value, "thingGroupName", forms.resourceName);
export const checkBillingGroupName = (value: unknown) => requireForm(value, "billingGroupName", forms.resourceName);
export const checkPolicyName = (value: unknown) => requireForm(value, "policyName", forms.policyName);
export const checkTemplateName = (value: unknown) => requireForm(value, "templateName", forms.templateName);
export const checkCertificateId = (value: unknown) =>
	requireForm(value, "certificateId", forms.certificateId).toLowerCase();
export const checkRoleArn = (value: unknown) => requireForm(value, "provisioningRoleArn", forms.roleArn);
export const checkDescription = (value: unknown, what = "description", form: TextForm = forms.description) =>
	requireForm(value, what, form);

/** Checks attributes and their number. An empty value means "remove", which the caller does. @throws AwsError */
export function checkAttributes(value: unknown, withType: boolean): Record<string, string> {
	demand(isObject(value), "attributes must be a map");
	for (const [name, content] of Object.entries(value)) {
		demand(
			name !== "" && isOfForm(name, forms.attributeName),
			`The attribute name '${name.slice(0, 128)}' is not allowed`,
		);
		demand(
			isOfForm(content, forms.attributeValue),
			`The value of the attribute '${name}' must ${inWords(forms.attributeValue)}`,
		);
	}
	const most = withType ? limits.attributesWithType : limits.attributesWithoutType;
	demand(
		Object.keys(value).length <= most,
		withType
			? `A thing may have at most ${most} attributes`
			: `A thing without a thing type may have at most ${most} attributes`,
	);
	return { ...value } as Record<string, string>;
}

/** Tags as the API writes them. */
export interface Tag {
	/** 1 to 128 characters. */
	readonly Key: string;
	/** At most 256 characters; absent is the same as empty. */
	readonly Value?: string;
}

/** Checks tags, and returns them as they are kept. @throws AwsError */
export function checkTags(value: unknown): Record<string, string> {
	demand(Array.isArray(value), "tags must be a list");
	demand(value.length <= limits.tags, `At most ${limits.tags} tags are allowed`);
	// Not an object yet: a key named __proto__ is a key like another.
	const tags = new Map<string, string>();
	for (const tag of value as unknown[]) {
		demand(typeof tag === "object" && tag !== null, "A tag must be an object with Key and Value");
		const { Key: key, Value: content = "" } = tag as Record<string, unknown>;
		demand(isOfForm(key, forms.tagKey), "A tag key is not allowed");
		demand(isOfForm(content, forms.tagValue), `The value of the tag '${key}' is not allowed`);
		demand(!tags.has(key), `The tag '${key}' occurs twice`);
		tags.set(key, content);
	}
	return Object.fromEntries(tags);
}

/** Attributes without those whose value is empty: with AWS, an empty value removes the attribute. */
export function withoutEmpty(attributes: Record<string, string>): Record<string, string> {
	return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
}

/** Whether two sets of attributes have the same names and values. */
export function equalAttributes(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
	const keys = Object.keys(a);
	return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** @throws AwsError VersionConflictException when the caller expects a version other than the current one */
export function requireVersion(version: number, expected: number | undefined, what: string): void {
	if (expected !== undefined && expected !== version) {
		throw new AwsError("VersionConflictException", `The ${what} has version ${version}, not ${expected}`);
	}
}
