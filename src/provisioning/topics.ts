// The reserved topics of the provisioning API (AWS IoT developer guide, "Device provisioning MQTT API").

import type { Configuration } from "../contract/configuration.js";
import type { Operation } from "../contract/events.js";

/** How requests and replies are encoded. It is part of the topic. */
export type Encoding = NonNullable<Configuration["encoding"]>;

/** The topic that a request is published to. Replies have the same topic with `/accepted` or `/rejected`. */
export function requestTopic(operation: Operation, template: string, encoding: Encoding): string {
	switch (operation) {
		case "CreateKeysAndCertificate":
			return `$aws/certificates/create/${encoding}`;
		case "CreateCertificateFromCsr":
			return `$aws/certificates/create-from-csr/${encoding}`;
		case "RegisterThing":
			return `$aws/provisioning-templates/${template}/provision/${encoding}`;
	}
}

/** The two reply topics of a request, without wildcards: policies in AWS's samples allow exactly these filters. */
export const replyTopics = (request: string): [accepted: string, rejected: string] => [
	`${request}/accepted`,
	`${request}/rejected`,
];
