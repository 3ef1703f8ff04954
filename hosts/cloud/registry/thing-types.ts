// Thing types, by AWS's rules.

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { ThingTypeRecord } from "../state/state.js";
import { arn, type RegistryContext, requireRow, seconds } from "./context.js";
import { forms } from "./forms.js";
import { checkDescription, checkThingTypeName, demand, type Tag } from "./limits.js";
import { type Paging, page } from "./paging.js";
import type { Tags } from "./tags.js";

/** Operations on thing types. Requests and responses are those of the AWS operation of the same name. */
export class ThingTypes {
	readonly #context: RegistryContext;
	readonly #tags: Tags;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes a thing type. The same name again is an error, whatever its properties. */
	createThingType(request: {
		thingTypeName: string;
		thingTypeProperties?: {
			thingTypeDescription?: string;
			searchableAttributes?: readonly string[];
			mqtt5Configuration?: object;
		};
		tags?: readonly Tag[];
	}) {
		const { state, now } = this.#context;
		const thingTypeName = checkThingTypeName(request.thingTypeName);
		const { thingTypeDescription, searchableAttributes = [], mqtt5Configuration } = request.thingTypeProperties ?? {};
		demand(
			Array.isArray(searchableAttributes) && searchableAttributes.length <= 3,
			"A thing type may have at most 3 searchable attributes",
		);
		const thingTypeArn = arn(state, "thingtype", thingTypeName);
		const before = state.thingTypes.get(thingTypeName);
		if (before) {
			throw new AwsError("ResourceAlreadyExistsException", `Thing type ${thingTypeName} already exists`, {
				resourceId: before.thingTypeId,
				resourceArn: thingTypeArn,
			});
		}
		const record = {
			thingTypeName,
			thingTypeId: randomUUID(),
			...(thingTypeDescription !== undefined && {
				description: checkDescription(thingTypeDescription, "thingTypeDescription", forms.longDescription),
			}),
			searchableAttributes: [...searchableAttributes],
			...(mqtt5Configuration !== undefined && { mqtt5Configuration }),
			creationDate: now(),
		};
		state.transaction(() => {
			state.thingTypes.put(thingTypeName, record);
			this.#tags.set(thingTypeArn, request.tags);
		});
		return { thingTypeName, thingTypeArn, thingTypeId: record.thingTypeId };
	}

	/** A thing type with its properties, and whether it is deprecated. */
	describeThingType(request: { thingTypeName: string }) {
		return this.#listed(this.requireThingType(request.thingTypeName));
	}

	/** Deprecates a type, so that no new thing can have it. `undoDeprecate` undoes that. */
	deprecateThingType(request: { thingTypeName: string; undoDeprecate?: boolean }): void {
		const { state, now } = this.#context;
		const { deprecationDate, ...record } = this.requireThingType(request.thingTypeName);
		const after = request.undoDeprecate ? record : { ...record, deprecationDate: deprecationDate ?? now() };
		state.transaction(() => state.thingTypes.put(record.thingTypeName, after));
	}

	/** Deletes a type. Refused until five minutes after its deprecation, and while a thing has it. */
	deleteThingType(request: { thingTypeName: string }): void {
		const { state, now } = this.#context;
		const { thingTypeName, deprecationDate } = this.requireThingType(request.thingTypeName);
		demand(deprecationDate !== undefined, `Thing type ${thingTypeName} must be deprecated before it is deleted`);
		demand(now() - deprecationDate >= 300_000, "Please wait for 5 minutes after deprecation and then retry");
		for (const thing of state.things.values()) {
			demand(thing.thingTypeName !== thingTypeName, `There are things of the thing type ${thingTypeName}`);
		}
		state.transaction(() => {
			state.thingTypes.delete(thingTypeName);
			this.#tags.remove(arn(state, "thingtype", thingTypeName));
		});
	}

	/** Thing types ordered by name; all, or the one of a name. */
	listThingTypes(request: Paging & { thingTypeName?: string } = {}) {
		const types = [...this.#context.state.thingTypes.values()].filter(
			({ thingTypeName }) => request.thingTypeName === undefined || request.thingTypeName === thingTypeName,
		);
		const { items, next } = page(types, (type) => type.thingTypeName, request.maxResults, request.nextToken);
		return { thingTypes: items.map((type) => this.#listed(type)), ...(next && { nextToken: next }) };
	}

	/** @throws AwsError InvalidRequestException for a malformed name, ResourceNotFoundException when there is no such type */
	requireThingType(thingTypeName: unknown): ThingTypeRecord {
		const name = checkThingTypeName(thingTypeName);
		return requireRow(this.#context.state.thingTypes.get(name), `Thing type ${name} not found`);
	}

	#listed(record: ThingTypeRecord) {
		return {
			thingTypeName: record.thingTypeName,
			thingTypeArn: arn(this.#context.state, "thingtype", record.thingTypeName),
			thingTypeId: record.thingTypeId,
			thingTypeProperties: {
				...(record.description !== undefined && { thingTypeDescription: record.description }),
				searchableAttributes: record.searchableAttributes,
				...(record.mqtt5Configuration && { mqtt5Configuration: record.mqtt5Configuration }),
			},
			thingTypeMetadata: {
				deprecated: record.deprecationDate !== undefined,
				...(record.deprecationDate !== undefined && { deprecationDate: seconds(record.deprecationDate) }),
				creationDate: seconds(record.creationDate),
			},
		};
	}
}
