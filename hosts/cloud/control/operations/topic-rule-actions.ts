// The actions of topic rules, as the service's API model (version 2015-05-28) has them: which members each has, and which it must have.
// Only kept and listed back here.

import type { Members, Shape } from "../shapes.js";

const text: Shape = { type: "string" };
const integer: Shape = { type: "integer" };
const boolean: Shape = { type: "boolean" };
const mapOfText: Shape = { type: "map", key: text, value: text };
const listOf = (member: Shape): Shape => ({ type: "list", member });
const structure = (members: Members): Shape => ({ type: "structure", members });

/** One action: a structure of which one member is present. */
export const topicRuleAction: Members = {
	dynamoDB: structure({
		"tableName*": text,
		"roleArn*": text,
		"hashKeyField*": text,
		"hashKeyValue*": text,
		operation: text,
		hashKeyType: text,
		rangeKeyField: text,
		rangeKeyValue: text,
		rangeKeyType: text,
		payloadField: text,
	}),
	dynamoDBv2: structure({ "roleArn*": text, "putItem*": structure({ "tableName*": text }) }),
	lambda: structure({ "functionArn*": text }),
	sns: structure({ "targetArn*": text, "roleArn*": text, messageFormat: text }),
	sqs: structure({ "roleArn*": text, "queueUrl*": text, useBase64: boolean }),
	kinesis: structure({ "roleArn*": text, "streamName*": text, partitionKey: text }),
	republish: structure({
		"roleArn*": text,
		"topic*": text,
		qos: integer,
		headers: structure({
			payloadFormatIndicator: text,
			contentType: text,
			responseTopic: text,
			correlationData: text,
			messageExpiry: text,
			userProperties: listOf(structure({ "key*": text, "value*": text })),
		}),
	}),
	s3: structure({ "roleArn*": text, "bucketName*": text, "key*": text, cannedAcl: text }),
	firehose: structure({ "roleArn*": text, "deliveryStreamName*": text, separator: text, batchMode: boolean }),
	cloudwatchMetric: structure({
		"roleArn*": text,
		"metricNamespace*": text,
		"metricName*": text,
		"metricValue*": text,
		"metricUnit*": text,
		metricTimestamp: text,
	}),
	cloudwatchAlarm: structure({ "roleArn*": text, "alarmName*": text, "stateReason*": text, "stateValue*": text }),
	cloudwatchLogs: structure({ "roleArn*": text, "logGroupName*": text, batchMode: boolean }),
	elasticsearch: structure({ "roleArn*": text, "endpoint*": text, "index*": text, "type*": text, "id*": text }),
	salesforce: structure({ "token*": text, "url*": text }),
	iotAnalytics: structure({ channelArn: text, channelName: text, batchMode: boolean, roleArn: text }),
	iotEvents: structure({ "inputName*": text, "roleArn*": text, messageId: text, batchMode: boolean }),
	iotSiteWise: structure({
		"putAssetPropertyValueEntries*": listOf(
			structure({
				"propertyValues*": listOf(
					structure({
						"value*": structure({ stringValue: text, integerValue: text, doubleValue: text, booleanValue: text }),
						"timestamp*": structure({ "timeInSeconds*": text, offsetInNanos: text }),
						quality: text,
					}),
				),
				entryId: text,
				assetId: text,
				propertyId: text,
				propertyAlias: text,
			}),
		),
		"roleArn*": text,
	}),
	stepFunctions: structure({ "stateMachineName*": text, "roleArn*": text, executionNamePrefix: text }),
	timestream: structure({
		"roleArn*": text,
		"databaseName*": text,
		"tableName*": text,
		"dimensions*": listOf(structure({ "name*": text, "value*": text })),
		timestamp: structure({ "value*": text, "unit*": text }),
	}),
	http: structure({
		"url*": text,
		confirmationUrl: text,
		headers: listOf(structure({ "key*": text, "value*": text })),
		auth: structure({ sigv4: structure({ "signingRegion*": text, "serviceName*": text, "roleArn*": text }) }),
		enableBatching: boolean,
		batchConfig: structure({
			maxBatchOpenMs: integer,
			maxBatchSize: integer,
			maxBatchSizeBytes: integer,
			batchAcrossTopics: boolean,
		}),
	}),
	kafka: structure({
		"destinationArn*": text,
		"topic*": text,
		"clientProperties*": mapOfText,
		key: text,
		partition: text,
		headers: listOf(structure({ "key*": text, "value*": text })),
	}),
	openSearch: structure({ "roleArn*": text, "endpoint*": text, "index*": text, "type*": text, "id*": text }),
	location: structure({
		"roleArn*": text,
		"trackerName*": text,
		"deviceId*": text,
		"latitude*": text,
		"longitude*": text,
		timestamp: structure({ "value*": text, unit: text }),
	}),
	influxDB: structure({
		"destinationArn*": text,
		"roleArn*": text,
		"databaseName*": text,
		"tableName*": text,
		organization: text,
		tags: mapOfText,
		timestampUnit: text,
		batchConfig: structure({
			maxBatchSize: integer,
			maxBatchOpenMs: integer,
			maxBatchSizeBytes: integer,
			batchAcrossTopics: boolean,
		}),
	}),
};
