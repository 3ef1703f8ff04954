// Operations on configurations of the whole account: what a request looks like, what IAM is asked, and what the registry does.

import { EVENT_TYPES } from "../../registry/configurations.js";
import { forms } from "../../registry/forms.js";
import { operation } from "../operation.js";
import { boolean, text } from "./members.js";

const logLevel = { type: "string", enum: ["DEBUG", "INFO", "ERROR", "WARN", "DISABLED"] } as const;
const fields = {
	type: "list",
	member: {
		type: "structure",
		members: { name: text, type: { type: "string", enum: ["Number", "String", "Boolean"] } },
	},
} as const;
const texts = { type: "list", member: text } as const;

export const configurationOperations = {
	SetV2LoggingOptions: operation("POST /v2LoggingOptions", {
		body: {
			roleArn: forms.roleArn,
			defaultLogLevel: logLevel,
			disableAllLogs: boolean,
			eventConfigurations: {
				type: "list",
				member: { type: "structure", members: { "eventType*": text, logLevel, logDestination: text } },
			},
		},
		idle: true,
		handle: ({ configurations }, input) => configurations.setV2LoggingOptions(input),
	}),
	GetV2LoggingOptions: operation("GET /v2LoggingOptions", {
		query: { verbose: boolean },
		handle: ({ configurations }, input) => configurations.getV2LoggingOptions(input),
	}),
	UpdateEventConfigurations: operation("PATCH /event-configurations", {
		body: {
			eventConfigurations: {
				type: "map",
				key: { type: "string", enum: EVENT_TYPES },
				value: { type: "structure", members: { Enabled: boolean } },
			},
		},
		idle: true,
		handle: ({ configurations }, input) => configurations.updateEventConfigurations(input),
	}),
	DescribeEventConfigurations: operation("GET /event-configurations", {
		handle: ({ configurations }) => configurations.describeEventConfigurations(),
	}),
	UpdateIndexingConfiguration: operation("POST /indexing/config", {
		body: {
			thingIndexingConfiguration: {
				type: "structure",
				members: {
					"thingIndexingMode*": { type: "string", enum: ["OFF", "REGISTRY", "REGISTRY_AND_SHADOW"] },
					thingConnectivityIndexingMode: { type: "string", enum: ["OFF", "STATUS"] },
					deviceDefenderIndexingMode: { type: "string", enum: ["OFF", "VIOLATIONS"] },
					namedShadowIndexingMode: { type: "string", enum: ["OFF", "ON"] },
					managedFields: fields,
					customFields: fields,
					filter: {
						type: "structure",
						members: {
							namedShadowNames: texts,
							geoLocations: {
								type: "list",
								member: {
									type: "structure",
									members: { name: text, order: { type: "string", enum: ["LatLon", "LonLat"] } },
								},
							},
							connectivity: { type: "structure", members: { includeSocketInformation: texts } },
						},
					},
				},
			},
			thingGroupIndexingConfiguration: {
				type: "structure",
				members: {
					"thingGroupIndexingMode*": { type: "string", enum: ["OFF", "ON"] },
					managedFields: fields,
					customFields: fields,
				},
			},
		},
		idle: true,
		handle: ({ configurations }, input) => configurations.updateIndexingConfiguration(input),
	}),
	GetIndexingConfiguration: operation("GET /indexing/config", {
		handle: ({ configurations }) => configurations.getIndexingConfiguration(),
	}),
};
