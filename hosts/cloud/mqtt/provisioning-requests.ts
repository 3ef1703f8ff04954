// Fleet provisioning over MQTT: takes requests from connections and sends the replies as the settings and faults say. A reply goes to
// the connection that asked and to nobody else.

import type { CloudEventBody } from "../base/events.js";
import { LONGEST_TIMER } from "../base/guard.js";
import type { ReplyFault, Settings } from "../base/settings.js";
import type { Provisioning, ProvisioningReply, ProvisioningRequest } from "../provisioning/provisioning.js";
import type { ProvisioningTopic } from "../provisioning/topics.js";
import type { Connection } from "./connection.js";
import { filterMatches } from "./topics.js";

type Outcome = Extract<CloudEventBody, { event: "reply" }>["outcome"];

/** What they work with. */
export interface ProvisioningRequestsOptions {
	readonly provisioning: Provisioning;
	readonly settings: Settings;
	readonly report: (event: CloudEventBody) => void;
	/** Sends a message to one connection. False when it has gone. */
	readonly send: (connection: Connection, topic: string, payload: Uint8Array, qos: 0 | 1) => boolean;
}

/** The provisioning requests of all connections. */
export class ProvisioningRequests {
	readonly #options: ProvisioningRequestsOptions;

	constructor(options: ProvisioningRequestsOptions) {
		this.#options = options;
	}

	/** Handles a request. Resolves when its reply has been sent, or will never be. */
	async handle(connection: Connection, request: ProvisioningTopic, topic: string, payload: Uint8Array): Promise<void> {
		const { provisioning, settings, report } = this.#options;
		const fault = this.#takeFault(request.operation);
		if (settings.reply.delay > 0) await wait(settings.reply.delay);
		const reply =
			fault?.action === "reject"
				? provisioning.rejected(request.encoding, fault.rejection)
				: await this.#ask(connection, {
						...request,
						payload,
						claimCertificateId: connection.principal,
						clientId: connection.clientId!,
						connectionId: connection.id,
					});
		if (!reply) return;
		const replyTopic = `${topic}/${reply.accepted ? "accepted" : "rejected"}`;
		const send = () => this.#send(connection, replyTopic, reply.payload);
		const tell = (outcome: Outcome) =>
			report({
				event: "reply",
				operation: request.operation,
				clientId: connection.clientId!,
				topic: replyTopic,
				bytes: reply.payload.length,
				outcome,
			});
		switch (fault?.action) {
			case "drop":
				return tell("dropped");
			case "close":
				tell("closed");
				return connection.end("SERVER_ERROR");
			case "delay":
				tell("delayed");
				await wait(fault.milliseconds ?? 1_000);
				break;
			case "duplicate":
				tell("duplicated");
				send();
				break;
		}
		tell(send());
	}

	/** Handles a connection's requests one after the other, so that it cannot keep others waiting. No reply if it has gone. */
	async #ask(connection: Connection, request: ProvisioningRequest): Promise<ProvisioningReply | undefined> {
		const { provisioning, settings } = this.#options;
		const most = settings.limits.outstandingRequests;
		if (connection.outstanding >= most) {
			return provisioning.throttle(request, `The connection has ${most} requests unanswered: wait for the replies.`);
		}
		connection.outstanding++;
		const handled = connection.requests.then(() => (connection.ended ? undefined : provisioning.handle(request)));
		connection.requests = handled.catch(() => {});
		return handled.finally(() => connection.outstanding--);
	}

	/** Sends a reply, if the connection has subscribed to it as the settings demand. */
	#send(connection: Connection, topic: string, payload: Uint8Array): Outcome {
		const { subscription, qos } = this.#options.settings.reply;
		if (connection.ended) return "gone";
		const filters = [...connection.session!.subscriptions.keys()];
		const subscribed =
			subscription === "none" ||
			filters.includes(topic) ||
			(subscription === "matching" && filters.some((filter) => filterMatches(filter, topic)));
		if (!subscribed) return "unsubscribed";
		return this.#options.send(connection, topic, payload, qos) ? "sent" : "gone";
	}

	#takeFault(operation: ReplyFault["operation"]): ReplyFault | undefined {
		const { faults } = this.#options.settings;
		const index = faults.findIndex((fault) => fault.operation === operation);
		const fault = faults[index];
		if (fault) {
			fault.times = (fault.times ?? 1) - 1;
			if (fault.times <= 0) faults.splice(index, 1);
		}
		return fault;
	}
}

/** Does not keep a process that is otherwise at its end. */
function wait(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMER)).unref());
}
