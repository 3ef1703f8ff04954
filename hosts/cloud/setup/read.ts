// Reads a setup from a JSON or YAML file, checks it by its schema, and finds the files that it names. Whatever is wrong is told with
// file, line, path and what was expected. Must never repeat the value of a secret, or the text of a file with keys.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import { isNode, LineCounter, parseDocument } from "yaml";
import { regionProblem } from "../base/account.js";
import { type FileOrDocument, type Setup, setupSchema } from "./schema.js";

/** A setup that cannot be used; the message says where, and what was expected. */
export class SetupError extends Error {
	override readonly name = "SetupError";
}

/** A setup with the place that it came from. */
export interface ReadSetup {
	readonly setup: Setup;
	/** Folder that its paths begin in, and in which its commands run. */
	readonly folder: string;
	/** The place of a member in words, such as `fleet.yaml:12: policies.device`, for a message that begins with it. */
	at(...path: readonly (string | number)[]): string;
	/** The text of a document: JSON of an object, or what its file holds. @throws SetupError */
	document(value: FileOrDocument, ...path: readonly (string | number)[]): string;
}

/** Reads a file; or takes a setup as it is, whose paths then begin in the current folder. @throws SetupError */
export function readSetup(given: string | Setup): ReadSetup {
	const source = typeof given === "string" ? parse(given) : { value: given, line: () => undefined };
	const at = (...path: readonly (string | number)[]) => {
		const line = source.line(path);
		const where = typeof given === "string" ? `${given}${line === undefined ? "" : `:${line}`}: ` : "";
		return path.length > 0 ? `${where}${dotted(path)}` : `${where}The setup`;
	};
	const folder = typeof given === "string" ? dirname(resolve(given)) : process.cwd();
	const problem = firstProblem(source.value);
	if (problem !== undefined) throw new SetupError(`${at(...problem.path)} ${problem.text}`);
	const setup = source.value as Setup;
	const region = setup.region === undefined ? undefined : regionProblem(setup.region);
	if (region !== undefined) throw new SetupError(`${at("region")} must be ${region}`);
	return {
		setup,
		folder,
		at,
		document(value, ...path) {
			if (typeof value !== "string") return JSON.stringify(value);
			try {
				return readFileSync(resolve(folder, value), "utf8");
			} catch (error) {
				throw new SetupError(`${at(...path)}: ${value} cannot be read (${(error as NodeJS.ErrnoException).code})`);
			}
		},
	};
}

interface Source {
	readonly value: unknown;
	/** The line of a member, from 1. */
	line(path: readonly (string | number)[]): number | undefined;
}

/** JSON is YAML, too, so that one parser reads both, and knows where everything stands. */
function parse(path: string): Source {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (error) {
		throw new SetupError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
	}
	const lineCounter = new LineCounter();
	// The bound on aliases keeps a small file from becoming a huge one.
	const document = parseDocument(text, { lineCounter, prettyErrors: false });
	const [error] = document.errors;
	if (error !== undefined) {
		const what = error.message.split("\n")[0]!.replace(/\.$/, "");
		throw new SetupError(`${path}:${lineCounter.linePos(error.pos[0]).line}: this is neither JSON nor YAML: ${what}`);
	}
	const line = (wanted: readonly (string | number)[]): number | undefined => {
		// A member that is missing has the line of what it is missing in.
		for (let length = wanted.length; length >= 0; length--) {
			const node = length === 0 ? document.contents : document.getIn(wanted.slice(0, length), true);
			if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
		}
		return undefined;
	};
	return { value: document.toJS({ maxAliasCount: 100 }), line };
}

let validate: ReturnType<Ajv2020["compile"]> | undefined;

/** The first thing that is wrong with a setup, by its schema. */
function firstProblem(value: unknown): { path: (string | number)[]; text: string } | undefined {
	// Names are matched like AWS's: by their Unicode characters.
	validate ??= new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true }).compile(setupSchema());
	if (validate(value)) return undefined;
	// What is wrong inside a member says more than that the member is wrong.
	const [error] = [...(validate.errors ?? [])].sort((a, b) => rank(a) - rank(b));
	const path = error!.instancePath
		.split("/")
		.slice(1)
		.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
		.map((part) => (/^\d+$/.test(part) ? Number(part) : part));
	return { path, text: inWords(error!) };
}

const RANKS = ["additionalProperties", "propertyNames"];
function rank({ keyword, schemaPath }: ErrorObject): number {
	if (schemaPath.includes("/oneOf/")) return 3;
	if (keyword === "oneOf") return 2;
	return RANKS.includes(keyword) ? 0 : 1;
}

function inWords({ keyword, params, parentSchema, propertyName }: ErrorObject): string {
	const schema = parentSchema as Readonly<Record<string, unknown>>;
	switch (keyword) {
		case "additionalProperties": {
			const known = Object.keys((schema.properties ?? {}) as object);
			return `has no member ${params.additionalProperty}: it may have ${known.join(", ")}`;
		}
		case "propertyNames":
			return `has a member with a name that is not allowed: ${params.propertyName}`;
		case "required":
			return `lacks ${params.missingProperty}: it must be ${expected(schema)}`;
		default:
			return propertyName === undefined
				? `must be ${expected(schema)}`
				: `has a member with a name that is not allowed: ${propertyName}`;
	}
}

/** What a schema accepts, in words. */
function expected(schema: Readonly<Record<string, unknown>>): string {
	if (typeof schema.description === "string") return schema.description;
	if (Array.isArray(schema.enum)) return `one of ${schema.enum.filter((value) => value !== null).join(", ")}`;
	const { minimum, exclusiveMinimum, maximum } = schema;
	const [type] = [schema.type].flat() as string[];
	const bounds = [
		...(exclusiveMinimum !== undefined ? [`above ${exclusiveMinimum}`] : []),
		...(minimum !== undefined ? [`of at least ${minimum}`] : []),
		...(maximum !== undefined ? [`of at most ${maximum}`] : []),
	].join(" and ");
	const names: Readonly<Record<string, string>> = {
		string: "text",
		number: "a number",
		integer: "a whole number",
		boolean: "true or false",
		array: "a list",
		object: "an object",
	};
	return `${names[type ?? ""] ?? "another value"}${bounds === "" ? "" : ` ${bounds}`}`;
}

function dotted(path: readonly (string | number)[]): string {
	return path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("");
}
