// The properties of MQTT 5 (section 2.2.2): reads those of a packet, checking each, and translates those that a message passes on
// between bytes and MessageProperties. Knows no packets.

import { Cursor, FrameError, reasonCode } from "./frames.js";
import type { MessageProperties } from "./reserved.js";

/** Ids of the properties that a client may send. */
export const propertyId = {
	payloadFormatIndicator: 0x01,
	messageExpiryInterval: 0x02,
	contentType: 0x03,
	responseTopic: 0x08,
	correlationData: 0x09,
	subscriptionIdentifier: 0x0b,
	sessionExpiryInterval: 0x11,
	authenticationMethod: 0x15,
	authenticationData: 0x16,
	requestProblemInformation: 0x17,
	willDelayInterval: 0x18,
	requestResponseInformation: 0x19,
	reasonString: 0x1f,
	receiveMaximum: 0x21,
	topicAliasMaximum: 0x22,
	topicAlias: 0x23,
	userProperty: 0x26,
	maximumPacketSize: 0x27,
} as const;

type Kind = "flag" | "uint16" | "uint32" | "varint" | "text" | "binary" | "pair";

const KINDS: readonly (Kind | undefined)[] = Object.assign([], {
	[propertyId.payloadFormatIndicator]: "flag",
	[propertyId.messageExpiryInterval]: "uint32",
	[propertyId.contentType]: "text",
	[propertyId.responseTopic]: "text",
	[propertyId.correlationData]: "binary",
	[propertyId.subscriptionIdentifier]: "varint",
	[propertyId.sessionExpiryInterval]: "uint32",
	[propertyId.authenticationMethod]: "text",
	[propertyId.authenticationData]: "binary",
	[propertyId.requestProblemInformation]: "flag",
	[propertyId.willDelayInterval]: "uint32",
	[propertyId.requestResponseInformation]: "flag",
	[propertyId.reasonString]: "text",
	[propertyId.receiveMaximum]: "uint16",
	[propertyId.topicAliasMaximum]: "uint16",
	[propertyId.topicAlias]: "uint16",
	[propertyId.userProperty]: "pair",
	[propertyId.maximumPacketSize]: "uint32",
} satisfies Record<number, Kind>);

/** Properties for which 0 is a protocol error. */
const NEVER_ZERO: ReadonlySet<number> = new Set([
	propertyId.subscriptionIdentifier,
	propertyId.receiveMaximum,
	propertyId.topicAlias,
	propertyId.maximumPacketSize,
]);

/** Properties of a message that its subscribers get as they are. */
const PASSED_ON: ReadonlySet<number> = new Set([
	propertyId.payloadFormatIndicator,
	propertyId.contentType,
	propertyId.responseTopic,
	propertyId.correlationData,
	propertyId.userProperty,
]);

/** The properties of a packet. */
export interface Properties {
	/** By id, without user properties. */
	readonly values: ReadonlyMap<number, unknown>;
	/** Those that a message passes on, as bytes. */
	readonly passedOn?: Uint8Array;
}

const NONE: Properties = { values: new Map() };

/**
 * Reads the properties with the length before them. Each may occur once, user properties any number of times.
 * @throws FrameError with a reason code, for one that the standard does not allow in this packet
 */
export function readProperties(cursor: Cursor, allowed: readonly number[]): Properties {
	const length = cursor.varint();
	if (length === 0) return NONE;
	const bytes = cursor.take(length);
	const properties = new Cursor(bytes);
	const values = new Map<number, unknown>();
	const passedOn: Buffer[] = [];
	while (properties.left > 0) {
		const { at } = properties;
		const id = properties.varint();
		const kind = KINDS[id];
		if (kind === undefined) throw malformed(`There is no property ${id} that a client sends.`);
		if (!allowed.includes(id)) throw wrong(`The property ${id} does not belong in this packet.`);
		if (values.has(id)) throw wrong(`The property ${id} comes twice.`);
		const value = readProperty(properties, kind);
		if (value === 0 && NEVER_ZERO.has(id)) throw wrong(`The property ${id} must not be 0.`);
		if (id !== propertyId.userProperty) values.set(id, value);
		if (PASSED_ON.has(id)) passedOn.push(bytes.subarray(at, properties.at));
	}
	if (passedOn.length === 0) return { values };
	return { values, passedOn: passedOn.length === 1 ? passedOn[0]! : Buffer.concat(passedOn) };
}

function malformed(message: string): FrameError {
	return new FrameError(message, reasonCode.malformedPacket);
}

function wrong(message: string): FrameError {
	return new FrameError(message, reasonCode.protocolError);
}

function readProperty(cursor: Cursor, kind: Kind): unknown {
	switch (kind) {
		case "flag": {
			const value = cursor.byte();
			if (value > 1) throw wrong("A property that is 0 or 1 is neither.");
			return value;
		}
		case "pair":
			return [cursor.text(), cursor.text()];
		default:
			return cursor[kind]();
	}
}

/** What a message passes on, for somebody who reads it. `remaining` is its message expiry interval in seconds. */
export function decodeProperties(passedOn: Uint8Array | undefined, remaining?: number): MessageProperties | undefined {
	if (!passedOn && remaining === undefined) return undefined;
	const cursor = new Cursor(Buffer.from(passedOn ?? []));
	const properties: { -readonly [K in keyof MessageProperties]: MessageProperties[K] } = {};
	const userProperties: [string, string][] = [];
	while (cursor.left > 0) {
		const id = cursor.varint();
		const value = readProperty(cursor, KINDS[id]!);
		if (id === propertyId.payloadFormatIndicator) properties.payloadFormatIndicator = value === 1;
		else if (id === propertyId.contentType) properties.contentType = value as string;
		else if (id === propertyId.responseTopic) properties.responseTopic = value as string;
		else if (id === propertyId.correlationData) properties.correlationData = value as Buffer;
		else userProperties.push(value as [string, string]);
	}
	if (userProperties.length > 0) properties.userProperties = userProperties;
	if (remaining !== undefined) properties.messageExpiryInterval = remaining;
	return properties;
}

/** The other way round. The message expiry interval is not part of it. */
export function encodeProperties(properties: MessageProperties): Uint8Array | undefined {
	const parts: Buffer[] = [];
	const add = (id: number, ...values: readonly (string | Uint8Array)[]) => {
		parts.push(Buffer.of(id));
		for (const value of values) {
			const bytes = Buffer.from(value as string);
			parts.push(Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes);
		}
	};
	const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties = [] } = properties;
	if (payloadFormatIndicator !== undefined)
		parts.push(Buffer.of(propertyId.payloadFormatIndicator, payloadFormatIndicator ? 1 : 0));
	if (contentType !== undefined) add(propertyId.contentType, contentType);
	if (responseTopic !== undefined) add(propertyId.responseTopic, responseTopic);
	if (correlationData !== undefined) add(propertyId.correlationData, correlationData);
	for (const [name, value] of userProperties) add(propertyId.userProperty, name, value);
	return parts.length === 0 ? undefined : Buffer.concat(parts);
}
