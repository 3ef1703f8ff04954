// All settings, each with the input that fits its schema. A change takes effect at once and is kept.

import { can, changeSettings, read, reset } from "./api.js";
import { announce, h } from "./dom.js";

export async function settingsView() {
	const { settings, defaults, schema } = await read("settings");
	const problem = h("p", { class: "error", role: "alert" });
	/** @type {{ path: string, row: HTMLElement, section: HTMLElement }[]} */
	const index = [];

	const sections = Object.entries(schema.properties)
		// Faults have a page of their own.
		.filter(([name]) => name !== "faults")
		// The longest and least used one comes last.
		.sort(([a], [b]) => Number(a === "errors") - Number(b === "errors"))
		.map(([name, part]) => {
			const section = h("section", { class: "card settings", "aria-label": name }, h("h2", {}, name));
			section.append(...rows([name], part, settings[name], defaults[name], section));
			return section;
		});

	/**
	 * @param {readonly string[]} path
	 * @param {any} part
	 * @param {any} value
	 * @param {any} initial
	 * @param {HTMLElement} section
	 * @returns {HTMLElement[]}
	 */
	function rows(path, part, value, initial, section) {
		if (part.properties && part.additionalProperties === false && !isValue(part))
			return Object.entries(part.properties).flatMap(([name, inner]) =>
				rows([...path, name], inner, value?.[name], initial?.[name], section),
			);
		const row = settingRow(path, part, value, initial, problem);
		index.push({ path: path.join("."), row, section });
		return [row];
	}

	const search = h("input", {
		type: "search",
		placeholder: "part of a name",
		"aria-label": "Search settings",
		input: () => {
			const wanted = search.value.toLowerCase();
			for (const { path, row } of index) row.hidden = !path.toLowerCase().includes(wanted);
			for (const section of sections)
				section.hidden = !index.some(({ row, section: of }) => of === section && !row.hidden);
		},
	});
	return h(
		"div",
		{},
		h("h1", { tabindex: -1 }, "Settings"),
		h(
			"p",
			{ class: "lead" },
			"What AWS leaves undocumented, and every limit. Times are in milliseconds and sizes in bytes unless the name says otherwise. Changes take effect at once and are kept.",
		),
		can.reset && resetCard(),
		h("div", { class: "toolbar" }, search),
		problem,
		sections,
	);
}

/** Whether a schema is one setting, such as a throttle, though it has members. @param {any} part */
const isValue = (part) => Array.isArray(part.type) || part.required !== undefined;

/**
 * @param {readonly string[]} path
 * @param {any} part
 * @param {any} value
 * @param {any} initial
 * @param {HTMLElement} problem
 */
function settingRow(path, part, value, initial, problem) {
	const name = path.join(".");
	const id = `setting-${path.join("-")}`;
	const back = h("button", { type: "button", disabled: !can.change, "aria-label": `Set back ${name}` }, "Set back");
	let current = value ?? null;
	const input = inputFor(part, id, name);
	const row = h(
		"div",
		{ class: "setting" },
		h("label", { for: id }, path.slice(1).join(".") || name),
		input.element,
		h("span", { class: "note" }, `default ${shown(initial ?? null)}`),
		back,
	);
	const show = () => {
		input.set(current);
		const changed = shown(current) !== shown(initial ?? null);
		row.classList.toggle("changed", changed);
		back.hidden = !changed;
	};
	/** @param {unknown} next */
	async function apply(next) {
		problem.textContent = "";
		try {
			const all = await changeSettings(path.reduceRight((inner, key) => ({ [key]: inner }), /** @type {any} */ (next)));
			current = path.reduce((inner, key) => inner?.[key], all) ?? null;
			announce(`${name} is now ${shown(current)}.`);
		} catch (error) {
			problem.textContent = /** @type {Error} */ (error).message;
			problem.scrollIntoView({ block: "nearest" });
		}
		show();
	}
	input.element.addEventListener("change", () => {
		try {
			void apply(input.get());
		} catch {
			problem.textContent = `${name} must be JSON.`;
		}
	});
	back.addEventListener("click", () => {
		void apply(initial ?? null);
		input.element.focus();
	});
	show();
	return row;
}

/** @param {any} value */
const shown = (value) => (value === null ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value));

/**
 * @param {any} part
 * @param {string} id
 * @param {string} name
 * @returns {{ element: HTMLInputElement | HTMLSelectElement, set(value: any): void, get(): unknown }}
 */
function inputFor(part, id, name) {
	const common = { id, "aria-label": name, disabled: !can.change, autocomplete: "off" };
	const values = part.enum ?? (part.type === "boolean" ? [true, false] : undefined);
	if (values !== undefined) {
		const element = h(
			"select",
			common,
			values.map((/** @type {unknown} */ value) => h("option", { value: JSON.stringify(value) }, shown(value))),
		);
		return {
			element,
			set: (value) => {
				element.value = JSON.stringify(value);
			},
			get: () => JSON.parse(element.value),
		};
	}
	if (part.type === "number" || part.type === "integer") {
		const element = h("input", {
			...common,
			type: "number",
			min: part.minimum,
			max: part.maximum,
			step: part.type === "integer" ? 1 : "any",
		});
		return {
			element,
			set: (value) => {
				element.value = String(value);
			},
			get: () => element.valueAsNumber,
		};
	}
	const isText = part.type === "string" || (Array.isArray(part.type) && part.type[0] === "string");
	const element = h("input", { ...common, type: "text", spellcheck: "false", placeholder: "none" });
	return {
		element,
		set: (value) => {
			element.value = value === null ? "" : isText ? value : JSON.stringify(value);
		},
		get: () => (element.value === "" ? null : isText ? element.value : JSON.parse(element.value)),
	};
}

function resetCard() {
	const result = h("span", { role: "status", class: "note" });
	const dialog = h(
		"dialog",
		{ "aria-labelledby": "reset-title" },
		h("h2", { id: "reset-title" }, "Bring back the beginning?"),
		h(
			"p",
			{},
			"Things, certificates, policies and settings become what they were when the cloud had started. All connections end.",
		),
		h(
			"div",
			{ class: "toolbar" },
			h("button", { type: "button", class: "danger", click: () => act() }, "Reset"),
			h("button", { type: "button", click: () => dialog.close() }, "Cancel"),
		),
	);
	async function act() {
		dialog.close();
		try {
			await reset();
			result.textContent = "Everything is as it was at the start.";
		} catch (error) {
			result.textContent = /** @type {Error} */ (error).message;
		}
	}
	return h(
		"p",
		{ class: "reset" },
		h("button", { type: "button", disabled: !can.change, click: () => dialog.showModal() }, "Reset the cloud …"),
		" ",
		result,
		dialog,
	);
}
