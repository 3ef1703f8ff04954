// The operations of the data plane (iot-data): shadows and messages over HTTPS.

import { AwsError } from "../../base/errors.js";
import { isObject } from "../../base/object.js";
import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, text } from "./members.js";

const thing = ({ thingName }: { thingName: string }) => [`thing/${thingName}`];
const topic = { type: "string", max: 256 } as const;
const shadowPath = { thingName: forms.resourceName } as const;
/** The model calls this member `shadowName`. */
const shadowQuery = { name: forms.shadowName } as const;

export const dataOperations = {
	GetThingShadow: operation("GET /things/{thingName}/shadow", {
		path: shadowPath,
		query: shadowQuery,
		resources: thing,
		handle: (_, { thingName, name }, __, { shadows }) => shadows.getThingShadow({ thingName, shadowName: name }),
	}),
	UpdateThingShadow: operation("POST /things/{thingName}/shadow", {
		path: shadowPath,
		query: shadowQuery,
		payload: "payload",
		resources: thing,
		handle: (_, { thingName, name, payload }, __, { shadows }) =>
			shadows.updateThingShadow({ thingName, shadowName: name, payload }),
	}),
	DeleteThingShadow: operation("DELETE /things/{thingName}/shadow", {
		path: shadowPath,
		query: shadowQuery,
		resources: thing,
		handle: (_, { thingName, name }, __, { shadows }) => shadows.deleteThingShadow({ thingName, shadowName: name }),
	}),
	ListNamedShadowsForThing: operation("GET /api/things/shadow/ListNamedShadowsForThing/{thingName}", {
		path: shadowPath,
		query: { nextToken: text, pageSize: { type: "integer", min: 1, max: 100 } },
		resources: thing,
		handle: (_, input, __, { shadows }) => shadows.listNamedShadowsForThing(input),
	}),
	Publish: operation("POST /topics/{topic}", {
		path: { topic },
		query: {
			qos: { type: "integer", min: 0, max: 1 },
			retain: boolean,
			contentType: text,
			responseTopic: text,
			messageExpiry: { type: "integer", min: 0 },
		},
		optionalHeader: {
			userProperties: "x-amz-mqtt5-user-properties",
			payloadFormatIndicator: "x-amz-mqtt5-payload-format-indicator",
			correlationData: "x-amz-mqtt5-correlation-data",
		},
		payload: "payload",
		resources: ({ topic }) => [`topic/${topic}`],
		handle: async (_, input, __, { messages }) => {
			const { contentType, responseTopic, messageExpiry, correlationData } = input;
			await messages.publish({
				topic: input.topic,
				payload: input.payload,
				qos: input.qos === 1 ? 1 : 0,
				retain: input.retain ?? false,
				properties: {
					...(contentType !== undefined && { contentType }),
					...(responseTopic !== undefined && { responseTopic }),
					...(messageExpiry !== undefined && { messageExpiryInterval: messageExpiry }),
					...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, "base64") }),
					...(input.payloadFormatIndicator === "UTF8_DATA" && { payloadFormatIndicator: true }),
					...(input.userProperties !== undefined && { userProperties: readUserProperties(input.userProperties) }),
				},
			});
			return { message: "OK" };
		},
	}),
	GetRetainedMessage: operation("GET /retainedMessage/{topic}", {
		path: { topic },
		resources: ({ topic }) => [`topic/${topic}`],
		handle: (_, input, __, { messages }) => messages.getRetainedMessage(input),
	}),
	ListRetainedMessages: operation("GET /retainedMessage", {
		query: { nextToken: text, maxResults: { type: "integer", min: 1, max: 200 } },
		handle: (_, input, __, { messages }) => messages.listRetainedMessages(input),
	}),
};

/** User properties as the header has them: base64 of a JSON list of objects with one member each. @throws AwsError */
function readUserProperties(header: string): [string, string][] {
	const refused = new AwsError(
		"InvalidRequestException",
		"userProperties must be a list of objects with one text each",
	);
	let list: unknown;
	try {
		list = JSON.parse(Buffer.from(header, "base64").toString());
	} catch {
		throw refused;
	}
	if (!Array.isArray(list)) throw refused;
	return list.map((item: unknown) => {
		const entries = isObject(item) ? Object.entries(item) : [];
		const [name, value] = entries[0] ?? [];
		if (entries.length !== 1 || typeof value !== "string") throw refused;
		return [name!, value];
	});
}
