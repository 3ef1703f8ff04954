// Faults to switch on, so that a device meets today what it will meet some day.

import { can, changeSettings, read } from "./api.js";
import { announce, h } from "./dom.js";

const OPERATIONS = ["CreateKeysAndCertificate", "CreateCertificateFromCsr", "RegisterThing"];
const ACTIONS = /** @type {const} */ ([
	["drop", "carry it out, but do not answer"],
	["duplicate", "answer twice"],
	["delay", "answer late"],
	["reject", "do not carry it out; answer with an error"],
	["close", "carry it out, then hang up"],
]);

/** Settings that are faults as well: path, label, what it does, and the values to choose from; numbers are ms. */
const LASTING = /** @type {const} */ ([
	[
		"hook.fault",
		"Pre-provisioning hook",
		"Instead of calling the hook",
		[
			[null, "works"],
			["deny", "denies"],
			["error", "fails"],
			["hang", "hangs"],
		],
	],
	[
		"template.roleBroken",
		"Provisioning role",
		"Every registration is denied",
		[
			[false, "works"],
			[true, "broken"],
		],
	],
	[
		"reply.puback",
		"PUBACK of a request",
		"Whether and when the device gets it",
		[
			["before", "before the reply"],
			["after", "after the reply"],
			["withhold", "never"],
		],
	],
	[
		"policy.propagationDelay",
		"Policies take effect",
		"After they are attached, as at AWS",
		[
			[0, "at once"],
			[5_000, "after 5 s"],
			[60_000, "after a minute"],
		],
	],
	[
		"certificate.activationDelay",
		"Certificates become active",
		"After RegisterThing",
		[
			[0, "at once"],
			[5_000, "after 5 s"],
			[60_000, "after a minute"],
		],
	],
	[
		"reply.delay",
		"All replies",
		"How much longer they take",
		[
			[0, "at once"],
			[1_000, "after 1 s"],
			[10_000, "after 10 s"],
		],
	],
]);

export async function faultsView() {
	let { settings } = await read("settings");
	const list = h("ul", { class: "faults" });
	const problem = h("p", { class: "error", role: "alert" });

	/**
	 * @param {object} patch
	 * @param {string} done
	 */
	async function apply(patch, done) {
		problem.textContent = "";
		try {
			settings = await changeSettings(patch);
			announce(done);
		} catch (error) {
			problem.textContent = /** @type {Error} */ (error).message;
		}
		show();
	}

	function show() {
		const { faults } = settings;
		list.replaceChildren(
			...faults.map((/** @type {any} */ fault, /** @type {number} */ at) =>
				h(
					"li",
					{},
					h(
						"span",
						{},
						h("strong", {}, fault.action),
						` ${fault.operation}${fault.action === "delay" ? ` by ${fault.milliseconds ?? 1_000} ms` : ""}, ${times(fault.times ?? 1)}`,
					),
					h(
						"button",
						{
							type: "button",
							disabled: !can.change,
							"aria-label": `Remove ${fault.action} ${fault.operation}`,
							click: () => apply({ faults: faults.toSpliced(at, 1) }, "The fault is removed."),
						},
						"Remove",
					),
				),
			),
		);
		none.hidden = faults.length > 0;
	}

	const none = h("p", { class: "empty" }, "No fault is on. Replies are sent as they should be.");
	const milliseconds = field("milliseconds", "Milliseconds", { type: "number", min: 0, value: 1_000 });
	const rejection = h(
		"div",
		{ class: "fields" },
		field("statusCode", "Status code", { type: "number", min: 100, max: 599, value: 500 }),
		field("errorCode", "Error code", { value: "InternalFailure" }),
		field("errorMessage", "Error message", { placeholder: "the usual one" }),
	);
	/** @param {string} action */
	const fit = (action) => {
		milliseconds.hidden = action !== "delay";
		rejection.hidden = action !== "reject";
	};
	fit("drop");

	/** @param {SubmitEvent} event */
	function submit(event) {
		event.preventDefault();
		const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
		const text = (/** @type {string} */ name) => String(form.get(name));
		const fault = {
			operation: text("operation"),
			action: text("action"),
			times: Number(form.get("times")),
			...(text("action") === "delay" && { milliseconds: Number(form.get("milliseconds")) }),
			...(text("action") === "reject" && {
				rejection: {
					statusCode: Number(form.get("statusCode")),
					errorCode: text("errorCode"),
					...(text("errorMessage") && { errorMessage: text("errorMessage") }),
				},
			}),
		};
		void addFault(fault);
	}

	/** @param {{ operation: string, action: string, times: number }} fault */
	async function addFault(fault) {
		// Faults are used up while the page is open: those that are left now are kept.
		const current = await read("settings");
		await apply(
			{ faults: [...current.settings.faults, fault] },
			`The next ${times(fault.times)} of ${fault.operation}: ${fault.action}.`,
		);
	}

	show();
	return h(
		"div",
		{},
		h("h1", { tabindex: -1 }, "Faults"),
		h(
			"p",
			{ class: "lead" },
			"Let a device meet what it will meet some day. Faults of replies last until they are used up, or the cloud stops.",
		),
		problem,
		h("h2", {}, "Faults of replies"),
		none,
		list,
		h(
			"form",
			{ class: "card", submit, "aria-label": "Add a fault" },
			h("h3", {}, "Add a fault"),
			h(
				"div",
				{ class: "fields" },
				h(
					"label",
					{},
					h("span", {}, "Operation"),
					h(
						"select",
						{ name: "operation", disabled: !can.change },
						OPERATIONS.map((one) => h("option", { selected: one === "RegisterThing" }, one)),
					),
				),
				h(
					"label",
					{},
					h("span", {}, "What happens"),
					h(
						"select",
						{
							name: "action",
							disabled: !can.change,
							change: (/** @type {Event} */ event) => fit(/** @type {HTMLSelectElement} */ (event.target).value),
						},
						ACTIONS.map(([value, words]) => h("option", { value }, `${value}: ${words}`)),
					),
				),
				field("times", "How often", { type: "number", min: 1, value: 1, required: true }),
				milliseconds,
			),
			rejection,
			h("button", { class: "primary", disabled: !can.change }, "Switch it on"),
		),
		h("h2", {}, "Faults that last"),
		h(
			"div",
			{ class: "grid" },
			LASTING.map(([path, label, about, values]) => {
				const [section = "", name = ""] = path.split(".");
				const value = settings[section][name] ?? null;
				const known = values.some(([one]) => one === value);
				return h(
					"label",
					{ class: `card choice${value === values[0][0] ? "" : " on"}` },
					h("span", { class: "title" }, label),
					h("span", { class: "note" }, about),
					h(
						"select",
						{
							disabled: !can.change,
							change: (/** @type {Event} */ event) => {
								const select = /** @type {HTMLSelectElement} */ (event.target);
								const chosen = JSON.parse(select.value);
								select.closest("label")?.classList.toggle("on", chosen !== values[0][0]);
								void apply({ [section]: { [name]: chosen } }, `${label}: ${select.selectedOptions[0]?.textContent}.`);
							},
						},
						values.map(([one, words]) => h("option", { value: JSON.stringify(one), selected: one === value }, words)),
						!known && h("option", { value: JSON.stringify(value), selected: true }, `${value} ms`),
					),
				);
			}),
		),
	);
}

/** @param {number} count */
const times = (count) => (count === 1 ? "1 reply" : `${count} replies`);

/**
 * @param {string} name
 * @param {string} label
 * @param {Record<string, unknown>} attributes
 */
const field = (name, label, attributes) =>
	h("label", {}, h("span", {}, label), h("input", { name, disabled: !can.change, autocomplete: "off", ...attributes }));
