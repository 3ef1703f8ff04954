// How an operation of the control plane is described: its method and path, its members with their limits, the resources that IAM
// decides over, and the call that carries it out. What an operation does is in the registry, never here.

import type { Settings } from "../base/settings.js";
import type { Registry } from "../registry/registry.js";
import type { Services } from "./services.js";
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
	/** The same for headers that need not be there. */
	readonly optionalHeaderMembers: Readonly<Record<string, string>>;
	/** The member that is the whole body as it came, for an operation whose body is not JSON of its members. */
	readonly payloadMember?: string;
	/** The header that the member `tags` comes in, as a query string, where the body is a structure of its own. */
	readonly tagsHeader?: string;
	/** Whether what it keeps has no effect here: then an event says so. */
	readonly idle?: boolean;
	/** The resources that IAM must allow the action on: whole ARNs, or what follows `arn:aws:iot:REGION:ACCOUNT:`. None: `*`. */
	resources(input: Readonly<Record<string, unknown>>): readonly string[];
	/**
	 * Carries it out. Returns the members of the response, bytes for a response that is them, or nothing for an empty one; a promise
	 * of it where a certificate is signed or a message is sent.
	 * @throws AwsError
	 */
	handle(registry: Registry, input: Readonly<Record<string, unknown>>, settings: Settings, services: Services): unknown;
}

interface Parts<P, Q, B, H, O, M extends string> {
	path?: P;
	query?: Q;
	body?: B;
	header?: H;
	optionalHeader?: O;
	payload?: M;
	tagsHeader?: string;
	idle?: boolean;
	resources?(input: OperationInput<P, Q, B, H, O, M>): readonly string[];
	handle(registry: Registry, input: OperationInput<P, Q, B, H, O, M>, settings: Settings, services: Services): unknown;
}

type OperationInput<P, Q, B, H, O, M extends string> = { [K in keyof P]: Value<P[K]> } & {
	[K in keyof H]: string;
} & { [K in keyof O]?: string } & { [K in M]: Uint8Array } & Structure<Q> &
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
	const O extends Record<string, string> = Empty,
	const M extends string = never,
>(http: `${string} /${string}`, parts: Parts<P, Q, B, H, O, M>): Operation {
	const [method, path] = http.split(" ") as [string, string];
	return {
		method,
		path,
		pathMembers: (parts.path ?? {}) as Members,
		queryMembers: (parts.query ?? {}) as Members,
		bodyMembers: (parts.body ?? {}) as Members,
		headerMembers: parts.header ?? {},
		optionalHeaderMembers: parts.optionalHeader ?? {},
		...(parts.payload !== undefined && { payloadMember: parts.payload }),
		...(parts.tagsHeader !== undefined && { tagsHeader: parts.tagsHeader }),
		...(parts.idle && { idle: true }),
		// The input was read and checked by the members of this very operation.
		resources: (input) => parts.resources?.(input as never) ?? [],
		handle: (registry, input, settings, services) => parts.handle(registry, input as never, settings, services),
	};
}
