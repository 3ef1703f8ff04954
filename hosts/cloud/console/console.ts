// The paths below `/_local/console/` that the web page asks. Who may ask is decided before; what changes something is a POST.

import type { IncomingMessage, ServerResponse } from "node:http";
import { AwsError } from "../base/errors.js";
import type { CloudEvent, EventLog } from "../base/events.js";
import { isObject } from "../base/object.js";
import { defaultSettings, type Settings, settingsSchema } from "../base/settings.js";
import type { Provisioning } from "../provisioning/provisioning.js";
import type { Registry } from "../registry/registry.js";
import { FleetNumbers } from "./fleet-numbers.js";
import { EVENT_KINDS, type EventFilter, eventsAsJson, Live } from "./live.js";
import { tryTemplate } from "./trial.js";
import {
	type DeviceServices,
	describeCertificate,
	describeStatement,
	describeThing,
	listCertificates,
	listTemplates,
	listThings,
} from "./views.js";

/** What the web page shows and changes. */
export interface ConsoleOptions {
	readonly registry: Registry;
	readonly events: EventLog;
	readonly settings: Settings;
	/** Without it templates cannot be tried. */
	readonly provisioning?: Provisioning | undefined;
	/** Number of MQTT connections, where there is a broker. */
	readonly connections?: (() => number) | undefined;
	/** Whether `POST /_local/reset` does something. */
	readonly canReset: boolean;
	readonly services?: DeviceServices | undefined;
	/** Whether an event refuses something. */
	readonly isRefusal: (event: CloudEvent) => boolean;
}

/** A request that may be made. */
export interface ConsoleRequest {
	readonly request: IncomingMessage;
	/** What follows `/_local/console/`. */
	readonly path: string;
	readonly query: URLSearchParams;
	/** Whether it came with the token. */
	readonly mayChange: boolean;
	/** The request's body. */
	readonly receive: () => Promise<Buffer>;
}

/** Most names that a reader of the stream may ask for. */
const MOST_NAMES = 100;
const LONGEST_FILTER = 256;

/** Answers the web page. */
export class Console {
	readonly #options: ConsoleOptions;
	readonly #numbers: FleetNumbers;
	readonly #live: Live;

	constructor(options: ConsoleOptions) {
		this.#options = options;
		const { registry, events, connections, isRefusal } = options;
		this.#numbers = new FleetNumbers({ registry, events, connections });
		this.#live = new Live({ events, numbers: this.#numbers, isRefusal });
	}

	close(): void {
		this.#numbers.close();
		this.#live.close();
	}

	/**
	 * Answers with JSON text, or with `undefined` when the answer is a stream that has begun:
	 *
	 * - `GET account`: who and where this cloud is, and what the page may do;
	 * - `GET live`, with `?kind=`, `?text=`, `?about=` (more than once) and `?since=`: events and numbers as they come;
	 * - `GET things` and `GET certificates` (`?status=`), by `?text=`, after `?after=`;
	 * - `GET thing?name=`, `GET certificate?id=`, `GET statement?policy=&index=`, `GET templates`, `GET settings`;
	 * - `POST trial` with `{templateName, parameters}`.
	 *
	 * @throws AwsError when the request is refused
	 */
	async answer(asked: ConsoleRequest, response: ServerResponse): Promise<string | undefined> {
		const { request, path, query, mayChange } = asked;
		const { registry, events, settings, provisioning, canReset, services = {} } = this.#options;
		switch (`${request.method} ${path}`) {
			case "GET account": {
				const { accountId, region } = registry.state.account;
				const { endpointAddress } = registry;
				const can = { change: mayChange, reset: canReset, tryTemplates: provisioning !== undefined };
				return JSON.stringify({ accountId, region, endpointAddress, can });
			}
			case "GET live":
				this.#live.open(filterIn(query), Number(query.get("since") ?? 0) || 0, response);
				return undefined;
			case "GET things":
				return JSON.stringify(listThings(registry, query.get("text") ?? "", query.get("after") ?? ""));
			case "GET certificates": {
				const [text, after] = [query.get("text") ?? "", query.get("after") ?? ""];
				return JSON.stringify(listCertificates(registry, text, after, query.get("status")));
			}
			case "GET thing": {
				const thing = describeThing(registry, services, events.since(0), query.get("name") ?? "");
				return withEvents(thing);
			}
			case "GET certificate":
				return withEvents(describeCertificate(registry, events.since(0), query.get("id") ?? ""));
			case "GET statement":
				return JSON.stringify(describeStatement(registry, query.get("policy") ?? "", Number(query.get("index"))));
			case "GET templates":
				return JSON.stringify(listTemplates(registry));
			case "GET settings":
				return JSON.stringify({ settings, defaults: defaultSettings(), schema: settingsSchema() });
			case "POST trial": {
				if (!provisioning) throw new AwsError("InvalidRequestException", "Templates cannot be tried here.");
				return JSON.stringify(await tryTemplate(provisioning, events, objectIn(await asked.receive())));
			}
			default:
				throw new AwsError("UnknownOperationException", `There is no ${request.method} of this name here.`);
		}
	}
}

/** JSON of a view that has events. */
function withEvents({ events, ...view }: { readonly events: readonly CloudEvent[] }): string {
	return `${JSON.stringify(view).slice(0, -1)},"events":${eventsAsJson(events)}}`;
}

function filterIn(query: URLSearchParams): EventFilter {
	const kind = EVENT_KINDS.find((one) => one === query.get("kind"));
	const about = query.getAll("about").slice(0, MOST_NAMES);
	return {
		...(kind && { kind }),
		text: (query.get("text") ?? "").slice(0, LONGEST_FILTER),
		...(about.length > 0 && { about: new Set(about) }),
	};
}

function objectIn(body: Buffer): Record<string, unknown> {
	let value: unknown;
	try {
		value = JSON.parse(body.toString());
	} catch {
		value = undefined;
	}
	if (!isObject(value)) throw new AwsError("SerializationException", "The request body must be a JSON object.");
	return value;
}
