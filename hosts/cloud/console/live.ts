// The live stream of the web page: a few times a second the newest events that a reader asked for, and the fleet in numbers. What
// is too much to be read is counted and left out. A reader that is slow gets less; it never holds up the cloud, and nothing piles
// up for it.

import type { ServerResponse } from "node:http";
import { AwsError } from "../base/errors.js";
import type { CloudEvent, EventLog } from "../base/events.js";
import type { FleetNumbers } from "./fleet-numbers.js";

/** How often a reader is told of events, ms. */
const INTERVAL = 250;
/** The fleet's numbers come with every fourth batch. */
const NUMBERS_EVERY = 4;
/** Most refusals and most other events in one batch, so that neither crowds the other out. */
const MOST = 40;
/** Most earlier events that a new reader is told of, and refusals that are kept for it when the log has them no more. */
const MOST_EARLIER = 200;
/** Most readers at a time. A browser opens no more than six connections to one host. */
const MAXIMUM_READERS = 16;
/** A reader that has read nothing for this long is gone, ms. */
const PATIENCE = 30_000;
/** Characters of a text, and members of a list, that are shown. */
const LONGEST_TEXT = 1_000;
const LONGEST_LIST = 20;

/** Which events a reader wants. */
export interface EventFilter {
	/** Default: all. */
	readonly kind?: EventKind;
	/** Only events with this text somewhere, in upper or lower case. */
	readonly text?: string;
	/** Only events about one of these: thing names, client ids, certificate ids. */
	readonly about?: ReadonlySet<string>;
}

/** A group of events. */
export type EventKind = (typeof EVENT_KINDS)[number];
export const EVENT_KINDS = ["refusals", "provisioning", "connections", "messages", "other"] as const;

const KINDS: Readonly<Record<string, EventKind>> = {
	provisioning: "provisioning",
	reply: "provisioning",
	"certificate.expired": "provisioning",
	connected: "connections",
	disconnected: "connections",
	"session.expired": "connections",
	published: "messages",
	subscribed: "messages",
};

/** Whether an event refuses something. */
type IsRefusal = (event: CloudEvent) => boolean;

/** Makes the test of a filter. */
export function filterOf(
	{ kind, text = "", about }: EventFilter,
	isRefusal: IsRefusal,
): (event: CloudEvent) => boolean {
	const wanted = text.toLowerCase();
	return (event) =>
		(kind === undefined || (kind === "refusals" ? isRefusal(event) : (KINDS[event.event] ?? "other") === kind)) &&
		(about === undefined || isAbout(event, about)) &&
		(wanted === "" || texts(event).some((value) => value.toLowerCase().includes(wanted)));
}

/** Whether an event is about one of these: by the name of its thing, its client id or its certificate. */
function isAbout(event: CloudEvent, names: ReadonlySet<string>): boolean {
	const { thingName, clientId, principal, certificateId } = event as unknown as Readonly<Record<string, unknown>>;
	return [thingName, clientId, principal, certificateId].some((name) => names.has(name as string));
}

function texts(event: CloudEvent): string[] {
	return Object.values(event)
		.flat()
		.filter((value) => typeof value === "string");
}

/** Events as JSON for the page, without what is too long to be shown. */
export function eventsAsJson(events: readonly CloudEvent[]): string {
	return JSON.stringify(events, (_, value: unknown) => {
		if (typeof value === "string" && value.length > LONGEST_TEXT) return `${value.slice(0, LONGEST_TEXT)}…`;
		if (Array.isArray(value) && value !== events && value.length > LONGEST_LIST)
			return [...value.slice(0, LONGEST_LIST), `… and ${value.length - LONGEST_LIST} more`];
		return value;
	});
}

/** What it works with. */
export interface LiveOptions {
	readonly events: EventLog;
	readonly numbers: FleetNumbers;
	readonly isRefusal: IsRefusal;
}

/** The readers. */
export class Live {
	readonly #options: LiveOptions;
	readonly #readers = new Set<Reader>();
	readonly #stop: () => void;
	/** The last refusals, which a busy cloud would push out of its log before anybody has seen them. */
	#refusals: CloudEvent[] = [];
	#timer: NodeJS.Timeout | undefined;
	#batches = 0;

	constructor(options: LiveOptions) {
		this.#options = options;
		this.#stop = options.events.listen((event) => this.#take(event));
	}

	close(): void {
		this.#stop();
		clearInterval(this.#timer);
	}

	/**
	 * Adds a reader that gets server-sent events (HTML standard, section 9.2): `events` with `{events, dropped}` and `numbers`. It
	 * begins with the last events after `since`.
	 * @throws AwsError ServiceUnavailableException when there are too many readers
	 */
	open(filter: EventFilter, since: number, response: ServerResponse): void {
		if (this.#readers.size >= MAXIMUM_READERS)
			throw new AwsError("ServiceUnavailableException", `At most ${MAXIMUM_READERS} pages at once.`);
		const { events, isRefusal, numbers } = this.#options;
		const reader = new Reader(response, filterOf(filter, isRefusal), isRefusal);
		response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
		const log = events.since(0);
		const kept = [...this.#refusals.filter(({ sequence }) => sequence < (log[0]?.sequence ?? Infinity)), ...log];
		// A number from before a restart of the cloud is greater than any.
		const from = since <= (kept.at(-1)?.sequence ?? 0) ? since : 0;
		const earlier = kept.filter((event) => event.sequence > from && reader.fits(event));
		reader.write("numbers", JSON.stringify(numbers.now()));
		reader.write(
			"events",
			`{"events":${eventsAsJson(earlier.slice(-MOST_EARLIER))},"dropped":${Math.max(0, earlier.length - MOST_EARLIER)}}`,
		);
		this.#readers.add(reader);
		response.once("close", () => this.#remove(reader));
		this.#timer ??= setInterval(() => this.#send(), INTERVAL).unref();
	}

	#take(event: CloudEvent): void {
		if (event.event === "reset") this.#refusals = [];
		else if (this.#options.isRefusal(event)) {
			this.#refusals.push(event);
			if (this.#refusals.length >= 2 * MOST_EARLIER) this.#refusals.splice(0, this.#refusals.length - MOST_EARLIER);
		}
		for (const reader of this.#readers) reader.take(event);
	}

	#send(): void {
		const numbers = this.#batches++ % NUMBERS_EVERY === 0 ? JSON.stringify(this.#options.numbers.now()) : undefined;
		for (const reader of this.#readers) reader.send(numbers);
	}

	#remove(reader: Reader): void {
		this.#readers.delete(reader);
		if (this.#readers.size > 0) return;
		clearInterval(this.#timer);
		this.#timer = undefined;
	}
}

/** The newest events of one kind since the last batch. */
class Newest {
	#events: CloudEvent[] = [];

	push(event: CloudEvent): void {
		this.#events.push(event);
		// Now and then, because it moves the whole list.
		if (this.#events.length >= 2 * MOST) this.#events.splice(0, this.#events.length - MOST);
	}

	take(): CloudEvent[] {
		const taken = this.#events.slice(-MOST);
		this.#events = [];
		return taken;
	}
}

/** One page that reads along. */
class Reader {
	readonly fits: (event: CloudEvent) => boolean;
	readonly #response: ServerResponse;
	readonly #isRefusal: IsRefusal;
	readonly #refusals = new Newest();
	readonly #others = new Newest();
	/** Fitting events since the last batch. */
	#count = 0;
	#readAt = performance.now();

	constructor(response: ServerResponse, fits: (event: CloudEvent) => boolean, isRefusal: IsRefusal) {
		this.#response = response;
		this.fits = fits;
		this.#isRefusal = isRefusal;
	}

	take(event: CloudEvent): void {
		if (!this.fits(event)) return;
		this.#count++;
		(this.#isRefusal(event) ? this.#refusals : this.#others).push(event);
	}

	/** Sends what has come since the last time, unless the reader has yet to read that. */
	send(numbers: string | undefined): void {
		const now = performance.now();
		if (this.#response.writableNeedDrain) {
			if (now - this.#readAt > PATIENCE) this.#response.destroy();
			return;
		}
		this.#readAt = now;
		if (numbers !== undefined) this.write("numbers", numbers);
		if (this.#count === 0) return;
		const events = [...this.#refusals.take(), ...this.#others.take()].sort((a, b) => a.sequence - b.sequence);
		this.write("events", `{"events":${eventsAsJson(events)},"dropped":${this.#count - events.length}}`);
		this.#count = 0;
	}

	/** Writes one server-sent event; JSON has no line breaks. */
	write(name: string, json: string): void {
		this.#response.write(`event: ${name}\ndata: ${json}\n\n`);
	}
}
