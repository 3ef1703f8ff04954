// What AWS IoT takes as a name, an attribute or a document, and how much of it. Checks throw AwsError, nothing else.

import { createHmac, randomBytes } from "node:crypto";
import { AwsError } from "../base/errors.js";

const resourceName = /^[a-zA-Z0-9:_-]{1,128}$/;

/** Limits of the account (numbers from the API model and the guide; see the doc comments for what is judged). */
export const limits = {
	templateBody: 10_240,
	templateVersions: 5,
	description: 500,
	policyDocument: 2_048,
	policyVersions: 5,
	/** Recalled, not read from the quota page. */
	policiesPerTarget: 10,
	attributesWithoutType: 3,
	attributesWithType: 50,
	groupsPerThing: 10,
	groupDepth: 7,
	certificatePem: 65_536,
	certificateSigningRequest: 4_096,
	tags: 50,
	pageSize: 250,
	defaultPageSize: 25,
} as const;

/** Throws InvalidRequestException with `message` unless `condition`. */
export function demand(condition: boolean, message: string): asserts condition {
	if (!condition) throw new AwsError("InvalidRequestException", message);
}

/** Checks that a member is text of a certain form; `what` is the member's name in the API. */
function text(value: unknown, what: string, form: RegExp): string {
	demand(typeof value === "string", `${what} must be text`);
	demand(form.test(value), `Value at '${what}' failed to satisfy constraint: Member must satisfy ${form.source}`);
	return value;
}

export const checkThingName = (value: unknown) => text(value, "thingName", resourceName);
export const checkThingTypeName = (value: unknown) => text(value, "thingTypeName", resourceName);
export const checkThingGroupName = (value: unknown) => text(value, "thingGroupName", resourceName);
export const checkBillingGroupName = (value: unknown) => text(value, "billingGroupName", resourceName);
export const checkPolicyName = (value: unknown) => text(value, "policyName", /^[\w+=,.@-]{1,128}$/);
export const checkTemplateName = (value: unknown) => text(value, "templateName", /^[0-9A-Za-z_-]{1,36}$/);
export const checkCertificateId = (value: unknown) =>
	text(value, "certificateId", /^(?=.{64}$)(0x)?[a-fA-F0-9]+$/).toLowerCase();
export const checkRoleArn = (value: unknown) => text(value, "provisioningRoleArn", /^[\s\S]{20,2048}$/);
export const checkDescription = (value: unknown, what = "description", length: number = limits.description) => {
	demand(typeof value === "string", `${what} must be text`);
	demand(value.length <= length, `${what} must not be longer than ${length} characters`);
	// The model's pattern is [^\p{C}]*.
	demand(!/\p{C}/u.test(value), `${what} must not contain control characters`);
	return value;
};

/** Checks attributes and their number; an empty value stands for "remove" and is left to the caller. */
export function checkAttributes(value: unknown, withType: boolean): Record<string, string> {
	demand(typeof value === "object" && value !== null && !Array.isArray(value), "attributes must be a map");
	for (const [name, content] of Object.entries(value)) {
		demand(/^[a-zA-Z0-9_.,@/:#-]{1,128}$/.test(name), `The attribute name '${name.slice(0, 128)}' is not allowed`);
		demand(
			typeof content === "string" && /^[a-zA-Z0-9_.,@/:#=[\]-]{0,800}$/.test(content),
			`The value of the attribute '${name}' must match [a-zA-Z0-9_.,@/:#=\\[\\]-]* and have at most 800 characters`,
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
	readonly Key: string;
	readonly Value?: string;
}

/** Tags as they are kept. */
export function checkTags(value: unknown): Record<string, string> {
	demand(Array.isArray(value), "tags must be a list");
	demand(value.length <= limits.tags, `At most ${limits.tags} tags are allowed`);
	const tags: Record<string, string> = {};
	for (const tag of value as unknown[]) {
		demand(typeof tag === "object" && tag !== null, "A tag must be an object with Key and Value");
		const { Key: key, Value: content = "" } = tag as Record<string, unknown>;
		demand(typeof key === "string" && /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key), "A tag key is not allowed");
		demand(
			typeof content === "string" && /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(content),
			`The value of the tag '${key}' is not allowed`,
		);
		demand(!Object.hasOwn(tags, key), `The tag '${key}' occurs twice`);
		tags[key] = content;
	}
	return tags;
}

/** One page of a listing: `items` ordered by `key`, those after the one that `token` names, at most `size`. */
export function page<T>(
	items: readonly T[],
	key: (item: T) => string,
	size: unknown,
	token: unknown,
	ascending = true,
): { items: T[]; next?: string } {
	const most = size === undefined ? limits.defaultPageSize : Number(size);
	demand(
		Number.isInteger(most) && most >= 1 && most <= limits.pageSize,
		`The page size must be a number from 1 to ${limits.pageSize}`,
	);
	const direction = ascending ? 1 : -1;
	const compare = (a: string, b: string) => (a < b ? -direction : a > b ? direction : 0);
	let sorted = items.map((item) => ({ item, key: key(item) })).sort((a, b) => compare(a.key, b.key));
	if (token !== undefined) {
		const last = lastOfPage(token);
		sorted = sorted.filter((entry) => compare(entry.key, last) > 0);
	}
	const shown = sorted.slice(0, most);
	return {
		items: shown.map(({ item }) => item),
		...(sorted.length > most && { next: pageToken(shown.at(-1)!.key) }),
	};
}

/** Tokens for the next page are proved to be of this process: a made-up one is refused. In base64, as the API wants markers. */
const pageSecret = randomBytes(32);
const prove = (key: string) => createHmac("sha256", pageSecret).update(key).digest("base64").slice(0, 22);

function pageToken(key: string): string {
	return `${prove(key)}${Buffer.from(key).toString("base64")}`;
}

/** The key that a token names. Throws InvalidRequestException. */
function lastOfPage(token: unknown): string {
	const key = typeof token === "string" ? Buffer.from(token.slice(22), "base64").toString() : "";
	demand(token === pageToken(key), "The token for the next page is not valid");
	return key;
}
