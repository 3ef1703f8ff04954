// Fleet provisioning without MQTT and without a clock of its own: a request's payload goes in, the reply's payload comes out.
// It never logs a token or a key. Facts: AWS IoT developer guide, "Device provisioning MQTT API" and "Provisioning templates".

import { createHash, X509Certificate } from "node:crypto";
import { AwsError } from "../base/errors.js";
import type { CloudEventBody, Metrics } from "../base/events.js";
import { type Failed, guarded, LONGEST_TIMER, messageOf } from "../base/guard.js";
import type { ProvisioningOperation, Rejection, RejectionCase, Settings } from "../base/settings.js";
import { Throttles } from "../base/throttle.js";
import type { CertificateIssuer, IssuedCertificate, Registry } from "../registry/registry.js";
import type { TemplateRecord, TokenRecord } from "../state/state.js";
import { evaluateTemplate, type Plan, parseTemplate, type Template, TemplateError } from "../template/template.js";
import { applyPlan } from "./apply.js";
import { decodeRequest, type Encoding, encodeReply, type ReplyValue } from "./codec.js";
import { askHook, type HookCaller, type HookCommands } from "./hook.js";
import { ownershipToken } from "./token.js";

/** A request as a connection received it. */
export interface ProvisioningRequest {
	/** Of the topic. */
	readonly operation: ProvisioningOperation;
	/** Of the topic; the reply has the same. */
	readonly encoding: Encoding;
	/** From the topic, for RegisterThing only. */
	readonly templateName?: string;
	/** As it came, unread. */
	readonly payload: Uint8Array;
	/** Id of the certificate that the connection proved. */
	readonly claimCertificateId: string;
	/** Of the connection. */
	readonly clientId: string;
	/** Names the connection in events, and binds a token to it where the settings say so. */
	readonly connectionId: string;
}

/** The reply: for the topic `…/accepted` or `…/rejected`. */
export interface ProvisioningReply {
	/** Whether it belongs to the topic `…/accepted`. */
	readonly accepted: boolean;
	/** In the encoding of the request. */
	readonly payload: Uint8Array;
}

/** What provisioning works with. */
export interface ProvisioningOptions {
	/** Where certificates, things and policies are made. */
	readonly registry: Registry;
	/** Signs certificates. */
	readonly issuer: CertificateIssuer;
	/** Live: read at each request. */
	readonly settings: Settings;
	/** ms since 1970. */
	readonly now: () => number;
	/** Called with each event. */
	readonly report: (event: CloudEventBody) => void;
	/** Counts what was done; without it nothing is counted. */
	readonly metrics?: Metrics;
	/** Shell commands that stand for hooks, by `targetArn`. */
	readonly hookCommands?: HookCommands;
	/** Calls hooks in place of HTTP and commands. */
	readonly callHook?: HookCaller;
	/** Calls back after some ms, for the activation delay. Default `setTimeout`. */
	readonly later?: (callback: () => void, milliseconds: number) => void;
}

/** Why a request is rejected. */
class RejectionError extends Error {
	readonly reason: RejectionCase;
	/** For the log; the device sees `message`. */
	readonly explanation: string | undefined;

	constructor(reason: RejectionCase, message: string, explanation?: string) {
		super(message);
		this.reason = reason;
		this.explanation = explanation;
	}
}

interface Outcome {
	readonly members: readonly (readonly [string, ReplyValue])[];
	readonly certificateId: string;
	readonly thingName?: string;
}

/** Least time between two sweeps, ms. */
const SWEEP_INTERVAL = 10_000;
/** How long a temporary claim that has ended stays, ms, so that its open connections can go on. */
const TEMPORARY_CLAIM_GRACE = 3_600_000;

/** The three provisioning operations. */
export class Provisioning {
	readonly #options: ProvisioningOptions;
	#throttles: Throttles;
	/** Aborted when the hooks in flight must end. */
	#hooks = new AbortController();
	/** Parsed templates by body. */
	readonly #templates = new Map<string, Template>();
	#swept = Number.NEGATIVE_INFINITY;

	constructor(options: ProvisioningOptions) {
		this.#options = options;
		this.#throttles = new Throttles(options.now);
	}

	/** Ends the hooks in flight, whose requests are then rejected. */
	close(): void {
		this.#hooks.abort();
	}

	/** Ends the hooks in flight, and forgets how often anything was called. */
	reset(): void {
		this.close();
		this.#hooks = new AbortController();
		this.#throttles = new Throttles(this.#options.now);
	}

	/** Handles a request. Never rejects: whatever goes wrong is a rejected reply. */
	async handle(request: ProvisioningRequest): Promise<ProvisioningReply> {
		const { settings, now } = this.#options;
		try {
			if (now() - this.#swept >= SWEEP_INTERVAL) this.sweep();
			const outcome = await this.#carryOut(request);
			this.#reportSuccess(request, outcome);
			return { accepted: true, payload: encodeReply(request.encoding, outcome.members, settings) };
		} catch (error) {
			const rejection =
				error instanceof RejectionError ? error : new RejectionError("internal", "Internal failure", messageOf(error));
			return this.#reject(request, rejection);
		}
	}

	/** Rejects a request without reading it, because there are too many. */
	throttle(request: ProvisioningRequest, explanation: string): ProvisioningReply {
		return this.#reject(request, new RejectionError("throttled", "Rate exceeded", explanation));
	}

	/** A rejected reply for a fault, to a request that is not looked at. */
	rejected(encoding: Encoding, rejection: Rejection = this.#options.settings.errors.internal): ProvisioningReply {
		return {
			accepted: false,
			payload: encodeReply(encoding, rejectionMembers(rejection, "Internal failure"), this.#options.settings),
		};
	}

	/** Reports an error in work that nobody waits for. */
	readonly #failed: Failed = (where, error) =>
		this.#options.report({ event: "warning", message: `Provisioning failed in ${where}: ${messageOf(error)}` });

	/**
	 * Deletes tokens that have expired, with their certificates when those are unused, and temporary claims that have ended.
	 * Never throws: what fails is tried again the next time.
	 */
	readonly sweep = guarded("the sweep", this.#failed, () => this.#sweep());

	#sweep(): void {
		const { registry, now, report } = this.#options;
		this.#swept = now();
		for (const token of [...registry.state.tokens.values()]) {
			if (token.activation && token.activation.at <= now()) this.#activate(token.hash);
			if (token.activation || token.deadline > now()) continue;
			const { certificateId } = token;
			const unused = this.#isUnused(certificateId);
			registry.state.transaction(() => {
				registry.state.tokens.delete(token.hash);
				if (unused) registry.certificates.remove(certificateId);
			});
			if (unused) report({ event: "certificate.expired", certificateId, reason: "token" });
		}
		for (const { certificateId, temporaryClaim } of registry.state.certificates.by("temporaryClaim", "yes")) {
			// A connection with it may go on, unless the setting says that it is dropped.
			const grace = this.#options.settings.temporaryClaim.dropAtEnd ? 0 : TEMPORARY_CLAIM_GRACE;
			if (temporaryClaim!.expiration + grace > now()) continue;
			registry.certificates.remove(certificateId);
			report({ event: "certificate.expired", certificateId, reason: "temporaryClaim" });
		}
	}

	#carryOut(request: ProvisioningRequest): Promise<Outcome> {
		const { settings } = this.#options;
		if (!this.#throttles.take(request.operation, settings.throttle[request.operation])) {
			throw new RejectionError("throttled", "Rate exceeded", `More than throttle.${request.operation} allows.`);
		}
		switch (request.operation) {
			case "CreateKeysAndCertificate":
				return this.#createKeys(request);
			case "CreateCertificateFromCsr":
				return this.#createFromCsr(request);
			case "RegisterThing":
				return this.#register(request);
		}
	}

	async #createKeys(request: ProvisioningRequest): Promise<Outcome> {
		if (this.#options.settings.certificate.nonObjectPayload === "reject") this.#readMembers(request);
		this.#requireLivingClaim(request);
		this.#requireRoom();
		const issued = await this.#options.issuer.createKeysAndCertificate();
		const token = this.#addPending(request, issued);
		return {
			certificateId: issued.certificateId,
			members: [
				["certificateId", issued.certificateId],
				["certificatePem", issued.certificatePem],
				["privateKey", issued.privateKeyPem],
				["certificateOwnershipToken", token],
			],
		};
	}

	async #createFromCsr(request: ProvisioningRequest): Promise<Outcome> {
		const csr = this.#readMembers(request).get("certificateSigningRequest");
		if (typeof csr !== "string" || csr === "") {
			throw new RejectionError("invalidCsr", "Certificate signing request cannot be empty.");
		}
		this.#requireLivingClaim(request);
		this.#requireRoom();
		let issued: IssuedCertificate;
		try {
			issued = await this.#options.issuer.createCertificateFromCsr(csr);
		} catch (error) {
			if (error instanceof AwsError) throw new RejectionError("invalidCsr", error.message);
			throw error;
		}
		if (this.#options.registry.certificateProviders.signs) issued = await this.#signElsewhere(request, csr, issued);
		const token = this.#addPending(request, issued);
		return {
			certificateId: issued.certificateId,
			members: [
				["certificateOwnershipToken", token],
				["certificateId", issued.certificateId],
				["certificatePem", issued.certificatePem],
			],
		};
	}

	/** Has the certificate provider sign. `own` is the cloud's certificate for the same request, for the key in it. */
	async #signElsewhere(
		{ claimCertificateId, clientId }: ProvisioningRequest,
		certificateSigningRequest: string,
		own: IssuedCertificate,
	): Promise<IssuedCertificate> {
		const refuse = (explanation: string) =>
			new RejectionError("internal", "Internal failure", `The certificate provider failed: ${explanation}.`);
		const { registry } = this.#options;
		const issued = await registry.certificateProviders
			.sign({ certificateSigningRequest, principalId: claimCertificateId, clientId })
			.catch((error: unknown) => {
				throw refuse(messageOf(error));
			});
		const [theirs, ours] = [issued, own].map(({ certificatePem }) =>
			new X509Certificate(certificatePem).publicKey.export({ type: "spki", format: "pem" }),
		);
		if (theirs !== ours) throw refuse("its certificate is not for the key of the request");
		if (registry.certificates.get(issued.certificateId)) throw refuse("it has given this certificate before");
		return issued;
	}

	async #register(request: ProvisioningRequest): Promise<Outcome> {
		const { registry, settings } = this.#options;
		const members = this.#readMembers(request);
		const template = this.#requireTemplate(request);
		const token = this.#requireToken(request, members.get("certificateOwnershipToken"));
		const { certificateId } = token;
		const { singleUse } = settings.token;
		if (singleUse === "attempt") this.#consumeToken(token);
		const sent = this.#readParameters(members.get("parameters"));
		const overrides = await this.#askHook(request, template, certificateId, sent);
		// The hook may have taken seconds, in which the template, the token or the certificate may have gone.
		this.#requireToken(request, members.get("certificateOwnershipToken"), singleUse === "attempt");
		const current = this.#requireTemplate(request);
		const body = registry.templates.body(current.templateName)!;
		const parsed = this.#parseTemplate(body);
		if (settings.template.undeclaredParameters === "reject") {
			const stranger = [...sent.keys()].find((name) => !parsed.parameters.has(name));
			if (stranger !== undefined) {
				throw new RejectionError("invalidParameters", `The template does not declare the parameter ${stranger}.`);
			}
		}
		const parameters = new Map([...sent, ...overrides]);
		try {
			const plan = evaluateTemplate(parsed, { parameters, certificateId });
			if (plan.certificate && plan.certificate.certificateId !== certificateId) {
				throw new TemplateError("CertificateId must be that of the certificate of the ownership token.");
			}
			const delay = settings.certificate.activationDelay;
			registry.state.transaction(() => {
				applyPlan(registry, plan, plan.certificate && certificateId, settings.template.overrideDefault);
				if (singleUse !== "never") this.#consumeToken(token, plan.certificate !== undefined);
				if (plan.certificate && delay > 0) this.#activateLater(token, plan.certificate.status, delay);
			});
			this.#warnOfGaps(request, plan);
			return {
				certificateId,
				...(plan.thing && { thingName: plan.thing.thingName }),
				members: [
					["deviceConfiguration", new Map(Object.entries(plan.deviceConfiguration))],
					...(plan.thing ? ([["thingName", plan.thing.thingName]] as const) : []),
				],
			};
		} catch (error) {
			if (error instanceof TemplateError) throw new RejectionError("invalidParameters", error.message);
			if (error instanceof AwsError) {
				throw new RejectionError(
					error.name === "ResourceConflictsException" ? "conflict" : "invalidParameters",
					error.message,
				);
			}
			throw error;
		}
	}

	/** The members of a request. @throws RejectionError when the payload is not an object in its encoding */
	#readMembers(request: ProvisioningRequest): ReadonlyMap<unknown, unknown> {
		let value: unknown;
		try {
			value = decodeRequest(request.encoding, request.payload);
		} catch {
			throw new RejectionError("invalidPayload", `The payload is not ${request.encoding.toUpperCase()}.`);
		}
		if (!(value instanceof Map)) throw new RejectionError("invalidPayload", "The payload must be an object.");
		return value;
	}

	#requireTemplate(request: ProvisioningRequest): TemplateRecord {
		const { registry, settings } = this.#options;
		const { templateName = "" } = request;
		const template = registry.templates.get(templateName);
		if (template?.type !== "FLEET_PROVISIONING") {
			throw new RejectionError(
				"unknownTemplate",
				"The provisioning template does not exist.",
				`There is no fleet provisioning template ${templateName}: create it, or correct the topic.`,
			);
		}
		const claim = this.#options.registry.certificates.get(request.claimCertificateId)?.temporaryClaim;
		if (claim && settings.temporaryClaim.oneTemplate && claim.templateName !== templateName) {
			throw new RejectionError(
				"denied",
				"Access denied.",
				`The temporary claim is for the template ${claim.templateName}, not ${templateName}.`,
			);
		}
		if (!template.enabled) {
			throw new RejectionError(
				"denied",
				"Access denied.",
				`The template ${templateName} is disabled: UpdateProvisioningTemplate with enabled true enables it.`,
			);
		}
		if (settings.template.roleBroken) {
			throw new RejectionError(
				"denied",
				"Access denied.",
				"The setting template.roleBroken says that the role cannot be used.",
			);
		}
		return template;
	}

	/** The record of a valid token. `used`: this very request has used it up already. @throws RejectionError */
	#requireToken(request: ProvisioningRequest, value: unknown, used = false): TokenRecord {
		const { registry, settings, now } = this.#options;
		if (value === undefined || value === "") {
			throw new RejectionError("invalidToken", "Certificate ownership token cannot be empty.");
		}
		const refuse = (explanation: string) =>
			new RejectionError("invalidToken", "Certificate ownership token is invalid.", explanation);
		const token = typeof value === "string" ? registry.state.tokens.get(hash(value)) : undefined;
		const certificate = token && registry.certificates.get(token.certificateId);
		if (!certificate || (token.used && !used)) {
			throw refuse("The token is unknown, used up, or expired long ago: create another certificate.");
		}
		if (certificate.status === "REVOKED" || certificate.status === "INACTIVE") {
			throw refuse(`The token's certificate is ${certificate.status}: create another one.`);
		}
		if (token.deadline <= now()) throw refuse("The token has expired: create another certificate.");
		const { boundTo } = settings.token;
		if (boundTo.includes("claimCertificate") && token.claimCertificateId !== request.claimCertificateId) {
			throw refuse("The token was given to another claim certificate (setting token.boundTo).");
		}
		if (boundTo.includes("clientId") && token.clientId !== request.clientId) {
			throw refuse("The token was given to another client id (setting token.boundTo).");
		}
		if (boundTo.includes("connection") && token.connectionId !== request.connectionId) {
			throw refuse("The token was given to another connection (setting token.boundTo).");
		}
		return token;
	}

	#readParameters(value: unknown): ReadonlyMap<string, string> {
		if (value === undefined || value === null) return new Map();
		if (!(value instanceof Map)) throw new RejectionError("invalidParameters", "Parameters must be a map.");
		const parameters = new Map<string, string>();
		for (const [name, content] of value as Map<unknown, unknown>) {
			const scalar = typeof content === "number" || typeof content === "boolean";
			const stringify = scalar && this.#options.settings.template.nonTextParameters === "stringify";
			if (typeof name !== "string" || (typeof content !== "string" && !stringify)) {
				throw new RejectionError("invalidParameters", "Parameters must be text.");
			}
			parameters.set(name, String(content));
		}
		return parameters;
	}

	async #askHook(
		request: ProvisioningRequest,
		{ preProvisioningHook: hook, templateName }: TemplateRecord,
		certificateId: string,
		parameters: ReadonlyMap<string, string>,
	): Promise<ReadonlyMap<string, string>> {
		const { registry, settings, callHook, hookCommands } = this.#options;
		if (!hook) return new Map();
		const answer = await askHook(
			hook,
			hookCommands ?? {},
			{
				claimCertificateId: request.claimCertificateId,
				certificateId,
				certificatePem: registry.certificates.get(certificateId)!.certificatePem,
				templateArn: registry.templates.arn(templateName),
				clientId: request.clientId,
				parameters: Object.fromEntries(parameters),
			},
			settings.hook,
			callHook,
			this.#hooks.signal,
		);
		if (!answer.allowed) throw new RejectionError("denied", "Access denied.", answer.explanation);
		return answer.overrides;
	}

	#requireLivingClaim(request: ProvisioningRequest): void {
		const claim = this.#options.registry.certificates.get(request.claimCertificateId)?.temporaryClaim;
		if (claim && claim.expiration <= this.#options.now()) {
			throw new RejectionError("denied", "Access denied.", "The temporary claim has ended: get another one.");
		}
	}

	/** Bounds the certificates that wait for their RegisterThing, since each takes memory for an hour. @throws RejectionError */
	#requireRoom(): void {
		const { registry, settings } = this.#options;
		if (registry.state.tokens.size < settings.limits.pendingCertificates) return;
		throw new RejectionError(
			"throttled",
			"Rate exceeded",
			"More certificates are pending than limits.pendingCertificates.",
		);
	}

	/** Adds an issued certificate to the account, and returns its ownership token. */
	#addPending(request: ProvisioningRequest, issued: IssuedCertificate): string {
		const { registry, settings, now } = this.#options;
		const token = ownershipToken(settings.token.length);
		registry.state.transaction(() => {
			registry.certificates.add(issued, "PENDING_ACTIVATION");
			registry.state.tokens.put(hash(token), {
				hash: hash(token),
				certificateId: issued.certificateId,
				deadline: now() + settings.token.lifetime,
				claimCertificateId: request.claimCertificateId,
				clientId: request.clientId,
				connectionId: request.connectionId,
			});
		});
		return token;
	}

	/** Uses a token up. Unless its certificate is registered, it stays until its deadline, when an unused certificate is deleted. */
	#consumeToken(token: TokenRecord, registered = false): void {
		const { state } = this.#options.registry;
		state.transaction(() => {
			if (registered) state.tokens.delete(token.hash);
			else state.tokens.put(token.hash, { ...token, used: true });
		});
	}

	/** Whether a certificate has neither been activated nor attached to anything. */
	#isUnused(certificateId: string): boolean {
		const { registry } = this.#options;
		const principal = registry.certificates.arn(certificateId);
		return (
			registry.certificates.get(certificateId)?.status === "PENDING_ACTIVATION" &&
			registry.state.attachments.by("target", principal).length === 0 &&
			registry.thingPrincipals.attachedTo(principal).length === 0
		);
	}

	/** Activates a certificate after a delay. Stored with the token, so that it still happens when the cloud ends in between. */
	#activateLater({ hash, ...token }: TokenRecord, status: "ACTIVE" | "INACTIVE", delay: number): void {
		const {
			registry,
			now,
			later = (callback, milliseconds) => void setTimeout(callback, milliseconds).unref(),
		} = this.#options;
		const used = this.#options.settings.token.singleUse !== "never";
		const activation = { at: now() + delay, status };
		registry.certificates.setStatus(token.certificateId, "PENDING_ACTIVATION");
		registry.state.tokens.put(hash, { ...token, hash, ...(used && { used }), activation });
		const activate = guarded("the activation of a certificate", this.#failed, () => this.#activate(hash));
		// `sweep` does what is later than a timer can wait.
		if (delay <= LONGEST_TIMER) later(activate, delay);
	}

	#activate(hash: string): void {
		const { registry } = this.#options;
		const kept = registry.state.tokens.get(hash);
		if (!kept?.activation) return;
		const { activation, ...token } = kept;
		registry.state.transaction(() => {
			if (registry.certificates.get(token.certificateId)?.status === "PENDING_ACTIVATION") {
				registry.certificates.setStatus(token.certificateId, activation.status);
			}
			if (token.used) registry.state.tokens.delete(hash);
			else registry.state.tokens.put(hash, token);
		});
	}

	#parseTemplate(body: string): Template {
		const kept = this.#templates.get(body);
		if (kept) return kept;
		const parsed = parseTemplate(body);
		if (this.#templates.size >= 100) this.#templates.clear();
		this.#templates.set(body, parsed);
		return parsed;
	}

	#reportSuccess(request: ProvisioningRequest, { certificateId, thingName }: Outcome): void {
		const { report, metrics } = this.#options;
		report({
			...this.#event(request),
			status: "Success",
			certificateId,
			...(thingName !== undefined && { thingName }),
		});
		if (thingName !== undefined) metrics?.count("ApproximateNumberOfThingsRegistered", this.#dimensions(request));
	}

	#reject(request: ProvisioningRequest, error: RejectionError): ProvisioningReply {
		const { settings, report, metrics } = this.#options;
		const rejection = settings.errors[error.reason];
		const { statusCode, errorCode } = rejection;
		report({
			...this.#event(request),
			status: "Failure",
			statusCode,
			errorCode,
			explanation: error.explanation ?? error.message,
		});
		metrics?.count(`${request.operation}Failed`, this.#dimensions(request));
		return {
			accepted: false,
			payload: encodeReply(request.encoding, rejectionMembers(rejection, error.message), settings),
		};
	}

	#event(request: ProvisioningRequest) {
		return {
			event: "provisioning",
			eventType: request.operation === "RegisterThing" ? "ProvisionDevice" : "GetDeviceCredentials",
			operation: request.operation,
			principal: request.claimCertificateId,
			clientId: request.clientId,
			...(request.templateName !== undefined && { templateName: request.templateName }),
		} as const;
	}

	#dimensions(request: ProvisioningRequest) {
		return {
			ClaimCertificateId: request.claimCertificateId,
			...(request.templateName !== undefined && { TemplateName: request.templateName }),
		};
	}

	#warnOfGaps(request: ProvisioningRequest, { thing, certificate }: Plan): void {
		const { report } = this.#options;
		if (!thing)
			report({
				event: "warning",
				message: `The template ${request.templateName} has no thing: the reply has no thingName.`,
			});
		if (thing?.packageVersions) {
			report({
				event: "warning",
				message: `PackageVersions of the template ${request.templateName} are not kept: there is no package catalogue here.`,
			});
		}
		if (!certificate) {
			report({
				event: "warning",
				message: `The template ${request.templateName} has no certificate: it stays PENDING_ACTIVATION.`,
			});
		}
	}
}

function rejectionMembers({ statusCode, errorCode, errorMessage }: Rejection, message: string) {
	return [
		["statusCode", statusCode],
		["errorCode", errorCode],
		["errorMessage", errorMessage ?? message],
	] as const;
}

function hash(token: string): string {
	return createHash("sha256").update(token).digest("hex");
}
