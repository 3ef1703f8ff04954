// Provisioning templates, and a form that tries one: what a device would be told, and what the cloud made of it.

import { can, read, tryTemplate } from "./api.js";
import { certificateLink, code, facts, h, pretty, prettyText, thingLink } from "./dom.js";

export async function templatesView() {
	const { templates } = await read("templates");
	return h(
		"div",
		{},
		h("h1", { tabindex: -1 }, "Templates"),
		h("p", { class: "lead" }, "What RegisterThing makes of a device. Fill in what the device would send, and see."),
		templates.length === 0
			? h("p", { class: "empty" }, "There is no provisioning template yet.")
			: templates.map(templateCard),
	);
}

/** @param {any} template */
function templateCard({ templateName, description, enabled, type, hook, version, body, parameters }) {
	return h(
		"article",
		{ class: "card", "aria-label": `Template ${templateName}` },
		h("h2", {}, templateName, !enabled && h("span", { class: "badge inactive" }, "disabled")),
		description && h("p", {}, description),
		facts(["Type", type], ["Version in force", version], ["Hook", hook ?? "none"]),
		h("details", {}, h("summary", {}, "Body"), code(prettyText(body), `Body of template ${templateName}`)),
		type === "FLEET_PROVISIONING" && trialForm(templateName, parameters),
	);
}

/**
 * @param {string} templateName
 * @param {readonly { name: string, defaultValue?: string }[]} parameters
 */
function trialForm(templateName, parameters) {
	const result = h("div", { class: "result", role: "status" });
	const button = h("button", { class: "primary", disabled: !may() }, "Try RegisterThing");
	/** @param {SubmitEvent} event */
	async function submit(event) {
		event.preventDefault();
		const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
		const given = Object.fromEntries([...form].filter(([, value]) => value !== ""));
		button.disabled = true;
		try {
			result.replaceChildren(outcome(await tryTemplate({ templateName, parameters: given })));
		} catch (error) {
			result.replaceChildren(h("p", { class: "error" }, /** @type {Error} */ (error).message));
		} finally {
			button.disabled = false;
		}
	}
	return h(
		"form",
		{ class: "trial", submit, "aria-label": `Try template ${templateName}` },
		h("h3", {}, "Try it"),
		h(
			"p",
			{ class: "note" },
			"This is a real registration, hook included: the thing and its certificate stay. Their key is thrown away. An empty field is not sent.",
		),
		h(
			"div",
			{ class: "fields" },
			parameters.map(({ name, defaultValue }) =>
				h(
					"label",
					{},
					h("span", {}, name),
					h("input", {
						name,
						autocomplete: "off",
						disabled: !may(),
						placeholder: defaultValue && `default ${defaultValue}`,
					}),
				),
			),
		),
		button,
		result,
	);
}

const may = () => can.change && can.tryTemplates;

/** @param {{ accepted: boolean, reply: any, certificateId?: string, explanation?: string }} result */
function outcome({ accepted, reply, certificateId, explanation }) {
	if (!accepted)
		return h(
			"div",
			{ class: "outcome bad" },
			h("h4", {}, `Rejected with ${reply.statusCode} ${reply.errorCode}`),
			explanation && h("p", { class: "why" }, explanation),
			h("p", { class: "note" }, "The device is told no more than this:"),
			code(pretty(reply), "The reply"),
		);
	return h(
		"div",
		{ class: "outcome good" },
		h("h4", {}, "Accepted"),
		facts(
			["Thing", reply.thingName === undefined ? "none: the template has no thing" : thingLink(reply.thingName)],
			certificateId !== undefined && ["Certificate", certificateLink(certificateId)],
		),
		h("p", { class: "note" }, "The device is told:"),
		code(pretty(reply), "The reply"),
	);
}
