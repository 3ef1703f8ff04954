// Asks the cloud. The token comes in the fragment of the address, which a browser sends to nobody; it is kept for this tab only.

const KEY = "fleet-token";
const FRAGMENT = /^#token=([\w.~+/=-]+)$/;

/** @type {{ change: boolean, reset: boolean, tryTemplates: boolean }} */
export const can = { change: false, reset: false, tryTemplates: false };

/** What the cloud has refused, in its own words. */
export class Refused extends Error {
	/**
	 * @param {number} status
	 * @param {string} message
	 */
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

/** Takes a token out of the address, so that it is neither shown nor remembered there. Returns whether there was one. */
export function takeToken() {
	const token = FRAGMENT.exec(location.hash)?.[1];
	if (token === undefined) return false;
	keepToken(token);
	history.replaceState(null, "", `${location.pathname}#/`);
	return true;
}

/** @param {string | undefined} token */
export function keepToken(token) {
	if (token === undefined) sessionStorage.removeItem(KEY);
	else sessionStorage.setItem(KEY, token);
}

/** @returns {Record<string, string>} */
function headers() {
	const token = sessionStorage.getItem(KEY);
	return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/**
 * @param {string} path below `/_local/`
 * @param {{ method?: string, body?: unknown, signal?: AbortSignal }} [options]
 * @returns {Promise<any>}
 */
async function send(path, { method = "GET", body, signal } = {}) {
	const response = await fetch(`/_local/${path}`, {
		method,
		headers: headers(),
		...(body !== undefined && { body: JSON.stringify(body) }),
		...(signal && { signal }),
	});
	const answer = await response.json();
	if (!response.ok) throw new Refused(response.status, answer.message ?? `HTTP status ${response.status}`);
	return answer;
}

/** Reads who the cloud is, and what this page may do. */
export async function readAccount() {
	const account = await send("console/account");
	Object.assign(can, account.can);
	return account;
}

/**
 * @param {string} path below `/_local/console/`
 * @param {Record<string, string | undefined>} [query]
 */
export function read(path, query = {}) {
	const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
	return send(`console/${path}?${new URLSearchParams(given)}`);
}

/** @param {object} patch */
export const changeSettings = (patch) => send("settings", { method: "PATCH", body: patch });

/** @param {object} trial */
export const tryTemplate = (trial) => send("console/trial", { method: "POST", body: trial });

export const reset = () => send("reset", { method: "POST" });

/** How long to wait before the stream is opened again, ms. */
const AGAIN = 1_000;
/** Characters of one message. One that is longer is not the cloud's. */
const LONGEST_MESSAGE = 4_000_000;

/**
 * Follows the live stream until `signal` aborts; takes it up again when it breaks, and rests while nobody looks at the page, since
 * a browser has few connections to share between its tabs.
 *
 * @param {{ kind?: string, text?: string, about?: readonly string[] }} filter
 * @param {{ events(batch: { events: any[], dropped: number }): void, numbers?(numbers: any): void, state?(open: boolean): void }} take
 * @param {AbortSignal} signal
 */
export async function follow(filter, take, signal) {
	let since = 0;
	while (!signal.aborted) {
		await untilVisible(signal);
		if (signal.aborted) return;
		const connection = new AbortController();
		const end = () => (document.hidden || signal.aborted) && connection.abort();
		document.addEventListener("visibilitychange", end);
		signal.addEventListener("abort", end);
		try {
			const query = new URLSearchParams({ since: String(since) });
			if (filter.kind) query.set("kind", filter.kind);
			if (filter.text) query.set("text", filter.text);
			for (const name of filter.about ?? []) query.append("about", name);
			const response = await fetch(`/_local/console/live?${query}`, { headers: headers(), signal: connection.signal });
			if (!response.ok || !response.body) throw new Refused(response.status, "The live stream was refused.");
			take.state?.(true);
			for await (const { name, data } of messages(response.body)) {
				if (name === "numbers") take.numbers?.(data);
				else {
					since = data.events.at(-1)?.sequence ?? since;
					take.events(data);
				}
			}
		} catch {
			// The cloud was stopped, or nobody looks. Either way the stream is opened again.
		} finally {
			document.removeEventListener("visibilitychange", end);
			signal.removeEventListener("abort", end);
			connection.abort();
		}
		if (signal.aborted) return;
		if (!document.hidden) {
			take.state?.(false);
			await new Promise((resolve) => setTimeout(resolve, AGAIN));
		}
	}
}

/** @param {AbortSignal} signal */
async function untilVisible(signal) {
	while (document.hidden && !signal.aborted)
		await new Promise((resolve) => {
			document.addEventListener("visibilitychange", resolve, { once: true });
			signal.addEventListener("abort", resolve, { once: true });
		});
}

/**
 * Server-sent events (HTML standard, section 9.2), as this cloud writes them.
 * @param {ReadableStream<Uint8Array>} body
 */
async function* messages(body) {
	const reader = body.getReader();
	const decoder = new TextDecoder();
	let text = "";
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return;
		text += decoder.decode(value, { stream: true });
		if (text.length > LONGEST_MESSAGE) return;
		const parts = text.split("\n\n");
		text = /** @type {string} */ (parts.pop());
		for (const part of parts) {
			const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
			if (name !== undefined && data !== undefined) yield { name, data: JSON.parse(data) };
		}
	}
}
