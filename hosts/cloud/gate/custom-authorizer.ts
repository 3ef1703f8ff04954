// Clients that a custom authorizer decides over: finds the authorizer, the token and its signature in a request or in CONNECT, and
// turns the answer into what the broker takes. What a client presents is secret and goes to the authorizer alone.
// Facts: AWS IoT developer guide, "Connecting to AWS IoT Core by using custom authentication".

import { randomUUID } from "node:crypto";
import { AwsError } from "../base/errors.js";
import { parseQuery } from "../control/router.js";
import { headerValue, type RequestHead } from "../control/sigv4.js";
import { splitOnce } from "../control/split.js";
import type { OwnPolicies } from "../mqtt/authorizer.js";
import type { Admission, Admitted, ConnectFacts, Refusal } from "../mqtt/broker.js";
import type { Authorizers, Presented } from "../registry/authorizers.js";
import type { AuthorizerRecord } from "../state/state.js";

const NAME = "x-amz-customauthorizer-name";
const SIGNATURE = "x-amz-customauthorizer-signature";

type Transport = Pick<Presented, "tls" | "http">;
/** The authorizer that is meant, and what it wants of the client. */
interface Chosen {
	readonly record: AuthorizerRecord;
	readonly token?: string;
	readonly signature?: string;
}
/** Looks a value up by its name. */
type Find = (name: string) => string | undefined;

/** Decides over clients by custom authorizers. */
export class CustomAuthorizers {
	readonly #authorizers: Authorizers;

	constructor(options: { readonly authorizers: Authorizers }) {
		this.#authorizers = options.authorizers;
	}

	/** Whether a request names an authorizer. */
	isNamed(head: RequestHead): boolean {
		return finderOf(head)(NAME) !== undefined;
	}

	/** Whether there is one for those who name none. */
	get hasDefault(): boolean {
		try {
			return this.#authorizers.choose(undefined) !== undefined;
		} catch {
			// An inactive one refuses, as it would when it is asked.
			return true;
		}
	}

	/** For MQTT over TLS: all is in the user name of CONNECT, behind a question mark. */
	byUserName(transport: Transport): Admission {
		return async (facts) => {
			const query = queryOf(facts.username);
			return this.#admit(() => this.#choose((name) => query.get(name)), transport, facts);
		};
	}

	/**
	 * For a WebSocket: the authorizer, the token and its signature are in the query or the headers of the request; the authorizer is
	 * asked at CONNECT, whose user name and password it gets, too.
	 * @throws AwsError 401 or 403 when it is clear already that the client will be refused
	 */
	byRequest(head: RequestHead, tls: Presented["tls"]): Admission {
		const chosen = this.#choose(finderOf(head));
		const transport = { ...(tls && { tls }), http: httpOf(head) };
		return (facts) => this.#admit(() => chosen, transport, facts);
	}

	/** For a publish over HTTPS. @throws AwsError 401 or 403 */
	async forPublish(
		head: RequestHead,
		tls: Presented["tls"],
	): Promise<{ readonly principal: string; readonly own: OwnPolicies }> {
		const { record, token, signature } = this.#choose(finderOf(head));
		const answer = await this.#authorizers.ask(record.authorizerName, {
			...(token !== undefined && { token }),
			...(signature !== undefined && { signature }),
			...(tls && { tls }),
			http: httpOf(head),
			connectionId: randomUUID(),
		});
		if (!answer.isAuthenticated) throw new AwsError("UnauthorizedException", answer.explanation);
		return { principal: answer.principalId, own: { kind: "authorizer", policies: answer.policies } };
	}

	/** The authorizer that is meant, and the token, whose signature counts. @throws AwsError */
	#choose(find: Find): Chosen {
		const record = this.#authorizers.choose(find(NAME));
		if (!record) {
			throw new AwsError(
				"UnauthorizedException",
				`The client names no authorizer (${NAME}), and there is no default one: SetDefaultAuthorizer sets it.`,
			);
		}
		const token = record.tokenKeyName === undefined ? undefined : find(record.tokenKeyName);
		const signature = find(SIGNATURE);
		const presented = { ...(token !== undefined && { token }), ...(signature !== undefined && { signature }) };
		const wrong = this.#authorizers.whyUnsigned(record, presented);
		if (wrong !== undefined) throw new AwsError("AccessDeniedException", wrong);
		return { record, ...presented };
	}

	async #admit(choose: () => Chosen, transport: Transport, facts: ConnectFacts): Promise<Admitted | Refusal> {
		const { connectionId, clientId, username, password } = facts;
		let chosen: Chosen;
		try {
			chosen = choose();
		} catch (error) {
			if (!(error instanceof AwsError)) throw error;
			return { reason: "custom authorizer", explanation: error.message };
		}
		const { record, token, signature } = chosen;
		const presented: Presented = {
			...transport,
			...(token !== undefined && { token }),
			...(signature !== undefined && { signature }),
			connectionId,
			mqtt: {
				...(username !== undefined && { username }),
				...(password && { password: Buffer.from(password).toString("base64") }),
				clientId,
			},
		};
		const ask = async (): Promise<Admitted | Refusal> => {
			const answer = await this.#authorizers.ask(record.authorizerName, presented);
			if (!answer.isAuthenticated) return { reason: "custom authorizer", explanation: answer.explanation };
			const { principalId, policies, disconnectAfterInSeconds: end, refreshAfterInSeconds: again } = answer;
			return {
				principal: principalId,
				own: { kind: "authorizer", policies },
				...(end !== undefined && { disconnectAfter: end * 1000 }),
				...(again !== undefined && { refreshAfter: again * 1000, refresh: ask }),
			};
		};
		return ask();
	}
}

/** What stands behind the question mark of a user name. */
function queryOf(username = ""): Map<string, string> {
	try {
		return parseQuery(splitOnce(username, "?")[1]);
	} catch {
		return new Map();
	}
}

/** Finds values in the query, else in the headers. */
function finderOf(head: RequestHead): Find {
	const query = parseQuery(splitOnce(head.target, "?")[1]);
	return (name) => query.get(name) ?? headerValue(head, name.toLowerCase());
}

function httpOf({ target, rawHeaders }: RequestHead): NonNullable<Presented["http"]> {
	const headers: Record<string, string> = Object.create(null);
	for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i]!.toLowerCase()] = rawHeaders[i + 1]!;
	const query = splitOnce(target, "?")[1];
	return { headers, queryString: query === "" ? "" : `?${query}` };
}
