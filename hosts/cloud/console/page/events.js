// The list of events: what has just happened, newest first. Holds a bounded number, however many come.

import { follow, read } from "./api.js";
import { announce, certificateLink, code, count, facts, h, pretty } from "./dom.js";
import { isRefusal, tell } from "./words.js";

/** @typedef {import("./words.js").CloudEvent} CloudEvent */

/** Events that are shown. */
const MOST = 200;
/** A screen reader is told of refusals no more often than this, ms. */
const ANNOUNCE_EVERY = 5_000;

const KINDS = /** @type {const} */ ([
	["", "All"],
	["refusals", "Refusals"],
	["provisioning", "Provisioning"],
	["connections", "Connections"],
	["messages", "Messages"],
	["other", "Other"],
]);

const clock = new Intl.DateTimeFormat(undefined, {
	hour: "2-digit",
	minute: "2-digit",
	second: "2-digit",
	hourCycle: "h23",
});

/**
 * The list with its filter, which follows the live stream until `signal` aborts.
 *
 * @param {AbortSignal} signal
 * @param {{ about?: readonly string[], numbers?(numbers: any): void, level?: "h2" | "h3" }} [options]
 */
export function eventList(signal, { about, numbers, level = "h2" } = {}) {
	const filter = { kind: "", text: "", ...(about && { about }) };
	let paused = false;
	let dropped = 0;
	let connection = new AbortController();
	/** @type {CloudEvent[]} What came while the list was paused. */
	let waiting = [];
	const list = h("ol", { class: "events", "aria-label": "Events, newest first" });
	const empty = h("p", { class: "empty" });
	const note = h("p", { class: "note", id: "left-out" });
	const state = h("span", { class: "live", role: "status" }, "connecting");

	const pause = h("button", { type: "button", "aria-pressed": "false", click: () => setPaused(!paused) }, "Pause");
	const search = h("input", {
		type: "search",
		placeholder: "thing, client, topic, action …",
		"aria-label": "Show only events with this text",
		maxlength: 256,
		input: debounced(() => {
			filter.text = search.value;
			restart();
		}),
	});
	const kinds = h(
		"fieldset",
		{ class: "segments" },
		h("legend", { class: "unseen" }, "Kind of event"),
		KINDS.map(([value, label]) =>
			h(
				"label",
				{},
				h("input", {
					type: "radio",
					name: "kind",
					value,
					checked: value === "",
					change: () => {
						filter.kind = value;
						restart();
					},
				}),
				h("span", {}, label),
			),
		),
	);

	/** @param {boolean} now */
	function setPaused(now) {
		paused = now;
		pause.setAttribute("aria-pressed", String(paused));
		pause.textContent = paused ? "Go on" : "Pause";
		if (!paused) show(waiting.splice(0));
		explain();
	}

	function restart() {
		connection.abort();
		if (signal.aborted) return;
		connection = new AbortController();
		list.replaceChildren();
		waiting = [];
		dropped = 0;
		explain();
		const { signal: current } = connection;
		void follow(
			filter,
			{ events: (batch) => !current.aborted && take(batch), state: showState, ...(numbers && { numbers }) },
			current,
		);
	}

	/** @param {{ events: CloudEvent[], dropped: number }} batch */
	function take(batch) {
		dropped += batch.dropped;
		if (paused) {
			waiting.push(...batch.events);
			const over = waiting.length - MOST;
			if (over > 0) {
				waiting.splice(0, over);
				dropped += over;
			}
		} else show(batch.events);
		explain();
	}

	/** @param {CloudEvent[]} events */
	function show(events) {
		const rows = events.slice(-MOST).map(eventRow).reverse();
		// Whoever reads one with the keyboard must not lose it.
		const focused = document.activeElement?.closest("ol.events > li");
		list.prepend(...rows);
		// What went well gives way to what did not: it comes a thousand times as often.
		const mayGo = list.querySelectorAll(".bad").length > MOST / 2 ? "li" : "li:not(.bad)";
		for (let last = list.lastElementChild; list.childElementCount > MOST && last; ) {
			const before = last.previousElementSibling;
			if (last !== focused && last.matches(mayGo)) last.remove();
			last = before;
		}
		announceRefusals(events.filter(isRefusal));
		explain();
	}

	function explain() {
		empty.hidden = list.childElementCount > 0 || waiting.length > 0;
		const filtered = filter.kind !== "" || filter.text !== "";
		empty.textContent = filtered
			? "No event fits the filter."
			: "Nothing yet. What devices do appears here the moment it happens; fleet cloud printed how to start one.";
		note.textContent = [
			paused && `Paused; ${count(waiting.length)} waiting.`,
			dropped > 0 && `${count(dropped)} events came too fast to be shown. A filter shows more of what you look for.`,
		]
			.filter(Boolean)
			.join(" ");
	}

	/** @param {boolean} open */
	function showState(open) {
		state.textContent = open ? "live" : "the cloud does not answer";
		state.classList.toggle("lost", !open);
	}

	signal.addEventListener("abort", () => connection.abort());
	restart();
	return h(
		"section",
		{ class: "stream", "aria-labelledby": "events-title" },
		h("div", { class: "heading" }, h(level, { id: "events-title" }, "Events"), state),
		h("div", { class: "toolbar" }, kinds, search, pause),
		note,
		list,
		empty,
	);
}

let announcedAt = Number.NEGATIVE_INFINITY;
let unannounced = 0;
/** @type {CloudEvent | undefined} */
let latest;
let announcing = false;

/** @param {CloudEvent[]} refusals */
function announceRefusals(refusals) {
	if (refusals.length === 0) return;
	latest = refusals.at(-1);
	unannounced += refusals.length;
	// What comes too soon is told with the next one, or alone when there is none.
	if (announcing) return;
	announcing = true;
	setTimeout(announceLatest, Math.max(0, announcedAt + ANNOUNCE_EVERY - performance.now()));
}

function announceLatest() {
	announcing = false;
	announcedAt = performance.now();
	if (latest === undefined) return;
	const more = unannounced > 1 ? `${unannounced} refusals, the last: ` : "";
	announce(`${more}${h("p", {}, tell(latest).words).textContent}. ${latest.explanation ?? ""}`);
	unannounced = 0;
}

/**
 * One event.
 * @param {CloudEvent} event
 */
export function eventRow(event) {
	const { mood, label, words } = tell(event);
	const { explanation, time } = event;
	return h(
		"li",
		{ class: `event ${mood}` },
		h("time", { datetime: new Date(time).toISOString() }, clock.format(time)),
		h("span", { class: "label" }, label),
		h(
			"div",
			{ class: "what" },
			h("p", {}, words),
			explanation && h("p", { class: "why" }, explanation),
			detailsOf(event),
		),
	);
}

/** @param {CloudEvent} event */
function detailsOf(event) {
	const details = h("details", {}, h("summary", {}, isRefusal(event) ? "Who, what, which statement" : "Details"));
	// Built when somebody looks: most events are never opened.
	details.addEventListener(
		"toggle",
		() => {
			const { statement, principal, explanation, sequence, time, connectionId, event: name, ...rest } = event;
			details.append(
				facts(
					principal !== undefined && ["principal", certificateLink(principal)],
					...Object.entries(rest).map(
						([key, value]) =>
							/** @type {const} */ ([key, typeof value === "object" ? JSON.stringify(value) : String(value)]),
					),
					statement && ["decided by", decidedBy(statement)],
					event.event === "denied" && !statement && ["decided by", "no statement: nothing allows it"],
					connectionId !== undefined && ["connection", connectionId],
					["event", `${name}, number ${sequence}`],
				),
			);
			if (statement) void showStatement(details, statement);
		},
		{ once: true },
	);
	return details;
}

/** @param {{ policyName: string, index: number, sid?: string }} statement */
const decidedBy = ({ policyName, index, sid }) =>
	`statement ${index + 1}${sid === undefined ? "" : ` (${sid})`} of policy ${policyName}`;

/**
 * @param {HTMLElement} details
 * @param {{ policyName: string, index: number, sid?: string }} statement
 */
async function showStatement(details, { policyName, index }) {
	try {
		const found = await read("statement", { policy: policyName, index: String(index) });
		details.append(code(pretty(found.statement), `Statement ${index + 1} of policy ${policyName}`));
	} catch {
		// A policy of IAM, or one that has been deleted: its name must do.
	}
}

/**
 * Calls back when nothing has happened for a moment.
 * @param {() => void} callback
 */
export function debounced(callback) {
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let timer;
	return () => {
		clearTimeout(timer);
		timer = setTimeout(callback, 250);
	};
}
