// Provisioning templates and their versions, by AWS's rules. What a template means is the business of ../template/.

import { AwsError } from "../base/errors.js";
import type { ProvisioningHook, TemplateRecord } from "../state/state.js";
import { parseTemplate } from "../template/template.js";
import { arn, type RegistryContext, requireRow, seconds } from "./context.js";
import { forms, isOfForm } from "./forms.js";
import { checkDescription, checkRoleArn, checkTemplateName, demand, inWords, limits, type Tag } from "./limits.js";
import { page } from "./paging.js";
import type { Tags } from "./tags.js";

/** Operations on provisioning templates. Requests and responses are those of the AWS operation of the same name. */
export class Templates {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** The template of this name, if there is one. */
	get(templateName: string): TemplateRecord | undefined {
		return this.#context.state.templates.get(templateName);
	}

	/** ARN of a template. */
	arn(templateName: string): string {
		return arn(this.#context.state, "provisioningtemplate", templateName);
	}

	/** The body in force. */
	body(templateName: string): string | undefined {
		const record = this.get(templateName);
		return record && version(record, record.defaultVersionId)!.templateBody;
	}

	/** Version 1 becomes the default. `enabled` left out means disabled, as with AWS. */
	createProvisioningTemplate(request: {
		templateName: string;
		description?: string;
		templateBody: string;
		enabled?: boolean;
		provisioningRoleArn: string;
		preProvisioningHook?: ProvisioningHook;
		tags?: readonly Tag[];
		type?: string;
	}) {
		const { state, now } = this.#context;
		const templateName = checkTemplateName(request.templateName);
		const { type = "FLEET_PROVISIONING", enabled = false, description } = request;
		demand(type === "FLEET_PROVISIONING" || type === "JITP", "type must be FLEET_PROVISIONING or JITP");
		demand(typeof enabled === "boolean", "enabled must be true or false");
		const templateBody = checkBody(request.templateBody, type);
		const provisioningRoleArn = checkRoleArn(request.provisioningRoleArn);
		const hook = request.preProvisioningHook;
		demand(hook === undefined || type === "FLEET_PROVISIONING", "Only fleet provisioning templates have hooks");
		if (state.templates.has(templateName)) {
			throw new AwsError("ResourceAlreadyExistsException", `Template with name ${templateName} already exists`, {
				resourceId: templateName,
				resourceArn: this.arn(templateName),
			});
		}
		const record: TemplateRecord = {
			templateName,
			...(description !== undefined && { description: checkDescription(description) }),
			enabled,
			provisioningRoleArn,
			...(hook !== undefined && { preProvisioningHook: checkHook(hook) }),
			type,
			defaultVersionId: 1,
			lastVersionId: 1,
			versions: [{ versionId: 1, templateBody, creationDate: now() }],
			creationDate: now(),
			lastModifiedDate: now(),
		};
		state.transaction(() => {
			state.templates.put(templateName, record);
			this.#tags.set(this.arn(templateName), request.tags);
		});
		return { templateArn: this.arn(templateName), templateName, defaultVersionId: 1 };
	}

	/** Adds a version; at most 5 exist at a time. */
	createProvisioningTemplateVersion(request: { templateName: string; templateBody: string; setAsDefault?: boolean }) {
		const { state, now } = this.#context;
		const record = this.#requireTemplate(request.templateName);
		const templateBody = checkBody(request.templateBody, record.type);
		if (record.versions.length >= limits.templateVersions) {
			throw new AwsError(
				"VersionsLimitExceededException",
				`The template ${record.templateName} already has the maximum number of versions (${limits.templateVersions})`,
			);
		}
		const versionId = record.lastVersionId + 1;
		state.transaction(() =>
			state.templates.put(record.templateName, {
				...record,
				lastVersionId: versionId,
				versions: [...record.versions, { versionId, templateBody, creationDate: now() }],
				...(request.setAsDefault && { defaultVersionId: versionId, lastModifiedDate: now() }),
			}),
		);
		return {
			templateArn: this.arn(record.templateName),
			templateName: record.templateName,
			versionId,
			isDefaultVersion: request.setAsDefault === true,
		};
	}

	/** A template with its body in force. */
	describeProvisioningTemplate(request: { templateName: string }) {
		const record = this.#requireTemplate(request.templateName);
		return {
			...this.#listed(record),
			defaultVersionId: record.defaultVersionId,
			templateBody: this.body(record.templateName)!,
			provisioningRoleArn: record.provisioningRoleArn,
			...(record.preProvisioningHook && { preProvisioningHook: record.preProvisioningHook }),
		};
	}

	/** One version of a template with its body. */
	describeProvisioningTemplateVersion(request: { templateName: string; versionId: number | string }) {
		const record = this.#requireTemplate(request.templateName);
		const { versionId, creationDate, templateBody } = this.#version(record, request.versionId);
		return {
			versionId,
			creationDate: seconds(creationDate),
			templateBody,
			isDefaultVersion: versionId === record.defaultVersionId,
		};
	}

	/** Templates ordered by name. */
	listProvisioningTemplates(request: { maxResults?: number; nextToken?: string } = {}) {
		const { items, next } = page(
			[...this.#context.state.templates.values()],
			(record) => record.templateName,
			request.maxResults,
			request.nextToken,
		);
		return { templates: items.map((record) => this.#listed(record)), ...(next && { nextToken: next }) };
	}

	/** The versions of a template. */
	listProvisioningTemplateVersions(request: { templateName: string; maxResults?: number; nextToken?: string }) {
		const record = this.#requireTemplate(request.templateName);
		const { items, next } = page(
			record.versions,
			({ versionId }) => String(versionId).padStart(10, "0"),
			request.maxResults,
			request.nextToken,
		);
		return {
			versions: items.map(({ versionId, creationDate }) => ({
				versionId,
				creationDate: seconds(creationDate),
				isDefaultVersion: versionId === record.defaultVersionId,
			})),
			...(next && { nextToken: next }),
		};
	}

	/** Neither body nor name nor type can be changed. */
	updateProvisioningTemplate(request: {
		templateName: string;
		description?: string;
		enabled?: boolean;
		defaultVersionId?: number;
		provisioningRoleArn?: string;
		preProvisioningHook?: ProvisioningHook;
		removePreProvisioningHook?: boolean;
	}): void {
		const { state, now } = this.#context;
		const { preProvisioningHook: hookBefore, ...record } = this.#requireTemplate(request.templateName);
		const { description, enabled, defaultVersionId, provisioningRoleArn, preProvisioningHook: hook } = request;
		demand(enabled === undefined || typeof enabled === "boolean", "enabled must be true or false");
		demand(!(hook && request.removePreProvisioningHook), "A hook cannot be set and removed at once");
		demand(hook === undefined || record.type === "FLEET_PROVISIONING", "Only fleet provisioning templates have hooks");
		const hookAfter = request.removePreProvisioningHook ? undefined : hook === undefined ? hookBefore : checkHook(hook);
		const after: TemplateRecord = {
			...record,
			...(description !== undefined && { description: checkDescription(description) }),
			...(enabled !== undefined && { enabled }),
			...(defaultVersionId !== undefined && {
				defaultVersionId: this.#version({ ...record }, defaultVersionId).versionId,
			}),
			...(provisioningRoleArn !== undefined && { provisioningRoleArn: checkRoleArn(provisioningRoleArn) }),
			...(hookAfter && { preProvisioningHook: hookAfter }),
			lastModifiedDate: now(),
		};
		state.transaction(() => state.templates.put(record.templateName, after));
	}

	/** The default version cannot be deleted (judged; AWS's rule is not established). */
	deleteProvisioningTemplateVersion(request: { templateName: string; versionId: number | string }): void {
		const { state } = this.#context;
		const record = this.#requireTemplate(request.templateName);
		const { versionId } = this.#version(record, request.versionId);
		if (versionId === record.defaultVersionId) {
			throw new AwsError("DeleteConflictException", "Cannot delete the default version of a template");
		}
		state.transaction(() =>
			state.templates.put(record.templateName, {
				...record,
				versions: record.versions.filter((entry) => entry.versionId !== versionId),
			}),
		);
	}

	/** Its versions go with it (judged). */
	deleteProvisioningTemplate(request: { templateName: string }): void {
		const { state } = this.#context;
		const { templateName } = this.#requireTemplate(request.templateName);
		state.transaction(() => {
			state.templates.delete(templateName);
			this.#tags.remove(this.arn(templateName));
		});
	}

	#listed(record: TemplateRecord) {
		return {
			templateArn: this.arn(record.templateName),
			templateName: record.templateName,
			...(record.description !== undefined && { description: record.description }),
			creationDate: seconds(record.creationDate),
			lastModifiedDate: seconds(record.lastModifiedDate),
			enabled: record.enabled,
			type: record.type,
		};
	}

	#requireTemplate(templateName: unknown): TemplateRecord {
		const name = checkTemplateName(templateName);
		return requireRow(this.get(name), `Template with name ${name} does not exist`);
	}

	#version(record: TemplateRecord, versionId: unknown) {
		demand(/^[0-9]+$/.test(String(versionId)), "versionId must be a number");
		return requireRow(
			version(record, Number(versionId)),
			`Version ${versionId} of the template ${record.templateName} does not exist`,
		);
	}
}

function version(record: TemplateRecord, wanted: number) {
	return record.versions.find(({ versionId }) => versionId === wanted);
}

function checkBody(body: unknown, type: TemplateRecord["type"]): string {
	demand(typeof body === "string", "templateBody must be text");
	demand(isOfForm(body, forms.templateBody), `templateBody must ${inWords(forms.templateBody)}`);
	try {
		parseTemplate(body, type);
	} catch (error) {
		throw new AwsError("InvalidRequestException", `Invalid provisioning template. ${(error as Error).message}`);
	}
	return body;
}

function checkHook(hook: unknown): ProvisioningHook {
	demand(typeof hook === "object" && hook !== null, "preProvisioningHook must be an object");
	const { payloadVersion, targetArn } = hook as Record<string, unknown>;
	demand(
		isOfForm(targetArn, forms.hookTarget) && targetArn !== "",
		"preProvisioningHook.targetArn must be text of 1 to 2048 characters",
	);
	demand(
		payloadVersion === undefined || isOfForm(payloadVersion, forms.hookPayloadVersion),
		`preProvisioningHook.payloadVersion must ${inWords(forms.hookPayloadVersion)}`,
	);
	return { targetArn, ...(payloadVersion !== undefined && { payloadVersion }) };
}
