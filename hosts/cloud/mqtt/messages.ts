// Messages for those who have no MQTT connection: publishes them, and reads retained ones. For the control plane's operations.

import { AwsError } from "../base/errors.js";
import { page } from "../registry/paging.js";
import type { RetainedRecord, State } from "../state/state.js";
import type { CloudMessage, MessagePublisher, ReservedService } from "./reserved.js";

/** What messages work with. */
export interface MessagesOptions {
	readonly state: State;
	readonly publisher: MessagePublisher;
	/** Get what is published to their topics. */
	readonly reserved: readonly ReservedService[];
}

/** Operations on messages. Requests and responses are those of the AWS operation of the same name. */
export class Messages {
	readonly #options: MessagesOptions;

	constructor(options: MessagesOptions) {
		this.#options = options;
	}

	/** Publishes a message. To a reserved topic only requests can be sent. @throws AwsError */
	async publish(message: CloudMessage): Promise<void> {
		const { publisher, reserved } = this.#options;
		const { topic, payload, properties } = message;
		if (topic === "" || /[+#\0]/.test(topic)) throw new AwsError("InvalidRequestException", "The topic is not valid");
		if (!topic.startsWith("$")) return publisher.publish(message);
		const service = reserved.find((one) => one.serves(topic));
		if (!service) throw new AwsError("InvalidRequestException", `Nothing can be published to ${topic.slice(0, 256)}`);
		await service.handle({ topic, payload, ...(properties && { properties }), reply: async () => {} });
	}

	/** A retained message. @throws AwsError when there is none */
	getRetainedMessage({ topic }: { topic: string }) {
		const found = [...this.#options.state.retained.values()].find((message) => message.topic === topic);
		if (!found) throw new AwsError("ResourceNotFoundException", "No retained message exists for the topic");
		const { payload, qos } = found;
		return { topic, payload: Buffer.from(payload).toString("base64"), qos, lastModifiedTime: found.lastModified ?? 0 };
	}

	/** Topics of the retained messages, ordered. @throws AwsError for a page that does not exist */
	listRetainedMessages(request: { nextToken?: string; maxResults?: number } = {}) {
		const { items, next } = page(
			[...this.#options.state.retained.values()],
			({ topic }) => topic,
			request.maxResults,
			request.nextToken,
		);
		return { retainedTopics: items.map(summaryOf), ...(next && { nextToken: next }) };
	}
}

function summaryOf({ topic, payload, qos, lastModified = 0 }: RetainedRecord) {
	return { topic, payloadSize: payload.length, qos, lastModifiedTime: lastModified };
}
