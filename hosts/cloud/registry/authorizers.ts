// Custom authorizers, by AWS's rules: kept, chosen, and asked. What stands for their Lambda function is called by whoever made the
// registry. A token, a password or a signature never gets into an error or an explanation.
// Facts: AWS IoT developer guide, "Custom authentication".

import { createPublicKey, verify } from "node:crypto";
import { AwsError } from "../base/errors.js";
import { messageOf } from "../base/guard.js";
import { isObject } from "../base/object.js";
import { type NamedPolicy, parsePolicy } from "../policy/policy.js";
import type { AuthorizerRecord } from "../state/state.js";
import { arn, type RegistryContext, requireRow, seconds } from "./context.js";
import { forms, isOfForm } from "./forms.js";
import { demand, type Tag } from "./limits.js";
import { page } from "./paging.js";
import type { Tags } from "./tags.js";

/** What a client presents to an authorizer. */
export interface Presented {
	/** Secret. */
	readonly token?: string;
	/** Of the token, base64. */
	readonly signature?: string;
	readonly connectionId: string;
	/** What TLS says of the client. */
	readonly tls?: {
		/** The name that the client has called the server by (SNI). */
		readonly serverName?: string;
	};
	/** The HTTP request. */
	readonly http?: {
		/** Values by name. */
		readonly headers: Readonly<Record<string, string>>;
		/** Begins with `?`, or is empty. */
		readonly queryString: string;
	};
	/** What CONNECT says. */
	readonly mqtt?: {
		readonly username?: string;
		/** Base64. Secret. */
		readonly password?: string;
		readonly clientId?: string;
	};
}

/** What an authorizer has answered: refused, with the reason for the log; or let in. */
export type AuthorizerAnswer =
	| { readonly isAuthenticated: false; readonly principalId?: string; readonly explanation: string }
	| {
			readonly isAuthenticated: true;
			readonly principalId: string;
			readonly policyDocuments: readonly string[];
			readonly policies: readonly NamedPolicy[];
			readonly disconnectAfterInSeconds?: number;
			readonly refreshAfterInSeconds?: number;
	  };

/** Longest interval that an answer may name, seconds. */
const LONGEST_INTERVAL = 86_400;
const MAXIMUM_DOCUMENTS = 10;
/** Characters of a policy document. */
const MAXIMUM_DOCUMENT = 2_048;
/** Calls at once. Each may be a process. */
const MAXIMUM_CALLS = 16;
/** Authorizers of an account (Service Quotas has 10). */
const MAXIMUM_AUTHORIZERS = 10;

/** What of an authorizer can be changed. */
export interface AuthorizerChanges {
	authorizerFunctionArn?: string;
	/** Under which name clients send the token. */
	tokenKeyName?: string;
	/** PEM by name. */
	tokenSigningPublicKeys?: Readonly<Record<string, string>>;
	/** ACTIVE or INACTIVE. */
	status?: string;
	/** Kept, and nothing else: each request over HTTPS is decided anew. */
	enableCachingForHttp?: boolean;
}

/** Operations on custom authorizers. Requests and responses are those of the AWS operation of the same name. */
export class Authorizers {
	readonly #context: RegistryContext;
	readonly #tags: Tags;
	#calls = 0;

	constructor(context: RegistryContext, tags: Tags) {
		this.#context = context;
		this.#tags = tags;
	}

	/** Makes an authorizer. INACTIVE unless `status` says otherwise, as with AWS's API. */
	createAuthorizer(
		request: AuthorizerChanges & {
			authorizerName: string;
			authorizerFunctionArn: string;
			signingDisabled?: boolean;
			tags?: readonly Tag[];
		},
	) {
		const { state, now } = this.#context;
		const { authorizerName, signingDisabled = false, tags, ...rest } = request;
		demand(isOfForm(authorizerName, forms.authorizerName), "authorizerName is not valid");
		const authorizerArn = arn(state, "authorizer", authorizerName);
		if (state.authorizers.has(authorizerName)) {
			throw new AwsError("ResourceAlreadyExistsException", `Authorizer ${authorizerName} already exists`, {
				resourceId: authorizerName,
				resourceArn: authorizerArn,
			});
		}
		if (state.authorizers.size >= MAXIMUM_AUTHORIZERS)
			throw new AwsError("LimitExceededException", `An account may have ${MAXIMUM_AUTHORIZERS} authorizers`);
		const record: AuthorizerRecord = {
			authorizerName,
			authorizerFunctionArn: rest.authorizerFunctionArn,
			...(rest.tokenKeyName !== undefined && { tokenKeyName: rest.tokenKeyName }),
			tokenSigningPublicKeys: { ...rest.tokenSigningPublicKeys },
			status: checkStatus(rest.status ?? "INACTIVE"),
			signingDisabled,
			enableCachingForHttp: rest.enableCachingForHttp ?? false,
			creationDate: now(),
			lastModifiedDate: now(),
		};
		checkSigning(record);
		state.transaction(() => {
			state.authorizers.put(authorizerName, record);
			this.#tags.set(authorizerArn, tags);
		});
		return this.#named(record);
	}

	/** An authorizer with all that was said of it. */
	describeAuthorizer(request: { authorizerName: string }) {
		return { authorizerDescription: this.#describe(this.#require(request.authorizerName)) };
	}

	/** Changes what is given. */
	updateAuthorizer(request: AuthorizerChanges & { authorizerName: string }) {
		const { state, now } = this.#context;
		const { authorizerName, status, tokenSigningPublicKeys, ...changes } = request;
		const before = this.#require(authorizerName);
		const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
		const record: AuthorizerRecord = {
			...before,
			...given,
			...(tokenSigningPublicKeys && { tokenSigningPublicKeys: { ...tokenSigningPublicKeys } }),
			...(status !== undefined && { status: checkStatus(status) }),
			lastModifiedDate: now(),
		};
		checkSigning(record);
		state.transaction(() => state.authorizers.put(authorizerName, record));
		return this.#named(record);
	}

	/** Deletes an authorizer, which must be INACTIVE and not the default one. */
	deleteAuthorizer(request: { authorizerName: string }): void {
		const { state } = this.#context;
		const record = this.#require(request.authorizerName);
		if (record.status === "ACTIVE" || record.isDefault) {
			throw new AwsError(
				"DeleteConflictException",
				`Authorizer ${record.authorizerName} is ${record.isDefault ? "the default authorizer" : "ACTIVE"}`,
			);
		}
		state.transaction(() => {
			state.authorizers.delete(record.authorizerName);
			this.#tags.remove(arn(state, "authorizer", record.authorizerName));
		});
	}

	/** The authorizers' names and ARNs, page by page. */
	listAuthorizers(request: { pageSize?: number; marker?: string; isAscendingOrder?: boolean; status?: string } = {}) {
		const records = [...this.#context.state.authorizers.values()].filter(
			({ status }) => request.status === undefined || request.status === status,
		);
		const { items, next } = page(
			records,
			({ authorizerName }) => authorizerName,
			request.pageSize,
			request.marker,
			request.isAscendingOrder ?? true,
		);
		return {
			authorizers: items.map((record) => this.#named(record)),
			...(next !== undefined && { nextMarker: next }),
		};
	}

	/** Makes an authorizer the one that is asked when a client names none. */
	setDefaultAuthorizer(request: { authorizerName: string }) {
		const { state } = this.#context;
		const record = this.#require(request.authorizerName);
		if (record.isDefault) {
			throw new AwsError("ResourceAlreadyExistsException", `${record.authorizerName} is the default already`, {
				resourceId: record.authorizerName,
				resourceArn: arn(state, "authorizer", record.authorizerName),
			});
		}
		this.#setDefault(record);
		return this.#named(record);
	}

	/** From now on a client must name its authorizer. */
	clearDefaultAuthorizer(): void {
		this.#requireDefault();
		this.#setDefault(undefined);
	}

	/** The default authorizer. */
	describeDefaultAuthorizer() {
		return { authorizerDescription: this.#describe(this.#requireDefault()) };
	}

	/** Asks an authorizer as a connection would, whether it is active or not. */
	async testInvokeAuthorizer(request: {
		authorizerName: string;
		token?: string;
		tokenSignature?: string;
		httpContext?: { headers?: Readonly<Record<string, string>>; queryString?: string };
		mqttContext?: { username?: string; password?: string; clientId?: string };
		tlsContext?: { serverName?: string };
	}) {
		const record = this.#require(request.authorizerName);
		const { token, tokenSignature: signature, httpContext, mqttContext, tlsContext } = request;
		const presented: Presented = {
			...(token !== undefined && { token }),
			...(signature !== undefined && { signature }),
			connectionId: "00000000-0000-0000-0000-000000000000",
			...(httpContext && { http: { headers: { ...httpContext.headers }, queryString: httpContext.queryString ?? "" } }),
			...(mqttContext && { mqtt: mqttContext }),
			...(tlsContext && { tls: tlsContext }),
		};
		const wrong = this.whyUnsigned(record, presented);
		if (wrong !== undefined) throw new AwsError("InvalidRequestException", wrong);
		const answer = await this.ask(record.authorizerName, presented);
		if (answer.isAuthenticated) {
			const { principalId, policyDocuments, disconnectAfterInSeconds, refreshAfterInSeconds } = answer;
			return {
				isAuthenticated: true,
				...{ principalId, policyDocuments, disconnectAfterInSeconds, refreshAfterInSeconds },
			};
		}
		// AWS has a name for it (API model, InvalidResponseException), and so has a refusal no error at all.
		if (answer.principalId === undefined && !answer.explanation.startsWith(NOT_AUTHENTICATED))
			throw new AwsError("InvalidResponseException", answer.explanation);
		return { isAuthenticated: false };
	}

	/** The active authorizer of this name, or the default one. `undefined` when no name is given and there is no default. */
	choose(name: string | undefined): AuthorizerRecord | undefined {
		const { authorizers } = this.#context.state;
		const record =
			name === undefined ? [...authorizers.values()].find(({ isDefault }) => isDefault) : authorizers.get(name);
		if (!record && name === undefined) return undefined;
		if (!record)
			throw new AwsError(
				"UnauthorizedException",
				`There is no authorizer ${name!.slice(0, 128)}: CreateAuthorizer makes one.`,
			);
		if (record.status === "ACTIVE") return record;
		throw new AwsError(
			"UnauthorizedException",
			`The authorizer ${record.authorizerName} is INACTIVE: UpdateAuthorizer with status ACTIVE activates it.`,
		);
	}

	/** Why the token's signature does not count; `undefined` when it does, or needs none. */
	whyUnsigned(
		record: AuthorizerRecord,
		{ token, signature }: Pick<Presented, "token" | "signature">,
	): string | undefined {
		if (record.signingDisabled) return undefined;
		const name = record.authorizerName;
		if (token === undefined || token === "")
			return `The authorizer ${name} wants a token as ${record.tokenKeyName}, with x-amz-customauthorizer-signature.`;
		if (signature === undefined || signature === "") return "x-amz-customauthorizer-signature is missing.";
		const bytes = Buffer.from(signature, "base64");
		const good = Object.values(record.tokenSigningPublicKeys).some((pem) => {
			try {
				return verify("sha256", Buffer.from(token), createPublicKey(pem), bytes);
			} catch {
				return false;
			}
		});
		return good
			? undefined
			: `The signature of the token is not by a key of the authorizer ${name} (RSA, SHA-256, base64; escape it in a URL).`;
	}

	/** Calls an authorizer's function. Never rejects: whatever goes wrong is a refusal. The signature must have been checked. */
	async ask(name: string, presented: Presented): Promise<AuthorizerAnswer> {
		const refuse = (explanation: string): AuthorizerAnswer => ({ isAuthenticated: false, explanation });
		const record = this.#context.state.authorizers.get(name);
		if (!record) return refuse(`The authorizer ${name} has been deleted.`);
		if (this.#calls >= MAXIMUM_CALLS)
			return refuse(`More than ${MAXIMUM_CALLS} authorizations are under way: try again.`);
		const { token, tls, http, mqtt, connectionId } = presented;
		const event = {
			...(token !== undefined && { token }),
			signatureVerified: !record.signingDisabled,
			protocols: [...(tls ? ["tls"] : []), ...(http ? ["http"] : []), ...(mqtt ? ["mqtt"] : [])],
			protocolData: { ...(tls && { tls }), ...(http && { http }), ...(mqtt && { mqtt }) },
			connectionMetadata: { id: connectionId },
		};
		let text: string;
		this.#calls++;
		try {
			text = await this.#context.invoke(record.authorizerFunctionArn, event, "authorizer");
		} catch (error) {
			return refuse(`The authorizer ${record.authorizerName} failed: ${messageOf(error)}.`);
		} finally {
			this.#calls--;
		}
		const answer = readAnswer(record.authorizerName, text, this.#context.shortestInterval());
		return typeof answer === "string" ? refuse(answer) : answer;
	}

	#setDefault(record: AuthorizerRecord | undefined): void {
		const { state } = this.#context;
		state.transaction(() => {
			for (const { isDefault, ...one } of [...state.authorizers.values()])
				if (isDefault) state.authorizers.put(one.authorizerName, one);
			if (record) state.authorizers.put(record.authorizerName, { ...record, isDefault: true });
		});
	}

	#require(authorizerName: string): AuthorizerRecord {
		return requireRow(
			this.#context.state.authorizers.get(authorizerName),
			`Authorizer ${authorizerName} does not exist`,
		);
	}

	#requireDefault(): AuthorizerRecord {
		const record = [...this.#context.state.authorizers.values()].find(({ isDefault }) => isDefault);
		return requireRow(record, "There is no default authorizer");
	}

	#named({ authorizerName }: AuthorizerRecord) {
		return { authorizerName, authorizerArn: arn(this.#context.state, "authorizer", authorizerName) };
	}

	#describe(record: AuthorizerRecord) {
		const { isDefault: _, creationDate, lastModifiedDate, ...rest } = record;
		return {
			...this.#named(record),
			...rest,
			creationDate: seconds(creationDate),
			lastModifiedDate: seconds(lastModifiedDate),
		};
	}
}

const NOT_AUTHENTICATED = "The authorizer has answered isAuthenticated false";

function checkStatus(status: string): "ACTIVE" | "INACTIVE" {
	demand(status === "ACTIVE" || status === "INACTIVE", "status must be ACTIVE or INACTIVE");
	return status;
}

/** Signing needs a name for the token, and keys that can be read. */
function checkSigning({ signingDisabled, tokenKeyName, tokenSigningPublicKeys }: AuthorizerRecord): void {
	for (const [name, pem] of Object.entries(tokenSigningPublicKeys)) {
		let bits = 0;
		try {
			bits = createPublicKey(pem).asymmetricKeyDetails?.modulusLength ?? 0;
		} catch {
			// Said below.
		}
		demand(bits >= 2048, `The token signing key ${name} is not an RSA public key of at least 2048 bits in PEM form`);
	}
	if (signingDisabled) return;
	demand(
		tokenKeyName !== undefined && Object.keys(tokenSigningPublicKeys).length > 0,
		"tokenKeyName and tokenSigningPublicKeys are required unless signingDisabled is true",
	);
}

/** Reads the answer of a function, or says what is wrong with it. */
function readAnswer(name: string, text: string, shortest: number): AuthorizerAnswer | string {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		// The parser's message would quote the answer.
		return `The answer of the authorizer ${name} is not JSON.`;
	}
	if (!isObject(json)) return `The answer of the authorizer ${name} is not a JSON object.`;
	const { isAuthenticated, principalId, policyDocuments, disconnectAfterInSeconds, refreshAfterInSeconds } = json;
	if (isAuthenticated === false) return `${NOT_AUTHENTICATED}.`;
	if (isAuthenticated !== true) return `isAuthenticated in the answer of the authorizer ${name} is not a Boolean.`;
	if (typeof principalId !== "string" || !/^[a-zA-Z0-9]{1,128}$/.test(principalId))
		return `principalId in the answer of the authorizer ${name} must be 1 to 128 letters and digits.`;
	if (!Array.isArray(policyDocuments) || policyDocuments.length > MAXIMUM_DOCUMENTS)
		return `policyDocuments in the answer of the authorizer ${name} must be a list of at most ${MAXIMUM_DOCUMENTS}.`;
	const documents = policyDocuments.map((one: unknown) => (typeof one === "string" ? one : JSON.stringify(one)));
	const policies: NamedPolicy[] = [];
	for (const [index, document] of documents.entries()) {
		const which = `Policy document ${index + 1} in the answer of the authorizer ${name}`;
		if (document.length > MAXIMUM_DOCUMENT) return `${which} has more than ${MAXIMUM_DOCUMENT} characters.`;
		try {
			policies.push({ policyName: `${index + 1} of authorizer ${name}`, policy: parsePolicy(document) });
		} catch (error) {
			return `${which}: ${messageOf(error)}.`;
		}
	}
	const least = Math.ceil(shortest / 1000);
	for (const [member, value] of Object.entries({ disconnectAfterInSeconds, refreshAfterInSeconds })) {
		if (value === undefined || value === null) continue;
		if (!Number.isInteger(value) || (value as number) < least || (value as number) > LONGEST_INTERVAL)
			return `${member} in the answer of the authorizer ${name} must be from ${least} to ${LONGEST_INTERVAL}.`;
	}
	return {
		...{ isAuthenticated, principalId, policyDocuments: documents, policies },
		...(typeof disconnectAfterInSeconds === "number" && { disconnectAfterInSeconds }),
		...(typeof refreshAfterInSeconds === "number" && { refreshAfterInSeconds }),
	};
}
