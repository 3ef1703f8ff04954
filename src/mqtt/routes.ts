// Finds the handlers for a message: topic filters and the topics that they match (MQTT 3.1.1, 4.7).

/** Handlers by topic filter. */
export class Routes<Handler> {
	readonly #handlers = new Map<string, Handler>();

	get size(): number {
		return this.#handlers.size;
	}

	/** Each filter has one handler: the last one that was set. */
	set(filters: readonly string[], handler: Handler): void {
		for (const filter of filters) this.#handlers.set(filter, handler);
	}

	delete(filters: readonly string[]): void {
		for (const filter of filters) this.#handlers.delete(filter);
	}

	clear(): void {
		this.#handlers.clear();
	}

	/** The handlers of all filters that match, in the order in which they were set. */
	find(topic: string): Handler[] {
		const found: Handler[] = [];
		for (const [filter, handler] of this.#handlers) if (matches(filter, topic)) found.push(handler);
		return found;
	}
}

/**
 * Whether a filter matches a topic. A shared subscription (`$share/<group>/<filter>`) matches the topics that its filter
 * matches.
 */
export function matches(filter: string, topic: string): boolean {
	const levels = filter.split("/");
	if (levels[0] === "$share") levels.splice(0, 2);
	// Topics that begin with $ are not matched by filters that begin with a wildcard (4.7.2).
	if (topic.startsWith("$") && (levels[0] === "+" || levels[0] === "#")) return false;
	const names = topic.split("/");
	for (let i = 0; i < levels.length; i++) {
		const level = levels[i];
		if (level === "#") return true;
		if (i === names.length || (level !== "+" && level !== names[i])) return false;
	}
	return levels.length === names.length;
}
