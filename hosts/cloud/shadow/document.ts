// The document of a device shadow, as values: reads an update, merges it, and says what differs between desired and reported.
// Never keeps anything, and never throws anything but ShadowError. Facts: AWS IoT developer guide, "Device Shadow service documents".

import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject } from "../base/object.js";

/** The two sections of a state, or of its metadata. A section that is empty is absent. */
export interface Sections {
	readonly desired?: JsonObject;
	readonly reported?: JsonObject;
}

/** Why a request is rejected, as the device is told. */
export class ShadowError extends Error {
	override readonly name = "ShadowError";
	/** As in HTTP. */
	readonly code: number;

	constructor(code: number, message: string) {
		super(message);
		this.code = code;
	}
}

/** A request to update a shadow. */
export interface Update {
	/** `null` empties the shadow. */
	readonly state: JsonObject | null;
	/** The version that the shadow must have. */
	readonly version?: number;
}

const SECTIONS = ["desired", "reported"] as const;
/** Longest client token, bytes. */
const CLIENT_TOKEN = 64;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The members of a payload; an empty payload has none. @throws ShadowError when it is not an object of JSON in UTF-8 */
export function readPayload(payload: Uint8Array): JsonObject {
	if (payload.length === 0) return {};
	let text: string;
	try {
		text = utf8.decode(payload);
	} catch {
		throw new ShadowError(415, "Unsupported documented encoding; supported encoding is UTF-8");
	}
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		throw new ShadowError(400, "Invalid JSON");
	}
	if (!isObject(json)) throw new ShadowError(400, "Invalid JSON");
	return json as JsonObject;
}

/** The client token of a request, if it has one. @throws ShadowError when it is not text, or too long */
export function readClientToken({ clientToken }: JsonObject): string | undefined {
	if (clientToken === undefined) return undefined;
	if (typeof clientToken === "string" && Buffer.byteLength(clientToken) <= CLIENT_TOKEN) return clientToken;
	throw new ShadowError(400, "Invalid clientToken");
}

/** Reads an update, whose sections may have `levels` levels of objects and lists. @throws ShadowError */
export function readUpdate(members: JsonObject, levels: number): Update {
	const { state, version } = members;
	if (state === undefined) throw new ShadowError(400, "Missing required node: state");
	if (version !== undefined && version !== null && !(Number.isSafeInteger(version) && (version as number) >= 0)) {
		throw new ShadowError(400, "Invalid version");
	}
	if (state !== null && !isObject(state)) throw new ShadowError(400, "State node must be an object");
	for (const [name, section] of Object.entries(state ?? {})) {
		if (name !== "desired" && name !== "reported") {
			throw new ShadowError(400, `State contains an invalid node: '${name.slice(0, 128)}'`);
		}
		if (section === null) continue;
		if (!isObject(section)) {
			throw new ShadowError(400, `${name === "desired" ? "Desired" : "Reported"} node must be an object`);
		}
		checkNode(section, 1, levels);
	}
	return { state: state as JsonObject | null, ...(typeof version === "number" && { version }) };
}

function checkNode(node: Json, level: number, levels: number): void {
	if (typeof node === "number" && !Number.isFinite(node)) throw new ShadowError(400, "Invalid JSON");
	if (typeof node !== "object" || node === null) return;
	const children = Object.values(node) as Json[];
	if (children.length > 0 && level > levels) {
		throw new ShadowError(400, `JSON contains too many levels of nesting; maximum is ${levels}`);
	}
	// A list is a value, in which nothing can be removed.
	if (Array.isArray(node) && node.includes(null)) throw new ShadowError(400, "State contains an invalid node");
	for (const child of children) checkNode(child, level + 1, levels);
}

/** A state and its metadata after an update. `at`: the time for the metadata of what the update names, s since 1970. */
export function applyUpdate(
	before: { readonly state: Sections; readonly metadata: Sections },
	{ state }: Update,
	at: number,
): { readonly state: Sections; readonly metadata: Sections } {
	if (state === null) return { state: {}, metadata: {} };
	const after: { state: Record<string, JsonObject>; metadata: Record<string, JsonObject> } = {
		state: { ...before.state },
		metadata: { ...before.metadata },
	};
	for (const section of SECTIONS) {
		const patch = state[section];
		if (patch === undefined) continue;
		const merged =
			patch === null ? undefined : merge(before.state[section], before.metadata[section], patch as JsonObject, at);
		delete after.state[section];
		delete after.metadata[section];
		if (!merged) continue;
		after.state[section] = merged.state;
		after.metadata[section] = merged.metadata;
	}
	return after;
}

/** Merges an object into another one; `undefined` when nothing is left. Maps are used because `__proto__` is a name like another. */
function merge(
	state: Json | undefined,
	metadata: Json | undefined,
	patch: JsonObject,
	at: number,
): { readonly state: JsonObject; readonly metadata: JsonObject } | undefined {
	const values = new Map(isObject(state) ? Object.entries(state as JsonObject) : []);
	const times = new Map(isObject(state) ? Object.entries(metadata as JsonObject) : []);
	for (const [name, wanted] of Object.entries(patch)) {
		const merged = isObject(wanted)
			? merge(values.get(name), times.get(name), wanted as JsonObject, at)
			: wanted !== null && { state: wanted, metadata: metadataOf(wanted, at) };
		if (merged) {
			values.set(name, merged.state);
			times.set(name, merged.metadata);
		} else {
			values.delete(name);
			times.delete(name);
		}
	}
	return values.size === 0 ? undefined : { state: Object.fromEntries(values), metadata: Object.fromEntries(times) };
}

/** The metadata of a value that is set at a time (s since 1970): an object or a list of the same form, with times for its values. */
export function metadataOf(value: Json, at: number): Json {
	if (Array.isArray(value)) return value.map((item) => metadataOf(item, at));
	if (!isObject(value)) return { timestamp: at };
	return Object.fromEntries(Object.entries(value as JsonObject).map(([name, item]) => [name, metadataOf(item, at)]));
}

/** What is desired and not reported, with its metadata; `undefined` when there is no difference. */
export function differenceOf(
	state: Sections,
	metadata: Sections,
): { readonly state: JsonObject; readonly metadata: JsonObject } | undefined {
	return state.desired && difference(state.desired, state.reported, metadata.desired!);
}

function difference(
	desired: JsonObject,
	reported: Json | undefined,
	metadata: JsonObject,
): { readonly state: JsonObject; readonly metadata: JsonObject } | undefined {
	const states: [string, Json][] = [];
	const times: [string, Json][] = [];
	for (const [name, wanted] of Object.entries(desired)) {
		const actual = isObject(reported) && Object.hasOwn(reported, name) ? (reported[name] as Json) : undefined;
		if (isDeepStrictEqual(wanted, actual)) continue;
		const nested =
			isObject(wanted) && isObject(actual)
				? difference(wanted as JsonObject, actual as JsonObject, metadata[name] as JsonObject)
				: { state: wanted, metadata: metadata[name]! };
		if (!nested) continue;
		states.push([name, nested.state]);
		times.push([name, nested.metadata]);
	}
	return states.length === 0 ? undefined : { state: Object.fromEntries(states), metadata: Object.fromEntries(times) };
}
