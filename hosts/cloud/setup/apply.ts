// Brings an account to what a setup describes: what it names is made or changed to be so, what it does not name stays. Must never
// overwrite a key: a certificate is made only where neither its file nor that of its key exists.

import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { AwsError } from "../base/errors.js";
import { type AccessKey, AccessKeyError, parseAccessKeys } from "../control/iam.js";
import { newCredentials } from "../pki/credentials.js";
import type { HookCommand } from "../provisioning/hook.js";
import { fingerprint } from "../registry/certificates.js";
import { limits } from "../registry/limits.js";
import type { Registry } from "../registry/registry.js";
import { type ReadSetup, SetupError } from "./read.js";
import type { SetupClaim, SetupHook, SetupTemplate } from "./schema.js";

type Path = readonly (string | number)[];

/** Where the hooks of a setup's templates are, by their ARNs. */
export interface SetupHooks {
	readonly urls: Readonly<Record<string, string>>;
	readonly commands: Readonly<Record<string, HookCommand>>;
}

/** The hooks of a setup, in the account that it is applied to. */
export function hooksOf({ setup, folder }: ReadSetup, { state }: Pick<Registry, "state">): SetupHooks {
	const urls: Record<string, string> = {};
	const commands: Record<string, HookCommand> = {};
	for (const [name, { hook }] of Object.entries(setup.templates ?? {})) {
		if (hook === undefined) continue;
		const arn = hookArn(state, name, hook);
		if (hook.url !== undefined) urls[arn] = hook.url;
		else commands[arn] = { command: hook.command!, folder };
	}
	return { urls, commands };
}

/** The users of a setup, with their access keys. @throws SetupError */
export function accessKeysOf(read: ReadSetup, accountId: string): AccessKey[] {
	return Object.entries(read.setup.users ?? {}).flatMap(([name, { policies = [], ...key }]) => {
		const documents = policies.map((policy, index) => {
			const path = ["users", name, "policies", index];
			try {
				return JSON.parse(read.document(policy, ...path)) as unknown;
			} catch (error) {
				throw error instanceof SetupError ? error : new SetupError(`${read.at(...path)}: ${policy} is not JSON`);
			}
		});
		try {
			return parseAccessKeys([{ ...key, principal: `arn:aws:iam::${accountId}:user/${name}`, policies: documents }]);
		} catch (error) {
			if (!(error instanceof AccessKeyError)) throw error;
			throw new SetupError(
				`${read.at("users", name)}: ${error.message.replace(/^accessKeys\[0\][.:]? ?/, "").replace(/\.$/, "")}`,
			);
		}
	});
}

/** Applies a setup. @throws SetupError at the first thing that the account does not take */
export async function applySetup(read: ReadSetup, registry: Registry): Promise<void> {
	const { setup, at } = read;
	/** Does one step; what AWS would refuse is told with its place in the file. */
	const step = async <T>(path: Path, work: () => T | Promise<T>): Promise<T> => {
		try {
			return await work();
		} catch (error) {
			if (!(error instanceof AwsError)) throw error;
			throw new SetupError(`${at(...path)}: ${error.message.replace(/\.$/, "")}`);
		}
	};
	const each = async <T>(member: keyof typeof setup, work: (name: string, value: T) => unknown) => {
		for (const [name, value] of Object.entries((setup[member] ?? {}) as Readonly<Record<string, T>>))
			await step([member, name], () => work(name, value));
	};
	type Described = { readonly description?: string };
	await each<Described & { readonly searchableAttributes?: readonly string[] }>("thingTypes", (thingTypeName, type) => {
		const { description, searchableAttributes = [] } = type;
		if (registry.state.thingTypes.has(thingTypeName)) return;
		registry.thingTypes.createThingType({
			thingTypeName,
			thingTypeProperties: {
				searchableAttributes,
				...(description !== undefined && { thingTypeDescription: description }),
			},
		});
	});
	await each<Described>("billingGroups", (billingGroupName, { description }) => {
		if (registry.state.billingGroups.has(billingGroupName)) return;
		registry.billingGroups.createBillingGroup({
			billingGroupName,
			...(description !== undefined && { billingGroupProperties: { billingGroupDescription: description } }),
		});
	});
	for (const [name, value] of Object.entries(setup.policies ?? {}))
		await step(["policies", name], () => putPolicy(registry, name, read.document(value, "policies", name)));
	await each<Described & { readonly parent?: string; readonly policies?: readonly string[] }>(
		"thingGroups",
		(thingGroupName, { description, parent, policies = [] }) => {
			if (!registry.state.thingGroups.has(thingGroupName))
				registry.thingGroups.createThingGroup({
					thingGroupName,
					...(parent !== undefined && { parentGroupName: parent }),
					...(description !== undefined && { thingGroupProperties: { thingGroupDescription: description } }),
				});
			for (const policyName of policies)
				registry.policies.attachPolicy({ policyName, target: registry.thingGroups.arn(thingGroupName) });
		},
	);
	for (const [name, template] of Object.entries(setup.templates ?? {}))
		await step(["templates", name], () =>
			putTemplate(registry, name, template, read.document(template.body, "templates", name, "body")),
		);
	for (const [index, claim] of (setup.claims ?? []).entries())
		await step(["claims", index], () => putCertificate(read, registry, claim, ["claims", index]));
	for (const [thingName, thing] of Object.entries(setup.things ?? {}))
		await step(["things", thingName], async () => {
			const { type, attributes, billingGroup, groups = [], certificate } = thing;
			const properties = {
				thingName,
				...(type !== undefined && { thingTypeName: type }),
				...(billingGroup !== undefined && { billingGroupName: billingGroup }),
				...(attributes !== undefined && { attributePayload: { attributes } }),
			};
			if (registry.things.get(thingName) === undefined) registry.things.createThing(properties);
			else registry.things.updateThing(properties);
			for (const thingGroupName of groups) registry.thingGroups.addThingToThingGroup({ thingName, thingGroupName });
			if (certificate === undefined) return;
			const id = await putCertificate(read, registry, certificate, ["things", thingName, "certificate"]);
			registry.thingPrincipals.attachThingPrincipal({ thingName, principal: registry.certificates.arn(id) });
		});
}

function hookArn(state: Registry["state"], templateName: string, { arn }: SetupHook): string {
	const { region, accountId } = state.account;
	return arn ?? `arn:aws:lambda:${region}:${accountId}:function:${templateName}-hook`;
}

/** Makes a policy, or gives it this document as its newest and default version. */
function putPolicy({ policies, state }: Registry, policyName: string, policyDocument: string): void {
	if (policies.document(policyName) === policyDocument) return;
	const record = state.policies.get(policyName);
	if (record === undefined) policies.createPolicy({ policyName, policyDocument });
	else {
		const oldest = record.versions.find(({ versionId }) => versionId !== record.defaultVersionId);
		if (record.versions.length >= limits.policyVersions)
			policies.deletePolicyVersion({ policyName, policyVersionId: String(oldest!.versionId) });
		policies.createPolicyVersion({ policyName, policyDocument, setAsDefault: true });
	}
}

/** Makes a template, or changes it, with this body as its newest and default version. */
function putTemplate(
	{ templates, state }: Registry,
	templateName: string,
	template: SetupTemplate,
	templateBody: string,
): void {
	const { description, enabled = true, hook, tags = {} } = template;
	const provisioningRoleArn = template.roleArn ?? `arn:aws:iam::${state.account.accountId}:role/provisioning`;
	const preProvisioningHook = hook && {
		targetArn: hookArn(state, templateName, hook),
		...(hook.payloadVersion !== undefined && { payloadVersion: hook.payloadVersion }),
	};
	const properties = {
		templateName,
		enabled,
		provisioningRoleArn,
		...(description !== undefined && { description }),
		...(preProvisioningHook && { preProvisioningHook }),
	};
	const record = templates.get(templateName);
	if (record === undefined) {
		templates.createProvisioningTemplate({
			...properties,
			templateBody,
			tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
		});
		return;
	}
	templates.updateProvisioningTemplate({
		...properties,
		...(hook === undefined && record.preProvisioningHook && { removePreProvisioningHook: true }),
	});
	if (templates.body(templateName) === templateBody) return;
	const oldest = record.versions.find(({ versionId }) => versionId !== record.defaultVersionId);
	if (record.versions.length >= limits.templateVersions)
		templates.deleteProvisioningTemplateVersion({ templateName, versionId: oldest!.versionId });
	templates.createProvisioningTemplateVersion({ templateName, templateBody, setAsDefault: true });
}

/** Registers a certificate, or makes one and writes it, and attaches its policies. Returns its id. */
async function putCertificate(read: ReadSetup, registry: Registry, claim: SetupClaim, path: Path): Promise<string> {
	const certificatePath = resolve(read.folder, claim.certificate);
	const { policies = [], status = "ACTIVE" } = claim;
	const { certificates } = registry;
	let certificateId: string;
	if (existsSync(certificatePath)) certificateId = register(read, registry, claim, certificatePath, path);
	else {
		const keyPath = claim.key === undefined ? undefined : resolve(read.folder, claim.key);
		if (keyPath === undefined)
			throw new SetupError(
				`${read.at(...path, "certificate")}: there is no file ${claim.certificate}: with key, a certificate is made and written`,
			);
		if (existsSync(keyPath))
			throw new SetupError(
				`${read.at(...path, "key")}: ${claim.key} is there without ${claim.certificate}: move it away, and a new certificate is made`,
			);
		const made = await newCredentials(certificates, claim.keyKind ?? "rsa");
		write(keyPath, made.privateKeyPem);
		write(certificatePath, made.certificatePem);
		certificateId = made.certificateId;
	}
	certificates.setStatus(certificateId, status);
	for (const policyName of policies)
		registry.policies.attachPolicy({ policyName, target: certificates.arn(certificateId) });
	return certificateId;
}

function register(read: ReadSetup, { certificates }: Registry, claim: SetupClaim, path: string, at: Path): string {
	const certificatePem = readFileSync(path, "utf8");
	let id: string;
	try {
		id = fingerprint(new Uint8Array(new X509Certificate(certificatePem).raw));
	} catch {
		throw new SetupError(`${read.at(...at, "certificate")}: ${claim.certificate} is not a certificate in PEM`);
	}
	if (certificates.get(id) === undefined) certificates.registerCertificateWithoutCA({ certificatePem });
	return id;
}

/** Writes a file that is not there yet, for its owner alone. */
function write(path: string, text: string): void {
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, text, { mode: 0o600, flag: "wx" });
}
