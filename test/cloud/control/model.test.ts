// Every operation against AWS's own model of the service, as botocore (of AWS's command line) has it: method, path, members where
// they belong, which ones are required, and their limits. A limit that the model has not may be here.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import t from "tap";
import { AWS_ERROR_STATUS } from "../../../hosts/cloud/base/errors.js";
import { operationsOf } from "../../../hosts/cloud/control/operations.js";
import { type Members, plainName, type Shape } from "../../../hosts/cloud/control/shapes.js";

interface ModelShape {
	readonly type: string;
	readonly required?: readonly string[];
	readonly members?: Readonly<Record<string, ModelMember>>;
	readonly member?: { readonly shape: string };
	readonly key?: { readonly shape: string };
	readonly value?: { readonly shape: string };
	readonly enum?: readonly string[];
	readonly min?: number;
	readonly max?: number;
	readonly pattern?: string;
	readonly payload?: string;
	readonly error?: { readonly httpStatusCode: number };
	readonly exception?: boolean;
}
interface ModelMember {
	readonly shape: string;
	readonly location?: "uri" | "querystring" | "header";
	readonly locationName?: string;
}
interface Model {
	readonly operations: Readonly<
		Record<
			string,
			{
				readonly http: { readonly method: string; readonly requestUri: string };
				readonly input?: { readonly shape: string };
				readonly errors?: readonly { readonly shape: string }[];
			}
		>
	>;
	readonly shapes: Readonly<Record<string, ModelShape>>;
}

/** Prints the models of three services. Works with the Python that the command line of AWS runs in. */
const SCRIPT = `
import json, botocore.loaders
loader = botocore.loaders.Loader()
print(json.dumps({name: loader.load_service_model(name, "service-2") for name in ["iot", "iot-data", "iot-jobs-data"]}))
`;

async function models(): Promise<Readonly<Record<string, Model>> | undefined> {
	const run = promisify(execFile);
	for (const python of ["python3", "python"]) {
		try {
			const { stdout } = await run(python, ["-c", SCRIPT], { maxBuffer: 256 * 1024 * 1024 });
			return JSON.parse(stdout);
		} catch {}
	}
	return undefined;
}

const known = await models();
const skip = known
	? false
	: "botocore, in which AWS's models are, is not installed (Debian: apt-get install python3-botocore)";

/** How one of our shapes differs from the model's, in words. Limits that the model has not are no difference. */
function differences(model: Model, name: string, ours: Shape, at: string): string[] {
	const theirs = model.shapes[name]!;
	const found: string[] = [];
	const say = (what: string, is: unknown, should: unknown) => found.push(`${at}: ${what} is ${is}, not ${should}`);
	const types: Readonly<Record<string, string>> = { long: "integer", float: "double", timestamp: "integer" };
	const type = types[theirs.type] ?? theirs.type;
	if (type !== ours.type) say("type", ours.type, type);
	const limits = ours as { min?: number; max?: number; pattern?: string; enum?: readonly string[] };
	for (const limit of ["min", "max", "pattern"] as const) {
		// A shortest length of 0 says nothing.
		if (theirs[limit] === undefined || (limit === "min" && theirs[limit] === 0)) continue;
		if (limits[limit] !== theirs[limit]) say(limit, limits[limit], theirs[limit]);
	}
	if (theirs.enum && `${[...(limits.enum ?? [])].sort()}` !== `${[...theirs.enum].sort()}`)
		say("enum", limits.enum, theirs.enum);
	if (ours.type === "list" && theirs.member)
		found.push(...differences(model, theirs.member.shape, ours.member, `${at}[]`));
	if (ours.type === "map" && theirs.key && theirs.value) {
		found.push(...differences(model, theirs.key.shape, ours.key, `${at}{key}`));
		found.push(...differences(model, theirs.value.shape, ours.value, `${at}{value}`));
	}
	if (ours.type === "structure") found.push(...memberDifferences(model, theirs, ours.members, at));
	return found;
}

function memberDifferences(model: Model, theirs: ModelShape, members: Members, at: string): string[] {
	const ours = new Map(Object.entries(members).map(([starred, shape]) => [plainName(starred), shape]));
	const required = Object.keys(members)
		.filter((name) => name.endsWith("*"))
		.map(plainName);
	const found: string[] = [];
	for (const [name, member] of Object.entries(theirs.members ?? {})) {
		const shape = ours.get(name);
		if (!shape) found.push(`${at}.${name}: missing`);
		else found.push(...differences(model, member.shape, shape, `${at}.${name}`));
		ours.delete(name);
	}
	for (const name of ours.keys()) found.push(`${at}.${name}: not in the model`);
	const wanted = (theirs.required ?? []).filter((name) => theirs.members![name]);
	if (`${[...required].sort()}` !== `${[...wanted].sort()}`)
		found.push(`${at}: required are ${required}, not ${wanted}`);
	return found;
}

/** The members of an operation's input that are at one place, by the name that they have there. */
function membersAt(input: ModelShape, location: ModelMember["location"]): ModelShape {
	const entries = Object.entries(input.members ?? {}).filter(
		([name, member]) => member.location === location && name !== input.payload,
	);
	return {
		type: "structure",
		members: Object.fromEntries(entries.map(([name, member]) => [member.locationName ?? name, member])),
		required: entries
			.filter(([name]) => input.required?.includes(name))
			.map(([name, member]) => member.locationName ?? name),
	};
}

t.test("Every operation is as AWS's models have it", { skip }, async (t) => {
	let count = 0;
	for (const [service, name] of [
		["iot", "iot"],
		["iotdata", "iot-data"],
		["iot-jobs-data", "iot-jobs-data"],
	] as const) {
		const model = known![name]!;
		const found: string[] = [];
		for (const [operationName, operation] of Object.entries(operationsOf[service])) {
			const at = `${service}.${operationName}`;
			const theirs = model.operations[operationName];
			if (!theirs) {
				found.push(`${at}: not in the model`);
				continue;
			}
			count++;
			const http = `${theirs.http.method} ${theirs.http.requestUri.replace(/\?.*$/, "")}`;
			if (`${operation.method} ${operation.path}` !== http) found.push(`${at}: ${operation.path} is not ${http}`);
			const input = model.shapes[theirs.input?.shape ?? ""] ?? { type: "structure" };
			const starred = (members: Members) =>
				Object.fromEntries(Object.entries(members).map(([key, shape]) => [`${key}*`, shape]));
			found.push(...memberDifferences(model, membersAt(input, "uri"), starred(operation.pathMembers), at));
			found.push(...memberDifferences(model, membersAt(input, "querystring"), operation.queryMembers, at));
			found.push(...memberDifferences(model, membersAt(input, undefined), operation.bodyMembers, at));
			if (operation.payloadMember !== input.payload) found.push(`${at}: the body is not ${input.payload}`);
			const headers = Object.keys(membersAt(input, "header").members ?? {}).sort();
			const ours = Object.values({ ...operation.headerMembers, ...operation.optionalHeaderMembers }).sort();
			if (`${headers}` !== `${ours}`) found.push(`${at}: headers are ${ours}, not ${headers}`);
			for (const { shape } of theirs.errors ?? []) {
				const status = model.shapes[shape]!.error?.httpStatusCode;
				const of = AWS_ERROR_STATUS[shape as keyof typeof AWS_ERROR_STATUS];
				// The server gives this one the status of the service.
				if (shape === "ThrottlingException") continue;
				if (of !== undefined && status !== undefined && of !== status)
					found.push(`${at}: ${shape} is ${of}, not ${status}`);
			}
		}
		t.same(found, [], `${service}: 0 differences`);
	}
	t.ok(count > 60, `${count} operations`);
});
