// What the device maker's own program is given once the device has its identity. Types only.

import type { FailureCode } from "../base/failure.js";

/** Who the device is. */
export interface Identity {
	readonly thingName: string;
	/** 64 hexadecimal digits. */
	readonly certificateId: string;
	/** From the template's DeviceConfiguration. Absent when RegisterThing's reply was lost but its effect was not. */
	readonly deviceConfiguration?: Readonly<Record<string, string>>;
}

/** Why a call on a connection has failed: a failure of the catalogue, by its code. */
export interface ConnectionError extends Error {
	readonly code: FailureCode;
}

/** Takes a message. What it throws, or an async one rejects with, is reported as APPLICATION_FAILED; the connection goes on. */
export type MessageHandler = (topic: string, payload: Uint8Array) => unknown;

/** What the service publishes in the device's name when a connection ends without the device's DISCONNECT. */
export interface Will {
	/** The identity's policy must allow iot:Publish on it, as on any other. */
	readonly topic: string;
	/** At most 4 KB. */
	readonly payload: Uint8Array | string;
	/** Default 1. */
	readonly qos?: 0 | 1;
	/** Default false. */
	readonly retain?: boolean;
}

/**
 * What an application may do with its MQTT connection. Nothing that it does here can stop the device program: arguments
 * are checked and copied at once, the object is frozen but for `onMessage`, and after the end of the connection each call
 * is refused. A promise that is rejected need not be taken care of: the rejection is not "unhandled".
 */
export interface ApplicationConnection {
	/** The thing's name. */
	readonly clientId: string;
	/** Whether it has ended, by whichever side. An ended connection never comes back: a new one does. */
	readonly ended: boolean;
	/**
	 * Called with each message that no handler of `subscribe` is for; without it such messages are dropped.
	 * @throws TypeError when set to anything but a function or undefined
	 */
	onMessage: MessageHandler | undefined;
	/**
	 * Publishes with QoS 1 (or 0), at most 16 KB under way at a time, and 8 calls of any kind. Settles with the PUBACK (with QoS 0, when it
	 * waits to be sent). With `retain` the service keeps the message for later subscribers; the policy must allow iot:RetainPublish.
	 * @throws TypeError for what is no topic, payload, QoS or boolean
	 * @throws ConnectionError SEND_QUEUE_FULL (this message is not sent; the connection goes on), PUBLISH_TIMEOUT, CONNECTION_LOST
	 *   after the end, or how the connection ended
	 */
	publish(topic: string, payload: Uint8Array | string, qos?: 0 | 1, retain?: boolean): Promise<void>;
	/**
	 * Subscribes with QoS 1 to 1 to 8 topic filters (AWS IoT takes no more in one SUBSCRIBE). With `handler`, the messages that
	 * match one of them go to it, from now on, instead of to `onMessage`; a message that matches filters of several handlers goes
	 * to each of them. At most 50 filters have a handler (AWS IoT takes no more subscriptions).
	 * @throws TypeError for what is no topic filter or handler, and for more than 50
	 * @throws ConnectionError SEND_QUEUE_FULL, SUBSCRIBE_REFUSED, SUBSCRIBE_HUNG_UP, SUBSCRIBE_TIMEOUT, or how the connection ended
	 */
	subscribe(filters: readonly string[], handler?: MessageHandler): Promise<void>;
	/**
	 * Takes subscriptions back, 1 to 8 at a time, and their handlers. Messages that were on their way may still come.
	 * @throws TypeError for what is no topic filter
	 * @throws ConnectionError SEND_QUEUE_FULL, UNSUBSCRIBE_TIMEOUT, or how the connection ended
	 */
	unsubscribe(filters: readonly string[]): Promise<void>;
	/**
	 * Hangs up. The device reports APPLICATION_CLOSED and connects again after the usual pause, which grows from a second
	 * to a quarter of an hour when connections last less than a minute; the application is then called with the new one.
	 * There is no way to stay offline: a device that waits for its own application to reconnect is out of its owner's reach
	 * for good when the application never does. Not an error when called twice.
	 */
	close(): void;
}

/** What an application works with. Frozen. */
export interface ApplicationContext {
	readonly identity: Identity;
	readonly serialNumber: string;
	readonly firmwareVersion: string;
	/** Connected under the thing's name. A lost connection is not repaired: the application is called again with a new one. */
	readonly connection: ApplicationConnection;
	/**
	 * Factory reset. `forget`: the identity is erased, the device restarts and claims a new one. `keep`: nothing of the
	 * identity changes; the device restarts (erase what the application itself has stored before calling).
	 * @throws TypeError for anything else
	 */
	factoryReset(identity: "forget" | "keep"): void;
}

/** Called when a connection has ended, to stop timers and the like. What it throws is reported; nobody waits for it. */
export type Stop = () => unknown;

/**
 * The application: called with every new connection, and again with the next. May be async; may give what is to be
 * called when this connection has ended. When it throws or rejects, the device reports APPLICATION_FAILED, hangs up, and
 * calls it again with a new connection after a pause of a minute or more.
 */
export type Application = (context: ApplicationContext) => Stop | undefined | Promise<Stop | undefined>;
