// Retained messages: the last one of each topic that asked for it. They outlive the process, and are bounded. What does not fit is
// not kept.

import { createHash } from "node:crypto";
import type { Settings } from "../base/settings.js";
import type { State } from "../state/state.js";
import { detached, isExpired, type Message, type Room } from "./message.js";

/** What they work with. */
export interface RetainedOptions {
	readonly settings: Settings;
	readonly state: State;
	readonly room: Room;
	/** ms since 1970. */
	readonly now: () => number;
	/** Called with an error of the disk. */
	readonly failed: (where: string, error: unknown) => void;
}

/** The retained messages of one broker. */
export class Retained {
	readonly #options: RetainedOptions;
	readonly #messages = new Map<string, Message>();

	constructor(options: RetainedOptions) {
		this.#options = options;
		for (const { topic, payload, qos, properties, expiresAt } of options.state.retained.values()) {
			const message: Message = {
				...{ topic, payload, qos: qos as 0 | 1, retain: true },
				...(properties && { properties }),
				...(expiresAt !== undefined && { expiresAt }),
			};
			this.#messages.set(topic, message);
			options.room.take(message);
		}
	}

	/** The retained message of a topic. */
	get(topic: string): Message | undefined {
		const message = this.#messages.get(topic);
		if (!message || !isExpired(message, this.#options.now())) return message;
		this.#delete(message);
		return undefined;
	}

	/** Keeps a message in place of the one before it on its topic; an empty one only removes that. False when it does not fit. */
	set(message: Message): boolean {
		const { settings, room, now } = this.#options;
		const before = this.#messages.get(message.topic);
		if (before) this.#delete(before);
		if (message.payload.length === 0) return true;
		if (!room.fits(message) || this.#messages.size >= settings.limits.retained) return false;
		const kept = detached(message);
		this.#messages.set(kept.topic, kept);
		room.take(kept);
		const { retain: _, ...row } = kept;
		this.#store(({ retained }) => retained.put(key(kept.topic), { ...row, lastModified: now() }));
		return true;
	}

	#delete(message: Message): void {
		this.#messages.delete(message.topic);
		this.#options.room.free(message);
		this.#store(({ retained }) => retained.delete(key(message.topic)));
	}

	#store(work: (state: State) => void): void {
		const { state, failed } = this.#options;
		state.soon(() => work(state)).catch((error) => failed("storing a retained message", error));
	}
}

/** Key of a row: a hash, because a topic may be longer than a key can be. */
function key(topic: string): string {
	return createHash("sha256").update(topic).digest("hex");
}
