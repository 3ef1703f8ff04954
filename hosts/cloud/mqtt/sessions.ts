// What the broker keeps longer than a connection: persistent sessions, messages that wait for them, retained messages, wills.
// All but the wills outlive the process. All of it together is bounded; what does not fit is not kept. Implements aedes's
// persistence interface. Never makes a message wait for the disk: code that must know that something is on disk awaits `stored`.

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { CloudEventBody } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { Settings } from "../base/settings.js";
import type { State } from "../state/state.js";
import { filterMatches } from "./frames.js";

/** A message as aedes passes it. */
interface Message {
	readonly cmd?: string;
	readonly topic: string;
	readonly payload: Buffer | string;
	readonly qos: number;
	readonly retain?: boolean;
	readonly brokerId?: string;
	readonly brokerCounter?: number;
	messageId?: number;
	clientId?: string;
}

/** A waiting message, with the number that it is stored under. */
interface Waiting extends Message {
	readonly sequence: number;
}

interface Subscription {
	readonly topic: string;
	readonly qos: number;
}

interface Client {
	readonly id: string;
	readonly clean?: boolean;
	readonly closed?: boolean;
}

interface Session {
	readonly subscriptions: Map<string, Subscription>;
	readonly waiting: Waiting[];
	/** How long it outlives its connection, ms. */
	keep: number;
	/** Ends the session some time after its connection. */
	end?: NodeJS.Timeout | undefined;
	/** ms since 1970; absent while it is connected. */
	endsAt?: number | undefined;
}

/** What sessions work with. */
export interface SessionsOptions {
	readonly settings: Settings;
	readonly state: State;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
}

/** Sessions and stored messages of one broker. Methods without a comment are of aedes's interface; their names say what they do. */
export class Sessions {
	readonly #options: SessionsOptions;
	readonly #sessions = new Map<string, Session>();
	/** Client ids by filter: for filters without wildcards, and for the few with wildcards. */
	readonly #exact = new Map<string, Set<string>>();
	readonly #wildcard = new Map<string, Set<string>>();
	readonly #retained = new Map<string, Message>();
	readonly #wills = new Map<string, Message>();
	readonly #granted = new WeakSet<Subscription>();
	/** How long the sessions of connected clients outlive their connections, ms. */
	readonly #keep = new Map<string, number>();
	/** Bytes of all messages held. */
	#held = 0;
	#brokerId = "";
	#sequence = 0;
	#storing: Promise<void> | undefined;

	constructor(options: SessionsOptions) {
		this.#options = options;
		this.#load();
	}

	/** Whether there is room for another message of this many bytes. */
	hasRoom(bytes: number): boolean {
		return this.#held + bytes <= this.#options.settings.limits.storedBytes;
	}

	/** Bytes of all messages held: 0 when nothing is kept for anybody. */
	get held(): number {
		return this.#held;
	}

	/** To be called when a client has connected. Its session is to outlive the connection by `keep` ms. */
	connected(clientId: string, keep: number): void {
		this.#keep.set(clientId, keep);
		const session = this.#sessions.get(clientId);
		if (!session) return;
		clearTimeout(session.end);
		session.end = undefined;
		session.endsAt = undefined;
		session.keep = keep;
		this.#save(clientId, session);
	}

	/** To be called when the last connection with a client id has ended. Its session ends after the time that it is kept. */
	disconnected(clientId: string): void {
		this.#keep.delete(clientId);
		const session = this.#sessions.get(clientId);
		if (!session) return;
		session.endsAt = this.#options.now() + session.keep;
		this.#save(clientId, session);
		this.#endAfter(clientId, session, session.keep);
	}

	/** Marks a subscription as allowed by policies. Only such ones are kept; aedes passes on all of a SUBSCRIBE. */
	grant(subscription: Subscription): void {
		this.#granted.add(subscription);
	}

	/** Resolves when everything stored so far would survive the end of the process. */
	stored(): Promise<void> {
		return this.#options.state.stored();
	}

	/** Ends all timers. */
	close(): void {
		for (const { end } of this.#sessions.values()) clearTimeout(end);
	}

	async setup(broker: { readonly id: string }): Promise<void> {
		this.#brokerId = broker.id;
	}

	async storeRetained(message: Message): Promise<void> {
		const { limits } = this.#options.settings;
		const { topic, payload, qos } = message;
		const before = this.#retained.get(topic);
		if (before) this.#held -= size(before);
		this.#retained.delete(topic);
		const kept =
			payload.length > 0 && this.hasRoom(size(message)) && this.#retained.size < limits.retained
				? { cmd: "publish", topic, payload, qos }
				: undefined;
		if (kept) {
			this.#retained.set(topic, kept);
			this.#held += size(kept);
		}
		if (!kept && !before) return;
		this.#store(({ retained }) => {
			if (kept) retained.put(key(topic), { topic, payload: bytes(payload), qos, lastModified: this.#options.now() });
			else retained.delete(key(topic));
		});
	}

	createRetainedStreamCombi(filters: readonly string[]): Readable {
		// AWS sends no retained messages for filters with wildcards.
		return Readable.from(filters.flatMap((filter) => this.#retained.get(filter) ?? []));
	}

	async addSubscriptions({ id, closed }: Client, subscriptions: readonly Subscription[]): Promise<void> {
		// The connection has ended, so nothing would ever end the session.
		if (closed) return;
		let session = this.#sessions.get(id);
		if (!session) {
			const { limits, connection } = this.#options.settings;
			if (this.#sessions.size >= limits.sessions) throw new Error("too many persistent sessions");
			session = { subscriptions: new Map(), waiting: [], keep: this.#keep.get(id) ?? connection.persistentSession };
			this.#sessions.set(id, session);
		}
		for (const subscription of subscriptions) {
			if (this.#granted.has(subscription)) this.#subscribe(id, session, subscription);
		}
		this.#save(id, session);
		await this.stored();
	}

	async removeSubscriptions({ id }: Client, filters: readonly string[]): Promise<void> {
		const session = this.#sessions.get(id);
		if (!session) return;
		for (const filter of filters) if (session.subscriptions.delete(filter)) this.#unindex(filter, id);
		this.#save(id, session);
		await this.stored();
	}

	async subscriptionsByClient({ id }: Client): Promise<Subscription[]> {
		return [...(this.#sessions.get(id)?.subscriptions.values() ?? [])];
	}

	async subscriptionsByTopic(topic: string): Promise<{ clientId: string; topic: string; qos: number }[]> {
		const ids = new Set(this.#exact.get(topic));
		for (const [filter, clients] of this.#wildcard) {
			if (filterMatches(filter, topic)) for (const id of clients) ids.add(id);
		}
		return [...ids].flatMap((clientId) => {
			const matching = [...(this.#sessions.get(clientId)?.subscriptions.values() ?? [])].filter(
				(subscription) => subscription.qos > 0 && filterMatches(subscription.topic, topic),
			);
			return matching
				.slice(0, 1)
				.map((subscription) => ({ clientId, topic: subscription.topic, qos: subscription.qos }));
		});
	}

	async cleanSubscriptions({ id }: Client): Promise<void> {
		this.#remove(id);
	}

	async outgoingEnqueue({ clientId }: { readonly clientId: string }, message: Message): Promise<void> {
		// A message from the cloud itself, such as a reply with a private key, is for this connection, not for a resumed session.
		if (message.topic.startsWith("$")) return;
		const session = this.#sessions.get(clientId);
		if (!session || session.waiting.length >= this.#options.settings.limits.queued || !this.hasRoom(size(message)))
			return;
		// Messages for an existing subscription are not marked as retained (MQTT 3.1.1 section 3.3.1.3).
		const waiting: Waiting = Object.assign(Object.create(Object.getPrototypeOf(message)), message, {
			retain: false,
			sequence: ++this.#sequence,
		});
		session.waiting.push(waiting);
		this.#held += size(waiting);
		const { sequence, topic, payload, qos } = waiting;
		this.#store(({ queued }) =>
			queued.put(String(sequence), { clientId, sequence, topic, payload: bytes(payload), qos }),
		);
	}

	async outgoingEnqueueCombi(clients: readonly { readonly clientId: string }[], message: Message): Promise<void> {
		for (const client of clients) await this.outgoingEnqueue(client, message);
	}

	async outgoingUpdate({ id }: Client, message: Message): Promise<void> {
		for (const waiting of this.#sessions.get(id)?.waiting ?? []) {
			if (waiting.brokerId === message.brokerId && waiting.brokerCounter === message.brokerCounter) {
				if (message.messageId !== undefined) waiting.messageId = message.messageId;
				return;
			}
		}
		// The message did not fit: it is sent now, and not again.
	}

	async outgoingClearMessageId({ id }: Client, { messageId }: Message): Promise<Message | undefined> {
		const waiting = this.#sessions.get(id)?.waiting ?? [];
		const index = waiting.findIndex((message) => message.messageId === messageId);
		const [cleared] = index < 0 ? [] : waiting.splice(index, 1);
		if (cleared) this.#forget([cleared]);
		return cleared;
	}

	outgoingStream({ id }: Client): Readable {
		return Readable.from([...(this.#sessions.get(id)?.waiting ?? [])]);
	}

	// A QoS 2 PUBLISH never reaches the broker, but a client may send its second half without the first.
	async incomingGetPacket(): Promise<never> {
		throw new Error("no such packet");
	}

	async incomingStorePacket(): Promise<void> {}

	async incomingDelPacket(): Promise<never> {
		throw new Error("no such packet");
	}

	async cleanIncoming(): Promise<void> {}

	async putWill({ id }: Client, will: Message): Promise<void> {
		if (!this.hasRoom(size(will))) throw new Error("no room for the will");
		await this.delWill({ id });
		this.#wills.set(id, Object.assign(will, { brokerId: this.#brokerId, clientId: id }));
		this.#held += size(will);
	}

	async getWill({ id }: Client): Promise<Message | undefined> {
		return this.#wills.get(id);
	}

	async delWill({ id }: Client): Promise<Message | undefined> {
		const will = this.#wills.get(id);
		if (will) this.#held -= size(will);
		this.#wills.delete(id);
		return will;
	}

	streamWill(): Readable {
		// aedes asks for the wills of other brokers in a cluster. There are none.
		return Readable.from([]);
	}

	/** Loads what the state has kept. Clients that were connected when the process ended are not connected any more. */
	#load(): void {
		const { state, now } = this.#options;
		for (const { topic, payload, qos } of state.retained.values()) {
			const message = { cmd: "publish", topic, payload: Buffer.from(payload), qos };
			this.#retained.set(topic, message);
			this.#held += size(message);
		}
		for (const { clientId, subscriptions, keep, endsAt = now() + keep } of state.sessions.values()) {
			const session: Session = { subscriptions: new Map(), waiting: [], keep, endsAt };
			this.#sessions.set(clientId, session);
			for (const subscription of subscriptions) this.#subscribe(clientId, session, subscription);
			this.#save(clientId, session);
			this.#endAfter(clientId, session, Math.max(0, endsAt - now()));
		}
		const queued = [...state.queued.values()].sort((a, b) => a.sequence - b.sequence);
		for (const { clientId, sequence, topic, payload, qos } of queued) {
			const message = { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain: false, sequence };
			this.#sequence = sequence;
			// aedes identifies messages by these two members.
			const waiting: Waiting = { ...message, brokerId: "state", brokerCounter: sequence };
			this.#held += size(waiting);
			const session = this.#sessions.get(clientId);
			if (session) session.waiting.push(waiting);
			else this.#forget([waiting]);
		}
	}

	#save(clientId: string, { subscriptions, keep, endsAt }: Session): void {
		const row = {
			clientId,
			subscriptions: Array.from(subscriptions.values(), ({ topic, qos }) => ({ topic, qos })),
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

	#endAfter(clientId: string, session: Session, milliseconds: number): void {
		clearTimeout(session.end);
		const late = guarded("the end of a session", this.#failed, () => {
			if (milliseconds > LONGEST_TIMER) return this.#endAfter(clientId, session, milliseconds - LONGEST_TIMER);
			this.#remove(clientId);
			this.#options.report({ event: "session.expired", clientId });
		});
		session.end = setTimeout(late, Math.min(milliseconds, LONGEST_TIMER)).unref();
	}

	#remove(id: string): void {
		const session = this.#sessions.get(id);
		if (!session) return;
		clearTimeout(session.end);
		for (const filter of session.subscriptions.keys()) this.#unindex(filter, id);
		this.#sessions.delete(id);
		this.#forget(session.waiting);
		this.#store(({ sessions }) => sessions.delete(key(id)));
	}

	#forget(messages: readonly Waiting[]): void {
		for (const message of messages) this.#held -= size(message);
		this.#store(({ queued }) => {
			for (const { sequence } of messages) queued.delete(String(sequence));
		});
	}

	#subscribe(id: string, session: Session, subscription: Subscription): void {
		session.subscriptions.set(subscription.topic, { ...subscription });
		const index = this.#index(subscription.topic);
		const clients = index.get(subscription.topic);
		if (clients) clients.add(id);
		else index.set(subscription.topic, new Set([id]));
	}

	#index(filter: string): Map<string, Set<string>> {
		return /[+#]/.test(filter) ? this.#wildcard : this.#exact;
	}

	#unindex(filter: string, id: string): void {
		const index = this.#index(filter);
		const clients = index.get(filter);
		clients?.delete(id);
		if (clients?.size === 0) index.delete(filter);
	}
}

/** About how many bytes a message takes. */
function size({ topic, payload }: Message): number {
	return 200 + topic.length + Buffer.byteLength(payload ?? "");
}

/** Key of a row: a hash, because a name may be longer than a key can be. */
function key(name: string): string {
	return createHash("sha256").update(name).digest("hex");
}

function bytes(payload: Buffer | string): Uint8Array {
	return typeof payload === "string" ? Buffer.from(payload) : payload;
}
