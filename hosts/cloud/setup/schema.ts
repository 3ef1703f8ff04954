// What a setup may hold, as types and as JSON Schema. The published docs/setup.schema.json is made from this file.

import type { JsonSchema } from "../base/setting.js";
import { type SettingsPatch, settingsSchema } from "../base/settings.js";
import { forms, type TextForm } from "../registry/forms.js";

/** A JSON document: itself, or the path of its file, from the folder of the setup file. */
export type FileOrDocument = string | Readonly<Record<string, unknown>>;

/** What stands for a pre-provisioning hook: a URL or a command. */
export interface SetupHook {
	/** Is sent the request as JSON with POST. */
	readonly url?: string;
	/** A line of the system's shell, run in the folder of the setup file: JSON in, JSON out. */
	readonly command?: string;
	/** The hook's `targetArn`, such as that of the Lambda function which it stands for. Made up from the template's name by default. */
	readonly arn?: string;
	/** Passed on to the hook. */
	readonly payloadVersion?: string;
}

/** A provisioning template. */
export interface SetupTemplate {
	/** The template's body. */
	readonly body: FileOrDocument;
	/** Words for people. */
	readonly description?: string;
	/** Default true. */
	readonly enabled?: boolean;
	/** The provisioning role. Made up by default, since nobody assumes it. */
	readonly roleArn?: string;
	/** Called before each registration. */
	readonly hook?: SetupHook;
	/** Tags by key. */
	readonly tags?: Readonly<Record<string, string>>;
}

/** A certificate that may provision, or one of a device. */
export interface SetupClaim {
	/** PEM file. It is registered; or, when it is not there and `key` is given, made and written. */
	readonly certificate: string;
	/** PEM file of its private key. It is read by nobody here, and only ever written together with a new certificate. */
	readonly key?: string;
	/** Kind of the key of a certificate that is made: RSA-2048 (default), or EC on P-256. */
	readonly keyKind?: "rsa" | "ec";
	/** Names of policies that are attached to it. */
	readonly policies?: readonly string[];
	/** Default ACTIVE. */
	readonly status?: "ACTIVE" | "INACTIVE";
}

/** A thing. */
export interface SetupThing {
	/** Name of its type. */
	readonly type?: string;
	/** Attributes by name. */
	readonly attributes?: Readonly<Record<string, string>>;
	/** Names of its groups. */
	readonly groups?: readonly string[];
	/** Name of its billing group. */
	readonly billingGroup?: string;
	/** Its certificate, made or registered like a claim. */
	readonly certificate?: SetupClaim;
}

/** A user of IAM with one access key. */
export interface SetupUser {
	/** As the user signs with it. */
	readonly accessKeyId: string;
	/** Secret: only for keys that are good for nothing else. */
	readonly secretAccessKey: string;
	/** IAM policies: what the user may do. None: nothing. */
	readonly policies?: readonly FileOrDocument[];
}

/** What a cloud begins with, and what `reset` brings back. */
export interface Setup {
	/** For editors: where the schema of this file is. */
	readonly $schema?: string;
	/** 12 digits, as text. */
	readonly account?: string;
	/** Such as `eu-west-1`. */
	readonly region?: string;
	/** Any of the settings. */
	readonly settings?: SettingsPatch;
	/** Policy documents by name. */
	readonly policies?: Readonly<Record<string, FileOrDocument>>;
	/** Provisioning templates by name. */
	readonly templates?: Readonly<Record<string, SetupTemplate>>;
	/** Certificates that may provision. */
	readonly claims?: readonly SetupClaim[];
	/** Thing types by name. */
	readonly thingTypes?: Readonly<
		Record<string, { readonly description?: string; readonly searchableAttributes?: readonly string[] }>
	>;
	/** Thing groups by name, a parent before its children. */
	readonly thingGroups?: Readonly<
		Record<
			string,
			{
				readonly description?: string;
				/** Name of the group that it is in; absent at the top. */
				readonly parent?: string;
				readonly policies?: readonly string[];
			}
		>
	>;
	/** Billing groups by name. */
	readonly billingGroups?: Readonly<Record<string, { readonly description?: string }>>;
	/** Things by name. */
	readonly things?: Readonly<Record<string, SetupThing>>;
	/** Users of IAM by name. When there are any, signatures are checked. */
	readonly users?: Readonly<Record<string, SetupUser>>;
}

const text = (description: string, more: JsonSchema = {}): JsonSchema => ({ type: "string", description, ...more });
const object = (
	description: string,
	properties: Readonly<Record<string, JsonSchema>>,
	required: readonly string[] = [],
): JsonSchema => ({
	type: "object",
	description,
	additionalProperties: false,
	properties,
	...(required.length > 0 && { required }),
});
const list = (description: string, items: JsonSchema): JsonSchema => ({ type: "array", description, items });
const byName = (description: string, values: JsonSchema, name: TextForm): JsonSchema => ({
	type: "object",
	description,
	propertyNames: { pattern: `^(?:${name.pattern})$`, minLength: name.min ?? 0, maxLength: name.max },
	additionalProperties: values,
});
const fileOrDocument = (description: string): JsonSchema => ({ type: ["string", "object"], description });
const textsByName = (description: string): JsonSchema => ({
	type: "object",
	description,
	additionalProperties: { type: "string", description: "text" },
});

const names = list("a list of names", text("a name"));
const description = text("text");

const certificate = object(
	"an object with certificate, and perhaps key, keyKind, policies, status",
	{
		certificate: text("the path of a PEM file", { minLength: 1 }),
		key: text("the path of a PEM file", { minLength: 1 }),
		keyKind: { enum: ["rsa", "ec"] },
		policies: names,
		status: { enum: ["ACTIVE", "INACTIVE"] },
	},
	["certificate"],
);

const hook: JsonSchema = {
	...object("an object with either url or command", {
		url: text("an http or https URL", { pattern: "^https?://" }),
		command: text("a command for the shell", { minLength: 1 }),
		arn: text("an ARN", { pattern: "^arn:", maxLength: forms.hookTarget.max }),
		payloadVersion: text("10 to 32 digits and hyphens, such as 2020-04-01", { pattern: "^[0-9-]{10,32}$" }),
	}),
	oneOf: [{ required: ["url"] }, { required: ["command"] }],
};

/** The schema of a setup, draft 2020-12. */
export function setupSchema(): JsonSchema {
	return {
		$schema: "https://json-schema.org/draft/2020-12/schema",
		title: "Setup of a local AWS IoT (fleet cloud --setup, startCloud({ setup }))",
		...object("an object", {
			$schema: text("a URL or a path"),
			account: text('the 12 digits of an account\'s id as text, in quotes: "123456789012"', { pattern: "^\\d{12}$" }),
			region: text("the code of an AWS region, such as eu-west-1", { pattern: "^[a-z]{2}(-[a-z]+)+-\\d$" }),
			settings: { ...settingsSchema(), description: "an object of settings" },
			policies: byName(
				"an object of policies by name",
				fileOrDocument("a policy document, or the path of a JSON file"),
				forms.policyName,
			),
			templates: byName(
				"an object of templates by name",
				object(
					"an object with body, and perhaps description, enabled, roleArn, hook, tags",
					{
						body: fileOrDocument("a template's body, or the path of a JSON file"),
						description,
						enabled: { type: "boolean", default: true },
						roleArn: text("the ARN of a role", { pattern: "^arn:", minLength: forms.roleArn.min }),
						hook,
						tags: textsByName("an object of texts"),
					},
					["body"],
				),
				forms.templateName,
			),
			claims: list("a list of claims", certificate),
			thingTypes: byName(
				"an object of thing types by name",
				object("an object", { description, searchableAttributes: names }),
				forms.resourceName,
			),
			thingGroups: byName(
				"an object of thing groups by name",
				object("an object", { description, parent: text("the name of a group above"), policies: names }),
				forms.resourceName,
			),
			billingGroups: byName(
				"an object of billing groups by name",
				object("an object", { description }),
				forms.resourceName,
			),
			things: byName(
				"an object of things by name",
				object("an object", {
					type: text("the name of a thing type"),
					attributes: textsByName("an object of texts"),
					groups: names,
					billingGroup: text("the name of a billing group"),
					certificate,
				}),
				forms.resourceName,
			),
			users: byName(
				"an object of users by name",
				object(
					"an object with accessKeyId, secretAccessKey, and perhaps policies",
					{
						accessKeyId: text("4 to 128 letters and digits", { pattern: "^\\w{4,128}$" }),
						secretAccessKey: text("text", { minLength: 1 }),
						policies: list("a list of IAM policies", fileOrDocument("a policy document, or the path of a JSON file")),
					},
					["accessKeyId", "secretAccessKey"],
				),
				{ type: "string", min: 1, max: 64, pattern: "[\\w+=,.@-]+" },
			),
		}),
	};
}
