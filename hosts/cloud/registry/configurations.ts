// Configurations of the whole account: logging, events, indexing. Kept and told back; nothing acts by them.

import { AwsError } from "../base/errors.js";
import { type RegistryContext, seconds } from "./context.js";
import { checkRoleArn, demand } from "./limits.js";

/** Kinds of events that a configuration switches on and off (API model, `EventType`). */
export const EVENT_TYPES = [
	"CA_CERTIFICATE",
	"CERTIFICATE",
	"JOB",
	"JOB_EXECUTION",
	"POLICY",
	"THING",
	"THING_GROUP",
	"THING_GROUP_HIERARCHY",
	"THING_GROUP_MEMBERSHIP",
	"THING_TYPE",
	"THING_TYPE_ASSOCIATION",
] as const;

/** What is logged, and where. */
export interface LoggingOptions {
	readonly roleArn?: string;
	/** Such as `ERROR`. */
	readonly defaultLogLevel?: string;
	readonly disableAllLogs?: boolean;
	/** Levels of single kinds of events, as the API writes them. */
	readonly eventConfigurations?: readonly object[];
}

/** What of things and groups is indexed. */
export interface IndexingConfiguration {
	readonly thingIndexingConfiguration?: { readonly thingIndexingMode: string };
	readonly thingGroupIndexingConfiguration?: { readonly thingGroupIndexingMode: string };
}

type EventSwitches = Readonly<Record<string, { readonly Enabled?: boolean }>>;

/** Operations on configurations. Requests and responses are those of the AWS operation of the same name. */
export class Configurations {
	readonly #context: RegistryContext;

	constructor(context: RegistryContext) {
		this.#context = context;
	}

	/** Sets the options of logging; the first time with a role. */
	setV2LoggingOptions(request: LoggingOptions): void {
		const before = this.#get<LoggingOptions>("logging");
		const options = { defaultLogLevel: "ERROR", disableAllLogs: false, ...before?.value, ...request };
		demand(options.roleArn !== undefined, "roleArn must be given when logging is configured for the first time");
		checkRoleArn(options.roleArn);
		this.#put("logging", options);
	}

	/** The options of logging. @throws AwsError NotConfiguredException before they were set */
	getV2LoggingOptions({ verbose = false }: { verbose?: boolean } = {}): LoggingOptions {
		const kept = this.#get<LoggingOptions>("logging");
		if (kept === undefined) throw new AwsError("NotConfiguredException", "Logging is not configured");
		const { eventConfigurations, ...options } = kept.value;
		return { ...options, ...(verbose && { eventConfigurations: eventConfigurations ?? [] }) };
	}

	/** Switches events on and off; those that are not named stay. */
	updateEventConfigurations({ eventConfigurations = {} }: { eventConfigurations?: EventSwitches }): void {
		this.#put("events", { ...this.#get<EventSwitches>("events")?.value, ...eventConfigurations });
	}

	/** Every kind of event, and whether it is switched on. */
	describeEventConfigurations() {
		const kept = this.#get<EventSwitches>("events");
		return {
			eventConfigurations: Object.fromEntries(
				EVENT_TYPES.map((type) => [type, { Enabled: kept?.value[type]?.Enabled ?? false }]),
			),
			...(kept && { creationDate: seconds(kept.creationDate), lastModifiedDate: seconds(kept.lastModifiedDate) }),
		};
	}

	/** Sets what is indexed; what is not named stays. */
	updateIndexingConfiguration(request: IndexingConfiguration): void {
		this.#put("indexing", { ...this.#get<IndexingConfiguration>("indexing")?.value, ...request });
	}

	/** What is indexed; nothing until it is set. */
	getIndexingConfiguration(): IndexingConfiguration {
		return {
			thingIndexingConfiguration: { thingIndexingMode: "OFF" },
			thingGroupIndexingConfiguration: { thingGroupIndexingMode: "OFF" },
			...this.#get<IndexingConfiguration>("indexing")?.value,
		};
	}

	#get<T>(name: string) {
		const record = this.#context.state.configurations.get(name);
		return record && { ...record, value: record.value as T };
	}

	#put(name: string, value: object): void {
		const { state, now } = this.#context;
		const { creationDate = now() } = state.configurations.get(name) ?? {};
		state.transaction(() => state.configurations.put(name, { name, value, creationDate, lastModifiedDate: now() }));
	}
}
