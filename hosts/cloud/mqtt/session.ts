// What the broker keeps of one client: its subscriptions, and the QoS 1 messages on their way to it. Bounded: what does not fit is
// not kept. Knows no packets and no policies.

import { detached, isExpired, type Message } from "./message.js";
import type { ParsedFilter } from "./topics.js";

/** A subscription. */
export interface Subscription extends ParsedFilter {
	/** The filter as the client wrote it. */
	readonly text: string;
	readonly qos: 0 | 1;
	/** The client does not get what it has sent itself. */
	readonly noLocal: boolean;
	/** Messages have the RETAIN flag that they were published with. */
	readonly retainAsPublished: boolean;
}

/** What a session needs of its client's connection. */
export interface Outlet {
	/** How many QoS 1 messages may wait for their PUBACK. */
	readonly window: number;
	/** So much waits for the client that nothing more should be sent. */
	readonly congested: boolean;
	/** Sends a message; false when the client may not have it, or could not take it. May end the connection. */
	deliver(entry: Entry, qos: 0 | 1, packetId?: number): boolean;
	/** Called when a message is left out because there is no room to let it wait. */
	leftOut(): void;
}

/** A message for one client. */
export interface Entry {
	readonly message: Message;
	/** The RETAIN flag that it gets. */
	readonly retain: boolean;
	/** The shared subscription that it comes by; another member of the group may take it. */
	readonly shared?: Subscription;
	/** For this connection alone, not for a later one and not to be stored. */
	readonly directed?: true;
}

/** An entry that waits. */
export interface Waiting extends Entry {
	/** What it is stored under; 0 when it is not stored. */
	readonly sequence: number;
}

/** What sessions share. */
export interface SessionStore {
	/** How many messages may wait for one session. */
	readonly limit: number;
	/** ms since 1970. */
	now(): number;
	fits(message: Message): boolean;
	/** Counts an entry, and stores it when its session is persistent. */
	keep(session: Session, entry: Entry): Waiting;
	/** The reverse. */
	forget(entry: Waiting): void;
	/** Gives an entry of a shared subscription to another member of the group. False when there is none. */
	passOn(session: Session, entry: Entry): boolean;
}

/** One client's session. */
export class Session {
	readonly clientId: string;
	/** By their filters as the client wrote them. */
	readonly subscriptions = new Map<string, Subscription>();
	/** Whether it may outlive its connection, and is stored. */
	persistent = false;
	/** How long it outlives its connection, ms. */
	keep = 0;
	/** ms since 1970; absent while it is connected. */
	endsAt: number | undefined;
	/** Ends it. */
	timer: NodeJS.Timeout | undefined;
	readonly #store: SessionStore;
	#outlet: Outlet | undefined;
	/** In order; those before `#first` have been taken out. */
	#unsent: Waiting[] = [];
	#first = 0;
	/** By packet id, in order. `undefined` for one that would not be sent again. */
	readonly #inflight = new Map<number, Waiting | undefined>();
	#lastPacketId = 0;

	constructor(clientId: string, store: SessionStore) {
		this.clientId = clientId;
		this.#store = store;
	}

	get connected(): boolean {
		return this.#outlet !== undefined;
	}

	/** Whether a message could be sent at once. */
	get ready(): boolean {
		const outlet = this.#outlet;
		return (
			outlet !== undefined &&
			this.#first === this.#unsent.length &&
			this.#inflight.size < outlet.window &&
			!outlet.congested
		);
	}

	/** Number of messages that wait, sent or not. */
	get waiting(): number {
		return this.#unsent.length - this.#first + this.#inflight.size;
	}

	/** The messages that wait, in order. */
	*entries(): Generator<Waiting> {
		for (const entry of this.#inflight.values()) if (entry) yield entry;
		yield* this.#unsent.slice(this.#first);
	}

	/** Connects it. What waits is sent with the next `pump`. */
	attach(outlet: Outlet): void {
		this.#outlet = outlet;
	}

	/** Disconnects it. What has not been acknowledged waits again, if the session outlives the connection. */
	detach(): void {
		this.#outlet = undefined;
		const waiting = [...this.entries()];
		this.#inflight.clear();
		this.#unsent = [];
		this.#first = 0;
		for (const entry of waiting) {
			const passedOn = entry.shared && this.#store.passOn(this, entry);
			if (this.persistent && !entry.directed && !passedOn) this.#unsent.push(entry);
			else this.#store.forget(entry);
		}
	}

	/** Takes the entries of a shared subscription out of the queue, for another member of the group. */
	takeShared(subscription: Subscription): Entry[] {
		const isOf = ({ shared }: Entry) => shared?.text === subscription.text;
		const taken = this.#unsent.slice(this.#first).filter(isOf);
		if (taken.length > 0) this.prune((entry) => !isOf(entry));
		return taken;
	}

	/** Takes out of the queue what `wanted` does not want. */
	prune(wanted: (entry: Entry) => boolean): void {
		const waiting = this.#unsent.slice(this.#first);
		this.#unsent = waiting.filter(wanted);
		this.#first = 0;
		for (const entry of waiting) if (!wanted(entry)) this.#store.forget(entry);
	}

	/** Adds a message that was stored by another process. */
	restore(entry: Waiting): void {
		this.#unsent.push(entry);
	}

	/** Sends a message with QoS 0, when there is a connection. */
	send(entry: Entry): void {
		this.#outlet?.deliver(entry, 0);
	}

	/** Sends a message with QoS 1 now or as soon as the client can take it, after a pause of the connection if need be. */
	push(entry: Entry): void {
		const store = this.#store;
		const outlet = this.#outlet;
		if (!outlet && (!this.persistent || entry.directed)) return;
		// One that need not be sent again is not held at all.
		if (this.ready && !this.persistent && !entry.shared) return void this.#deliver(entry, undefined);
		if (!this.#fits(entry)) this.#dropExpired();
		if (this.#fits(entry)) {
			this.#unsent.push(
				store.keep(this, entry.message.payload.length > 0 ? { ...entry, message: detached(entry.message) } : entry),
			);
			this.pump();
		} else if (this.ready) this.#deliver(entry, undefined);
		else outlet?.leftOut();
	}

	/** Sends what the client can take. */
	pump(): void {
		const outlet = this.#outlet;
		while (
			outlet !== undefined &&
			this.#outlet === outlet &&
			this.#first < this.#unsent.length &&
			this.#inflight.size < outlet.window &&
			!outlet.congested
		) {
			const entry = this.#unsent[this.#first++]!;
			if (this.#first > 1_000 && this.#first * 2 > this.#unsent.length) {
				this.#unsent.splice(0, this.#first);
				this.#first = 0;
			}
			if (isExpired(entry.message, this.#store.now())) this.#store.forget(entry);
			else if (!this.#deliver(entry, entry)) this.#store.forget(entry);
		}
		if (this.#first === this.#unsent.length && this.#first > 0) {
			this.#unsent = [];
			this.#first = 0;
		}
	}

	/** A PUBACK has come. */
	acknowledge(packetId: number): void {
		const entry = this.#inflight.get(packetId);
		if (!this.#inflight.delete(packetId)) return;
		if (entry) this.#store.forget(entry);
		this.pump();
	}

	/** Forgets everything that waits. */
	clear(): void {
		for (const entry of this.entries()) this.#store.forget(entry);
		this.#inflight.clear();
		this.#unsent = [];
		this.#first = 0;
	}

	#fits(entry: Entry): boolean {
		return this.waiting < this.#store.limit && this.#store.fits(entry.message);
	}

	#dropExpired(): void {
		const now = this.#store.now();
		this.prune(({ message }) => !isExpired(message, now));
	}

	/** Sends with the next packet id. `held` is what is sent again when no PUBACK comes. False when nothing was sent. */
	#deliver(entry: Entry, held: Waiting | undefined): boolean {
		do {
			this.#lastPacketId = (this.#lastPacketId % 0xffff) + 1;
		} while (this.#inflight.has(this.#lastPacketId));
		const packetId = this.#lastPacketId;
		// Before it is sent, because the connection may end by it, and what is in flight then waits again.
		this.#inflight.set(packetId, held);
		if (this.#outlet!.deliver(entry, 1, packetId)) return true;
		return !this.#inflight.delete(packetId);
	}
}
