// The query protocol of AWS's older services, which share this port: a form in, XML out. Reads requests, writes answers and errors;
// what an action does is in the files of query/. Must never put a parameter's text into XML unescaped.

import { AwsError, type AwsErrorName } from "../base/errors.js";
import type { Registry } from "../registry/registry.js";
import type { AccessKey } from "./iam.js";
import { iamActions } from "./query/iam.js";
import { stsActions } from "./query/sts.js";

/** What an action answers with: text, a list (elements named `member`), or more members. Absent members are left out. */
export type QueryValue = string | readonly QueryValue[] | { readonly [name: string]: QueryValue | undefined };

/** One action of a service that speaks the query protocol. */
export interface QueryAction {
	/** ARN of what IAM must allow the action on, or `undefined` where everybody may. */
	resource?(registry: Registry, parameters: ReadonlyMap<string, string>): string;
	/** Whether it changes what is kept and nothing acts by it. */
	readonly idle?: boolean;
	/** Carries it out; `caller` is absent in development mode. @throws AwsError */
	handle(
		registry: Registry,
		parameters: ReadonlyMap<string, string>,
		caller: AccessKey | undefined,
	): Readonly<Record<string, QueryValue | undefined>> | undefined;
}

/** A service: its namespace, the version that a request must name, and its actions. */
interface QueryService {
	readonly namespace: string;
	readonly version: string;
	readonly actions: Readonly<Record<string, QueryAction>>;
}

/** The services by the name that requests are signed for. */
export const queryServices = {
	sts: { namespace: "https://sts.amazonaws.com/doc/2011-06-15/", version: "2011-06-15", actions: stsActions },
	iam: { namespace: "https://iam.amazonaws.com/doc/2010-05-08/", version: "2010-05-08", actions: iamActions },
} as const satisfies Readonly<Record<string, QueryService>>;

/** A request of the query protocol, read but not authorized. */
export interface QueryRequest {
	readonly serviceName: keyof typeof queryServices;
	readonly service: QueryService;
	readonly name: string;
	readonly action: QueryAction;
	readonly parameters: ReadonlyMap<string, string>;
}

/** Whether a request is one of the query protocol, by its request line and content type. */
export function isQuery(method: string, target: string, contentType: string | undefined): boolean {
	return method === "POST" && target === "/" && /^application\/x-www-form-urlencoded\b/i.test(contentType ?? "");
}

/** Reads a form. @throws AwsError UnknownOperationException when no service here has its action */
export function readQuery(body: Buffer): QueryRequest {
	const parameters = new Map(new URLSearchParams(body.toString()));
	const name = parameters.get("Action") ?? "";
	const version = parameters.get("Version");
	for (const [serviceName, service] of Object.entries(queryServices) as [keyof typeof queryServices, QueryService][]) {
		if (service.version !== version || !Object.hasOwn(service.actions, name)) continue;
		return { serviceName, service, name, action: service.actions[name]!, parameters };
	}
	throw new AwsError(
		"UnknownOperationException",
		`Could not find operation ${name.slice(0, 64)} for version ${(version ?? "NO_VERSION_SPECIFIED").slice(0, 32)}`,
	);
}

/** A required parameter. @throws AwsError InvalidRequestException */
export function required(parameters: ReadonlyMap<string, string>, name: string): string {
	const value = parameters.get(name);
	if (value !== undefined && value !== "") return value;
	throw new AwsError("InvalidRequestException", `The request must contain the parameter ${name}.`);
}

/** The answer to an action as XML. */
export function answerXml(
	{ service, name }: QueryRequest,
	members: Readonly<Record<string, QueryValue | undefined>> | undefined,
	requestId: string,
): string {
	const result = members === undefined ? "" : `<${name}Result>${toXml(members)}</${name}Result>`;
	return (
		`<${name}Response xmlns="${service.namespace}">${result}` +
		`<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${name}Response>`
	);
}

/** The names that these services have for the errors of AWS IoT, with another HTTP status where they have one. */
const CODES: Partial<Record<AwsErrorName, readonly [code: string, status?: number]>> = {
	InvalidSignatureException: ["SignatureDoesNotMatch"],
	UnrecognizedClientException: ["InvalidClientTokenId"],
	MissingAuthenticationTokenException: ["MissingAuthenticationToken"],
	IncompleteSignatureException: ["IncompleteSignature", 400],
	AccessDeniedException: ["AccessDenied"],
	UnknownOperationException: ["InvalidAction", 400],
	InvalidRequestException: ["ValidationError"],
	ResourceNotFoundException: ["NoSuchEntity"],
	ResourceAlreadyExistsException: ["EntityAlreadyExists"],
	DeleteConflictException: ["DeleteConflict"],
	MalformedPolicyException: ["MalformedPolicyDocument"],
	InternalFailureException: ["InternalFailure"],
	ThrottlingException: ["Throttling"],
};

/** An error as XML, with its HTTP status. */
export function errorXml(error: AwsError, requestId: string): { readonly status: number; readonly text: string } {
	const [code, status = error.status] = CODES[error.name] ?? [error.name];
	const type = status < 500 ? "Sender" : "Receiver";
	return {
		status,
		text: `<ErrorResponse><Error>${toXml({ Type: type, Code: code, Message: error.message })}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
	};
}

function toXml(value: QueryValue): string {
	if (typeof value === "string") return escaped(value);
	if (Array.isArray(value)) return value.map((item) => `<member>${toXml(item)}</member>`).join("");
	return Object.entries(value as Readonly<Record<string, QueryValue | undefined>>)
		.filter(([, member]) => member !== undefined)
		.map(([name, member]) => `<${name}>${toXml(member!)}</${name}>`)
		.join("");
}

/** Text for XML 1.0, which has no place for most control characters, not even as references. */
function escaped(text: string): string {
	return text
		.replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, "\ufffd")
		.replace(/[&<>"'\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
