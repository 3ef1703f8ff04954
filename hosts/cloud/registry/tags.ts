// Tags of resources, by ARN.

import { found, type RegistryContext } from "./context.js";
import { checkTags, demand, page, type Tag } from "./limits.js";

/** Operations on tags, and what other parts need to give tags to what they make. */
export class Tags {
	readonly #context: RegistryContext;

	constructor(context: RegistryContext) {
		this.#context = context;
	}

	listTagsForResource(request: { resourceArn: string; nextToken?: string }) {
		const { tags } = this.#existing(request.resourceArn);
		const { items, next } = page(Object.entries(tags), ([key]) => key, undefined, request.nextToken);
		return { tags: items.map(([Key, Value]) => ({ Key, Value })), ...(next && { nextToken: next }) };
	}

	tagResource(request: { resourceArn: string; tags: readonly Tag[] }): void {
		const { arn, tags } = this.#existing(request.resourceArn);
		const all = { ...tags, ...checkTags(request.tags) };
		checkTags(Object.entries(all).map(([Key, Value]) => ({ Key, Value })));
		this.#context.state.transaction(() => this.#context.state.tags.put(arn, { arn, tags: all }));
	}

	untagResource(request: { resourceArn: string; tagKeys: readonly string[] }): void {
		const { arn, tags } = this.#existing(request.resourceArn);
		demand(Array.isArray(request.tagKeys), "tagKeys must be a list");
		const left = Object.fromEntries(Object.entries(tags).filter(([key]) => !request.tagKeys.includes(key)));
		this.#context.state.transaction(() => this.#context.state.tags.put(arn, { arn, tags: left }));
	}

	/** Begins the tags of a new resource. Every resource that can have tags gets a row, empty or not. */
	set(arn: string, tags: readonly Tag[] | undefined): void {
		this.#context.state.tags.put(arn, { arn, tags: checkTags(tags ?? []) });
	}

	remove(arn: string): void {
		this.#context.state.tags.delete(arn);
	}

	#existing(arn: unknown) {
		demand(typeof arn === "string", "resourceArn must be an ARN");
		return found(this.#context.state.tags.get(arn), `No resource with tags has the ARN ${arn}`);
	}
}
