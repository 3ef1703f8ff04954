// Which subscriptions a topic matches. AWS differs from the standard: `sensor/#` does not match `sensor`. Knows no packets.

/** Whether a topic filter matches a topic. */
export function filterMatches(filter: string, topic: string): boolean {
	const wanted = filter.split("/");
	const levels = topic.split("/");
	if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
	for (const [index, level] of wanted.entries()) {
		if (level === "#") return levels.length > index;
		if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
	}
	return wanted.length === levels.length;
}

/** A filter of a subscription: `$share/group/filter` is shared by the group, of which one gets each message. */
export interface ParsedFilter {
	readonly filter: string;
	readonly group?: string;
}

/** Reads the filter of a subscription; `undefined` for one of a group without a name, or without a filter. */
export function parseFilter(text: string): ParsedFilter | undefined {
	if (!text.startsWith("$share/")) return { filter: text };
	const end = text.indexOf("/", 7);
	const group = text.slice(7, end);
	const filter = text.slice(end + 1);
	return end < 0 || group === "" || filter === "" || /[+#]/.test(group) ? undefined : { filter, group };
}

/** Subscriptions by subscriber. */
export type Subscribers<S, V> = Map<S, V>;

/** The subscriptions to one filter. */
export class FilterNode<S, V> {
	readonly children = new Map<string, FilterNode<S, V>>();
	readonly own: Subscribers<S, V> = new Map();
	/** By the group's name. */
	readonly shared = new Map<string, Subscribers<S, V>>();
}

/** Most topics whose matches are kept. */
const KEPT = 10_000;

/** All subscriptions, as a tree of the levels of their filters. `S` is a subscriber, `V` what is known of its subscription. */
export class TopicTree<S, V> {
	readonly #root = new FilterNode<S, V>();
	/** What topics have matched since the tree last got or lost a filter. */
	readonly #kept = new Map<string, readonly FilterNode<S, V>[]>();

	set({ filter, group }: ParsedFilter, subscriber: S, value: V): void {
		let node = this.#root;
		for (const level of filter.split("/")) {
			let child = node.children.get(level);
			if (!child) {
				child = new FilterNode();
				node.children.set(level, child);
				this.#kept.clear();
			}
			node = child;
		}
		if (group === undefined) node.own.set(subscriber, value);
		else {
			const members = node.shared.get(group);
			if (members) members.set(subscriber, value);
			else node.shared.set(group, new Map([[subscriber, value]]));
		}
	}

	delete({ filter, group }: ParsedFilter, subscriber: S): void {
		const levels = filter.split("/");
		const path = [this.#root];
		for (const level of levels) {
			const child = path.at(-1)!.children.get(level);
			if (!child) return;
			path.push(child);
		}
		const node = path.at(-1)!;
		if (group === undefined) node.own.delete(subscriber);
		else {
			const members = node.shared.get(group);
			members?.delete(subscriber);
			if (members?.size === 0) node.shared.delete(group);
		}
		for (let depth = levels.length; depth > 0; depth--) {
			const { own, shared, children } = path[depth]!;
			if (own.size + shared.size + children.size > 0) return;
			path[depth - 1]!.children.delete(levels[depth - 1]!);
			this.#kept.clear();
		}
	}

	/** Members of a group. */
	members({ filter, group }: ParsedFilter): Subscribers<S, V> {
		let node: FilterNode<S, V> | undefined = this.#root;
		for (const level of filter.split("/")) node = node?.children.get(level);
		return node?.shared.get(group!) ?? new Map();
	}

	/** The filters that match a topic. */
	match(topic: string): readonly FilterNode<S, V>[] {
		const kept = this.#kept.get(topic);
		if (kept) return kept;
		const found: FilterNode<S, V>[] = [];
		let nodes = [this.#root];
		const levels = topic.split("/");
		for (const [index, level] of levels.entries()) {
			const wildcards = index > 0 || !topic.startsWith("$");
			const next: FilterNode<S, V>[] = [];
			for (const { children } of nodes) {
				const rest = wildcards && children.get("#");
				if (rest) found.push(rest);
				for (const child of [children.get(level), wildcards && children.get("+")]) if (child) next.push(child);
			}
			nodes = next;
		}
		found.push(...nodes);
		if (this.#kept.size >= KEPT) this.#kept.clear();
		this.#kept.set(topic, found);
		return found;
	}
}

/** What makes a topic or filter longer than is allowed: its bytes, or its slashes. */
export function whyTooLong(topic: string, limits: { topic: number; topicSlashes: number }): string | undefined {
	if (Buffer.byteLength(topic) > limits.topic) return `A topic may have at most ${limits.topic} bytes.`;
	let slashes = 0;
	for (let at = topic.indexOf("/"); at >= 0; at = topic.indexOf("/", at + 1)) slashes++;
	return slashes > limits.topicSlashes ? `A topic may have at most ${limits.topicSlashes} slashes.` : undefined;
}
