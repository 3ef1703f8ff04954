// The application of simulated devices: publishes one message, a hello, on every connection, and does a factory reset when asked.
// hosts/moddable/application.ts is its counterpart on the ESP32.

import type { Application } from "../../src/contract/application.js";

/** Where the application publishes, and the callbacks with which a command follows and directs it. */
export interface HelloOptions {
	/** The topic to publish on; `{ThingName}` in it stands for the thing's name. */
	readonly topic: string;
	/** Called when the message is sent, and again with `acknowledged` when the PUBACK has arrived. */
	onHello?(hello: { readonly topic: string; readonly payload: string; readonly acknowledged: boolean }): void;
	onMessage?(topic: string, bytes: number): void;
	/** Asked on every connection: whether to do a factory reset that keeps the identity instead of publishing. */
	takeReset?(): boolean;
}

/** Where the sample device policy lets a device publish. */
export const HELLO_TOPIC = "devices/{ThingName}/hello";

export function helloApplication(options: HelloOptions): Application {
	return ({ identity, serialNumber, firmwareVersion, connection, factoryReset }) => {
		if (options.takeReset?.() === true) {
			factoryReset("keep");
			return undefined;
		}
		connection.onMessage = (topic, payload) => options.onMessage?.(topic, payload.length);
		const topic = options.topic.replaceAll("{ThingName}", identity.thingName);
		const { deviceConfiguration } = identity;
		const payload = JSON.stringify({ firmwareVersion, serialNumber, deviceConfiguration });
		options.onHello?.({ topic, payload, acknowledged: false });
		connection.publish(topic, payload).then(
			() => options.onHello?.({ topic, payload, acknowledged: true }),
			// Nothing to do: the device program reports why the connection ended.
			() => {},
		);
		return undefined;
	};
}
