// One visit to the provisioning API under the claim: one SUBSCRIBE with all four reply filters, then the calls, one at a
// time, each answered by a message on its topic. Three round trips for a whole provisioning.

import { asFailure, Failure, type FailureCode, type Rejection } from "../base/failure.js";
import type { DeviceEvent, Operation } from "../contract/events.js";
import type { Host, KeyPair, TimerId } from "../contract/host.js";
import type { Connection } from "../mqtt/connection.js";
import {
	encodeCreateFromCsr,
	encodeCreateKeys,
	encodeRegisterThing,
	type IssuedCertificate,
	type Registration,
	readIssuedCertificate,
	readRegistration,
	readRejection,
} from "./messages.js";
import { type Format, replyTopics, requestTopic } from "./topics.js";

/** ms to wait for a reply. A pre-provisioning hook alone may take five seconds. */
const REPLY_LIMIT = 20_000;

/** The request that is under way. */
interface Pending {
	readonly operation: Operation;
	readonly accepted: string;
	readonly rejected: string;
	readonly timer: TimerId;
	resolve(payload: Uint8Array): void;
	reject(failure: Failure): void;
}

/** The failures of an operation by what happened. */
const CODES = Object.freeze({
	create: Object.freeze({ timeout: "CREATE_TIMEOUT", hungUp: "CREATE_HUNG_UP" }),
	register: Object.freeze({ timeout: "REGISTER_TIMEOUT", hungUp: "REGISTER_HUNG_UP" }),
} as const satisfies Record<string, Record<string, FailureCode>>);

/** A connection that may call the provisioning API. */
export class Exchange {
	readonly #host: Host;
	readonly #connection: Connection;
	readonly #format: Format;
	readonly #template: string;
	#pending: Pending | undefined;

	/** Takes the connection over: its `onMessage` and `onEnd`. */
	constructor(host: Host, connection: Connection) {
		this.#host = host;
		this.#connection = connection;
		this.#format = host.configuration.format ?? "cbor";
		this.#template = host.configuration.template;
		connection.onMessage = (topic, payload) => this.#receive(topic, payload);
		connection.onEnd = (failure) => {
			this.#report({ event: "disconnected", role: "claim", code: failure.code });
			const codes = this.#pending && codesOf(this.#pending.operation);
			this.#settle()?.reject(
				codes !== undefined && failure.code === "CONNECTION_LOST" ? new Failure(codes.hungUp, failure.detail) : failure,
			);
		};
	}

	/** Subscribes to the replies: to be awaited before anything is asked. @throws Failure of step `subscribe` */
	async subscribe(): Promise<void> {
		const filters = [
			...replyTopics(
				this.#topic(
					this.#host.configuration.keyPair === "csr" ? "CreateCertificateFromCsr" : "CreateKeysAndCertificate",
				),
			),
			...replyTopics(this.#topic("RegisterThing")),
		];
		try {
			await this.#connection.subscribe(filters);
		} catch (error) {
			this.#settle()?.reject(asFailure(error));
			throw error;
		}
		this.#report({ event: "subscribed", filters: filters.length });
	}

	/** Asks for a certificate: with a key pair of the service's making, or for `keyPair`. @throws Failure of step `create` */
	async createCertificate(keyPair?: KeyPair): Promise<IssuedCertificate> {
		const format = this.#format;
		if (keyPair === undefined) {
			const payload = await this.#request("CreateKeysAndCertificate", encodeCreateKeys());
			return readIssuedCertificate(format, payload);
		}
		const request = encodeCreateFromCsr(format, keyPair.certificateSigningRequest);
		const payload = await this.#request("CreateCertificateFromCsr", request);
		return readIssuedCertificate(format, payload, keyPair.key);
	}

	/** Registers the thing that owns `ownershipToken`. @throws Failure of step `register` */
	async registerThing(ownershipToken: string, parameters: Readonly<Record<string, string>>): Promise<Registration> {
		const request = encodeRegisterThing(this.#format, ownershipToken, parameters);
		return readRegistration(this.#format, await this.#request("RegisterThing", request));
	}

	get ended(): boolean {
		return this.#connection.ended;
	}

	/** Hangs up. */
	close(): void {
		if (this.#connection.ended) return;
		this.#connection.close();
		this.#report({ event: "disconnected", role: "claim" });
	}

	#topic(operation: Operation): string {
		return requestTopic(operation, this.#template, this.#format);
	}

	#request(operation: Operation, payload: Uint8Array): Promise<Uint8Array> {
		const topic = this.#topic(operation);
		const [accepted, rejected] = replyTopics(topic);
		this.#report({ event: "request", operation, topic, bytes: payload.length });
		return new Promise((resolve, reject) => {
			const timer = this.#host.timer.set(
				() => this.#settle()?.reject(new Failure(codesOf(operation).timeout)),
				REPLY_LIMIT,
			);
			this.#pending = { operation, accepted, rejected, timer, resolve, reject };
			// The reply is what counts: its PUBACK may come later or never (seen by Greengrass's developers). What is wrong
			// with the connection is told by onEnd. Not at once, since this is deep in the stack.
			Promise.resolve()
				.then(() => this.#connection.publish(topic, payload))
				.catch((error) => this.#settle()?.reject(error));
		});
	}

	#receive(topic: string, payload: Uint8Array): void {
		const pending = this.#pending;
		// Late and doubled replies belong to no request any more.
		if (pending === undefined || (topic !== pending.accepted && topic !== pending.rejected)) return;
		const accepted = topic === pending.accepted;
		const { operation } = pending;
		this.#settle();
		this.#report({ event: "reply", operation, topic, bytes: payload.length, accepted });
		if (accepted) pending.resolve(payload);
		else {
			const rejection = readRejection(this.#format, payload);
			pending.reject(new Failure(rejectionCode(operation, rejection), undefined, rejection));
		}
	}

	#settle(): Pending | undefined {
		const pending = this.#pending;
		if (pending !== undefined) this.#host.timer.clear(pending.timer);
		this.#pending = undefined;
		return pending;
	}

	#report(event: DeviceEvent): void {
		this.#host.report(event);
	}
}

const codesOf = (operation: Operation) => (operation === "RegisterThing" ? CODES.register : CODES.create);

/**
 * By status code, since AWS documents no errorCode; the one that has been seen, for a token, is the exception
 * (aws-iot-device-sdk-js-v2 issue 69).
 */
function rejectionCode(operation: Operation, { statusCode, errorCode }: Rejection): FailureCode {
	if (operation === "RegisterThing") {
		if (errorCode === "InvalidCertificateOwnershipToken") return "TOKEN_REFUSED";
		if (statusCode === 404) return "TEMPLATE_UNKNOWN";
		if (statusCode === 409) return "RESOURCE_CONFLICT";
		if (statusCode === 429) return "REGISTER_THROTTLED";
		if (statusCode === 401 || statusCode === 403) return "REGISTER_DENIED";
		if (statusCode >= 500) return "REGISTER_FAULT";
		return statusCode >= 400 ? "REGISTER_INVALID" : "REGISTER_REPLY_MALFORMED";
	}
	if (statusCode === 429) return "CREATE_THROTTLED";
	if (statusCode === 401 || statusCode === 403) return "CREATE_DENIED";
	if (statusCode >= 500) return "CREATE_FAULT";
	return statusCode >= 400 ? "CREATE_INVALID" : "CREATE_REPLY_MALFORMED";
}
