// IoT policies, their versions and what they are attached to, by AWS's rules. What a policy means is the business of ../policy/.

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import { parsePolicy } from "../policy/policy.js";
import type { PolicyRecord } from "../state/state.js";
import { arn, nameInArn, type RegistryContext, requireRow, seconds } from "./context.js";
import { checkPolicyName, demand, limits, type Tag } from "./limits.js";
import { page } from "./paging.js";
import type { Tags } from "./tags.js";

/** Operations on policies. Requests and responses are those of the AWS operation of the same name; times in seconds. */
export class Policies {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes a policy; its document becomes version 1, the default. */
	createPolicy(request: { policyName: string; policyDocument: string; tags?: readonly Tag[] }) {
		const { state, now } = this.#context;
		const policyName = checkPolicyName(request.policyName);
		const policyDocument = checkDocument(request.policyDocument);
		if (state.policies.has(policyName)) {
			throw new AwsError(
				"ResourceAlreadyExistsException",
				`Policy cannot be created - name already exists (name=${policyName})`,
				{ resourceId: policyName, resourceArn: this.#arn(policyName) },
			);
		}
		state.transaction(() => {
			state.policies.put(policyName, {
				policyName,
				defaultVersionId: 1,
				lastVersionId: 1,
				versions: [{ versionId: 1, policyDocument, creationDate: now() }],
				creationDate: now(),
				lastModifiedDate: now(),
				generationId: randomUUID(),
			});
			this.#tags.set(this.#arn(policyName), request.tags);
		});
		return { policyName, policyArn: this.#arn(policyName), policyDocument, policyVersionId: "1" };
	}

	/** A policy with its default document. */
	getPolicy(request: { policyName: string }) {
		const record = this.#requirePolicy(request.policyName);
		return {
			policyName: record.policyName,
			policyArn: this.#arn(record.policyName),
			policyDocument: defaultDocument(record),
			defaultVersionId: String(record.defaultVersionId),
			creationDate: seconds(record.creationDate),
			lastModifiedDate: seconds(record.lastModifiedDate),
			generationId: record.generationId,
		};
	}

	/** Deletes a policy. Refused while it is attached to anything, or has versions besides the default one. */
	deletePolicy(request: { policyName: string }): void {
		const { state } = this.#context;
		const { policyName, versions } = this.#requirePolicy(request.policyName);
		if (state.attachments.by("policyName", policyName).length > 0) {
			throw new AwsError(
				"DeleteConflictException",
				`The policy cannot be deleted as the policy is attached to one or more principals (name=${policyName})`,
			);
		}
		if (versions.length > 1) {
			throw new AwsError(
				"DeleteConflictException",
				`Cannot delete the policy because it has one or more policy versions attached to it (name=${policyName})`,
			);
		}
		state.transaction(() => {
			state.policies.delete(policyName);
			this.#tags.remove(this.#arn(policyName));
		});
	}

	/** Adds a version; at most 5 exist at a time. */
	createPolicyVersion(request: { policyName: string; policyDocument: string; setAsDefault?: boolean }) {
		const { state, now } = this.#context;
		const record = this.#requirePolicy(request.policyName);
		const policyDocument = checkDocument(request.policyDocument);
		if (record.versions.length >= limits.policyVersions) {
			throw new AwsError(
				"VersionsLimitExceededException",
				`The policy ${record.policyName} already has the maximum number of versions (${limits.policyVersions})`,
			);
		}
		const versionId = record.lastVersionId + 1;
		state.transaction(() =>
			state.policies.put(record.policyName, {
				...record,
				lastVersionId: versionId,
				versions: [...record.versions, { versionId, policyDocument, creationDate: now() }],
				lastModifiedDate: now(),
				...(request.setAsDefault && { defaultVersionId: versionId }),
			}),
		);
		return {
			policyArn: this.#arn(record.policyName),
			policyDocument,
			policyVersionId: String(versionId),
			isDefaultVersion: request.setAsDefault === true,
		};
	}

	/** One version of a policy with its document. */
	getPolicyVersion(request: { policyName: string; policyVersionId: string }) {
		const record = this.#requirePolicy(request.policyName);
		const version = this.#requireVersion(record, request.policyVersionId);
		return {
			policyArn: this.#arn(record.policyName),
			policyName: record.policyName,
			policyDocument: version.policyDocument,
			policyVersionId: String(version.versionId),
			isDefaultVersion: version.versionId === record.defaultVersionId,
			creationDate: seconds(version.creationDate),
			lastModifiedDate: seconds(version.creationDate),
			generationId: record.generationId,
		};
	}

	/** The versions of a policy, oldest first. */
	listPolicyVersions(request: { policyName: string }) {
		const record = this.#requirePolicy(request.policyName);
		return {
			policyVersions: record.versions.map(({ versionId, creationDate }) => ({
				versionId: String(versionId),
				isDefaultVersion: versionId === record.defaultVersionId,
				createDate: seconds(creationDate),
			})),
		};
	}

	/** Makes a version the default, which is the one in force. */
	setDefaultPolicyVersion(request: { policyName: string; policyVersionId: string }): void {
		const { state, now } = this.#context;
		const record = this.#requirePolicy(request.policyName);
		const { versionId } = this.#requireVersion(record, request.policyVersionId);
		state.transaction(() =>
			state.policies.put(record.policyName, { ...record, defaultVersionId: versionId, lastModifiedDate: now() }),
		);
	}

	/** Deletes a version that is not the default one. */
	deletePolicyVersion(request: { policyName: string; policyVersionId: string }): void {
		const { state } = this.#context;
		const record = this.#requirePolicy(request.policyName);
		const { versionId } = this.#requireVersion(record, request.policyVersionId);
		if (versionId === record.defaultVersionId) {
			throw new AwsError("DeleteConflictException", "Cannot delete the default version of a policy");
		}
		state.transaction(() =>
			state.policies.put(record.policyName, {
				...record,
				versions: record.versions.filter((version) => version.versionId !== versionId),
			}),
		);
	}

	/** Policies by name, descending unless `isAscendingOrder`. */
	listPolicies(request: { marker?: string; pageSize?: number; isAscendingOrder?: boolean } = {}) {
		return this.#listed(
			[...this.#context.state.policies.keys()],
			request.pageSize,
			request.marker,
			request.isAscendingOrder === true,
		);
	}

	/** Attaches a policy. Idempotent. `target` is the ARN of a certificate or of a thing group. */
	attachPolicy(request: { policyName: string; target: string }): void {
		const { state } = this.#context;
		const { policyName } = this.#requirePolicy(request.policyName);
		const target = this.#requireTarget(request.target);
		const attached = state.attachments.by("target", target);
		if (attached.some((attachment) => attachment.policyName === policyName)) return;
		if (attached.length >= limits.policiesPerTarget) {
			throw new AwsError(
				"LimitExceededException",
				`At most ${limits.policiesPerTarget} policies can be attached to ${target}`,
			);
		}
		state.transaction(() => state.attachments.put(`${policyName} ${target}`, { policyName, target }));
	}

	/** Detaches a policy. Not an error when it is not attached. */
	detachPolicy(request: { policyName: string; target: string }): void {
		const { state } = this.#context;
		const policyName = checkPolicyName(request.policyName);
		demand(typeof request.target === "string", "target must be an ARN");
		state.transaction(() => state.attachments.delete(`${policyName} ${request.target}`));
	}

	/** The policies that are attached to a target; with `recursive`, also those of a group's parents. */
	listAttachedPolicies(request: { target: string; recursive?: boolean; marker?: string; pageSize?: number }) {
		const { state } = this.#context;
		const targets = [this.#requireTarget(request.target)];
		if (request.recursive) {
			let group = nameInArn(state, "thinggroup", targets[0]!);
			while (group !== undefined) {
				group = state.thingGroups.get(group)?.parentGroupName;
				if (group !== undefined) targets.push(arn(state, "thinggroup", group));
			}
		}
		const names = new Set(
			targets.flatMap((target) => state.attachments.by("target", target).map((row) => row.policyName)),
		);
		return this.#listed([...names], request.pageSize, request.marker, true);
	}

	/** ARNs that a policy is attached to. */
	listTargetsForPolicy(request: { policyName: string; marker?: string; pageSize?: number }) {
		const { policyName } = this.#requirePolicy(request.policyName);
		const targets = this.#context.state.attachments.by("policyName", policyName).map((row) => row.target);
		const { items, next } = page(targets, (target) => target, request.pageSize, request.marker);
		return { targets: items, ...(next && { nextMarker: next }) };
	}

	/** Makes a policy, unless there is one of this name already. For templates. */
	ensure(policyName: string, policyDocument: string): void {
		if (!this.#context.state.policies.has(policyName)) this.createPolicy({ policyName, policyDocument });
	}

	/** The document in force. */
	document(policyName: string): string | undefined {
		const record = this.#context.state.policies.get(policyName);
		return record && defaultDocument(record);
	}

	#listed(names: readonly string[], size: unknown, marker: unknown, ascending: boolean) {
		const { items, next } = page(names, (name) => name, size, marker, ascending);
		return {
			policies: items.map((policyName) => ({ policyName, policyArn: this.#arn(policyName) })),
			...(next && { nextMarker: next }),
		};
	}

	#arn(policyName: string): string {
		return arn(this.#context.state, "policy", policyName);
	}

	#requirePolicy(policyName: unknown): PolicyRecord {
		const name = checkPolicyName(policyName);
		return requireRow(this.#context.state.policies.get(name), `Policy not found (name=${name})`);
	}

	#requireVersion(record: PolicyRecord, policyVersionId: unknown) {
		demand(/^[0-9]+$/.test(String(policyVersionId)), "policyVersionId must be a number");
		return requireRow(
			record.versions.find(({ versionId }) => versionId === Number(policyVersionId)),
			`Policy version not found (name=${record.policyName}, version=${policyVersionId})`,
		);
	}

	#requireTarget(target: unknown): string {
		const { state } = this.#context;
		demand(typeof target === "string", "target must be an ARN");
		const certificate = nameInArn(state, "cert", target);
		const group = nameInArn(state, "thinggroup", target);
		const { accountId, region } = state.account;
		demand(
			certificate !== undefined || group !== undefined,
			`Invalid target: ${target}: it must be a certificate or a thing group of account ${accountId} in ${region}`,
		);
		if (certificate !== undefined) {
			requireRow(state.certificates.get(certificate), `The certificate of ${target} does not exist`);
		} else requireRow(state.thingGroups.get(group!), `The thing group of ${target} does not exist`);
		return target;
	}
}

function defaultDocument(record: PolicyRecord): string {
	return record.versions.find(({ versionId }) => versionId === record.defaultVersionId)!.policyDocument;
}

function checkDocument(document: unknown): string {
	demand(typeof document === "string", "policyDocument must be text");
	// As with AWS, white space does not count.
	if (document.replace(/\s/g, "").length > limits.policyDocument) {
		throw new AwsError(
			"MalformedPolicyException",
			`Policy document is larger than ${limits.policyDocument} characters, white space not counted`,
		);
	}
	try {
		parsePolicy(document);
	} catch (error) {
		throw new AwsError("MalformedPolicyException", `Policy document is malformed: ${(error as Error).message}`);
	}
	return document;
}
