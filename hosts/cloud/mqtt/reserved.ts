// The seam between the broker and the services behind reserved topics, such as Device Shadow and Jobs. A service sees requests that
// policies have allowed, and sends messages; it knows no sockets and no packets. Nothing here decides anything.

/** What MQTT 5 may add to a message. All of it is passed on unread. */
export interface MessageProperties {
	readonly contentType?: string;
	readonly payloadFormatIndicator?: boolean;
	readonly responseTopic?: string;
	readonly correlationData?: Uint8Array;
	/** Seconds. */
	readonly messageExpiryInterval?: number;
	/** Names may repeat. */
	readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

/** A message from the cloud itself. */
export interface CloudMessage {
	readonly topic: string;
	readonly payload: Uint8Array;
	/** Each subscriber gets it with the lower one of this and its subscription's QoS. Default 1. */
	readonly qos?: 0 | 1;
	/** For topics that are not reserved only. */
	readonly retain?: boolean;
	readonly properties?: MessageProperties;
}

/** What the broker offers to those who send messages from the cloud. */
export interface MessagePublisher {
	/**
	 * Sends a message to every subscriber whose policies allow iot:Receive on its topic. Topics may be reserved. Resolves when what
	 * is to be kept of it (a retained message, one that waits for a persistent session) would survive the end of the process.
	 */
	publish(message: CloudMessage): Promise<void>;
}

/** A publish to a topic of a reserved service. Policies have allowed iot:Publish on the topic. */
export interface ReservedRequest {
	readonly topic: string;
	/** As it came, unread, and at most as long as the setting limits.payload says. */
	readonly payload: Uint8Array;
	/** In MQTT 5, if there are any. */
	readonly properties?: MessageProperties;
	/** Who asks. Absent when the request came over HTTPS (the operation Publish). */
	readonly connection?: {
		readonly connectionId: string;
		readonly clientId: string;
		/** Certificate id. */
		readonly principal: string;
	};
	/**
	 * Sends a message to the connection that asked, and to nobody else, whether it has subscribed to the topic or not. Policies must
	 * allow iot:Receive. Does nothing when the connection has gone, or there is none.
	 */
	reply(message: CloudMessage): Promise<void>;
}

/** A service of AWS IoT that devices reach by publishing to reserved topics (developer guide, "Reserved topics"). */
export interface ReservedService {
	/** For people: `Device Shadow`. */
	readonly name: string;
	/** Whether a publish to this topic is a request for this service. Asked for each publish to a topic that begins with `$aws/`. */
	serves(topic: string): boolean;
	/** Topics that it sends to, level by level, for telling a client that nothing will ever come for its subscription. */
	readonly sendsTo: readonly (readonly RegExp[])[];
	/** Called before the first request, and when another broker takes the place of the one before. */
	open(publisher: MessagePublisher): void;
	/**
	 * Handles a request. A request with QoS 1 is acknowledged when it has returned, or its promise has settled; so what it has changed
	 * is on disk by then. An error in it ends the connection that asked, with an event; what a client can cause must be a reply.
	 */
	handle(request: ReservedRequest): void | Promise<void>;
}
