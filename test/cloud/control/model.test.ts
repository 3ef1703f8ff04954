// Every operation is as AWS's published service model has it: method, path, where each member is, its type, and which members must be
// there. The judge is the model that AWS's SDK for JavaScript carries.

import * as sdk from "@aws-sdk/client-iot";
import t from "tap";
import type { Operation } from "../../../hosts/cloud/control/operation.js";
import { operations } from "../../../hosts/cloud/control/operations.js";
import { plainName, type Shape } from "../../../hosts/cloud/control/shapes.js";

/** A schema of the SDK: a simple one by its number, a list, a map, a structure, a union; perhaps with traits. */
type Schema = number | readonly unknown[] | (() => Schema);
type Traits = number | Readonly<Record<string, unknown>>;

const [TEXT, NUMBER, BOOLEAN] = [0, 1, 2];
const [LIST, MAP, STRUCTURE, UNION] = [1, 2, 3, 4];
const HTTP_LABEL = 1;
const HTTP_PAYLOAD = 16;

/** A schema without its traits, and the traits. */
function resolved(schema: Schema): { readonly schema: number | readonly unknown[]; readonly traits: Traits } {
	const whole = typeof schema === "function" ? schema() : schema;
	if (Array.isArray(whole) && whole.length === 2) {
		const inner = resolved(whole[0] as Schema);
		return { schema: inner.schema, traits: whole[1] as Traits };
	}
	return { schema: whole as number | readonly unknown[], traits: 0 };
}

interface Structure {
	readonly members: readonly (readonly [name: string, schema: Schema, isRequired: boolean])[];
}

function structureOf(schema: readonly unknown[]): Structure {
	const [, , , , names, schemas, required = 0] = schema as [0, 0, 0, 0, string[], Schema[], number?];
	return { members: names.map((name, index) => [name, schemas[index]!, index < required] as const) };
}

/** What is different in the type of a member. */
function typeDifferences(shape: Shape, model: Schema, at: string): string[] {
	const { schema } = resolved(model);
	const differs = (what: string) => [`${at} is ${what} in the model, and ${shape.type} here`];
	if (typeof schema === "number") {
		const kinds: Readonly<Record<number, readonly Shape["type"][]>> = {
			[TEXT!]: ["string"],
			[NUMBER!]: ["integer", "double"],
			[BOOLEAN!]: ["boolean"],
			// A list or a map of texts.
			64: ["list"],
			128: ["map"],
		};
		return (kinds[schema] ?? ["string"]).includes(shape.type) ? [] : differs(`schema ${schema}`);
	}
	switch (schema[0]) {
		case LIST:
			return shape.type === "list" ? typeDifferences(shape.member, schema[4] as Schema, `${at}[]`) : differs("a list");
		case MAP:
			return shape.type === "map" ? typeDifferences(shape.value, schema[5] as Schema, `${at}.*`) : differs("a map");
		case STRUCTURE:
		case UNION:
			return shape.type === "structure"
				? memberDifferences(shape.members, structureOf(schema), at)
				: differs("a structure");
		default:
			return shape.type === "string" ? [] : differs(`of kind ${schema[0]}`);
	}
}

function memberDifferences(ours: Readonly<Record<string, Shape>>, model: Structure, at: string): string[] {
	const here = new Map(Object.entries(ours).map(([starred, shape]) => [plainName(starred), { starred, shape }]));
	return [
		...[...here.keys()]
			.filter((name) => !model.members.some(([known]) => known === name))
			.map((name) => `${at}.${name} is not in the model`),
		...model.members.flatMap(([name, schema, isRequired]) => {
			const own = here.get(name);
			if (own === undefined) return [`${at}.${name} is missing`];
			return [
				...(own.starred.endsWith("*") === isRequired ? [] : [`${at}.${name} is required in one place only`]),
				...typeDifferences(own.shape, schema, `${at}.${name}`),
			];
		}),
	];
}

/** What is different between an operation and the model's. */
function differences(name: string, ours: Operation): string[] {
	const model = (sdk as unknown as Record<string, readonly unknown[]>)[`${name}$`];
	if (model === undefined) return [`${name} is not in the model`];
	const [, , , { http }, input] = model as [0, 0, 0, { http: [string, string, number] }, Schema];
	const request = structureOf(resolved(input).schema as readonly unknown[]);
	const [method, path] = http;
	const found: string[] = [];
	if (ours.method !== method || ours.path !== path.replace(/\?.*$/, ""))
		found.push(`${name} is ${method} ${path} in the model, and ${ours.method} ${ours.path} here`);
	const body: [string, Schema, boolean][] = [];
	const query: Record<string, readonly [Schema, boolean]> = {};
	const labels = new Set<string>();
	const headers: Record<string, string> = {};
	for (const [member, schema, isRequired] of request.members) {
		const { schema: plain, traits } = resolved(schema);
		if (traits === HTTP_LABEL) labels.add(member);
		else if (traits === HTTP_PAYLOAD)
			body.push(
				...structureOf(plain as readonly unknown[]).members.map((one) => [...one] as [string, Schema, boolean]),
			);
		else if (typeof traits === "object" && typeof traits.httpQuery === "string")
			query[traits.httpQuery] = [plain as Schema, isRequired];
		else if (typeof traits === "object" && typeof traits.httpHeader === "string") headers[member] = traits.httpHeader;
		else body.push([member, schema, isRequired]);
	}
	if (ours.tagsHeader !== undefined) {
		if (headers.tags !== ours.tagsHeader) found.push(`${name}: tags are not in the header ${ours.tagsHeader}`);
		delete headers.tags;
	}
	const { tags: _, ...bodyWithoutTags } = ours.bodyMembers;
	return [
		...found,
		...([...labels].sort().join() === Object.keys(ours.pathMembers).sort().join()
			? []
			: [`${name}: members of the path`]),
		...(JSON.stringify(headers) === JSON.stringify(ours.headerMembers) ? [] : [`${name}: members in headers`]),
		...memberDifferences(
			ours.queryMembers,
			{ members: Object.entries(query).map(([key, [schema, isRequired]]) => [key, schema, isRequired] as const) },
			`${name} (query)`,
		),
		...memberDifferences(ours.tagsHeader === undefined ? ours.bodyMembers : bodyWithoutTags, { members: body }, name),
	];
}

t.test("there is no difference to the service model", async (t) => {
	const all = Object.entries(operations) as [string, Operation][];
	t.same(
		all.flatMap(([name, operation]) => differences(name, operation)),
		[],
	);
	t.comment(`${all.length} operations`);
});

t.test("a difference would be found", async (t) => {
	const { CreateTopicRule, ListThings } = operations as unknown as Record<string, Operation>;
	t.same(differences("ListThings", { ...ListThings!, queryMembers: {} }).length, 6);
	t.match(differences("CreateTopicRule", { ...CreateTopicRule!, bodyMembers: { sql: { type: "integer" } } }), [
		"CreateTopicRule.sql is required in one place only",
		"CreateTopicRule.sql is schema 0 in the model, and integer here",
		"CreateTopicRule.actions is missing",
	]);
	t.match(differences("GetThing", ListThings!), ["GetThing is not in the model"]);
});
