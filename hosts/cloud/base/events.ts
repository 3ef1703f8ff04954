// The events that the local cloud reports, one for each thing that happens. An event never holds a key, a token or a PEM body.

import type { ProvisioningOperation } from "./settings.js";

/** Values of `disconnectReason` (AWS developer guide, "Lifecycle events"). */
export type DisconnectReason =
	| "AUTH_ERROR"
	| "CLIENT_INITIATED_DISCONNECT"
	| "CLIENT_ERROR"
	| "CONNECTION_LOST"
	| "DUPLICATE_CLIENTID"
	| "FORBIDDEN_ACCESS"
	| "MQTT_KEEP_ALIVE_TIMEOUT"
	| "SERVER_ERROR"
	| "SERVER_INITIATED_DISCONNECT"
	| "THROTTLED";

/** One event without its time. */
export type CloudEventBody =
	/** A connection was refused before or at CONNECT, for a reason other than policy. */
	| {
			readonly event: "refused";
			readonly connectionId: string;
			readonly principal?: string;
			readonly clientId?: string;
			readonly reason: string;
			/** What to change. */
			readonly explanation: string;
	  }
	/** A policy refused an action. The connection was closed, unless the action was a delivery. */
	| {
			readonly event: "denied";
			readonly connectionId: string;
			/** Certificate id. */
			readonly principal: string;
			readonly clientId: string;
			readonly action: string;
			readonly resource: string;
			/** The Deny that decided; absent when no statement allowed it. */
			readonly statement?: { readonly policyName: string; readonly index: number; readonly sid?: string };
			readonly explanation: string;
	  }
	/** The client exceeded a limit or broke a rule of the protocol. */
	| {
			readonly event: "violation";
			readonly connectionId: string;
			readonly principal?: string;
			readonly clientId?: string;
			readonly explanation: string;
	  }
	/** A request to the control plane was refused because of its sender: by its signature (without `resource`), or by IAM policy. */
	| {
			readonly event: "unauthorized";
			/** ARN of the caller, or the access key id that was claimed, or `anonymous`. */
			readonly principal: string;
			/** `iot:CreateThing` */
			readonly action: string;
			/** ARN or `*`. */
			readonly resource?: string;
			/** The Deny that decided; absent when no statement allowed it. */
			readonly statement?: { readonly policyName: string; readonly index: number; readonly sid?: string };
			/** AWS's name of the error that the caller got. */
			readonly error: string;
			readonly explanation: string;
	  }
	| {
			readonly event: "connected";
			readonly connectionId: string;
			readonly principal: string;
			readonly clientId: string;
			readonly keepAlive: number;
			readonly cleanSession: boolean;
			readonly sourceIp: string;
	  }
	| {
			readonly event: "disconnected";
			readonly connectionId: string;
			readonly principal: string;
			readonly clientId: string;
			readonly disconnectReason: DisconnectReason;
	  }
	| {
			readonly event: "subscribed";
			readonly connectionId: string;
			readonly clientId: string;
			readonly filters: readonly string[];
	  }
	| {
			readonly event: "published";
			readonly connectionId: string;
			readonly principal: string;
			readonly clientId: string;
			readonly topic: string;
			readonly bytes: number;
			readonly qos: number;
	  }
	/** A publish or a subscription that works with AWS and does nothing here, because this cloud lacks the service behind its topic. */
	| {
			readonly event: "unsupported";
			readonly connectionId: string;
			readonly principal: string;
			readonly clientId: string;
			readonly action: "iot:Publish" | "iot:Subscribe";
			/** Topic or filter. */
			readonly topic: string;
			/** Names the service that is missing. */
			readonly explanation: string;
	  }
	/** A persistent session has ended some time after its connection. */
	| { readonly event: "session.expired"; readonly clientId: string }
	/** `eventType` as in AWS's CloudWatch logs. */
	| {
			readonly event: "provisioning";
			readonly eventType: "GetDeviceCredentials" | "ProvisionDevice";
			readonly operation: ProvisioningOperation;
			readonly status: "Success" | "Failure";
			readonly principal: string;
			readonly clientId: string;
			readonly templateName?: string;
			readonly certificateId?: string;
			readonly thingName?: string;
			readonly statusCode?: number;
			readonly errorCode?: string;
			/** Why, in more detail than the device is told. */
			readonly explanation?: string;
	  }
	/** A reply to a provisioning request: sent, not sent for some reason, or changed by a fault. */
	| {
			readonly event: "reply";
			readonly operation: ProvisioningOperation;
			readonly clientId: string;
			readonly topic: string;
			readonly bytes: number;
			readonly outcome: "sent" | "unsubscribed" | "dropped" | "delayed" | "duplicated" | "closed" | "gone";
	  }
	| {
			readonly event: "certificate.expired";
			readonly certificateId: string;
			readonly reason: "token" | "temporaryClaim";
	  }
	/** A device shadow was changed, or a request for one was rejected. */
	| {
			readonly event: "shadow";
			readonly operation: "get" | "update" | "delete";
			readonly thingName: string;
			/** Absent for the classic shadow. */
			readonly shadowName?: string;
			/** Absent when it came over HTTPS. */
			readonly clientId?: string;
			readonly status: "accepted" | "rejected";
			readonly version?: number;
			/** Names of what is desired and not reported. */
			readonly delta?: readonly string[];
			/** Of the rejection, as in HTTP. */
			readonly code?: number;
			readonly explanation?: string;
	  }
	/** A job was made, has ended, or was deleted. */
	| {
			readonly event: "job";
			readonly jobId: string;
			readonly status: "IN_PROGRESS" | "CANCELED" | "COMPLETED" | "DELETED";
	  }
	/** An execution of a job was queued, or has changed. */
	| {
			readonly event: "job.execution";
			readonly jobId: string;
			readonly thingName: string;
			readonly executionNumber: number;
			readonly status: string;
			readonly explanation?: string;
	  }
	/** A device's request to Jobs was rejected. */
	| {
			readonly event: "job.rejected";
			readonly thingName: string;
			readonly topic: string;
			/** Absent when it came over HTTPS. */
			readonly clientId?: string;
			/** As in the reply, such as `VersionMismatch`. */
			readonly code: string;
			readonly explanation: string;
	  }
	| { readonly event: "warning"; readonly message: string }
	/** Everything is as it was at the start, or at the last checkpoint: connections have ended, earlier events are forgotten. */
	| { readonly event: "reset"; readonly milliseconds: number };

/** An event as it is kept: numbered, with its time in ms since 1970. */
export type CloudEvent = CloudEventBody & { readonly sequence: number; readonly time: number };

/** Keeps the last events, and passes new ones to listeners. */
export class EventLog {
	readonly #now: () => number;
	readonly #kept: number;
	readonly #events: CloudEvent[] = [];
	readonly #listeners = new Set<(event: CloudEvent) => void>();
	#sequence = 0;

	/** Keeps the last `kept` events. */
	constructor(now: () => number, kept = 1_000) {
		this.#now = now;
		this.#kept = kept;
	}

	/** Numbers an event, keeps it, and passes it to the listeners. Never throws. */
	report(body: CloudEventBody): void {
		const event: CloudEvent = { ...body, sequence: ++this.#sequence, time: this.#now() };
		this.#events.push(event);
		// Old events are removed only now and then, because that moves the whole list.
		if (this.#events.length >= this.#kept * 2) this.#events.splice(0, this.#events.length - this.#kept);
		for (const listener of [...this.#listeners]) {
			try {
				listener(event);
			} catch {
				// The listener broke its promise not to throw. Reporting that would only call it again, so it is removed.
				this.#listeners.delete(listener);
			}
		}
	}

	/** Forgets the kept events. Numbers go on. */
	clear(): void {
		this.#events.length = 0;
	}

	/** The kept events after `sequence`, oldest first. */
	since(sequence = 0): CloudEvent[] {
		return this.#events.slice(-this.#kept).filter((event) => event.sequence > sequence);
	}

	/** Calls `listener` with each event from now on. One that throws is removed. Returns a function that ends the calls. */
	listen(listener: (event: CloudEvent) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}
}

/** Counters with CloudWatch's names and dimensions (AWS developer guide, "Metrics and dimensions"). */
export class Metrics {
	readonly #counts = new Map<string, Metric>();

	/** Adds one to a counter. At most 10,000 counters are kept; more are not counted. */
	count(name: MetricName, dimensions: Metric["dimensions"]): void {
		const key = JSON.stringify([name, dimensions]);
		const metric = this.#counts.get(key);
		if (metric) metric.value++;
		else if (this.#counts.size < 10_000) this.#counts.set(key, { name, dimensions, value: 1 });
	}

	/** Starts again from nothing. */
	clear(): void {
		this.#counts.clear();
	}

	/** A copy of all counters. */
	list(): Readonly<Metric>[] {
		return [...this.#counts.values()].map((metric) => ({ ...metric }));
	}
}

/** A provisioning metric of CloudWatch. */
export type MetricName =
	| "CreateKeysAndCertificateFailed"
	| "CreateCertificateFromCsrFailed"
	| "RegisterThingFailed"
	| "ApproximateNumberOfThingsRegistered";

/** One counter. */
export interface Metric {
	readonly name: MetricName;
	readonly dimensions: { readonly ClaimCertificateId: string; readonly TemplateName?: string };
	value: number;
}
