// Tries a claim policy, a device policy and a template against a private cloud in memory, and says which statements the flow
// needs, which it never used, and what else the claim could do. Touches no account and no network.

import type { CloudEventBody } from "./base/events.js";
import type { CreationTopic } from "./base/samples.js";
import { defaultSettings, type ProvisioningOperation } from "./base/settings.js";
import { Authorizer, type ConnectionFacts } from "./mqtt/authorizer.js";
import { openAuthority } from "./pki/authority.js";
import { parsePolicy, type Statement } from "./policy/policy.js";
import { Provisioning } from "./provisioning/provisioning.js";
import { checkBillingGroupName, checkThingGroupName, checkThingTypeName } from "./registry/limits.js";
import { Registry } from "./registry/registry.js";
import { openState } from "./state/state.js";
import { evaluateTemplate, type Plan, parseTemplate } from "./template/template.js";

/** What to check. */
export interface PolicyCheckInput {
	/** Policy document of the claim certificate. */
	readonly claimPolicy: string;
	/** Document of the policy that the template attaches by name. Not needed when the template has the document itself. */
	readonly devicePolicy?: string;
	/** Template body. */
	readonly template: string;
	/** The account that the documents are for. Default: the first one that the claim policy, or else the device policy, names. */
	readonly accountId?: string;
	/** The region that they are for. Default as for the account. */
	readonly region?: string;
	/** Default `fleet-template`; the claim policy must be for this name. */
	readonly templateName?: string;
	/** Values of the template's parameters. A parameter without a value and without a default gets one that is made up. */
	readonly parameters?: Readonly<Record<string, string>>;
	/** How devices get their certificate. Default `create`: the service makes the keys. */
	readonly creation?: CreationTopic;
	/** Default `cbor`. */
	readonly encoding?: "json" | "cbor";
	/** Whether there is a pre-provisioning hook. Then there are no warnings of what a hook can prevent. Default false. */
	readonly hook?: boolean;
	/** Client id of the claim connection. Default `claim-` and the serial number. */
	readonly clientId?: string;
}

/** A statement of one of the two policies. */
export interface CheckedStatement {
	readonly policy: "claim" | "device";
	/** Place in its document, from 0. */
	readonly index: number;
	readonly sid?: string;
}

/** One thing that the flow did, or that the claim could do. */
export interface CheckedAction {
	readonly identity: "claim" | "device";
	/** Such as `iot:Publish`. */
	readonly action: string;
	/** ARN. */
	readonly resource: string;
	readonly allowed: boolean;
	/** Which statement decided. */
	readonly statement?: CheckedStatement;
	/** Why, and what to change. */
	readonly explanation: string;
}

/** The result of a check. */
export interface PolicyCheckReport {
	/** Whether a device would end up connected under its own identity. */
	readonly succeeded: boolean;
	/** The flow in order, up to what was refused. */
	readonly steps: readonly CheckedAction[];
	/** Why provisioning itself failed, when it did. */
	readonly failure?: string;
	readonly thingName?: string;
	/** Statements without which the flow fails. */
	readonly needed: readonly CheckedStatement[];
	/** Statements that apply to the flow, which works without them, too. */
	readonly redundant: readonly CheckedStatement[];
	/** Statements that apply to nothing in the flow. A device's application may need them: the flow only connects the device. */
	readonly unused: readonly CheckedStatement[];
	/** What the claim could do and should not. */
	readonly excess: readonly (CheckedAction & { readonly danger: string })[];
	/** What the template allows the holder of a claim that many devices share, whatever the claim's policy says. */
	readonly risks: readonly string[];
	/** What had to be assumed. */
	readonly notes: readonly string[];
}

/** What to ask the policies of an identity. */
interface PolicyQuestion {
	readonly identity: "claim" | "device";
	readonly action: string;
	readonly kind: "client" | "topic" | "topicfilter";
	readonly name: string;
}

/**
 * Runs the flow of provisioning with these policies, and examines them.
 * @throws PolicyError, TemplateError or AwsError when a document is malformed
 */
export async function checkPolicies(input: PolicyCheckInput): Promise<PolicyCheckReport> {
	const { templateName = "fleet-template", creation = "create", encoding = "cbor" } = input;
	const notes: string[] = [];
	const settings = defaultSettings();
	settings.keyPairs.ahead = 0;
	const now = Date.now;
	const account = accountOf(input, notes);
	const state = await openState(account);
	const authority = await openAuthority({
		state,
		now,
		serverNames: [],
		issuer: () => "RSA",
		keyPairs: settings.keyPairs,
	});
	const registry = new Registry({ state, issuer: authority });
	const authorizer = new Authorizer(registry, settings, now);
	try {
		const { plan, parameters } = planFor(input, notes);
		prepare(registry, input, templateName, plan, notes);
		const claim = await registry.certificates.createKeysAndCertificate({ setAsActive: true });
		registry.policies.attachPolicy({ policyName: "claim", target: claim.certificateArn });
		const clientId = input.clientId ?? `claim-${parameters.SerialNumber ?? "device"}`;
		const check = checker(registry, authorizer, plan);
		const claimFacts: ConnectionFacts = { certificateId: claim.certificateId, clientId, sourceIp: "127.0.0.1" };
		const createTopic = `$aws/certificates/${creation}/${encoding}`;
		const registerTopic = `$aws/provisioning-templates/${templateName}/provision/${encoding}`;
		const claimSteps = claimFlow(clientId, createTopic, registerTopic);
		const steps = [];
		for (const step of claimSteps) {
			steps.push(check(claimFacts, step));
			if (!steps.at(-1)!.allowed) break;
		}
		const claimPassed = steps.every(({ allowed }) => allowed);
		const outcome = await provision(registry, authority, settings, templateName, parameters, claimFacts, notes);
		const again = await provision(registry, authority, settings, templateName, parameters, claimFacts, []);
		const excess = excessOf(check, claimFacts, plan.thing?.thingName ?? "some-thing", templateName, creation);
		const deviceSteps: PolicyQuestion[] =
			outcome.thingName === undefined
				? []
				: [{ identity: "device", action: "iot:Connect", kind: "client", name: outcome.thingName }];
		const deviceFacts = {
			certificateId: outcome.certificateId,
			clientId: outcome.thingName ?? "",
			sourceIp: "127.0.0.1",
		};
		if (claimPassed) for (const step of deviceSteps) steps.push(check(deviceFacts, step));
		const tookOver =
			outcome.thingName !== undefined &&
			again.thingName === outcome.thingName &&
			deviceSteps.every((step) => check({ ...deviceFacts, certificateId: again.certificateId }, step).allowed);
		if (tookOver && input.hook === true)
			notes.push("The hook is taken to refuse a thing that exists, or is another device's.");
		const use = statementUse(registry, authorizer, "claim", claimFacts, claimSteps);
		const deviceUse = statementUse(registry, authorizer, "device", deviceFacts, deviceSteps);
		return {
			succeeded: outcome.failure === undefined && deviceSteps.length > 0 && steps.every(({ allowed }) => allowed),
			steps,
			...(outcome.failure !== undefined && { failure: outcome.failure }),
			...(outcome.thingName !== undefined && { thingName: outcome.thingName }),
			needed: [...use.needed, ...deviceUse.needed],
			redundant: [...use.redundant, ...deviceUse.redundant],
			unused: [...use.unused, ...deviceUse.unused],
			excess,
			risks: tookOver && input.hook !== true ? [takeover(outcome.thingName!)] : [],
			notes,
		};
	} finally {
		authorizer.close();
		await state.close();
	}
}

/** A warning that is not a guess: a second registration of the same thing, with a new certificate, was accepted. */
function takeover(thingName: string): string {
	return (
		"The holder of the claim can become any thing that exists, if it knows or guesses its parameters: a second " +
		`certificate was registered for the thing ${thingName}, and may connect as it. No policy can stop that; ` +
		"a pre-provisioning hook can, by refusing a thing that exists or a serial number that was never made."
	);
}

/** What a device does with its claim, in order. */
function claimFlow(clientId: string, createTopic: string, registerTopic: string): PolicyQuestion[] {
	const claim = { identity: "claim" } as const;
	const replies = (topic: string) => [`${topic}/accepted`, `${topic}/rejected`];
	return [
		{ ...claim, action: "iot:Connect", kind: "client", name: clientId },
		...[createTopic, registerTopic]
			.flatMap(replies)
			.map((name) => ({ ...claim, action: "iot:Subscribe", kind: "topicfilter", name }) as const),
		...[createTopic, registerTopic].flatMap((topic) => [
			{ ...claim, action: "iot:Publish", kind: "topic", name: topic } as const,
			// A device that cannot receive the rejection does not know why it failed.
			...replies(topic).map((name) => ({ ...claim, action: "iot:Receive", kind: "topic", name }) as const),
		]),
	];
}

/** The account and region to check for: what is asked for, otherwise what the policies name. */
function accountOf(input: PolicyCheckInput, notes: string[]): { accountId?: string; region?: string } {
	const { accountId, region } = input;
	const documents = [input.claimPolicy, input.devicePolicy ?? ""];
	const named = accountId !== undefined && region !== undefined ? {} : accountIn(documents, notes);
	return { ...named, ...(accountId !== undefined && { accountId }), ...(region !== undefined && { region }) };
}

/** Account and region that the policies speak of. */
function accountIn(documents: readonly string[], notes: string[]): { accountId?: string; region?: string } {
	const found = new Set(
		documents.flatMap((document) =>
			[...document.matchAll(/arn:aws:iot:([a-z0-9-]+):(\d{12}):/g)].map((match) => `${match[1]} ${match[2]}`),
		),
	);
	const [first] = found;
	if (first === undefined) return {};
	if (found.size > 1)
		notes.push(`The policies speak of several accounts or regions (${[...found].join("; ")}): checked as ${first}.`);
	const [region, accountId] = first.split(" ") as [string, string];
	return { region, accountId };
}

function planFor(input: PolicyCheckInput, notes: string[]): { plan: Plan; parameters: Record<string, string> } {
	const template = parseTemplate(input.template);
	const parameters: Record<string, string> = {};
	for (const [name, { defaultValue }] of template.parameters) {
		if (name === "AWS::IoT::Certificate::Id") continue;
		const given = input.parameters?.[name];
		if (given === undefined && defaultValue === undefined)
			notes.push(`The parameter ${name} is taken to be "${name}-1".`);
		if (given !== undefined || defaultValue === undefined) parameters[name] = given ?? `${name}-1`;
	}
	const plan = evaluateTemplate(template, {
		parameters: new Map(Object.entries(parameters)),
		certificateId: "0".repeat(64),
	});
	return { plan, parameters };
}

/** Makes what must exist before the first device comes. */
function prepare(registry: Registry, input: PolicyCheckInput, templateName: string, plan: Plan, notes: string[]): void {
	const { policies, templates } = registry;
	policies.createPolicy({ policyName: "claim", policyDocument: input.claimPolicy });
	for (const { policyName, policyDocument } of plan.policies) {
		if (policyDocument !== undefined) continue;
		if (input.devicePolicy === undefined)
			notes.push(`The template attaches the policy ${policyName}, but no device policy was given.`);
		else if (policies.document(policyName) === undefined) {
			policies.createPolicy({ policyName, policyDocument: input.devicePolicy });
		}
	}
	const { thingTypeName, thingGroups = [], billingGroup } = plan.thing ?? {};
	if (thingTypeName !== undefined)
		registry.thingTypes.createThingType({ thingTypeName: checkThingTypeName(thingTypeName) });
	for (const thingGroupName of thingGroups)
		registry.thingGroups.createThingGroup({ thingGroupName: checkThingGroupName(thingGroupName) });
	if (billingGroup !== undefined)
		registry.billingGroups.createBillingGroup({ billingGroupName: checkBillingGroupName(billingGroup) });
	const assumed = [thingTypeName, ...thingGroups, billingGroup].filter((name) => name !== undefined);
	if (assumed.length > 0) notes.push(`Taken to exist: ${assumed.join(", ")}.`);
	templates.createProvisioningTemplate({
		templateName,
		templateBody: input.template,
		enabled: true,
		provisioningRoleArn: `arn:aws:iam::${registry.state.account.accountId}:role/provisioning`,
	});
}

type Check = (facts: ConnectionFacts, step: PolicyQuestion) => CheckedAction;

/** Asks the policies in force, and names a statement by the policy that the user gave. */
function checker(registry: Registry, authorizer: Authorizer, plan: Plan): Check {
	return (facts, { identity, action, kind, name }) => {
		const { allowed, statement, explanation } = authorizer.decide(facts, action, kind, name);
		const policy = statement?.policyName === "claim" ? "claim" : "device";
		return {
			identity,
			action,
			resource: registry.arn(kind, name),
			allowed,
			...(statement &&
				(policy === "claim" || plan.policies.some(({ policyName }) => policyName === statement.policyName)) && {
					statement: { policy, index: statement.index, ...(statement.sid !== undefined && { sid: statement.sid }) },
				}),
			explanation,
		};
	};
}

/** Makes the two requests of a claim, whatever its policy says. */
async function provision(
	registry: Registry,
	authority: Awaited<ReturnType<typeof openAuthority>>,
	settings: ReturnType<typeof defaultSettings>,
	templateName: string,
	parameters: Readonly<Record<string, string>>,
	{ certificateId: claimCertificateId, clientId }: ConnectionFacts,
	notes: string[],
): Promise<{ certificateId: string; thingName?: string; failure?: string }> {
	let failure: string | undefined;
	const report = (event: CloudEventBody) => {
		if (event.event === "provisioning" && event.status === "Failure")
			failure = `${event.operation}: ${event.explanation}`;
		if (event.event === "warning") notes.push(event.message);
	};
	const provisioning = new Provisioning({ registry, issuer: authority, settings, now: Date.now, report });
	const ask = async (operation: ProvisioningOperation, payload: object) => {
		const reply = await provisioning.handle({
			operation,
			encoding: "json",
			templateName,
			payload: Buffer.from(JSON.stringify(payload)),
			claimCertificateId,
			clientId,
			connectionId: "check",
		});
		return JSON.parse(Buffer.from(reply.payload).toString()) as Record<string, string>;
	};
	const { certificateId = "", certificateOwnershipToken } = await ask("CreateKeysAndCertificate", {});
	const { thingName } = await ask("RegisterThing", { certificateOwnershipToken, parameters });
	return { certificateId, ...(thingName !== undefined && { thingName }), ...(failure !== undefined && { failure }) };
}

/** Finds which statements of a policy the steps need, by leaving out each in turn. */
function statementUse(
	registry: Registry,
	authorizer: Authorizer,
	policy: "claim" | "device",
	facts: ConnectionFacts,
	steps: readonly PolicyQuestion[],
): { needed: CheckedStatement[]; redundant: CheckedStatement[]; unused: CheckedStatement[] } {
	const use = {
		needed: [] as CheckedStatement[],
		redundant: [] as CheckedStatement[],
		unused: [] as CheckedStatement[],
	};
	const principal = registry.certificates.arn(facts.certificateId);
	for (const { policyName } of registry.state.attachments.by("target", principal)) {
		const document = registry.policies.document(policyName)!;
		const parsed = JSON.parse(document) as { Statement: unknown };
		const written = Array.isArray(parsed.Statement) ? parsed.Statement : [parsed.Statement];
		const allowedWith = (statements: readonly unknown[]) => {
			// A policy cannot be empty, so a Deny of an action that does not exist stands for an empty one.
			const nothing = { Effect: "Deny", Action: "iot:Nothing", Resource: "*" };
			setDocument(
				registry,
				policyName,
				JSON.stringify({ ...parsed, Statement: statements.length > 0 ? statements : [nothing] }),
			);
			return steps.map(({ action, kind, name }) => authorizer.decide(facts, action, kind, name).allowed);
		};
		const whole = allowedWith(written);
		for (const statement of parsePolicy(document).statements) {
			const without = allowedWith(written.filter((_, index) => index !== statement.index));
			const alone = allowedWith([{ ...(written[statement.index] as object), Effect: "Allow" }]);
			const named = { policy, index: statement.index, ...sidOf(statement) };
			if (without.some((allowed, index) => whole[index] && !allowed)) use.needed.push(named);
			else if (alone.some(Boolean)) use.redundant.push(named);
			else use.unused.push(named);
		}
		setDocument(registry, policyName, document);
	}
	return use;
}

function sidOf({ sid }: Statement): { sid?: string } {
	return sid === undefined ? {} : { sid };
}

/** Puts a document in force, without the rules for versions. */
function setDocument({ state }: Registry, policyName: string, policyDocument: string): void {
	const record = state.policies.get(policyName)!;
	state.transaction(() =>
		state.policies.put(policyName, {
			...record,
			versions: record.versions.map((version) => ({ ...version, policyDocument })),
		}),
	);
}

/** Finds what a claim may do and should not: anybody who takes one device apart has the claim. */
function excessOf(
	check: Check,
	facts: ConnectionFacts,
	thingName: string,
	templateName: string,
	creation: CreationTopic,
): PolicyCheckReport["excess"] {
	const other = creation === "create" ? "create-from-csr" : "create";
	const elsewhere = templateName === "another-template" ? "yet-another-template" : "another-template";
	const probes: readonly (Omit<PolicyQuestion, "identity"> & { readonly danger: string })[] = [
		{
			action: "iot:Connect",
			kind: "client",
			name: thingName,
			danger:
				"It can take a device's client id and drop that device's connection: narrow Connect to a prefix such as client/claim-*.",
		},
		{
			action: "iot:Publish",
			kind: "topic",
			name: `devices/${thingName}/up`,
			danger: "It can send in the name of devices.",
		},
		{ action: "iot:Subscribe", kind: "topicfilter", name: "#", danger: "It can listen to everything." },
		{
			action: "iot:Subscribe",
			kind: "topicfilter",
			name: `devices/${thingName}/#`,
			danger: "It can listen to devices.",
		},
		{
			action: "iot:Receive",
			kind: "topic",
			name: `devices/${thingName}/down`,
			danger: "It can receive what is meant for devices.",
		},
		{
			action: "iot:Publish",
			kind: "topic",
			name: `$aws/things/${thingName}/shadow/update`,
			danger: "It can change device shadows.",
		},
		{
			action: "iot:Subscribe",
			kind: "topicfilter",
			name: `$aws/things/${thingName}/jobs/notify`,
			danger: "It can see the jobs of devices.",
		},
		{
			action: "iot:Subscribe",
			kind: "topicfilter",
			name: "$aws/events/#",
			danger: "It can watch the fleet's life-cycle events.",
		},
		{
			action: "iot:RetainPublish",
			kind: "topic",
			name: `devices/${thingName}/up`,
			danger: "It can leave retained messages behind.",
		},
		{
			action: "iot:Publish",
			kind: "topic",
			name: `$aws/rules/rule/${thingName}`,
			danger: "It can feed rules by Basic Ingest.",
		},
		{
			action: "iot:Publish",
			kind: "topic",
			name: `$aws/provisioning-templates/${elsewhere}/provision/json`,
			danger: `It can register with other templates than ${templateName}.`,
		},
		{
			action: "iot:Publish",
			kind: "topic",
			name: `$aws/certificates/${other}/json`,
			danger: `It can get certificates by ${other}, which this flow does not use.`,
		},
	];
	return probes.flatMap(({ danger, ...step }) => {
		if (step.kind === "client" && step.name === facts.clientId) return [];
		// Policies may depend on the client id, so a connect as somebody else is asked with that client id.
		const asked = step.kind === "client" ? { ...facts, clientId: step.name } : facts;
		const action = check(asked, { identity: "claim", ...step });
		return action.allowed ? [{ ...action, danger }] : [];
	});
}
