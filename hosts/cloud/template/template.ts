// The language of provisioning templates: parses a template, and evaluates it for one device into a plan. Pure; changes nothing.
// Grammar and meaning: AWS IoT developer guide, "Provisioning templates" (and CloudFormation's for Fn::Sub).

import { createHash } from "node:crypto";
import { isObject } from "../base/object.js";

/** A template is malformed, or cannot be evaluated with these parameters. */
export class TemplateError extends Error {
	override readonly name = "TemplateError";
}

/** Where a template is used: by fleet provisioning, by just-in-time provisioning, or by the REST operation RegisterThing. */
export type TemplateUse = "FLEET_PROVISIONING" | "JITP" | "BULK";

/** What happens to a property of a resource that exists already. */
export type Override = "DO_NOTHING" | "REPLACE" | "FAIL" | "MERGE";

/** A parsed template. */
export interface Template {
	readonly parameters: ReadonlyMap<string, { readonly defaultValue?: string }>;
	readonly resources: readonly Resource[];
	readonly mappings: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
	readonly deviceConfiguration: Readonly<Record<string, unknown>>;
}

interface Resource {
	readonly logicalName: string;
	readonly type: "AWS::IoT::Thing" | "AWS::IoT::Certificate" | "AWS::IoT::Policy";
	readonly PROPERTIES: Readonly<Record<string, unknown>>;
	/** By property, however the template spells the name. */
	readonly overrideSettings: Readonly<Record<string, Override>>;
}

/** What a template asks for, for one device. */
export interface Plan {
	readonly thing?: ThingPlan;
	readonly certificate?: CertificatePlan;
	/** In the template's order. A policy that is given as a document is named by its hash. */
	readonly policies: readonly {
		readonly policyName: string;
		readonly policyDocument?: string;
		readonly logicalName: string;
	}[];
	readonly deviceConfiguration: Readonly<Record<string, string>>;
}

/** The thing that a template asks for. */
export interface ThingPlan {
	readonly logicalName: string;
	readonly thingName: string;
	readonly attributes?: Readonly<Record<string, string>>;
	readonly thingTypeName?: string;
	readonly thingGroups?: readonly string[];
	readonly billingGroup?: string;
	/** Versions of software by package. Evaluated but not kept, since this cloud has no catalogue of packages. */
	readonly packageVersions?: Readonly<Record<string, string>>;
	/** By property; a property that is absent has no setting. */
	readonly override: Readonly<Record<string, Override>>;
}

/** The certificate that a template asks for, named in one of three forms. */
export interface CertificatePlan {
	readonly logicalName: string;
	readonly certificateId?: string;
	readonly certificateSigningRequest?: string;
	readonly certificatePem?: string;
	readonly caCertificatePem?: string;
	readonly status: "ACTIVE" | "INACTIVE";
	/** How it is attached to the thing. AWS's default: NON_EXCLUSIVE_THING. */
	readonly thingPrincipalType?: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING";
	readonly override?: Override;
}

const properties: Readonly<Record<Resource["type"], readonly string[]>> = {
	"AWS::IoT::Thing": [
		"ThingName",
		"AttributePayload",
		"ThingTypeName",
		"ThingGroups",
		"BillingGroup",
		"PackageVersions",
	],
	"AWS::IoT::Certificate": [
		"CertificateId",
		"CertificateSigningRequest",
		"CertificatePem",
		"CACertificatePem",
		"Status",
		"ThingPrincipalType",
	],
	"AWS::IoT::Policy": ["PolicyName", "PolicyDocument"],
};

/** OverrideSettings by resource type, with the values that each may have. The guide spells their names in several ways. */
const OVERRIDABLE: Readonly<Record<Resource["type"], Readonly<Record<string, readonly Override[]>>>> = {
	"AWS::IoT::Thing": {
		AttributePayload: ["DO_NOTHING", "REPLACE", "FAIL", "MERGE"],
		ThingTypeName: ["DO_NOTHING", "REPLACE", "FAIL"],
		ThingGroups: ["DO_NOTHING", "REPLACE", "FAIL", "MERGE"],
		BillingGroup: ["DO_NOTHING", "REPLACE", "FAIL"],
	},
	"AWS::IoT::Certificate": { Status: ["DO_NOTHING", "REPLACE", "FAIL"] },
	"AWS::IoT::Policy": {},
};

const FUNCTIONS = ["Ref", "Fn::Join", "Fn::Select", "Fn::FindInMap", "Fn::Split", "Fn::Sub"];
const MAXIMUM_DEPTH = 32;
/** How many characters the variables of an Fn::Sub may add. */
const MAXIMUM_SUBSTITUTED = 256 * 1024;

type Json = Readonly<Record<string, unknown>>;

/**
 * Parses the body of a template. References are not resolved: AWS, too, finds an undefined name only when a device registers.
 * @throws TemplateError
 */
export function parseTemplate(body: string, use: TemplateUse = "FLEET_PROVISIONING"): Template {
	let value: unknown;
	try {
		value = JSON.parse(body);
	} catch {
		throw new TemplateError("The template is not JSON.");
	}
	const template = object(value, "The template");
	const fleet = use === "FLEET_PROVISIONING";
	const sections = ["Parameters", "Resources", ...(fleet ? ["Mappings", "DeviceConfiguration"] : [])];
	for (const section of Object.keys(template)) {
		if (!sections.includes(section)) throw new TemplateError(`Unknown section ${section}.`);
	}
	const resources = Object.entries(object(template.Resources, "Resources")).map(([logicalName, resource]) =>
		parseResource(logicalName, resource, use),
	);
	if (resources.length === 0) throw new TemplateError("Resources is empty.");
	for (const type of ["AWS::IoT::Thing", "AWS::IoT::Certificate"]) {
		if (resources.filter((resource) => resource.type === type).length > 1) {
			throw new TemplateError(`There may be only one ${type}.`);
		}
	}
	const parameters = new Map<string, { defaultValue?: string }>();
	for (const [parameter, declaration] of Object.entries(object(template.Parameters ?? {}, "Parameters"))) {
		const { Type: type, Default: defaultValue, ...rest } = object(declaration, `The parameter ${parameter}`);
		if (type !== "String") throw new TemplateError(`The parameter ${parameter} must have the type String.`);
		if (defaultValue !== undefined && typeof defaultValue !== "string") {
			throw new TemplateError(`The default of the parameter ${parameter} must be text.`);
		}
		const unknown = Object.keys(rest)[0];
		if (unknown !== undefined) throw new TemplateError(`The parameter ${parameter} has an unknown member ${unknown}.`);
		parameters.set(parameter, defaultValue === undefined ? {} : { defaultValue });
	}
	const mappings = object(template.Mappings ?? {}, "Mappings");
	for (const [map, keys] of Object.entries(mappings)) {
		for (const [key, values] of Object.entries(object(keys, `The mapping ${map}`))) {
			for (const literal of Object.values(object(values, `${key} of the mapping ${map}`))) {
				const list = Array.isArray(literal) ? literal : [literal];
				if (list.some((item) => typeof item === "object")) {
					throw new TemplateError(`The mapping ${map} may hold literals only.`);
				}
			}
		}
	}
	const deviceConfiguration = object(template.DeviceConfiguration ?? {}, "DeviceConfiguration");
	for (const [key, configured] of Object.entries(deviceConfiguration)) {
		checkFunctions(configured, `DeviceConfiguration.${key}`);
		if (typeof configured === "object" && !isFunction(configured)) {
			throw new TemplateError(`DeviceConfiguration.${key} must be a value; nested objects are not allowed.`);
		}
	}
	return { parameters, resources, mappings: mappings as Template["mappings"], deviceConfiguration };
}

function parseResource(logicalName: string, value: unknown, use: TemplateUse): Resource {
	const where = `The resource ${logicalName}`;
	const resource = object(value, where);
	for (const member of Object.keys(resource)) {
		if (!["Type", "Properties", "OverrideSettings"].includes(member)) {
			throw new TemplateError(`${where} has an unknown member ${member}.`);
		}
	}
	const type = resource.Type as Resource["type"];
	if (typeof type !== "string" || !Object.hasOwn(properties, type)) {
		throw new TemplateError(`${where} must have the type ${Object.keys(properties).join(", ")}.`);
	}
	const given = object(resource.Properties, `Properties of ${logicalName}`);
	for (const property of Object.keys(given)) {
		if (!properties[type].includes(property)) {
			throw new TemplateError(`${where} has an unknown property ${property}.`);
		}
		checkFunctions(given[property], `${logicalName}.${property}`);
	}
	const has = (property: string) => given[property] !== undefined;
	if (type === "AWS::IoT::Thing" && !has("ThingName")) throw new TemplateError(`${where} has no ThingName.`);
	if (type === "AWS::IoT::Policy" && has("PolicyName") === has("PolicyDocument")) {
		throw new TemplateError(
			has("PolicyName")
				? "Both policyName and policyDocument are present in the Template."
				: "Neither policyName nor policyDocument is present in the Template.",
		);
	}
	if (type === "AWS::IoT::Certificate") {
		const forms = ["CertificateId", "CertificateSigningRequest", "CertificatePem"].filter(has);
		if (use === "FLEET_PROVISIONING" && (forms.length !== 1 || forms[0] !== "CertificateId")) {
			throw new TemplateError(`${where} must be named by CertificateId, the only form for fleet provisioning.`);
		}
		if (forms.length !== 1) throw new TemplateError(`${where} must be named in exactly one form.`);
	}
	return {
		logicalName,
		type,
		PROPERTIES: given,
		overrideSettings: parseOverrides(logicalName, type, object(resource.OverrideSettings ?? {}, "OverrideSettings")),
	};
}

function parseOverrides(logicalName: string, type: Resource["type"], settings: Json): Record<string, Override> {
	const plain = (name: string) => name.replaceAll("_", "").toLowerCase();
	return Object.fromEntries(
		Object.entries(settings).map(([setting, value]) => {
			const known = Object.entries(OVERRIDABLE[type]).find(([property]) => plain(property) === plain(setting));
			if (!known) throw new TemplateError(`OverrideSettings of ${logicalName} has an unknown member ${setting}.`);
			const [property, values] = known;
			if (!values.includes(value as Override)) {
				throw new TemplateError(`OverrideSettings.${setting} of ${logicalName} must be one of ${values.join(", ")}.`);
			}
			return [property, value as Override];
		}),
	);
}

function isFunction(value: unknown): value is Json {
	if (!isObject(value)) return false;
	const keys = Object.keys(value);
	return keys.length === 1 && (keys[0] === "Ref" || keys[0]!.startsWith("Fn::"));
}

/** Checks that whatever looks like a function is one, with the right arguments. @throws TemplateError */
function checkFunctions(value: unknown, where: string, depth = 0): void {
	if (depth > MAXIMUM_DEPTH) throw new TemplateError(`${where} is nested too deeply.`);
	if (typeof value !== "object" || value === null) return;
	for (const part of Object.values(value)) checkFunctions(part, where, depth + 1);
	if (!isFunction(value)) return;
	const [[fn, argument]] = Object.entries(value) as [[string, unknown]];
	if (!FUNCTIONS.includes(fn)) throw new TemplateError(`${where} uses the unknown function ${fn}.`);
	const list = (count: number) => Array.isArray(argument) && argument.length === count;
	const good =
		fn === "Ref"
			? typeof argument === "string"
			: fn === "Fn::Sub"
				? typeof argument === "string" || (list(2) && typeof (argument as unknown[])[0] === "string")
				: list(fn === "Fn::FindInMap" ? 3 : 2);
	if (!good) throw new TemplateError(`${where} uses ${fn} with wrong arguments.`);
}

/** What one device brings to a template. */
export interface TemplateInput {
	/** The device's parameters, with the hook's overrides. Those that the template does not declare are ignored. */
	readonly parameters: ReadonlyMap<string, string>;
	/** What `AWS::IoT::Certificate::Id` stands for. */
	readonly certificateId?: string;
}

/** Evaluates a template for one device. @throws TemplateError */
export function evaluateTemplate(template: Template, input: TemplateInput): Plan {
	const evaluation = new Evaluation(template, input);
	let thing: ThingPlan | undefined;
	let certificate: CertificatePlan | undefined;
	const policies: Plan["policies"][number][] = [];
	for (const resource of template.resources) {
		if (resource.type === "AWS::IoT::Thing") thing = planThing(resource, evaluation);
		else if (resource.type === "AWS::IoT::Certificate") certificate = planCertificate(resource, evaluation);
		else policies.push(planPolicy(resource, evaluation));
	}
	return {
		...(thing && { thing }),
		...(certificate && { certificate }),
		policies,
		deviceConfiguration: Object.fromEntries(
			Object.entries(template.deviceConfiguration).map(([key, value]) => [key, evaluation.text(value)]),
		),
	};
}

function planThing({ logicalName, PROPERTIES: given, overrideSettings }: Resource, evaluation: Evaluation): ThingPlan {
	const optional = (property: string) => (given[property] === undefined ? undefined : evaluation.text(given[property]));
	const thingTypeName = optional("ThingTypeName");
	const billingGroup = optional("BillingGroup");
	const texts = (property: string) =>
		given[property] === undefined
			? undefined
			: Object.fromEntries(
					Object.entries(object(given[property], property)).map(([name, value]) => [name, evaluation.text(value)]),
				);
	const attributes = texts("AttributePayload");
	const packageVersions = texts("PackageVersions");
	const thingGroups = given.ThingGroups === undefined ? undefined : evaluation.list(given.ThingGroups);
	return {
		logicalName,
		thingName: evaluation.text(given.ThingName),
		...(attributes && { attributes }),
		...(thingTypeName !== undefined && { thingTypeName }),
		...(thingGroups && { thingGroups }),
		...(billingGroup !== undefined && { billingGroup }),
		...(packageVersions && { packageVersions }),
		override: overrideSettings,
	};
}

function planCertificate(resource: Resource, evaluation: Evaluation): CertificatePlan {
	const { logicalName, PROPERTIES: given, overrideSettings } = resource;
	const optional = (property: string, member: string) =>
		given[property] === undefined ? {} : { [member]: evaluation.text(given[property]) };
	// The guide's samples write "Active".
	const status = given.Status === undefined ? "ACTIVE" : evaluation.text(given.Status).toUpperCase();
	if (status !== "ACTIVE" && status !== "INACTIVE") {
		throw new TemplateError("The Status of a certificate must be ACTIVE or INACTIVE.");
	}
	const type = given.ThingPrincipalType === undefined ? undefined : evaluation.text(given.ThingPrincipalType);
	if (type !== undefined && type !== "EXCLUSIVE_THING" && type !== "NON_EXCLUSIVE_THING") {
		throw new TemplateError("ThingPrincipalType must be EXCLUSIVE_THING or NON_EXCLUSIVE_THING.");
	}
	return {
		logicalName,
		...(type !== undefined && { thingPrincipalType: type }),
		...optional("CertificateId", "certificateId"),
		...optional("CertificateSigningRequest", "certificateSigningRequest"),
		...optional("CertificatePem", "certificatePem"),
		...optional("CACertificatePem", "caCertificatePem"),
		status,
		...(overrideSettings.Status && { override: overrideSettings.Status }),
	};
}

function planPolicy({ logicalName, PROPERTIES: given }: Resource, evaluation: Evaluation): Plan["policies"][number] {
	if (given.PolicyName !== undefined) return { logicalName, policyName: evaluation.text(given.PolicyName) };
	// The guide asks for escaped JSON text, but its samples have an object.
	const value = evaluation.value(given.PolicyDocument);
	const policyDocument = typeof value === "string" ? value : JSON.stringify(value);
	let parsed: unknown;
	try {
		parsed = JSON.parse(policyDocument);
	} catch {
		throw new TemplateError(`PolicyDocument of ${logicalName} is not JSON.`);
	}
	const hash = createHash("sha256").update(canonical(parsed)).digest("hex");
	return { logicalName, policyName: hash, policyDocument };
}

function canonical(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
	if (typeof value !== "object" || value === null) return JSON.stringify(value);
	const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
	return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`;
}

/** Resolves references and functions for one device. */
class Evaluation {
	readonly #template: Template;
	readonly #input: TemplateInput;

	constructor(template: Template, input: TemplateInput) {
		this.#template = template;
		this.#input = input;
	}

	/** A value with all its functions evaluated. */
	value(value: unknown): unknown {
		if (Array.isArray(value)) return value.map((item) => this.value(item));
		if (typeof value !== "object" || value === null) return value;
		if (!isFunction(value)) {
			return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.value(member)]));
		}
		const [[fn, argument]] = Object.entries(value) as [[string, unknown]];
		switch (fn) {
			case "Ref":
				return this.#reference(argument as string);
			case "Fn::Join": {
				const [separator, parts] = argument as [unknown, unknown];
				return this.list(parts).join(this.text(separator));
			}
			case "Fn::Select": {
				const [index, items] = argument as [unknown, unknown];
				const all = this.value(items);
				const item = Array.isArray(all) ? all[this.#index(index)] : undefined;
				if (item === undefined || item === null) throw new TemplateError("Fn::Select found nothing at its index.");
				return item;
			}
			case "Fn::FindInMap": {
				const [map, first, second] = (argument as unknown[]).map((part) => this.text(part));
				let found: unknown = this.#template.mappings;
				for (const key of [map!, first!, second!]) {
					found =
						typeof found === "object" && found !== null && Object.hasOwn(found, key) ? (found as Json)[key] : undefined;
				}
				if (found === undefined) throw new TemplateError(`Fn::FindInMap found nothing at ${map}, ${first}, ${second}.`);
				return found;
			}
			case "Fn::Split": {
				const [separator, text] = (argument as unknown[]).map((part) => this.text(part));
				if (separator === "") throw new TemplateError("Fn::Split needs a separator.");
				return text!.split(separator!);
			}
			default:
				return this.#substitute(argument);
		}
	}

	/** A value that must be text. Numbers and booleans are written as text. */
	text(value: unknown): string {
		const result = this.value(value);
		if (typeof result === "number" || typeof result === "boolean") return String(result);
		if (typeof result !== "string") throw new TemplateError("A value that must be text is not.");
		return result;
	}

	/** A value that must be a list of texts. */
	list(value: unknown): string[] {
		const result = this.value(value);
		if (!Array.isArray(result)) throw new TemplateError("A value that must be a list is not.");
		return result.map((item) => this.text(item));
	}

	#index(value: unknown): number {
		const text = this.text(value);
		if (!/^\d+$/.test(text)) throw new TemplateError("The index of Fn::Select must be a number.");
		return Number(text);
	}

	#reference(name: string): string {
		// This is always the id of the token's certificate, whatever the template declares and the device sends under its name.
		const own = name === "AWS::IoT::Certificate::Id" ? this.#input.certificateId : undefined;
		const declared = this.#template.parameters.get(name);
		const value = own ?? (declared && (this.#input.parameters.get(name) ?? declared.defaultValue));
		if (value === undefined) throw new TemplateError(`Cannot resolve reference value: ${name}`);
		return value;
	}

	#substitute(argument: unknown): string {
		const [text, given] = (Array.isArray(argument) ? argument : [argument, {}]) as [string, unknown];
		const variables = object(given, "The variables of Fn::Sub");
		// Each variable is evaluated once, and the result is bounded, since nested ones would double with every level.
		const values = new Map<string, string>();
		let room = MAXIMUM_SUBSTITUTED;
		return text.replace(/\$\{(!?)([^}]*)\}/g, (_, literal: string, name: string) => {
			if (literal) return `\${${name}}`;
			const key = name.trim();
			const value =
				values.get(key) ?? (Object.hasOwn(variables, key) ? this.text(variables[key]) : this.#reference(key));
			values.set(key, value);
			room -= value.length;
			if (room < 0) throw new TemplateError("Fn::Sub gives too long a text.");
			return value;
		});
	}
}

function object(value: unknown, what: string): Json {
	if (!isObject(value)) throw new TemplateError(`${what} must be an object.`);
	return value;
}
