// What the parts of the registry share: the state, the clock, the issuer, ARNs.

import { AwsError } from "../base/errors.js";
import type { State } from "../state/state.js";

/** A certificate that a certificate authority has just signed. */
export interface IssuedCertificate {
	/** Lower-case hex SHA-256 of the DER. */
	readonly certificateId: string;
	/** Ends with a newline. */
	readonly certificatePem: string;
	/** ms since 1970. */
	readonly notBefore: number;
	/** ms since 1970. */
	readonly notAfter: number;
}

/** Makes device certificates. The registry is given one, so that tests need not generate keys. */
export interface CertificateIssuer {
	/** A certificate with a new key pair: RSA-2048, private key as PKCS#1 PEM, public as SPKI PEM. */
	createKeysAndCertificate(): Promise<
		IssuedCertificate & { readonly publicKeyPem: string; readonly privateKeyPem: string }
	>;
	/** A certificate for a request. @throws AwsError InvalidRequestException when the request is not acceptable */
	createCertificateFromCsr(certificateSigningRequest: string): Promise<IssuedCertificate>;
	/**
	 * PEM of the authority's own certificate: counts as a registered CA in RegisterCertificate. Absent until it has signed something,
	 * since its key may be made only then.
	 */
	readonly rootCertificatePem: string | undefined;
}

/**
 * Calls what stands for a Lambda function, with an event, and returns its answer as text. Rejects when there is none for this ARN, or
 * when it fails or takes too long.
 */
export type InvokeFunction = (
	functionArn: string,
	event: object,
	purpose: "authorizer" | "certificateProvider",
) => Promise<string>;

/** What each part of the registry works with. */
export interface RegistryContext {
	/** What the account holds. */
	readonly state: State;
	/** ms since 1970. */
	readonly now: () => number;
	/** Signs certificates. */
	readonly issuer: CertificateIssuer;
	/** How long a temporary claim certificate lives, ms. Read at each use. */
	readonly temporaryClaimLifetime: () => number;
	/** Calls what stands for a Lambda function. */
	readonly invoke: InvokeFunction;
	/** Shortest interval that the answer of a custom authorizer may name, ms. Read at each use. */
	readonly shortestInterval: () => number;
}

/** Kinds of resources that have ARNs. */
export type ArnKind =
	| "cert"
	| "policy"
	| "thing"
	| "thinggroup"
	| "thingtype"
	| "billinggroup"
	| "job"
	| "provisioningtemplate"
	| "authorizer"
	| "cacert"
	| "certificateprovider"
	| "rule"
	| "rolealias";

/** ARN of a resource of this account. */
export function arn(state: State, kind: ArnKind | "client" | "topic" | "topicfilter", name: string): string {
	return `arn:aws:iot:${state.account.region}:${state.account.accountId}:${kind}/${name}`;
}

/** The name in an ARN of this account; `undefined` for another kind of ARN, or for what is not an ARN. */
export function nameInArn(state: State, kind: ArnKind, value: string): string | undefined {
	const prefix = arn(state, kind, "");
	return value.startsWith(prefix) ? value.slice(prefix.length) : undefined;
}

/** The API's times: seconds since 1970, with a fraction. */
export function seconds(milliseconds: number): number {
	return milliseconds / 1000;
}

/** The row itself. @throws AwsError ResourceNotFoundException when there is none */
export function requireRow<T>(row: T | undefined, message: string): T {
	if (row === undefined) throw new AwsError("ResourceNotFoundException", message);
	return row;
}
