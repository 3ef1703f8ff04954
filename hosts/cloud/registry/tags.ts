// Tags of resources, by ARN.

import { type RegistryContext, requireRow } from "./context.js";
import { checkTags, demand, type Tag } from "./limits.js";
import { page } from "./paging.js";

/** Operations on tags, and what other parts need to tag the resources that they make. */
export class Tags {
	readonly #context: RegistryContext;

	constructor(context: RegistryContext) {
		this.#context = context;
	}

	/** The tags of a resource. */
	listTagsForResource(request: { resourceArn: string; nextToken?: string }) {
		const { tags } = this.#requireTaggable(request.resourceArn);
		const { items, next } = page(Object.entries(tags), ([key]) => key, undefined, request.nextToken);
		return { tags: items.map(([Key, Value]) => ({ Key, Value })), ...(next && { nextToken: next }) };
	}

	/** Adds tags to a resource, or replaces the values of those that it has. */
	tagResource(request: { resourceArn: string; tags: readonly Tag[] }): void {
		const { arn, tags } = this.#requireTaggable(request.resourceArn);
		const all = { ...tags, ...checkTags(request.tags) };
		checkTags(Object.entries(all).map(([Key, Value]) => ({ Key, Value })));
		this.#context.state.transaction(() => this.#context.state.tags.put(arn, { arn, tags: all }));
	}

	/** Takes tags off a resource. */
	untagResource(request: { resourceArn: string; tagKeys: readonly string[] }): void {
		const { arn, tags } = this.#requireTaggable(request.resourceArn);
		demand(Array.isArray(request.tagKeys), "tagKeys must be a list");
		const left = Object.fromEntries(Object.entries(tags).filter(([key]) => !request.tagKeys.includes(key)));
		this.#context.state.transaction(() => this.#context.state.tags.put(arn, { arn, tags: left }));
	}

	/** Sets the tags of a new resource. Every resource that can have tags gets a row, even without tags. */
	set(arn: string, tags: readonly Tag[] | undefined): void {
		this.#context.state.tags.put(arn, { arn, tags: checkTags(tags ?? []) });
	}

	/** Forgets the tags of a resource that is deleted. */
	remove(arn: string): void {
		this.#context.state.tags.delete(arn);
	}

	#requireTaggable(arn: unknown) {
		demand(typeof arn === "string", "resourceArn must be an ARN");
		return requireRow(this.#context.state.tags.get(arn), `No resource with tags has the ARN ${arn}`);
	}
}
