// What a setting is: a default together with the values that it may have. A tree of settings is read, changed and checked here;
// which settings there are stands in settings.ts alone.

import { isObject } from "./object.js";

/** Says which values are allowed when this one is not; `undefined` when it is. */
export type Check = (value: unknown) => string | undefined;

/** A schema in the words of JSON Schema. */
export interface JsonSchema {
	readonly [keyword: string]: unknown;
}

/** One setting. */
export class Setting<T> {
	/** Absent for a setting that has no value unless somebody gives it one. */
	readonly initial: T;
	readonly check: Check;
	/** The values that it may have: what `check` accepts, as data. */
	readonly schema: JsonSchema;

	constructor(initial: T, check: Check, schema: JsonSchema) {
		this.initial = initial;
		this.check = check;
		this.schema = schema;
	}
}

/** Settings by name, in sections by subject. */
export interface Section {
	readonly [name: string]: Setting<unknown> | Section;
}

/** The values of a section, or of one setting. */
export type Values<S> = S extends Setting<infer T> ? T : { -readonly [K in keyof S]: Values<S[K]> };

/** Some of the members of a section, or the whole of a list or a value. */
export type Patch<T> = T extends readonly unknown[]
	? T
	: T extends object
		? { [K in keyof T]?: Patch<T[K]> | null | undefined }
		: T;

/** A number from `least` (0 unless it is given) to `most`. */
export function number(initial: number, least = 0, most?: number): Setting<number> {
	const check: Check = (value) => {
		if (isNumber(value) && value >= least && value <= (most ?? value)) return undefined;
		if (most !== undefined) return `a number from ${least} to ${most}`;
		return least === 0 ? "a number that is not negative" : `a number of at least ${least}`;
	};
	return new Setting(initial, check, {
		type: "number",
		minimum: least,
		...(most !== undefined && { maximum: most }),
	});
}

/** A whole number from 0 to `most`. */
export function whole(initial: number, most: number): Setting<number> {
	const check: Check = (value) =>
		isNumber(value) && Number.isInteger(value) && value <= most ? undefined : `a whole number from 0 to ${most}`;
	return new Setting(initial, check, { type: "integer", minimum: 0, maximum: most });
}

export function flag(initial: boolean): Setting<boolean> {
	return new Setting(initial, (value) => (typeof value === "boolean" ? undefined : "true or false"), {
		type: "boolean",
	});
}

export function text(initial: string): Setting<string> {
	return new Setting(initial, isText, TEXT);
}

/** The schema of any text. */
export const TEXT: JsonSchema = { type: "string" };

/** One of some values. */
export function oneOf<const T>(values: readonly T[], initial: NoInfer<T>): Setting<T> {
	return new Setting<T>(initial, checkOneOf(values), { enum: values });
}

/** A list, empty by default, whose members all pass a check. A patch replaces the whole list. */
export function listOf<T>(check: Check, items: JsonSchema): Setting<T[]> {
	return new Setting<T[]>([], (value) => (Array.isArray(value) ? value.map(check).find(Boolean) : "a list"), {
		type: "array",
		items,
	});
}

/** Values by names that the user chooses, none by default. A patch replaces the whole map. */
export function mapOf<T>(check: Check, wanted: string, values: JsonSchema): Setting<Record<string, T>> {
	const checkAll: Check = (value) => {
		if (!isObject(value)) return wanted;
		return Object.values(value).every((one) => check(one) === undefined) ? undefined : wanted;
	};
	return new Setting<Record<string, T>>({}, checkAll, { type: "object", additionalProperties: values });
}

/** A setting that may be absent. A patch takes it away with `null`. `schema` has a `type`, or an `enum`. */
export function optional<T>(check: Check, schema: JsonSchema, initial?: T): Setting<T | undefined> {
	return new Setting(initial, (value) => (value === undefined ? undefined : check(value)), {
		...schema,
		...(schema.enum !== undefined && { enum: [...(schema.enum as readonly unknown[]), null] }),
		...(schema.type !== undefined && { type: [schema.type, "null"] }),
	});
}

export function checkOneOf(values: readonly unknown[]): Check {
	const wanted = `one of ${values.join(", ")}`;
	return (value) => (values.includes(value) ? undefined : wanted);
}

export const isText: Check = (value) => (typeof value === "string" ? undefined : "text");

export function isNumber(value: unknown): value is number {
	return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** Whether `value` is an object that has none but these members: what is not known must not be kept. */
export function hasOnly(value: unknown, ...names: readonly string[]): value is Record<string, unknown> {
	return isObject(value) && Object.keys(value).every((name) => names.includes(name));
}

/** A new copy of the defaults. */
export function defaultsOf<S extends Section>(section: S): Values<S> {
	const values = Object.entries(section).flatMap(([name, member]) => {
		const value = member instanceof Setting ? structuredClone(member.initial) : defaultsOf(member);
		return value === undefined ? [] : [[name, value] as const];
	});
	return Object.fromEntries(values) as Values<S>;
}

/** A section as JSON Schema: what a patch of it may be. */
export function schemaOf(section: Section): JsonSchema {
	return {
		type: "object",
		additionalProperties: false,
		properties: Object.fromEntries(
			Object.entries(section).map(([name, member]) => [
				name,
				member instanceof Setting
					? { ...member.schema, ...(member.initial !== undefined && { default: member.initial }) }
					: schemaOf(member),
			]),
		),
	};
}

/** Makes `target` what `saved` is, in place: sections stay the objects that they are. */
export function restoreValues(section: Section, target: object, saved: object): void {
	const values = target as Record<string, unknown>;
	const before = saved as Record<string, unknown>;
	for (const [name, member] of Object.entries(section)) {
		if (!(member instanceof Setting)) restoreValues(member, values[name] as object, before[name] as object);
		else if (Object.hasOwn(before, name)) values[name] = structuredClone(before[name]);
		else delete values[name];
	}
}

/** @throws TypeError for a member that does not exist, or a value that is not allowed */
export function checkPatch(section: Section, patch: unknown, path = ""): asserts patch is Record<string, unknown> {
	if (!isObject(patch)) throw new TypeError(`${path ? `The setting ${path}` : "Settings"} must be an object.`);
	for (const [key, value] of Object.entries(patch)) {
		const name = path ? `${path}.${key}` : key;
		const member = Object.hasOwn(section, key) ? section[key] : undefined;
		if (!member) throw new TypeError(`There is no setting ${name}.`);
		if (!(member instanceof Setting)) checkPatch(member, value, name);
		else {
			const wanted = member.check(value ?? undefined);
			if (wanted) throw new TypeError(`The setting ${name} must be ${wanted}.`);
		}
	}
}

/** Writes a patch that has been checked into `target`: settings, for which `absent` is `undefined`, or another patch (`null`). */
export function applyPatch(section: Section, target: object, patch: object, absent: null | undefined): void {
	const values = target as Record<string, unknown>;
	for (const [key, value] of Object.entries(patch)) {
		const member = section[key];
		const before = values[key];
		if (member && !(member instanceof Setting) && isObject(before)) applyPatch(member, before, value, absent);
		else values[key] = structuredClone(value ?? absent);
	}
}
