// Which certificates are attached to which things, by AWS's rules.

import type { ThingPrincipalRecord } from "../state/state.js";
import type { Certificates } from "./certificates.js";
import { type RegistryContext, requireRow } from "./context.js";
import { demand } from "./limits.js";
import { type Paging, page } from "./paging.js";
import type { Things } from "./things.js";

/** Operations on the attachments of certificates to things. Requests and responses are those of the AWS operation of the same name. */
export class ThingPrincipals {
	readonly #context: RegistryContext;
	readonly #certificates: Certificates;
	readonly #things: Things;

	constructor(context: RegistryContext, certificates: Certificates, things: Things) {
		this.#context = context;
		this.#certificates = certificates;
		this.#things = things;
	}

	/** Attaches a certificate to a thing. After an exclusive attachment it can be on no other thing. Idempotent. */
	attachThingPrincipal(request: { thingName: string; principal: string; thingPrincipalType?: string }): void {
		const { state } = this.#context;
		const type = request.thingPrincipalType ?? "NON_EXCLUSIVE_THING";
		demand(
			type === "EXCLUSIVE_THING" || type === "NON_EXCLUSIVE_THING",
			"thingPrincipalType must be EXCLUSIVE_THING or NON_EXCLUSIVE_THING",
		);
		const { thingName } = this.#things.requireThing(request.thingName);
		this.#certificates.requireCertificateId(request.principal);
		const others = state.thingPrincipals
			.by("principal", request.principal)
			.filter((row) => row.thingName !== thingName);
		demand(
			others.length === 0 ||
				(type === "NON_EXCLUSIVE_THING" && others.every((row) => row.thingPrincipalType === "NON_EXCLUSIVE_THING")),
			"The principal is attached to another thing, and one of the attachments is exclusive",
		);
		const key = `${thingName} ${request.principal}`;
		if (state.thingPrincipals.get(key)?.thingPrincipalType === type) return;
		state.transaction(() =>
			state.thingPrincipals.put(key, { thingName, principal: request.principal, thingPrincipalType: type }),
		);
	}

	/** Detaches a certificate from a thing; it must be attached. */
	detachThingPrincipal(request: { thingName: string; principal: string }): void {
		const { state } = this.#context;
		const { thingName } = this.#things.requireThing(request.thingName);
		const key = `${thingName} ${request.principal}`;
		requireRow(state.thingPrincipals.get(key), `The principal is not attached to the thing ${thingName}`);
		state.transaction(() => state.thingPrincipals.delete(key));
	}

	/** ARNs of the certificates that are attached to a thing. */
	listThingPrincipals(request: Paging & { thingName: string }) {
		const { thingName } = this.#things.requireThing(request.thingName);
		const principals = this.#context.state.thingPrincipals.by("thingName", thingName).map((row) => row.principal);
		const { items, next } = page(principals, (principal) => principal, request.maxResults, request.nextToken);
		return { principals: items, ...(next && { nextToken: next }) };
	}

	/** Names of the things that a certificate is attached to. */
	listPrincipalThings(request: Paging & { principal: string }) {
		this.#certificates.requireCertificateId(request.principal);
		const things = this.attachedTo(request.principal).map((row) => row.thingName);
		const { items, next } = page(things, (thing) => thing, request.maxResults, request.nextToken);
		return { things: items, ...(next && { nextToken: next }) };
	}

	/** Certificates that are attached to a thing, each with the kind of its attachment. */
	listThingPrincipalsV2(request: Paging & { thingName: string; thingPrincipalType?: string }) {
		const { thingName } = this.#things.requireThing(request.thingName);
		const rows = ofType(this.#context.state.thingPrincipals.by("thingName", thingName), request.thingPrincipalType);
		const { items, next } = page(rows, (row) => row.principal, request.maxResults, request.nextToken);
		return {
			thingPrincipalObjects: items.map(({ principal, thingPrincipalType }) => ({ principal, thingPrincipalType })),
			...(next && { nextToken: next }),
		};
	}

	/** Things that a certificate is attached to, each with the kind of the attachment. */
	listPrincipalThingsV2(request: Paging & { principal: string; thingPrincipalType?: string }) {
		this.#certificates.requireCertificateId(request.principal);
		const rows = ofType(this.attachedTo(request.principal), request.thingPrincipalType);
		const { items, next } = page(rows, (row) => row.thingName, request.maxResults, request.nextToken);
		return {
			principalThingObjects: items.map(({ thingName, thingPrincipalType }) => ({ thingName, thingPrincipalType })),
			...(next && { nextToken: next }),
		};
	}

	/** The things that a certificate (by ARN) is attached to. */
	attachedTo(principal: string): ThingPrincipalRecord[] {
		return this.#context.state.thingPrincipals.by("principal", principal);
	}
}

function ofType(rows: readonly ThingPrincipalRecord[], type: string | undefined): readonly ThingPrincipalRecord[] {
	return type === undefined ? rows : rows.filter((row) => row.thingPrincipalType === type);
}
