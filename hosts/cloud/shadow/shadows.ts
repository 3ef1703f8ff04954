// Device Shadow: the classic and the named shadows of things, over MQTT and for the control plane's operations. Kept in the state.
// What a device sends can only ever be rejected. Facts: AWS IoT developer guide, "AWS IoT Device Shadow service".

import { AwsError, type AwsErrorName } from "../base/errors.js";
import type { CloudEventBody } from "../base/events.js";
import { messageOf } from "../base/guard.js";
import type { Json, JsonObject } from "../base/object.js";
import type { Settings } from "../base/settings.js";
import { Throttles } from "../base/throttle.js";
import type { MessagePublisher, ReservedRequest, ReservedService } from "../mqtt/reserved.js";
import { forms, isOfForm } from "../registry/forms.js";
import { page } from "../registry/paging.js";
import type { ShadowRecord, State } from "../state/state.js";
import {
	applyUpdate,
	differenceOf,
	metadataOf,
	readClientToken,
	readPayload,
	readUpdate,
	ShadowError,
} from "./document.js";

/** What shadows work with. */
export interface ShadowsOptions {
	readonly state: State;
	/** Live: read at each request. */
	readonly settings: Settings;
	/** ms since 1970. */
	readonly now: () => number;
	readonly report: (event: CloudEventBody) => void;
}

/** The name of a shadow. The classic one of a thing has no name of its own. */
export interface ShadowName {
	readonly thingName: string;
	readonly shadowName?: string | undefined;
}

type ShadowOperation = "get" | "update" | "delete";

const TOPIC = /^\$aws\/things\/([^/]+)\/shadow(?:\/name\/([^/]+))?\/(get|update|delete)$/;
/** How long a deleted shadow's version is remembered, ms (developer guide, "Interacting with shadows"). */
const DELETED_VERSION = 48 * 3_600_000;
const ENCODER = new TextEncoder();

/** The names of the errors of the operations over HTTPS (API model, iot-data). */
const ERROR_NAMES: Readonly<Record<number, AwsErrorName>> = {
	400: "InvalidRequestException",
	404: "ResourceNotFoundException",
	409: "ConflictException",
	413: "RequestEntityTooLargeException",
	415: "UnsupportedDocumentEncodingException",
	429: "ThrottlingException",
};

/** All shadows of the account. */
export class Shadows implements ReservedService {
	readonly name = "Device Shadow";
	readonly sendsTo: readonly (readonly RegExp[])[] = [[/^shadow$/], [/^shadow$/, /^name$/, /./]].flatMap((shadow) =>
		[
			[/^(get|update|delete)$/, /^(accepted|rejected)$/],
			[/^update$/, /^(delta|documents)$/],
		].map((end) => [/^\$aws$/, /^things$/, /./, ...shadow, ...end]),
	);
	readonly #options: ShadowsOptions;
	readonly #throttles: Throttles;
	#publisher: MessagePublisher | undefined;

	constructor(options: ShadowsOptions) {
		this.#options = options;
		this.#throttles = new Throttles(options.now);
	}

	open(publisher: MessagePublisher): void {
		this.#publisher = publisher;
	}

	serves(topic: string): boolean {
		return TOPIC.test(topic);
	}

	async handle({ topic, payload, connection }: ReservedRequest): Promise<void> {
		const [, thingName, shadowName, operation] = TOPIC.exec(topic) as unknown as [string, string, string?, string?];
		const name = { thingName, shadowName };
		let clientToken: string | undefined;
		try {
			const { members, token } = this.#read(name, operation as ShadowOperation, payload);
			clientToken = token;
			const answer = this.#carryOut(name, operation as ShadowOperation, members, token, connection?.clientId);
			if (operation === "get") await this.#publish(`${topic}/accepted`, answer);
		} catch (error) {
			const { code, message } = error instanceof ShadowError ? error : new ShadowError(500, "Internal service failure");
			const explanation = error instanceof ShadowError ? message : messageOf(error);
			this.#options.report({
				event: "shadow",
				operation: operation as ShadowOperation,
				...named(name),
				...(connection && { clientId: connection.clientId }),
				status: "rejected",
				code,
				explanation,
			});
			await this.#publish(`${topic}/rejected`, {
				code,
				message,
				...(clientToken !== undefined && { clientToken }),
			});
		}
	}

	/** GetThingShadow: the whole document as JSON. @throws AwsError */
	getThingShadow(request: ShadowName): Uint8Array {
		return this.#overHttps(request, "get", new Uint8Array());
	}

	/** UpdateThingShadow: what was accepted, as JSON. Notifies as an update over MQTT does. @throws AwsError */
	updateThingShadow(request: ShadowName & { readonly payload: Uint8Array }): Uint8Array {
		return this.#overHttps(request, "update", request.payload);
	}

	/** DeleteThingShadow: the version that was deleted, as JSON. Notifies as a deletion over MQTT does. @throws AwsError */
	deleteThingShadow(request: ShadowName): Uint8Array {
		return this.#overHttps(request, "delete", new Uint8Array());
	}

	/** ListNamedShadowsForThing: their names, ordered. @throws AwsError for a page that does not exist */
	listNamedShadowsForThing(request: { thingName: string; pageSize?: number; nextToken?: string }) {
		const { state, now } = this.#options;
		const names = state.shadows
			.by("thingName", request.thingName)
			.flatMap(({ shadowName, deletedAt }) => (shadowName === undefined || deletedAt !== undefined ? [] : shadowName));
		const { items, next } = page(names, (name) => name, request.pageSize, request.nextToken);
		return { results: items, ...(next && { nextToken: next }), timestamp: seconds(now()) };
	}

	/** Number of shadows that exist. */
	get size(): number {
		return this.#options.state.shadows.size;
	}

	#overHttps(name: ShadowName, operation: ShadowOperation, payload: Uint8Array): Uint8Array {
		try {
			const { members, token } = this.#read(name, operation, payload);
			return ENCODER.encode(JSON.stringify(this.#carryOut(name, operation, members, token)));
		} catch (error) {
			if (error instanceof ShadowError) throw new AwsError(ERROR_NAMES[error.code]!, error.message);
			throw error;
		}
	}

	/** Checks the names, and reads the payload. @throws ShadowError */
	#read(name: ShadowName, operation: ShadowOperation, payload: Uint8Array) {
		const { thingName, shadowName } = name;
		if (!isOfForm(thingName, forms.resourceName)) throw new ShadowError(400, "Invalid thing name");
		if (shadowName !== undefined && !isOfForm(shadowName, forms.shadowName)) {
			throw new ShadowError(400, "Invalid shadow name");
		}
		// What is in the message is not looked at (guide, "/delete").
		const members = operation === "delete" ? readIfObject(payload) : readPayload(payload);
		return { members, token: readClientToken(members) };
	}

	#carryOut(
		name: ShadowName,
		operation: ShadowOperation,
		members: JsonObject,
		clientToken: string | undefined,
		clientId?: string,
	): object {
		const { settings, now } = this.#options;
		// The guide explains this code by too many requests in flight, and has no other text for it.
		if (!this.#throttles.take(name.thingName, settings.shadow.requests)) {
			throw new ShadowError(429, "Too Many Requests");
		}
		const timestamp = seconds(now());
		const token = clientToken === undefined ? {} : { clientToken };
		switch (operation) {
			case "get":
				return { ...this.#get(name), timestamp, ...token };
			case "update":
				return this.#update(name, members, timestamp, token, clientId);
			case "delete":
				return this.#delete(name, timestamp, token, clientId);
		}
	}

	#get(name: ShadowName) {
		const { desired, reported, metadata, version } = this.#require(name);
		const sections = { ...(desired && { desired }), ...(reported && { reported }) };
		const delta = differenceOf(sections, metadata);
		return {
			state: { ...sections, ...(delta && { delta: delta.state }) },
			metadata: { ...metadata, ...(delta && { delta: delta.metadata }) },
			version,
		};
	}

	#update(name: ShadowName, members: JsonObject, timestamp: number, token: object, clientId?: string): object {
		const { state, settings, report } = this.#options;
		const update = readUpdate(members, settings.shadow.levels);
		const before = this.#find(name);
		const versionBefore = before?.version ?? 0;
		if (update.version !== undefined && update.version !== versionBefore) {
			throw new ShadowError(409, "Version conflict");
		}
		if (!before && state.shadows.size >= settings.shadow.maximum) this.#forgetDeleted();
		if (!before && state.shadows.size >= settings.shadow.maximum) {
			throw new ShadowError(429, "There are too many shadows (setting shadow.maximum)");
		}
		const exists = before && before.deletedAt === undefined;
		const previous = {
			state: exists ? sectionsOf(before) : {},
			metadata: exists ? before.metadata : {},
			version: versionBefore,
		};
		const { state: sections, metadata } = applyUpdate(previous, update, timestamp);
		if (Buffer.byteLength(JSON.stringify(sections)) > settings.shadow.documentBytes) {
			throw new ShadowError(413, "The payload exceeds the maximum size allowed");
		}
		const version = versionBefore + 1;
		const current = { state: sections, metadata, version };
		state.transaction(() => state.shadows.put(keyOf(name), { ...named(name), ...sections, metadata, version }));
		const accepted = {
			state: update.state,
			metadata: sectionsMetadata(update.state, timestamp),
			version,
			timestamp,
			...token,
		};
		const delta = differenceOf(sections, metadata);
		report({
			event: "shadow",
			operation: "update",
			...named(name),
			...(clientId !== undefined && { clientId }),
			status: "accepted",
			version,
			...(delta && { delta: Object.keys(delta.state) }),
		});
		const topic = `${topicOf(name)}/update`;
		void this.#publish(`${topic}/accepted`, accepted);
		if (delta) void this.#publish(`${topic}/delta`, { version, timestamp, ...delta, ...token });
		void this.#publish(`${topic}/documents`, { previous, current, timestamp, ...token });
		return accepted;
	}

	#delete(name: ShadowName, timestamp: number, token: object, clientId?: string): object {
		const { state, now, report } = this.#options;
		const { version } = this.#require(name);
		state.transaction(() =>
			state.shadows.put(keyOf(name), { ...named(name), metadata: {}, version, deletedAt: now() }),
		);
		report({
			event: "shadow",
			operation: "delete",
			...named(name),
			...(clientId !== undefined && { clientId }),
			status: "accepted",
			version,
		});
		const answer = { version, timestamp, ...token };
		void this.#publish(`${topicOf(name)}/delete/accepted`, answer);
		return answer;
	}

	/** The row of a shadow, which may have been deleted; not that of one that was deleted long ago, which goes. */
	#find(name: ShadowName): ShadowRecord | undefined {
		const { state, now } = this.#options;
		const row = state.shadows.get(keyOf(name));
		if (row?.deletedAt === undefined || row.deletedAt + DELETED_VERSION > now()) return row;
		state.transaction(() => state.shadows.delete(keyOf(name)));
		return undefined;
	}

	#forgetDeleted(): void {
		for (const { thingName, shadowName } of [...this.#options.state.shadows.values()]) {
			this.#find({ thingName, shadowName });
		}
	}

	/** @throws ShadowError when there is no such shadow */
	#require(name: ShadowName): ShadowRecord {
		const row = this.#find(name);
		if (row && row.deletedAt === undefined) return row;
		// Of a classic shadow, AWS names the thing (seen in aws/amazon-freertos#3334).
		throw new ShadowError(404, `No shadow exists with name: '${name.shadowName ?? name.thingName}'`);
	}

	async #publish(topic: string, message: object): Promise<void> {
		try {
			await this.#publisher?.publish({ topic, payload: ENCODER.encode(JSON.stringify(message)) });
		} catch (error) {
			this.#options.report({
				event: "warning",
				message: `Device Shadow could not publish to ${topic}: ${messageOf(error)}`,
			});
		}
	}
}

function readIfObject(payload: Uint8Array): JsonObject {
	try {
		return readPayload(payload);
	} catch {
		return {};
	}
}

function sectionsOf({ desired, reported }: ShadowRecord) {
	return { ...(desired && { desired }), ...(reported && { reported }) };
}

/** The metadata of an accepted update: a time for everything that it names, what it removes included. */
function sectionsMetadata(state: JsonObject | null, at: number): Json {
	return state === null ? {} : metadataOf(state, at);
}

function named({ thingName, shadowName }: ShadowName) {
	return { thingName, ...(shadowName !== undefined && { shadowName }) };
}

function keyOf({ thingName, shadowName = "" }: ShadowName): string {
	return `${thingName} ${shadowName}`;
}

function topicOf({ thingName, shadowName }: ShadowName): string {
	return `$aws/things/${thingName}/shadow${shadowName === undefined ? "" : `/name/${shadowName}`}`;
}

/** Of the API's messages: whole seconds since 1970. */
function seconds(milliseconds: number): number {
	return Math.floor(milliseconds / 1000);
}
