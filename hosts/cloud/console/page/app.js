// The frame of the page: chooses a view by the fragment of the address, says who the cloud is, and what the page may do.

import { can, keepToken, Refused, readAccount, takeToken } from "./api.js";
import { h } from "./dom.js";
import { fleetView } from "./fleet.js";

/** @typedef {(rest: string, query: URLSearchParams, signal: AbortSignal) => Node | Promise<Node>} View */

// Only the first view is needed at once.
/** @type {Readonly<Record<string, View>>} */
const VIEWS = {
	"": (_rest, _query, signal) => fleetView(signal),
	things: async (rest, _query, signal) => {
		const { thingsView, thingView } = await import("./things.js");
		return rest === "" ? thingsView() : thingView(rest, signal);
	},
	certificates: async (rest, query, signal) => {
		const { certificatesView, certificateView } = await import("./things.js");
		return rest === "" ? certificatesView(query) : certificateView(rest, signal);
	},
	templates: async () => (await import("./templates.js")).templatesView(),
	faults: async () => (await import("./faults.js")).faultsView(),
	settings: async () => (await import("./settings.js")).settingsView(),
};

const place = /** @type {HTMLElement} */ (document.getElementById("view"));
const notices = /** @type {HTMLElement} */ (document.getElementById("notices"));
const accountPlace = /** @type {HTMLElement} */ (document.getElementById("account"));
let shown = new AbortController();

/** @param {boolean} focus */
async function show(focus) {
	shown.abort();
	shown = new AbortController();
	const { signal } = shown;
	const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
	const [name = "", rest = ""] = path.split("/");
	const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
	for (const link of document.querySelectorAll("nav a"))
		if (link.getAttribute("data-view") === name) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	/** @type {Node} */
	let content;
	try {
		if (view === undefined) throw new Error("There is no such page.");
		content = await view(decodeURIComponent(rest), new URLSearchParams(query), signal);
	} catch (error) {
		content = h(
			"div",
			{},
			h("h1", { tabindex: -1 }, "Not here"),
			h("p", { class: "error" }, /** @type {Error} */ (error).message),
		);
	}
	if (signal.aborted) return;
	place.replaceChildren(content);
	const heading = place.querySelector("h1");
	document.title = `${heading?.textContent ?? "Fleet"} – Local AWS IoT`;
	// A new view begins where a screen reader and the Tab key go on from.
	if (focus) {
		heading?.focus({ preventScroll: true });
		scrollTo(0, 0);
	}
}

/** Says who the cloud is, and whether the page may change anything. */
async function introduce() {
	try {
		const { accountId, region, endpointAddress } = await readAccount();
		accountPlace.replaceChildren(
			h("span", {}, accountId),
			h("span", {}, region),
			h("span", { class: "endpoint" }, endpointAddress),
		);
		notices.replaceChildren(...(can.change ? [] : [readOnly("This page is read-only.")]));
	} catch (error) {
		const refused = error instanceof Refused && error.status === 403;
		notices.replaceChildren(
			readOnly(refused ? "The cloud shows nothing without its token." : "The cloud does not answer."),
		);
	}
}

/** @param {string} why */
function readOnly(why) {
	const input = h("input", { type: "password", id: "token", autocomplete: "off", required: true, spellcheck: "false" });
	const wrong = h("span", { class: "error", role: "alert" });
	/** @param {SubmitEvent} event */
	async function submit(event) {
		event.preventDefault();
		keepToken(input.value.trim());
		await readAccount().catch(() => undefined);
		if (can.change) {
			await introduce();
			await show(true);
			return;
		}
		keepToken(undefined);
		wrong.textContent = "That is not the token of this cloud.";
		input.focus();
	}
	return h(
		"section",
		{ class: "notice", "aria-label": "Read-only" },
		h(
			"details",
			{},
			h("summary", {}, h("strong", {}, why), " How to change things"),
			h(
				"p",
				{},
				"Open the link that ",
				h("code", {}, "fleet cloud"),
				" printed when it started: it carries the token of this run. Or set a token of your own in ",
				h("code", {}, "FLEET_LOCAL_TOKEN"),
				", and enter it here. It is kept for this tab only, and sent to nobody but this cloud.",
			),
			h(
				"form",
				{ class: "toolbar", submit },
				h("label", { for: "token" }, "Token"),
				input,
				h("button", {}, "Unlock"),
				wrong,
			),
		),
	);
}

async function start() {
	takeToken();
	await introduce();
	await show(false);
}

addEventListener("hashchange", async () => {
	// Somebody has pasted the link into a tab that was open.
	if (takeToken()) await introduce();
	await show(true);
});
document.querySelector(".skip")?.addEventListener("click", (event) => {
	// The fragment is taken by the views.
	event.preventDefault();
	document.getElementById("main")?.focus();
});
void start();
