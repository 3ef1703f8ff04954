// How an operation of the control plane is described: its method and path, its members with their limits, the resources that IAM
// decides over, and the call that carries it out. What an operation does is in the registry, never here.

import type { Settings } from "../base/settings.js";
import type { Registry } from "../registry/registry.js";
import type { Members, Shape, Structure, Value } from "./shapes.js";

type Empty = Record<never, never>;
/** Like `Members`, but shallow, so that the compiler need not follow nested shapes when it infers types. */
type ShapesByName = Readonly<Record<string, { readonly type: Shape["type"] }>>;

/** One operation, as the router, the validation and IAM see it. */
export interface Operation {
	readonly method: string;
	/** Path; a member in braces is one segment. */
	readonly path: string;
	readonly pathMembers: Members;
	readonly queryMembers: Members;
	readonly bodyMembers: Members;
	/** Required text in a header: member name → header name. */
	readonly headerMembers: Readonly<Record<string, string>>;
	/** The header that the member `tags` comes in, as a query string, where the body is a structure of its own. */
	readonly tagsHeader?: string;
	/** Whether what it keeps has no effect here: then an event says so. */
	readonly idle?: boolean;
	/** The resources that IAM must allow the action on: whole ARNs, or what follows `arn:aws:iot:REGION:ACCOUNT:`. None: `*`. */
	resources(input: Readonly<Record<string, unknown>>): readonly string[];
	/**
	 * Carries it out. Returns the members of the response, or nothing for an empty one; a promise where a certificate is signed.
	 * @throws AwsError
	 */
	handle(registry: Registry, input: Readonly<Record<string, unknown>>, settings: Settings): unknown;
}

interface Parts<P, Q, B, H> {
	path?: P;
	query?: Q;
	body?: B;
	header?: H;
	tagsHeader?: string;
	idle?: boolean;
	resources?(input: OperationInput<P, Q, B, H>): readonly string[];
	handle(registry: Registry, input: OperationInput<P, Q, B, H>, settings: Settings): unknown;
}

type OperationInput<P, Q, B, H> = { [K in keyof P]: Value<P[K]> } & { [K in keyof H]: string } & Structure<Q> &
	Structure<B>;

/**
 * Describes an operation in one place. `http` is its method and path. The types of what `resources` and `handle` are given
 * follow from the members.
 */
export function operation<
	const P extends ShapesByName = Empty,
	const Q extends ShapesByName = Empty,
	const B extends ShapesByName = Empty,
	const H extends Record<string, string> = Empty,
>(http: `${string} /${string}`, parts: Parts<P, Q, B, H>): Operation {
	const [method, path] = http.split(" ") as [string, string];
	return {
		method,
		path,
		pathMembers: (parts.path ?? {}) as Members,
		queryMembers: (parts.query ?? {}) as Members,
		bodyMembers: (parts.body ?? {}) as Members,
		headerMembers: parts.header ?? {},
		...(parts.tagsHeader !== undefined && { tagsHeader: parts.tagsHeader }),
		...(parts.idle && { idle: true }),
		// The input was read and checked by the members of this very operation.
		resources: (input) => parts.resources?.(input as never) ?? [],
		handle: (registry, input, settings) => parts.handle(registry, input as never, settings),
	};
}
