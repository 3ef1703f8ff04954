// Finds the operation for a request line. Works on the raw path, because clients escape `/` and `:` inside a segment, such as an
// ARN. Must never decode a path before it has split it.

import { AwsError } from "../base/errors.js";
import type { Operation } from "./operation.js";
import { operationsOf } from "./operations.js";
import type { ServiceName } from "./services.js";
import { splitOnce } from "./split.js";

/** The operation of a request, with the segments of its path members, not decoded yet. */
export interface Route {
	service: ServiceName;
	name: string;
	operation: Operation;
	/** Member name → raw text. */
	path: Readonly<Record<string, string>>;
	/** Raw query, without the question mark. */
	query: string;
}

interface Pattern {
	service: ServiceName;
	name: string;
	operation: Operation;
	method: string;
	segments: readonly string[];
}

// Patterns with fewer members first, so that a fixed segment wins over a member.
const PATTERNS: readonly Pattern[] = Object.entries(operationsOf).flatMap(([service, operations]) =>
	Object.entries(operations)
		.map(([name, operation]) => ({
			service: service as ServiceName,
			name,
			operation,
			method: operation.method,
			segments: operation.path.split("/"),
		}))
		.sort((a, b) => memberCount(a) - memberCount(b)),
);

/**
 * Finds the operation of a request. Without a service, that of the control plane comes first.
 * @throws AwsError UnknownOperationException when there is none
 */
export function route(method: string, target: string, service?: ServiceName): Route {
	const [path, query] = splitOnce(target, "?");
	const segments = path.split("/");
	for (const pattern of PATTERNS) {
		if (service !== undefined && pattern.service !== service) continue;
		if (pattern.method !== method || pattern.segments.length !== segments.length) continue;
		const members: Record<string, string> = {};
		const fits = pattern.segments.every((part, index) => {
			const segment = segments[index]!;
			if (!part.startsWith("{")) return part === segment;
			members[part.slice(1, -1)] = segment;
			return segment !== "";
		});
		if (fits) {
			const { service, name, operation } = pattern;
			return { service, name, operation, path: members, query };
		}
	}
	throw new AwsError("UnknownOperationException", `There is no operation ${method} ${path.slice(0, 256)} here.`);
}

/** First values of the query by name, decoded. @throws AwsError InvalidRequestException for a malformed escape */
export function parseQuery(query: string): Map<string, string> {
	const values = new Map<string, string>();
	for (const pair of query.split("&")) {
		const [name, value] = splitOnce(pair, "=").map(decode) as [string, string];
		if (name !== "" && !values.has(name)) values.set(name, value);
	}
	return values;
}

/** Undoes percent escapes. @throws AwsError InvalidRequestException for a malformed escape */
export function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		throw new AwsError("InvalidRequestException", "The request line holds a malformed percent escape.");
	}
}

function memberCount(pattern: Pattern): number {
	return pattern.segments.filter((segment) => segment.startsWith("{")).length;
}
