// The one place that enforces AWS IoT's rules: what may exist, what depends on what, and which error a broken rule gives.
// Knows no MQTT and no HTTP. Every operation is all or nothing.

import { AwsError } from "../base/errors.js";
import type { State } from "../state/state.js";
import { Authorizers } from "./authorizers.js";
import { BillingGroups } from "./billing-groups.js";
import { CaCertificates } from "./ca-certificates.js";
import { CertificateProviders } from "./certificate-providers.js";
import { Certificates } from "./certificates.js";
import { Configurations } from "./configurations.js";
import { arn, type CertificateIssuer, type InvokeFunction, type RegistryContext } from "./context.js";
import { Policies } from "./policies.js";
import { RoleAliases } from "./role-aliases.js";
import { Roles } from "./roles.js";
import { Tags } from "./tags.js";
import { Templates } from "./templates.js";
import { ThingGroups } from "./thing-groups.js";
import { ThingPrincipals } from "./thing-principals.js";
import { ThingTypes } from "./thing-types.js";
import { Things } from "./things.js";
import { TopicRules } from "./topic-rules.js";

export type { CertificateIssuer, IssuedCertificate } from "./context.js";

const noFunctions: InvokeFunction = async (functionArn) => {
	throw new Error(`nothing stands for ${functionArn}`);
};

/** What a registry works with. */
export interface RegistryOptions {
	/** What the account holds. */
	readonly state: State;
	/** Signs certificates. */
	readonly issuer: CertificateIssuer;
	/** ms since 1970. Default `Date.now`. */
	readonly now?: () => number;
	/** Life of a temporary claim certificate in ms; read at each use. Default five minutes. */
	readonly temporaryClaimLifetime?: () => number;
	/** Calls what stands for Lambda functions. Default: there are none. */
	readonly invoke?: InvokeFunction;
	/** Shortest interval that the answer of a custom authorizer may name, ms; read at each use. Default five minutes. */
	readonly shortestInterval?: () => number;
}

/**
 * The account's resources.
 *
 * Every operation of the control plane is a method named after it, on the part it belongs to: it takes the members of the
 * AWS request in one object (path, query, header and body members alike; `principal` for the x-amzn-principal header) and
 * returns the members of the AWS response, times as seconds since 1970. It throws `AwsError`, whose `name` is the error
 * type and whose `status` the HTTP status. Those that sign certificates are async.
 */
export class Registry {
	/** What the account holds, as tables. */
	readonly state: State;
	/** Operations on certificates, such as `describeCertificate`. */
	readonly certificates: Certificates;
	/** Operations on policies, such as `createPolicy` and `attachPolicy`. */
	readonly policies: Policies;
	/** Operations on things, such as `describeThing`. */
	readonly things: Things;
	/** Operations that tie certificates to things, such as `listThingPrincipals`. */
	readonly thingPrincipals: ThingPrincipals;
	/** Operations on thing groups, such as `addThingToThingGroup`. */
	readonly thingGroups: ThingGroups;
	/** Operations on thing types, such as `createThingType`. */
	readonly thingTypes: ThingTypes;
	/** Operations on billing groups, such as `addThingToBillingGroup`. */
	readonly billingGroups: BillingGroups;
	/** Operations on provisioning templates, such as `createProvisioningTemplate`. */
	readonly templates: Templates;
	/** Operations on CA certificates, such as `registerCACertificate`. */
	readonly caCertificates: CaCertificates;
	/** Operations on certificate providers, such as `createCertificateProvider`. */
	readonly certificateProviders: CertificateProviders;
	/** Operations on custom authorizers, such as `createAuthorizer`. */
	readonly authorizers: Authorizers;
	/** Operations on tags, such as `tagResource`. */
	readonly tags: Tags;
	/** Roles of IAM: kept, but nobody assumes them. */
	readonly roles: Roles;
	/** Operations on topic rules, which are kept, but not carried out. */
	readonly topicRules: TopicRules;
	/** Operations on role aliases, which are kept, but not used. */
	readonly roleAliases: RoleAliases;
	/** Operations on configurations of the whole account, which are kept, but have no effect. */
	readonly configurations: Configurations;

	constructor(options: RegistryOptions) {
		const context: RegistryContext = {
			state: options.state,
			issuer: options.issuer,
			now: options.now ?? Date.now,
			temporaryClaimLifetime: options.temporaryClaimLifetime ?? (() => 300_000),
			invoke: options.invoke ?? noFunctions,
			shortestInterval: options.shortestInterval ?? (() => 300_000),
		};
		this.state = options.state;
		this.tags = new Tags(context);
		this.certificates = new Certificates(context);
		this.policies = new Policies(context, this.tags);
		this.thingTypes = new ThingTypes(context, this.tags);
		this.billingGroups = new BillingGroups(context, this.tags);
		this.things = new Things(context, this.thingTypes, this.billingGroups);
		this.thingPrincipals = new ThingPrincipals(context, this.certificates, this.things);
		this.thingGroups = new ThingGroups(context, this.things, this.tags);
		this.templates = new Templates(context, this.tags);
		this.caCertificates = new CaCertificates(context, this.tags, this.templates, this.certificates);
		this.certificates.findIssuer = (certificate) => this.caCertificates.issuerOf(certificate);
		this.certificateProviders = new CertificateProviders(context, this.tags);
		this.authorizers = new Authorizers(context, this.tags);
		this.roles = new Roles(context);
		this.topicRules = new TopicRules(context, this.tags);
		this.roleAliases = new RoleAliases(context, this.tags);
		this.configurations = new Configurations(context);
	}

	/** ARN of a resource, a client, a topic or a topic filter of this account. */
	arn(kind: Parameters<typeof arn>[1], name: string): string {
		return arn(this.state, kind, name);
	}

	/** Host name of the data endpoint as AWS forms it: `{prefix}-ats.iot.{region}.amazonaws.com`. */
	get endpointAddress(): string {
		const { endpointPrefix, region } = this.state.account;
		return `${endpointPrefix}-ats.iot.${region}.amazonaws.com`;
	}

	/**
	 * The address of an endpoint, whose type may be in any case. The retired `iot:Data` and `iot:Jobs` are refused, as AWS does
	 * (seen in September 2026). What AWS does without a type is not known; here that means `iot:Data-ATS`.
	 */
	describeEndpoint(request: { endpointType?: string } = {}): { endpointAddress: string } {
		const { endpointPrefix, region } = this.state.account;
		const { endpointType = "iot:Data-ATS" } = request;
		switch (endpointType.toLowerCase()) {
			case "iot:data-ats":
				return { endpointAddress: this.endpointAddress };
			case "iot:credentialprovider":
				return { endpointAddress: `c${endpointPrefix.slice(1)}.credentials.iot.${region}.amazonaws.com` };
			case "iot:data":
			case "iot:jobs":
				throw new AwsError("InvalidRequestException", `Endpoint type ${endpointType} is retired: use iot:Data-ATS`);
			default:
				throw new AwsError("InvalidRequestException", `Endpoint type ${endpointType} is not supported`);
		}
	}
}
