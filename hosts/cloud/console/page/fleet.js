// The fleet at a glance: four numbers, and what happens.

import { count, h, statusWords, svg } from "./dom.js";
import { eventList } from "./events.js";

/** In the order in which a certificate goes through them. */
const STATUSES = ["ACTIVE", "PENDING_ACTIVATION", "INACTIVE", "PENDING_TRANSFER", "REVOKED"];

/** @param {AbortSignal} signal */
export function fleetView(signal) {
	const things = tile("Things", "#/things");
	const connections = tile("Connections");
	const certificates = tile("Certificates", "#/certificates");
	const provisioned = tile("Provisioned a second");
	const tiles = h("section", { class: "tiles", "aria-label": "The fleet in numbers" }, [
		things.element,
		connections.element,
		certificates.element,
		provisioned.element,
	]);

	/** @param {{ things: number, connections: number | null, certificates: Record<string, number>, provisioned: number[], events: number[] }} numbers */
	function show(numbers) {
		const all = Object.values(numbers.certificates).reduce((sum, one) => sum + one, 0);
		const total = numbers.provisioned.reduce((sum, one) => sum + one, 0);
		// The second before the present one, which is over.
		const [events, rate] = [numbers.events.at(-2) ?? 0, numbers.provisioned.at(-2) ?? 0];
		things.set(count(numbers.things), "in the registry");
		connections.set(
			numbers.connections === null ? "–" : count(numbers.connections),
			`${count(events)} events a second`,
		);
		certificates.set(count(all), statusBar(numbers.certificates, all));
		provisioned.set(count(rate), [sparkline(numbers.provisioned), h("span", {}, `${count(total)} in the last minute`)]);
	}

	return h("div", {}, h("h1", { tabindex: -1 }, "Fleet"), tiles, eventList(signal, { numbers: show }));
}

/**
 * @param {string} label
 * @param {string} [href]
 */
function tile(label, href) {
	const value = h("p", { class: "number" }, "–");
	const below = h("div", { class: "below" });
	const element = h("article", { class: "tile" }, h("h2", {}, href ? h("a", { href }, label) : label), value, below);
	return {
		element,
		/** @param {string} number @param {import("./dom.js").Child} more */
		set(number, more) {
			value.textContent = number;
			below.replaceChildren(h("div", {}, more));
		},
	};
}

/**
 * @param {Record<string, number>} byStatus
 * @param {number} all
 */
function statusBar(byStatus, all) {
	const present = STATUSES.filter((status) => byStatus[status]);
	let x = 0;
	const bars = present.map((status) => {
		const width = (100 * (byStatus[status] ?? 0)) / all;
		x += width;
		return svg("rect", { x: x - width, width, height: 8, class: status.toLowerCase().replaceAll("_", "-") });
	});
	return [
		svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, bars),
		h(
			"ul",
			{ class: "legend" },
			present.map((status) =>
				h(
					"li",
					{ class: status.toLowerCase().replaceAll("_", "-") },
					h("a", { href: `#/certificates?status=${status}` }, `${count(byStatus[status] ?? 0)} ${statusWords(status)}`),
				),
			),
		),
	];
}

/** @param {readonly number[]} values */
function sparkline(values) {
	const most = Math.max(1, ...values);
	const points = values.map((value, at) => `${(at * 100) / (values.length - 1)},${24 - (22 * value) / most}`).join(" ");
	return svg(
		"svg",
		{ class: "spark", viewBox: "0 0 100 26", preserveAspectRatio: "none", "aria-hidden": "true" },
		svg("polygon", { points: `0,25 ${points} 100,25` }),
		svg("polyline", { points }),
	);
}
