// Things and certificates: lists that are searched, and everything about one of them.

import { read } from "./api.js";
import {
	certificateLink,
	code,
	count,
	date,
	facts,
	h,
	pretty,
	prettyText,
	statusBadge,
	statusWords,
	table,
	thingLink,
} from "./dom.js";
import { debounced, eventList } from "./events.js";

/**
 * A table with a search field and a button for more.
 *
 * @param {{ title: string, about: string, columns: readonly string[], query?: Record<string, string | undefined>, path: string,
 *   rows(answer: any): { key: string, cells: import("./dom.js").Child[] }[], above?: import("./dom.js").Child }} options
 */
function searchableTable({ title, about, columns, query = {}, path, rows, above }) {
	const list = table(title, columns);
	let shown = 0;
	const note = h("p", { class: "note", role: "status" });
	const more = h("button", { type: "button", click: () => load(false) }, "Show more");
	let last = "";
	let asked = 0;
	const search = h("input", {
		type: "search",
		id: "search",
		placeholder: "part of the name",
		"aria-label": `Search ${title.toLowerCase()}`,
		input: debounced(() => load(true)),
	});

	/** @param {boolean} anew */
	async function load(anew) {
		const now = ++asked;
		if (anew) last = "";
		const answer = await read(path, { ...query, text: search.value, after: last });
		// An answer to an earlier question must not come after one to a later.
		if (now !== asked) return;
		const found = rows(answer);
		if (anew) {
			list.clear();
			shown = 0;
		}
		for (const { cells } of found) shown = list.add(cells);
		last = found.at(-1)?.key ?? last;
		more.hidden = !answer.more;
		note.textContent =
			answer.total === 0
				? `There are no ${title.toLowerCase()} yet.`
				: `${count(shown)} of ${count(answer.matching)} shown.`;
	}

	void load(true);
	return h(
		"div",
		{},
		h("h1", { tabindex: -1 }, title),
		h("p", { class: "lead" }, about),
		above,
		h("div", { class: "toolbar" }, search),
		note,
		list.element,
		more,
	);
}

export function thingsView() {
	return searchableTable({
		title: "Things",
		about: "Every device that has been provisioned, by name.",
		columns: ["Name", "Type", "Attributes", "Certificates"],
		path: "things",
		rows: ({ things }) =>
			things.map((/** @type {any} */ { thingName, thingTypeName, attributes, certificates }) => ({
				key: thingName,
				cells: [
					thingLink(thingName),
					thingTypeName ?? "–",
					attributesOf(attributes),
					certificates.length === 0 ? "none" : certificates.map(statusBadge),
				],
			})),
	});
}

/** @param {Record<string, string>} attributes */
const attributesOf = (attributes) =>
	Object.entries(attributes)
		.map(([key, value]) => `${key} = ${value}`)
		.join(", ") || "–";

/** @param {URLSearchParams} query */
export function certificatesView(query) {
	const status = query.get("status") ?? undefined;
	return searchableTable({
		title: "Certificates",
		about: "Claims and devices, by certificate id.",
		columns: ["Id", "Status", "Things", "Policies", "Made"],
		path: "certificates",
		query: { status },
		above:
			status &&
			h("p", {}, `Only those that are ${statusWords(status)}. `, h("a", { href: "#/certificates" }, "Show all")),
		rows: ({ certificates }) =>
			certificates.map((/** @type {any} */ row) => ({
				key: row.certificateId,
				cells: [
					certificateLink(row.certificateId),
					statusBadge(row.status),
					row.things.length === 0 ? "none" : joined(row.things.map(thingLink)),
					row.policies.join(", ") || "none",
					date(row.creationDate),
				],
			})),
	});
}

/** @param {readonly Node[]} nodes */
const joined = (nodes) => nodes.flatMap((node, at) => (at === 0 ? [node] : [", ", node]));

/**
 * @param {string} name
 * @param {AbortSignal} signal
 */
export async function thingView(name, signal) {
	const thing = await read("thing", { name });
	return h(
		"div",
		{},
		h("p", { class: "crumbs" }, h("a", { href: "#/things" }, "Things")),
		h("h1", { tabindex: -1 }, thing.thingName),
		facts(
			["Type", thing.thingTypeName ?? "none"],
			["Groups", thing.groups.join(", ") || "none"],
			["Billing group", thing.billingGroupName ?? "none"],
			["Attributes", attributesOf(thing.attributes)],
			["Version", thing.version],
			["ARN", h("span", { class: "id" }, thing.thingArn)],
		),
		h("h2", {}, "Certificates"),
		thing.certificates.length === 0
			? h("p", { class: "empty" }, "No certificate is attached: nobody can connect as this thing.")
			: thing.certificates.map(certificateCard),
		h("h2", {}, "Policies"),
		policies(
			thing.policies,
			thing.groupPolicies.map((/** @type {any} */ { policyName, group }) => [policyName, `by group ${group}`]),
		),
		thing.shadows && [h("h2", {}, "Shadow"), shadows(thing.shadows)],
		thing.jobs && [h("h2", {}, "Jobs"), jobs(thing.jobs)],
		eventList(signal, { about: thing.about }),
	);
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 */
export async function certificateView(id, signal) {
	const certificate = await read("certificate", { id });
	return h(
		"div",
		{},
		h("p", { class: "crumbs" }, h("a", { href: "#/certificates" }, "Certificates")),
		h("h1", { tabindex: -1, class: "id" }, `${certificate.certificateId.slice(0, 16)}…`),
		certificateCard(certificate),
		h("h2", {}, "Policies"),
		policies(certificate.documents),
		eventList(signal, { about: [certificate.certificateId] }),
	);
}

/** @param {any} certificate */
function certificateCard({ certificateId, status, creationDate, notAfter, policies: names, things, temporaryClaim }) {
	return h(
		"article",
		{ class: "card" },
		facts(
			["Id", h("a", { href: `#/certificates/${certificateId}`, class: "id" }, certificateId)],
			["Status", statusBadge(status)],
			["Made", date(creationDate)],
			["Valid until", date(notAfter)],
			["Policies", names.join(", ") || "none: it may do nothing"],
			["Things", things.length === 0 ? "none" : joined(things.map(thingLink))],
			temporaryClaim && [
				"Temporary claim",
				[`for template ${temporaryClaim.templateName}, until `, date(temporaryClaim.expiration)],
			],
		),
	);
}

/**
 * @param {Record<string, string>} documents
 * @param {readonly (readonly [string, string])[]} [from]
 */
function policies(documents, from = []) {
	const names = Object.keys(documents);
	if (names.length === 0) return h("p", { class: "empty" }, "No policy is attached: nothing is allowed.");
	return names.map((name) =>
		h(
			"details",
			{ class: "card" },
			h(
				"summary",
				{},
				name,
				from.filter(([one]) => one === name).map(([, how]) => ` (${how})`),
			),
			code(prettyText(documents[name] ?? ""), `Policy ${name}`),
		),
	);
}

/** @param {readonly { shadowName: string | null, document: any }[]} found */
function shadows(found) {
	if (found.length === 0) return h("p", { class: "empty" }, "It has no shadow.");
	return found.map(({ shadowName, document }) => {
		const { state = {}, version } = document;
		const parts = ["desired", "reported", "delta"].filter((part) => state[part] !== undefined);
		return h(
			"article",
			{ class: "card" },
			h("h3", {}, shadowName ?? "Classic shadow", h("span", { class: "note" }, ` version ${version}`)),
			h(
				"div",
				{ class: "columns" },
				parts.map((part) =>
					h(
						"div",
						{},
						h("h4", {}, part),
						code(pretty(state[part]), `${part} of ${shadowName ?? "the classic shadow"}`),
					),
				),
			),
		);
	});
}

/** @param {readonly any[]} executions */
function jobs(executions) {
	if (executions.length === 0) return h("p", { class: "empty" }, "No job was given to it.");
	const columns = ["Job", "Status", "Execution", "Queued", "Changed"];
	const seconds = (/** @type {number | undefined} */ value) => date(value === undefined ? undefined : value * 1000);
	const list = table("Job executions", columns);
	for (const { jobId, jobExecutionSummary: summary } of executions) {
		const { status, executionNumber, queuedAt, lastUpdatedAt } = summary;
		list.add([jobId, statusBadge(status), executionNumber, seconds(queuedAt), seconds(lastUpdatedAt)]);
	}
	return list.element;
}
