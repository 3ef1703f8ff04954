// Reads every packet from a client byte by byte, in MQTT 3.1.1 and 5, and refuses one that the standard does not allow; encodes the
// packets that answer. Knows no limits and no policies.

import mqttPacket, { type Packet as LibraryPacket } from "mqtt-packet";
import { Cursor, FrameError, packetType, reasonCode, typeOf } from "./frames.js";
import { type Properties, propertyId, readProperties } from "./properties.js";

/** Versions of MQTT by their protocol level. */
export type ProtocolLevel = 4 | 5;

/** A message that a client wants to be published when it is lost. */
export interface WillPacket {
	readonly topic: string;
	readonly payload: Buffer;
	readonly qos: number;
	readonly retain: boolean;
	readonly properties?: Properties;
}

/** What a client asks for when it connects. Properties are those of MQTT 5, with the standard's defaults. */
export interface ConnectPacket {
	readonly type: typeof packetType.connect;
	readonly clientId: string;
	/** Clean session in 3.1.1, clean start in 5. */
	readonly clean: boolean;
	/** Seconds. */
	readonly keepAlive: number;
	readonly will?: WillPacket;
	/** Seconds. */
	readonly sessionExpiry: number;
	readonly receiveMaximum: number;
	/** Bytes. */
	readonly maximumPacketSize: number;
	readonly topicAliasMaximum: number;
	readonly authenticationMethod?: string;
	readonly username?: string;
	/** Secret. */
	readonly password?: Uint8Array;
}

/** A message from a client. */
export interface PublishPacket {
	readonly type: typeof packetType.publish;
	/** Empty when the alias stands for it. */
	readonly topic: string;
	readonly payload: Buffer;
	readonly qos: number;
	readonly retain: boolean;
	/** 0 with QoS 0. */
	readonly packetId: number;
	readonly properties?: Properties;
}

/** One filter of a SUBSCRIBE with its options. Those that only MQTT 5 has are as 3.1.1 has it. */
export interface SubscriptionRequest {
	readonly filter: string;
	readonly qos: number;
	readonly noLocal: boolean;
	readonly retainAsPublished: boolean;
	/** When retained messages are sent: 0 with every SUBSCRIBE, 1 with a new one, 2 never. */
	readonly retainHandling: number;
}

/** A packet from a client. */
export type Packet =
	| ConnectPacket
	| PublishPacket
	| {
			readonly type: 4 | 5 | 6 | 7;
			readonly packetId: number;
			readonly reasonCode: number;
	  }
	| {
			readonly type: typeof packetType.subscribe;
			readonly packetId: number;
			readonly subscriptions: readonly SubscriptionRequest[];
			readonly properties?: Properties;
	  }
	| { readonly type: typeof packetType.unsubscribe; readonly packetId: number; readonly filters: readonly string[] }
	| { readonly type: typeof packetType.pingreq }
	| {
			readonly type: typeof packetType.disconnect;
			readonly reasonCode: number;
			/** Seconds; absent when it stays as CONNECT said. */
			readonly sessionExpiry?: number;
	  }
	| { readonly type: typeof packetType.auth };

/** The lower four bits of the first byte, by packet type. PUBLISH gives them a meaning of its own. */
const FLAGS: Readonly<Record<number, number>> = {
	[packetType.connect]: 0,
	[packetType.puback]: 0,
	[packetType.pubrec]: 0,
	[packetType.pubrel]: 2,
	[packetType.pubcomp]: 0,
	[packetType.subscribe]: 2,
	[packetType.unsubscribe]: 2,
	[packetType.pingreq]: 0,
	[packetType.disconnect]: 0,
};

const UNSUBSCRIBE = [propertyId.userProperty];
const MESSAGE = [
	propertyId.payloadFormatIndicator,
	propertyId.messageExpiryInterval,
	propertyId.contentType,
	propertyId.responseTopic,
	propertyId.correlationData,
	propertyId.userProperty,
];
const CONNECT = [
	propertyId.sessionExpiryInterval,
	propertyId.authenticationMethod,
	propertyId.authenticationData,
	propertyId.requestProblemInformation,
	propertyId.requestResponseInformation,
	propertyId.receiveMaximum,
	propertyId.topicAliasMaximum,
	propertyId.maximumPacketSize,
	propertyId.userProperty,
];
const PUBLISH = [...MESSAGE, propertyId.topicAlias];
const WILL = [...MESSAGE, propertyId.willDelayInterval];
const SUBSCRIBE = [propertyId.subscriptionIdentifier, propertyId.userProperty];
const ACKNOWLEDGEMENT = [propertyId.reasonString, propertyId.userProperty];
const DISCONNECT = [propertyId.sessionExpiryInterval, propertyId.reasonString, propertyId.userProperty];
const AUTH = [
	propertyId.authenticationMethod,
	propertyId.authenticationData,
	propertyId.reasonString,
	propertyId.userProperty,
];

/** Protocol level of a CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export function readProtocolLevel(frame: Buffer): number {
	const cursor = Cursor.body(frame);
	const name = cursor.text();
	if (name !== "MQTT" && name !== "MQIsdp") throw new FrameError("The protocol's name is not MQTT.");
	return cursor.byte();
}

/**
 * Reads a packet from a client and checks all of it: flags, lengths, packet ids, UTF-8, topics, properties, and that nothing follows
 * its end.
 * @throws FrameError with a reason code of MQTT 5, for a packet that the standard does not allow
 */
export function readPacket(frame: Buffer, level: ProtocolLevel): Packet {
	const type = typeOf(frame);
	const flags = frame[0]! & 0x0f;
	const five = level === 5;
	const cursor = Cursor.body(frame);
	// In MQTT 5 the length must also be in its shortest form.
	if (five) new Cursor(frame, 1).varint();
	if (type === packetType.publish) return readPublish(cursor, flags, five);
	const wanted = five && type === packetType.auth ? 0 : FLAGS[type];
	if (wanted === undefined) fail(`A client sends no packet of the type ${type}.`, reasonCode.protocolError);
	if (flags !== wanted) fail("The flags of the packet's first byte are wrong.");
	const packet = readBody(type, cursor, five);
	if (cursor.left > 0) fail("The packet goes on after its end.");
	return packet;
}

function readBody(type: number, cursor: Cursor, five: boolean): Packet {
	switch (type) {
		case packetType.connect:
			return readConnect(cursor, five);
		case packetType.subscribe: {
			const packetId = readPacketId(cursor);
			const properties = five ? readProperties(cursor, SUBSCRIBE) : undefined;
			const subscriptions = readFilters(cursor, (filter) => readSubscription(cursor, filter, five));
			return { type, packetId, subscriptions, ...(properties && { properties }) };
		}
		case packetType.unsubscribe: {
			const packetId = readPacketId(cursor);
			if (five) readProperties(cursor, UNSUBSCRIBE);
			return { type, packetId, filters: readFilters(cursor, (filter) => filter) };
		}
		case packetType.pingreq:
			return { type };
		case packetType.disconnect: {
			const { code, properties } = five ? readReason(cursor, DISCONNECT) : { code: 0, properties: undefined };
			const sessionExpiry = properties?.values.get(propertyId.sessionExpiryInterval) as number | undefined;
			return { type, reasonCode: code, ...(sessionExpiry !== undefined && { sessionExpiry }) };
		}
		case packetType.auth:
			readReason(cursor, AUTH);
			return { type };
		default: {
			const packetId = readPacketId(cursor);
			const { code } = five ? readReason(cursor, ACKNOWLEDGEMENT) : { code: 0 };
			return { type: type as 4 | 5 | 6 | 7, packetId, reasonCode: code };
		}
	}
}

function fail(message: string, code: number = reasonCode.malformedPacket): never {
	throw new FrameError(message, code);
}

function readConnect(cursor: Cursor, five: boolean): ConnectPacket {
	if (cursor.text() !== "MQTT") fail("The protocol's name is not MQTT.");
	cursor.byte(); // the level, by which this reader was chosen
	const flags = cursor.byte();
	const has = (flag: number) => (flags & flag) !== 0;
	if (has(1)) fail("The reserved flag of CONNECT is set.");
	const willQos = (flags >> 3) & 3;
	if (willQos === 3) fail("There is no QoS 3.");
	if (!has(4) && (willQos > 0 || has(0x20))) fail("CONNECT has flags of a will that it does not have.");
	if (!five && has(0x40) && !has(0x80)) fail("A password needs a user name.");
	const keepAlive = cursor.uint16();
	const properties = five ? readProperties(cursor, CONNECT).values : new Map<number, unknown>();
	const number = (id: number, otherwise: number) => (properties.get(id) as number | undefined) ?? otherwise;
	const authenticationMethod = properties.get(propertyId.authenticationMethod) as string | undefined;
	const clientId = cursor.text();
	let will: WillPacket | undefined;
	if (has(4)) {
		const willProperties = five ? readMessageProperties(cursor, WILL) : undefined;
		const topic = cursor.text();
		checkTopic(topic);
		const payload = cursor.binary();
		will = { topic, payload, qos: willQos, retain: has(0x20), ...(willProperties && { properties: willProperties }) };
	}
	const username = has(0x80) ? cursor.text() : undefined;
	const password = has(0x40) ? cursor.binary() : undefined;
	return {
		type: packetType.connect,
		clientId,
		clean: has(2),
		keepAlive,
		...(will && { will }),
		sessionExpiry: number(propertyId.sessionExpiryInterval, 0),
		receiveMaximum: number(propertyId.receiveMaximum, 0xffff),
		maximumPacketSize: number(propertyId.maximumPacketSize, Number.POSITIVE_INFINITY),
		topicAliasMaximum: number(propertyId.topicAliasMaximum, 0),
		...(authenticationMethod !== undefined && { authenticationMethod }),
		...(username !== undefined && { username }),
		...(password && { password }),
	};
}

function readPublish(cursor: Cursor, flags: number, five: boolean): PublishPacket {
	const qos = (flags >> 1) & 3;
	if (qos === 3) fail("There is no QoS 3.");
	if (qos === 0 && flags >= 8) fail("DUP is for messages with QoS above 0.");
	const topic = cursor.text();
	const packetId = qos > 0 ? readPacketId(cursor) : 0;
	const properties = five ? readMessageProperties(cursor, PUBLISH) : undefined;
	// An alias may stand for the topic.
	if (!(topic === "" && properties?.values.has(propertyId.topicAlias))) checkTopic(topic);
	const payload = cursor.take(cursor.left);
	const retain = (flags & 1) === 1;
	return { type: packetType.publish, topic, payload, qos, retain, packetId, ...(properties && { properties }) };
}

function readMessageProperties(cursor: Cursor, allowed: readonly number[]): Properties {
	const properties = readProperties(cursor, allowed);
	const responseTopic = properties.values.get(propertyId.responseTopic) as string | undefined;
	if (responseTopic !== undefined) checkTopic(responseTopic);
	return properties;
}

function readPacketId(cursor: Cursor): number {
	const packetId = cursor.uint16();
	if (packetId === 0) fail("A packet id must not be 0.", reasonCode.protocolError);
	return packetId;
}

function checkTopic(topic: string): void {
	if (topic === "") fail("A topic must not be empty.", reasonCode.topicNameInvalid);
	if (topic.includes("+") || topic.includes("#"))
		fail("A topic to publish to must have no wildcards.", reasonCode.topicNameInvalid);
}

function readFilters<T>(cursor: Cursor, read: (filter: string) => T): T[] {
	if (cursor.left === 0) fail("The packet names no filter.", reasonCode.protocolError);
	const filters: T[] = [];
	while (cursor.left > 0) {
		const filter = cursor.text();
		const levels = filter.split("/");
		if (filter === "") fail("A filter must not be empty.", reasonCode.topicFilterInvalid);
		for (const [index, text] of levels.entries()) {
			const lone = text.length === 1;
			if (text.includes("+") && !lone) fail("+ must be a whole level of a filter.", reasonCode.topicFilterInvalid);
			if (text.includes("#") && !(lone && index === levels.length - 1)) {
				fail("# must be the last level of a filter, and the whole of it.", reasonCode.topicFilterInvalid);
			}
		}
		filters.push(read(filter));
	}
	return filters;
}

function readSubscription(cursor: Cursor, filter: string, five: boolean): SubscriptionRequest {
	const options = cursor.byte();
	if ((options & 3) === 3) fail("There is no QoS 3.");
	if (five ? options >= 0x40 : options > 2) fail("Reserved bits of a subscription are set.");
	if (five && (options & 0x30) === 0x30) fail("There is no retain handling 3.", reasonCode.protocolError);
	return {
		filter,
		qos: options & 3,
		noLocal: (options & 4) !== 0,
		retainAsPublished: (options & 8) !== 0,
		retainHandling: options >> 4,
	};
}

/** Reason code and properties, both of which may be absent (MQTT 5 section 3.4.2). */
function readReason(
	cursor: Cursor,
	allowed: readonly number[],
): { readonly code: number; readonly properties?: Properties } {
	if (cursor.left === 0) return { code: 0 };
	const code = cursor.byte();
	return cursor.left > 0 ? { code, properties: readProperties(cursor, allowed) } : { code };
}

/** A CONNACK that refuses a client of this level. Clients of MQTT 3.1.1 and older know only the codes 1 to 5. */
export function encodeRefusal(level: number, code: number): Buffer {
	return level >= 5
		? Buffer.of(packetType.connack << 4, 3, 0, code, 0)
		: Buffer.of(packetType.connack << 4, 2, 0, code);
}

/** PUBACK, or UNSUBACK in MQTT 3.1.1: a packet id and nothing more. */
export function encodeAcknowledgement(type: number, packetId: number): Buffer {
	return Buffer.of(type << 4, 2, packetId >> 8, packetId & 0xff);
}

export const PINGRESP = Buffer.of(packetType.pingresp << 4, 0);

/** A DISCONNECT of MQTT 5 with its reason. */
export function encodeDisconnect(code: number): Buffer {
	return Buffer.of(packetType.disconnect << 4, 2, code, 0);
}

/** Any other packet, as mqtt-packet describes it. @throws FrameError for one that cannot be encoded */
export function encode(packet: object, level: ProtocolLevel): Buffer {
	try {
		return mqttPacket.generate(packet as LibraryPacket, { protocolVersion: level });
	} catch {
		throw new FrameError("The packet is malformed.", reasonCode.malformedPacket);
	}
}
