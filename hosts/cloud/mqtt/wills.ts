// Wills whose time has not come: a client of MQTT 5 may have its will wait for some time after it was lost. Each is published once,
// or never, when the client comes back in time. Bounded like all that is held for later; lost with the process.

import { type Failed, guarded, LONGEST_TIMER } from "../base/guard.js";
import type { Message, Room } from "./message.js";

/** A message that is published when its client is lost. */
export interface Will {
	readonly message: Message;
	/** How long it waits for the client to come back, ms. */
	readonly delay: number;
	/** How long it is worth something once it is published, ms. */
	readonly expiry?: number;
}

interface Waiting {
	readonly timer: NodeJS.Timeout;
	readonly message: Message;
	readonly publish: () => void;
}

/** The waiting wills, by client id. */
export class Wills {
	readonly #waiting = new Map<string, Waiting>();
	readonly #room: Room;
	readonly #failed: Failed;

	constructor(room: Room, failed: Failed) {
		this.#room = room;
		this.#failed = failed;
	}

	/** Publishes a will after so many ms, unless `cancel` or `release` comes before. */
	add(clientId: string, milliseconds: number, message: Message, publish: () => void): void {
		const timer = setTimeout(() => this.release(clientId), Math.min(milliseconds, LONGEST_TIMER)).unref();
		this.#waiting.set(clientId, { timer, message, publish: guarded("publishing a will", this.#failed, publish) });
		this.#room.take(message);
	}

	/** The client has come back. */
	cancel(clientId: string): void {
		const will = this.#waiting.get(clientId);
		if (!will) return;
		clearTimeout(will.timer);
		this.#waiting.delete(clientId);
		this.#room.free(will.message);
	}

	/** The session has ended, so its will waits no longer. */
	release(clientId: string): void {
		const will = this.#waiting.get(clientId);
		this.cancel(clientId);
		will?.publish();
	}

	/** Ends all timers. */
	close(): void {
		for (const clientId of [...this.#waiting.keys()]) this.cancel(clientId);
	}
}
