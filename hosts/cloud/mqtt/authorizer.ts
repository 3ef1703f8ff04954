// Decides what a client may do on a connection: by the policies in force for its certificate, or by those that it brings itself.
// Knows the values of their variables.

import { X509Certificate } from "node:crypto";
import { temporaryClaimPolicy } from "../base/samples.js";
import type { Settings } from "../base/settings.js";
import {
	type Decision,
	evaluate,
	type NamedPolicy,
	type Policy,
	type PolicyVariables,
	parsePolicy,
} from "../policy/policy.js";
import type { Registry } from "../registry/registry.js";
import type { CertificateRecord, ThingRecord } from "../state/state.js";

/** What a client without a certificate may do. */
export interface OwnPolicies {
	/** `iam`: the policies of an IAM user or role. `authorizer`: those that a custom authorizer has answered with. */
	readonly kind: "iam" | "authorizer";
	readonly policies: readonly NamedPolicy[];
	/** More variables, as they are now. */
	variables?(): PolicyVariables;
}

/** What is known of a connection when policies decide. */
export interface ConnectionFacts {
	/** Id of the client's certificate; else the ARN of an IAM principal, or the name that a custom authorizer gave. */
	readonly principal: string;
	/** Present for a client without a certificate. */
	readonly own?: OwnPolicies | undefined;
	/** Absent over HTTPS. */
	readonly clientId?: string;
	readonly sourceIp: string;
}

const MAXIMUM_PARSED = 1_000;
/** Decisions that are kept for one connection. */
const MAXIMUM_KEPT = 256;
/** Tables whose changes leave every decision as it is. */
const WITHOUT_INFLUENCE: ReadonlySet<string> = new Set(["sessions", "queued", "retained", "tokens", "settings"]);

/** Decides what clients may do. Follows changes of the registry at once, or after the setting policy.propagationDelay. */
export class Authorizer {
	readonly #registry: Registry;
	readonly #settings: Settings;
	readonly #now: () => number;
	readonly #parsed = new Map<string, Policy>();
	/** Recent changes of attachments by row key, oldest first. */
	readonly #recent = new Map<string, { readonly at: number; readonly attached: boolean }[]>();
	readonly #stop: () => void;
	#generation = 0;

	constructor(registry: Registry, settings: Settings, now: () => number) {
		this.#registry = registry;
		this.#settings = settings;
		this.#now = now;
		this.#stop = registry.state.onChange((changes) => {
			if (changes.some(({ table }) => !WITHOUT_INFLUENCE.has(table))) this.#generation++;
			if (settings.policy.propagationDelay <= 0) return;
			for (const { table, key, row } of changes) {
				if (table !== "attachments") continue;
				this.#recent.set(key, [...(this.#recent.get(key) ?? []), { at: now(), attached: row !== undefined }]);
			}
		});
	}

	close(): void {
		this.#stop();
	}

	/** Another number after every change that may change a decision: of the registry, or of the one setting that counts here. */
	get generation(): number {
		return this.#generation * 2 + (this.#settings.temporaryClaim.oneTemplate ? 1 : 0);
	}

	/** Whether a decision stays as it is until the registry changes. It does not while changes of attachments spread. */
	get settled(): boolean {
		return this.#recent.size === 0;
	}

	/** Decides over an action. `attributes` are those of a CONNECT: PersistentConnect, LastWill. */
	decide(
		facts: ConnectionFacts,
		action: string,
		kind: "client" | "topic" | "topicfilter",
		name: string,
		attributes: readonly string[] = [],
	): Decision {
		const resource = this.#registry.arn(kind, name);
		const { own } = facts;
		if (own) return evaluate(own.policies, { action, resource, variables: ownVariables(own, facts, attributes) });
		const certificate = this.#registry.certificates.get(facts.principal);
		if (!certificate) return { allowed: false, explanation: "The certificate has been deleted." };
		const variables = this.#variablesOf(certificate, facts, attributes);
		const needGrant = attributes.length > 0 && this.#settings.connection.connectAttributesNeedGrant;
		const policies = this.#policiesOf(certificate);
		return evaluate(needGrant ? policies.map(grantingAttributes) : policies, { action, resource, variables });
	}

	/** Policies on the certificate, and on the groups (with their parents) of the things that it is attached to. */
	#policiesOf(certificate: CertificateRecord): NamedPolicy[] {
		const { certificates, thingPrincipals, thingGroups, policies, state } = this.#registry;
		if (certificate.temporaryClaim) {
			const { templateName } = certificate.temporaryClaim;
			const document = temporaryClaimPolicy(
				state.account,
				this.#settings.temporaryClaim.oneTemplate ? templateName : "*",
			);
			return [{ policyName: "(temporary claim)", policy: this.#parse(JSON.stringify(document)) }];
		}
		const principal = certificates.arn(certificate.certificateId);
		const groups = new Set(
			thingPrincipals
				.attachedTo(principal)
				.flatMap(({ thingName }) => thingGroups.groupsOf(thingName))
				.flatMap((group) => thingGroups.ancestors(group)),
		);
		const names = new Set(
			[principal, ...[...groups].map((group) => thingGroups.arn(group))].flatMap((target) => this.#attachedTo(target)),
		);
		return [...names].flatMap((policyName) => {
			const document = policies.document(policyName);
			return document === undefined ? [] : [{ policyName, policy: this.#parse(document) }];
		});
	}

	#attachedTo(target: string): string[] {
		const names = new Set(this.#registry.state.attachments.by("target", target).map(({ policyName }) => policyName));
		const visible = this.#now() - this.#settings.policy.propagationDelay;
		for (const [key, changes] of this.#recent) {
			if (changes.at(-1)!.at <= visible) this.#recent.delete(key);
			else if (key.endsWith(` ${target}`)) {
				const policyName = key.slice(0, key.indexOf(" "));
				// Before the first change it was the opposite.
				const attached = changes.filter(({ at }) => at <= visible).at(-1)?.attached ?? !changes[0]!.attached;
				if (attached) names.add(policyName);
				else names.delete(policyName);
			}
		}
		return [...names];
	}

	#parse(document: string): Policy {
		const kept = this.#parsed.get(document);
		if (kept) return kept;
		const parsed = parsePolicy(document);
		if (this.#parsed.size >= MAXIMUM_PARSED) this.#parsed.clear();
		this.#parsed.set(document, parsed);
		return parsed;
	}

	/** The thing that counts for a connection: the one attached exclusively, otherwise an attached one named like the client id. */
	#findThing(certificateId: string, clientId: string | undefined): ThingRecord | undefined {
		const { certificates, things, thingPrincipals } = this.#registry;
		const attached = thingPrincipals.attachedTo(certificates.arn(certificateId));
		const row =
			attached.find(({ thingPrincipalType }) => thingPrincipalType === "EXCLUSIVE_THING") ??
			attached.find(({ thingName }) => thingName === clientId);
		return row && things.get(row.thingName);
	}

	#variablesOf(certificate: CertificateRecord, facts: ConnectionFacts, attributes: readonly string[]): PolicyVariables {
		const variables = new Map<string, string | readonly string[]>([
			...clientVariables(facts),
			["iot:CertificateId", certificate.certificateId],
			["iot:ConnectAttributes", attributes],
			...certificateVariables(certificate),
		]);
		const thing = this.#findThing(certificate.certificateId, facts.clientId);
		variables.set("iot:Connection.Thing.IsAttached", thing ? "true" : "false");
		if (thing) {
			variables.set("iot:Connection.Thing.ThingName", thing.thingName);
			if (thing.thingTypeName !== undefined) variables.set("iot:Connection.Thing.ThingTypeName", thing.thingTypeName);
			for (const [name, value] of Object.entries(thing.attributes)) {
				variables.set(`iot:Connection.Thing.Attributes[${name}]`, value);
			}
		}
		return variables;
	}
}

/** What one connection may do. Keeps its decisions until something changes, since most are asked for again and again. */
export class Permissions {
	readonly #authorizer: Authorizer;
	readonly #facts: ConnectionFacts;
	readonly #kept = new Map<string, Decision>();
	#generation = -1;

	constructor(authorizer: Authorizer, facts: ConnectionFacts) {
		this.#authorizer = authorizer;
		this.#facts = facts;
	}

	/** Decides over an action after CONNECT. */
	decide(action: string, kind: "topic" | "topicfilter", name: string): Decision {
		const { generation } = this.#authorizer;
		// Policies of IAM may look at the clock.
		const settled = this.#authorizer.settled && this.#facts.own?.kind !== "iam";
		if (generation !== this.#generation || !settled || this.#kept.size >= MAXIMUM_KEPT) {
			this.#kept.clear();
			this.#generation = generation;
		}
		const key = `${action} ${name}`;
		const kept = this.#kept.get(key);
		if (kept) return kept;
		const decision = this.#authorizer.decide(this.#facts, action, kind, name);
		this.#kept.set(key, decision);
		return decision;
	}
}

function clientVariables({ clientId, sourceIp }: ConnectionFacts): [string, string][] {
	return [
		...(clientId === undefined ? [] : [["iot:ClientId", clientId] as [string, string]]),
		["aws:SourceIp", sourceIp],
	];
}

function ownVariables(own: OwnPolicies, facts: ConnectionFacts, attributes: readonly string[]): PolicyVariables {
	const more = own.variables?.() ?? [];
	// IAM knows no variables of AWS IoT (service authorization reference, "Condition keys for AWS IoT").
	if (own.kind === "iam") return new Map([...more, ["aws:SourceIp", facts.sourceIp]]);
	return new Map<string, string | readonly string[]>([
		...more,
		...clientVariables(facts),
		["iot:ConnectAttributes", attributes],
	]);
}

/** A policy without the Allow statements that have no condition on iot:ConnectAttributes. */
function grantingAttributes({ policyName, policy }: NamedPolicy): NamedPolicy {
	return {
		policyName,
		policy: {
			statements: policy.statements.filter(
				({ effect, conditions }) => effect === "Deny" || conditions.some(({ key }) => key === "iot:ConnectAttributes"),
			),
		},
	};
}

const NAME_PARTS: Readonly<Record<string, string>> = {
	CN: "CommonName",
	C: "Country",
	O: "Organization",
	OU: "OrganizationalUnit",
	ST: "State",
	dnQualifier: "DistinguishedNameQualifier",
	serialNumber: "SerialNumber",
	title: "Title",
	SN: "Surname",
	GN: "GivenName",
	initials: "Initials",
	pseudonym: "Pseudonym",
	generationQualifier: "GenerationQualifier",
};

const variablesOf = new WeakMap<CertificateRecord, [string, string | readonly string[]][]>();

/** The variables `iot:Certificate.…`: the first value of each, all values as `.List`, and each value by its number from 0. */
export function certificateVariables(record: CertificateRecord): [string, string | readonly string[]][] {
	const kept = variablesOf.get(record);
	if (kept) return kept;
	const certificate = new X509Certificate(record.certificatePem);
	const variables: [string, string | readonly string[]][] = [
		["iot:Certificate.SerialNumber", certificate.serialNumber],
	];
	for (const [of, name] of [
		["Subject", certificate.subject],
		["Issuer", certificate.issuer],
	] as const) {
		const values = new Map<string, string[]>();
		// OpenSSL writes each name on a line, or several with " + " between them.
		for (const line of (name ?? "").split(/\n| \+ /)) {
			const at = line.indexOf("=");
			const part = NAME_PARTS[line.slice(0, at)];
			if (part) values.set(part, [...(values.get(part) ?? []), unescapeName(line.slice(at + 1))]);
		}
		for (const [part, list] of values) {
			const prefix = `iot:Certificate.${of}.${part}`;
			variables.push([prefix, list[0]!], [`${prefix}.List`, list]);
			for (const [index, value] of list.entries()) variables.push([`${prefix}.${index}`, value]);
		}
	}
	variablesOf.set(record, variables);
	return variables;
}

/** Removes the backslashes of RFC 2253 section 2.4: before a special character, or before a control character in hex. */
function unescapeName(text: string): string {
	return text.replace(/\\([0-9A-F]{2}|.)/g, (_, escaped: string) =>
		escaped.length === 2 ? String.fromCharCode(Number.parseInt(escaped, 16)) : escaped,
	);
}
