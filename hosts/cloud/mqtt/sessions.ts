// All sessions, the subscriptions in them, and their end. Persistent ones outlive the process, with the messages that wait for them.
// Never makes a message wait for the disk: code that must know that something is on disk awaits `stored`.

import { createHash } from "node:crypto";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import type { State } from "../state/state.js";
import type { Message, Room } from "./message.js";
import { type Entry, Session, type SessionStore, type Subscription, type Waiting } from "./session.js";
import { parseFilter, TopicTree } from "./topics.js";

/** What sessions work with. */
export interface SessionsOptions {
	readonly settings: Settings;
	readonly state: State;
	readonly room: Room;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
	/** Called when a session has ended, some time after its connection or with it. */
	readonly ended?: (session: Session) => void;
}

/** How a client wants its session. */
export interface SessionRequest {
	/** Whether it starts anew. */
	readonly clean: boolean;
	/** Whether it may outlive its connection. */
	readonly persistent: boolean;
	/** How long it outlives its connection, ms. */
	readonly keep: number;
}

/** The sessions of one broker. */
export class Sessions implements SessionStore {
	/** Who has subscribed to what. */
	readonly tree = new TopicTree<Session, Subscription>();
	readonly #options: SessionsOptions;
	readonly #sessions = new Map<string, Session>();
	#persistent = 0;
	#sequence = 0;
	#storing: Promise<void> | undefined;

	constructor(options: SessionsOptions) {
		this.#options = options;
		this.#load();
	}

	/** How many messages may wait for one session. */
	get limit(): number {
		return this.#options.settings.limits.queued;
	}

	/** The session of a client. */
	get(clientId: string): Session | undefined {
		return this.#sessions.get(clientId);
	}

	/**
	 * Opens the session of a client that connects; what is there is taken up unless it is to start anew. Nothing when there are too
	 * many persistent sessions.
	 */
	open(clientId: string, { clean, persistent, keep }: SessionRequest): Session | undefined {
		const before = this.#sessions.get(clientId);
		if (before && clean) this.remove(before);
		const kept = clean ? undefined : before;
		if (persistent && !kept?.persistent && this.#persistent >= this.#options.settings.limits.sessions) return undefined;
		const session = kept ?? new Session(clientId, this);
		this.#sessions.set(clientId, session);
		clearTimeout(session.timer);
		session.timer = undefined;
		session.endsAt = undefined;
		session.keep = keep;
		if (persistent && !session.persistent) this.#persistent++;
		session.persistent ||= persistent;
		this.#save(session);
		return session;
	}

	/** To be called when the connection of a session has ended. `keep` is how long the session stays, ms. */
	disconnected(session: Session, keep: number): void {
		session.detach();
		session.keep = keep;
		if (!session.persistent) return this.remove(session);
		session.endsAt = this.#options.now() + keep;
		this.#save(session);
		this.#endAfter(session, keep);
	}

	/** Ends a session. */
	remove(session: Session): void {
		clearTimeout(session.timer);
		for (const subscription of session.subscriptions.values()) this.tree.delete(subscription, session);
		session.clear();
		this.#sessions.delete(session.clientId);
		if (session.persistent) {
			this.#persistent--;
			this.#store(({ sessions }) => sessions.delete(key(session.clientId)));
		}
		this.#options.ended?.(session);
	}

	/** Adds or replaces a subscription. */
	subscribe(session: Session, subscription: Subscription): void {
		session.subscriptions.set(subscription.text, subscription);
		this.tree.set(subscription, session, subscription);
		this.#save(session);
	}

	/** Removes a subscription. */
	unsubscribe(session: Session, text: string): void {
		const subscription = session.subscriptions.get(text);
		if (!subscription) return;
		session.subscriptions.delete(text);
		this.tree.delete(subscription, session);
		this.#save(session);
	}

	/** Gives a session that has connected what waits for its groups with members that are not connected. */
	takeOver(session: Session): void {
		for (const subscription of session.subscriptions.values()) {
			if (subscription.group === undefined) continue;
			for (const other of this.tree.members(subscription).keys()) {
				if (other.connected) continue;
				for (const { message } of other.takeShared(subscription))
					session.push({ message, retain: false, shared: subscription });
			}
		}
	}

	passOn(session: Session, { message, shared }: Entry): boolean {
		const others = [...this.tree.members(shared!).keys()].filter((other) => other !== session && other.connected);
		const other = others[Math.floor(Math.random() * others.length)];
		other?.push({ message, retain: false, shared: shared! });
		return other !== undefined;
	}

	/** Resolves when everything stored so far would survive the end of the process. */
	stored(): Promise<void> {
		return this.#options.state.stored();
	}

	/** Ends all timers. */
	close(): void {
		for (const { timer } of this.#sessions.values()) clearTimeout(timer);
	}

	now(): number {
		return this.#options.now();
	}

	fits(message: Message): boolean {
		return this.#options.room.fits(message);
	}

	keep(session: Session, entry: Entry): Waiting {
		this.#options.room.take(entry.message);
		if (!session.persistent || entry.directed) return { ...entry, sequence: 0 };
		const sequence = ++this.#sequence;
		const { message, retain, shared } = entry;
		const { topic, payload, qos, properties, expiresAt } = message;
		const row = {
			...{ clientId: session.clientId, sequence, topic, payload, qos },
			...(retain && { retain }),
			...(properties && { properties }),
			...(expiresAt !== undefined && { expiresAt }),
			...(shared && { shared: shared.text }),
		};
		this.#store(({ queued }) => queued.put(String(sequence), row));
		return { ...entry, sequence };
	}

	forget({ message, sequence }: Waiting): void {
		this.#options.room.free(message);
		if (sequence > 0) this.#store(({ queued }) => queued.delete(String(sequence)));
	}

	/** Loads what the state has kept. Clients that were connected when the process ended are not connected any more. */
	#load(): void {
		const { state, now, room } = this.#options;
		for (const { clientId, subscriptions, keep, endsAt = now() + keep } of state.sessions.values()) {
			const session = Object.assign(new Session(clientId, this), { persistent: true, keep, endsAt });
			this.#sessions.set(clientId, session);
			this.#persistent++;
			for (const { topic, qos, noLocal = false, retainAsPublished = false } of subscriptions) {
				const subscription = { ...parseFilter(topic)!, text: topic, qos: qos as 0 | 1, noLocal, retainAsPublished };
				session.subscriptions.set(topic, subscription);
				this.tree.set(subscription, session, subscription);
			}
			this.#save(session);
			this.#endAfter(session, Math.max(0, endsAt - now()));
		}
		const queued = [...state.queued.values()].sort((a, b) => a.sequence - b.sequence);
		for (const { clientId, sequence, retain = false, shared, ...rest } of queued) {
			const message: Message = { ...rest, qos: rest.qos as 0 | 1, retain: false };
			const session = this.#sessions.get(clientId);
			const group = shared === undefined ? undefined : session?.subscriptions.get(shared);
			const entry: Waiting = { message, retain, sequence, ...(group && { shared: group }) };
			this.#sequence = sequence;
			room.take(message);
			if (session) session.restore(entry);
			else this.forget(entry);
		}
	}

	#save(session: Session): void {
		if (!session.persistent) return;
		const { clientId, subscriptions, keep, endsAt } = session;
		const row = {
			clientId,
			subscriptions: Array.from(subscriptions.values(), ({ text, qos, noLocal, retainAsPublished }) => ({
				topic: text,
				qos,
				...(noLocal && { noLocal }),
				...(retainAsPublished && { retainAsPublished }),
			})),
			keep,
			...(endsAt !== undefined && { endsAt }),
		};
		this.#store(({ sessions }) => sessions.put(key(clientId), row));
	}

	#store(work: (state: State) => void): void {
		const { state } = this.#options;
		const storing = state.soon(() => work(state));
		// One warning for all changes that fail together.
		if (storing !== this.#storing) storing.catch((error) => this.#failed("storing", error));
		this.#storing = storing;
	}

	readonly #failed: Failed = (where, error) =>
		this.#options.report({ event: "warning", message: `The sessions failed in ${where}: ${messageOf(error)}` });

	#endAfter(session: Session, milliseconds: number): void {
		const late = guarded("the end of a session", this.#failed, () => {
			if (milliseconds > LONGEST_TIMER) return this.#endAfter(session, milliseconds - LONGEST_TIMER);
			this.remove(session);
			this.#options.report({ event: "session.expired", clientId: session.clientId });
		});
		session.timer = setTimeout(late, Math.min(milliseconds, LONGEST_TIMER)).unref();
	}
}

/** Key of a row: a hash, because a name may be longer than a key can be. */
function key(name: string): string {
	return createHash("sha256").update(name).digest("hex");
}
