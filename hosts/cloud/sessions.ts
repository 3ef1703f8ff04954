// What the broker keeps beyond a connection: persistent sessions, their waiting messages, retained messages, wills. In memory,
// with a bound on all of it together; what does not fit is not kept. Has the shape that aedes asks of a persistence.

import { Readable } from "node:stream";
import { filterMatches } from "./frames.js";
import { longestTimer } from "./guard.js";
import type { Settings } from "./settings.js";

/** A message as aedes hands it over. */
interface Message {
	readonly topic: string;
	readonly payload: Buffer | string;
	readonly brokerId?: string;
	readonly brokerCounter?: number;
	messageId?: number;
	clientId?: string;
}

interface Subscription {
	readonly topic: string;
	readonly qos: number;
}

interface Client {
	readonly id: string;
	readonly clean?: boolean;
}

interface Session {
	readonly subscriptions: Map<string, Subscription>;
	readonly waiting: Message[];
	/** Ends the session some time after its connection. */
	end?: NodeJS.Timeout;
}

/** Sessions and stored messages of one broker. Methods without a comment are aedes's, and say in their names what they do. */
export class Sessions {
	readonly #settings: Settings;
	readonly #sessions = new Map<string, Session>();
	/** Client ids by filter, for filters without wildcards; those with are few. */
	readonly #exact = new Map<string, Set<string>>();
	readonly #wildcard = new Map<string, Set<string>>();
	readonly #retained = new Map<string, Message>();
	readonly #wills = new Map<string, Message>();
	readonly #granted = new WeakSet<Subscription>();
	/** Bytes of all messages held. */
	#held = 0;
	#brokerId = "";

	constructor(settings: Settings) {
		this.#settings = settings;
	}

	/** Whether there is room for another message of so many bytes. */
	hasRoom(bytes: number): boolean {
		return this.#held + bytes <= this.#settings.limits.storedBytes;
	}

	/** Bytes of all messages held: 0 when nothing is kept for anybody. */
	get held(): number {
		return this.#held;
	}

	/** The connection of a persistent session has ended: the session may stay so long. */
	endLater(clientId: string, milliseconds: number): void {
		const session = this.#sessions.get(clientId);
		if (!session) return;
		clearTimeout(session.end);
		session.end = setTimeout(() => this.#remove(clientId), Math.min(milliseconds, longestTimer)).unref();
	}

	/** It is connected again. */
	resumed(clientId: string): void {
		clearTimeout(this.#sessions.get(clientId)?.end);
	}

	/** Policies allow this subscription: the only kind that is kept, for aedes hands over all of a SUBSCRIBE. */
	grant(subscription: Subscription): void {
		this.#granted.add(subscription);
	}

	/** Ends all timers. */
	close(): void {
		for (const { end } of this.#sessions.values()) clearTimeout(end);
	}

	async setup(broker: { readonly id: string }): Promise<void> {
		this.#brokerId = broker.id;
	}

	async storeRetained(message: Message): Promise<void> {
		const before = this.#retained.get(message.topic);
		if (before) this.#held -= size(before);
		this.#retained.delete(message.topic);
		if (message.payload.length === 0 || !this.hasRoom(size(message))) return;
		if (this.#retained.size >= this.#settings.limits.retained) return;
		this.#retained.set(message.topic, { ...message });
		this.#held += size(message);
	}

	createRetainedStreamCombi(filters: readonly string[]): Readable {
		// AWS gives no retained messages to filters with wildcards.
		return Readable.from(filters.flatMap((filter) => this.#retained.get(filter) ?? []));
	}

	async addSubscriptions({ id }: Client, subscriptions: readonly Subscription[]): Promise<void> {
		let session = this.#sessions.get(id);
		if (!session) {
			if (this.#sessions.size >= this.#settings.limits.sessions) throw new Error("too many persistent sessions");
			session = { subscriptions: new Map(), waiting: [] };
			this.#sessions.set(id, session);
		}
		for (const subscription of subscriptions) {
			if (!this.#granted.has(subscription)) continue;
			session.subscriptions.set(subscription.topic, { ...subscription });
			const index = this.#index(subscription.topic);
			const clients = index.get(subscription.topic);
			if (clients) clients.add(id);
			else index.set(subscription.topic, new Set([id]));
		}
	}

	async removeSubscriptions({ id }: Client, filters: readonly string[]): Promise<void> {
		const session = this.#sessions.get(id);
		for (const filter of filters) if (session?.subscriptions.delete(filter)) this.#unindex(filter, id);
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
		// What the cloud itself says, such as a reply with a private key, is for this connection, not for who takes up its session.
		if (message.topic.startsWith("$")) return;
		const session = this.#sessions.get(clientId);
		if (!session || session.waiting.length >= this.#settings.limits.queued || !this.hasRoom(size(message))) return;
		session.waiting.push(Object.assign(Object.create(Object.getPrototypeOf(message)), message) as Message);
		this.#held += size(message);
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
		// It did not fit: sent now, and not again.
	}

	async outgoingClearMessageId({ id }: Client, { messageId }: Message): Promise<Message | undefined> {
		const waiting = this.#sessions.get(id)?.waiting ?? [];
		const index = waiting.findIndex((message) => message.messageId === messageId);
		const [cleared] = index < 0 ? [] : waiting.splice(index, 1);
		if (cleared) this.#held -= size(cleared);
		return cleared;
	}

	outgoingStream({ id }: Client): Readable {
		return Readable.from([...(this.#sessions.get(id)?.waiting ?? [])]);
	}

	// QoS 2 does not get as far as the broker, but its second half may be sent without the first.
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
		// For the wills of other brokers of a cluster, of which there are none.
		return Readable.from([]);
	}

	#remove(id: string): void {
		const session = this.#sessions.get(id);
		if (!session) return;
		clearTimeout(session.end);
		for (const filter of session.subscriptions.keys()) this.#unindex(filter, id);
		for (const message of session.waiting) this.#held -= size(message);
		this.#sessions.delete(id);
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

/** Bytes that a message takes, about. */
function size({ topic, payload }: Message): number {
	return 200 + topic.length + Buffer.byteLength(payload ?? "");
}
