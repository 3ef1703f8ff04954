// What the web page shows of the account, one function for each view. Reads the registry and changes nothing; no key, no token and
// no PEM is in an answer.

import { AwsError } from "../base/errors.js";
import type { CloudEvent } from "../base/events.js";
import { isObject } from "../base/object.js";
import type { Registry } from "../registry/registry.js";
import { parseTemplate, TemplateError } from "../template/template.js";
import { filterOf } from "./live.js";

/** Rows of one page of a list. */
const PAGE = 50;
/** Earlier events that are shown beside a thing or a certificate. */
const MOST_EVENTS = 50;
/** Certificates, shadows and job executions of one thing that are shown. */
const MOST_PARTS = 50;

/** Services of a device that a cloud may have beside the registry: their operations under AWS's names. */
export interface DeviceServices {
	readonly shadows?:
		| {
				/** Throws when there is no such shadow. */
				getThingShadow(request: { thingName: string; shadowName?: string }): Uint8Array;
				listNamedShadowsForThing(request: { thingName: string; pageSize?: number }): {
					readonly results: readonly string[];
				};
		  }
		| undefined;
	readonly jobs?:
		| {
				listJobExecutionsForThing(request: { thingName: string; maxResults?: number }): {
					readonly executionSummaries: readonly object[];
				};
		  }
		| undefined;
}

/** The names of all things that hold `text`, in order, after `after`: one page, and whether there are more. */
export function listThings({ state }: Registry, text: string, after: string) {
	const { names, more, matching } = pageOf(state.things.keys(), text, after);
	return {
		things: names.map((thingName) => {
			const { thingTypeName, attributes, version } = state.things.get(thingName)!;
			return { thingName, thingTypeName, attributes, version, certificates: statusesOf(state, thingName) };
		}),
		more,
		matching,
		total: state.things.size,
	};
}

function statusesOf(state: Registry["state"], thingName: string): (string | undefined)[] {
	return state.thingPrincipals
		.by("thingName", thingName)
		.slice(0, MOST_PARTS)
		.map(({ principal }) => state.certificates.get(idOf(principal))?.status);
}

/** Certificates whose id holds `text`, of one status if one is given, like `listThings`. */
export function listCertificates(
	{ state, certificates }: Registry,
	text: string,
	after: string,
	status: string | null,
) {
	const fitting = function* () {
		for (const [id, row] of state.certificates.entries()) if (status === null || row.status === status) yield id;
	};
	const { names, more, matching } = pageOf(fitting(), text, after);
	return {
		certificates: names.map((id) => certificateRow(certificates.arn(id), state)),
		more,
		matching,
		total: state.certificates.size,
	};
}

/** One page of names: the first after `after`, in order, without sorting more than is shown. */
function pageOf(all: Iterable<string>, text: string, after: string) {
	const wanted = text.toLowerCase();
	let names: string[] = [];
	let behind = 0;
	let matching = 0;
	const keepFirst = () => {
		names = names.sort(compare).slice(0, PAGE);
	};
	for (const name of all) {
		if (wanted !== "" && !name.toLowerCase().includes(wanted)) continue;
		matching++;
		if (name <= after) continue;
		behind++;
		names.push(name);
		if (names.length >= 4 * PAGE) keepFirst();
	}
	keepFirst();
	return { names, more: behind > names.length, matching };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const idOf = (arn: string): string => arn.slice(arn.lastIndexOf("/") + 1);

function certificateRow(arn: string, state: Registry["state"]) {
	const certificateId = idOf(arn);
	const row = state.certificates.get(certificateId);
	return {
		certificateId,
		status: row?.status,
		creationDate: row?.creationDate,
		notAfter: row?.notAfter,
		...(row?.temporaryClaim && { temporaryClaim: row.temporaryClaim }),
		policies: state.attachments.by("target", arn).map(({ policyName }) => policyName),
		things: state.thingPrincipals.by("principal", arn).map(({ thingName }) => thingName),
	};
}

/**
 * A thing with its certificates, policies, last events, and what the cloud's other services have of it.
 * @throws AwsError when there is no such thing
 */
export function describeThing(
	registry: Registry,
	services: DeviceServices,
	events: readonly CloudEvent[],
	thingName: string,
) {
	const { state, things, thingGroups } = registry;
	const thing = things.describeThing({ thingName });
	const groups = thingGroups.groupsOf(thingName);
	const arns = state.thingPrincipals.by("thingName", thingName).map(({ principal }) => principal);
	const rows = arns.slice(0, MOST_PARTS).map((arn) => certificateRow(arn, state));
	// Policies of a group count for its members, and those of the group's ancestors too.
	const fromGroups = [...new Set(groups.flatMap((group) => thingGroups.ancestors(group)))].flatMap((group) =>
		state.attachments.by("target", thingGroups.arn(group)).map(({ policyName }) => ({ policyName, group })),
	);
	const about = new Set([thingName, ...arns.map(idOf)]);
	return {
		...thing,
		groups,
		certificates: rows,
		policies: documentsOf(registry, [
			...rows.flatMap(({ policies }) => policies),
			...fromGroups.map(({ policyName }) => policyName),
		]),
		groupPolicies: fromGroups,
		about: [...about],
		events: eventsAbout(events, about),
		...shadowsOf(services, thingName),
		...(services.jobs && {
			jobs: services.jobs.listJobExecutionsForThing({ thingName, maxResults: MOST_PARTS }).executionSummaries,
		}),
	};
}

/** A certificate with its policies, things and last events. @throws AwsError when there is no such certificate */
export function describeCertificate(registry: Registry, events: readonly CloudEvent[], certificateId: string) {
	if (registry.certificates.get(certificateId) === undefined)
		throw new AwsError("ResourceNotFoundException", "There is no such certificate.");
	const row = certificateRow(registry.certificates.arn(certificateId), registry.state);
	return {
		...row,
		documents: documentsOf(registry, row.policies),
		events: eventsAbout(events, new Set([certificateId])),
	};
}

function eventsAbout(events: readonly CloudEvent[], about: ReadonlySet<string>): readonly CloudEvent[] {
	return events.filter(filterOf({ about }, () => false)).slice(-MOST_EVENTS);
}

/** Documents of policies by name. */
function documentsOf({ policies }: Registry, names: readonly string[]): Readonly<Record<string, string>> {
	return Object.fromEntries([...new Set(names)].map((name) => [name, policies.document(name) ?? ""]));
}

function shadowsOf({ shadows }: DeviceServices, thingName: string) {
	if (shadows === undefined) return {};
	const { results } = shadows.listNamedShadowsForThing({ thingName, pageSize: MOST_PARTS });
	const found = [undefined, ...results].flatMap((shadowName) => {
		try {
			const payload = shadows.getThingShadow({ thingName, ...(shadowName !== undefined && { shadowName }) });
			return [{ shadowName: shadowName ?? null, document: JSON.parse(Buffer.from(payload).toString()) as unknown }];
		} catch {
			// A thing need not have a classic shadow, and another one may have been deleted just now.
			return [];
		}
	});
	return { shadows: found };
}

/** All templates, each with the parameters that a form must ask for. */
export function listTemplates({ state, templates }: Registry) {
	return {
		templates: [...state.templates.values()]
			.sort((a, b) => compare(a.templateName, b.templateName))
			.slice(0, 250)
			.map(({ templateName, description, enabled, type, preProvisioningHook, defaultVersionId }) => {
				const body = templates.body(templateName)!;
				return {
					templateName,
					description,
					enabled,
					type,
					hook: preProvisioningHook?.targetArn,
					version: defaultVersionId,
					body,
					parameters: parametersOf(body),
				};
			}),
	};
}

/** The declared parameters but for those that AWS fills in itself. */
function parametersOf(body: string): { readonly name: string; readonly defaultValue: string | undefined }[] {
	try {
		return [...parseTemplate(body).parameters]
			.filter(([name]) => !name.startsWith("AWS::"))
			.map(([name, { defaultValue }]) => ({ name, defaultValue }));
	} catch (error) {
		if (!(error instanceof TemplateError)) throw error;
		return [];
	}
}

/** One statement of a policy, as it is written. @throws AwsError when there is none */
export function describeStatement({ policies }: Registry, policyName: string, index: number) {
	const document: unknown = JSON.parse(policies.document(policyName) ?? "null");
	const statements = isObject(document) ? [document.Statement].flat() : [];
	if (statements[index] === undefined) throw new AwsError("ResourceNotFoundException", "There is no such statement.");
	return { policyName, index, count: statements.length, statement: statements[index] };
}
