// The shapes of request members as data. Reads members from path, query, header and JSON body, and checks their limits with
// AWS's messages. Must never put the text of an opaque member (PEM) into a message.

import { AwsError } from "../base/errors.js";
import { isObject } from "../base/object.js";
import { expressionOf, type TextForm } from "../registry/forms.js";

/** One shape of the API model. Lengths in characters. */
export type Shape =
	| (TextForm & {
			readonly enum?: readonly string[];
			/** May hold key material by mistake, so its text is never repeated. */
			readonly opaque?: true;
	  })
	| { readonly type: "integer"; readonly min?: number; readonly max?: number }
	/** A number that need not be whole. */
	| { readonly type: "double"; readonly min?: number; readonly max?: number }
	| { readonly type: "boolean" }
	| { readonly type: "list"; readonly member: Shape; readonly min?: number; readonly max?: number }
	| { readonly type: "map"; readonly key: Shape; readonly value: Shape }
	| { readonly type: "structure"; readonly members: Members };

/** Shapes by member name; a name that ends in `*` is required. */
export type Members = Readonly<Record<string, Shape>>;

/** The TypeScript type of a shape's values. */
export type Value<S> = S extends { enum: readonly (infer E)[] }
	? E
	: S extends { type: "string" }
		? string
		: S extends { type: "integer" | "double" }
			? number
			: S extends { type: "boolean" }
				? boolean
				: S extends { type: "list"; member: infer M }
					? Value<M>[]
					: S extends { type: "map"; value: infer V }
						? Record<string, Value<V>>
						: S extends { type: "structure"; members: infer M }
							? Structure<M>
							: never;

/** The TypeScript type of a structure with these members. */
export type Structure<M> = Flat<
	{ [K in keyof M as K extends `${infer Name}*` ? Name : never]: Value<M[K]> } & {
		[K in keyof M as K extends `${string}*` ? never : K]?: Value<M[K]>;
	}
>;
type Flat<T> = { [K in keyof T]: T[K] };

/** Reads a member from path, query or header. @throws AwsError SerializationException when it has another type */
export function fromText(shape: Shape, text: string, at: string): unknown {
	if (shape.type === "boolean") {
		if (text === "true" || text === "false") return text === "true";
		throw notConvertible(at, "a Boolean");
	}
	if (shape.type === "integer") {
		if (/^-?\d{1,15}$/.test(text)) return Number(text);
		throw notConvertible(at, "an Integer");
	}
	return text;
}

/**
 * Reads a member of the JSON body. Members that are not in the shape are left out, and `null` counts as absent.
 * @throws AwsError SerializationException when a value has another type
 */
export function fromJson(shape: Shape, json: unknown, at: string): unknown {
	switch (shape.type) {
		case "string":
			if (typeof json === "string") return json;
			throw notConvertible(at, "a String");
		case "boolean":
			if (typeof json === "boolean") return json;
			throw notConvertible(at, "a Boolean");
		case "integer":
			if (Number.isSafeInteger(json)) return json;
			throw notConvertible(at, "an Integer");
		case "double":
			if (typeof json === "number" && Number.isFinite(json)) return json;
			throw notConvertible(at, "a Double");
		case "list":
			if (Array.isArray(json))
				return json.map((item, index) => fromJson(shape.member, item, `${at}.${index + 1}.member`));
			throw notConvertible(at, "a List");
		case "map":
			if (isObject(json)) {
				const entries = Object.entries(json).filter(([, value]) => value !== null);
				// Without a prototype, a key named __proto__ is a key like any other.
				const map: Record<string, unknown> = Object.create(null);
				for (const [key, value] of entries) map[key] = fromJson(shape.value, value, at);
				return map;
			}
			throw notConvertible(at, "a Map");
		case "structure":
			if (isObject(json)) return membersFromJson(shape.members, json, `${at}.`);
			throw notConvertible(at, "a Structure");
	}
}

/** Reads the members of a structure from a JSON object. @throws AwsError SerializationException */
export function membersFromJson(members: Members, json: object, prefix = ""): Record<string, unknown> {
	const structure: Record<string, unknown> = {};
	for (const [starred, shape] of Object.entries(members)) {
		const name = plainName(starred);
		const value: unknown = Object.hasOwn(json, name) ? json[name as keyof typeof json] : undefined;
		if (value !== undefined && value !== null) structure[name] = fromJson(shape, value, prefix + name);
	}
	return structure;
}

/** What is wrong with the values, one sentence each, in the words of AWS's own validation. */
export function violations(members: Members, values: Readonly<Record<string, unknown>>, prefix = ""): string[] {
	return Object.entries(members).flatMap(([starred, shape]) => {
		const name = plainName(starred);
		const value = values[name];
		if (value !== undefined) return violationsOf(shape, value, prefix + name);
		return starred === name
			? []
			: [`Value null at '${prefix}${name}' failed to satisfy constraint: Member must not be null`];
	});
}

/** The name of a member without the star that marks it as required. */
export function plainName(starred: string): string {
	return starred.endsWith("*") ? starred.slice(0, -1) : starred;
}

function violationsOf(shape: Shape, value: unknown, at: string): string[] {
	switch (shape.type) {
		case "list":
			return [
				...brokenRules(shape, value).map((rule) => `Value at '${at}' failed to satisfy constraint: ${rule}`),
				...(value as unknown[]).flatMap((item, index) => violationsOf(shape.member, item, `${at}.${index + 1}.member`)),
			];
		case "structure":
			return violations(shape.members, value as Record<string, unknown>, `${at}.`);
		case "map": {
			const map = value as Record<string, unknown>;
			const keys = Object.keys(map).some((key) => brokenRules(shape.key, key).length > 0);
			const values = Object.values(map).some((item) => brokenRules(shape.value, item).length > 0);
			return [
				...(keys ? [`Map keys must satisfy constraint: [${allRules(shape.key)}]`] : []),
				...(values ? [`Map value must satisfy constraint: [${allRules(shape.value)}]`] : []),
			].map((rule) => `Value '${shown(map)}' at '${at}' failed to satisfy constraint: ${rule}`);
		}
		default:
			return brokenRules(shape, value).map((rule) => {
				const text = shape.type === "string" && shape.opaque ? "Value" : `Value '${shown(value)}'`;
				return `${text} at '${at}' failed to satisfy constraint: ${rule}`;
			});
	}
}

interface Rule {
	text: string;
	holds(value: unknown): boolean;
}

function rules(shape: Shape): Rule[] {
	if (shape.type === "boolean" || shape.type === "map" || shape.type === "structure") return [];
	const { min, max } = shape;
	const isNumber = shape.type === "integer" || shape.type === "double";
	const size = (value: unknown) => (isNumber ? (value as number) : (value as string | unknown[]).length);
	const what = isNumber ? "value" : "length";
	const found: Rule[] = [];
	if (max !== undefined) {
		found.push({ text: `Member must have ${what} less than or equal to ${max}`, holds: (value) => size(value) <= max });
	}
	if (min !== undefined) {
		found.push({
			text: `Member must have ${what} greater than or equal to ${min}`,
			holds: (value) => size(value) >= min,
		});
	}
	if (shape.type === "string" && shape.pattern !== undefined) {
		const expression = expressionOf(shape.pattern);
		found.push({
			text: `Member must satisfy regular expression pattern: ${shape.pattern}`,
			holds: (value) => expression.test(value as string),
		});
	}
	if (shape.type === "string" && shape.enum !== undefined) {
		const values = shape.enum;
		found.push({
			text: `Member must satisfy enum value set: [${values.join(", ")}]`,
			holds: (value) => values.includes(value as string),
		});
	}
	return found;
}

function brokenRules(shape: Shape, value: unknown): string[] {
	return rules(shape)
		.filter((rule) => !rule.holds(value))
		.map((rule) => rule.text);
}

function allRules(shape: Shape): string {
	return rules(shape)
		.map((rule) => rule.text)
		.join(", ");
}

/** A value as AWS's messages repeat it, cut when it is long. */
function shown(value: unknown): string {
	const text =
		typeof value === "object"
			? `{${Object.entries(value as object)
					.map(([key, item]) => `${key}=${item}`)
					.join(", ")}}`
			: String(value);
	return text.length > 256 ? `${text.slice(0, 256)}…` : text;
}

function notConvertible(at: string, type: string): AwsError {
	return new AwsError("SerializationException", `The value at '${at}' can not be converted to ${type}`);
}
