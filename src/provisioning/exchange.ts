// Calls the provisioning API on one connection that uses the claim: one SUBSCRIBE with all four reply filters, then the requests,
// one at a time, each answered by a message on its reply topics. A whole provisioning takes three round trips.

import { asFailure, Failure, type FailureCode, type Rejection } from "../base/failure.js";
import type { DeviceEvent, Operation } from "../contract/events.js";
import type { Host, TimerId } from "../contract/host.js";
import type { Connection } from "../mqtt/connection.js";
import {
	encodeCreateFromCsr,
	encodeCreateKeys,
	encodeRegisterThing,
	type IssuedCertificate,
	type OwnKey,
	type Registration,
	readIssuedCertificate,
	readRegistration,
	readRejection,
} from "./messages.js";
import { type Encoding, replyTopics, requestTopic } from "./topics.js";

/** Longest wait for a reply, ms. A pre-provisioning hook alone may take five seconds. */
const REPLY_LIMIT = 20_000;

/** The request that waits for its reply. */
interface Pending {
	readonly operation: Operation;
	readonly accepted: string;
	readonly rejected: string;
	readonly timer: TimerId;
	resolve(payload: Uint8Array): void;
	reject(failure: Failure): void;
}

/** A connection that may call the provisioning API. */
export class Exchange {
	readonly #host: Host;
	readonly #connection: Connection;
	readonly #encoding: Encoding;
	readonly #template: string;
	#pending: Pending | undefined;

	/** Takes over `onMessage` and `onEnd` of the connection. */
	constructor(host: Host, connection: Connection) {
		this.#host = host;
		this.#connection = connection;
		this.#encoding = host.configuration.encoding ?? "cbor";
		this.#template = host.configuration.template;
		connection.onMessage = (topic, payload) => this.#receive(topic, payload);
		connection.onEnd = (failure) => {
			this.#report({ event: "disconnected", role: "claim", code: failure.code });
			const pending = this.#settle();
			if (pending === undefined) return;
			const hungUp = failure.code === "CONNECTION_LOST";
			pending.reject(hungUp ? new Failure(`${stepOf(pending.operation)}_HUNG_UP`, failure.detail) : failure);
		};
	}

	/** Subscribes to the replies. Unless requests are pipelined, await this before any request. @throws Failure of step `subscribe` */
	async subscribe(): Promise<void> {
		const create = makesOwnKey(this.#host) ? "CreateCertificateFromCsr" : "CreateKeysAndCertificate";
		const filters = [...replyTopics(this.#topic(create)), ...replyTopics(this.#topic("RegisterThing"))];
		try {
			await this.#connection.subscribe(filters);
		} catch (error) {
			this.#settle()?.reject(asFailure(error));
			throw error;
		}
		this.#report({ event: "subscribed", filters: filters.length });
	}

	/** Asks for a certificate. Without a key of this device's own the service makes the key pair. @throws Failure of step `create` */
	async createCertificate(own?: OwnKey): Promise<IssuedCertificate> {
		const encoding = this.#encoding;
		if (own === undefined) {
			const payload = await this.#request("CreateKeysAndCertificate", encodeCreateKeys());
			return readIssuedCertificate(encoding, payload, undefined, this.#host.ecdsa);
		}
		const request = encodeCreateFromCsr(encoding, own.certificateSigningRequest);
		const payload = await this.#request("CreateCertificateFromCsr", request);
		return readIssuedCertificate(encoding, payload, own.key);
	}

	/** Registers the thing that owns `ownershipToken`. @throws Failure of step `register` */
	async registerThing(ownershipToken: string, parameters: Readonly<Record<string, string>>): Promise<Registration> {
		const request = encodeRegisterThing(this.#encoding, ownershipToken, parameters);
		return readRegistration(this.#encoding, await this.#request("RegisterThing", request));
	}

	get ended(): boolean {
		return this.#connection.ended;
	}

	/** Closes the connection. A request in progress fails. */
	close(): void {
		if (this.#connection.ended) return;
		this.#connection.close();
		this.#settle()?.reject(new Failure("CONNECTION_LOST", "closed by this device"));
		this.#report({ event: "disconnected", role: "claim" });
	}

	#topic(operation: Operation): string {
		return requestTopic(operation, this.#template, this.#encoding);
	}

	#request(operation: Operation, payload: Uint8Array): Promise<Uint8Array> {
		const topic = this.#topic(operation);
		const [accepted, rejected] = replyTopics(topic);
		this.#report({ event: "request", operation, topic, bytes: payload.length });
		return new Promise((resolve, reject) => {
			const timer = this.#host.timer.set(
				() => this.#settle()?.reject(new Failure(`${stepOf(operation)}_TIMEOUT`)),
				REPLY_LIMIT,
			);
			this.#pending = { operation, accepted, rejected, timer, resolve, reject };
			// Only the reply counts: the PUBACK may come later or never (Greengrass's developers have seen that), and onEnd reports
			// a connection that fails. Published in a later turn, because the stack is deep here.
			Promise.resolve()
				.then(() => this.#connection.publish(topic, payload))
				.catch((error) => this.#settle()?.reject(error));
		});
	}

	#receive(topic: string, payload: Uint8Array): void {
		const pending = this.#pending;
		// Late and repeated replies no longer belong to any request.
		if (pending === undefined || (topic !== pending.accepted && topic !== pending.rejected)) return;
		const accepted = topic === pending.accepted;
		const { operation } = pending;
		this.#settle();
		this.#report({ event: "reply", operation, topic, bytes: payload.length, accepted });
		if (accepted) pending.resolve(payload);
		else {
			const rejection = readRejection(this.#encoding, payload);
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

/** Whether the device asks for a certificate for a key of its own. */
export const makesOwnKey = ({ configuration, ecdsa }: Host): boolean =>
	(configuration.keyPair ?? (ecdsa === undefined ? "keys" : "csr")) === "csr";

/** The step of an operation, as it stands in the codes of its failures. */
const stepOf = (operation: Operation) => (operation === "RegisterThing" ? "REGISTER" : "CREATE");

/**
 * The failure for a rejection. It depends on the status code, because AWS documents no values of errorCode. The one exception is
 * the errorCode for a refused token, which has been observed (aws-iot-device-sdk-js-v2 issue 69).
 */
function rejectionCode(operation: Operation, { statusCode, errorCode }: Rejection): FailureCode {
	const step = stepOf(operation);
	if (step === "REGISTER") {
		if (errorCode === "InvalidCertificateOwnershipToken") return "TOKEN_REFUSED";
		if (statusCode === 404) return "TEMPLATE_UNKNOWN";
		if (statusCode === 409) return "RESOURCE_CONFLICT";
	}
	if (statusCode === 429) return `${step}_THROTTLED`;
	if (statusCode === 401 || statusCode === 403) return `${step}_DENIED`;
	if (statusCode >= 500) return `${step}_FAULT`;
	return statusCode >= 400 ? `${step}_INVALID` : `${step}_REPLY_MALFORMED`;
}
