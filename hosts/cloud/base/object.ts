// What JSON calls an object.

/** What JSON can say. */
export type Json = string | number | boolean | null | Json[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
	readonly [name: string]: Json;
}

/** Whether a value is an object: not a list, and not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
