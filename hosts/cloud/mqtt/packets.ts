// Checks every packet from a client byte by byte, in MQTT 3.1.1 and 5, before aedes or mqtt-packet sees it, so that they never
// get one that the standard does not allow. Knows no limits and no policies.

import { Cursor, FrameError, packetType, reasonCode, typeOf } from "./frames.js";

/** Versions of MQTT by their protocol level. */
export type ProtocolLevel = 4 | 5;

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

/**
 * Checks a packet from a client: flags, lengths, packet ids, UTF-8, topics, properties, and that nothing follows its end.
 * @throws FrameError with a reason code of MQTT 5, for a packet that the standard does not allow
 */
export function checkPacket(frame: Buffer, level: ProtocolLevel): void {
	const type = typeOf(frame);
	const flags = frame[0]! & 0x0f;
	const five = level === 5;
	const cursor = Cursor.body(frame);
	// In MQTT 5 the length must also be in its shortest form.
	if (five) new Cursor(frame, 1).varint();
	const wanted = type === packetType.publish ? flags : five && type === packetType.auth ? 0 : FLAGS[type];
	if (wanted === undefined) fail(`A client sends no packet of the type ${type}.`, reasonCode.protocolError);
	if (flags !== wanted) fail("The flags of the packet's first byte are wrong.");
	switch (type) {
		case packetType.connect:
			checkConnect(cursor, five);
			break;
		case packetType.publish:
			checkPublish(cursor, flags, five);
			break;
		case packetType.puback:
		case packetType.pubrec:
		case packetType.pubrel:
		case packetType.pubcomp:
			checkPacketId(cursor);
			if (five) checkReason(cursor, ACKNOWLEDGEMENT_PROPERTIES);
			break;
		case packetType.subscribe:
			checkPacketId(cursor);
			if (five) checkProperties(cursor, SUBSCRIBE_PROPERTIES);
			checkFilters(cursor, () => checkSubscriptionOptions(cursor.byte(), five));
			break;
		case packetType.unsubscribe:
			checkPacketId(cursor);
			if (five) checkProperties(cursor, UNSUBSCRIBE_PROPERTIES);
			checkFilters(cursor, () => {});
			break;
		case packetType.disconnect:
			if (five) checkReason(cursor, DISCONNECT_PROPERTIES);
			break;
		case packetType.auth:
			checkReason(cursor, AUTH_PROPERTIES);
	}
	if (cursor.left > 0) fail("The packet goes on after its end.");
}

function fail(message: string, code: number = reasonCode.malformedPacket): never {
	throw new FrameError(message, code);
}

function checkConnect(cursor: Cursor, five: boolean): void {
	if (cursor.text() !== "MQTT") fail("The protocol's name is not MQTT.");
	cursor.byte(); // the level, by which this reader was chosen
	const flags = cursor.byte();
	const has = (flag: number) => (flags & flag) !== 0;
	if (has(1)) fail("The reserved flag of CONNECT is set.");
	const willQos = (flags >> 3) & 3;
	if (willQos === 3) fail("There is no QoS 3.");
	if (!has(4) && (willQos > 0 || has(0x20))) fail("CONNECT has flags of a will that it does not have.");
	if (!five && has(0x40) && !has(0x80)) fail("A password needs a user name.");
	cursor.uint16(); // keep-alive, any value
	if (five) checkProperties(cursor, CONNECT_PROPERTIES);
	cursor.text(); // client id, perhaps empty
	if (has(4)) {
		if (five) checkProperties(cursor, WILL_PROPERTIES);
		checkTopic(cursor.text());
		cursor.binary();
	}
	if (has(0x80)) cursor.text();
	if (has(0x40)) cursor.binary();
}

function checkPublish(cursor: Cursor, flags: number, five: boolean): void {
	const qos = (flags >> 1) & 3;
	if (qos === 3) fail("There is no QoS 3.");
	if (qos === 0 && flags >= 8) fail("DUP is for messages with QoS above 0.");
	const topic = cursor.text();
	if (qos > 0) checkPacketId(cursor);
	const properties = five ? checkProperties(cursor, PUBLISH_PROPERTIES) : undefined;
	// An alias may stand for the topic. mqtt5.ts refuses it, since aliases are not supported.
	if (!(topic === "" && properties?.has(TOPIC_ALIAS))) checkTopic(topic);
	cursor.take(cursor.left);
}

function checkPacketId(cursor: Cursor): void {
	if (cursor.uint16() === 0) fail("A packet id must not be 0.", reasonCode.protocolError);
}

function checkTopic(topic: string): void {
	if (topic === "") fail("A topic must not be empty.", reasonCode.topicNameInvalid);
	if (/[+#]/.test(topic)) fail("A topic to publish to must have no wildcards.", reasonCode.topicNameInvalid);
}

function checkFilters(cursor: Cursor, checkOptions: () => void): void {
	if (cursor.left === 0) fail("The packet names no filter.", reasonCode.protocolError);
	while (cursor.left > 0) {
		const levels = cursor.text().split("/");
		if (levels.length === 1 && levels[0] === "") fail("A filter must not be empty.", reasonCode.topicFilterInvalid);
		for (const [index, text] of levels.entries()) {
			const lone = text.length === 1;
			if (text.includes("+") && !lone) fail("+ must be a whole level of a filter.", reasonCode.topicFilterInvalid);
			if (text.includes("#") && !(lone && index === levels.length - 1)) {
				fail("# must be the last level of a filter, and the whole of it.", reasonCode.topicFilterInvalid);
			}
		}
		checkOptions();
	}
}

function checkSubscriptionOptions(options: number, five: boolean): void {
	if ((options & 3) === 3) fail("There is no QoS 3.");
	if (five ? options >= 0x40 : options > 2) fail("Reserved bits of a subscription are set.");
	if (five && (options & 0x30) === 0x30) fail("There is no retain handling 3.", reasonCode.protocolError);
}

/** Reason code and properties, both of which may be absent (MQTT 5 section 3.4.2). */
function checkReason(cursor: Cursor, allowed: readonly number[]): void {
	if (cursor.left === 0) return;
	cursor.byte();
	if (cursor.left > 0) checkProperties(cursor, allowed);
}

type Kind = "flag" | "uint16" | "uint32" | "varint" | "text" | "binary" | "pair";

/** Properties of MQTT 5 that a client may send (section 2.2.2.2). */
const PROPERTY_KINDS: ReadonlyMap<number, Kind> = new Map<number, Kind>([
	[0x01, "flag"], // payload format indicator
	[0x02, "uint32"], // message expiry interval
	[0x03, "text"], // content type
	[0x08, "text"], // response topic
	[0x09, "binary"], // correlation data
	[0x0b, "varint"], // subscription identifier
	[0x11, "uint32"], // session expiry interval
	[0x15, "text"], // authentication method
	[0x16, "binary"], // authentication data
	[0x17, "flag"], // request problem information
	[0x18, "uint32"], // will delay interval
	[0x19, "flag"], // request response information
	[0x1f, "text"], // reason string
	[0x21, "uint16"], // receive maximum
	[0x22, "uint16"], // topic alias maximum
	[0x23, "uint16"], // topic alias
	[0x26, "pair"], // user property
	[0x27, "uint32"], // maximum packet size
]);
const RESPONSE_TOPIC = 0x08;
const TOPIC_ALIAS = 0x23;
const USER_PROPERTY = 0x26;
/** Properties for which 0 is a protocol error. */
const NEVER_ZERO: ReadonlySet<number> = new Set([0x0b, 0x21, TOPIC_ALIAS, 0x27]);

const UNSUBSCRIBE_PROPERTIES = [USER_PROPERTY];
const CONNECT_PROPERTIES = [0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x27, USER_PROPERTY];
const PUBLISH_PROPERTIES = [0x01, 0x02, 0x03, RESPONSE_TOPIC, 0x09, TOPIC_ALIAS, USER_PROPERTY];
const WILL_PROPERTIES = [0x01, 0x02, 0x03, RESPONSE_TOPIC, 0x09, 0x18, USER_PROPERTY];
const SUBSCRIBE_PROPERTIES = [0x0b, USER_PROPERTY];
const ACKNOWLEDGEMENT_PROPERTIES = [0x1f, USER_PROPERTY];
const DISCONNECT_PROPERTIES = [0x11, 0x1f, USER_PROPERTY];
const AUTH_PROPERTIES = [0x15, 0x16, 0x1f, USER_PROPERTY];

/** Walks the properties and returns the ids of those present. Each may occur once, user properties any number of times. */
function checkProperties(cursor: Cursor, allowed: readonly number[]): ReadonlySet<number> {
	const properties = cursor.part(cursor.varint());
	const seen = new Set<number>();
	while (properties.left > 0) {
		const id = properties.varint();
		const kind = PROPERTY_KINDS.get(id);
		if (kind === undefined) fail(`There is no property ${id} that a client sends.`);
		if (!allowed.includes(id)) fail(`The property ${id} does not belong in this packet.`, reasonCode.protocolError);
		if (seen.has(id) && id !== USER_PROPERTY) fail(`The property ${id} comes twice.`, reasonCode.protocolError);
		seen.add(id);
		const value = readProperty(properties, kind);
		if (value === 0 && NEVER_ZERO.has(id)) fail(`The property ${id} must not be 0.`, reasonCode.protocolError);
		if (id === RESPONSE_TOPIC) checkTopic(value as string);
	}
	return seen;
}

function readProperty(cursor: Cursor, kind: Kind): unknown {
	switch (kind) {
		case "flag": {
			const value = cursor.byte();
			if (value > 1) fail("A property that is 0 or 1 is neither.", reasonCode.protocolError);
			return value;
		}
		case "pair":
			return [cursor.text(), cursor.text()];
		default:
			return cursor[kind]();
	}
}
