// Builds elements. Everything that is shown goes through here as text: nothing ever becomes markup.

/** @typedef {Node | string | number | null | undefined | false | readonly any[]} Child */

/**
 * An element with attributes and children. A function is a listener: `{ click: () => … }`. Attributes that are absent, `false`
 * or `undefined` are left out.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} name
 * @param {Readonly<Record<string, unknown>>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(name, attributes = {}, ...children) {
	const element = document.createElement(name);
	setAttributes(element, attributes);
	append(element, children);
	return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * The same for a drawing.
 * @param {string} name
 * @param {Readonly<Record<string, unknown>>} [attributes]
 * @param {...Child} children
 */
export function svg(name, attributes = {}, ...children) {
	const element = document.createElementNS(SVG, name);
	setAttributes(element, attributes);
	append(element, children);
	return element;
}

/**
 * @param {Element} element
 * @param {Readonly<Record<string, unknown>>} attributes
 */
function setAttributes(element, attributes) {
	for (const [key, value] of Object.entries(attributes)) {
		if (typeof value === "function") element.addEventListener(key, /** @type {EventListener} */ (value));
		else if (value !== undefined && value !== false && value !== null)
			element.setAttribute(key, value === true ? "" : String(value));
	}
}

/**
 * @param {Element} parent
 * @param {readonly Child[]} children
 */
function append(parent, children) {
	for (const child of children) {
		if (child === null || child === undefined || child === false) continue;
		if (Array.isArray(child)) append(parent, child);
		else parent.append(/** @type {Node | string} */ (typeof child === "number" ? String(child) : child));
	}
}

/** @param {unknown} value */
export const pretty = (value) => JSON.stringify(value, undefined, 2);

/**
 * JSON text with line breaks; as it is when it is not JSON.
 * @param {string} text
 */
export function prettyText(text) {
	try {
		return pretty(JSON.parse(text));
	} catch {
		return text;
	}
}

/**
 * A block of code, which can be scrolled with the keyboard.
 * @param {string} text
 * @param {string} label
 */
export const code = (text, label) => h("pre", { tabindex: 0, role: "group", "aria-label": label }, h("code", {}, text));

/**
 * Names and values.
 * @param {...(readonly [name: string, value: Child] | false | undefined)} rows
 */
export const facts = (...rows) =>
	h(
		"dl",
		{ class: "facts" },
		rows.map((row) => row && h("div", {}, h("dt", {}, row[0]), h("dd", {}, row[1]))),
	);

/**
 * A table, whose rows begin with a header. The roles are those that the elements have anyway, but lose in some browsers when a
 * small screen shows them as blocks.
 *
 * @param {string} caption
 * @param {readonly string[]} columns
 */
export function table(caption, columns) {
	const body = h("tbody", { role: "rowgroup" });
	const element = h(
		"table",
		{ role: "table" },
		h("caption", { class: "unseen" }, caption),
		h(
			"thead",
			{ role: "rowgroup" },
			h(
				"tr",
				{ role: "row" },
				columns.map((column) => h("th", { scope: "col", role: "columnheader" }, column)),
			),
		),
		body,
	);
	return {
		element,
		clear: () => body.replaceChildren(),
		/** @returns {number} how many rows there are now @param {readonly Child[]} cells */
		add(cells) {
			const line = cells.map((cell, at) =>
				at === 0
					? h("th", { scope: "row", role: "rowheader" }, cell)
					: h("td", { role: "cell", "data-label": columns[at] }, cell),
			);
			body.append(h("tr", { role: "row" }, line));
			return body.childElementCount;
		},
	};
}

/** @param {string} name */
export const thingLink = (name) => h("a", { href: `#/things/${encodeURIComponent(name)}` }, name);

/** @param {string} id */
export const certificateLink = (id) =>
	/^[0-9a-f]{64}$/.test(id)
		? h("a", { href: `#/certificates/${id}`, class: "id", title: id }, `${id.slice(0, 8)}…`)
		: h("span", { class: "id" }, id);

/** @param {string | undefined} status */
export const statusBadge = (status) =>
	h("span", { class: `badge ${(status ?? "none").toLowerCase().replaceAll("_", "-")}` }, statusWords(status));

/** @param {string | undefined} status */
export const statusWords = (status) => (status ?? "not known").toLowerCase().replaceAll("_", " ");

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** @param {number | undefined} milliseconds */
export const date = (milliseconds) =>
	milliseconds === undefined
		? "–"
		: h("time", { datetime: new Date(milliseconds).toISOString() }, dates.format(milliseconds));

/** @param {number} value */
export const count = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

/**
 * Tells people who use a screen reader. Says nothing to the others.
 * @param {string} text
 */
export function announce(text) {
	const region = document.getElementById("announcement");
	if (region) region.textContent = text;
}
