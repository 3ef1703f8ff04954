// What the device maker's own program is given once the device has its identity. Types only.

import type { FailureCode } from "../base/failure.js";

/** Who the device is. */
export interface Identity {
	/** The name that RegisterThing gave the device's thing. It is also the MQTT client id. */
	readonly thingName: string;
	/** 64 hexadecimal digits. */
	readonly certificateId: string;
	/** From the template's DeviceConfiguration. Absent when RegisterThing succeeded but its reply was lost. */
	readonly deviceConfiguration?: Readonly<Record<string, string>>;
}

/** Why a call on a connection failed. `code` is the code of a failure in the catalogue. */
export interface ConnectionError extends Error {
	readonly code: FailureCode;
}

/** Handles a message. When it throws or rejects, the device reports APPLICATION_FAILED and stays connected. */
export type MessageHandler = (topic: string, payload: Uint8Array) => unknown;

/** The MQTT will: a message that the service publishes for the device when a connection ends without a DISCONNECT from it. */
export interface Will {
	/** The identity's policy must allow iot:Publish on it, as on any other topic. */
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
 * are checked and copied at once, the object is frozen except for `onMessage`, and once the connection has ended, every call
 * is refused. The application may ignore a rejected promise: it does not count as an unhandled rejection.
 */
export interface ApplicationConnection {
	/** The thing's name. */
	readonly clientId: string;
	/** Whether either side has ended the connection. An ended connection never comes back; the application gets a new one. */
	readonly ended: boolean;
	/**
	 * Called with each message that matches no filter with a handler of its own. Without it, such messages are dropped. When it
	 * throws or its promise rejects, the device reports APPLICATION_FAILED; the connection and later messages are not affected.
	 * @throws TypeError when set to anything but a function or undefined
	 */
	onMessage: MessageHandler | undefined;
	/**
	 * Publishes with QoS 1 or 0. At most 8 calls of any kind, with 16 KB of payloads in all, may be in progress at a time. With
	 * QoS 1 the promise settles when the PUBACK arrives, with QoS 0 once the message is queued. With `retain` the service keeps
	 * the message for later subscribers; the policy must allow iot:RetainPublish.
	 * @throws TypeError for an invalid topic, payload, QoS or `retain`
	 * @throws ConnectionError SEND_QUEUE_FULL (this message is not sent; the connection stays open), PUBLISH_TIMEOUT,
	 *   CONNECTION_LOST when the connection had ended before, or the failure that ended it meanwhile
	 * @example
	 * ```ts
	 * import type { Application } from "moddable-fleet-provisioning/device";
	 *
	 * export const application: Application = ({ identity, connection }) => {
	 * 	// Nobody waits for a measurement that could not be sent: the next one comes soon.
	 * 	connection.publish(`devices/${identity.thingName}/temperature`, JSON.stringify({ celsius: 21.5 }), 0);
	 * 	return undefined;
	 * };
	 * ```
	 */
	publish(topic: string, payload: Uint8Array | string, qos?: 0 | 1, retain?: boolean): Promise<void>;
	/**
	 * Subscribes to between one and eight topic filters with QoS 1 (AWS IoT accepts no more in one SUBSCRIBE). With `handler`,
	 * messages that match one of the filters go to it from now on, instead of to `onMessage`; a message that matches filters of
	 * several handlers goes to each of them. At most 50 filters can have a handler (AWS IoT allows no more subscriptions).
	 * @throws TypeError for an invalid topic filter or handler, and for more than 50
	 * @throws ConnectionError SEND_QUEUE_FULL, SUBSCRIBE_REFUSED, SUBSCRIBE_HUNG_UP, SUBSCRIBE_TIMEOUT, or the failure that ended the
	 *   connection
	 * @example
	 * ```ts
	 * import type { Application } from "moddable-fleet-provisioning/device";
	 *
	 * export const application: Application = async ({ identity, connection }) => {
	 * 	connection.onMessage = (topic, payload) => console.log(topic, payload.length);
	 * 	await connection.subscribe([`devices/${identity.thingName}/commands/+`]);
	 * 	return undefined;
	 * };
	 * ```
	 */
	subscribe(filters: readonly string[], handler?: MessageHandler): Promise<void>;
	/**
	 * Ends between one and eight subscriptions and removes their handlers. Messages that are already on their way may still arrive.
	 * @throws TypeError for an invalid topic filter
	 * @throws ConnectionError SEND_QUEUE_FULL, UNSUBSCRIBE_TIMEOUT, or the failure that ended the connection
	 */
	unsubscribe(filters: readonly string[]): Promise<void>;
	/**
	 * Closes the connection. The device reports APPLICATION_CLOSED and connects again after the usual pause, which grows from a
	 * second to a quarter of an hour while connections last less than a minute; the application is then called with the new
	 * connection. An application cannot stay offline: its owner could never reach a device again that did not reconnect.
	 * Not an error when called twice.
	 */
	close(): void;
}

/** What an application works with. Frozen. */
export interface ApplicationContext {
	/** Who the device is. */
	readonly identity: Identity;
	/** Set at the factory: see `DeviceFacts`. */
	readonly serialNumber: string;
	/** The version of the running firmware: see `DeviceFacts`. */
	readonly firmwareVersion: string;
	/** Connected under the thing's name. A lost connection is not repaired: the application is called again with a new one. */
	readonly connection: ApplicationConnection;
	/**
	 * Factory reset. `forget`: the identity is erased; the device restarts and claims a new one. `keep`: the identity stays as
	 * it is, and the device restarts. The application must erase its own data before it calls this.
	 * @throws TypeError for anything else
	 */
	factoryReset(identity: "forget" | "keep"): void;
}

/** Called when a connection has ended, to stop timers and the like. Its errors are reported. The device does not wait for it. */
export type Stop = () => unknown;

/**
 * The application: called with every new connection. May be async. May return a function that is called when this connection
 * has ended. When it throws or rejects, the device reports APPLICATION_FAILED, hangs up, and calls it again with a new
 * connection after a pause of a minute or more.
 *
 * @example
 * ```ts
 * import type { Application } from "moddable-fleet-provisioning/device";
 *
 * export const application: Application = async ({ identity, connection }) => {
 * 	const topic = (name: string) => `devices/${identity.thingName}/${name}`;
 * 	let on = false;
 * 	const tell = () => connection.publish(topic("state"), on ? "on" : "off");
 * 	connection.onMessage = (_topic, payload) => {
 * 		on = payload.length > 0;
 * 		return tell();
 * 	};
 * 	await connection.subscribe([topic("commands")]);
 * 	await tell();
 * 	return () => {
 * 		// The connection has ended: stop timers here.
 * 	};
 * };
 * ```
 */
export type Application = (context: ApplicationContext) => Stop | undefined | Promise<Stop | undefined>;
